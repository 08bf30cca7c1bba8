"""What happened, in the past tense. The journal keeps events, everything else follows them.

``EVENTS`` maps an event's type to its model. A type is ``<family>.<what>``; the families are the MQTT topics ``ev/<family>``.
Inside version 1 a model only ever gains optional fields (mqtt contract).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from kiosd.clock import Moment
from kiosd.queue.model import Identity, Place

Family = Literal["ticket", "counter", "rating", "scan", "device", "system"]
FAMILIES: tuple[Family, ...] = get_args(Family)


class Event(BaseModel):
    """Base of all events. ``actor`` is the role that asked for it, ``""`` the system; ``place`` where it was asked."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    type: ClassVar[str]

    actor: str = ""
    place: str = ""

    @property
    def subject(self) -> str:
        """What the event is about, for people and for CloudEvents' ``subject``: a ticket number, a counter, a device."""
        return ""


class TicketEvent(Event):
    """About one ticket; ``ticket`` is its uid, ``number`` what people see, ``service`` the line it is in.

    What is flagged ``training`` happened in a training: it counts nowhere.
    """

    ticket: str
    number: str
    service: str
    training: bool = False

    @property
    def subject(self) -> str:
        return self.number


class TicketIssued(TicketEvent):
    """``wait_low_min`` to ``wait_high_min`` is the estimate in minutes; ``unlikely``: perhaps not served today (domain section 7).

    ``manual``: written by hand and typed in; ``issued_at`` is then when it was written.
    """

    type = "ticket.issued"
    date: str
    n: int
    priority: bool = False
    category: str = "tidak_dicatat"
    ahead: int = 0
    slip: bool = True
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    unlikely: bool = False
    manual: bool = False
    issued_at: datetime | None = None


class NumbersReserved(Event):
    """Numbers ``first`` to ``last`` of a service are booked for hand-written tickets."""

    type = "ticket.reserved"
    service: str
    first: int
    last: int

    @property
    def subject(self) -> str:
        return self.service


class TicketReprintAsked(TicketEvent):
    type = "ticket.reprint_asked"


class TicketPriorityChanged(TicketEvent):
    type = "ticket.priority_changed"
    priority: bool


class TicketCategorised(TicketEvent):
    type = "ticket.categorised"
    category: str


class TicketRefused(Event):
    """A press that gave no ticket; ``opens_at`` says when it would, ISO local time."""

    type = "ticket.refused"
    service: str
    code: str
    message: str
    opens_at: str | None = None

    @property
    def subject(self) -> str:
        return self.service


class TicketCalled(TicketEvent):
    """``out_of_order``: the reason code of a call that did not follow domain section 5."""

    type = "ticket.called"
    counter: int
    call: int = 1
    out_of_order: str | None = None


class TicketRecalled(TicketEvent):
    type = "ticket.recalled"
    counter: int
    call: int


class TicketStarted(TicketEvent):
    type = "ticket.started"
    counter: int
    identity: Identity


class TicketNoShow(TicketEvent):
    type = "ticket.no_show"
    counter: int
    calls: int
    forced: str | None = None


class TicketReadmitted(TicketEvent):
    """``behind``: calls of the service that go before it."""

    type = "ticket.readmitted"
    behind: int


class TicketCallUndone(TicketEvent):
    type = "ticket.call_undone"
    counter: int


class TicketStartUndone(TicketEvent):
    type = "ticket.start_undone"
    counter: int


class TicketFinishUndone(TicketEvent):
    type = "ticket.finish_undone"
    counter: int


class TicketTransferred(TicketEvent):
    """From ``service`` to the line of ``to``; the number and the issue time stay."""

    type = "ticket.transferred"
    counter: int
    to: str
    position: Place = "time"


class TicketReferred(TicketEvent):
    type = "ticket.referred"
    counter: int
    destination: str
    reason: str


class TicketVoided(TicketEvent):
    type = "ticket.voided"


class TicketFinished(TicketEvent):
    """``implicit``: by the next call at that counter; ``by_system``: by day close, not rateable, out of time statistics."""

    type = "ticket.finished"
    counter: int
    implicit: bool = False
    by_system: bool = False


class TicketCancelled(TicketEvent):
    type = "ticket.cancelled"
    reason: str = ""


class TicketExpired(TicketEvent):
    type = "ticket.expired"


class TicketPrinted(TicketEvent):
    type = "ticket.printed"
    device: str
    reprint: bool = False


class TicketPrintFailed(TicketEvent):
    type = "ticket.print_failed"
    device: str
    detail: str


class TicketPrintUncertain(TicketEvent):
    """``unconfirmed``: nothing went wrong, but the printer cannot say that it came out."""

    type = "ticket.print_uncertain"
    device: str
    detail: str
    unconfirmed: bool = False


class CounterEvent(Event):
    counter: int

    @property
    def subject(self) -> str:
        return f"counter-{self.counter}"


class CounterOpened(CounterEvent):
    type = "counter.opened"


class CounterPaused(CounterEvent):
    type = "counter.paused"
    reason: str = ""


class CounterClosed(CounterEvent):
    type = "counter.closed"


class CounterRefused(CounterEvent):
    """An officer's command that was refused."""

    type = "counter.refused"
    command: str
    code: str
    message: str


class RatingGiven(TicketEvent):
    type = "rating.given"
    counter: int
    score: int
    pressed_at: datetime


class RatingCorrected(TicketEvent):
    type = "rating.corrected"
    counter: int
    score: int
    pressed_at: datetime
    previous: int


