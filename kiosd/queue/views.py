"""The book as others see it: one ``Snapshot``. Pure."""

from datetime import datetime

from kiosd.clock import Moment
from kiosd.queue import hours
from kiosd.queue.asked import Asked
from kiosd.queue.book import Book
from kiosd.queue.interface import CounterView, DeviceView, ServiceView, Snapshot, TicketView
from kiosd.queue.issuing import expected_wait
from kiosd.queue.model import FINAL, Counter, CounterState, DeviceHealth, PrintState, Repair, Ticket, TicketState
from kiosd.queue.ratings import window_open
from kiosd.queue.settings import QueueSettings
from kiosd.queue.words import announcement

_OWED = {PrintState.QUEUED, PrintState.FAILED}


def snapshot(book: Book, now: Moment, settings: QueueSettings, stream: str) -> Snapshot:
    """The day after ``book``'s last event, as it stands at ``now``."""
    asked = Asked(book, now, settings)
    standing = asked.standing
    open_ = standing.open and not book.closed and not book.training
    message, opens = hours.explain(settings, standing, asked.local), standing.opens_at
    if standing.open and book.closed:
        message, opens = asked.over_for_today("day_closed", {"date": book.date}), asked.tomorrow
    return Snapshot(
        sequence=book.seq,
        stream=stream,
        date=book.date,
        zone=settings.site.timezone,
        time=now.time,
        clock="synced" if now.synced else "unsynced",
        open=open_,
        message=message,
        opens_at=opens.isoformat() if opens else None,
        why=_why_not(standing.code, book.closed),
        max_calls=settings.rules.max_calls,
        training=book.training,
        calendar_missing=hours.missing_years(settings, asked.local),
        services=tuple(_service(asked, letter) for letter in settings.services),
        counters=tuple(_counter(asked, number) for number in sorted(settings.counters)),
        tickets=tuple(_ticket(one) for one in book.tickets.values() if _shown(one)),
        devices=tuple(_device(name, health, book.repairs.get(name)) for name, health in sorted(book.devices.items())),
    )


def _why_not(code: str, day_closed: bool) -> str:
    if code != "open":
        return code
    return "day_closed" if day_closed else ""


def _device(name: str, health: DeviceHealth, repair: Repair | None) -> DeviceView:
    return DeviceView(
        device=name, state=health.state, code=health.code, detail=health.detail, since=health.since, rev=health.seq,
        repair_until=repair.until if repair else None, repair_reason=repair.reason if repair else "",
    )  # fmt: skip


def _shown(ticket: Ticket) -> bool:
    return ticket.state not in FINAL or ticket.paper in _OWED


def _service(asked: Asked, letter: str) -> ServiceView:
    service, line = asked.settings.services[letter], asked.book.line(letter)
    wait = expected_wait(asked, letter, line.waiting)
    return ServiceView(
        service=letter, name=service.name, short=service.short, enabled=service.enabled, waiting=line.waiting, issued=line.issued,
        last_called=line.last_called, quota=service.quota, wait_low_min=wait.low_min if wait else None,
        wait_high_min=wait.high_min if wait else None, unlikely=bool(wait and wait.unlikely),
    )  # fmt: skip


def _counter(asked: Asked, number: int) -> CounterView:
    book, settings, now = asked.book, asked.settings, asked.now.time
    counter, ticket = book.counter(number), book.at(number)
    ended = book.tickets[counter.rateable] if counter.rateable else None
    called = ticket is not None and ticket.state is TicketState.CALLED
    return CounterView(
        counter=number,
        state=counter.state,
        services=settings.counters[number].services,
        ticket=ticket.uid if ticket else "",
        number=ticket.number if ticket else "",
        service=ticket.service if ticket else "",
        calls=ticket.calls if ticket else 0,
        since=_since(ticket, counter.state),
        rateable=ended.number if ended and _unrated(ended) and window_open(ended, now, settings.rules) else "",
        undo=_undo(asked, counter, ticket),
        spoken=announcement(ticket.number, number, settings.site.language) if ticket and called else "",
    )


def _undo(asked: Asked, counter: Counter, ticket: Ticket | None) -> str:
    rules = asked.settings.rules
    if ticket is not None and ticket.state is TicketState.CALLED:
        return "undo_call" if asked.since(ticket.calling_since) <= rules.undo_call_s else ""
    if ticket is not None:
        return "undo_start" if asked.since(ticket.started_at) <= rules.undo_start_s else ""
    ended = asked.book.tickets[counter.ended] if counter.ended and counter.open else None
    return "undo_finish" if ended and asked.since(ended.ended_at) <= rules.undo_finish_s else ""


def _unrated(ticket: Ticket) -> bool:
    """Not rated yet, or by two buttons at once, which counts for nothing."""
    return ticket.rating is None or ticket.rating.score is None


def _since(ticket: Ticket | None, state: CounterState) -> datetime | None:
    if ticket is None:
        return None
    return ticket.started_at if state is CounterState.SERVING else ticket.called_at


def _ticket(ticket: Ticket) -> TicketView:
    return TicketView(
        ticket=ticket.uid, number=ticket.number, service=ticket.service, state=TicketState(ticket.state), issued_at=ticket.issued_at,
        priority=ticket.priority, counter=ticket.counter, paper=ticket.paper, ahead=ticket.ahead, training=ticket.training,
        wait_low_min=ticket.wait_low_min, wait_high_min=ticket.wait_high_min, unlikely=ticket.unlikely,
    )  # fmt: skip
