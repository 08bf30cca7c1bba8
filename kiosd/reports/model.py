"""What a report says, before it has a form: the sections of domain section 10. ``--format json`` prints exactly this.

Seconds are whole or decimal seconds, shares are fractions 0 to 1, times are UTC unless they are called local, dates are business dates.
None stands where there is nothing to tell from: no wait, no rating, a token that was erased.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Base of every part of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Head(Part):
    """Whose report it is and of what time."""

    site: str
    name: str
    office: str | None
    address: str | None
    complaints: str | None
    kiosk_type: int
    decree: str
    signer: str = "Kepala UPTP"
    first: date
    last: date
    zone: str
    service_days: int = Field(description="days with sessions in the period, up to the last business date that the journal knows")
    open_seconds: float = Field(description="opening hours in the period, less closures")
    hours: tuple[str, ...] = Field(description="the ordinary week in words, one line for days with the same sessions")
    services: tuple[str, ...] = Field(description="letters that the report is about")
    partial: bool = Field(description="only some of the site's services")
    made_at: datetime
    version: str
    events: int = Field(description="events that were read")


class Users(Part):
    """(a) Who came. ``distinct`` counts tokens, which change monthly with the site's key: somebody counts once a month."""

    visits: int
    by_category: dict[str, int]
    priority: int
    card: int = Field(description="visits with at least one card scan")
    distinct: int | None = Field(description="different cards; None when tokens of the period were erased")
    manual: int = Field(description="visits that began without a card")
    handwritten: int


class ServiceLine(Part):
    """(b) One service, or all of them (``service`` is empty).

    Every place in the service's line has one outcome: issued + transferred_in = processed + no_show + expired + cancelled + open.
    """

    service: str
    name: str
    short: str
    issued: int = Field(description="without void tickets")
    transferred_in: int
    processed: int
    finished: int
    referred: int
    transferred_out: int
    no_show: int
    expired: int
    cancelled: int
    open: int = Field(description="still waiting, called or served: of a day that is not over")
    void: int
    waits: int
    wait_mean_s: float | None
    wait_p50_s: float | None
    wait_p90_s: float | None
    services: int = Field(description="services timed; by_system and those under 10 s are left out")
    service_mean_s: float | None
    ratings: int
    index: Decimal | None
    band: str
    response: float | None = Field(description="ratings / (finished + referred)")


class Completed(Part):
    """(c) How many were served the same day."""

    finished: int
    referred: int
    by_destination: dict[str, int]
    by_reason: dict[str, int]
    same_day_share: float | None = Field(description="finished / (finished + referred)")


class Outage(Part):
    """(d) A device that did not work. ``end`` is None while it still does not."""

    device: str
    role: str = Field(description="what it is used for: printer, buttons, scanner, rating, display, board, keys, broker, satellite, other")
    begin: datetime
    end: datetime | None
    open_minutes: int = Field(description="minutes of it inside opening hours, rounded to nearest")
    code: str
    detail: str
    fallback: str = Field(description="what people did without it, a code: shown, manual, no_rating, voice, desk, waits, none")
    promised: datetime | None
    promise: str


class ClosureItem(Part):
    """(d) A closure by command or a holiday's name on a weekday is not one: only what was out of turn."""

    begin: datetime
    end: datetime | None
    open_minutes: int
    reason: str


class DayCount(Part):
    day: date
    count: int


class OutOfOrder(Part):
    reason: str
    count: int


class NoteItem(Part):
    time: datetime
    text: str


class Obstacles(Part):
    """(d) What stood in the way."""

    outages: tuple[Outage, ...]
    broker_outages: tuple[Outage, ...]
    closures: tuple[ClosureItem, ...]
    expired: tuple[DayCount, ...]
    finished_by_system: tuple[DayCount, ...]
    out_of_order: tuple[OutOfOrder, ...]
    refused: dict[str, int] = Field(description="presses that gave no ticket, by code")
    paper_failed: int
    notes: tuple[NoteItem, ...]


class SurveyElement(Part):
    element: str
    n: int
    mean: float | None


class SurveyPart(Part):
    """The nine-element survey (PermenPANRB 14/2017), if anybody answered it."""

    answers: int
    unattributed: int = Field(default=0, description="forms that belong to no visit; they are not in the value")
    elements: tuple[SurveyElement, ...]
    weight: str
    value: Decimal | None
    band: str


class Satisfaction(Part):
    """(e) The one-question panel; it is not the nine-element survey."""

    counts: dict[int, int] = Field(description="presses that count, by score 4, 3, 2, 1")
    ratings: int
    index: Decimal | None
    band: str
    population: int = Field(description="visits that could be rated: finished + referred")
    response: float | None
    sample_size: int = Field(description="Krejcie-Morgan for the population")
    enough: bool
    ambiguous: int
    ignored: int
    unattributed: int
    survey: SurveyPart | None


class Identity(Part):
    """A sum that must hold; one that does not is shown, never hidden."""

    name: Literal["line", "processed", "transfers", "visits"]
    service: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


class Gap(Part):
    """Days of which something is not known. ``code``: no_data, sealed, tokens_erased, clock, no_calendar, damaged, still_open."""

    first: date
    last: date
    code: str
    detail: str = ""


class Availability(Part):
    """Share of the opening hours in which a device worked."""

    device: str
    role: str
    share: float | None


class Report(Part):
    """A whole report."""

    kind: Literal["kiosd.report.v1"] = "kiosd.report.v1"
    head: Head
    users: Users
    services: tuple[ServiceLine, ...]
    total: ServiceLine
    completed: Completed
    obstacles: Obstacles
    satisfaction: Satisfaction
    arrivals: tuple[tuple[int, ...], ...] = Field(description="tickets drawn by weekday (0 = Monday) and local hour (0 to 23)")
    availability: tuple[Availability, ...]
    identities: tuple[Identity, ...]
    gaps: tuple[Gap, ...]
