"""The business date: when it opens, when it closes, and what closing does (domain sections 3, 4 and 6). Pure."""

from datetime import date

from kiosd.clock import Moment, ran_on
from kiosd.queue import events as ev
from kiosd.queue import hours
from kiosd.queue.asked import Asked, about
from kiosd.queue.book import Book
from kiosd.queue.events import Event
from kiosd.queue.model import FINAL, CounterState, TicketState, allowed
from kiosd.queue.settings import QueueSettings


def due(book: Book, now: Moment, settings: QueueSettings) -> tuple[Event, ...]:
    """Day close and day opening, when it is time. An unsynchronised clock that jumped does neither (domain section 4)."""
    asked = Asked(book, now, settings)
    today = asked.local.date()
    if not book.date:
        return (ev.DayOpened(date=today.isoformat()),)
    if not (now.synced or (book.believed is not None and ran_on(now, book.believed))):
        return ()
    day = date.fromisoformat(book.date)
    if today > day:
        closing = _over(asked) if book.closed else close_day(asked)
        return (*closing, ev.DayOpened(date=today.isoformat(), carried=_carried(asked)))
    if book.training and not book.closed and asked.standing.open:
        return end_training(asked)  # visitors may come in: from now on tickets count
    close = None if book.closed else hours.day_close(settings, day)
    return close_day(asked) if close is not None and asked.local >= close else ()


def _carried(asked: Asked) -> ev.Carried | None:
    """What holds over midnight: a closure that is not over, repairs that were promised, and how the devices are."""
    closure, now = asked.book.closure, asked.now.time
    if closure is not None and closure.until is not None and closure.until <= now:
        closure = None
    repairs = {device: (repair.until, repair.reason) for device, repair in asked.book.repairs.items()}
    devices: dict[str, ev.CarriedDevice] = {
        device: (one.state, one.code, one.detail, one.since, one.seq) for device, one in asked.book.devices.items()
    }
    if closure is None:
        return ev.Carried(repairs=repairs, devices=devices) if repairs or devices else None
    return ev.Carried(
        suspended_since=closure.since, suspended_until=closure.until, suspended_reason=closure.reason, repairs=repairs, devices=devices
    )  # fmt: skip


def close_day(asked: Asked) -> tuple[Event, ...]:
    """End the business date: a training first, then what still waits expires and what is being served is finished."""
    ended = _over(asked)
    events: list[Event] = []
    for ticket in sorted(asked.book.tickets.values(), key=lambda one: one.order):
        row = allowed("close_day", ticket.state)
        if row is None or ticket.training:
            continue
        if row.after is TicketState.FINISHED:
            events.append(ev.TicketFinished(**about(ticket), counter=ticket.counter or 0, by_system=True))
        else:
            events.append(ev.TicketExpired(**about(ticket)))
    finished = sum(isinstance(event, ev.TicketFinished) for event in events)
    closed = ev.DayClosed(date=asked.book.date, expired=len(events) - finished, finished_by_system=finished)
    return (*ended, *events, closed)


def _over(asked: Asked) -> tuple[Event, ...]:
    return end_training(asked) if asked.book.training else ()


def end_training(asked: Asked) -> tuple[Event, ...]:
    """Nothing of a training is left standing, no counter either when the day was closed before it."""
    events: list[Event] = []
    for ticket in asked.book.tickets.values():
        if not ticket.training or ticket.state in FINAL:
            continue
        if ticket.state is TicketState.SERVING:
            events.append(ev.TicketFinished(**about(ticket), counter=ticket.counter or 0, by_system=True))
        else:
            events.append(ev.TicketCancelled(**about(ticket), reason="latihan"))
    left = [one.number for one in asked.book.counters.values() if asked.book.closed and one.state is not CounterState.CLOSED]
    return (*events, *(ev.CounterClosed(counter=number) for number in left), ev.TrainingEnded())
