"""Sites to ask for their hours: queue settings without the rest of the queue, and calendars."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kiosd.queue.calendar import Calendar, CalendarYear
from kiosd.queue.settings import HoursSettings, QueueSettings, RuleSettings, SiteSettings

ZONES = ("Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura", "UTC")
NO_CALENDAR = Calendar()


def year_of(number: int, **entries: Any) -> CalendarYear:
    """A calendar file as TOML gives it: ``closed`` and ``special`` as lists of tables."""
    return CalendarYear.model_validate({"year": number, "name": "Contoh", **entries})


def calendar(*years: CalendarYear) -> Calendar:
    return Calendar(years={year.year: year for year in years})


def site(zone: str = "Asia/Jakarta", language: str = "id", dates: Calendar = NO_CALENDAR, **hours: Any) -> QueueSettings:
    """A site with the default hours, except for ``hours`` as TOML gives them."""
    who = SiteSettings.model_validate({"id": "CTH01", "name": "KIOS", "type": 1, "timezone": zone, "language": language})
    return QueueSettings(who, {}, {}, HoursSettings.model_validate(hours), RuleSettings(), calendar=dates)


def at(text: str, zone: str = "Asia/Jakarta") -> datetime:
    """``"2026-07-01 08:05"`` on the clock of ``zone``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def closed(day: str, name: str = "Libur", **more: str) -> dict[str, Any]:
    """An entry of ``closed``."""
    return {"date": date.fromisoformat(day), "name": name, **more}


def special(first: str, last: str, name: str = "Khusus", **hours: list[str]) -> dict[str, Any]:
    """An entry of ``special``."""
    return {"from": date.fromisoformat(first), "to": date.fromisoformat(last), "name": name, **hours}


RAMADAN = special("2026-02-18", "2026-03-17", "Ramadan 1447 H", wednesday=["08:00-12:00", "12:30-15:00"])
LEBARAN = calendar(
    year_of(
        2026,
        closed=[closed(f"2026-03-{n}", "Cuti bersama" if n in {20, 23, 24} else "Idulfitri 1447 Hijriah") for n in range(20, 25)],
        special=[RAMADAN],
    )
)
"""Ramadan on Wednesdays and the Lebaran holidays of 2026."""
