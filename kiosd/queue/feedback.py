"""What comes from a visitor at a counter: the card, the rating, the survey. Rules; pure."""

from datetime import timedelta

from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import ratings
from kiosd.queue.asked import Asked, Decision, about, told
from kiosd.queue.events import Event
from kiosd.queue.model import Ticket, TicketState


def scan(command: cmd.AttachScan, asked: Asked) -> Decision:
    asked.counter(command.counter)
    ticket = asked.book.at(command.counter)
    if ticket is None:
        return Decision((ev.ScanUnattached(counter=command.counter),), {"counter": command.counter, "ticket": None})
    read: list[Event] = [ev.ScanRead(**about(ticket), counter=command.counter, token=command.token)]
    if ticket.state is TicketState.CALLED:
        read.append(ev.TicketStarted(**about(ticket), counter=command.counter, identity="card"))
    return Decision(tuple(read), told(ticket, counter=command.counter))


def reject_scan(command: cmd.RejectScan, asked: Asked) -> Decision:
    asked.counter(command.counter)
    return Decision((ev.ScanRejected(counter=command.counter, reason=command.reason),))


def _rateable(number: int, asked: Asked) -> Ticket | None:
    uid = asked.counter(number).rateable
    return asked.book.tickets[uid] if uid else None


def rate(command: cmd.Rate, asked: Asked) -> Decision:
    counter, ticket = asked.counter(command.counter), _rateable(command.counter, asked)
    pressed = asked.now.time - timedelta(seconds=command.age_s)
    event = ratings.attribute(counter, ticket, command.score, pressed, asked.settings.rules)
    return Decision((event,), {"counter": command.counter, "score": command.score, "outcome": event.type.removeprefix("rating.")})


def invite(command: cmd.Invite, asked: Asked) -> Decision:
    asked.counter(command.counter)
    ticket = asked.book.at(command.counter)
    if ticket is None or ticket.state is not TicketState.SERVING:
        raise Refused("nobody_served", {"counter": command.counter})
    if ticket.invited_at is not None:
        raise Refused("invited_already", {"number": ticket.number})
    return Decision((ev.RatingInvited(**about(ticket), counter=command.counter),), told(ticket, counter=command.counter))


def survey(command: cmd.Survey, asked: Asked) -> Decision:
    """Answers belong to a visit as a press does; a visit answers once, and what matches none is kept but belongs to nobody."""
    ticket = _rateable(command.counter, asked)
    answered = asked.now.time - timedelta(seconds=command.age_s)
    if ticket is not None and not ratings.in_window(ticket, answered, asked.settings.rules):
        ticket = None
    if ticket is not None and ticket.surveyed:
        raise Refused("surveyed_already", {"number": ticket.number})
    training = ticket.training if ticket else asked.book.training
    uid = ticket.uid if ticket else None
    event = ev.SurveyAnswered(counter=command.counter, answers=command.answers, ticket=uid, training=training)
    return Decision((event,), {"counter": command.counter, "ticket": uid, "answers": len(command.answers)})
