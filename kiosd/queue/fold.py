"""From events to the book of the day. Pure.

Rule 1  ``fold`` is the only thing that makes a new Book; the same records give the same book, live or after a restart.
Rule 2  Whatever a rule wants to know later must be in an event. There is no other memory.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from kiosd.clock import ran_on
from kiosd.queue import events as ev
from kiosd.queue.book import Book
from kiosd.queue.commands import BUTTON
from kiosd.queue.estimate import RECENT
from kiosd.queue.events import Event, Record
from kiosd.queue.lines import entered, placed, removed, taken, untaken
from kiosd.queue.model import (
    AFTER,
    Block,
    Closure,
    Counter,
    CounterState,
    DeviceHealth,
    Line,
    PrintState,
    Rating,
    Repair,
    Ticket,
    TicketState,
)

SHORTEST_S = 10.0  # domain section 7: a shorter service is a slip of the finger


class _Draft:
    """A book being written: the copies that one ``fold`` changes."""

    def __init__(self, book: Book) -> None:
        self.date, self.closed, self.closure, self.training = book.date, book.closed, book.closure, book.training
        self.tickets, self.lines, self.counters = dict(book.tickets), dict(book.lines), dict(book.counters)
        self.devices, self.repairs, self.places = dict(book.devices), dict(book.repairs), dict(book.places)
        self.aside, self.opened, self.seq, self.by_hand = book.aside, book.opened, book.seq, book.by_hand

    def line(self, service: str) -> Line:
        return self.lines.get(service) or Line()

    def counter(self, number: int, **changes: Any) -> None:
        before = self.counters.get(number) or Counter(number)
        if (changes.get("state", before.state), changes.get("ticket", before.ticket)) != (before.state, before.ticket):
            changes["changed"] = self.seq
        self.counters[number] = replace(before, **changes)

    def ticket(self, uid: str, **changes: Any) -> Ticket:
        self.tickets[uid] = changed = replace(self.tickets[uid], **changes)
        return changed

    def enter(self, ticket: Ticket) -> None:
        self.lines[ticket.service] = entered(self.line(ticket.service), ticket, self.tickets)


def _issued(draft: _Draft, record: Record, event: ev.TicketIssued) -> None:
    draft.tickets[event.ticket] = ticket = Ticket(
        uid=event.ticket, number=event.number, service=event.service, issued_at=event.issued_at or record.moment.time, order=record.seq,
        priority=event.priority, category=event.category, place=event.place, ahead=event.ahead, training=event.training,
        manual=event.manual, wait_low_min=event.wait_low_min, wait_high_min=event.wait_high_min, unlikely=event.unlikely,
        paper=PrintState.QUEUED if event.slip else PrintState.NONE,
    )  # fmt: skip
    line = draft.line(event.service)
    if event.training:
        line = replace(line, trained=max(line.trained, event.n))
    else:
        line = replace(line, last=max(line.last, event.n), issued=line.issued + 1)
    draft.lines[event.service] = entered(line, ticket, draft.tickets)
    if event.place.startswith(BUTTON):
        draft.places[event.place] = event.ticket


def _reserved(draft: _Draft, record: Record, event: ev.NumbersReserved) -> None:
    line = draft.line(event.service)
    block = Block(event.first, event.last, record.moment.time)
    draft.lines[event.service] = replace(line, last=max(line.last, event.last), blocks=(*line.blocks, block))
    if not event.actor:  # the ticket machine, not a person
        draft.by_hand |= {event.service}


def _called(draft: _Draft, record: Record, event: ev.TicketCalled) -> None:
    before, now = draft.tickets[event.ticket], record.moment.time
    line = draft.line(before.service)
    ticket = draft.ticket(
        event.ticket, state=AFTER[event.type], counter=event.counter, calls=event.call, called_at=now, calling_since=now,
        waited_until=before.waited_until or now,
    )  # fmt: skip
    draft.lines[ticket.service] = taken(line, ticket, event.out_of_order is not None)
    ended = (draft.counters.get(event.counter) or Counter(event.counter)).ended
    draft.counter(event.counter, state=CounterState.CALLING, ticket=ticket.uid, ended=None, ended_before_call=ended)


def _call_undone(draft: _Draft, _: Record, event: ev.TicketCallUndone) -> None:
    before = draft.tickets[event.ticket]
    called_before = before.readmissions or before.came_from  # no other way leads back into a line
    ticket = draft.ticket(
        event.ticket, state=AFTER[event.type], counter=None, calls=0, called_at=None, calling_since=None,
        waited_until=before.waited_until if called_before else None,
    )  # fmt: skip
    draft.lines[ticket.service] = untaken(draft.line(ticket.service), ticket)
    draft.enter(ticket)
    back = draft.counters[event.counter].ended_before_call
    draft.counter(event.counter, state=CounterState.READY, ticket=None, ended=back, ended_before_call=None)


def _recalled(draft: _Draft, record: Record, event: ev.TicketRecalled) -> None:
    draft.ticket(event.ticket, calls=event.call, called_at=record.moment.time)
    draft.counter(event.counter, changed=record.seq)


def _started(draft: _Draft, record: Record, event: ev.TicketStarted) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], started_at=record.moment.time, identity=event.identity, ended_at=None)
    rateable = draft.counters[event.counter].rateable
    draft.counter(event.counter, state=CounterState.SERVING, rateable=None, rateable_before_start=rateable)


def _start_undone(draft: _Draft, _: Record, event: ev.TicketStartUndone) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], started_at=None, identity=None, invited_at=None)
    rateable = draft.counters[event.counter].rateable_before_start
    draft.counter(event.counter, state=CounterState.CALLING, rateable=rateable, rateable_before_start=None)


def _no_show(draft: _Draft, _: Record, event: ev.TicketNoShow) -> None:
    draft.ticket(event.ticket, state=AFTER[event.type], counter=None)
    draft.counter(event.counter, state=CounterState.READY, ticket=None)


def _readmitted(draft: _Draft, _: Record, event: ev.TicketReadmitted) -> None:
    before = draft.tickets[event.ticket]
    ticket = draft.ticket(
        event.ticket, state=AFTER[event.type], calls=0, called_at=None, calling_since=None, readmissions=before.readmissions + 1,
        not_before=draft.line(before.service).calls + event.behind,
    )  # fmt: skip
    draft.enter(ticket)


def _ended(draft: _Draft, record: Record, event: ev.TicketFinished | ev.TicketReferred) -> None:
    by_system = isinstance(event, ev.TicketFinished) and event.by_system
    ticket = draft.ticket(event.ticket, state=AFTER[event.type], ended_at=record.moment.time, by_system=by_system)
    rateable = None if by_system else event.ticket
    ended = event.ticket if isinstance(event, ev.TicketFinished) and not by_system else None
    draft.counter(event.counter, state=CounterState.READY, ticket=None, rateable=rateable, ended=ended)
    if not by_system:
        _served(draft, ticket, record)


def _served(draft: _Draft, ticket: Ticket, record: Record) -> None:
    """Note how long a service took, for the estimate (domain section 7)."""
    took = (record.moment.time - (ticket.started_at or record.moment.time)).total_seconds()
    if took >= SHORTEST_S and not ticket.training:
        line = draft.line(ticket.service)
        draft.lines[ticket.service] = replace(line, served=(*line.served, took)[-RECENT:])


def _finish_undone(draft: _Draft, _: Record, event: ev.TicketFinishUndone) -> None:
    before = draft.tickets[event.ticket]
    _unserved(draft, before)
    draft.ticket(event.ticket, state=AFTER[event.type], ended_at=None)
    rateable = event.ticket if before.invited_at else None
    draft.counter(event.counter, state=CounterState.SERVING, ticket=event.ticket, rateable=rateable, ended=None)


def _unserved(draft: _Draft, ticket: Ticket) -> None:
    """Take back what ``_served`` noted: that service was not over."""
    line = draft.line(ticket.service)
    took = ((ticket.ended_at or ticket.issued_at) - (ticket.started_at or ticket.issued_at)).total_seconds()
    if took in line.served:
        at = len(line.served) - 1 - line.served[::-1].index(took)
        draft.lines[ticket.service] = replace(line, served=(*line.served[:at], *line.served[at + 1 :]))


def _transferred(draft: _Draft, record: Record, event: ev.TicketTransferred) -> None:
    before = draft.tickets[event.ticket]
    _served(draft, before, record)
    line = draft.line(event.to)
    ticket = draft.ticket(
        event.ticket, state=AFTER[event.type], service=event.to, came_from=event.service, counter=None, calls=0, called_at=None,
        calling_since=None, started_at=None, invited_at=None, not_before=0,
        placed_at=placed(line, before, draft.tickets, event.position, record.moment.time),
    )  # fmt: skip
    draft.enter(ticket)
    draft.counter(event.counter, state=CounterState.READY, ticket=None, rateable=None, ended=None)


def _left(draft: _Draft, record: Record, event: ev.TicketCancelled | ev.TicketExpired | ev.TicketVoided) -> None:
    ticket = draft.tickets[event.ticket]
    if ticket.state is TicketState.WAITING:
        draft.lines[ticket.service] = removed(draft.line(ticket.service), ticket)
    elif ticket.counter is not None:
        draft.counter(ticket.counter, state=CounterState.READY, ticket=None)
    draft.ticket(event.ticket, state=AFTER[event.type], counter=None, ended_at=record.moment.time)


def _priority(draft: _Draft, _: Record, event: ev.TicketPriorityChanged) -> None:
    before = draft.tickets[event.ticket]
    draft.lines[before.service] = removed(draft.line(before.service), before)
    draft.enter(draft.ticket(event.ticket, priority=event.priority))


def _categorised(draft: _Draft, _: Record, event: ev.TicketCategorised) -> None:
    draft.ticket(event.ticket, category=event.category)


def _paper(state: PrintState) -> Callable[[_Draft, Record, Any], None]:
    def apply(draft: _Draft, _: Record, event: ev.TicketEvent) -> None:
        ticket = draft.tickets.get(event.ticket)
        if ticket is not None and ticket.paper is not PrintState.PRINTED:  # a reprint that fails takes no paper away
            draft.ticket(event.ticket, paper=state)
        if isinstance(event, ev.TicketPrinted) or (isinstance(event, ev.TicketPrintUncertain) and event.unconfirmed):
            draft.by_hand = frozenset()  # a slip came out: there is paper again

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


def _invited(draft: _Draft, record: Record, event: ev.RatingInvited) -> None:
    draft.ticket(event.ticket, invited_at=record.moment.time)
    draft.counter(event.counter, rateable=event.ticket)


def _surveyed(draft: _Draft, _: Record, event: ev.SurveyAnswered) -> None:
    if event.ticket is not None:
        draft.ticket(event.ticket, surveyed=True)


def _pressed(draft: _Draft, event: ev.RatingGiven | ev.RatingCorrected | ev.RatingAmbiguous | ev.RatingUnattributed) -> None:
    draft.counter(event.counter, pressed_score=event.score, pressed_at=event.pressed_at)


def _device(state: Any) -> Callable[[_Draft, Record, Any], None]:
    def apply(draft: _Draft, record: Record, event: ev.DeviceEvent) -> None:
        draft.devices[event.device] = DeviceHealth(state, event.code, event.detail, record.moment.time, record.seq)
        if state == "ok":
            draft.repairs.pop(event.device, None)

    return apply


def _day_opened(draft: _Draft, record: Record, event: ev.DayOpened) -> None:
    draft.date, draft.closed, draft.training, draft.opened = event.date, False, False, record.seq
    draft.tickets, draft.lines, draft.counters, draft.places, draft.aside = {}, {}, {}, {}, {}
    draft.by_hand = frozenset()  # yesterday's numbers are nobody's today
    carried = event.carried or ev.Carried()
    draft.devices = {device: DeviceHealth(*health) for device, health in carried.devices.items()}
    since = carried.suspended_since
    draft.closure = Closure(since, carried.suspended_until, carried.suspended_reason) if since else None
    draft.repairs = {device: Repair(until, reason) for device, (until, reason) in carried.repairs.items()}


def _day_closed(draft: _Draft, _: Record, _event: ev.DayClosed) -> None:
    draft.closed = True
    for number in draft.counters:
        draft.counter(number, state=CounterState.CLOSED, ended=None)


def _suspended(draft: _Draft, record: Record, event: ev.SiteSuspended) -> None:
    draft.closure = Closure(record.moment.time, event.until, event.reason)


def _resumed(draft: _Draft, _: Record, _event: ev.SiteResumed) -> None:
    draft.closure = None


def _training_started(draft: _Draft, _: Record, _event: ev.TrainingStarted) -> None:
    draft.training, draft.aside = True, draft.lines
    draft.lines = {letter: replace(line, run=0, history=(), last_called="") for letter, line in draft.lines.items()}
    _nothing_to_undo(draft)


def _training_ended(draft: _Draft, _: Record, _event: ev.TrainingEnded) -> None:
    """What was called in a training counts in no run and hangs on no board."""
    for letter, line in draft.lines.items():
        was = draft.aside.get(letter) or Line()
        draft.lines[letter] = replace(line, run=was.run, calls=was.calls, history=was.history, last_called=was.last_called)
    draft.training, draft.aside = False, {}
    _nothing_to_undo(draft)


def _nothing_to_undo(draft: _Draft) -> None:
    """A visit from before a training is not opened again in it, nor one of a training after it."""
    for number in draft.counters:
        draft.counter(number, ended=None, ended_before_call=None)


def _repair(draft: _Draft, _: Record, event: ev.RepairPromised) -> None:
    draft.repairs[event.device] = Repair(event.until, event.reason)


_APPLY: dict[type[Event], Callable[[_Draft, Record, Any], None]] = {
    ev.TicketIssued: _issued,
    ev.NumbersReserved: _reserved,
    ev.TicketCalled: _called,
    ev.TicketRecalled: _recalled,
    ev.TicketStarted: _started,
    ev.TicketNoShow: _no_show,
    ev.TicketReadmitted: _readmitted,
    ev.TicketPriorityChanged: _priority,
    ev.TicketCategorised: _categorised,
    ev.TicketCallUndone: _call_undone,
    ev.TicketStartUndone: _start_undone,
    ev.TicketFinishUndone: _finish_undone,
    ev.TicketTransferred: _transferred,
    ev.TicketFinished: _ended,
    ev.TicketReferred: _ended,
    ev.TicketCancelled: _left,
    ev.TicketExpired: _left,
    ev.TicketVoided: _left,
    ev.TicketPrinted: _paper(PrintState.PRINTED),
    ev.TicketPrintFailed: _paper(PrintState.FAILED),
    ev.TicketPrintUncertain: _paper(PrintState.UNCERTAIN),
    ev.CounterOpened: _counter_is(CounterState.READY),
    ev.CounterPaused: _counter_is(CounterState.PAUSED),
    ev.CounterClosed: _counter_is(CounterState.CLOSED),
    ev.RatingInvited: _invited,
    ev.SurveyAnswered: _surveyed,
    ev.RatingGiven: _rated,
    ev.RatingCorrected: _corrected,
    ev.RatingAmbiguous: _ambiguous,
    ev.RatingUnattributed: lambda draft, _, event: _pressed(draft, event),
    ev.RepairPromised: _repair,
    ev.DeviceWentUp: _device("ok"),
    ev.DeviceDegraded: _device("degraded"),
    ev.DeviceWentDown: _device("down"),
    ev.SiteSuspended: _suspended,
    ev.SiteResumed: _resumed,
    ev.TrainingStarted: _training_started,
    ev.TrainingEnded: _training_ended,
    ev.DayOpened: _day_opened,
    ev.DayClosed: _day_closed,
}
"""Events that are not here change nothing today: they are kept and published."""


def fold(book: Book, records: Iterable[Record]) -> Book:
    """``book`` after ``records``, in order. The old book stays as it was."""
    draft = _Draft(book)
    seq, last, believed = book.seq, book.last, book.believed
    for record in records:
        draft.seq = record.seq
        apply = _APPLY.get(type(record.event))
        if apply is not None:
            apply(draft, record, record.event)
        seq, last = record.seq, record.moment
        if believed is None or last.synced or ran_on(last, believed):
            believed = last
    return Book(
        draft.date, draft.closed, seq, last, believed, draft.tickets, draft.lines, draft.counters, draft.devices, draft.repairs,
        draft.closure, draft.training, draft.places, draft.aside, draft.opened, draft.by_hand,
    )  # fmt: skip
