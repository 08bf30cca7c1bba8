"""What officers do at a counter: call, start, finish, send on, take back. Rules; pure."""

from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.asked import Asked, Decision, about, step, told, within
from kiosd.queue.events import Event
from kiosd.queue.lines import pick
from kiosd.queue.model import Counter, Ticket, TicketState


def call_next(command: cmd.CallNext, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    events = [*_opened_by_call(counter, asked), *_finished_by_call(counter, asked)]
    serves, rules = asked.settings.counters[command.counter], asked.settings.rules
    chosen = pick(asked.book.lines, asked.book.tickets, serves.services, serves.order, rules.priority_ratio)
    served = asked.book.at(command.counter)
    ended = {"finished": served.number} if served else {}
    if chosen is None:
        if not events:
            raise Refused("empty")
        return Decision(tuple(events), {"ticket": None, **ended}, "empty")
    called = ev.TicketCalled(**about(chosen.ticket), counter=command.counter)
    return Decision((*events, called), told(chosen.ticket, counter=command.counter, **ended))


def call_ticket(command: cmd.CallTicket, asked: Asked) -> Decision:
    counter, ticket = asked.counter(command.counter), asked.ticket(command.ticket)
    step("call", ticket)
    if ticket.service not in asked.settings.counters[command.counter].services:
        raise Refused("not_served_here", {"number": ticket.number, "service": ticket.service, "counter": command.counter})
    events = [*_opened_by_call(counter, asked), *_finished_by_call(counter, asked)]
    called = ev.TicketCalled(**about(ticket), counter=command.counter, out_of_order=command.reason)
    return Decision((*events, called), told(ticket, counter=command.counter, out_of_order=command.reason))


def _opened_by_call(counter: Counter, asked: Asked) -> list[Event]:
    if counter.open:
        return []
    if not asked.settings.rules.next_implies_open or (asked.book.closed and not asked.book.training):
        raise Refused(f"counter_{counter.state.value}", {"counter": counter.number})
    return [ev.CounterOpened(counter=counter.number)]


def _finished_by_call(counter: Counter, asked: Asked) -> list[Event]:
    ticket = asked.book.at(counter.number)
    if ticket is not None and ticket.state is TicketState.SERVING and asked.settings.rules.next_implies_finish:
        return [ev.TicketFinished(**about(ticket), counter=counter.number, implicit=True)]
    nobody_at(counter.number, asked)
    return []


_OF_SERVING = frozenset({"finish", "transfer", "refer", "undo_start"})


def _at_counter(command: str, number: int, asked: Asked) -> Ticket:
    """The ticket that an officer's command is about; ``Refused`` when there is none in the right state."""
    asked.counter(number)
    ticket = asked.book.at(number)
    if ticket is None:
        raise Refused("nobody_served" if command in _OF_SERVING else "nobody_called", {"counter": number})
    step(command, ticket)
    return ticket


def recall(command: cmd.Recall, asked: Asked) -> Decision:
    ticket, rules = _at_counter("recall", command.counter, asked), asked.settings.rules
    if ticket.calls >= rules.max_calls:
        raise Refused("max_calls", {"number": ticket.number, "calls": ticket.calls})
    since = asked.since(ticket.called_at)
    if since < rules.recall_gap_s:
        raise Refused("too_soon", {"number": ticket.number, "seconds": max(1, round(rules.recall_gap_s - since))})
    event = ev.TicketRecalled(**about(ticket), counter=command.counter, call=ticket.calls + 1)
    return Decision((event,), told(ticket, counter=command.counter, calls=event.call))


def start(command: cmd.Start, asked: Asked) -> Decision:
    ticket = _at_counter("start", command.counter, asked)
    event = ev.TicketStarted(**about(ticket), counter=command.counter, identity="manual")
    return Decision((event,), told(ticket, counter=command.counter, identity="manual"))


def absent(command: cmd.MarkAbsent, asked: Asked) -> Decision:
    ticket, most = _at_counter("absent", command.counter, asked), asked.settings.rules.max_calls
    if ticket.calls < most and not command.force:
        raise Refused("not_called_enough", {"number": ticket.number, "calls": ticket.calls, "max_calls": most})
    event = ev.TicketNoShow(**about(ticket), counter=command.counter, calls=ticket.calls, forced=command.force)
    return Decision((event,), told(ticket, counter=command.counter, calls=ticket.calls))


def finish(command: cmd.Finish, asked: Asked) -> Decision:
    ticket = _at_counter("finish", command.counter, asked)
    return Decision((ev.TicketFinished(**about(ticket), counter=command.counter),), told(ticket, counter=command.counter))


def transfer(command: cmd.Transfer, asked: Asked) -> Decision:
    ticket = _at_counter("transfer", command.counter, asked)
    asked.service(command.service)
    if command.service == ticket.service:
        raise Refused("same_service", {"number": ticket.number, "service": command.service})
    event = ev.TicketTransferred(**about(ticket), counter=command.counter, to=command.service, position=command.position)
    return Decision((event,), told(ticket, counter=command.counter, to=command.service, position=command.position))


def refer(command: cmd.Refer, asked: Asked) -> Decision:
    ticket = _at_counter("refer", command.counter, asked)
    if command.destination.islower() and command.destination not in cmd.DESTINATIONS:
        raise Refused("unknown_destination", {"destination": command.destination, "known": ", ".join(cmd.DESTINATIONS)})
    known = asked.settings.rules.refer_reasons
    if command.reason not in known:
        raise Refused("unknown_reason", {"reason": command.reason, "known": ", ".join(known)})
    event = ev.TicketReferred(**about(ticket), counter=command.counter, destination=command.destination, reason=command.reason)
    return Decision((event,), told(ticket, counter=command.counter, destination=command.destination))


def nobody_at(number: int, asked: Asked) -> None:
    """``Refused`` while a ticket is called to or served at a counter."""
    ticket = asked.book.at(number)
    if ticket is not None:
        code = "still_called" if ticket.state is TicketState.CALLED else "still_serving"
        raise Refused(code, {"number": ticket.number, "counter": number})


def undo_call(command: cmd.UndoCall, asked: Asked) -> Decision:
    ticket = _at_counter("undo_call", command.counter, asked)
    within(asked, ticket, ticket.calling_since, asked.settings.rules.undo_call_s)
    return Decision((ev.TicketCallUndone(**about(ticket), counter=command.counter),), told(ticket, counter=command.counter))


def undo_start(command: cmd.UndoStart, asked: Asked) -> Decision:
    ticket = _at_counter("undo_start", command.counter, asked)
    within(asked, ticket, ticket.started_at, asked.settings.rules.undo_start_s)
    return Decision((ev.TicketStartUndone(**about(ticket), counter=command.counter),), told(ticket, counter=command.counter))


def undo_finish(command: cmd.UndoFinish, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    nobody_at(command.counter, asked)
    if counter.ended is None or not counter.open:
        raise Refused("nothing_finished", {"counter": counter.number})
    ticket = asked.book.tickets[counter.ended]
    step("undo_finish", ticket)
    within(asked, ticket, ticket.ended_at, asked.settings.rules.undo_finish_s)
    return Decision((ev.TicketFinishUndone(**about(ticket), counter=counter.number),), told(ticket, counter=counter.number))
