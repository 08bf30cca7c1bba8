"""``kiosd queue --explain``: who is next and why, in words (domain section 5). Pure."""

from itertools import islice

from kiosd.errors import Refused
from kiosd.queue import texts
from kiosd.queue.book import Book
from kiosd.queue.interface import Forecast, PlaceView
from kiosd.queue.lines import Choice, forecast
from kiosd.queue.settings import QueueSettings

NEXT = 10  # issue 3: "says for each of the next ten why it stands there"


def forecasts(book: Book, settings: QueueSettings, counter: int | None = None, service: str = "") -> tuple[Forecast, ...]:
    """For one counter or one service; else for every counter. ``Refused`` when there is no such one."""
    if service:
        if service not in settings.services:
            raise Refused("unknown_service", {"service": service})
        return (_forecast(book, settings, (service,), "oldest", service=service),)
    if counter is not None and counter not in settings.counters:
        raise Refused("unknown_counter", {"counter": counter})
    numbers = sorted(settings.counters) if counter is None else [counter]
    return tuple(_forecast(book, settings, settings.counters[n].services, settings.counters[n].order, counter=n) for n in numbers)


def _forecast(
    book: Book, settings: QueueSettings, services: tuple[str, ...], order: str, counter: int | None = None, service: str = ""
) -> Forecast:  # fmt: skip
    choices = islice(forecast(book.lines, book.tickets, services, order, settings.rules.priority_ratio), NEXT)
    return Forecast(
        counter=counter,
        service=service,
        waiting=sum(book.line(letter).waiting for letter in services),
        places=tuple(_place(settings, position, choice) for position, choice in enumerate(choices, start=1)),
    )


def _place(settings: QueueSettings, position: int, choice: Choice) -> PlaceView:
    ticket, rules, site = choice.ticket, settings.rules, settings.site
    facts: dict[str, object] = {
        "run": choice.run,
        "next_run": choice.run + 1,
        "ratio": rules.priority_ratio,
        "behind": rules.readmit_behind,
        "service": ticket.service,
        "came_from": ticket.came_from,
        "time": texts.official_time(ticket.issued_at.astimezone(site.zone), site.timezone),
        "since": texts.official_time(ticket.turn[0].astimezone(site.zone), site.timezone),
    }
    return PlaceView(
        position=position, number=ticket.number, service=ticket.service, priority=ticket.priority, issued_at=ticket.issued_at,
        codes=choice.why, why=texts.why(choice.why, site.language, facts),
    )  # fmt: skip
