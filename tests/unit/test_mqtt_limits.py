"""How much of what is commanded is taken, and what is told of the rest: share by client, flood, late, roles."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.commands import AT_ONCE, WAITING, Repeat, serve_commands
from kiosd.mqtt.limits import CLIENTS, RECORDS, RECORDS_IN_S, TOGETHER, Pace
from kiosd.mqtt.settings import OutsideRole
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import COMMANDS, Command
from kiosd.queue.interface import Reply
from support.fakequeue import FakeQueue
from support.fedlink import FedLink, settled
from support.samples import sample

TOPICS = Topics("kiosd", "CTH01", "hub")
NOON = datetime(2026, 7, 1, 5, tzinfo=UTC)
PER_S = 5
EVERYBODY: tuple[OutsideRole, ...] = ("public", "officer", "receptionist", "manager")


@dataclass
class Border:
    """Served commands behind a link that the test feeds."""

    link: FedLink
    queue: FakeQueue
    clock: ManualClock

    def send(self, times: int = 1, client: str | None = "desk-1", name: str = "next", **more: Any) -> None:
        """As many commands of one client, all at once."""
        for _ in range(times):
            body = {"id": f"c-{next(NUMBERS)}", "counter": 1} | ({"client": client} if client else {}) | more
            self.raw(name, json.dumps(body).encode())

    def raw(self, name: str, payload: bytes, **more: Any) -> None:
        self.link.feed(Message(TOPICS.path("command", name), payload, reply_to="somebody/answers", **more))


NUMBERS = count(1)


@asynccontextmanager
async def serving(per_s: int = PER_S, roles: tuple[OutsideRole, ...] = EVERYBODY, repeat: Repeat | None = None) -> AsyncIterator[Border]:
    clock = ManualClock(NOON)
    it = Border(FedLink(), FakeQueue(clock), clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve_commands(it.queue, it.link, TOPICS, clock, roles, per_s, "mqtt-central", repeat))
        await settled()
        yield it
        task.cancel()


# -- the share of a client


async def test_a_client_gets_its_share_and_the_rest_is_refused_and_answered() -> None:
    async with serving() as it:
        it.send(PER_S + 3)
        await settled()
        assert sorted(it.link.reasons()) == ["done"] * PER_S + ["rate_limit"] * 3
        assert [refusal.code for refusal in it.queue.refusals] == ["rate_limit"] * 3
        assert {body["id"] for body in it.link.answers if body["status"] == "rejected"} <= {f"c-{n}" for n in range(10_000)}


async def test_the_share_comes_back_with_time_and_does_not_pile_up() -> None:
    async with serving() as it:
        for seconds, taken in ((0.0, PER_S), (0.2, 1), (0.4, 2), (3600.0, PER_S)):
            it.clock.advance(seconds)
            before = len(it.queue.commands)
            it.send(PER_S + 1)
            await settled()
            assert len(it.queue.commands) - before == taken


async def test_what_is_no_command_counts_too() -> None:
    async with serving() as it:
        for _ in range(PER_S + 1):
            it.raw("next", b"{")
        await settled()
        assert sorted(it.link.reasons()) == ["not_json"] * PER_S + ["rate_limit"]


async def test_one_client_does_not_take_the_share_of_another() -> None:
    async with serving() as it:
        it.send(100, client="noisy")
        it.send(1, client="desk-2")
        it.send(1, client=None)
        await settled()
        assert [command.place for command in it.queue.commands] == ["mqtt/noisy"] * PER_S + ["mqtt/desk-2", "mqtt"]


async def test_a_new_name_for_every_command_gains_nothing() -> None:
    async with serving() as it:
        for n in range(1000):
            it.send(1, client=f"noisy-{n}")
        await settled()
        assert len(it.queue.commands) == PER_S * TOGETHER


def test_names_that_are_not_remembered_share_one_bucket_until_others_are_forgotten() -> None:
    pace = Pace(1000, 0.0)
    assert all(pace.allows(f"c-{n}", 0.0) for n in range(CLIENTS))
    assert sum(pace.allows(f"late-{n}", 0.0) for n in range(2000)) == 1000
    assert pace.allows("c-1", 0.0)
    assert sum(pace.allows("late-1", 1.0) for n in range(2000)) == 1000
    assert pace.allows("late-2", 1.0)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    pace = Pace(2, 7.0)
    assert [pace.allows(None, 7.0) for _ in range(4)] == [True, True, False, False]


# -- a flood


async def test_a_flood_is_told_as_a_number_and_fills_neither_journal_nor_link() -> None:
    async with serving() as it:
        it.send(1000, client="noisy")
        await settled()
        assert [refusal.code for refusal in it.queue.refusals] == ["rate_limit"] * RECORDS
        assert it.link.reasons().count("rate_limit") == AT_ONCE
        it.clock.advance(RECORDS_IN_S)
        await settled()
        (summary,) = it.queue.refusals[RECORDS:]
        left = 1000 - PER_S - RECORDS
        assert (summary.source, summary.command, summary.code, summary.count) == ("mqtt-central", "?", "flood", left)
        assert summary.message == f"{left} more commands were refused: rate_limit {left}"
        it.clock.advance(3600)
        await settled()
        assert len(it.queue.refusals) == RECORDS + 1, "and it is over"


async def test_every_kind_of_refusal_is_in_the_sum(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(per_s=200) as it:
        for payload in [b"{"] * (RECORDS + 2) + [b'{"id": "c-1", "counter": 0}'] * 3:
            it.raw("next", payload)
        await settled()
        assert len(it.link.answers) == RECORDS + 5, "each is answered"
        it.clock.advance(RECORDS_IN_S)
        await settled()
    assert it.queue.refusals[-1].message == "5 more commands were refused: bad_field 3, not_json 2"
    assert "mqtt-central: 5 more commands were refused: bad_field 3, not_json 2" in caplog.text


async def test_a_sum_that_cannot_be_recorded_is_told_later() -> None:
    async with serving() as it:
        it.send(PER_S + RECORDS + 1)
        await settled()
        answer = it.queue.answer

        def unavailable(_: Command) -> Reply:
            raise Unavailable("the journal is away")

        it.queue.answer = unavailable
        it.clock.advance(RECORDS_IN_S)
        await settled()
        it.queue.answer = answer
        it.send(PER_S + RECORDS + 1)
        await settled()
        it.clock.advance(RECORDS_IN_S)
        await settled()
        assert it.queue.refusals[-1].count == 2


async def test_a_queue_that_stalls_is_asked_for_no_more_than_can_wait() -> None:
    async with serving(per_s=1000) as it:
        it.queue.free.clear()
        it.send(AT_ONCE)
        await settled()
        it.send(WAITING + 3)
        await settled()
        assert it.link.reasons() == ["busy"] * 3
        it.queue.free.set()
        for _ in range(WAITING // AT_ONCE):
            await settled()
        assert it.link.reasons().count("done") == AT_ONCE + WAITING
        assert [command.id for command in it.queue.commands] == sorted((c.id for c in it.queue.commands), key=lambda id_: int(id_[2:]))


async def test_a_retained_command_of_a_flood_is_cleared_too() -> None:
    async with serving() as it:
        it.send(PER_S)
        it.raw("next", b'{"id": "c-1", "counter": 1, "client": "desk-1"}', retain=True)
        await settled()
        (cleared,) = [message for message in it.link.out if not message.payload]
        assert (cleared.topic, cleared.retain) == (TOPICS.path("command", "next"), True)


# -- late


@pytest.mark.parametrize("synced", [True, False])
@pytest.mark.parametrize(
    ("waits", "ttl", "expiry", "issued", "late"),
    [
        (0, 3600, None, False, False),
        (0, 3600, 60, False, False),
        (0, 3600, 0, False, True),
        (59, 3600, 60, False, False),
        (60, 3600, 60, False, True),
        (70, 60, None, False, True),
        (70, 3600, None, False, False),
        (70, 60, 3600, False, True),
        (0, 10, None, True, True),
        (0, 120, None, True, False),
        (61, 120, None, True, True),
    ],
)
async def test_late_is_what_the_sender_the_broker_or_the_wait_here_makes_late(
    synced: bool, waits: int, ttl: int, expiry: int | None, issued: bool, late: bool
) -> None:
    """All places are taken, so the command waits; ``issued`` one minute before. Without a right clock that minute is not believed."""
    async with serving(per_s=100) as it:
        it.clock.step_to(NOON, synced)
        it.queue.free.clear()
        it.send(AT_ONCE)
        await settled()
        body = {"id": "it", "counter": 1, "ttl": ttl} | ({"issued_at": "2026-07-01T04:59:00Z"} if issued else {})
        it.raw("next", json.dumps(body).encode(), expiry_s=expiry)
        await settled()
        it.clock.advance(waits)
        it.queue.free.set()
        await settled()
        (command,) = (command for command in it.queue.commands if command.id == "it")
        if issued and not synced:
            late = waits > ttl
        assert command.late == late


# -- roles


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_broker_grants_only_the_roles_of_its_configuration(name: str) -> None:
    fields = json.loads(sample(name).model_dump_json(exclude_unset=True, exclude={"id", "actor"}))
    body = {"id": "it"} | ({"counter": fields.pop("counter")} if "counter" in fields else {}) | {"args": fields}
    for role in (None, *EVERYBODY):
        async with serving(roles=("public", "receptionist")) as it:
            it.raw(name, json.dumps(body | ({"actor": role} if role else {})).encode())
            await settled()
            meant = role or COMMANDS[name].may[0]
            if meant in {"public", "receptionist"}:
                assert [command.by for command in it.queue.commands] == [meant], "whether it may is the queue's to say"
            else:
                assert it.link.reasons() == ["not_allowed"]
                assert not it.queue.commands
                assert [refusal.code for refusal in it.queue.refusals] == ["not_allowed"]


# -- told once more


async def repeated(id_: str, first: int, last: int) -> dict[str, object]:
    if first > last:
        raise Refused("bad_range", {"message": "from is 1 or more, and to is not below it"})
    if first == 99:
        raise Unavailable("the hub does not answer")
    return {"from": first, "to": last, "events": last - first + 1, "gone": [], "id": id_}


async def test_a_replay_is_accepted_with_what_will_come() -> None:
    async with serving(repeat=repeated, roles=("public",)) as it:
        it.raw("replay", b'{"id": "r-1", "args": {"from": 3, "to": 7}}')
        await settled()
        result = {"from": 3, "to": 7, "events": 5, "gone": [], "id": "r-1"}
        assert it.link.answers == [{"id": "r-1", "status": "accepted", "result": result, "sequence": 0}]
        assert not it.queue.executed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"args": {"from": 7, "to": 3}}, "bad_range"),
        ({"args": {"from": 99, "to": 99}}, "unavailable"),
        ({"args": {"from": 0, "to": 3}}, "bad_field"),
        ({"args": {"from": "1", "to": 3}}, "bad_field"),
        ({"args": {"from": 1, "to": 10**15}}, "bad_field"),
        ({"args": {"from": 1}}, "bad_field"),
        ({"args": {"from": 1, "to": 3, "more": 1}}, "unknown_field"),
        ({"args": {"first": 1, "last": 3}}, "bad_field"),
        ({"args": {"from": 1, "to": 3}, "counter": 1}, "bad_field"),
        ({"args": {"from": 1, "to": 3}, "expect_rev": 1}, "bad_field"),
        ({"args": {"from": 1, "to": 3}, "actor": "manager"}, "not_allowed"),
        ({"args": {"from": 1, "to": 3}, "issued_at": "2026-07-01T04:59:00Z"}, "expired"),
        ({"from": 1, "to": 3}, "unknown_field"),
    ],
)
async def test_a_replay_that_cannot_be_is_refused(body: dict[str, Any], reason: str) -> None:
    async with serving(repeat=repeated, roles=("public",)) as it:
        it.raw("replay", json.dumps({"id": "r-1"} | body).encode())
        await settled()
        assert it.link.reasons() == [reason]
        assert [refusal.code for refusal in it.queue.refusals] == ([] if reason == "unavailable" else [reason])


async def test_where_nothing_is_told_again_the_command_is_unknown() -> None:
    async with serving() as it:
        it.raw("replay", b'{"id": "r-1", "args": {"from": 3, "to": 7}}')
        await settled()
        assert it.link.reasons() == ["unknown_command"]
