"""Tickets outside the counters: given, booked, typed in, printed again, given priority, taken out. Rules; pure."""

import re
from datetime import datetime, timedelta

from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import hours
from kiosd.queue.asked import Asked, Decision, about, step, told, within
from kiosd.queue.estimate import Estimate, estimate
from kiosd.queue.model import PrintState, Ticket, TicketState, ticket_number, ticket_uid
from kiosd.queue.settings import ServiceSettings


def issue(command: cmd.IssueTicket, asked: Asked) -> Decision:
    service = asked.service(command.service)
    _hold_off(command, asked)
    if not asked.book.training:
        _is_given(service, command, asked)
    if command.no_paper:
        raise Refused("no_paper" if command.no_paper == "refuse" else "by_hand")
    line, training = asked.book.line(command.service), asked.book.training
    n = line.trained + 1 if training else line.last + 1
    event = _issued(command, asked, n, command.slip, len(line.priority) if command.priority else line.waiting)
    return Decision((event,), _result(event))


def _issued(command: cmd.IssueTicket | cmd.EnterTicket, asked: Asked, n: int, slip: bool, ahead: int) -> ev.TicketIssued:
    letter, training = command.service if isinstance(command, cmd.IssueTicket) else command.ticket[0], asked.book.training
    number, expected = ticket_number(letter, n), expected_wait(asked, letter, ahead)
    wait = expected or Estimate(None, None, None, unlikely=False)
    return ev.TicketIssued(
        ticket=ticket_uid(asked.settings.site.id, asked.book.date, number, training), number=number, service=letter, date=asked.book.date,
        n=n, priority=command.priority, category=command.category, ahead=ahead, slip=slip, training=training,
        wait_low_min=wait.low_min, wait_high_min=wait.high_min, unlikely=wait.unlikely,
    )  # fmt: skip


def _result(event: ev.TicketIssued) -> dict[str, object]:
    result: dict[str, object] = {"ticket": event.ticket, "number": event.number, "service": event.service, "priority": event.priority}
    result["ahead"] = event.ahead
    if event.wait_low_min is not None:
        result |= {"wait_low_min": event.wait_low_min, "wait_high_min": event.wait_high_min}
    return result | ({"unlikely": True} if event.unlikely else {}) | ({"training": True} if event.training else {})


def expected_wait(asked: Asked, service: str, ahead: int) -> Estimate | None:
    """How long a ticket with ``ahead`` people before it will wait (domain section 7)."""
    book, counters = asked.book, asked.settings.counters
    open_here = sum(one.open and service in counters[number].services for number, one in book.counters.items() if number in counters)
    return estimate(asked.settings, asked.local, ahead, open_here, book.line(service).served, book.closure)


def _is_given(service: ServiceSettings, command: cmd.IssueTicket, asked: Asked) -> None:
    """``Refused`` while no tickets of the service are given: day closed, outside the hours, quota used up."""
    if asked.book.closed:
        raise _until_tomorrow("day_closed", {"date": asked.book.date}, asked)
    now = asked.standing
    if not now.open:
        opens = now.opens_at.isoformat() if now.opens_at else None
        raise Refused(now.code, {"message": hours.explain(asked.settings, now, asked.local), "opens_at": opens})
    if service.quota is not None and asked.book.line(command.service).issued >= service.quota:
        raise _until_tomorrow("quota", {"service": service.short, "quota": service.quota}, asked)


def _until_tomorrow(code: str, facts: dict[str, object], asked: Asked) -> Refused:
    """No more tickets today: why, and when the next service day begins."""
    opens = asked.tomorrow
    return Refused(code, {**facts, "message": asked.over_for_today(code, facts), "opens_at": opens.isoformat() if opens else None})


def _hold_off(command: cmd.IssueTicket, asked: Asked) -> None:
    """One button gives one number per press: not while its paper is still coming, not twice by a trembling hand."""
    uid = asked.book.places.get(command.place) if command.place else None
    if uid is None:
        return
    ticket, rules = asked.book.tickets[uid], asked.settings.rules
    since = asked.since(ticket.issued_at) - command.age_s
    if ticket.paper is PrintState.QUEUED and since < rules.print_hold_s:
        raise Refused("still_printing", {"number": ticket.number})
    if since < rules.hold_off_s:
        raise Refused("hold_off", {"number": ticket.number})


def reserve(command: cmd.ReserveNumbers, asked: Asked) -> Decision:
    asked.service(command.service)
    if asked.book.training:
        raise Refused("in_training")  # it would take numbers from visitors
    if asked.book.closed:
        raise Refused("day_closed", {"date": asked.book.date})
    if command.by == "system" and command.service in asked.book.by_hand:
        return Decision()
    first = asked.book.line(command.service).last + 1
    event = ev.NumbersReserved(service=command.service, first=first, last=first + command.count - 1)
    numbers = [ticket_number(command.service, n) for n in (event.first, event.last)]
    return Decision((event,), {"service": command.service, "first": numbers[0], "last": numbers[1]})


