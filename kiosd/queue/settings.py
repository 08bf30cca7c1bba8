"""The queue's part of the configuration: site, services, counters, hours, rules. Defaults are those of domain.md."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from kiosd.queue.commands import ServiceId

Language = Literal["id", "en"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Section(BaseModel):
    """Base of every section of the configuration: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _printable(text: str) -> str:
    if any(not char.isprintable() for char in text):
        raise ValueError("text may not contain control characters")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True), AfterValidator(_printable)]
"""One line of text for people: printable, 1 to 80 characters. What a printer or board cannot show is replaced at its border."""


class ServiceSettings(Section):
    """One line of waiting people. ``short`` fits 16 columns of a board (domain section 1)."""

    name: Line
    short: Annotated[Line, StringConstraints(max_length=16)]
    enabled: bool = True


class CounterQueueSettings(Section):
    """What a counter serves: ``oldest`` takes the oldest head of its services, ``strict`` the first service that has anybody."""

    services: Annotated[tuple[ServiceId, ...], Field(min_length=1, strict=False)]
    order: Literal["oldest", "strict"] = "oldest"

    @field_validator("services")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a service is named twice")
        return value


@dataclass(frozen=True, slots=True)
class Session:
    """Opening hours from ``begin`` to before ``end``, in minutes of the local day (1440 = midnight): half open (domain section 6)."""

    begin: int
    end: int

    def __str__(self) -> str:
        return f"{self.begin // 60:02d}:{self.begin % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"


SESSION = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def parse_session(value: Any) -> Session:
    """``Session`` from ``"08:00-12:00"``; ``ValueError`` when it is not two times of day in order."""
    if isinstance(value, Session):
        return value
    if not (isinstance(value, str) and SESSION.fullmatch(value)):
        raise ValueError('a session is written "HH:MM-HH:MM", for example "08:00-12:00"')
    begin, _, end = value.partition("-")
    session = Session(_minute(begin), _minute(end))
    if session.begin >= session.end:
        raise ValueError("a session ends after it begins")
    return session


def _in_order(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    if any(before.end > after.begin for before, after in pairwise(sessions)):
        raise ValueError("sessions of one day follow each other and do not overlap")
    return sessions


SessionField = Annotated[Session, BeforeValidator(parse_session)]
Sessions = Annotated[tuple[SessionField, ...], Field(strict=False), AfterValidator(_in_order)]
_LONG = (Session(480, 720), Session(780, 990))


class HoursSettings(Section):
    """Sessions per weekday; the defaults are the decree's (domain section 6). ``grace_min`` is from the last session to day close."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    monday: Sessions = _LONG
    tuesday: Sessions = _LONG
    wednesday: Sessions = _LONG
    thursday: Sessions = _LONG
    friday: Sessions = (Session(450, 690), Session(780, 990))
    saturday: Sessions = ()
    sunday: Sessions = ()
    grace_min: int = Field(default=60, ge=0, le=600)

    def sessions(self, weekday: int) -> tuple[Session, ...]:
        """Sessions of ``weekday`` (0 = Monday)."""
        value: tuple[Session, ...] = getattr(self, DAYS[weekday])
        return value


class RuleSettings(Section):
    """Numbers of domain sections 3, 5 and 8."""

    max_calls: int = Field(default=3, ge=1, le=9)
    recall_gap_s: float = Field(default=10.0, ge=0, le=300)
    priority_ratio: int = Field(default=2, ge=1, le=10)
    next_implies_finish: bool = True
    next_implies_open: bool = True
    rating_window_s: float = Field(default=120.0, gt=0, le=900)
    rating_correct_s: float = Field(default=3.0, ge=0, le=30)
    rating_lockout_s: float = Field(default=2.0, ge=0, le=30)
    hold_off_s: float = Field(default=2.0, ge=0, le=30)
    print_hold_s: float = Field(default=15.0, ge=0, le=120)


class SiteSettings(Section):
    """Who and where. ``office``, ``address`` and ``complaints`` are printed on tickets, ``card`` is what the visitor shows."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,8}$")]
    name: Line
    office: Line | None = None
    address: Line | None = None
    complaints: Line | None = None
    card: Line = "SIAPkerja-ID"
    timezone: Literal["Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura", "UTC"] = "Asia/Jakarta"
    type: Literal[1, 2, 3, 4]
    language: Language = "id"

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone; its local date is the business date."""
        return ZoneInfo(self.timezone)


ZONE_SHORT = {"Asia/Jakarta": "WIB", "Asia/Pontianak": "WIB", "Asia/Makassar": "WITA", "Asia/Jayapura": "WIT", "UTC": "UTC"}


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """All that the rules need to know of the configuration."""

    site: SiteSettings
    services: dict[str, ServiceSettings]
    counters: dict[int, CounterQueueSettings]
    hours: HoursSettings
    rules: RuleSettings
