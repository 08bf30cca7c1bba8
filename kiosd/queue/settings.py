"""The queue's part of the configuration: site, services, counters, hours, rules. Defaults are those of domain.md."""

from dataclasses import dataclass
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from kiosd.queue.calendar import Calendar, DatedHours
from kiosd.queue.commands import ServiceId, Word
from kiosd.queue.fields import DAYS, FileName, Line, Section, Session, Sessions

Language = Literal["id", "en"]
Timezone = Literal["Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura", "UTC"]
SiteId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,8}$")]


class ServiceSettings(Section):
    """One line of waiting people. ``short`` fits 16 columns of a board (domain section 1); ``quota`` is the most tickets of a day."""

    name: Line
    short: Annotated[Line, StringConstraints(max_length=16)]
    enabled: bool = True
    quota: Annotated[int, Field(ge=1, le=9999)] | None = None


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


_LONG = (Session(480, 720), Session(780, 990))


class HoursSettings(DatedHours):
    """Sessions per weekday; the defaults are the decree's (domain section 6).

    Minutes: tickets are given from ``early_issue_min`` before the day's first session, and no longer in the ``last_ticket_min`` before
    the end of its last one; ``grace_min`` is from there to day close. ``calendars``: files of whole years, from the folder of this
    file. ``closed`` and ``special`` are the site's own dated entries, which go before those files.
    """

    monday: Sessions = _LONG
    tuesday: Sessions = _LONG
    wednesday: Sessions = _LONG
    thursday: Sessions = _LONG
    friday: Sessions = (Session(450, 690), Session(780, 990))
    saturday: Sessions = ()
    sunday: Sessions = ()
    grace_min: int = Field(default=60, ge=0, le=600)
    early_issue_min: int = Field(default=0, ge=0, le=240)
    last_ticket_min: int = Field(default=0, ge=0, le=240)
    calendars: Annotated[tuple[FileName, ...], Field(strict=False, max_length=20)] = ()

    @model_validator(mode="after")
    def _gives_tickets(self) -> "HoursSettings":
        for weekday, name in enumerate(DAYS):
            sessions = self.sessions(weekday)
            if sessions and sessions[-1].end - sessions[0].begin <= self.last_ticket_min:
                raise ValueError(f"last_ticket_min = {self.last_ticket_min} leaves no time to give tickets on {name}")
        return self

    def sessions(self, weekday: int) -> tuple[Session, ...]:
        """Sessions of ``weekday`` (0 = Monday)."""
        value: tuple[Session, ...] = getattr(self, DAYS[weekday])
        return value


class RuleSettings(Section):
    """Numbers of domain sections 3, 5 and 8; times in seconds. ``refer_reasons`` are the codes a referral may have."""

    max_calls: int = Field(default=3, ge=1, le=9)
    recall_gap_s: float = Field(default=10.0, ge=0, le=300)
    priority_ratio: int = Field(default=2, ge=1, le=10)
    next_implies_finish: bool = True
    next_implies_open: bool = True
    max_readmissions: int = Field(default=2, ge=0, le=9)
    readmit_behind: int = Field(default=3, ge=0, le=50)
    undo_call_s: float = Field(default=15.0, ge=0, le=300)
    undo_start_s: float = Field(default=15.0, ge=0, le=300)
    undo_finish_s: float = Field(default=60.0, ge=0, le=900)
    void_s: float = Field(default=300.0, ge=0, le=3600)
    refer_reasons: Annotated[tuple[Word, ...], Field(min_length=1, strict=False)] = (
        "dokumen_kurang",
        "kewenangan_lain",
        "kondisi_tertentu",
        "tindak_lanjut",
        "lainnya",
    )
    rating_window_s: float = Field(default=120.0, gt=0, le=900)
    rating_correct_s: float = Field(default=3.0, ge=0, le=30)
    rating_lockout_s: float = Field(default=2.0, ge=0, le=30)
    hold_off_s: float = Field(default=2.0, ge=0, le=30)
    print_hold_s: float = Field(default=15.0, ge=0, le=120)


class SiteSettings(Section):
    """Who and where. ``office``, ``address`` and ``complaints`` are printed on tickets, ``card`` is what the visitor shows.

    ``decree`` and ``signer`` stand on reports: by what rule they are made, and who signs them.
    """

    id: SiteId
    name: Line
    office: Line | None = None
    address: Line | None = None
    complaints: Line | None = None
    card: Line = "SIAPkerja-ID"
    decree: Line = "Keputusan Menteri Ketenagakerjaan Nomor 225 Tahun 2023"
    signer: Line = "Kepala UPTP"
    timezone: Timezone = "Asia/Jakarta"
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
    calendar: Calendar = Calendar()
