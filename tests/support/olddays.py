"""A journal with many days in it, to seal and to erase in; and ways to harm it behind kiosd's back."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from kiosd.clock import ManualClock, Moment
from kiosd.journal.journal import FILE, Audit, Entry, Journal
from kiosd.journal.past import Past
from kiosd.journal.reader import Day
from kiosd.queue import events as ev
from kiosd.queue.events import Event, Record
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.model import ticket_number, ticket_uid
from kiosd.reports.retention import Retention
from kiosd.reports.sealing import sheet_maker
from support.site import settings, wib

TODAY = date(2026, 7, 1)
NIGHT, MORNING = wib("2026-07-01 20:00"), wib("2026-07-01 09:00")
PER_DAY = 3
"""Tickets of a day, each with a scan."""
BOOT = "11111111-2222-4333-8444-555555555555"


class HastyClock(ManualClock):
    """Time passes at once for whoever sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


def token_of(day: date, n: int) -> str:
    """The token of a day's n-th visitor."""
    dice = random.Random(day.toordinal() * 1000 + n)
    return "-".join(f"{dice.getrandbits(32):08x}" for _ in range(4))


def day(back: int) -> date:
    """So many days before ``TODAY``."""
    return TODAY - timedelta(days=back)


def events_of(day: date, tickets: int) -> list[Event]:
    """A whole day, with a card scan for every ticket."""
    text = day.isoformat()
    events: list[Event] = [ev.DayOpened(date=text), ev.CounterOpened(counter=1)]
    for n in range(1, tickets + 1):
        number = ticket_number("A", n)
        about: dict[str, Any] = {"ticket": ticket_uid("CTH01", text, number), "number": number, "service": "A"}
        events += [
            ev.TicketIssued(**about, date=text, n=n),
            ev.TicketCalled(**about, counter=1),
            ev.ScanRead(**about, counter=1, token=token_of(day, n)),
            ev.TicketStarted(**about, counter=1, identity="card"),
            ev.TicketFinished(**about, counter=1),
        ]
    return [*events, ev.DayClosed(date=text, expired=0, finished_by_system=0)]


def add_day(journal: Journal, day: date, tickets: int) -> None:
    """Append a whole day."""
    at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    entries = []
    for n, event in enumerate(events_of(day, tickets)):
        moment = Moment(at + timedelta(seconds=20 * n), 100.0 + 20 * n, True, BOOT)
        entries.append(Entry(Record(journal.seq + 1 + n, moment, event, f"{day}-{n}")))
    journal.append(entries)


def days_before(today: date, count: int) -> Iterable[date]:
    """The last ``count`` days up to and with ``today``."""
    return (today - timedelta(days=back) for back in range(count - 1, -1, -1))


def aged(state: Path, days: int, tickets: int = PER_DAY, today: date = TODAY) -> Path:
    """A journal in ``state`` of so many days, the last of them ``today``."""
    with closing(Journal(state / FILE)) as journal:
        for day in days_before(today, days):
            add_day(journal, day, tickets)
    return state / FILE


@asynccontextmanager
async def keeping(
    state: Path, keep_days: int = 30, uplinks: tuple[str, ...] = (), now: datetime = NIGHT
) -> AsyncIterator[tuple[LocalQueue, Retention]]:
    """The queue of the journal in ``state`` and what keeps it; on a clock for which nobody waits."""
    clock = HastyClock(now)
    async with open_local(state, settings(), clock) as queue, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(queue.run())
        yield queue, Retention(queue, state / FILE, sheet_maker(settings()), keep_days, uplinks, clock)
        writer.cancel()


def raw_days(path: Path) -> list[Day]:
    """The days whose events are still there."""
    with closing(Past(path)) as past:
        return past.days()


def sheet_dates(path: Path) -> list[str]:
    """The days that are sheets."""
    with closing(Past(path)) as past:
        return [sheet.date for sheet in past.sheets(0, 10_000)]


def whole(path: Path) -> int:
    """Check all of it; the number of events."""
    with closing(Audit(path)) as audit:
        return audit.whole()


def harm(path: Path, *statements: str) -> None:
    """Do what no kiosd would: the triggers are taken away first."""
    with closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        db.commit()


def bytes_of(path: Path) -> bytes:
    """Everything that is on disk of a journal."""
    parts = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-journal")]
    return b"".join(part.read_bytes() for part in parts if part.exists())


def on_disk(path: Path, days: int) -> set[date]:
    """The days of which a token is anywhere in the journal's files."""
    content = bytes_of(path)
    return {one for one in days_before(TODAY, days) for n in range(1, PER_DAY + 1) if token_of(one, n).encode() in content}


def proofs(path: Path) -> list[ev.TokensErased]:
    """What the journal says was erased."""
    with closing(Journal(path)) as journal:
        return [record.event for record in journal.read(0, 100_000) if isinstance(record.event, ev.TokensErased)]
