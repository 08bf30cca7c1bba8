"""What the queue is made of: states, the transition table, tickets, counters, lines.

Rule 1  TRANSITIONS is the ticket's whole life (domain section 3). A command that finds no row for the ticket's state is refused
        and changes nothing; the fold takes a ticket's new state from the same rows.
Rule 2  Everything here is frozen. A change is a new object, made only by the fold in ``book``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Identity = Literal["card", "manual"]


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
    """One row of domain section 3. ``event`` records it; ``""`` where the command is not built yet."""

    command: str
    before: TicketState | None
    after: TicketState
    event: str
    who: str
    guard: str


_W, _C, _S, _N = TicketState.WAITING, TicketState.CALLED, TicketState.SERVING, TicketState.NO_SHOW

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        "issue", None, _W, "ticket.issued", "public button, receptionist", "service enabled, issue window open, durable before paper"
    ),
    Transition("next", _W, _C, "ticket.called", "officer", "counter free, or implicit finish; picks by domain section 5"),
    Transition("call", _W, _C, "", "officer", "a service of this counter; reason code; counted as out of order"),
    Transition("recall", _C, _C, "ticket.recalled", "officer, same counter", "at most max_calls; at least recall_gap_s since the last"),
    Transition("start", _C, _S, "ticket.started", "officer, by key or scan", "the ticket called at this counter"),
    Transition("absent", _C, _N, "ticket.no_show", "officer", "after max_calls, or forced with a reason; never by a timer"),
    Transition("readmit", _N, _W, "", "receptionist, officer", "same date, at most twice; behind three further calls"),
    Transition("undo_call", _C, _W, "", "officer", "within 15 s"),
    Transition("finish", _S, TicketState.FINISHED, "ticket.finished", "officer", "opens the rating window"),
    Transition("transfer", _S, _W, "", "officer", "another enabled service; keeps number and issue time"),
    Transition("refer", _S, TicketState.REFERRED, "", "officer", "destination and reason; opens the rating window"),
    Transition("undo_finish", TicketState.FINISHED, _S, "", "officer", "within 60 s, counter has not called since"),
    Transition("cancel", _W, TicketState.CANCELLED, "ticket.cancelled", "receptionist, officer", ""),
    Transition("cancel", _C, TicketState.CANCELLED, "ticket.cancelled", "receptionist, officer", ""),
    Transition("cancel", _N, TicketState.CANCELLED, "ticket.cancelled", "receptionist, officer", ""),
    Transition("void", _W, TicketState.VOID, "", "receptionist", "print failed, within 5 min; the number is never reused"),
    Transition("close_day", _W, TicketState.EXPIRED, "ticket.expired", "the daemon", "listed as an obstacle"),
    Transition("close_day", _C, TicketState.EXPIRED, "ticket.expired", "the daemon", "listed as an obstacle"),
    Transition("close_day", _S, TicketState.FINISHED, "ticket.finished", "the daemon", "by_system; excluded from time statistics"),
)

FINAL = frozenset({TicketState.FINISHED, TicketState.REFERRED, TicketState.CANCELLED, TicketState.EXPIRED, TicketState.VOID})
AFTER: dict[str, TicketState] = {row.event: row.after for row in TRANSITIONS if row.event}
"""The state a ticket is in after an event of this type."""


def allowed(command: str, state: TicketState | None) -> Transition | None:
    """The row for ``command`` on a ticket in ``state``, or None when the table has none that is built."""
    for row in TRANSITIONS:
        if row.command == command and row.before == state and row.event:
            return row
    return None


@dataclass(frozen=True, slots=True)
class Rating:
    """The one rating of a visit. ``score`` is None after two buttons at once (ambiguous); ``at`` is the press."""

    score: int | None
    at: datetime
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """One place in a line on one business date; ``order`` is the journal sequence of its issue (domain section 5 sorts by it)."""

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
    started_at: datetime | None = None
    ended_at: datetime | None = None
    identity: Identity | None = None
    rating: Rating | None = None
    paper: PrintState = PrintState.NONE
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Counter:
    """A numbered place. ``ticket`` is the one CALLED or SERVING here; ``rateable`` the last visit ended here, until the next start."""

    number: int
    state: CounterState = CounterState.CLOSED
    ticket: str | None = None
    rateable: str | None = None
    pressed_score: int | None = None
    pressed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether an officer sits here and calls."""
        return self.state not in {CounterState.CLOSED, CounterState.PAUSED}


@dataclass(frozen=True, slots=True)
class Line:
    """One service's line today. ``run`` counts the priority calls in a row; ``issued`` is the last number given."""

    priority: tuple[str, ...] = ()
    regular: tuple[str, ...] = ()
    run: int = 0
    issued: int = 0
    last_called: str = ""

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


def ticket_uid(site: str, date: str, number: str) -> str:
    """``CTH01-20260701-D005`` from site, ISO date and number (domain section 1)."""
    return f"{site}-{date.replace('-', '')}-{number}"
