"""A satellite's queue holds still for its stations, whatever its hub and the way to it do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from kiosd.clock import ManualClock, Moment
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Message
from kiosd.links.memory import MemoryEnd, memory_pair
from kiosd.queue import steady as steady_module
from kiosd.queue.commands import CallNext, Command, ReportDevice
from kiosd.queue.events import CounterRefused, Record
from kiosd.queue.hubclock import HubClock
from kiosd.queue.interface import Reply, Snapshot
from kiosd.queue.steady import AWAY, UNREACHABLE, Steady
from support.fakequeue import FakeQueue, called
from support.sim_pins import until
from support.site import WEDNESDAY

GONE = Unavailable("no answer")


class Connection:
    """A connection that comes and goes when the test says so."""

    def __init__(self) -> None:
        self.reason, self._conn, self._changed = "cut", 1, asyncio.Event()

    def cut(self) -> None:
        self._conn += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def connected(self) -> int:
        return self._conn

    async def lost(self, conn: int) -> str:
        while conn == self._conn:
            await self._changed.wait()
        return self.reason


class Far(FakeQueue):
    """The hub from afar.

    ``failing``: what every question meets; ``loses``: the number of an event that is lost once; ``hangs``: no state comes.
    """

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.failing: Exception | None = None
        self.loses = 0
        self.hangs = False
        self.followed: list[int] = []

    def _meet(self) -> None:
        if self.failing is not None:
            raise self.failing

    async def moment(self) -> Moment:
        self._meet()
        return self.clock.now()

    async def execute(self, command: Command) -> Reply:
        self._meet()
        return await super().execute(command)

    async def snapshot(self) -> Snapshot:
        self._meet()
        if self.hangs:
            await asyncio.Event().wait()
        return await super().snapshot()

    async def events(self, since: int) -> AsyncIterator[Record]:
        self.followed.append(since)
        async for record in super().events(since):
            if record.seq == self.loses:
                self.loses = 0
                continue
            yield record


@dataclass
class World:
    clock: ManualClock
    far: Far
    connection: Connection
    hub: MemoryEnd
    queue: Steady
    greetings: list[bool]
    seen: list[Record] = field(default_factory=list)

    async def follow(self) -> None:
        async for record in self.queue.events(0):
            self.seen.append(record)

    async def in_touch(self) -> None:
        await self.till(lambda: not self.queue.away)

    async def till(self, condition: object) -> None:
        """Let time pass until it is so."""
        assert callable(condition)

        def passed() -> bool:
            self.clock.advance(0.05)
            return bool(condition())

        await until(passed)

    def numbers(self) -> list[int]:
        return [record.seq for record in self.seen]

    def signs(self) -> list[tuple[int, str]]:
        events = [record.event for record in self.seen if not record.seq]
        return [(event.counter, event.message) for event in events if isinstance(event, CounterRefused)]


@asynccontextmanager
async def world(failing: Exception | None = None) -> AsyncIterator[World]:
    clock = ManualClock(WEDNESDAY)
    far, connection, greetings = Far(clock), Connection(), list[bool]()
    far.failing = failing

    async def greet() -> None:
        greetings.append(True)

    async with asyncio.timeout(20), memory_pair() as (here, there), asyncio.TaskGroup() as group:
        queue = Steady(
            far, far.moment, here, connection, clock, HubClock(clock), counters=[1], language="id", zone="Asia/Jakarta", greet=greet
        )  # fmt: skip
        it = World(clock, far, connection, there, queue, greetings)
        tasks = [group.create_task(work) for work in (queue.run(), it.follow())]
        yield it
        for task in tasks:
            task.cancel()


async def test_events_come_once_and_in_order_however_often_contact_is_lost() -> None:
    async with world() as it:
        await it.in_touch()
        for n in range(1, 4):
            it.far.add(called(n))
            await until(lambda: len(it.numbers()) >= n)  # noqa: B023 - waited for in this turn
            it.connection.cut()
            await it.till(lambda: len(it.greetings) > n)  # noqa: B023 - waited for in this turn
        it.far.add(called(4))
        await until(lambda: bool(it.numbers()) and it.numbers()[-1] == 4)
        assert it.numbers() == [1, 2, 3, 4]
        assert it.far.followed == [0, 1, 2, 3]


async def test_an_event_that_is_lost_on_the_way_is_asked_for_again() -> None:
    async with world() as it:
        await it.in_touch()
        it.far.loses = 2
        it.far.add(called(1), called(2), called(3))
        await it.till(lambda: it.numbers() == [1, 2, 3])
        assert it.far.followed == [0, 1]


async def test_a_hub_that_says_that_it_has_come_is_asked_anew_at_once() -> None:
    async with world() as it:
        await it.in_touch()
        await it.hub.publish(Message("hub", b"{}"))
        await it.till(lambda: len(it.greetings) == 2)


@pytest.mark.parametrize("problem", [GONE, Refused("not_authorized")])
async def test_a_command_without_an_answer_is_shown_and_not_asked_again(problem: Exception) -> None:
    async with world() as it:
        await it.in_touch()
        it.far.failing = problem
        command = CallNext(counter=1)
        reply = await it.queue.execute(command)
        assert (reply.id, reply.status, reply.code, reply.message) == (command.id, "rejected", "unavailable", AWAY["id"])
        assert it.queue.away
        await until(lambda: it.signs() == [(1, AWAY["id"])])
        it.far.failing = None
        await it.in_touch()
        await until(lambda: it.signs() == [(1, AWAY["id"]), (1, "")])
        assert it.far.executed == [], "and the sign is taken off"


async def test_what_is_about_no_counter_gives_no_sign() -> None:
    async with world() as it:
        await it.in_touch()
        it.far.failing = GONE
        assert (await it.queue.execute(ReportDevice(device="keys", state="ok"))).code == "unavailable"
        it.far.failing = None
        await it.in_touch()
        assert it.signs() == []


async def test_pressing_on_does_not_keep_the_hub_from_coming_back() -> None:
    async with world() as it:
        await it.in_touch()
        it.far.failing = GONE
        await it.queue.execute(CallNext(counter=1))
        it.far.failing = None
        for _ in range(1000):
            if not it.queue.away:
                break
            it.clock.advance(0.05)
            it.far.failing = GONE
            await it.queue.execute(CallNext(counter=1))
            it.far.failing = None
            await asyncio.sleep(0)
        assert not it.queue.away


async def test_a_state_that_does_not_come_is_the_last_one_said_to_be_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_module, "STATE_WITHIN_S", 0.02)
    async with world() as it:
        await it.in_touch()
        it.far.waiting = 7
        it.far.add(called(1))
        await until(lambda: bool(it.numbers()))
        assert (await it.queue.snapshot()).services[0].waiting == 7, "the state is of the last event at least"
        it.far.hangs = True
        it.far.add(called(2))
        await until(lambda: len(it.numbers()) == 2)
        state = await it.queue.snapshot()
        assert (state.services[0].waiting, state.open, state.why, state.opens_at) == (7, False, UNREACHABLE, None)
        assert it.queue.away


async def test_before_the_first_contact_the_state_is_that_nothing_is_known() -> None:
    async with world(failing=GONE) as it:
        state = await it.queue.snapshot()
        assert (state.sequence, state.open, state.why, state.services) == (0, False, UNREACHABLE, ())
        assert [view.counter for view in state.counters] == [1]
        await it.till(lambda: it.signs() == [(1, AWAY["id"])])
        async with asyncio.TaskGroup() as group:
            renewed = group.create_task(it.queue.renewed())
            await asyncio.sleep(0)
            it.far.failing = None
            await it.till(renewed.done)
        assert not it.queue.away


async def test_a_long_absence_renews_the_state_a_short_one_does_not() -> None:
    async with world() as it:
        await it.in_touch()
        for away, renews in ((10.0, False), (61.0, True)):
            async with asyncio.TaskGroup() as group:
                renewed = group.create_task(it.queue.renewed())
                greeted = len(it.greetings)
                it.far.failing = GONE
                it.connection.cut()
                await until(lambda: it.queue.away)
                it.far.add(called(1))
                it.clock.advance(away)
                it.far.failing = None
                await it.till(lambda: len(it.greetings) > greeted)  # noqa: B023 - waited for in this turn
                await asyncio.sleep(0)
                assert renewed.done() is renews
                renewed.cancel()
        assert [number for number in it.numbers() if number] == [1], "what is old is in the state"


async def test_the_hubs_clock_is_asked_every_minute_and_a_new_fault_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as it:
        await it.in_touch()
        ahead = it.clock.now().time + timedelta(hours=1)

        async def moment() -> Moment:
            return Moment(ahead, 5.0, True, it.clock.now().boot)

        monkeypatch.setattr(it.queue, "_moment", moment)
        it.clock.advance(steady_module.CLOCK_EVERY_S)
        await it.till(lambda: len(it.greetings) == 2)