def enter(command: cmd.EnterTicket, asked: Asked) -> Decision:
    letter, n = command.ticket[0], int(command.ticket[1:])
    asked.service(letter)
    number = ticket_number(letter, n)
    block = next((one for one in asked.book.line(letter).blocks if one.first <= n <= one.last), None)
    if block is None or not re.fullmatch(rf"{letter}0*{n}", command.ticket):
        raise Refused("not_reserved", {"number": number})
    if asked.book.by_number(number) is not None:
        raise Refused("already_entered", {"number": number})
    if asked.book.closed:
        raise Refused("day_closed", {"date": asked.book.date})
    written = _written(command, asked, block.since)
    line = asked.book.line(letter)
    before = [uid for uid in (*line.priority, *(() if command.priority else line.regular)) if asked.book.tickets[uid].turn[0] <= written]
    event = _issued(command, asked, n, slip=False, ahead=len(before)).model_copy(update={"manual": True, "issued_at": written})
    return Decision((event,), _result(event))


def _written(command: cmd.EnterTicket, asked: Asked, since: datetime) -> datetime:
    """When a hand-written ticket was written: after its block was booked, to the minute, and not in the future."""
    written = asked.when(command.at) if command.at else asked.now.time - timedelta(seconds=command.age_s)
    if not since - timedelta(minutes=1) < written <= asked.now.time:
        raise Refused("not_then", {"number": command.ticket, "time": f"{written.astimezone(asked.settings.site.zone):%H.%M}"})
    return max(since, written)


def reprint(command: cmd.ReprintTicket, asked: Asked) -> Decision:
    ticket = asked.ticket(command.ticket)
    if ticket.state not in {TicketState.WAITING, TicketState.CALLED, TicketState.NO_SHOW}:
        raise Refused("wrong_state", {"number": ticket.number, "state": ticket.state, "command": "reprint"})
    return Decision((ev.TicketReprintAsked(**about(ticket)),), told(ticket))


def priority(command: cmd.SetPriority, asked: Asked) -> Decision:
    ticket = asked.ticket(command.ticket)
    step("priority", ticket)
    if ticket.priority == command.priority:
        raise Refused("priority_already" if command.priority else "priority_not", {"number": ticket.number})
    event = ev.TicketPriorityChanged(**about(ticket), priority=command.priority)
    return Decision((event,), told(ticket) | {"priority": command.priority})


def category(command: cmd.SetCategory, asked: Asked) -> Decision:
    ticket = asked.ticket(command.ticket)
    return Decision((ev.TicketCategorised(**about(ticket), category=command.category),), told(ticket, category=command.category))


def readmit(command: cmd.Readmit, asked: Asked) -> Decision:
    ticket, rules = asked.ticket(command.ticket), asked.settings.rules
    step("readmit", ticket)
    _still_today(asked)
    if ticket.readmissions >= rules.max_readmissions:
        raise Refused("readmitted_enough", {"number": ticket.number, "times": ticket.readmissions})
    event = ev.TicketReadmitted(**about(ticket), behind=rules.readmit_behind)
    return Decision((event,), told(ticket, behind=event.behind))


def _still_today(asked: Asked) -> None:
    """``Refused`` once the day is closed: who did not come then is absent for good (domain section 3). A training may go on after it."""
    if asked.book.closed and not asked.book.training:
        raise Refused("day_closed", {"date": asked.book.date})


def cancel(command: cmd.CancelTicket, asked: Asked) -> Decision:
    ticket = asked.ticket(command.ticket)
    step("cancel", ticket)
    _still_today(asked)
    return Decision((ev.TicketCancelled(**about(ticket), reason=command.reason),), told(ticket))


def void(command: cmd.VoidTicket, asked: Asked) -> Decision:
    ticket = asked.ticket(command.ticket)
    step("void", ticket)
    if ticket.waited_until is not None:
        raise Refused("called_before", {"number": ticket.number})  # there was a visit: it is counted
    if not _paper_failed(ticket):
        raise Refused("printed", {"number": ticket.number})
    within(asked, ticket, ticket.issued_at, asked.settings.rules.void_s)
    return Decision((ev.TicketVoided(**about(ticket)),), told(ticket))


def _paper_failed(ticket: Ticket) -> bool:
    return ticket.paper in {PrintState.FAILED, PrintState.UNCERTAIN}
