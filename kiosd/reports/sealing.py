"""Which day is to be sealed next, and what its sheet is (``journal.chain`` rule 2)."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from kiosd.errors import JournalError
from kiosd.journal.chain import Seal, Sheet, Walk, genesis, sheet_hash
from kiosd.journal.past import Past
from kiosd.journal.reader import Day, Row
from kiosd.queue import commands as cmd
from kiosd.queue.settings import QueueSettings
from kiosd.redact import groups

MakeSheet = Callable[[Day, Iterable[Row]], str]
"""A day's rows to the text that is kept of them; there is no token in it."""


def sheet_maker(settings: QueueSettings) -> MakeSheet:
    """Sheets as reports want them. What it takes is loaded with the first sheet: most daemons live a year without one."""

    def make(day: Day, rows: Iterable[Row]) -> str:
        from kiosd.reports.daysheet import sheet_of

        return sheet_of(day, rows, settings).text()

    return make


def raw_from(today: str, keep_days: int) -> str:
    """The oldest business date whose events are kept."""
    return (date.fromisoformat(today) - timedelta(days=keep_days)).isoformat()


def next_day(past: Past, before: str) -> Day | None:
    """The oldest day, if it is before ``before`` and over: another one was opened after it."""
    days = past.days()
    return days[0] if len(days) > 1 and days[0].date < before else None


def next_seal(past: Past, day: Day, make_sheet: MakeSheet) -> Seal:
    """What takes the place of ``day``, the oldest one. ``JournalError`` when its rows are not what they were: they stay, as evidence."""
    newest = past.newest_sheet()
    if newest is not None and newest.date >= day.date:
        raise JournalError(f"journal: {day.date} comes after {newest.date}, which was sealed already")
    before = newest.hash if newest else genesis(past.stream)
    rows = past.between(day.first, day.last)
    walk = Walk(newest.last, newest.head) if newest else Walk(0, before)
    walk.take(rows)
    data = make_sheet(day, [(row[0], row[1], row[4], row[5], row[6]) for row in rows])
    told = (day.date, day.first, day.last, walk.before, data)
    return Seal(Sheet(*told, sheet_hash(before, *told)))


def command(seal: Seal) -> cmd.SealDay:
    """What asks the queue for it."""
    sheet = seal.sheet
    head, digest = groups(sheet.head.hex()), groups(sheet.hash.hex())
    return cmd.SealDay(date=sheet.date, first=sheet.first, last=sheet.last, head=head, sheet_sha256=digest)
