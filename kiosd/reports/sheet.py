"""A day in figures: what is left of a business date's events once they are added up, and all that a report needs of it.

Rule 1  A sheet says nothing of a person: no token, no uid, no number. ``tokens`` stays in memory and in no JSON.
Rule 2  Lists and counts, never means: days add up exactly. Times are UTC, seconds are whole, rounded to nearest.
Rule 3  Nothing of a training is in it, and what was undone counts as if it had not been.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NO_COUNTS: Mapping[str, int] = {}


class Piece(BaseModel):
    """Base of what a sheet is made of. A later version may know more fields; they are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DeviceNote(Piece):
    """Something that a device did. ``started``: not a device but the daemon.

    ``carried``: it was so when the day began, since ``time``.
    """

    time: datetime
    kind: Literal["up", "degraded", "down", "repair", "started"]
    device: str = ""
    code: str = ""
    detail: str = ""
    until: datetime | None = None
    carried: bool = False


class ClosureNote(Piece):
    """A closure by command. ``end``: when it was or will be over; None: not known at the end of the day."""

    begin: datetime
    end: datetime | None
    reason: str


class WrittenNote(Piece):
    """The manager's own words."""

    time: datetime
    text: str


class ServiceSheet(Piece):
    """One service on one day. Counts of the line are by the line that the visitor stood in, those of users by the line of the number.

    ``issued`` is without void tickets. ``handlings`` are starts; ``open`` are those without an outcome and ``serving`` those of them at a
    counter. ``waits`` belong to the service of the first call; ``served``, ``ratings`` and ``forms`` to the last handling's.
    """

    issued: int = 0
    transferred_in: int = 0
    handlings: int = 0
    finished: int = 0
    by_system: int = 0
    referred: int = 0
    transferred_out: int = 0
    no_show: int = 0
    expired: int = 0
    cancelled: int = 0
    open: int = 0
    serving: int = 0
    void: int = 0
    waits: tuple[int, ...] = ()
    served: tuple[int, ...] = ()
    ratings: Mapping[int, int] = Field(default_factory=dict)
    forms: tuple[Mapping[str, int], ...] = ()
    ambiguous: int = 0
    out_of_order: Mapping[str, int] = NO_COUNTS
    destinations: Mapping[str, int] = NO_COUNTS
    reasons: Mapping[str, int] = NO_COUNTS
    to: Mapping[str, int] = Field(default=NO_COUNTS, description="transfers by the service they went to")
    refused: Mapping[str, int] = NO_COUNTS
    paper_failed: int = 0
    paper_uncertain: int = 0
    visits: int = 0
    priority: int = 0
    card: int = 0
    manual: int = 0
    handwritten: int = 0
    by_category: Mapping[str, int] = NO_COUNTS
    hours: Mapping[int, int] = Field(default_factory=dict, description="visits by the local hour of their issue")
    distinct: int = Field(default=0, description="different tokens")
    erased: int = Field(default=0, description="scans whose token was erased")
    tokens: frozenset[bytes] | None = Field(default=None, exclude=True)


class Sheet(Piece):
    """A business date: events ``first`` to ``last`` of the journal.

    ``closed``: the day's close was read. ``unsynced``: events of an untrusted clock. ``damaged``: events that could not be read.
    """

    kind: Literal["kiosd.sheet.v1"] = "kiosd.sheet.v1"
    date: date
    first: int
    last: int
    closed: bool = False
    unsynced: int = 0
    damaged: tuple[int, ...] = ()
    services: Mapping[str, ServiceSheet] = Field(default_factory=dict)
    counters: Mapping[int, Mapping[int, int]] = Field(default_factory=dict, description="ratings by counter and score")
    ignored: int = 0
    unattributed: int = 0
    forms_unattributed: int = 0
    devices: tuple[DeviceNote, ...] = ()
    closures: tuple[ClosureNote, ...] = ()
    notes: tuple[WrittenNote, ...] = ()

    @property
    def events(self) -> int:
        """How many events the day had."""
        return self.last - self.first + 1

    @property
    def sealed(self) -> bool:
        """Whether it came from its text, so that which tokens there were is not known any more."""
        return any(one.distinct and one.tokens is None for one in self.services.values())

    def text(self) -> str:
        """What is kept of the day once its events are gone."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def of_text(cls, text: str) -> "Sheet":
        """The sheet that ``text`` is; ``ValueError`` when it is none."""
        return cls.model_validate_json(text)
