"""Dated entries that go before the weekly hours (domain section 6): closed dates, special hours, calendar files of whole years. Pure.

Rule 1  An opening (special hours for one day, or with ``every`` for each day of a range) stands there on purpose: it beats a closed date.
Rule 2  Weekday hours for a range of days are a season (Ramadan): other hours on days that are open anyway. Closed dates inside it stay
        closed, and weekdays that it does not name keep the weekly table.
Rule 3  Among several openings or seasons for one day the shorter range counts. A site's own entries go before a calendar file's, but a
        season of the site's own opens no day that the file closes, and shuts none that it opens.
"""

import datetime
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from kiosd.queue.fields import DAYS, Line, Section, Session, Sessions

LONGEST_RANGE = 366  # days; a longer range is a mistyped year, or belongs into the weekly table
FIRST_YEAR, LAST_YEAR = 2000, 2199


class ClosedDate(Section):
    """A day without service, and why, in words that visitors read."""

    date: date
    name: Line
    kind: Literal["holiday", "collective_leave", "local"] = "holiday"

    @property
    def season(self) -> bool:
        """Never (rule 2)."""
        return False

    def sessions(self, _: datetime.date) -> tuple[Session, ...]:
        """None, on its day."""
        return ()


class SpecialHours(Section):
    """Other hours from ``from`` to ``to``, both included. On each day its weekday's key counts, without one ``every``.

    A day with neither is none of this entry's; an empty list is a closed day. At least one day must be its.
    """

    from_: date = Field(alias="from")
    to: date
    name: Line
    every: Sessions | None = None
    monday: Sessions | None = None
    tuesday: Sessions | None = None
    wednesday: Sessions | None = None
    thursday: Sessions | None = None
    friday: Sessions | None = None
    saturday: Sessions | None = None
    sunday: Sessions | None = None

    @model_validator(mode="after")
    def _has_days(self) -> "SpecialHours":
        if self.to < self.from_:
            raise ValueError(f"'to' ({self.to}) is before 'from' ({self.from_})")
        if self.length > LONGEST_RANGE:
            raise ValueError(f"from {self.from_} to {self.to} is more than {LONGEST_RANGE} days")
        if not any(True for _ in self.days()):
            raise ValueError('none of its days has hours: give every = ["08:00-12:00"] or hours for weekdays in the range')
        return self

    @property
    def length(self) -> int:
        """Days in the range."""
        return (self.to - self.from_).days + 1

    @property
    def season(self) -> bool:
        """Whether it only changes the hours of days that are open anyway (rule 2)."""
        return self.every is None and self.length > 1

    def sessions(self, day: date) -> tuple[Session, ...]:
        """Its hours on ``day``, one of ``days()``."""
        return self._given(day) or ()

    def days(self) -> Iterator[date]:
        """The days of the range for which it has hours."""
        for n in range(self.length):
            day = self.from_ + timedelta(days=n)
            if self._given(day) is not None:
                yield day

    def _given(self, day: date) -> tuple[Session, ...] | None:
        own: tuple[Session, ...] | None = getattr(self, DAYS[day.weekday()])
        return self.every if own is None else own


Entry = ClosedDate | SpecialHours


class DatedHours(Section):
    """Entries for single dates and ranges; ``by_date`` has the one that counts for each date."""

    closed: Annotated[tuple[ClosedDate, ...], Field(strict=False, max_length=LONGEST_RANGE)] = ()
    special: Annotated[tuple[SpecialHours, ...], Field(strict=False, max_length=LONGEST_RANGE)] = ()

    @field_validator("closed")
    @classmethod
    def _closed_once(cls, value: tuple[ClosedDate, ...]) -> tuple[ClosedDate, ...]:
        for one, other in pairwise(sorted(value, key=lambda entry: entry.date)):
            if one.date == other.date:
                raise ValueError(f"{one.date} is closed twice, for '{one.name}' and for '{other.name}'")
        return value

    @field_validator("special")
    @classmethod
    def _one_counts(cls, value: tuple[SpecialHours, ...]) -> tuple[SpecialHours, ...]:
        for one, other in pairwise(sorted(value, key=lambda entry: (entry.length, entry.from_))):
            if one.length == other.length and other.from_ <= one.to:
                raise ValueError(f"'{one.name}' and '{other.name}' are ranges of the same length and share {other.from_}")
        return value

    @cached_property
    def by_date(self) -> dict[date, Entry]:
        """Date -> its strongest entry; made once, for reports ask hundreds of thousands of times."""
        entries: dict[date, Entry] = {}
        longest_first = sorted(self.special, key=lambda special: -special.length)
        for special in longest_first:
            if special.season:
                entries |= dict.fromkeys(special.days(), special)
        entries |= {closed.date: closed for closed in self.closed}
        for special in longest_first:
            if not special.season:
                entries |= dict.fromkeys(special.days(), special)
        return entries


class CalendarYear(DatedHours):
    """A calendar file: the dated entries of one year."""

    year: int = Field(ge=FIRST_YEAR, le=LAST_YEAR)
    name: Line

    @model_validator(mode="after")
    def _inside(self) -> "CalendarYear":
        dates = [(closed.date, closed.name) for closed in self.closed]
        dates += [(day, special.name) for special in self.special for day in (special.from_, special.to)]
        for day, name in dates:
            if day.year != self.year:
                raise ValueError(f"{day} ('{name}') is not in {self.year}, the year of this file")
        return self


class Calendar(Section):
    """The calendar files together. A year without one has ordinary weekdays."""

    years: dict[int, CalendarYear] = Field(default_factory=dict)

    def day(self, day: date) -> Entry | None:
        """What the file of its year says of ``day``; None when there is no file or nothing in it."""
        year = self.years.get(day.year)
        return year.by_date.get(day) if year else None
