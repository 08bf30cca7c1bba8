"""The book as others see it: one ``Snapshot``. Pure."""

from datetime import datetime

from kiosd.clock import Moment
from kiosd.queue import hours, texts
from kiosd.queue.book import Book
from kiosd.queue.interface import CounterView, DeviceView, ServiceView, Snapshot, TicketView
from kiosd.queue.model import FINAL, CounterState, DeviceHealth, PrintState, Ticket, TicketState
from kiosd.queue.ratings import window_open
from kiosd.queue.settings import QueueSettings

_OWED = {PrintState.QUEUED, PrintState.FAILED}


def snapshot(book: Book, now: Moment, settings: QueueSettings, stream: str) -> Snapshot:
    """The day after ``book``'s last event, as it stands at ``now``."""
    local = now.time.astimezone(settings.site.zone)
    standing = hours.standing(settings.hours, local)
    open_ = standing.open and not book.closed
    message = hours.explain(settings, standing, local)
    if standing.open and book.closed:
        message = texts.say("day_closed", settings.site.language, {"date": book.date})
    return Snapshot(
        sequence=book.seq,
        stream=stream,
        date=book.date,
        zone=settings.site.timezone,
        time=now.time,
        clock="synced" if now.synced else "unsynced",
        open=open_,
        message=message,
        opens_at=standing.opens_at.isoformat() if standing.opens_at else None,
        services=tuple(_service(book, settings, letter) for letter in settings.services),
        counters=tuple(_counter(book, settings, number, now.time) for number in sorted(settings.counters)),
        tickets=tuple(_ticket(one) for one in book.tickets.values() if _shown(one)),
        devices=tuple(_device(name, health) for name, health in sorted(book.devices.items())),
    )


def _device(name: str, health: DeviceHealth) -> DeviceView:
    return DeviceView(device=name, state=health.state, code=health.code, detail=health.detail, since=health.since, rev=health.seq)


def _shown(ticket: Ticket) -> bool:
    return ticket.state not in FINAL or ticket.paper in _OWED


def _service(book: Book, settings: QueueSettings, letter: str) -> ServiceView:
    service, line = settings.services[letter], book.line(letter)
    return ServiceView(
        service=letter, name=service.name, short=service.short, enabled=service.enabled,
        waiting=line.waiting, issued=line.issued, last_called=line.last_called,
    )  # fmt: skip


def _counter(book: Book, settings: QueueSettings, number: int, now: datetime) -> CounterView:
    counter, ticket = book.counter(number), book.at(number)
    ended = book.tickets[counter.rateable] if counter.rateable else None
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
    )


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
        priority=ticket.priority, counter=ticket.counter, paper=ticket.paper, ahead=ticket.ahead,
    )  # fmt: skip
