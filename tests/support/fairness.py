"""Domain section 5 once more, in its own words and from the events alone: what ``kiosd.queue.lines`` is compared with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kiosd.queue import events as ev
from kiosd.queue.events import Event
from kiosd.queue.model import Ticket, TicketState


@dataclass(frozen=True)
class Next:
    """Who is next in one line, by the one rule that makes it so. ``run``: priority calls in a row before it."""

    ticket: Ticket
    why: str
    run: int


@dataclass
class Fairness:
    """What was called in each line and stood: (ticket, priority, in order), oldest first. ``needs``: calls that must go before."""

    ratio: int = 2
    calls: dict[str, list[tuple[str, bool, bool]]] = field(default_factory=dict)
    needs: dict[str, int] = field(default_factory=dict)
    before_training: dict[str, list[tuple[str, bool, bool]]] = field(default_factory=dict)

    def made(self, service: str) -> list[tuple[str, bool, bool]]:
        return self.calls.setdefault(service, [])

    def see(self, event: Event, priority: bool = False) -> None:
        """Take note of ``event``; ``priority`` is that of its ticket when it happened."""
        match event:
            case ev.DayOpened():
                self.calls, self.needs = {}, {}
            case ev.TrainingStarted():
                self.before_training, self.calls = self.calls, {}
            case ev.TrainingEnded():
                self.calls = self.before_training
            case ev.TicketCalled():
                self.made(event.service).append((event.ticket, priority, event.out_of_order is None))
            case ev.TicketCallUndone():
                made = self.made(event.service)
                del made[max(index for index, call in enumerate(made) if call[0] == event.ticket)]
            case ev.TicketReadmitted():
                self.needs[event.ticket] = len(self.made(event.service)) + event.behind
            case ev.TicketTransferred():
                self.needs.pop(event.ticket, None)

    def run(self, service: str) -> int:
        """Priority calls in a row: those since the last regular one, calls out of order left out."""
        in_order = [priority for _, priority, in_order in self.made(service) if in_order]
        return next((n for n, priority in enumerate(reversed(in_order)) if not priority), len(in_order))

    def next_of(self, service: str, everybody: Iterable[Ticket]) -> Next | None:
        """Who is next of those in ``service``'s line."""
        line = sorted((one for one in everybody if one.service == service and one.state is TicketState.WAITING), key=lambda one: one.turn)
        run, made = self.run(service), len(self.made(service))
        ready = [one for one in line if self.needs.get(one.uid, 0) <= made]
        priority = next((one for one in ready if one.priority), None)
        regular = next((one for one in ready if not one.priority), None)
        if priority and regular:
            return Next(priority, "priority", run) if run < self.ratio else Next(regular, "regular_turn", run)
        if priority or regular:
            return Next(priority, "priority_alone", run) if priority else Next(regular, "regular", run) if regular else None
        held = sorted(line, key=lambda one: (self.needs[one.uid], one.turn))
        return Next(held[0], "nobody_else", run) if held else None

    def next_at(self, services: Sequence[str], order: str, everybody: Sequence[Ticket]) -> tuple[str, Next] | None:
        """Who is next at a counter, and what made it so among its services: ``only``, ``oldest`` or ``first_service``."""
        heads = [one for service in services if (one := self.next_of(service, everybody))]
        if not heads:
            return None
        if order == "strict":
            return ("only" if len(heads) == 1 else "first_service"), heads[0]
        return ("only" if len(heads) == 1 else "oldest"), min(heads, key=lambda one: one.ticket.turn)
