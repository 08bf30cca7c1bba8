"""The calendar files that ``[hours] calendars`` names: one TOML file for each year."""

from dataclasses import dataclass
from pathlib import Path

from kiosd.config import document
from kiosd.config.problems import Problems, found
from kiosd.errors import ConfigError
from kiosd.queue.calendar import Calendar, CalendarYear
from kiosd.queue.settings import HoursSettings


@dataclass(frozen=True, slots=True)
class Calendars:
    """The years that were read, and the bytes they were read from, in the order of the configuration."""

    calendar: Calendar
    contents: tuple[bytes, ...]


def read_calendars(folder: Path, hours: HoursSettings | None, problems: Problems) -> Calendars:
    """The files that ``hours`` names, from ``folder`` on; what is wrong with them is noted in ``problems``."""
    years: dict[int, CalendarYear] = {}
    items: dict[int, int] = {}
    contents: list[bytes] = []
    for index, name in enumerate(hours.calendars if hours is not None else ()):
        loc = ("hours", "calendars", index)
        try:
            content = document.read(folder / name)
            year = _year(folder / name, content, problems)
        except ConfigError as exc:  # it names the path
            problems.add(loc, str(exc))
            continue
        contents.append(content)
        if year is None:
            continue
        if (first := items.setdefault(year.year, index)) != index:
            problems.add(loc, f"found {found(name)}, which is for {year.year} as item {first + 1} is; allowed: one file for each year")
        years.setdefault(year.year, year)
    return Calendars(Calendar(years=years), tuple(contents))


def _year(path: Path, content: bytes, problems: Problems) -> CalendarYear | None:
    """The calendar in ``content``, or None after noting what is wrong; ``ConfigError`` when it is not TOML."""
    tables = document.parse(path, content)
    beside = problems.beside(str(path))
    document.check_text(tables, beside)
    return beside.check(CalendarYear, tables, ())
