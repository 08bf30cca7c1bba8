"""Where a made-up day happens, and how its people are. The same for the same seed.

Rule 1  Everybody has dice of their own, from seed, day and name: what one does changes nobody else's throws.
Rule 2  Everybody looks at the queue as people do and asks what a button or a key asks; the rules decide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from kiosd.config import CounterSettings
from kiosd.queue.book import Book
from kiosd.queue.hours import Span, opening
from kiosd.queue.model import Ticket, TicketState
from kiosd.queue.settings import QueueSettings
from kiosd.scenario.parse import Crowd
from kiosd.scenario.timeline import Act

LOAD = 0.82
"""Share of the opening hours in which officers are busy."""
BESIDE_S = 22.0
"""What a visit takes besides its service: the walk to the counter, the next call."""
SHORTEST_S, LONGEST_S = 15.0, 600.0
"""Of mean services: what is possible at all, and the prior of domain section 7."""


@dataclass(frozen=True, slots=True)
class Scene:
    """``book`` and ``local`` (the site's time) are as of now; ``spawn`` lets somebody else act from now on, under a name of their own."""

    settings: QueueSettings
    desks: Mapping[int, CounterSettings]
    day: date
    crowd: Crowd
    book: Callable[[], Book]
    local: Callable[[], datetime]
    spawn: Callable[[str, Act], None]

    def dice(self, who: str) -> Random:
        """The dice of one person."""
        return Random(f"{self.crowd.seed}/{self.day}/{who}")  # noqa: S311 - a play, and the same one each time

    def until(self, then: datetime) -> float:
        """Seconds from now to ``then``; 0 when it is over."""
        return max(0.0, (then - self.local()).total_seconds())

    def works(self, device: str | None) -> bool:
        """Whether people use a device: unless it is known to be down. One that the configuration leaves out they are given."""
        health = self.book().devices.get(device or "")
        return health is None or health.state != "down"

    def in_state(self, uid: str, state: TicketState) -> Ticket | None:
        """The ticket, if it is in that state and the day is not over."""
        book = self.book()
        ticket = book.tickets.get(uid)
        return ticket if ticket is not None and ticket.state is state and not book.closed else None

    @property
    def sessions(self) -> tuple[Span, ...]:
        """The day's sessions, local time."""
        return opening(self.settings, self.day)

    @property
    def windows(self) -> list[Span]:
        """The sessions, less the time before the end in which no tickets are given."""
        last = self.sessions[-1][1] - timedelta(minutes=self.settings.hours.last_ticket_min)
        return [(begin, min(end, last)) for begin, end in self.sessions if begin < last]

    @property
    def counters(self) -> dict[int, tuple[str, ...]]:
        """Counter -> the offered services that it serves."""
        offered = {letter for letter, service in self.settings.services.items() if service.enabled}
        serves = {number: offered.intersection(counter.services) for number, counter in sorted(self.settings.counters.items())}
        return {number: tuple(sorted(letters)) for number, letters in serves.items() if letters}

    @property
    def mean_service_s(self) -> float:
        """How long a service takes, so that the counters can serve the crowd within the hours."""
        seconds = sum((end - begin).total_seconds() for begin, end in self.sessions)
        return min(max(LOAD * seconds * len(self.counters) / self.crowd.count - BESIDE_S, SHORTEST_S), LONGEST_S)
