"""Tokens that were erased are gone from the disk for ever, and the chain still proves everything else."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosd.errors import JournalError, Refused
from kiosd.journal.audit import check_small
from kiosd.journal.journal import FILE, Audit, Journal
from kiosd.journal.past import Past
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.events import ScanRead
from kiosd.reports import erasure
from support.olddays import (
    MORNING,
    PER_DAY,
    TODAY,
    add_day,
    aged,
    day,
    days_before,
    harm,
    keeping,
    on_disk,
    proofs,
    raw_days,
    token_of,
    whole,
)
from support.site import wib


async def erased(state: Path, before: date) -> dict[str, object]:
    async with keeping(state) as (_, retention):
        return await retention.erase(before.isoformat(), count_only=False)


async def test_tokens_before_a_date_are_gone_and_all_else_is_there(tmp_path: Path) -> None:
    path = aged(tmp_path, 5)
    with closing(Journal(path)) as journal:
        before = journal.read(0, 1000)
    async with keeping(tmp_path) as (queue, retention):
        assert await retention.erase(day(1).isoformat(), count_only=True) == {"before": day(1).isoformat(), "scans": 3 * PER_DAY}
        done = await retention.erase(day(1).isoformat(), count_only=False)
        assert on_disk(path, 5) == {day(1), TODAY}, "file and write-ahead log, while the daemon runs"
        head = queue.book.seq
        assert done == {
            "before": day(1).isoformat(), "scans": 3 * PER_DAY, "proofs": 3, "first_proof": head - 2, "last_proof": head, "emptied": True
        }  # fmt: skip
        again = await retention.erase(day(1).isoformat(), count_only=False)
        assert (again["scans"], again["proofs"], queue.book.seq) == (0, 0, head)
    with closing(Journal(path)) as journal:
        after = journal.read(0, 1000)
    assert [record.event for record in after[: len(before)] if isinstance(record.event, ScanRead) and not record.event.token]
    for was, now in zip(before, after, strict=False):
        if isinstance(was.event, ScanRead) and was.event.ticket < "CTH01-" + day(1).strftime("%Y%m%d"):
            assert now.event == was.event.model_copy(update={"token": ""})
        else:
            assert now == was
    assert whole(path) == len(before) + 3
    check_small(path)


async def test_followers_are_not_told_an_erased_token_from_memory(tmp_path: Path) -> None:
    path = aged(tmp_path, 1)
    async with keeping(tmp_path, now=MORNING.replace(day=2)) as (queue, retention):
        await queue.execute(cmd.Tick())
        assert len(queue._recent) > PER_DAY
        await retention.erase(day(-1).isoformat(), count_only=False)
        told = []
        async for record in queue.events(0):
            told.append(record)
            if record.seq == queue.book.seq:
                break
        assert [record.seq for record in told] == list(range(1, queue.book.seq + 1))
        assert [record.event.token for record in told if isinstance(record.event, ScanRead)] == [""] * PER_DAY
    assert whole(path) == len(told)


async def test_one_erasure_after_another_and_sealing_behind_them(tmp_path: Path) -> None:
    path = aged(tmp_path, 36)
    for back in (34, 32, 20):
        await erased(tmp_path, day(back))
        whole(path)
    assert [proof.before for proof in proofs(path)] == [day(back).isoformat() for back in (34, 32, 32, *[20] * 12)]
    async with keeping(tmp_path) as (_, retention):
        assert await retention.seal_due() == 5
    assert raw_days(path)[0].date == day(30).isoformat()
    whole(path)
    await erased(tmp_path, day(10))
    whole(path)
    assert on_disk(path, 36) == {day(back) for back in range(11)}


async def test_a_start_right_after_erasing_yesterday_believes_the_proof(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with closing(Journal(path)) as journal:
        add_day(journal, day(1), 20)
        add_day(journal, TODAY, 1)
    async with keeping(tmp_path, now=wib("2026-07-01 09:04")) as (queue, retention):
        assert (await retention.erase(TODAY.isoformat(), count_only=False))["scans"] == 20
    with closing(Journal(path)) as journal:
        scans = [record for record in journal.read(0, 1000) if isinstance(record.event, ScanRead)]
        assert len(journal.tail().answers) == 1
    async with keeping(tmp_path, now=wib("2026-07-01 09:05")) as (queue, _):
        assert (await queue.execute(cmd.Note(text="pagi"))).done
    harm(path, f"UPDATE journal SET data = replace(data, '1', '2') WHERE seq = {scans[15].seq}")  # noqa: S608 - a number
    with closing(Journal(path)) as journal, pytest.raises(JournalError, match="are not what event 112 erased"):
        journal.tail()
    harm(path, "DELETE FROM journal WHERE seq > 111")
    with closing(Journal(path)) as journal, pytest.raises(JournalError, match="its token is gone and no erasure tells of it"):
        journal.tail()


SCANS = {f"scan{n}": str(2 + 5 * n + 3) for n in range(3)} | {"scan3": "23"}  # the numbers of their events
HARM = [
    ("UPDATE journal SET data = json_set(data, '$.counter', 2) WHERE seq = {scan1}", "are not what event \\d+ erased"),
    ("UPDATE journal SET time = replace(time, '02:', '03:') WHERE seq = {scan0}", "are not what event \\d+ erased"),
    ("UPDATE journal SET data = json_set(data, '$.token', '') WHERE seq = {scan3}", "its token is gone and no erasure"),
    ("UPDATE journal SET data = json_set(data, '$.token', 'x') WHERE seq = {scan1}", "hash does not fit"),
    ("UPDATE journal SET data = json_set(data, '$.token', 1) WHERE seq = {scan1}", "hash does not fit"),
    ("UPDATE journal SET data = '' WHERE seq = {scan1}", "hash does not fit"),
    ("UPDATE journal SET data = '[]' WHERE seq = {scan1}", "hash does not fit"),
    ("UPDATE journal SET hash = zeroblob(32) WHERE seq = {scan1}", "hash does not fit"),
    ("DELETE FROM journal WHERE seq = {scan1}", "event \\d+ is missing"),
    ("UPDATE journal SET data = json_set(data, '$.last', 99) WHERE type = 'system.tokens_erased'", "hash does not fit"),
    ("DELETE FROM journal WHERE type = 'system.tokens_erased'", "its token is gone and no erasure tells of it"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), HARM)
async def test_what_was_done_to_erased_rows_is_found(tmp_path: Path, statement: str, message: str) -> None:
    path = aged(tmp_path, 2)
    await erased(tmp_path, TODAY)
    harm(path, statement.format(**SCANS))
    with pytest.raises(JournalError, match=message):
        whole(path)


async def test_a_day_of_many_scans_goes_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "PAGE_ROWS", 2)
    path = aged(tmp_path, 3, tickets=5)
    await erased(tmp_path, TODAY)
    assert [proof.rows for proof in proofs(path)] == [2, 2, 1, 2, 2, 1]
    whole(path)


async def test_an_erasure_that_is_cut_short_has_erased_what_it_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged(tmp_path, 6)
    async with keeping(tmp_path) as (queue, retention), asyncio.TaskGroup() as tasks:
        erasing = tasks.create_task(retention.erase(TODAY.isoformat(), count_only=False))
        async for record in queue.events(0):
            if isinstance(record.event, ev.TokensErased):
                erasing.cancel()
                break
    whole(path)
    assert 0 < len(proofs(path)) < 5
    await erased(tmp_path, TODAY)
    assert len(proofs(path)) == 5
    whole(path)
    assert on_disk(path, 6) == {TODAY}


async def test_an_audit_that_runs_meanwhile_is_not_misled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged(tmp_path, 2)
    monkeypatch.setattr(Audit, "STEP_ROWS", 7)
    for at in range(7):
        state = tmp_path / str(at)
        state.mkdir()
        (state / FILE).write_bytes(path.read_bytes())
        with closing(Audit(state / FILE)) as audit:
            steps = audit.chain()
            for _ in range(at):
                next(steps, None)
            await erased(state, TODAY)
            list(steps)


async def test_a_reader_that_holds_the_log_does_not_hold_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be emptied then: that is said, and made up for by the next round."""
    monkeypatch.setattr("kiosd.reports.retention.WAL_TRIES", 2)
    monkeypatch.setattr("kiosd.reports.retention.WAL_REST_S", 0.01)
    path = aged(tmp_path, 3)
    async with keeping(tmp_path) as (queue, retention):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT max(seq) FROM journal").fetchone()
            async with asyncio.timeout(2):
                done = await retention.erase(TODAY.isoformat(), count_only=False)
            assert done["scans"] == 2 * PER_DAY and done["emptied"] is False
            assert (await queue.execute(cmd.Note(text="jalan"))).done
        assert on_disk(path, 3) != {TODAY}
        await retention.seal_due()
        assert on_disk(path, 3) == {TODAY}


