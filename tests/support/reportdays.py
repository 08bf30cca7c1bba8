"""Days of a site, by the real rules, in a real journal, and the report on them."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from kiosd.errors import Refused
from kiosd.journal.journal import Entry, Journal
from kiosd.journal.reader import Reader
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import rules
from kiosd.queue.asked import Decision
from kiosd.queue.book import Book
from kiosd.queue.commands import Command
from kiosd.queue.events import Event, Record
from kiosd.queue.settings import QueueSettings
from kiosd.reports.ask import AskReport
from kiosd.reports.daysheet import sheet_of
from kiosd.reports.make import make_report
from kiosd.reports.model import Report
from kiosd.reports.sheet import Sheet
from support.site import PureDay, wib
from support.site import settings as site

JULY = date(2026, 7, 1)
CARD = "0123abcd-0123abcd-0123abcd-0123abcd"
ROLES = {"printer": "printer", "buttons": "buttons", "scanner-1": "scanner", "mqtt-central": "broker"}


@dataclass
class ReportDays(PureDay):
    """``PureDay`` that goes on over the days, keeps refusals as the queue does, and each day's book as it was at its end."""

    ended: dict[str, Book] = field(default_factory=dict)

    def ask(self, command: Command) -> Decision | None:
        """Do it, or record the refusal; None then."""
        try:
            return self.do(command)
        except Refused as no:
            self._take((rules.refusal(command, no.code, "no", no.facts),), command)
            return None

    def at(self, text: str, *commands: Command) -> None:
        """``"08:30"`` of the day on which the clock stands, or ``"2026-07-02 08:30"``: move the clock there and do the commands."""
        now = self.clock.now().time
        then = wib(text if " " in text else f"{now.astimezone(self.settings.site.zone):%Y-%m-%d} {text}")
        assert then >= now
        self.clock.advance((then - now).total_seconds())
        for command in commands:
            self.ask(command)

    def later(self, seconds: float, *commands: Command) -> None:
        """Let time pass and do the commands."""
        self.clock.advance(seconds)
        for command in commands:
            self.ask(command)

    def serve(self, counter: int = 1, seconds: float = 60.0) -> None:
        """Call the next one, who comes at once, and serve for ``seconds``."""
        self.later(0, cmd.CallNext(counter=counter), cmd.Start(counter=counter))
        self.later(seconds, cmd.Finish(counter=counter))

    def add(self, *events: Event) -> None:
        """Events as the daemon itself would record them."""
        self._take(events, cmd.Tick())

    def _take(self, events: tuple[Event, ...], command: Command) -> None:
        for event in events:
            if isinstance(event, ev.DayOpened) and self.book.date:
                self.ended[self.book.date] = self.book
            super()._take((event,), command)


def issue(service: str = "A", **more: object) -> cmd.IssueTicket:
    return cmd.IssueTicket.model_validate({"service": service, **more})


def next_at(counter: int = 1) -> cmd.CallNext:
    return cmd.CallNext(counter=counter)


def start(counter: int = 1) -> cmd.Start:
    return cmd.Start(counter=counter)


def finish(counter: int = 1) -> cmd.Finish:
    return cmd.Finish(counter=counter)


def written(path: Path, records: Iterable[Record]) -> Path:
    """A new journal at ``path`` that holds ``records``, numbered anew."""
    with closing(Journal(path)) as journal:
        entries = [Entry(Record(n, one.moment, one.event, one.command)) for n, one in enumerate(records, start=1)]
        if entries:
            journal.append(entries)
    return path


def spoil(path: Path, seq: int, **columns: object) -> None:
    """Overwrite columns of a row, as a damaged card does."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER IF EXISTS journal_no_update")
        for name, value in columns.items():
            new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
            db.execute(f"UPDATE journal SET {name} = {new} WHERE seq = ?", (value, seq))  # noqa: S608 - names of the test's own


def seal(path: Path, sheet: Sheet) -> None:
    """Put a sheet in the place of its day's events; what proves it is not looked at by reports."""
    with closing(sqlite3.connect(path)) as db, db:
        values = (sheet.date.isoformat(), sheet.first, sheet.last, bytes(32), sheet.text(), bytes(32))
        db.execute("INSERT INTO sheet (date, first, last, head, data, hash) VALUES (?, ?, ?, ?, ?, ?)", values)
        db.execute("DELETE FROM journal WHERE seq BETWEEN ? AND ?", (sheet.first, sheet.last))


def spoil_sheet(path: Path, text: str) -> None:
    """Overwrite the text of every sheet."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER sheet_no_update")
        db.execute("UPDATE sheet SET data = ?", (text,))


def sheets(path: Path, settings: QueueSettings | None = None) -> list[Sheet]:
    """The sheet of every day in a journal."""
    with closing(Reader(path)) as reader:
        return [sheet_of(day, reader.rows(day.first, day.last), settings or site()) for day in reader.days()]


def report(
    path: Path, first: date = JULY, last: date = JULY, *, settings: QueueSettings | None = None, roles: dict[str, str] | None = None,
    now: datetime | None = None, progress: Callable[[int, int], None] = lambda _done, _total: None, **ask: object,
) -> Report:  # fmt: skip
    """The report on a journal, made long after its period unless ``now`` says otherwise."""
    wanted = AskReport.model_validate({"first": first, "last": last, **ask})
    with closing(Reader(path)) as reader:
        chosen = ROLES if roles is None else roles
        return make_report(reader, settings or site(), chosen, wanted, now or wib("2026-12-01 09:00"), progress)
