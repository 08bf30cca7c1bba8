"""When the site is open, gives tickets, and closes (domain section 6), in the site's own time: weekly hours, dated entries, closures. Pure.

Rule 1  Sessions are half open: 12:00:00 is closed, 13:00:00 is open. ``local`` is always an aware time in the site's zone.
Rule 2  None of the zones that a site can have changes its clocks, so differences of wall times are seconds that passed.
Rule 3  Open time is time inside sessions. Tickets are given in the issue window, which may begin earlier and ends earlier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from kiosd.queue.calendar import Entry, SpecialHours
from kiosd.queue.fields import Session
from kiosd.queue.model import Closure
from kiosd.queue.settings import QueueSettings
from kiosd.queue.texts import official_date, official_time, say

SEARCH_DAYS = 366  # nothing opens later than in a year: then we say that we do not know
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
Span = tuple[datetime, datetime]
Code = Literal["open", "break", "closed", "holiday", "suspended", "last_ticket"]


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A day's sessions. ``name``: why it is closed or ``special``; ``known``: a calendar has this year, so no holiday is missed."""

    sessions: tuple[Session, ...]
    name: str = ""
    special: bool = False
    known: bool = True

    @property
    def holiday(self) -> bool:
        """Whether a dated entry closes the day."""
        return bool(self.name) and not self.special


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether tickets are given at a moment; if not, why, and when they are again, local time (None: not in the next year).

    ``name``: the holiday's or special day's, or the reason of a closure.
    """

    code: Code
    opens_at: datetime | None = None
    name: str = ""

    @property
    def open(self) -> bool:
        return self.code == "open"


def plan(settings: QueueSettings, day: date) -> DayPlan:
    """What ``day`` is: its dated entry if there is one, else its weekday."""
    known = day.year in settings.calendar.years
    entry = _entry(settings, day)
    if entry is None:
        return DayPlan(settings.hours.sessions(day.weekday()), known=known)
    return DayPlan(entry.sessions(day), entry.name, isinstance(entry, SpecialHours), known)


def _entry(settings: QueueSettings, day: date) -> Entry | None:
    """The site's own entry or the calendar file's (rule 3 of ``calendar``)."""
    own, filed = settings.hours.by_date.get(day), settings.calendar.day(day)
    if own is None or (own.season and filed is not None and not filed.season):
        return filed
    return own


def _sessions(settings: QueueSettings, day: date) -> tuple[Session, ...]:
    entry = _entry(settings, day)
    return settings.hours.sessions(day.weekday()) if entry is None else entry.sessions(day)


def _windows(settings: QueueSettings, sessions: tuple[Session, ...]) -> list[tuple[int, int]]:
    """When tickets are given, in minutes of the day."""
    if not sessions:
        return []
    opens = max(0, sessions[0].begin - settings.hours.early_issue_min)
    stops = sessions[-1].end - settings.hours.last_ticket_min
    begins = (opens, *(session.begin for session in sessions[1:]))
    windows = ((begin, min(session.end, stops)) for begin, session in zip(begins, sessions, strict=True))
    return [(begin, end) for begin, end in windows if begin < end]


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)


def _holds(closure: Closure | None, local: datetime) -> bool:
    return closure is not None and closure.since <= local and (closure.until is None or local < closure.until)


def standing(settings: QueueSettings, local: datetime, closure: Closure | None = None) -> Standing:
    """Whether tickets are given at ``local``. A ``closure`` that holds is the reason at any hour, for it is the latest news."""
    today, minute = plan(settings, local.date()), local.hour * 60 + local.minute
    windows = _windows(settings, today.sessions)
    if closure is not None and _holds(closure, local):
        opens = None if closure.until is None else _next_open(settings, closure.until.astimezone(settings.site.zone))
        return Standing("suspended", opens, closure.reason)
    if any(begin <= minute < end for begin, end in windows):
        return Standing("open")
    return Standing(_why(today, windows, minute), _next_open(settings, local), today.name)


def _why(today: DayPlan, windows: list[tuple[int, int]], minute: int) -> Code:
    """Why no ticket is given at ``minute``, which is in none of the day's ``windows``."""
    if not today.sessions:
        return "holiday" if today.holiday else "closed"
    begun = minute >= min(begin for begin, _ in [*windows, (today.sessions[0].begin, 0)])
    if not begun or minute >= today.sessions[-1].end:
        return "closed"
    return "break" if any(begin > minute for begin, _ in windows) else "last_ticket"


def _next_open(settings: QueueSettings, earliest: datetime) -> datetime | None:
    """The first moment from ``earliest`` on at which tickets are given by the hours."""
    for ahead in range(SEARCH_DAYS + 1):
        day = earliest.date() + timedelta(days=ahead)
        for begin, end in _windows(settings, _sessions(settings, day)):
            if _at(day, end, settings.site.zone) > earliest:
                return max(_at(day, begin, settings.site.zone), earliest)
    return None


