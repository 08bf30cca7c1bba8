"""What the served queue answers to askers that are wrong, slow or gone, and what the remote queue makes of bad answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from kiosd.errors import JournalError, Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.links.memory import memory_pair
from kiosd.queue import server as server_module
from kiosd.queue.commands import ALL, COMMANDS, CallNext, IssueTicket
from kiosd.queue.events import CounterOpened
from kiosd.queue.interface import Forecast, PlaceView, Reply
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.server import Verify, serve_queue
from kiosd.queue.wire import ERRORS
from support.listqueue import TIME, ListQueue


@dataclass
class Served:
    near: ListQueue
    far: RemoteQueue
    link: Link

    async def ask(self, topic: str, payload: bytes) -> Any:
        """The first answer to a question that ``RemoteQueue`` would never ask."""
        async with self.link.subscribe("me") as answers, asyncio.TaskGroup() as group:
            group.create_task(self.link.publish(Message(topic, payload, reply_to="me", correlation=b"1")))
            return json.loads((await anext(answers)).payload)


@asynccontextmanager
async def serving(
    verify: Verify | None = None, alive_s: float = 15.0, timeout: float = 5.0, deaf_after: float = 45.0, near: ListQueue | None = None
) -> AsyncIterator[Served]:
    near, started = near or ListQueue(), asyncio.Event()
    async with asyncio.timeout(10), memory_pair() as (here, there), asyncio.TaskGroup() as group:
        task = group.create_task(serve_queue(near, here, verify, started, alive_s))
        await started.wait()
        yield Served(near, RemoteQueue(there, timeout, deaf_after), there)
        task.cancel()


MALFORMED = {
    "no JSON": b"next, please",
    "no object": b"[1]",
    "deep": b"[" * 60_000,
    "not a number": b'{"counter": NaN}',
    "missing": b"{}",
    "too big": b'{"counter": 100}',
    "text for a number": b'{"counter": "1"}',
    "unknown key": b'{"counter": 1, "score": 4}',
    "bad id": b'{"counter": 1, "id": "a b"}',
    "not text": b"\xff",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_command_is_answered_and_nothing_happens(case: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        answer = await served.ask("cmd/next", MALFORMED[case])
        assert (answer["status"], answer["code"]) == ("rejected", "malformed")
        assert answer["message"] and len(answer["message"]) < 300
        assert served.near.executed == []
        assert "malformed" in caplog.text


@pytest.mark.parametrize("name", ["dance", *sorted(command.name for command in ALL if command.name not in COMMANDS)])
async def test_only_public_commands_are_known(name: str) -> None:
    async with serving() as served:
        answer = await served.ask(f"cmd/{name}", b"{}")
        assert (answer["status"], answer["code"]) == ("rejected", "unknown_command")
        assert served.near.executed == []


async def test_content_of_a_malformed_command_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        for payload in (
            b'{"counter": "3273000000000001"}',
            b'{"3273000000000001": 1}',
            b'{"3273000000000001": 1}x',
            b'{"id": "3273000000000001", "counter": 1}',
        ):
            assert "3273000000000001" not in json.dumps(await served.ask("cmd/next", payload))
        assert "3273000000000001" not in json.dumps(await served.ask("cmd/3273000000000001", b"{}"))
    assert "3273000000000001" not in caplog.text


async def test_every_public_command_arrives_as_it_was_sent() -> None:
    fields = {
        "service": "A", "counter": 1, "ticket": "A001", "score": 4, "count": 5, "category": "masyarakat", "destination": "back_office",
        "answers": {"waktu": 4}, "until": "14:00", "on": True, "device": "printer", "text": "listrik padam", "actor": "manager",
        "place": "cli",
    }  # fmt: skip
    async with serving() as served:
        for kind in COMMANDS.values():
            reason = {"reason": "lainnya"} if kind.model_fields.get("reason") else {}
            command = kind.model_validate({key: value for key, value in (fields | reason).items() if key in kind.model_fields})
            await served.far.execute(command)
            assert served.near.executed[-1] == command


async def test_nobody_outside_is_the_system(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        answer = await served.ask("cmd/next", b'{"counter": 1, "actor": "system"}')
        assert (answer["status"], answer["code"], answer["message"]) == ("rejected", "malformed", "actor: system is the daemon itself")
        assert served.near.executed == []
        assert (await served.far.snapshot()).sequence == 0, "and it serves on"


class Foreseeing(ListQueue):
    """A ``ListQueue`` that tells who is next."""

    async def forecasts(self, counter: int | None = None, service: str = "") -> tuple[Forecast, ...]:
        if counter == 9:
            raise Refused("unknown_counter", {"counter": 9, "message": "Tidak ada loket 9."})
        place = PlaceView(position=1, number="A001", service="A", priority=False, issued_at=TIME, codes=("regular",), why="urutan biasa")
        return (Forecast(counter=counter, service=service, waiting=1, places=(place,)),)


async def test_who_is_next_is_told_as_the_queue_tells_it() -> None:
    async with serving(near=Foreseeing()) as served:
        for counter, service in ((None, ""), (2, ""), (None, "A")):
            assert await served.far.forecasts(counter, service) == await Foreseeing().forecasts(counter, service)
        with pytest.raises(Refused) as refused:
            await served.far.forecasts(9)
        assert (refused.value.code, refused.value.facts["message"]) == ("unknown_counter", "Tidak ada loket 9.")


@pytest.mark.parametrize("payload", [b'{"counter": 0}', b'{"service": "AB"}', b'{"counter": 1, "service": "A"}', b'{"x": 1}', b"[]"])
async def test_a_question_for_who_is_next_that_makes_no_sense(payload: bytes) -> None:
    async with serving(near=Foreseeing()) as served:
        assert (await served.ask("ask/queue", payload))["code"] == "malformed"


async def test_a_queue_that_cannot_tell_who_is_next_says_so() -> None:
    async with serving() as served:
        assert (await served.ask("ask/queue", b"{}"))["code"] == "unknown_ask"


async def test_a_command_that_wants_no_reply_is_done() -> None:
    async with serving() as served:
        await served.link.publish(Message("cmd/issue", b'{"service": "A"}'))
        assert (await served.far.snapshot()).sequence == 1


@pytest.mark.parametrize(("topic", "payload", "code"), [
    ("ask/weather", b"{}", "unknown_ask"),
    ("ask/verify", b"{}", "unknown_ask"),
    ("ask/events", b'{"since": -1}', "malformed"),
    ("ask/events", b'{"since": "1"}', "malformed"),
    ("ask/events", b"since 0", "malformed"),
])  # fmt: skip
async def test_questions_that_cannot_be_answered(topic: str, payload: bytes, code: str) -> None:
    async with serving() as served:
        answer = await served.ask(topic, payload)
        assert (answer["status"], answer["code"]) == ("rejected", code)


async def test_verify_tells_what_was_found() -> None:
    async def whole() -> dict[str, Any]:
        return {"ok": True, "events": 7}

    async with serving(whole) as served:
        assert await served.far.verify() == {"ok": True, "events": 7}


async def test_a_damaged_journal_is_an_error_for_who_asked_only() -> None:
    async def damaged() -> dict[str, Any]:
        raise JournalError("journal: event 3 has been changed")

    async with serving(damaged) as served:
        with pytest.raises(JournalError, match="event 3"):
            await served.far.verify()
        assert (await served.far.execute(IssueTicket(service="A"))).done


async def test_a_journal_that_fails_under_a_command_ends_the_server() -> None:
    class Failing(ListQueue):
        async def execute(self, command: Any) -> Reply:
            raise JournalError("disk full")

    with pytest.raises(ExceptionGroup) as group:
        async with memory_pair() as (here, there), asyncio.TaskGroup() as tasks:
            started = asyncio.Event()
            tasks.create_task(serve_queue(Failing(), here, started=started))
            await started.wait()
            await RemoteQueue(there).execute(CallNext(counter=1))
    assert group.value.subgroup(JournalError) is not None


async def test_what_the_queue_cannot_do_in_time_is_unavailable() -> None:
    class Slow(ListQueue):
        async def execute(self, command: Any) -> Reply:
            raise Unavailable("the hub does not answer")

    async with memory_pair() as (here, there), asyncio.TaskGroup() as tasks:
        started = asyncio.Event()
        task = tasks.create_task(serve_queue(Slow(), here, started=started))
        await started.wait()
        with pytest.raises(Unavailable, match="the hub does not answer"):
            await RemoteQueue(there).execute(CallNext(counter=1))
        task.cancel()


async def test_no_answer_in_time_and_asking_again() -> None:
    async with serving(timeout=0.05) as served:
        served.near.free.clear()
        command = IssueTicket(service="A")
        with pytest.raises(Unavailable, match="did not answer in"):
            await served.far.execute(command)
        served.near.free.set()
        assert (await served.far.execute(command)).result["number"] == "A001"
        assert len(served.near.records) == 1


async def test_a_waiting_command_keeps_nobody_from_asking() -> None:
    async with serving() as served, asyncio.TaskGroup() as group:
        served.near.free.clear()
        waiting = [group.create_task(served.far.execute(IssueTicket(service="A"))) for _ in range(10)]
        assert (await served.far.snapshot()).sequence == 0
        served.near.free.set()
        assert len({(await one).result["number"] for one in waiting}) == 10


async def test_commands_beyond_the_limit_wait_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "AT_ONCE", 3)
    async with serving() as served, asyncio.TaskGroup() as group:
        served.near.free.clear()
        waiting = [group.create_task(served.far.execute(IssueTicket(service="A"))) for _ in range(8)]
        for _ in range(100):  # turns of the loop: more than eight commands need to arrive
            await asyncio.sleep(0)
        assert len(served.near.executed) == 3
        served.near.free.set()
        assert len({(await one).result["number"] for one in waiting}) == 8


async def test_followers_beyond_the_limit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LONG_AT_ONCE", 1)
    async with serving() as served:
        served.near.add(CounterOpened(counter=1))
        async with aclosing(served.far.events(0)) as records:
            await anext(records)
            with pytest.raises(Unavailable, match=ERRORS["busy"]):
                _ = [record async for record in served.far.events(0)]
            assert (await served.far.execute(IssueTicket(service="A"))).done


async def test_a_follower_that_left_makes_room_though_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LONG_AT_ONCE", 1)
    async with serving(alive_s=0.01) as served:
        served.near.add(CounterOpened(counter=1))
        async with aclosing(served.far.events(0)) as records:
            await anext(records)
        while True:  # until the server has found out
            try:
                assert [record.seq async for record in served.far.events(0, follow=False)] == [1]
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                break


async def test_signs_of_life_keep_a_quiet_follower() -> None:
    async with serving(alive_s=0.02, deaf_after=0.4) as served, aclosing(served.far.events(0)) as records, asyncio.TaskGroup() as group:
        first = group.create_task(anext(records))
        await asyncio.sleep(0.6)  # longer than the follower's patience: only signs of life can carry it over
        assert not first.done()
        served.near.add(CounterOpened(counter=1))
        assert (await first).seq == 1


async def test_a_follower_without_signs_of_life_gives_up() -> None:
    async with serving(alive_s=60, deaf_after=0.2) as served, aclosing(served.far.events(0)) as records:
        with pytest.raises(Unavailable, match=r"0\.2 s"):
            await anext(records)


async def test_nobody_serves() -> None:
    async with memory_pair() as (_, there):
        with pytest.raises(Unavailable, match="starting or stopping"):
            await RemoteQueue(there).snapshot()


async def test_a_stranger_to_this_protocol_is_not_believed() -> None:
    async def strange(link: Link) -> None:
        async with link.subscribe("#") as messages:
            async for message in messages:
                await link.publish(Message(message.reply_to or "", b"wrong", correlation=b"not yours"))
                await link.publish(Message(message.reply_to or "", b'{"hello": 1}', correlation=message.correlation))

    async with asyncio.timeout(5), memory_pair() as (here, there), asyncio.TaskGroup() as group:
        task = group.create_task(strange(here))
        await asyncio.sleep(0)
        queue = RemoteQueue(there)
        for ask in (queue.snapshot(), queue.execute(CallNext(counter=1)), anext(queue.events(0))):
            with pytest.raises(Unavailable, match="version"):
                await ask
        task.cancel()


async def test_an_answer_too_large_for_the_link_is_said() -> None:
    async def huge() -> dict[str, Any]:
        return {"rows": "x" * 2_000_000}

    async with serving(huge) as served:
        with pytest.raises(Refused, match="too_large"):
            await served.far.verify()
