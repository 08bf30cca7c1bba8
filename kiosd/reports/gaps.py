"""What a report cannot know, and of which days (domain section 10: data gaps are listed). Pure."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise

from kiosd.queue import hours
from kiosd.queue.settings import QueueSettings
from kiosd.reports.ask import AskReport
from kiosd.reports.model import Gap
from kiosd.reports.sums import Sums

DAMAGED_SHOWN = 5
"""Numbers of events that a gap names."""
NO_SHEET = 0
"""Stands for the number of an event where it is the day's sheet that cannot be read."""
ONE_DAY = timedelta(days=1)


def gaps(sums: Sums, known: set[date], settings: QueueSettings, ask: AskReport, today: date) -> Iterator[Gap]:
    """Every gap of the period; ``known`` are the days that the journal has anything of, sheets included."""
    last = min(ask.last, today)
    service_days = list(hours.days(settings, ask.first, last))
    yield from _runs("no_data", (day for day in service_days if day not in known), _next_in(service_days))
    yield from _runs("sealed", sums.sealed, _tomorrow)
    yield from _runs("tokens_erased", sums.erased, _tomorrow)
    yield from _runs("clock", sums.unsynced, _tomorrow)
    for day, seqs in sums.damaged:
        names = ["sheet" if seq == NO_SHEET else str(seq) for seq in seqs[:DAMAGED_SHOWN]]
        more = ["..."] if len(seqs) > DAMAGED_SHOWN else []
        yield Gap(first=day, last=day, code="damaged", detail=", ".join(names + more))
    for year in range(ask.first.year, last.year + 1):
        if year not in settings.calendar.years:
            yield Gap(first=max(ask.first, date(year, 1, 1)), last=min(ask.last, date(year, 12, 31)), code="no_calendar", detail=str(year))
    if sums.open_day is not None:
        yield Gap(first=sums.open_day, last=sums.open_day, code="still_open")


def _tomorrow(day: date) -> date:
    return day + ONE_DAY


def _next_in(days: list[date]) -> Callable[[date], date | None]:
    """The service day after one: a weekend between two missing days does not part them."""
    after = dict(pairwise(days))
    return after.get


def _runs(code: str, days: Iterable[date], after: Callable[[date], date | None]) -> Iterator[Gap]:
    """One gap for each run of days that follow each other by ``after``."""
    first: date | None = None
    last = date.min
    for day in days:
        if first is not None and after(last) != day:
            yield Gap(first=first, last=last, code=code)
            first = None
        first, last = first or day, day
    if first is not None:
        yield Gap(first=first, last=last, code=code)