def explain(settings: QueueSettings, now: Standing, local: datetime) -> str:
    """Why no ticket is given at ``local`` and when they are again, in words; ``""`` while open."""
    language, opens = settings.site.language, now.opens_at
    today = opens is not None and opens.date() == local.date()
    match now.code:
        case "open":
            return ""
        case "break" if opens and today:
            return say("break", language, {"time": official_time(opens, settings.site.timezone)})
        case "suspended":
            reason = f": {now.name.rstrip('.')}" if now.name else ""
            again = _opens(settings, opens, "opens_again" if today else "opens") or say("until_told", language, {})
            return say("suspended", language, {"reason": reason, "opens": again})
        case "holiday":
            return say("closed_holiday", language, {"name": now.name.rstrip("."), "opens": _opens(settings, opens)})
        case "last_ticket":
            return say("last_ticket", language, {"opens": _opens(settings, opens)})
    shown = plan(settings, (opens or local).date())
    hours = ", ".join(str(session).replace(":", ".") for session in shown.sessions) or say("never", language, {})
    facts: dict[str, object] = {"hours": hours, "name": shown.name, "opens": _opens(settings, opens)}
    return say("closed_special" if shown.special else "closed", language, facts)


def _opens(settings: QueueSettings, opens: datetime | None, code: str = "opens") -> str:
    """When tickets are given again; ``""`` when nobody knows. Before the first session that is not yet service."""
    if opens is None:
        return ""
    sessions, language = _sessions(settings, opens.date()), settings.site.language
    if opens < _at(opens.date(), sessions[0].begin, settings.site.zone):
        code = "opens_early"
    facts: dict[str, object] = {"date": official_date(opens.date(), language), "time": official_time(opens, settings.site.timezone)}
    return say(code, language, facts)


def missing_years(settings: QueueSettings, local: datetime) -> tuple[int, ...]:
    """Years that need a calendar file and have none: this one, and in December the next. Their holidays are taken for ordinary days."""
    wanted = (local.year, local.year + 1) if local.month == 12 else (local.year,)
    return tuple(year for year in wanted if year not in settings.calendar.years)


def opening(settings: QueueSettings, day: date) -> tuple[Span, ...]:
    """The sessions of ``day``, local time."""
    zone = settings.site.zone
    return tuple((_at(day, session.begin, zone), _at(day, session.end, zone)) for session in _sessions(settings, day))


def day_close(settings: QueueSettings, day: date) -> datetime | None:
    """When the business date ``day`` closes by itself: the last session's end and the grace; None on a day without sessions."""
    sessions = _sessions(settings, day)
    return _at(day, sessions[-1].end + settings.hours.grace_min, settings.site.zone) if sessions else None


def days(settings: QueueSettings, first: date, last: date) -> Iterator[date]:
    """The service days from ``first`` to ``last``: those that have sessions."""
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        if _sessions(settings, day):
            yield day


def after_open(settings: QueueSettings, local: datetime, seconds: float, closure: Closure | None = None) -> datetime | None:
    """The first open moment by which ``seconds`` (0 or more) of open time have passed since ``local``, on the same day.

    None when the day's last session ends first. 11:50 and 1200 s are 13:10 (domain section 7), 600 s are 13:00: 12:00 is closed.
    """
    left = timedelta(seconds=seconds)
    for begin, end in _without(opening(settings, local.date()), closure):
        start = max(begin, local)
        if left < end - start:
            return (start + left).astimezone(settings.site.zone)
        left -= max(end - start, timedelta())
    return None


def _without(spans: tuple[Span, ...], closure: Closure | None) -> Iterator[Span]:
    """``spans`` less the time of ``closure``, in order."""
    for begin, end in spans:
        if closure is None:
            yield begin, end
            continue
        if begin < closure.since:
            yield begin, min(end, closure.since)
        if closure.until is not None and closure.until < end:
            yield max(begin, closure.until), end


def open_seconds(settings: QueueSettings, begin: datetime, end: datetime, closures: Sequence[Span] = ()) -> float:
    """Open time from ``begin`` to ``end`` (any zones, any number of days) less ``closures``, in seconds; 0 when ``end`` is not later."""
    zone = settings.site.zone
    begin, end = begin.astimezone(zone), end.astimezone(zone)
    total = _open_us(settings, begin, end)
    done = begin
    for since, until in sorted(closures):  # they may overlap: each moment is taken off once
        shut, again = max(since.astimezone(zone), done), min(until.astimezone(zone), end)
        total -= _open_us(settings, shut, again)
        done = max(done, again)
    return total / 1_000_000


def _open_us(settings: QueueSettings, begin: datetime, end: datetime) -> int:
    """Microseconds, because whole numbers add up."""
    if end <= begin:
        return 0
    first, last = begin.date(), end.date()
    if first == last:
        return _overlap(_sessions(settings, first), _us(begin), _us(end))
    whole = (first + timedelta(days=n) for n in range(1, (last - first).days))
    return (
        _overlap(_sessions(settings, first), _us(begin), DAY_US)
        + sum(_overlap(_sessions(settings, day), 0, DAY_US) for day in whole)
        + _overlap(_sessions(settings, last), 0, _us(end))
    )


def _us(local: datetime) -> int:
    return (local.hour * 60 + local.minute) * MINUTE_US + local.second * 1_000_000 + local.microsecond


def _overlap(sessions: tuple[Session, ...], begin: int, end: int) -> int:
    return sum(max(0, min(end, one.end * MINUTE_US) - max(begin, one.begin * MINUTE_US)) for one in sessions)
