"""Numbers, durations and dates as people write them: ``1.234,5`` in Indonesian, ``1,234.5`` in English (domain section 11).

Rule 1  What is not known is ``-``, never a zero.
Rule 2  Decimals are rounded once, half up, here: the paper, the page and the spreadsheet show the same figure.
"""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from kiosd.queue.settings import Language
from kiosd.queue.texts import official_date
from kiosd.reports.words import word

Kind = Literal["text", "count", "minutes", "hours", "percent", "two", "day", "time"]
"""What a value is. Minutes and hours are given in seconds, percents as shares of 1, ``two`` is a number with two decimals."""
Value = str | int | float | Decimal | date | None
Mark = Literal["point", "comma"]

UNKNOWN = "-"
TIED = "\u00a0"
"""A space at which no line is broken."""
_SCALE: dict[Kind, tuple[int, int, int]] = {
    "count": (1, 1, 0),
    "minutes": (1, 60, 1),
    "hours": (1, 3600, 1),
    "percent": (100, 1, 1),
    "two": (1, 1, 2),
}
"""By what a value is multiplied and divided, and how many decimals are shown."""
_MARKS: dict[Language, str] = {"id": ".,", "en": ",."}
_HOUR: dict[Language, str] = {"id": "%H.%M", "en": "%H:%M"}


def shown(value: Value, kind: Kind, language: Language) -> str:
    """``value`` without its unit, for people; text stays as it is."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return short_date(value, language) + (f" {value.strftime(_HOUR[language])}" if isinstance(value, datetime) else "")
    grouped = f"{_scaled(value, kind):,}"
    return grouped.translate(str.maketrans(",.", _MARKS[language]))


def measured(value: Value, kind: Kind, language: Language) -> str:
    """``value`` with its unit: ``12,4 menit``, ``85,3%``."""
    text = shown(value, kind, language)
    mark = unit(kind, language)
    return text if text == UNKNOWN or not mark else f"{text}%" if mark == "%" else f"{text} {mark}"


def plain(value: Value, kind: Kind, mark: Mark) -> str:
    """``value`` for a spreadsheet: ISO dates, ``mark`` as the decimal sign, no grouping, and nothing where nothing is known."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else value.isoformat()
    text = str(_scaled(value, kind))
    return text.replace(".", ",") if mark == "comma" else text


def unit(kind: Kind, language: Language) -> str:
    """The unit of ``kind``, ``""`` when it has none."""
    return {"minutes": word("minutes", language), "hours": word("hours", language), "percent": "%"}.get(kind, "")


def month_year(day: date, language: Language) -> str:
    """``Juli 2026``."""
    return long_date(day, language).split(" ", 1)[1]


def long_date(day: date, language: Language) -> str:
    """``1 Juli 2026``."""
    return official_date(day, language).split(", ")[1]


def short_date(day: date, language: Language) -> str:
    """``1 Jul 2026``, tied; the months of both languages differ in their first three letters."""
    number, month, year = long_date(day, language).split()
    return f"{number}{TIED}{month[:3]}{TIED}{year}"


def weekday(index: int, language: Language) -> str:
    """``Senin`` for 0."""
    return official_date(date(2026, 1, 5 + index), language).split(",")[0]  # 5 January 2026 is a Monday


def _scaled(value: int | float | Decimal, kind: Kind) -> Decimal:
    times, over, places = _SCALE[kind]
    return (Decimal(str(value)) * times / over).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
