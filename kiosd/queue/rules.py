"""What happens when somebody asks for something: ``decide(command, book, now, settings) -> Decision`` or ``Refused``.

Rule 1  Pure: the same command on the same book at the same moment gives the same events. No I/O, no clock of its own.
Rule 2  A refused command changes nothing; the queue records the refusal.
Rule 3  ``day.due`` comes before every command: it opens and closes the business date when it is time.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kiosd.clock import Moment
from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import hours, ratings
from kiosd.queue.asked import Asked, Decision, about, step, told
from kiosd.queue.book import Book
from kiosd.queue.commands import Command
from kiosd.queue.day import close_day
from kiosd.queue.events import Event
from kiosd.queue.lines import pick
from kiosd.queue.model import Counter, CounterState, PrintState, Ticket, TicketState, ticket_number, ticket_uid
from kiosd.queue.settings import QueueSettings


def decide(command: Command, book: Book, now: Moment, settings: QueueSettings) -> Decision:
    """The events that ``command`` makes, or ``Refused`` with a code of ``texts.TEXTS``."""
    return _RULES[type(command)](command, Asked(book, now, settings))


def _issue(command: cmd.IssueTicket, asked: Asked) -> Decision:
    book, settings = asked.book, asked.settings
    service = settings.services.get(command.service)
    if service is None:
        raise Refused("unknown_service", {"service": command.service})
    if not service.enabled:
        raise Refused("service_disabled", {"service": service.name})
    _hold_off(command, asked)
    if book.closed:
        raise Refused("day_closed", {"date": book.date})
    now = hours.standing(settings.hours, asked.local)
    if not now.open:
        opens = now.opens_at.isoformat() if now.opens_at else None
        raise Refused(now.code, {"message": hours.explain(settings, now, asked.local), "opens_at": opens})
    line = book.line(command.service)
    n = line.issued + 1
    number = ticket_number(command.service, n)
    event = ev.TicketIssued(
        ticket=ticket_uid(settings.site.id, book.date, number), number=number, service=command.service, date=book.date, n=n,
        priority=command.priority, category=command.category, place=command.place, slip=command.slip,
        ahead=len(line.priority) if command.priority else line.waiting,
    )  # fmt: skip
    result = {"ticket": event.ticket, "number": number, "service": command.service, "priority": event.priority, "ahead": event.ahead}
    return Decision((event,), result)


def _hold_off(command: cmd.IssueTicket, asked: Asked) -> None:
    """One button gives one number per press: not while its paper is still coming, not twice by a trembling hand."""
    uid = asked.book.places.get(command.place) if command.place else None
    if uid is None:
        return
    ticket, rules = asked.book.tickets[uid], asked.settings.rules
    since = (asked.now.time - ticket.issued_at).total_seconds() - command.age_s
    if ticket.paper is PrintState.QUEUED and since < rules.print_hold_s:
        raise Refused("still_printing", {"number": ticket.number})
    if since < rules.hold_off_s:
        raise Refused("hold_off", {"number": ticket.number})


def _next(command: cmd.CallNext, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    events = [*_opened_by_next(counter, asked), *_finished_by_next(counter, asked)]
    ticket = pick(asked, command.counter)
    served = asked.book.at(command.counter)
    ended = {"finished": served.number} if served else {}
    if ticket is None:
        if not events:
            raise Refused("empty")
        return Decision(tuple(events), {"ticket": None, **ended}, "empty")
    called = ev.TicketCalled(**about(ticket), counter=command.counter)
    return Decision((*events, called), told(ticket, counter=command.counter, **ended))


def _opened_by_next(counter: Counter, asked: Asked) -> list[Event]:
    if counter.open:
        return []
    if not asked.settings.rules.next_implies_open or asked.book.closed:
        raise Refused(f"counter_{counter.state.value}", {"counter": counter.number})
    return [ev.CounterOpened(counter=counter.number)]


def _finished_by_next(counter: Counter, asked: Asked) -> list[Event]:
    ticket = asked.book.at(counter.number)
    if ticket is None:
        return []
    if ticket.state is TicketState.CALLED:
        raise Refused("still_called", {"number": ticket.number, "counter": counter.number})
    if not asked.settings.rules.next_implies_finish:
        raise Refused("still_serving", {"number": ticket.number, "counter": counter.number})
    return [ev.TicketFinished(**about(ticket), counter=counter.number, implicit=True)]


def _at_counter(command: str, number: int, asked: Asked) -> Ticket:
    """The ticket that an officer's command is about; ``Refused`` when there is none in the right state."""
    asked.counter(number)
    ticket = asked.book.at(number)
    if ticket is None:
        raise Refused("nobody_served" if command == "finish" else "nobody_called", {"counter": number})
    step(command, ticket)
    return ticket


