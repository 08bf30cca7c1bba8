"""LocalQueue: durable before it answers, one answer per id, group commit, followers without gaps, fatal when the journal fails."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import JournalError
from kiosd.journal.journal import FILE, Journal
from kiosd.queue import commands as cmd
from kiosd.queue.events import CommandRefused, Record, TicketIssued
from kiosd.queue.local import PAGE, RECENT, LocalQueue, open_local
from kiosd.queue.settings import QueueSettings
from support.samples import sample
from support.site import WEDNESDAY, settings


@asynccontextmanager
async def running(state: Path, clock: ManualClock | None = None, site: QueueSettings | None = None) -> AsyncIterator[LocalQueue]:
    state.mkdir(exist_ok=True)
    async with open_local(state, site or settings(), clock or ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as tasks:
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


async def test_who_asked_hears_of_it_before_those_who_only_follow(tmp_path: Path) -> None:
    heard: list[str] = []

    async def follow(queue: LocalQueue) -> None:
        async for record in queue.events(0):
            if isinstance(record.event, TicketIssued):
                heard.append("follower")
            if heard.count("follower") == 3:
                return

    async with running(tmp_path) as queue, asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(queue))
        for service in "ABC":
            await queue.execute(cmd.IssueTicket(service=service))
            heard.append("asker")
    assert heard == ["asker", "follower"] * 3


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
        assert after.counters == tuple(view.model_copy(update={"undo": ""}) for view in before.counters), "15 s to undo are over"
        one, two = after.counter(1), after.counter(2)
        assert one is not None and two is not None
        assert (one.number, one.rateable, two.number, two.state) == ("A002", "A001", "A003", "serving")
        rated = await queue.execute(cmd.Rate(counter=1, score=4))
        assert rated.result["outcome"] == "given"


@pytest.mark.parametrize(("name", "steps", "window"), [
    ("undo_call", ("next",), 15.0), ("undo_start", ("next", "start"), 15.0), ("undo_finish", ("next", "start", "finish"), 60.0),
])  # fmt: skip
async def test_what_can_be_undone_can_be_undone_after_a_restart(tmp_path: Path, name: str, steps: tuple[str, ...], window: float) -> None:
    clock = ManualClock(WEDNESDAY)
    async with running(tmp_path, clock) as queue:
        for step in ("issue", *steps):
            await queue.execute(sample(step))
    clock.advance(window)
    late = clock.now().time + timedelta(milliseconds=1)
    async with running(tmp_path, clock) as queue:
        assert [view.undo for view in (await queue.snapshot()).counters if view.counter == 1] == [name]
        clock.step_to(late)
        assert (await queue.execute(sample(name))).code == "too_late"
        clock.step_to(late - timedelta(milliseconds=1))
        assert (await queue.execute(sample(name))).code == "too_late", "time stands still rather than going back"
    async with running(tmp_path / "again", clock) as queue:
        for step in ("issue", *steps):
            await queue.execute(sample(step))
        clock.advance(window)
        assert (await queue.execute(sample(name))).done


async def test_a_training_goes_on_after_a_restart_and_ends_when_visitors_come_in(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY - timedelta(minutes=10))
    async with running(tmp_path, clock) as queue:
        await queue.execute(sample("training"))
        await queue.execute(sample("issue"))
    async with running(tmp_path, clock) as queue:
        assert (await queue.snapshot()).training
        assert (await queue.execute(sample("issue"))).result["ticket"] == "CTH01-20260701-T-A002"
        clock.advance(300)
        reply = await queue.execute(sample("issue"))
        assert (reply.result["ticket"], "training" in reply.result) == ("CTH01-20260701-A001", False)
        assert not (await queue.snapshot()).training


async def test_a_tick_opens_and_closes_the_day_in_its_time_and_else_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(WEDNESDAY)
    async with running(tmp_path, clock) as queue:
        await queue.tick()
        assert [record.event.type for record in await take(queue, 0, 1)] == ["system.day_opened"]
        clock.advance(86_400)
        await queue.tick()
        assert [record.event.type for record in await take(queue, 1, 2)] == ["system.day_closed", "system.day_opened"]
        monkeypatch.delattr(LocalQueue, "execute")
        await queue.tick()


@pytest.mark.parametrize(("language", "sentence"), [
    ("id", "Wewenang petugas tidak mencakup: menghanguskan nomor."),
    ("en", "The role officer may not do this: void."),
])  # fmt: skip
async def test_a_role_that_may_not_is_answered_in_the_sites_language_and_recorded(tmp_path: Path, language: str, sentence: str) -> None:
    base = settings()
    site = replace(base, site=base.site.model_copy(update={"language": language}))
    async with running(tmp_path, site=site) as queue:
        reply = await queue.execute(sample("void", "officer", place="counter/1"))
        assert (reply.status, reply.code, reply.message) == ("rejected", "not_allowed", sentence)
        event = (await take(queue, reply.sequence - 1, 1))[0].event
        assert event == CommandRefused(
            source="queue", command="void", code="not_allowed", message=sentence, actor="officer", place="counter/1"
        )  # fmt: skip


@pytest.mark.parametrize("until", ["9999-12-31T23:59", "0001-01-01T00:00", "2026-02-30T00:00"])
async def test_no_time_that_somebody_may_write_brings_the_queue_down(tmp_path: Path, until: str) -> None:
    async with running(tmp_path) as queue:
        for name in ("suspend", "repair"):
            assert not (await queue.execute(sample(name, until=until))).done
        await queue.execute(sample("reserve"))
        assert not (await queue.execute(sample("enter", at=until))).done
        assert (await queue.execute(sample("issue"))).done and (await queue.snapshot()).open


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
