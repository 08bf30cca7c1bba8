"""Today's tickets and counters in memory: what ``fold`` makes of today's events, and nothing else. Pure: no I/O, no clock of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kiosd.clock import Moment
from kiosd.queue.model import Closure, Counter, DeviceHealth, Line, Repair, Ticket


@dataclass(frozen=True, slots=True)
class Book:
    """The day as events tell it.

    ``last`` is the moment of the newest event. ``believed`` is the newest moment whose date can be trusted: its clock was
    synchronised, or it ran on from one that was believed; a jump of an unsynchronised clock is not (domain section 4).
    """

    date: str = ""
    closed: bool = False
    seq: int = 0
    last: Moment | None = None
    believed: Moment | None = None
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    counters: Mapping[int, Counter] = field(default_factory=dict)
    devices: Mapping[str, DeviceHealth] = field(default_factory=dict)
    repairs: Mapping[str, Repair] = field(default_factory=dict)
    closure: Closure | None = None
    training: bool = False
    places: Mapping[str, str] = field(default_factory=dict)
    """The last ticket issued at each button, by place."""
    aside: Mapping[str, Line] = field(default_factory=dict)
    """The lines as they were when the training that is on began."""
    opened: int = 0
    """The event that opened the day."""
    by_hand: frozenset[str] = frozenset()
    """Services of which the system booked numbers for hand-written tickets since a slip last came out."""

    def counter(self, number: int) -> Counter:
        """The counter's state today; a counter that did nothing yet is closed."""
        return self.counters.get(number) or Counter(number)

    def changed(self, number: int) -> int:
        """The event since which a counter is as it is: what was seen of it before is out of date."""
        return max(self.counter(number).changed, self.opened)

    def line(self, service: str) -> Line:
        """The service's line today."""
        return self.lines.get(service) or Line()

    def at(self, counter: int) -> Ticket | None:
        """The ticket that is called to or served at a counter."""
        uid = self.counter(counter).ticket
        return self.tickets[uid] if uid else None

    def by_number(self, number: str) -> Ticket | None:
        """Today's ticket with that number; in a training, the training's."""
        same = (ticket for ticket in self.tickets.values() if ticket.number == number and ticket.training == self.training)
        return next(same, None)
