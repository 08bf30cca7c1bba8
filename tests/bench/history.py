"""A journal with years in it: 2.5 million events of two years, made once by the journal's own ``append`` and kept."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from kiosd.clock import Moment
from kiosd.journal.journal import FILE, SCHEMA_VERSION, Audit, Entry, Journal
from kiosd.queue import events as ev
from kiosd.queue.events import Event, Record
from kiosd.queue.interface import Reply
from kiosd.queue.model import ticket_number, ticket_uid

SITE, SERVICES, COUNTERS = "CTH01", "ABCDEFG", 3
EVENTS_PER_TICKET = 7
ABOUT = "about.json"
MAKER = 1  # raise it when what is made changes: the kept journal is then made anew
OPENS = timedelta(hours=1)  # 08:00 in Jakarta, as UTC
DAY_S = 30_000.0  # opening hours, 08:00 to 16:20


@dataclass
class _Writer:
    """Events of one day on their way to the journal."""

    seq: int
    midnight: datetime
    random: random.Random
    entries: list[Entry] = field(default_factory=list)
    at: float = 0.0

    def add(self, *events: Event, result: dict[str, object] | None = None) -> None:
        """One command's events, with its reply."""
        command = str(UUID(int=self.random.getrandbits(128), version=4))
        boot = str(UUID(int=self.midnight.toordinal(), version=4))
        moment = Moment(self.midnight + OPENS + timedelta(milliseconds=round(self.at * 1000)), round(20.0 + self.at, 3), True, boot)
        reply = Reply(id=command, status="done", sequence=self.seq + len(events), result=result or {}).model_dump_json()
        for event in events:
            self.seq += 1
            self.entries.append(Entry(Record(self.seq, moment, event, command), reply if event is events[-1] else None))


def _ticket(out: _Writer, day: str, turn: int) -> None:
    service, counter = SERVICES[turn % len(SERVICES)], turn % COUNTERS + 1
    n = turn // len(SERVICES) + 1
    number = ticket_number(service, n)
    about: dict[str, Any] = {"ticket": ticket_uid(SITE, day, number), "number": number, "service": service}
    told = {"counter": counter, **about}
    place = f"button/{service}"
    out.add(ev.TicketIssued(**about, date=day, n=n, place=place), result=about | {"priority": False, "ahead": 0})
    out.add(ev.TicketPrinted(**about, device="printer"))
    out.add(ev.TicketCalled(**about, counter=counter), result=told)
    token = "-".join(f"{out.random.getrandbits(32):08x}" for _ in range(4))
    read, started = ev.ScanRead(**about, counter=counter, token=token), ev.TicketStarted(**about, counter=counter, identity="card")
    out.add(read, started, result=told)
    out.add(ev.TicketFinished(**about, counter=counter), result=told)
    pressed = out.entries[-1].record.moment.time
    out.add(ev.RatingGiven(**about, counter=counter, score=out.random.randint(1, 4), pressed_at=pressed), result=told)


def _day(seq: int, day: date, tickets: int) -> list[Entry]:
    out = _Writer(seq, datetime(day.year, day.month, day.day, tzinfo=UTC), random.Random(day.toordinal()))
    text = day.isoformat()
    out.add(ev.DayOpened(date=text))
    out.add(ev.SystemStarted(version="0.1.0", config_hash="0123456789abcdef"))
    for device in ("board", "journal", "printer", "ticket_buttons"):
        out.add(ev.DeviceWentUp(device=device))
    for counter in range(1, COUNTERS + 1):
        out.add(ev.CounterOpened(counter=counter))
    for turn in range(tickets):
        out.at = DAY_S * turn / tickets
        _ticket(out, text, turn)
    out.at = DAY_S + 4200
    out.add(ev.DayClosed(date=text, expired=0, finished_by_system=0))
    return out.entries


def _days(count: int) -> Iterator[date]:
    """The last ``count`` days before today."""
    today = datetime.now(UTC).date()
    return (today - timedelta(days=back) for back in range(count, 0, -1))


def old_journal(directory: Path, events: int, days: int) -> Path:
    """A journal of at least ``events`` events over ``days`` days, the one of an earlier run if it fits; its whole chain was checked."""
    about = {"maker": MAKER, "schema": SCHEMA_VERSION, "events": events, "days": days}
    made = directory / f"history-{events}"
    if not (made / ABOUT).is_file() or json.loads((made / ABOUT).read_text(encoding="utf-8")) != about:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        _make(made / FILE, events, days)
        (made / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return made / FILE


def _make(path: Path, events: int, days: int) -> None:
    tickets = max(1, -(-events // days) // EVENTS_PER_TICKET)
    journal = Journal(path)
    for day in _days(days):
        journal.append(_day(journal.seq, day, tickets))
    journal.close()
    audit = Audit(path)
    audit.whole()
    audit.close()