class RatingAmbiguous(TicketEvent):
    """Two buttons within 150 ms: what was given before counts for nothing."""

    type = "rating.ambiguous"
    counter: int
    score: int
    pressed_at: datetime
    previous: int


class RatingInvited(TicketEvent):
    """The visitor being served is asked to rate: presses from now on count for this visit."""

    type = "rating.invited"
    counter: int


class SurveyAnswered(CounterEvent):
    """Nine-element answers, 1 to 4 by element. ``ticket`` is the visit they belong to, None when they match none."""

    type = "rating.survey"
    answers: dict[str, int]
    ticket: str | None = None
    training: bool = False


class RatingIgnored(CounterEvent):
    """``reason``: ``lock_out`` or ``already_rated``."""

    type = "rating.ignored"
    score: int
    pressed_at: datetime
    reason: str


class RatingUnattributed(CounterEvent):
    """A press that matches no visit: published and counted, never in the index."""

    type = "rating.unattributed"
    score: int
    pressed_at: datetime


class ScanRead(TicketEvent):
    type = "scan.read"
    counter: int
    token: str


class ScanUnattached(CounterEvent):
    """A scan with nobody called or serving: only the fact and the time."""

    type = "scan.unattached"


class ScanRejected(CounterEvent):
    type = "scan.rejected"
    reason: str


class DeviceEvent(Event):
    device: str
    code: str = ""
    detail: str = ""

    @property
    def subject(self) -> str:
        return self.device


class DeviceWentUp(DeviceEvent):
    type = "device.up"


class DeviceWentDown(DeviceEvent):
    type = "device.down"


class DeviceDegraded(DeviceEvent):
    type = "device.degraded"


class RepairPromised(Event):
    """A device is out of use until ``until`` at the latest."""

    type = "device.repair_promised"
    device: str
    until: datetime
    reason: str

    @property
    def subject(self) -> str:
        return self.device


class SiteSuspended(Event):
    """No tickets until ``until``, None: until it is resumed."""

    type = "system.suspended"
    until: datetime | None = None
    reason: str


class SiteResumed(Event):
    type = "system.resumed"


class TrainingStarted(Event):
    type = "system.training_started"


class TrainingEnded(Event):
    type = "system.training_ended"


class NoteWritten(Event):
    """The manager's own words, for the report."""

    type = "system.note"
    text: str


CarriedDevice = tuple[Literal["ok", "degraded", "down"], str, str, datetime, int]
"""State, code, detail, since when, and the number of the event that told so."""


class Carried(BaseModel):
    """What outlives a day: a start reads no further back than the day's opening."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    suspended_since: datetime | None = None
    suspended_until: datetime | None = None
    suspended_reason: str = ""
    repairs: dict[str, tuple[datetime, str]] = Field(default_factory=dict)
    devices: dict[str, CarriedDevice] = Field(default_factory=dict)


class DayOpened(Event):
    type = "system.day_opened"
    date: str
    carried: Carried | None = None

    @property
    def subject(self) -> str:
        return self.date


class DayClosed(Event):
    type = "system.day_closed"
    date: str
    expired: int
    finished_by_system: int

    @property
    def subject(self) -> str:
        return self.date


class SystemStarted(Event):
    type = "system.started"
    version: str
    config_hash: str


class SystemStopped(Event):
    type = "system.stopped"


class DaySealed(Event):
    """The events of ``date``, number ``first`` to ``last``, were replaced by the day's sheet; ``head`` is the hash of the last one."""

    type = "system.day_sealed"
    date: str
    first: int
    last: int
    head: str
    sheet_sha256: str

    @property
    def subject(self) -> str:
        return self.date


class TokensErased(Event):
    """The tokens of all scans before ``before`` are gone: ``rows`` events from ``first`` to ``last``; ``digest`` is over their hashes."""

    type = "system.tokens_erased"
    before: str
    first: int
    last: int
    rows: int
    digest: str

    @property
    def subject(self) -> str:
        return self.before


class Quarantined(Event):
    """Event ``sequence``, of type ``kind``, is not told to ``broker``, and why: an alarm, for a consumer there will never get it."""

    type = "system.quarantined"
    broker: str
    sequence: int
    kind: str
    code: str

    @property
    def subject(self) -> str:
        return self.broker


class CommandRefused(Event):
    """Something that was sent to us and never became a command, or a command about no counter and no press.

    ``count`` is more than 1 for a flood of them, which is told as one (code ``flood``).
    """

    type = "system.refused"
    source: str
    command: str
    code: str
    message: str
    count: int = 1

    @property
    def subject(self) -> str:
        return self.command


def _concrete(base: type[Event]) -> list[type[Event]]:
    return [kind for sub in base.__subclasses__() for kind in ([sub] if "type" in vars(sub) else []) + _concrete(sub)]


EVENTS: dict[str, type[Event]] = {kind.type: kind for kind in _concrete(Event)}


def family(kind: str) -> str:
    """``ticket`` of ``ticket.called``."""
    return kind.partition(".")[0]


def decode(kind: str, data: Any) -> Event:
    """The event of type ``kind`` from its JSON text or object; ``KeyError`` for an unknown type, ``ValueError`` for wrong data."""
    model = EVENTS[kind]
    return model.model_validate_json(data) if isinstance(data, str | bytes) else model.model_validate(data)


@dataclass(frozen=True, slots=True)
class Record:
    """One journal row: event number ``seq`` of the stream, when, by which command."""

    seq: int
    moment: Moment
    event: Event
    command: str