def _recall(command: cmd.Recall, asked: Asked) -> Decision:
    ticket, rules = _at_counter("recall", command.counter, asked), asked.settings.rules
    if ticket.calls >= rules.max_calls:
        raise Refused("max_calls", {"number": ticket.number, "calls": ticket.calls})
    since = asked.now.time - (ticket.called_at or ticket.issued_at)
    if since < timedelta(seconds=rules.recall_gap_s):
        left = rules.recall_gap_s - since.total_seconds()
        raise Refused("too_soon", {"number": ticket.number, "seconds": max(1, round(left))})
    event = ev.TicketRecalled(**about(ticket), counter=command.counter, call=ticket.calls + 1)
    return Decision((event,), told(ticket, counter=command.counter, calls=event.call))


def _start(command: cmd.Start, asked: Asked) -> Decision:
    ticket = _at_counter("start", command.counter, asked)
    event = ev.TicketStarted(**about(ticket), counter=command.counter, identity="manual")
    return Decision((event,), told(ticket, counter=command.counter, identity="manual"))


def _absent(command: cmd.MarkAbsent, asked: Asked) -> Decision:
    ticket, most = _at_counter("absent", command.counter, asked), asked.settings.rules.max_calls
    if ticket.calls < most and not command.force:
        raise Refused("not_called_enough", {"number": ticket.number, "calls": ticket.calls, "max_calls": most})
    event = ev.TicketNoShow(**about(ticket), counter=command.counter, calls=ticket.calls, forced=command.force)
    return Decision((event,), told(ticket, counter=command.counter, calls=ticket.calls))


def _finish(command: cmd.Finish, asked: Asked) -> Decision:
    ticket = _at_counter("finish", command.counter, asked)
    return Decision((ev.TicketFinished(**about(ticket), counter=command.counter),), told(ticket, counter=command.counter))


def _cancel(command: cmd.CancelTicket, asked: Asked) -> Decision:
    ticket = asked.book.by_number(command.ticket)
    if ticket is None:
        raise Refused("unknown_ticket", {"ticket": command.ticket})
    step("cancel", ticket)
    return Decision((ev.TicketCancelled(**about(ticket), reason=command.reason),), told(ticket))


