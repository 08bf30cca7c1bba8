"""What is asked of a report: which days, which services, in which form and language."""

import calendar
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosd.queue.commands import ServiceId
from kiosd.queue.settings import Language

Format = Literal["text", "csv", "json", "html", "pdf"]
MOST_DAYS = 3700  # ten years: what is beyond is a typing error


class AskReport(BaseModel):
    """``first`` to ``last`` are business dates, both inclusive. ``decimal`` is for csv; ``language`` None means the site's."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    first: date
    last: date
    services: Annotated[tuple[ServiceId, ...], Field(max_length=24)] = ()
    format: Format = "text"
    language: Language | None = None
    decimal: Literal["point", "comma"] = "point"
    weight: Literal["exact", "0.11", "0.111"] = "exact"

    @model_validator(mode="after")
    def _in_order(self) -> "AskReport":
        if self.first > self.last:
            raise ValueError("the period ends before it begins")
        if (self.last - self.first).days > MOST_DAYS:
            raise ValueError(f"a period has at most {MOST_DAYS} days")
        return self


def month(text: str) -> tuple[date, date]:
    """First and last day of ``2026-07``; ``ValueError`` when it is no month."""
    first = date.fromisoformat(f"{text}-01")
    return first, date(first.year, first.month, calendar.monthrange(first.year, first.month)[1])


def year(text: str) -> tuple[date, date]:
    """First and last day of ``2026``; ``ValueError`` when it is no year."""
    return date(int(text), 1, 1), date(int(text), 12, 31)


def last_month(today: date) -> tuple[date, date]:
    """The month before the one of ``today``: what a monthly report is about."""
    end = today.replace(day=1) - timedelta(days=1)
    return end.replace(day=1), end
