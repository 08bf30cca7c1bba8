"""What ``Queue`` promises, near and far: the same tests over the hub's queue, over both links, and over the fake that other tests use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import Refused, Unavailable
from kiosd.queue.commands import CallNext, Finish, IssueTicket
from kiosd.queue.events import Record, TicketIssued
from kiosd.queue.interface import Queue, Reply
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.server import serve_queue
from support.links import LINKS
from support.listqueue import ListQueue
from support.samples import sample
from support.site import WEDNESDAY, PureDay, settings


@dataclass
class Case:
    queue: Queue
    end_server: Callable[[], None] | None = None


@asynccontextmanager
async def local(directory: Path) -> AsyncIterator[Case]:
    async with open_local(directory, settings(), ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as group:
        running = group.create_task(queue.run())
        yield Case(queue)
        running.cancel()


@asynccontextmanager
async def fake(_: Path) -> AsyncIterator[Case]:
    yield Case(ListQueue())


def remote(link: str) -> Callable[[Path], AbstractAsyncContextManager[Case]]:
    @asynccontextmanager
    async def over(directory: Path) -> AsyncIterator[Case]:
        async with local(directory) as near, LINKS[link](directory) as ends, asyncio.TaskGroup() as group:
            started = asyncio.Event()
            serving = group.create_task(until_gone(serve_queue(near.queue, ends.server, started=started)))
            await started.wait()
            yield Case(RemoteQueue(ends.client), ends.end_server)
            serving.cancel()

    return over


async def until_gone(serving: Any) -> None:
    try:
        await serving
    except* Unavailable:
        pass


CASES: dict[str, Callable[[Path], AbstractAsyncContextManager[Case]]] = {
    "local": local,
    "memory": remote("memory"),
    "unix": remote("unix"),
    "fake": fake,
}
FAR = ("memory", "unix")
REAL = ("local", *FAR)


@pytest.fixture(params=CASES)
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    async with asyncio.timeout(10), CASES[request.param](tmp_path) as case:
        yield case.queue


@pytest.fixture(params=FAR)
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    async with asyncio.timeout(10), CASES[request.param](tmp_path) as case:
        yield case


@pytest.fixture(params=REAL)
async def real(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    async with asyncio.timeout(10), CASES[request.param](tmp_path) as case:
        yield case.queue


async def take(queue: Queue, since: int, until: int) -> list[Record]:
    """The records after ``since`` up to number ``until``."""
    taken: list[Record] = []
    async with aclosing(cast("Any", queue.events(since))) as records:
        async for record in records:
            taken.append(record)
            if record.seq >= until:
                break
    return taken


async def newest(queue: Queue) -> int:
    return (await queue.snapshot()).sequence


async def test_done(queue: Queue) -> None:
    reply = await queue.execute(IssueTicket(id="press-1", service="A"))
    assert (reply.id, reply.status, reply.result["number"]) == ("press-1", "done", "A001")
    assert reply.sequence == await newest(queue)


async def test_rejected_with_a_reason(queue: Queue) -> None:
    reply = await queue.execute(IssueTicket(service="Z"))
    assert (reply.status, reply.code) == ("rejected", "unknown_service")
    assert reply.message


async def test_a_role_that_may_not_is_refused_near_and_far_and_the_event_names_it(real: Queue) -> None:
    reply = await real.execute(sample("finish", "receptionist", place="desk"))
    assert (reply.status, reply.code) == ("rejected", "not_allowed")
    (record,) = await take(real, reply.sequence - 1, reply.sequence)
    assert (record.event.type, record.event.actor, record.event.place) == ("counter.refused", "receptionist", "desk")


async def test_a_days_work_leaves_the_same_events_near_and_far(real: Queue) -> None:
    steps = [
        "issue", "issue", "reserve", "next", "recall", "undo_call", "next", "start", "invite", "undo_start", "start", "transfer", "next",
        "absent", "readmit", "priority", "call", "start", "finish", "undo_finish", "refer", "rate", "survey", "suspend", "resume", "note",
    ]  # fmt: skip
    commands = [sample(step, id=f"{n}-{step}") for n, step in enumerate(steps)]
    replies = [await real.execute(command) for command in commands]
    assert [(reply.id, reply.code) for reply in replies if not reply.done] == [("4-recall", "too_soon")]
    records = await take(real, 0, replies[-1].sequence)
    assert {record.command for record in records} == {reply.id for reply in replies}
    day = PureDay()
    for command in commands:
        if command.name != "recall":
            day.do(command)
    assert [record.event for record in records if record.event.type != "counter.refused"] == [record.event for record in day.log]


async def test_nobody_from_afar_is_the_system(far: Case) -> None:
    for own in ("close_day", "tick", "scan", "seal_day"):
        reply = await far.queue.execute(sample(own, "system"))
        no = "malformed" if own == "close_day" else "unknown_command"
        assert (reply.status, reply.code, reply.sequence) == ("rejected", no, 0)
    assert await newest(far.queue) == 0


async def test_who_is_next_reads_the_same_near_and_far(tmp_path: Path) -> None:
    async with asyncio.timeout(10), local(tmp_path) as near, LINKS["unix"](tmp_path) as ends, asyncio.TaskGroup() as group:
        started = asyncio.Event()
        serving = group.create_task(until_gone(serve_queue(near.queue, ends.server, started=started)))
        await started.wait()
        queue = RemoteQueue(ends.client)
        for priority in (False, True, True):
            await near.queue.execute(sample("issue", priority=priority))
        here, there = await cast("LocalQueue", near.queue).forecasts(counter=2), await queue.forecasts(counter=2)
        assert here == there and [place.number for place in there[0].places] == ["A002", "A003", "A001"]
        with pytest.raises(Refused):
            await queue.forecasts(counter=99)
        serving.cancel()


async def test_the_same_command_twice_is_done_once(queue: Queue) -> None:
    command = IssueTicket(service="A")
    first = await queue.execute(command)
    await queue.execute(IssueTicket(service="A"))
    before = await newest(queue)
    assert await queue.execute(command) == first
    assert await newest(queue) == before


async def test_many_at_once_get_different_numbers(queue: Queue) -> None:
    replies = await asyncio.gather(*(queue.execute(IssueTicket(service="A")) for _ in range(300)))
    assert len({reply.result["number"] for reply in replies}) == 300


async def test_events_from_the_start_without_a_gap_then_live(queue: Queue) -> None:
    for _ in range(20):
        await queue.execute(IssueTicket(service="A"))
    before = await newest(queue)
    seen: list[Record] = []
    async with aclosing(cast("Any", queue.events(0))) as records:
        async for record in records:
            seen.append(record)
            if record.seq == before:
                live = await queue.execute(CallNext(counter=1))
            elif record.seq > before and record.seq == live.sequence:
                break
    assert [record.seq for record in seen] == list(range(1, live.sequence + 1))
    assert seen[-1].event.type == "ticket.called"
    assert sum(isinstance(record.event, TicketIssued) for record in seen) == 20


async def test_an_event_arrives_as_it_was_recorded(queue: Queue) -> None:
    reply = await queue.execute(IssueTicket(id="press-2", service="D", priority=False))
    (record,) = await take(queue, reply.sequence - 1, reply.sequence)
    assert isinstance(record.event, TicketIssued)
    assert (record.event.number, record.command, record.event.date) == (reply.result["number"], "press-2", "2026-07-01")
    assert record.moment.time == WEDNESDAY and record.moment.synced and record.moment.boot


async def test_two_followers_see_the_same(queue: Queue) -> None:
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(take(queue, 0, 12)) for _ in range(2)]
        for _ in range(12):
            await queue.execute(IssueTicket(service="A"))
    first, second = (follower.result() for follower in followers)
    assert first == second
    assert all(after.seq == before.seq + 1 for before, after in pairwise(first))


async def test_a_follower_that_reads_slowly_keeps_nobody_waiting(queue: Queue) -> None:
    async with aclosing(cast("Any", queue.events(0))) as records:
        first = await queue.execute(IssueTicket(service="A"))
        assert (await anext(records)).seq == 1
        for _ in range(100):  # none of these is read yet
            await queue.execute(IssueTicket(service="A"))
        last = await newest(queue)
        assert [(await anext(records)).seq for _ in range(last - 1)] == list(range(2, last + 1))
        assert last >= first.sequence + 100


async def test_the_snapshot_shows_what_was_done(queue: Queue) -> None:
    await queue.execute(IssueTicket(service="A"))
    before = await queue.snapshot()
    called = await queue.execute(CallNext(counter=1))
    after = await queue.snapshot()
    counter = after.counter(1)
    assert counter is not None and counter.number == called.result["number"]
    assert after.sequence == called.sequence > before.sequence
    assert [service.waiting for service in before.services if service.service == "A"] == [1]
    assert [service.waiting for service in after.services if service.service == "A"] == [0]


async def test_who_is_cancelled_may_ask_again(queue: Queue) -> None:
    command = IssueTicket(service="A")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.execute(command))
        await asyncio.sleep(0)
        waiting.cancel()
    reply = await queue.execute(command)
    assert reply.done
    issued = [record for record in await take(queue, 0, await newest(queue)) if isinstance(record.event, TicketIssued)]
    assert len(issued) == 1


async def test_a_follower_that_is_cancelled_leaves_the_queue_usable(queue: Queue) -> None:
    async with asyncio.TaskGroup() as group:
        following = group.create_task(take(queue, 0, 10_000))
        await queue.execute(IssueTicket(service="A"))
        following.cancel()
    assert (await queue.execute(IssueTicket(service="A"))).done


async def test_server_gone_is_said_to_everybody(far: Case) -> None:
    assert far.end_server is not None
    queue = cast("RemoteQueue", far.queue)
    reply = await queue.execute(IssueTicket(service="A"))
    async with aclosing(queue.events(reply.sequence)) as records:

        async def follow() -> None:
            with pytest.raises(Unavailable):
                await anext(records)

        async with asyncio.TaskGroup() as group:
            group.create_task(follow())
            await asyncio.sleep(0)
            far.end_server()
    for ask in (lambda: queue.execute(Finish(counter=1)), queue.snapshot, queue.verify, lambda: take(queue, 0, 1)):
        with pytest.raises(Unavailable):
            await cast("Callable[[], Any]", ask)()


async def test_events_up_to_now_end_by_themselves(far: Case) -> None:
    queue = cast("RemoteQueue", far.queue)
    assert [record async for record in queue.events(0, follow=False)] == []
    last: Reply | None = None
    for _ in range(5):
        last = await queue.execute(IssueTicket(service="A"))
    assert last is not None
    assert [record.seq async for record in queue.events(0, follow=False)] == list(range(1, last.sequence + 1))
    assert [record.seq async for record in queue.events(last.sequence - 1, follow=False)] == [last.sequence]
    assert [record async for record in queue.events(last.sequence + 7, follow=False)] == []
