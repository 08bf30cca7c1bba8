"""Today's tickets and counters in memory: the fold of today's events, and nothing else. Pure: no I/O, no clock of its own.

Rule 1  ``fold`` is the only thing that makes a new Book; the same records give the same book, live or after a restart.
Rule 2  Whatever a rule wants to know later must be in an event. There is no other memory.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kiosd.clock import Moment, ran_on
from kiosd.queue import events as ev
from kiosd.queue.events import Event, Record
from kiosd.queue.model import AFTER, Counter, CounterState, DeviceHealth, Line, PrintState, Rating, Ticket, TicketState


@dataclass(frozen=True, slots=True)
class Book:
    """The day as events tell it.

    ``last`` is the moment of the newest event. ``believed`` is the newest moment whose date can be trusted: its clock was
    synchronised, or it ran on from one that was believed; a jump of an unsynchronised clock is not (domain section 4).
    """

    date: str = ""
    closed: bool = False
    seq: int = 0
    last: Moment | None = None
    believed: Moment | None = None
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    counters: Mapping[int, Counter] = field(default_factory=dict)
    devices: Mapping[str, DeviceHealth] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    """The last ticket issued at each button, by place."""

    def counter(self, number: int) -> Counter:
        """The counter's state today; a counter that did nothing yet is closed."""
        return self.counters.get(number) or Counter(number)

    def line(self, service: str) -> Line:
        """The service's line today."""
        return self.lines.get(service) or Line()

    def at(self, counter: int) -> Ticket | None:
        """The ticket that is called to or served at a counter."""
        uid = self.counter(counter).ticket
        return self.tickets[uid] if uid else None

    def by_number(self, number: str) -> Ticket | None:
        """Today's ticket with that number."""
        return next((ticket for ticket in self.tickets.values() if ticket.number == number), None)


class _Draft:
    """A book being written: the copies that one ``fold`` changes."""

    def __init__(self, book: Book) -> None:
        self.date, self.closed = book.date, book.closed
        self.tickets, self.lines, self.counters = dict(book.tickets), dict(book.lines), dict(book.counters)
        self.devices, self.places = dict(book.devices), dict(book.places)

    def line(self, service: str) -> Line:
        return self.lines.get(service) or Line()

    def counter(self, number: int, **changes: Any) -> None:
        self.counters[number] = replace(self.counters.get(number) or Counter(number), **changes)

    def ticket(self, uid: str, **changes: Any) -> Ticket:
        self.tickets[uid] = changed = replace(self.tickets[uid], **changes)
        return changed

    def leave_line(self, ticket: Ticket) -> Line:
        line = self.line(ticket.service)
        return replace(
            line,
            priority=tuple(uid for uid in line.priority if uid != ticket.uid) if ticket.priority else line.priority,
            regular=line.regular if ticket.priority else tuple(uid for uid in line.regular if uid != ticket.uid),
        )


def _issued(draft: _Draft, record: Record, event: ev.TicketIssued) -> None:
    draft.tickets[event.ticket] = Ticket(
        uid=event.ticket, number=event.number, service=event.service, issued_at=record.moment.time, order=record.seq,
        priority=event.priority, category=event.category, place=event.place, ahead=event.ahead,
        paper=PrintState.QUEUED if event.slip else PrintState.NONE,
    )  # fmt: skip
    line = draft.line(event.service)
    which = "priority" if event.priority else "regular"
    grown: dict[str, Any] = {which: (*getattr(line, which), event.ticket)}
    draft.lines[event.service] = replace(line, issued=event.n, **grown)
    if event.place:
        draft.places[event.place] = event.ticket


def _called(draft: _Draft, record: Record, event: ev.TicketCalled) -> None:
    ticket = draft.ticket(
        event.ticket, state=AFTER[event.type], counter=event.counter, calls=event.call, called_at=record.moment.time
    )  # fmt: skip
    line = draft.leave_line(ticket)
    draft.lines[ticket.service] = replace(line, run=line.run + 1 if ticket.priority else 0, last_called=ticket.number)
    draft.counter(event.counter, state=CounterState.CALLING, ticket=ticket.uid)


def _recalled(draft: _Draft, record: Record, event: ev.TicketRecalled) -> None:
    draft.ticket(event.ticket, calls=event.call, called_at=record.moment.time)


def _started(draft: _Draft, record: Record, event: ev.TicketStarted) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], started_at=record.moment.time, identity=event.identity)
    draft.counter(event.counter, state=CounterState.SERVING, rateable=None)


def _no_show(draft: _Draft, _: Record, event: ev.TicketNoShow) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], counter=None)
    draft.counter(event.counter, state=CounterState.READY, ticket=None)


def _finished(draft: _Draft, record: Record, event: ev.TicketFinished) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], ended_at=record.moment.time)
    draft.counter(event.counter, state=CounterState.READY, ticket=None, rateable=None if event.by_system else event.ticket)


