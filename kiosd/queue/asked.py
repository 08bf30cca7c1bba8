"""What every rule is given and gives back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kiosd.clock import Moment
from kiosd.errors import Refused
from kiosd.queue.book import Book
from kiosd.queue.events import Event
from kiosd.queue.model import Counter, Ticket, allowed
from kiosd.queue.settings import QueueSettings


@dataclass(frozen=True, slots=True)
class Decision:
    """The events of a command that was granted and what its reply tells. ``code`` is ``empty`` when nobody was left to call."""

    events: tuple[Event, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything a rule may look at."""

    book: Book
    now: Moment
    settings: QueueSettings

    @property
    def local(self) -> datetime:
        """Now, in the site's zone."""
        return self.now.time.astimezone(self.settings.site.zone)

    def counter(self, number: int) -> Counter:
        """The counter as it is; ``Refused`` when the site has none of that number."""
        if number not in self.settings.counters:
            raise Refused("unknown_counter", {"counter": number})
        return self.book.counter(number)


def about(ticket: Ticket) -> dict[str, Any]:
    return {"ticket": ticket.uid, "number": ticket.number, "service": ticket.service}


def told(ticket: Ticket, **more: Any) -> dict[str, Any]:
    return {**about(ticket), "priority": ticket.priority, **more}


def step(command: str, ticket: Ticket) -> None:
    """``Refused`` unless the table lets ``command`` move this ticket."""
    if allowed(command, ticket.state) is None:
        raise Refused("wrong_state", {"number": ticket.number, "state": ticket.state.value, "command": command})
