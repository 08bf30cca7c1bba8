"""What the queue is made of: states, the transition table, tickets, counters, lines.

Rule 1  TRANSITIONS is the ticket's whole life (domain section 3). A command that finds no row for the ticket's state is refused
        and changes nothing; the fold takes a ticket's new state from the same rows.
Rule 2  Everything here is frozen. A change is a new object, made only by ``fold``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Identity = Literal["card", "manual"]
Role = Literal["public", "officer", "receptionist", "manager", "system"]
"""Who asks (domain section 3). ``system`` is the daemon itself; nobody outside may say so."""
Place = Literal["time", "head", "tail"]
"""Where a transferred ticket enters its new line: by its original issue time, before everybody, or behind everybody."""


class TicketState(StrEnum):
    """Where a ticket stands; the last five are final."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    NO_SHOW = "no_show"
    FINISHED = "finished"
    REFERRED = "referred"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    VOID = "void"


class CounterState(StrEnum):
    """What a counter is doing (domain section 1). ``CALLING`` and ``SERVING`` follow from the ticket that is at it."""

    CLOSED = "closed"
    READY = "ready"
    PAUSED = "paused"
    CALLING = "calling"
    SERVING = "serving"


class PrintState(StrEnum):
    """What is known of a ticket's paper."""

    NONE = "none"
    QUEUED = "queued"
    PRINTED = "printed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of domain section 3; ``event`` records it."""

    command: str
    before: TicketState | None
    after: TicketState
    event: str
    who: str
    guard: str


_W, _C, _S, _N = TicketState.WAITING, TicketState.CALLED, TicketState.SERVING, TicketState.NO_SHOW
_F = TicketState.FINISHED
_GIVEN, _LEFT = "service enabled, issue window open, quota left; durable before paper", "receptionist, officer"

TRANSITIONS: tuple[Transition, ...] = (
    Transition("issue", None, _W, "ticket.issued", "public button, receptionist", _GIVEN),
    Transition("enter", None, _W, "ticket.issued", "receptionist", "a number booked for writing by hand, not entered yet"),
    Transition("next", _W, _C, "ticket.called", "officer", "counter free, or implicit finish; picks by domain section 5"),
    Transition("call", _W, _C, "ticket.called", "officer", "a service of this counter; reason code; counted as out of order"),
    Transition("recall", _C, _C, "ticket.recalled", "officer, same counter", "at most max_calls; at least recall_gap_s since the last"),
    Transition("start", _C, _S, "ticket.started", "officer, by key or scan", "the ticket called at this counter"),
    Transition("absent", _C, _N, "ticket.no_show", "officer", "after max_calls, or forced with a reason; never by a timer"),
    Transition("readmit", _N, _W, "ticket.readmitted", _LEFT, "same date, at most twice; behind three further calls"),
    Transition("priority", _W, _W, "ticket.priority_changed", _LEFT, "given or withdrawn; the reason is never stored"),
    Transition("undo_call", _C, _W, "ticket.call_undone", "officer", "within undo_call_s of the first call here"),
    Transition("undo_start", _S, _C, "ticket.start_undone", "officer", "within undo_start_s"),
    Transition("finish", _S, _F, "ticket.finished", "officer", "opens the rating window"),
    Transition("transfer", _S, _W, "ticket.transferred", "officer", "another enabled service; keeps number and issue time"),
    Transition("refer", _S, TicketState.REFERRED, "ticket.referred", "officer", "destination and reason; opens the rating window"),
    Transition("undo_finish", _F, _S, "ticket.finish_undone", "officer", "within undo_finish_s, counter has not called since"),
    Transition("cancel", _W, TicketState.CANCELLED, "ticket.cancelled", _LEFT, ""),
    Transition("cancel", _C, TicketState.CANCELLED, "ticket.cancelled", _LEFT, ""),
    Transition("cancel", _N, TicketState.CANCELLED, "ticket.cancelled", _LEFT, ""),
    Transition("void", _W, TicketState.VOID, "ticket.voided", "receptionist", "print failed, within void_s; the number is never reused"),
    Transition("close_day", _W, TicketState.EXPIRED, "ticket.expired", "the daemon", "listed as an obstacle"),
    Transition("close_day", _C, TicketState.EXPIRED, "ticket.expired", "the daemon", "listed as an obstacle"),
    Transition("close_day", _S, _F, "ticket.finished", "the daemon", "by_system; excluded from time statistics"),
)

FINAL = frozenset({TicketState.FINISHED, TicketState.REFERRED, TicketState.CANCELLED, TicketState.EXPIRED, TicketState.VOID})
AFTER: dict[str, TicketState] = {row.event: row.after for row in TRANSITIONS}
"""The state a ticket is in after an event of this type."""
_ROWS = {(row.command, row.before): row for row in TRANSITIONS}


