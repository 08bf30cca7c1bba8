"""Days that are old become sheets: the chain goes on from them, and nothing can be taken away or changed without being found."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import pytest

from kiosd.config.model import JournalSettings
from kiosd.errors import JournalError
from kiosd.journal.audit import audit_beside, check_small
from kiosd.journal.journal import FILE, SCHEMA_VERSION, Audit, Journal
from kiosd.journal.past import Past
from kiosd.journal.reader import Reader
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.events import FAMILIES, DayOpened
from kiosd.redact import groups
from kiosd.reports import sealing
from kiosd.reports.daysheet import sheet_of
from kiosd.reports.sheet import Sheet
from support.olddays import (
    MORNING,
    TODAY,
    add_day,
    aged,
    bytes_of,
    days_before,
    events_of,
    harm,
    keeping,
    raw_days,
    sheet_dates,
    token_of,
    whole,
)  # fmt: skip
from support.site import settings

DAYS, KEPT = 33, 30  # 33 days of which the last is today: days 32 and 31 before it are older than 30


async def sealed(state: Path, days: int = DAYS) -> Path:
    path = aged(state, days)
    async with keeping(state, KEPT) as (_, retention):
        await retention.seal_due()
    return path


async def test_days_older_than_are_kept_become_sheets_and_the_rest_stays(tmp_path: Path) -> None:
    path = aged(tmp_path, DAYS)
    with closing(Reader(path)) as reader:
        expected = [sheet_of(day, reader.rows(day.first, day.last), settings()).text() for day in reader.days()]
    everything = whole(path)
    async with keeping(tmp_path, KEPT) as (queue, retention):
        assert await retention.seal_due() == 2
        assert await retention.seal_due() == 0
        assert (await queue.snapshot()).devices == ()
    old = [(TODAY - timedelta(days=back)).isoformat() for back in (32, 31)]
    assert sheet_dates(path) == old
    assert [day.date for day in raw_days(path)] == [day.isoformat() for day in days_before(TODAY, 31)]
    with closing(Past(path)) as past:
        assert [sheet.data for sheet in past.sheets(0, 9)] == expected[:2]
        assert [Sheet.of_text(sheet.data).date.isoformat() for sheet in past.sheets(0, 9)] == old
    assert whole(path) == everything - 2 * len(events_of(TODAY, 3)) + 2
    assert await audit_beside(tmp_path) == {"ok": True, "events": whole(path), "sheets": 2}
    check_small(path)


async def test_an_event_of_the_chain_signs_each_sheet(tmp_path: Path) -> None:
    path = await sealed(tmp_path)
    with closing(Journal(path)) as journal, closing(Past(path)) as past:
        told = [record.event for record in journal.read(0, 1000) if isinstance(record.event, ev.DaySealed)]
        sheets = past.sheets(0, 9)
        assert [(event.date, event.first, event.last) for event in told] == [(one.date, one.first, one.last) for one in sheets]
        assert [event.head for event in told] == [groups(one.head.hex()) for one in sheets]
        assert journal.read(0, 1)[0].event == DayOpened(date=(TODAY - timedelta(days=30)).isoformat())


async def test_no_token_outlives_its_day(tmp_path: Path) -> None:
    path = await sealed(tmp_path)
    content = bytes_of(path)
    for back, there in ((32, False), (31, False), (30, True)):
        for n in (1, 2, 3):
            assert (token_of(TODAY - timedelta(days=back), n).encode() in content) is there


async def test_a_restart_behind_sealed_days_finds_the_day_and_goes_on(tmp_path: Path) -> None:
    aged(tmp_path, DAYS)
    async with keeping(tmp_path, KEPT) as (queue, retention):
        await retention.seal_due()
        before = await queue.snapshot()
    async with keeping(tmp_path, KEPT) as (queue, _):
        assert (await queue.snapshot()).sequence == before.sequence
        reply = await queue.execute(cmd.Note(text="malam"))
        assert reply.sequence == before.sequence + 1
        async for record in queue.events(0):
            assert record.seq == 2 * len(events_of(TODAY, 3)) + 1, "who follows from the first on begins behind the sheets"
            break
    whole(tmp_path / FILE)


async def test_a_journal_of_which_almost_all_is_sealed_starts_from_the_sheet(tmp_path: Path) -> None:
    """The tail reaches back to the first row there is, which hangs on a sheet."""
    with closing(Journal(tmp_path / FILE)) as journal:
        add_day(journal, TODAY - timedelta(days=40), 2)
        add_day(journal, TODAY, 1)
    async with keeping(tmp_path, KEPT) as (_, retention):
        assert await retention.seal_due() == 1
    async with keeping(tmp_path, KEPT) as (queue, _):
        assert (await queue.snapshot()).date == TODAY.isoformat()
    whole(tmp_path / FILE)


async def test_seals_are_sealed_away_themselves_and_the_newest_signs_them_all(tmp_path: Path) -> None:
    path = await sealed(tmp_path)
    later = TODAY + timedelta(days=50)
    with closing(Journal(path)) as journal:
        for day in days_before(later, 50):
            add_day(journal, day, 1)
    async with keeping(tmp_path, KEPT, now=MORNING.replace(month=8, day=20, hour=14)) as (_, retention):
        assert await retention.seal_due() > 45
    with closing(Journal(path)) as journal:
        told = [record.event for record in journal.read(0, 1000) if isinstance(record.event, ev.DaySealed)]
    assert len(told) < len(sheet_dates(path))
    whole(path)
    harm(path, "UPDATE sheet SET data = replace(data, '3', '4') WHERE first = 1")
    with pytest.raises(JournalError, match=f"the sheet of {TODAY - timedelta(days=32)} has been changed"):
        whole(path)


OLDEST, NEWER = TODAY - timedelta(days=32), TODAY - timedelta(days=31)
HARM = [
    ("UPDATE sheet SET data = replace(data, '3', '4') WHERE date = '{old}'", "the sheet of {old} has been changed"),
    ("UPDATE sheet SET data = replace(data, '3', '4'), hash = head WHERE date = '{old}'", "the sheet of {old} has been changed"),
    ("UPDATE sheet SET head = hash WHERE date = '{new}'", "the sheet of {new} has been changed"),
    ("UPDATE sheet SET date = '2020-01-01' WHERE date = '{new}'", "the sheet of 2020-01-01 has been changed"),
    ("DELETE FROM sheet WHERE date = '{old}'", "the sheet of events 1 to 18, before {new}, is missing"),
    ("DELETE FROM sheet WHERE date = '{new}'", "the sheet of {new} is missing: event \\d+ sealed that day"),
    ("DELETE FROM sheet", "the sheet of {old} is missing: event \\d+ sealed that day"),
    ("DELETE FROM journal WHERE seq <= (SELECT max(last) FROM sheet) + 5", "events 37 to 41 are missing, and no sheet"),
    ("INSERT INTO journal SELECT 9, time, boot, monotonic, clock, type, data, command, reply, hash FROM journal WHERE seq = 50",
     "event 9 is there, though a sheet stands for its day"),
    ("UPDATE journal SET data = replace(data, 'sheet_sha256\":\"', 'sheet_sha256\":\"0') WHERE type = 'system.day_sealed'",
     "has been changed"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), HARM)
async def test_what_was_done_to_sheets_is_found_and_named(tmp_path: Path, statement: str, message: str) -> None:
    path = await sealed(tmp_path)
    names = {"old": OLDEST.isoformat(), "new": NEWER.isoformat()}
    harm(path, statement.format(**names))
    with pytest.raises(JournalError, match=message.format(**names)):
        whole(path)
    with pytest.raises(JournalError, match=message.format(**names)):
        check_small(path)


async def test_a_sheet_that_no_event_tells_of_is_found(tmp_path: Path) -> None:
    """Somebody takes a whole day away and puts a sheet in its place, whose hashes fit."""
    path = await sealed(tmp_path)
    with closing(Past(path)) as past:
        day = past.days()[0]
        forged = sealing.next_seal(past, day, lambda _day, _rows: "{}").sheet
    harm(path, f"DELETE FROM journal WHERE seq <= {day.last}")  # noqa: S608 - a number
    with closing(sqlite3.connect(path)) as db, db:
        values = (forged.date, forged.first, forged.last, forged.head, forged.data, forged.hash)
        db.execute("INSERT INTO sheet (date, first, last, head, data, hash) VALUES (?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(JournalError, match=f"the sheet of {day.date} was not sealed: no event tells of it"):
        whole(path)


async def test_a_damaged_day_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = aged(tmp_path, DAYS)
    async with keeping(tmp_path, KEPT) as (queue, retention):
        harm(path, "UPDATE journal SET data = replace(data, 'A001', 'A002') WHERE seq = 21")
        assert await retention.seal_due() == 1
        (health,) = (await queue.snapshot()).devices
        assert (health.device, health.state, health.code) == ("retention", "degraded", "unreadable")
        assert "event 21 has been changed" in health.detail
        assert await retention.seal_due() == 0
    assert caplog.text.count("event 21 has been changed") == 1
    assert sheet_dates(path) == [OLDEST.isoformat()]


async def test_what_a_broker_does_not_have_yet_stays_and_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = aged(tmp_path, DAYS)
    per_day = len(events_of(TODAY, 3))
    async with keeping(tmp_path, KEPT, ("central",)) as (queue, retention):
        assert await retention.seal_due() == 0
        assert await retention.seal_due() == 0
        for one in FAMILIES:
            queue.cursors.set(f"central/{one}", per_day)
        queue.cursors.set("central/rating", per_day - 1)
        assert await retention.seal_due() == 0
        queue.cursors.set("central/rating", per_day)
        assert await retention.seal_due() == 1
        (health,) = (await queue.snapshot()).devices
        assert (health.device, health.state, health.code) == ("retention", "degraded", "undelivered")
        assert f"its events up to {2 * per_day} were not delivered to central (has {per_day})" in health.detail
        for one in FAMILIES:
            queue.cursors.set(f"central/{one}", 10 * per_day)
        assert await retention.seal_due() == 1
        assert (await queue.snapshot()).devices[0].state == "ok"
    assert len(sheet_dates(path)) == 2
    assert caplog.text.count("is kept: its events") == 3


async def test_a_cursor_of_a_broker_that_is_not_configured_any_more_holds_nothing(tmp_path: Path) -> None:
    aged(tmp_path, DAYS)
    async with keeping(tmp_path, KEPT) as (queue, retention):
        queue.cursors.set("formerly/ticket", 1)
        assert await retention.seal_due() == 2


async def test_nothing_is_sealed_while_numbers_are_drawn_unless_a_week_is_over(tmp_path: Path) -> None:
    path = aged(tmp_path, DAYS + 5)
    async with keeping(tmp_path, KEPT, now=MORNING.replace(day=2)) as (queue, retention):
        await queue.execute(cmd.Tick())
        assert (await queue.snapshot()).open
        assert await retention.seal_due() == 1  # the one that is older than 37 days, and no other
        assert await retention.seal_due() == 0
    assert sheet_dates(path) == [(TODAY - timedelta(days=37)).isoformat()]


async def test_nothing_is_sealed_while_somebody_is_in_the_queue(tmp_path: Path) -> None:
    aged(tmp_path, DAYS - 1)
    async with keeping(tmp_path, KEPT, now=MORNING.replace(day=2)) as (queue, retention):
        assert (await queue.execute(cmd.IssueTicket(service="A"))).done
        await queue.execute(cmd.Suspend(reason="rapat"))
        assert not (await queue.snapshot()).open
        assert await retention.seal_due() == 0
        await queue.execute(cmd.CancelTicket(ticket="A001"))
        assert await retention.seal_due() == 2


async def test_the_last_day_is_never_sealed(tmp_path: Path) -> None:
    """Nobody came for years: the day that was open stays, for the book hangs on it."""
    aged(tmp_path, 1, today=TODAY)
    with closing(Past(tmp_path / FILE)) as past:
        assert sealing.next_day(past, "2030-01-01") is None


async def test_the_daemons_task_begins_some_time_after_the_start(tmp_path: Path) -> None:
    path = aged(tmp_path, DAYS)
    async with keeping(tmp_path, KEPT) as (queue, retention), asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(retention.run())
        async for record in queue.events(whole(path)):
            if isinstance(record.event, ev.DaySealed) and record.event.date == NEWER.isoformat():
                break
        running.cancel()


async def test_an_audit_that_runs_meanwhile_is_not_misled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged(tmp_path, DAYS)
    monkeypatch.setattr(Audit, "STEP_ROWS", 7)
    for at in (0, 1, 3, 5, 50):
        state = tmp_path / str(at)
        state.mkdir()
        (state / FILE).write_bytes(path.read_bytes())
        with closing(Audit(state / FILE)) as audit:
            steps = audit.chain()
            for _ in range(at):
                next(steps)
            async with keeping(state, KEPT) as (_, retention):
                assert await retention.seal_due() == 2
                list(steps)
    with closing(Audit(path)) as audit:
        steps = audit.chain()
        counted = [next(steps) for _ in range(-(-DAYS * len(events_of(TODAY, 3)) // 7))]
        async with keeping(tmp_path, KEPT) as (_, retention):  # when every row has been read, but nothing was said yet
            assert await retention.seal_due() == 2
        assert list(steps)[-1] > counted[-1]


async def test_rows_and_sheets_cannot_be_changed_or_deleted(tmp_path: Path) -> None:
    path = await sealed(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        for statement in (
            "DELETE FROM journal WHERE seq = 60",
            "UPDATE journal SET data = json_set(data, '$.token', 'x') WHERE type = 'scan.read'",
            "UPDATE journal SET data = json_set(data, '$.token', ''), time = '' WHERE type = 'scan.read'",
            "UPDATE journal SET data = json_set(data, '$.number', '') WHERE type = 'ticket.issued'",
            "DELETE FROM sheet",
            "UPDATE sheet SET data = ''",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def first_version(path: Path) -> None:
    """A journal as version 1 of the schema had it, with the rows of one of today."""
    aged(path.parent, 2)
    new = path.rename(path.with_name("new.db"))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(resources.files("kiosd.journal").joinpath("schema/0001.sql").read_text("utf-8"))
        db.execute("ATTACH ? AS new", (str(new),))
        for table in ("stream", "journal", "cursor"):
            db.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")  # noqa: S608 - one of three words
        db.execute("PRAGMA journal_mode = WAL")
        db.commit()


async def test_a_journal_of_the_first_version_is_read_and_becomes_one_of_this(tmp_path: Path) -> None:
    path = tmp_path / FILE
    first_version(path)
    assert whole(path) == 36
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    async with keeping(tmp_path, now=MORNING.replace(month=9)) as (queue, retention):
        await queue.execute(cmd.Tick())
        assert await retention.seal_due() == 1
        assert await retention.seal_due() == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    whole(path)


@pytest.mark.parametrize("days", [29, 3701, 0, True, "400"])
def test_how_long_events_are_kept_has_limits(days: object) -> None:
    assert JournalSettings().keep_days == 400
    with pytest.raises(ValueError, match="keep_days"):
        JournalSettings.model_validate({"keep_days": days})


def test_days_are_counted_by_the_business_date() -> None:
    assert sealing.raw_from("2026-07-01", 400) == date(2025, 5, 27).isoformat()
