"""A report from a journal: ``make_report``. Reads the days one after the other, keeps sums only, and says how far it is.

The time grows with the events of the period (2 million in some 5 s), the memory with its different cards and waits of different length.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from kiosd import __version__
from kiosd.clock import whole_ms
from kiosd.journal.reader import Reader
from kiosd.queue import hours
from kiosd.queue.settings import Language, QueueSettings
from kiosd.queue.texts import official_date
from kiosd.reports import figures
from kiosd.reports.ask import AskReport
from kiosd.reports.counting import COUNTED, OBSTACLES
from kiosd.reports.daysheet import sheet_of
from kiosd.reports.gaps import NO_SHEET, ONE_DAY, gaps
from kiosd.reports.model import Head, Obstacles, Report
from kiosd.reports.obstacles import Devices, Period, closure_items, merged
from kiosd.reports.opentime import OpenTime
from kiosd.reports.sheet import ClosureNote, Sheet
from kiosd.reports.sums import Sums

BEYOND_DAYS = 31
"""How far behind the period the end of an outage or closure is sought; after that it is said to go on."""
MONDAY = date(2024, 1, 1)
Progress = Callable[[int, int], None]
"""Called with how many events of how many were read."""


def no_progress(_done: int, _total: int) -> None:
    """For whom does not want to know."""


class Days:
    """Business dates of a journal, whether their events are still there or only their sheets. ``last``: the newest one."""

    def __init__(self, reader: Reader, settings: QueueSettings) -> None:
        self._reader, self._settings = reader, settings
        self._raw = {date.fromisoformat(day.date): day for day in reader.days()}
        self._all = sorted({*self._raw, *map(date.fromisoformat, reader.sealed())})
        self.last = self._all[-1] if self._all else None

    def between(self, first: date, last: date) -> list[date]:
        """The dates from ``first`` to ``last`` of which there is anything, in order."""
        return [day for day in self._all if first <= day <= last]

    def events(self, day: date) -> int:
        """How many events reading ``day`` takes."""
        raw = self._raw.get(day)
        return raw.last - raw.first + 1 if raw else 1

    def sheet(self, day: date, types: tuple[str, ...] = COUNTED) -> Sheet:
        """The sheet of a date of ``between``; where its events are still there, of ``types`` only."""
        raw = self._raw.get(day)
        rows = list(self._reader.rows(raw.first, raw.last, types)) if raw else []
        if raw and rows:
            return sheet_of(raw, rows, self._settings)
        return self._kept(day)  # also when it was sealed since we began

    def _kept(self, day: date) -> Sheet:
        texts = self._reader.sheets(day.isoformat(), day.isoformat())
        try:
            return Sheet.of_text(texts[0][1])
        except (IndexError, ValueError):
            return Sheet(date=day, first=1, last=0, damaged=(NO_SHEET,))


@dataclass
class _Reading:
    """What was read so far."""

    sums: Sums
    devices: Devices
    closures: list[ClosureNote] = field(default_factory=list)

    def hear(self, sheet: Sheet) -> None:
        """How devices and the site stood on the next day."""
        self.devices.hear(sheet.devices)
        self.closures += sheet.closures

    def goes_on(self, end: datetime) -> bool:
        """Whether something that is going on at ``end`` may end later."""
        return self.devices.anybody_out or any(one.end is None or one.end > end for one in self.closures)


def make_report(
    reader: Reader, settings: QueueSettings, roles: Mapping[str, str], ask: AskReport, now: datetime, progress: Progress = no_progress
) -> Report:  # fmt: skip
    """The report that ``ask`` wants, as of ``now``. ``roles``: what each configured device is used for (``obstacles.FALLBACKS``).

    ``JournalError`` when the journal cannot be read at all; single rows that cannot be read are gaps.
    """
    days = Days(reader, settings)
    period = _period(days, settings, ask, now)
    read = _Reading(Sums(ask.services), Devices(roles))
    for day in days.between(date.min, ask.first - ONE_DAY)[-1:]:
        read.hear(days.sheet(day, OBSTACLES))
    for sheet in _inside(days, ask, progress):
        read.sums.add(sheet, over=sheet.closed or sheet.date != days.last)
        read.hear(sheet)
    for day in days.between(ask.last + ONE_DAY, ask.last + timedelta(days=BEYOND_DAYS)):
        if not read.goes_on(period.end):
            break
        read.hear(days.sheet(day, OBSTACLES))
    return _report(read, days, settings, ask, period, now.astimezone(UTC))


def _period(days: Days, settings: QueueSettings, ask: AskReport, now: datetime) -> Period:
    """From the first day's midnight to the last one's, but not beyond now and the last day that the journal knows."""
    last = min(ask.last, days.last) if days.last else ask.first - ONE_DAY
    end = min(now.astimezone(UTC), _midnight(last + ONE_DAY, settings))
    return Period(_midnight(ask.first, settings), end, OpenTime(settings, ask.first, ask.last))


def _midnight(day: date, settings: QueueSettings) -> datetime:
    return datetime.combine(day, time(), settings.site.zone).astimezone(UTC)


def _inside(days: Days, ask: AskReport, progress: Progress) -> Iterator[Sheet]:
    dates = days.between(ask.first, ask.last)
    done, total = 0, sum(map(days.events, dates))
    progress(done, total)
    for day in dates:
        yield days.sheet(day)
        done += days.events(day)
        progress(done, total)


def _report(read: _Reading, days: Days, settings: QueueSettings, ask: AskReport, period: Period, now: datetime) -> Report:
    closures, hours_alone = merged(read.closures), period.opened
    shut = [(one.begin, one.end or period.end) for one in closures if period.touches(one.begin, one.end)]
    period.opened = OpenTime(settings, ask.first, ask.last, shut)
    read.devices.settle(now)
    sums, of_services = read.sums, list(figures.lines(read.sums, settings))
    total, users = figures.line("", "", "", sums.total), figures.users(sums)
    outages = read.devices.outages(period)
    return Report(
        head=_head(sums, days, settings, ask, period, now),
        users=users,
        services=tuple(of_services),
        total=total,
        completed=figures.completed(sums),
        obstacles=Obstacles(
            outages=tuple(one for one in outages if one.role != "broker"),
            broker_outages=tuple(one for one in outages if one.role == "broker"),
            closures=tuple(closure_items(closures, period, hours_alone)),
            **figures.obstacles(sums),
        ),
        satisfaction=figures.satisfaction(sums, ask.weight),
        arrivals=tuple(tuple(day[hour] for hour in range(24)) for day in sums.arrivals),
        availability=tuple(read.devices.availability(period)),
        identities=tuple(figures.identities(of_services, total, users.visits, transfers=not ask.services)),
        gaps=tuple(gaps(sums, set(days.between(ask.first, ask.last)), settings, ask, now.astimezone(settings.site.zone).date())),
    )


def _head(sums: Sums, days: Days, settings: QueueSettings, ask: AskReport, period: Period, now: datetime) -> Head:
    site, last = settings.site, min(ask.last, days.last) if days.last else ask.first - ONE_DAY
    letters, service_days = figures.letters(sums, settings), sum(1 for _ in hours.days(settings, ask.first, last))
    return Head(
        site=site.id, name=site.name, office=site.office, address=site.address, complaints=site.complaints, kiosk_type=site.type,
        decree=site.decree, signer=site.signer, first=ask.first, last=ask.last, zone=site.timezone, service_days=service_days,
        open_seconds=period.open_seconds(period.begin, period.end), hours=tuple(week(settings, ask.language or site.language)),
        services=tuple(letters), partial=not {letter for letter, one in settings.services.items() if one.enabled} <= set(letters),
        made_at=whole_ms(now), version=__version__, events=sums.events,
    )  # fmt: skip


def week(settings: QueueSettings, language: Language) -> Iterator[str]:
    """The ordinary week: ``Senin - Kamis 08.00-12.00, 13.00-16.30``, one line for days in a row with the same sessions."""
    names = [official_date(MONDAY + timedelta(days=n), language).partition(",")[0] for n in range(7)]
    for sessions, group in groupby(range(7), settings.hours.sessions):
        if sessions:
            weekdays = list(group)
            name = names[weekdays[0]] + (f" - {names[weekdays[-1]]}" if len(weekdays) > 1 else "")
            yield f"{name} {', '.join(str(one).replace(':', '.') for one in sessions)}"
