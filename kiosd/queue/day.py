"""The business date: when it opens, when it closes, and what closing does (domain sections 3, 4 and 6). Pure."""

from datetime import date

from kiosd.clock import Moment, ran_on
from kiosd.queue import events as ev
from kiosd.queue import hours
from kiosd.queue.asked import Asked, about
from kiosd.queue.book import Book
from kiosd.queue.events import Event
from kiosd.queue.model import TicketState, allowed
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
        closing = () if book.closed else close_day(asked)
        return (*closing, ev.DayOpened(date=today.isoformat()))
    close = hours.day_close(settings.hours, day, asked.local)
    return close_day(asked) if not book.closed and close is not None and asked.local >= close else ()


def close_day(asked: Asked) -> tuple[Event, ...]:
    events: list[Event] = []
    for ticket in sorted(asked.book.tickets.values(), key=lambda one: one.order):
        row = allowed("close_day", ticket.state)
        if row is None:
            continue
        if row.after is TicketState.FINISHED:
            events.append(ev.TicketFinished(**about(ticket), counter=ticket.counter or 0, by_system=True))
        else:
            events.append(ev.TicketExpired(**about(ticket)))
    finished = sum(isinstance(event, ev.TicketFinished) for event in events)
    return (*events, ev.DayClosed(date=asked.book.date, expired=len(events) - finished, finished_by_system=finished))