def allowed(command: str, state: TicketState | None) -> Transition | None:
    """The row for ``command`` on a ticket in ``state``, or None when the table has none."""
    return _ROWS.get((command, state))


@dataclass(frozen=True, slots=True)
class Rating:
    """The one rating of a visit. ``score`` is None after two buttons at once (ambiguous); ``at`` is the press."""

    score: int | None
    at: datetime
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """The site is closed by command: no tickets from ``since`` to before ``until`` (None: until it is reopened)."""

    since: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Repair:
    """A device out of use with its promised end (domain section 1, maintenance [decree])."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers ``first`` to ``last`` of a service, booked for hand-written tickets at ``since``."""

    first: int
    last: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """One place in a line on one business date.

    ``order`` is the journal sequence of its issue; lines stand by (``issued_at``, ``order``) (domain section 5). ``service`` is the
    line it is in now, ``came_from`` the service it was transferred from, ``placed_at`` the time it stands there for if not its own.
    ``calls`` count since it last left the line, ``called_at`` is the latest of them and ``calling_since`` the first; ``waited_until``
    is the first call of all, where the wait ends (domain section 7). A readmitted ticket waits until its line has had ``not_before``
    calls.
    """

    uid: str
    number: str
    service: str
    issued_at: datetime
    order: int
    priority: bool = False
    category: str = "tidak_dicatat"
    place: str = ""
    state: TicketState = TicketState.WAITING
    counter: int | None = None
    calls: int = 0
    called_at: datetime | None = None
    calling_since: datetime | None = None
    waited_until: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    invited_at: datetime | None = None
    identity: Identity | None = None
    rating: Rating | None = None
    surveyed: bool = False
    paper: PrintState = PrintState.NONE
    ahead: int = 0
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    unlikely: bool = False
    readmissions: int = 0
    not_before: int = 0
    came_from: str = ""
    placed_at: datetime | None = None
    by_system: bool = False
    training: bool = False
    manual: bool = False

    @property
    def turn(self) -> tuple[datetime, int]:
        """What lines are sorted by: the issue time, unless a transfer placed it elsewhere."""
        return self.placed_at or self.issued_at, self.order


@dataclass(frozen=True, slots=True)
class Counter:
    """A numbered place. ``ticket`` is the one CALLED or SERVING here.

    ``rateable``: the visit that a press on the panel would count for: the last one ended here until the next start, or the one being
    served once its visitor was invited. ``ended``: the visit whose finish can be undone. ``ended_before_call`` and
    ``rateable_before_start`` keep them over a call and a start that may themselves be undone. ``changed`` is the event that last changed
    its state, its ticket or that ticket's calls.
    """

    number: int
    state: CounterState = CounterState.CLOSED
    ticket: str | None = None
    rateable: str | None = None
    ended: str | None = None
    ended_before_call: str | None = None
    rateable_before_start: str | None = None
    pressed_score: int | None = None
    pressed_at: datetime | None = None
    changed: int = 0

    @property
    def open(self) -> bool:
        """Whether an officer sits here and calls."""
        return self.state not in {CounterState.CLOSED, CounterState.PAUSED}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a line that may yet be undone. One that was not ``in_order`` does not count in the run."""

    uid: str
    number: str
    priority: bool
    in_order: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One service's line today.

    ``run`` counts the priority calls in a row, ``calls`` all calls, ``history`` keeps the newest of them. ``last`` is the highest number
    given or booked, ``issued`` how many tickets were given. ``served`` are the seconds of the newest services (domain section 7),
    ``trained`` the last number of a training.
    """

    priority: tuple[str, ...] = ()
    regular: tuple[str, ...] = ()
    run: int = 0
    calls: int = 0
    history: tuple[Call, ...] = ()
    last: int = 0
    issued: int = 0
    trained: int = 0
    last_called: str = ""
    served: tuple[float, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def waiting(self) -> int:
        """People in this line."""
        return len(self.priority) + len(self.regular)


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """The last thing known of a device: ``ok``, ``degraded`` or ``down``, with a machine word and a sentence."""

    state: Literal["ok", "degraded", "down"]
    code: str
    detail: str
    since: datetime
    seq: int


NUMBERS_BEFORE_WARNING = 900  # domain section 4: warn at 900


def ticket_number(letter: str, n: int) -> str:
    """``A001`` ... ``A999``, then ``A1000``: three digits at least, never wrapping (domain section 4)."""
    return f"{letter}{n:03d}"


def ticket_uid(site: str, date: str, number: str, training: bool = False) -> str:
    """``CTH01-20260701-D005`` from site, ISO date and number (domain section 1); ``CTH01-20260701-T-D005`` for a training ticket."""
    return f"{site}-{date.replace('-', '')}-{'T-' if training else ''}{number}"
