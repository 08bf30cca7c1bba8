"""Counters that open and close, the site as a whole, and what the devices report. Rules; pure."""

from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.asked import Asked, Decision, about
from kiosd.queue.day import close_day, end_training
from kiosd.queue.model import CounterState, TicketState
from kiosd.queue.serving import nobody_at


def open_counter(command: cmd.OpenCounter, asked: Asked) -> Decision:
    counter = asked.counter(command.counter)
    if asked.book.closed and not asked.book.training:
        raise Refused("day_closed", {"date": asked.book.date})
    if counter.open:
        raise Refused("already", {"counter": counter.number, "state": CounterState.READY})
    return Decision((ev.CounterOpened(counter=counter.number),), {"counter": counter.number})


def _free(number: int, to: CounterState, asked: Asked) -> None:
    """``Refused`` unless the counter has nobody and is not ``to`` already."""
    counter = asked.counter(number)
    nobody_at(number, asked)
    if counter.state is to:
        raise Refused("already", {"counter": number, "state": to})


def pause_counter(command: cmd.PauseCounter, asked: Asked) -> Decision:
    _free(command.counter, CounterState.PAUSED, asked)
    return Decision((ev.CounterPaused(counter=command.counter, reason=command.reason),), {"counter": command.counter})


def close_counter(command: cmd.CloseCounter, asked: Asked) -> Decision:
    _free(command.counter, CounterState.CLOSED, asked)
    return Decision((ev.CounterClosed(counter=command.counter),), {"counter": command.counter})


def end_day(_: cmd.CloseDay, asked: Asked) -> Decision:
    if asked.book.closed:
        raise Refused("day_closed", {"date": asked.book.date})
    events = close_day(asked)
    return Decision(events, {"date": asked.book.date, "expired": sum(isinstance(event, ev.TicketExpired) for event in events)})


def suspend(command: cmd.Suspend, asked: Asked) -> Decision:
    if asked.book.training:
        raise Refused("in_training")
    until = asked.later(command.until) if command.until else None
    event = ev.SiteSuspended(until=until, reason=command.reason)
    return Decision((event,), {"until": until.isoformat() if until else None, "reason": command.reason})


def resume(_: cmd.Resume, asked: Asked) -> Decision:
    closure = asked.book.closure
    if closure is None or (closure.until is not None and closure.until <= asked.now.time):
        raise Refused("not_suspended")
    return Decision((ev.SiteResumed(),), {})


_BUSY = frozenset({TicketState.WAITING, TicketState.CALLED, TicketState.SERVING})


def training(command: cmd.Training, asked: Asked) -> Decision:
    """Training and visitors never meet: it begins only while no tickets are given and nobody is left from before."""
    if command.on == asked.book.training:
        raise Refused("training_already" if command.on else "not_training")
    if not command.on:
        return Decision(end_training(asked), {"training": False})
    if asked.standing.open and not asked.book.closed:
        raise Refused("visitors_first")
    if any(ticket.state in _BUSY for ticket in asked.book.tickets.values()):
        raise Refused("queue_not_empty")
    return Decision((ev.TrainingStarted(),), {"training": True})


def promise_repair(command: cmd.PromiseRepair, asked: Asked) -> Decision:
    until = asked.later(command.until)
    if command.device not in asked.book.devices:
        raise Refused("unknown_device", {"device": command.device, "known": ", ".join(sorted(asked.book.devices)) or "-"})
    event = ev.RepairPromised(device=command.device, until=until, reason=command.reason)
    return Decision((event,), {"device": command.device, "until": until.isoformat()})


def note(command: cmd.Note, _: Asked) -> Decision:
    return Decision((ev.NoteWritten(text=command.text),), {})


def report_paper(command: cmd.ReportPaper, asked: Asked) -> Decision:
    ticket = asked.book.tickets.get(command.ticket)
    if ticket is None:
        raise Refused("unknown_ticket", {"ticket": command.ticket})
    if command.outcome == "printed":
        return Decision((ev.TicketPrinted(**about(ticket), device=command.device, reprint=command.reprint),))
    told = {**about(ticket), "device": command.device, "detail": command.detail}
    if command.outcome == "failed":
        return Decision((ev.TicketPrintFailed(**told),))
    return Decision((ev.TicketPrintUncertain(**told, unconfirmed=command.outcome == "unconfirmed"),))


_HEALTH: dict[str, type[ev.DeviceEvent]] = {"ok": ev.DeviceWentUp, "degraded": ev.DeviceDegraded, "down": ev.DeviceWentDown}


def report_device(command: cmd.ReportDevice, asked: Asked) -> Decision:
    known = asked.book.devices.get(command.device)
    if known is not None and (known.state, known.code, known.detail) == (command.state, command.code, command.detail):
        return Decision()
    return Decision((_HEALTH[command.state](device=command.device, code=command.code, detail=command.detail),))
