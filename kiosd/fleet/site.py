"""A made-up site: visits that come and go, as the real events of a real stream. Nobody in it is a person."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from kiosd.clock import Clock, Moment
from kiosd.links.base import Message
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.topics import Topics
from kiosd.queue.events import Event, Record, TicketCalled, TicketFinished, TicketIssued, TicketPrinted, TicketStarted

NODE = "hub"
PLACE = "fleet"
SERVICES = "ABCDEFG"
NUMBERS = 999  # of a service in a day


def name(index: int) -> str:
    """``sim-0001``, ``sim-0002`` ...: nobody takes them for offices."""
    return f"sim-{index + 1:04d}"


def visits(site: str, clock: Clock) -> Iterator[Event]:
    """One visitor after the other, for ever: number, paper, call, service, end."""
    for turn in count():
        service, n = SERVICES[turn // NUMBERS % len(SERVICES)], turn % NUMBERS + 1
        number, date = f"{service}{n:03d}", clock.now().time.date().isoformat()
        ticket: dict[str, Any] = {"ticket": f"{site.upper()}-{date}-{number}", "number": number, "service": service, "place": PLACE}
        yield TicketIssued(**ticket, date=date, n=n, ahead=0, wait_low_min=0, wait_high_min=5)
        yield TicketPrinted(**ticket, device="printer")
        yield TicketCalled(**ticket, counter=1)
        yield TicketStarted(**ticket, counter=1, identity="manual")
        yield TicketFinished(**ticket, counter=1)


@dataclass(eq=False)
class Owed:
    """An event that no broker has acknowledged. ``due``: when it was to happen, by the loop's clock."""

    record: Record
    due: float


@dataclass(eq=False)
class Site:
    """One site: its stream, its events that are not answered, oldest first, and the numbers of those that were refused."""

    topics: Topics
    clock: Clock
    stream: str = field(default_factory=lambda: str(uuid4()))
    sequence: int = 0
    owed: dict[int, Owed] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._events = visits(self.topics.site, self.clock)

    def happen(self, due: float) -> Owed:
        """The next event of the stream: owed from now on."""
        self.sequence += 1
        one = Owed(Record(self.sequence, self.clock.now(), next(self._events), ""), due)
        self.owed[self.sequence] = one
        return one

    def message(self, one: Owed) -> Message:
        """``one`` as it goes out now."""
        now: Moment = self.clock.now()
        return event_message(one.record, self.topics, self.stream, now)
