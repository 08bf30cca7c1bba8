"""What the real queue makes of commands from a broker: roles, states that are out of date, late ones, twice the same; over restarts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.links.base import Message
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.states import Node, States
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import CloseCounter, IssueTicket, Tick
from kiosd.queue.local import LocalQueue, open_local
from support.fedlink import FedLink
from support.mqtt_peer import until
from support.site import WEDNESDAY, settings

TOPICS = Topics("kiosd", "CTH01", "hub")


@dataclass
class Hub:
    """A hub's real queue, asked through a link that the test feeds."""

    queue: LocalQueue
    link: FedLink
    clock: ManualClock
    states: States

    async def ask(self, name: str, id_: str, expiry_s: int | None = None, **fields: Any) -> Any:
        """The answer to one command."""
        answers = len(self.link.out)
        body = {"id": id_, "client": "desk-1"} | fields
        self.link.feed(Message(TOPICS.path("command", name), json.dumps(body).encode(), expiry_s=expiry_s))
        await until(lambda: len(self.link.out) > answers)
        return json.loads(self.link.out[-1].payload)

    async def tell(self) -> None:
        """What an uplink would have sent now; the newest of each topic is what everybody sees."""
        for message in self.states.changed(await self.queue.snapshot()):
            self.seen[message.topic] = json.loads(message.payload)

    def __post_init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def counter(self, number: int = 1) -> Any:
        """The state of a counter that is retained at the broker."""
        return self.seen[TOPICS.path("counter", number)]


@asynccontextmanager
async def hub(state: Path, clock: ManualClock) -> AsyncIterator[Hub]:
    async with open_local(state, settings(), clock) as queue, asyncio.TaskGroup() as group:
        it = Hub(queue, FedLink(), clock, States(Node(TOPICS, "1", "abc"), clock))
        running = [group.create_task(queue.run()), group.create_task(serve_commands(queue, it.link, TOPICS, clock, per_s=100))]
        for _ in range(3):
            await queue.execute(IssueTicket(service="A", slip=False))
        yield it
        for task in running:
            task.cancel()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(WEDNESDAY)