async def test_a_start_after_a_crash_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    path, after = aged(tmp_path, 3), tmp_path / "after"
    after.mkdir()
    async with keeping(tmp_path) as (queue, _):
        with closing(Past(path)) as past:
            for page in erasure.pages(past, TODAY.isoformat()):
                await queue.execute(cmd.EraseTokens(**page.told), page.change)
        for suffix in ("", "-wal"):
            (after / f"{FILE}{suffix}").write_bytes(path.with_name(f"{FILE}{suffix}").read_bytes())
    assert on_disk(after / FILE, 3) == {day(2), day(1), TODAY}
    async with keeping(after):
        assert on_disk(after / FILE, 3) == {TODAY}


async def test_a_day_that_has_not_come_is_refused(tmp_path: Path) -> None:
    aged(tmp_path, 2)
    async with keeping(tmp_path) as (_, retention):
        with pytest.raises(Refused, match="not_over"):
            await retention.erase(day(-1).isoformat(), count_only=True)


async def test_answers_hold_no_token(tmp_path: Path) -> None:
    """What a counter is told of a scan is kept with its command, and would outlive the erasure."""
    token = token_of(TODAY, 1)
    async with keeping(tmp_path, now=MORNING) as (queue, _):
        await queue.execute(cmd.IssueTicket(service="A"))
        await queue.execute(cmd.CallNext(counter=1))
        for _ in range(2):
            assert token not in (await queue.execute(cmd.AttachScan(counter=1, token=token))).model_dump_json()
        await queue.execute(cmd.Finish(counter=1))
        await queue.execute(cmd.AttachScan(counter=1, token=token))
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        rows = db.execute("SELECT type, data, command, reply FROM journal").fetchall()
    assert {row[0] for row in rows if token in row[1]} == {"scan.read"}
    assert not [row for row in rows if token in f"{row[2]}{row[3]}"]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.tuples(st.just("erase"), st.integers(0, 6)), st.tuples(st.just("day"), st.integers(0, 3)),
                          st.tuples(st.just("seal"), st.just(0))), max_size=6))  # fmt: skip
def test_whatever_comes_after_what_the_journal_is_whole(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]
) -> None:  # fmt: skip
    state = tmp_path_factory.mktemp("any")
    path, today, erased_to = aged(state, 32, tickets=1), TODAY, date.min
    monkeypatch.setattr("kiosd.reports.retention.REST_S", 0.0)

    async def do(what: str, n: int) -> None:
        nonlocal today, erased_to
        if what == "day":
            with closing(Journal(path)) as journal:
                for one in days_before(today + timedelta(days=n + 1), n + 1):
                    add_day(journal, one, 1)
            today += timedelta(days=n + 1)
            return
        async with keeping(state, now=MORNING + timedelta(days=(today - TODAY).days, hours=11)) as (_, retention):
            if what == "seal":
                await retention.seal_due()
            else:
                erased_to = max(erased_to, today - timedelta(days=n * 7))
                await retention.erase((today - timedelta(days=n * 7)).isoformat(), count_only=False)

    for what, n in steps:
        asyncio.run(do(what, n))
        whole(path)
    with closing(Past(path)) as past:
        assert all(past.tokens(one.first, one.last) == (one.date >= erased_to.isoformat()) for one in past.days())
