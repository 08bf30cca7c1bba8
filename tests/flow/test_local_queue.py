"""LocalQueue: durable before it answers, one answer per id, group commit, followers without gaps, fatal when the journal fails."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import JournalError
from kiosd.journal.journal import FILE, Journal
from kiosd.queue import commands as cmd
from kiosd.queue.events import Record
from kiosd.queue.local import PAGE, RECENT, LocalQueue, open_local
from support.site import WEDNESDAY, settings


@asynccontextmanager
async def running(state: Path, clock: ManualClock | None = None) -> AsyncIterator[LocalQueue]:
    async with open_local(state, settings(), clock or ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(queue.run())
        yield queue
        writer.cancel()


async def take(queue: LocalQueue, since: int, count: int) -> list[Record]:
    got = []
    async for record in queue.events(since):
        got.append(record)
        if len(got) == count:
            break
    return got


async def test_an_answer_means_that_it_is_on_disk(tmp_path: Path) -> None:
    async with running(tmp_path) as queue:
        reply = await queue.execute(cmd.IssueTicket(service="D"))
        with sqlite3.connect(tmp_path / FILE) as other:
            row = other.execute("SELECT type, data FROM journal WHERE seq = ?", (reply.sequence,)).fetchone()
        other.close()
        assert row[0] == "ticket.issued" and '"D001"' in row[1]


async def test_the_same_id_is_done_once_also_at_the_same_time_and_after_a_restart(tmp_path: Path) -> None:
    ask = cmd.IssueTicket(service="A")
    async with running(tmp_path) as queue:
        first, second = await asyncio.gather(queue.execute(ask), queue.execute(ask))
        assert first == second == await queue.execute(ask)
        refused = cmd.Finish(counter=1)
        no = await queue.execute(refused)
        assert not no.done and no.message == "Tidak ada yang dilayani di loket 1."
        head = queue.book.seq
    async with running(tmp_path) as queue:
        assert await queue.execute(ask) == first
        assert await queue.execute(refused) == no
        assert queue.book.seq == head


async def test_four_issuers_at_once_get_every_number_once(tmp_path: Path) -> None:
    async with running(tmp_path) as queue:

        async def issuer() -> list[str]:
            return [str((await queue.execute(cmd.IssueTicket(service="A"))).result["number"]) for _ in range(50)]

        numbers = [number for some in await asyncio.gather(*(issuer() for _ in range(4))) for number in some]
        assert sorted(numbers) == [f"A{n:03d}" for n in range(1, 201)]


async def test_followers_get_everything_in_order_from_disk_and_live(tmp_path: Path) -> None:
    async with running(tmp_path) as queue:
        count = RECENT + PAGE
        await asyncio.gather(*(queue.execute(cmd.IssueTicket(service="B")) for _ in range(count)))
    async with running(tmp_path) as queue, asyncio.TaskGroup() as tasks:
        queue._recent.clear()
        await queue.execute(cmd.IssueTicket(service="B"))
        early = tasks.create_task(take(queue, 0, count + 4))
        late = tasks.create_task(take(queue, count - 3, 7))
        await queue.execute(cmd.IssueTicket(service="C"))
        await queue.execute(cmd.CallNext(counter=1))
        assert [record.seq for record in await early] == list(range(1, count + 5))
        assert [record.seq for record in await late] == list(range(count - 2, count + 5))


async def test_a_caller_who_gives_up_does_not_take_the_command_back(tmp_path: Path) -> None:
    async with running(tmp_path) as queue, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(queue.execute(cmd.IssueTicket(service="A")))
        await asyncio.sleep(0)
        asked.cancel()
        assert (await queue.execute(cmd.IssueTicket(service="A"))).result["number"] == "A002"


async def test_the_day_comes_back_with_who_is_served_and_the_open_rating_window(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with running(tmp_path, clock) as queue:
        for _ in range(3):
            await queue.execute(cmd.IssueTicket(service="A"))
        for ask in (cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.CallNext(counter=1), cmd.CallNext(counter=2), cmd.Start(counter=2)):
            await queue.execute(ask)
        before = await queue.snapshot()
    clock.advance(60)
    async with running(tmp_path, clock) as queue:
        after = await queue.snapshot()
        assert after.counters == before.counters
        one, two = after.counter(1), after.counter(2)
        assert one is not None and two is not None
        assert (one.number, one.rateable, two.number, two.state) == ("A002", "A001", "A003", "serving")
        rated = await queue.execute(cmd.Rate(counter=1, score=4))
        assert rated.result["outcome"] == "given"


async def test_a_failed_commit_is_fatal_and_nobody_gets_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown on the journal's own error path; the real fsync error is in tests/fault."""

    def fails(*_: object) -> None:
        raise JournalError("journal: cannot write: disk I/O error")

    with pytest.raises(ExceptionGroup) as caught:
        async with running(tmp_path) as queue:
            await queue.execute(cmd.IssueTicket(service="A"))
            monkeypatch.setattr(Journal, "append", fails)
            with pytest.raises(JournalError, match="nothing is known"):
                await queue.execute(cmd.IssueTicket(service="A"))
            await asyncio.Event().wait()
    assert caught.group_contains(JournalError, match="disk I/O error")
    monkeypatch.undo()
    async with running(tmp_path) as queue:
        assert (await queue.execute(cmd.IssueTicket(service="A"))).result["number"] == "A002"


async def test_a_refused_press_is_an_event_with_a_reason_and_a_time(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    clock.advance(4 * 3600)
    async with running(tmp_path, clock) as queue:
        reply = await queue.execute(cmd.IssueTicket(service="A", place="button/A"))
        assert (reply.status, reply.code, reply.message) == ("rejected", "break", "Istirahat. Buka kembali pukul 13.00 WIB.")
        event = (await take(queue, reply.sequence - 1, 1))[0].event.model_dump()
        assert event["opens_at"] == "2026-07-01T13:00:00+07:00"
        assert event["code"] == "break"


async def test_cursors_cost_no_commit_of_their_own(tmp_path: Path) -> None:
    async with running(tmp_path) as queue:
        queue.cursors.set("central/ticket", 1)
        assert queue.cursors.get("central/ticket") == 1 and queue.cursors.get("never") == 0
        with sqlite3.connect(f"file:{tmp_path / FILE}?mode=ro", uri=True) as reader:
            assert reader.execute("SELECT count(*) FROM cursor").fetchone() == (0,)
            await queue.execute(cmd.IssueTicket(service="A"))
            assert reader.execute("SELECT name, seq FROM cursor").fetchall() == [("central/ticket", 1)]
            queue.cursors.set("central/ticket", 2)
            await queue.flush()
            assert reader.execute("SELECT seq FROM cursor").fetchall() == [(2,)]
        reader.close()
        queue.cursors.set("central/ticket", 3)
    async with running(tmp_path) as queue:
        assert queue.cursors.get("central/ticket") == 3
