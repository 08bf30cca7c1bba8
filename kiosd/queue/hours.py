"""Opening hours (domain section 6), without the calendar file: half-open sessions per weekday in the site's own time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from kiosd.queue.settings import HoursSettings, QueueSettings, Session
from kiosd.queue.texts import official_date, official_time, say

DAYS_AHEAD = 8  # a week and a day: the next session of any weekly table is within it


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether tickets are given at a moment; when not, ``code`` (``break`` or ``closed``) and when it opens again, local time."""

    code: Literal["open", "break", "closed"]
    opens_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.code == "open"


def _at(day: date, minute: int, like: datetime) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=like.tzinfo) + timedelta(minutes=minute)


def standing(hours: HoursSettings, local: datetime) -> Standing:
    """How the hours stand at ``local``, a time in the site's zone: 12:00:00 is closed, 13:00:00 is open."""
    minute = local.hour * 60 + local.minute
    today = hours.sessions(local.weekday())
    if any(session.begin <= minute < session.end for session in today):
        return Standing("open")
    later_today = [session for session in today if session.begin > minute]
    if later_today:
        code: Literal["break", "closed"] = "break" if later_today[0] != today[0] else "closed"
        return Standing(code, _at(local.date(), later_today[0].begin, local))
    return Standing("closed", _next_day(hours, local))


def _next_day(hours: HoursSettings, local: datetime) -> datetime | None:
    for ahead in range(1, DAYS_AHEAD):
        day = local.date() + timedelta(days=ahead)
        sessions = hours.sessions(day.weekday())
        if sessions:
            return _at(day, sessions[0].begin, local)
    return None


def day_close(hours: HoursSettings, day: date, local: datetime) -> datetime | None:
    """When the business date ``day`` closes by itself: the last session's end and the grace; None on a day without sessions."""
    sessions = hours.sessions(day.weekday())
    return _at(day, sessions[-1].end + hours.grace_min, local) if sessions else None


def explain(settings: QueueSettings, now: Standing, local: datetime) -> str:
    """Why no ticket is given and when it opens again, in words; ``""`` while open."""
    language, zone = settings.site.language, settings.site.timezone
    if now.open:
        return ""
    opens = now.opens_at
    if now.code == "break" and opens:
        return say("break", language, {"time": official_time(opens, zone)})
    day = opens or local
    sessions = settings.hours.sessions(day.weekday())
    facts: dict[str, object] = {"hours": _spoken(sessions) or say("never", language, {}), "opens": ""}
    if opens:
        when: dict[str, object] = {"date": official_date(opens.date(), language), "time": official_time(opens, zone)}
        facts["opens"] = say("opens", language, when)
    return say("closed", language, facts)


def _spoken(sessions: tuple[Session, ...]) -> str:
    return ", ".join(str(session).replace(":", ".") for session in sessions)