def _open(command: cmd.OpenCounter, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    if asked.book.closed:
        raise Refused("day_closed", {"date": asked.book.date})
    if counter.open:
        raise Refused("already", {"counter": counter.number, "state": counter.state.value})
    return Decision((ev.CounterOpened(counter=counter.number),), {"counter": counter.number})


def _free(number: int, to: CounterState, asked: Asked) -> None:
    """``Refused`` unless the counter has nobody and is not ``to`` already."""
    counter = asked.counter(number)
    ticket = asked.book.at(number)
    if ticket is not None:
        code = "still_called" if ticket.state is TicketState.CALLED else "still_serving"
        raise Refused(code, {"number": ticket.number, "counter": number})
    if counter.state is to:
        raise Refused("already", {"counter": number, "state": to.value})


def _pause(command: cmd.PauseCounter, asked: Asked) -> Decision:
    _free(command.counter, CounterState.PAUSED, asked)
    return Decision((ev.CounterPaused(counter=command.counter, reason=command.reason),), {"counter": command.counter})


def _close(command: cmd.CloseCounter, asked: Asked) -> Decision:
    _free(command.counter, CounterState.CLOSED, asked)
    return Decision((ev.CounterClosed(counter=command.counter),), {"counter": command.counter})


def _end_day(_: cmd.CloseDay, asked: Asked) -> Decision:
    if asked.book.closed:
        raise Refused("day_closed", {"date": asked.book.date})
    events = close_day(asked)
    return Decision(events, {"date": asked.book.date, "expired": sum(isinstance(event, ev.TicketExpired) for event in events)})


def _rate(command: cmd.Rate, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    pressed = asked.now.time - timedelta(seconds=command.age_s)
    ticket = asked.book.tickets[counter.rateable] if counter.rateable else None
    event = ratings.attribute(counter, ticket, command.score, pressed, asked.settings.rules)
    return Decision((event,), {"counter": command.counter, "score": command.score, "outcome": event.type.removeprefix("rating.")})


def _scan(command: cmd.AttachScan, asked: Asked) -> Decision:
    asked.counter(command.counter)
    ticket = asked.book.at(command.counter)
    if ticket is None:
        return Decision((ev.ScanUnattached(counter=command.counter),), {"counter": command.counter, "ticket": None})
    read: list[Event] = [ev.ScanRead(**about(ticket), counter=command.counter, token=command.token)]
    if ticket.state is TicketState.CALLED:
        read.append(ev.TicketStarted(**about(ticket), counter=command.counter, identity="card"))
    return Decision(tuple(read), told(ticket, counter=command.counter))


def _reject_scan(command: cmd.RejectScan, asked: Asked) -> Decision:
    asked.counter(command.counter)
    return Decision((ev.ScanRejected(counter=command.counter, reason=command.reason),))


def _report_paper(command: cmd.ReportPaper, asked: Asked) -> Decision:
    ticket = asked.book.tickets.get(command.ticket)
    if ticket is None:
        raise Refused("unknown_ticket", {"ticket": command.ticket})
    if command.outcome == "printed":
        return Decision((ev.TicketPrinted(**about(ticket), device=command.device, reprint=command.reprint),))
    kind = ev.TicketPrintFailed if command.outcome == "failed" else ev.TicketPrintUncertain
    return Decision((kind(**about(ticket), device=command.device, detail=command.detail),))


_HEALTH: dict[str, type[ev.DeviceEvent]] = {"ok": ev.DeviceWentUp, "degraded": ev.DeviceDegraded, "down": ev.DeviceWentDown}


def _report_device(command: cmd.ReportDevice, asked: Asked) -> Decision:
    known = asked.book.devices.get(command.device)
    if known is not None and (known.state, known.code, known.detail) == (command.state, command.code, command.detail):
        return Decision()
    return Decision((_HEALTH[command.state](device=command.device, code=command.code, detail=command.detail),))


def _report_refusal(command: cmd.ReportRefusal, _: Asked) -> Decision:
    return Decision((ev.CommandRefused(source=command.source, command=command.command, code=command.code, message=command.message),))


_RULES: dict[type[Command], Callable[[Any, Asked], Decision]] = {
    cmd.IssueTicket: _issue,
    cmd.CallNext: _next,
    cmd.Recall: _recall,
    cmd.Start: _start,
    cmd.MarkAbsent: _absent,
    cmd.Finish: _finish,
    cmd.CancelTicket: _cancel,
    cmd.Rate: _rate,
    cmd.OpenCounter: _open,
    cmd.PauseCounter: _pause,
    cmd.CloseCounter: _close,
    cmd.CloseDay: _end_day,
    cmd.AttachScan: _scan,
    cmd.RejectScan: _reject_scan,
    cmd.ReportPaper: _report_paper,
    cmd.ReportDevice: _report_device,
    cmd.ReportRefusal: _report_refusal,
    cmd.Tick: lambda _, asked: Decision(),
    cmd.ReportStart: lambda command, _: Decision((ev.SystemStarted(version=command.version, config_hash=command.config_hash),)),
    cmd.ReportStop: lambda _command, _: Decision((ev.SystemStopped(),)),
}


def refusal(command: Command, code: str, message: str, facts: dict[str, Any]) -> Event:
    """The event that records a refused command: nothing is dropped silently."""
    if isinstance(command, cmd.IssueTicket):
        opens = facts.get("opens_at")
        return ev.TicketRefused(service=command.service, code=code, message=message, place=command.place, opens_at=opens)
    number = getattr(command, "counter", None)
    if isinstance(number, int):
        return ev.CounterRefused(counter=number, command=command.name, code=code, message=message)
    return ev.CommandRefused(source="queue", command=command.name, code=code, message=message)