def _left(draft: _Draft, record: Record, event: ev.TicketCancelled | ev.TicketExpired) -> None:
    ticket = draft.tickets[event.ticket]
    if ticket.state is TicketState.WAITING:
        draft.lines[ticket.service] = draft.leave_line(ticket)
    elif ticket.state is TicketState.CALLED and ticket.counter is not None:
        draft.counter(ticket.counter, state=CounterState.READY, ticket=None)
    draft.ticket(event.ticket, state=AFTER[event.type], counter=None, ended_at=record.moment.time)


def _paper(state: PrintState) -> Callable[[_Draft, Record, Any], None]:
    def apply(draft: _Draft, _: Record, event: ev.TicketEvent) -> None:
        if event.ticket in draft.tickets:
            draft.ticket(event.ticket, paper=state)

    return apply


def _counter_is(state: CounterState) -> Callable[[_Draft, Record, Any], None]:
    def apply(draft: _Draft, _: Record, event: ev.CounterEvent) -> None:
        draft.counter(event.counter, state=state)

    return apply


def _rated(draft: _Draft, _: Record, event: ev.RatingGiven) -> None:
    draft.ticket(event.ticket, rating=Rating(event.score, event.pressed_at))
    _pressed(draft, event)


def _corrected(draft: _Draft, _: Record, event: ev.RatingCorrected) -> None:
    before = draft.tickets[event.ticket].rating
    draft.ticket(event.ticket, rating=Rating(event.score, before.at if before else event.pressed_at, corrected=True))
    _pressed(draft, event)


def _ambiguous(draft: _Draft, _: Record, event: ev.RatingAmbiguous) -> None:
    draft.ticket(event.ticket, rating=Rating(None, event.pressed_at))
    _pressed(draft, event)


def _pressed(draft: _Draft, event: ev.RatingGiven | ev.RatingCorrected | ev.RatingAmbiguous | ev.RatingUnattributed) -> None:
    draft.counter(event.counter, pressed_score=event.score, pressed_at=event.pressed_at)


def _device(state: Any) -> Callable[[_Draft, Record, Any], None]:
    def apply(draft: _Draft, record: Record, event: ev.DeviceEvent) -> None:
        draft.devices[event.device] = DeviceHealth(state, event.code, event.detail, record.moment.time, record.seq)

    return apply


def _day_opened(draft: _Draft, _: Record, event: ev.DayOpened) -> None:
    draft.date, draft.closed = event.date, False
    draft.tickets, draft.lines, draft.counters, draft.places = {}, {}, {}, {}


def _day_closed(draft: _Draft, _: Record, _event: ev.DayClosed) -> None:
    draft.closed = True
    for number in draft.counters:
        draft.counter(number, state=CounterState.CLOSED)


_APPLY: dict[type[Event], Callable[[_Draft, Record, Any], None]] = {
    ev.TicketIssued: _issued,
    ev.TicketCalled: _called,
    ev.TicketRecalled: _recalled,
    ev.TicketStarted: _started,
    ev.TicketNoShow: _no_show,
    ev.TicketFinished: _finished,
    ev.TicketCancelled: _left,
    ev.TicketExpired: _left,
    ev.TicketPrinted: _paper(PrintState.PRINTED),
    ev.TicketPrintFailed: _paper(PrintState.FAILED),
    ev.TicketPrintUncertain: _paper(PrintState.UNCERTAIN),
    ev.CounterOpened: _counter_is(CounterState.READY),
    ev.CounterPaused: _counter_is(CounterState.PAUSED),
    ev.CounterClosed: _counter_is(CounterState.CLOSED),
    ev.RatingGiven: _rated,
    ev.RatingCorrected: _corrected,
    ev.RatingAmbiguous: _ambiguous,
    ev.RatingUnattributed: lambda draft, _, event: _pressed(draft, event),
    ev.DeviceWentUp: _device("ok"),
    ev.DeviceDegraded: _device("degraded"),
    ev.DeviceWentDown: _device("down"),
    ev.DayOpened: _day_opened,
    ev.DayClosed: _day_closed,
}
"""Events that are not here change nothing today: they are kept and published."""


def fold(book: Book, records: Iterable[Record]) -> Book:
    """``book`` after ``records``, in order. The old book stays as it was."""
    draft = _Draft(book)
    seq, last, believed = book.seq, book.last, book.believed
    for record in records:
        apply = _APPLY.get(type(record.event))
        if apply is not None:
            apply(draft, record, record.event)
        seq, last = record.seq, record.moment
        if believed is None or last.synced or ran_on(last, believed):
            believed = last
    return Book(
        draft.date, draft.closed, seq, last, believed, draft.tickets, draft.lines, draft.counters, draft.devices, draft.places
    )  # fmt: skip
