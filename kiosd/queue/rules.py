"""What happens when somebody asks for something: ``decide(command, book, now, settings) -> Decision`` or ``Refused``.

Rule 1  Pure: the same command on the same book at the same moment gives the same events. No I/O, no clock of its own.
Rule 2  A refused command changes nothing; the queue records the refusal.
Rule 3  ``day.due`` comes before every command: it opens and closes the business date when it is time.
Rule 4  Every event names the role that asked and the place it came from; a role that a command does not list is refused.
"""

from collections.abc import Callable
from typing import Any

from kiosd.clock import Moment
from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import feedback, issuing, serving, site
from kiosd.queue.asked import Asked, Decision
from kiosd.queue.book import Book
from kiosd.queue.commands import Command
from kiosd.queue.events import Event
from kiosd.queue.settings import QueueSettings


def decide(command: Command, book: Book, now: Moment, settings: QueueSettings) -> Decision:
    """The events that ``command`` makes, or ``Refused`` with a code of ``texts.TEXTS``."""
    if command.by not in command.may:
        raise Refused("not_allowed", {"command": command.name, "actor": command.by})
    _check_in_time(command, book)
    decision = _RULES[type(command)](command, Asked(book, now, settings))
    if command.by == "system":
        return decision
    return Decision(tuple(signed(event, command) for event in decision.events), decision.result, decision.code)


def _check_in_time(command: Command, book: Book) -> None:
    """``Refused`` when the command came too late, or when its counter is not any more as the person saw it."""
    if command.late:
        raise Refused("expired")
    number = getattr(command, "counter", None)
    if command.seen is not None and isinstance(number, int) and book.changed(number) > command.seen:
        raise Refused("stale", {"counter": number})


def signed(event: Event, command: Command) -> Event:
    """``event`` with the role that asked for it and the place it came from."""
    return event.model_copy(update={"actor": command.by, "place": command.place})


_RULES: dict[type[Command], Callable[[Any, Asked], Decision]] = {
    cmd.IssueTicket: issuing.issue,
    cmd.ReserveNumbers: issuing.reserve,
    cmd.EnterTicket: issuing.enter,
    cmd.ReprintTicket: issuing.reprint,
    cmd.SetPriority: issuing.priority,
    cmd.SetCategory: issuing.category,
    cmd.Readmit: issuing.readmit,
    cmd.CancelTicket: issuing.cancel,
    cmd.VoidTicket: issuing.void,
    cmd.CallNext: serving.call_next,
    cmd.CallTicket: serving.call_ticket,
    cmd.Recall: serving.recall,
    cmd.Start: serving.start,
    cmd.MarkAbsent: serving.absent,
    cmd.UndoCall: serving.undo_call,
    cmd.UndoStart: serving.undo_start,
    cmd.UndoFinish: serving.undo_finish,
    cmd.Finish: serving.finish,
    cmd.Transfer: serving.transfer,
    cmd.Refer: serving.refer,
    cmd.Rate: feedback.rate,
    cmd.Invite: feedback.invite,
    cmd.Survey: feedback.survey,
    cmd.AttachScan: feedback.scan,
    cmd.RejectScan: feedback.reject_scan,
    cmd.OpenCounter: site.open_counter,
    cmd.PauseCounter: site.pause_counter,
    cmd.CloseCounter: site.close_counter,
    cmd.Suspend: site.suspend,
    cmd.Resume: site.resume,
    cmd.Training: site.training,
    cmd.PromiseRepair: site.promise_repair,
    cmd.Note: site.note,
    cmd.CloseDay: site.end_day,
    cmd.ReportPaper: site.report_paper,
    cmd.ReportDevice: site.report_device,
    cmd.ReportRefusal: lambda command, _: Decision((ev.CommandRefused(**_fields(command)),)),
    cmd.ReportQuarantine: lambda command, _: Decision((ev.Quarantined(**_fields(command)),)),
    cmd.Tick: lambda _, asked: Decision(),
    cmd.ReportStart: lambda command, _: Decision((ev.SystemStarted(version=command.version, config_hash=command.config_hash),)),
    cmd.ReportStop: lambda _command, _: Decision((ev.SystemStopped(),)),
    cmd.SealDay: lambda command, _: Decision((ev.DaySealed(**_fields(command)),)),
    cmd.EraseTokens: lambda command, _: Decision((ev.TokensErased(**_fields(command)),)),
}


def _fields(command: Command) -> dict[str, Any]:
    return command.model_dump(exclude=set(Command.model_fields))


def refusal(command: Command, code: str, message: str, facts: dict[str, Any]) -> Event:
    """The event that records a refused command: nothing is dropped silently."""
    told: dict[str, Any] = {"code": code, "message": message, "actor": command.by, "place": command.place}
    if isinstance(command, cmd.IssueTicket):
        return ev.TicketRefused(service=command.service, opens_at=facts.get("opens_at"), **told)
    number = getattr(command, "counter", None)
    if isinstance(number, int):
        return ev.CounterRefused(counter=number, command=command.name, **told)
    return ev.CommandRefused(source="queue", command=command.name, **told)