async def test_a_role_that_may_not_is_refused_and_recorded(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        answer = await it.ask("next", "c-1", counter=1, actor="public")
        assert (answer["status"], answer["reason"]) == ("rejected", "not_allowed")
        (record,) = [record async for record in first(it.queue, answer["sequence"])]
        assert (record.event.type, record.event.actor, record.event.place) == ("counter.refused", "public", "mqtt/desk-1")


async def first(queue: LocalQueue, sequence: int) -> AsyncIterator[Any]:
    """The event of that number."""
    async for record in queue.events(sequence - 1):
        yield record
        return


async def test_whoever_saw_the_counter_as_it_is_is_obeyed(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        for name, status in (("next", "calling"), ("start", "serving"), ("finish", "ready")):
            await it.tell()
            answer = await it.ask(name, f"c-{name}", counter=1, expect_rev=it.counter()["as_of_sequence"])
            assert answer["status"] == "done"
            await it.tell()
            assert it.counter()["state"] == status


async def test_whoever_saw_an_older_state_of_the_counter_is_told_the_present_one(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.tell()
        old = it.counter()["as_of_sequence"]
        called = await it.ask("next", "c-1", counter=1, expect_rev=old)
        answer = await it.ask("next", "c-2", counter=1, expect_rev=old)
        assert (answer["status"], answer["reason"], answer["message"]) == ("rejected", "stale", "Loket 1 sudah berubah sejak itu.")
        assert answer["result"]["number"] == called["result"]["number"]
        assert answer["sequence"] > called["sequence"], "and it is recorded"
        await it.tell()
        header = {"rev", "boot", "time"}
        assert answer["result"].keys() | header == it.counter().keys()
        again = await it.ask("start", "c-3", counter=1, expect_rev=answer["result"]["as_of_sequence"])
        assert again["status"] == "done"


async def test_of_two_who_saw_the_same_only_one_is_obeyed(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.tell()
        answers = await asyncio.gather(
            *(it.ask("next", f"c-{n}", counter=1, client=f"desk-{n}", expect_rev=it.counter()["as_of_sequence"]) for n in range(2))
        )
        del answers  # they may have come in any order
        bodies = {body["id"]: body for body in it.link.answers}
        assert sorted(body["status"] for body in bodies.values()) == ["done", "rejected"]
        assert {body.get("reason") for body in bodies.values()} == {None, "stale"}


async def test_what_happens_elsewhere_makes_nothing_stale(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.tell()
        old = it.counter()["as_of_sequence"]
        assert (await it.ask("next", "c-1", counter=2))["status"] == "done"
        await it.queue.execute(IssueTicket(service="A", slip=False))
        assert (await it.ask("rate", "c-2", counter=1, args={"score": 4}))["status"] == "done"
        assert (await it.ask("next", "c-3", counter=1, expect_rev=old))["status"] == "done"


async def test_a_recall_makes_stale(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.ask("next", "c-1", counter=1)
        await it.tell()
        clock.advance(10)
        assert (await it.ask("recall", "c-2", counter=1))["status"] == "done"
        assert (await it.ask("absent", "c-3", counter=1, expect_rev=it.counter()["as_of_sequence"]))["reason"] == "stale"


async def test_what_was_seen_yesterday_is_stale_and_this_mornings_state_is_not(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.ask("open", "c-1", counter=1)
        await it.queue.execute(CloseCounter(counter=1))
        await it.tell()
        yesterday = it.counter()["as_of_sequence"]
        clock.advance(timedelta(days=1).total_seconds())
        await it.queue.execute(Tick())
        await it.tell()
        assert (await it.ask("open", "c-2", counter=1, expect_rev=yesterday))["reason"] == "stale"
        assert (await it.ask("open", "c-3", counter=1, expect_rev=it.counter()["as_of_sequence"]))["status"] == "done"


async def test_a_restart_makes_nothing_stale_that_was_not(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.ask("open", "c-1", counter=1)
        await it.tell()
        now = it.counter()["as_of_sequence"]
        before = it.queue.book
    async with hub(tmp_path, clock) as it:
        assert it.queue.book.changed(1) == before.changed(1)
        assert (await it.ask("close", "c-2", counter=1, expect_rev=before.changed(1) - 1))["reason"] == "stale"
        assert (await it.ask("close", "c-3", counter=1, expect_rev=now))["status"] == "done"


async def test_asking_again_gives_the_answer_however_late_and_whatever_changed_meanwhile(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        await it.tell()
        asked: dict[str, Any] = {"counter": 1, "issued_at": WEDNESDAY.isoformat(), "ttl": 5, "expect_rev": it.counter()["as_of_sequence"]}
        answer = await it.ask("next", "c-1", **asked)
        assert answer["status"] == "done"
        clock.advance(60)
        assert await it.ask("next", "c-1", **asked) == answer
    async with hub(tmp_path, clock) as it:
        clock.advance(23 * 3600)
        assert await it.ask("next", "c-1", **asked) == answer


async def test_what_comes_too_late_does_nothing_for_ever(tmp_path: Path, clock: ManualClock) -> None:
    async with hub(tmp_path, clock) as it:
        clock.advance(6)
        asked: dict[str, Any] = {"counter": 1, "issued_at": WEDNESDAY.isoformat(), "ttl": 5}
        answer = await it.ask("next", "c-1", **asked)
        assert (answer["status"], answer["reason"], answer["message"]) == ("expired", "expired", "Perintah datang terlambat.")
        (record,) = [record async for record in first(it.queue, answer["sequence"])]
        assert (record.event.type, record.event.code) == ("counter.refused", "expired")
        assert it.queue.book.at(1) is None
        assert await it.ask("next", "c-1", counter=1) == answer, "an id means one thing"
        assert (await it.ask("next", "c-2", counter=1, expiry_s=0))["status"] == "expired"
