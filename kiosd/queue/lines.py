"""Who is next (domain section 5): fair and explainable. Pure."""

from kiosd.queue.asked import Asked
from kiosd.queue.model import Ticket


def head(asked: Asked, service: str) -> Ticket | None:
    """Who is next in one service's line: priority while fewer than k priority calls in a row, else regular (domain section 5)."""
    line = asked.book.line(service)
    take_priority = line.priority and (line.run < asked.settings.rules.priority_ratio or not line.regular)
    chosen = line.priority if take_priority else line.regular
    return asked.book.tickets[chosen[0]] if chosen else None


def pick(asked: Asked, counter: int) -> Ticket | None:
    """Who is next for a counter: the oldest head of its services, or the first service that has anybody (``strict``)."""
    serves = asked.settings.counters[counter]
    heads = [ticket for service in serves.services if (ticket := head(asked, service)) is not None]
    if not heads:
        return None
    return heads[0] if serves.order == "strict" else min(heads, key=lambda one: (one.issued_at, one.order))
