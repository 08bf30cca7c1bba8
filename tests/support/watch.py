"""Watches a site's events one by one, and says what must hold after each (domain section 3, invariants)."""

from collections import Counter as Tally
from dataclasses import dataclass, field, replace
from datetime import datetime

from kiosd.queue import events as ev
from kiosd.queue.book import Book
from kiosd.queue.commands import CALL_REASONS
from kiosd.queue.events import Event, Record
from kiosd.queue.explain import forecasts
from kiosd.queue.fold import fold
from kiosd.queue.model import FINAL, TRANSITIONS, CounterState, TicketState
from kiosd.queue.settings import HoursSettings, QueueSettings
from kiosd.redact import PLAIN
from support.fairness import Fairness
from support.site import settings

MOVES = {(row.before, row.event): row.after for row in TRANSITIONS}
REFUSALS = (ev.TicketRefused, ev.CounterRefused, ev.CommandRefused)
ACTIVE = frozenset({TicketState.CALLED, TicketState.SERVING})


def mixed_site() -> QueueSettings:
    """Three counters that differ in what they serve and how; open on all days, with a break; few tickets of C."""
    base = settings(counters=3, services="ABC", recall_gap_s=1.0)
    day = ["06:00-12:00", "13:00-22:00"]
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), day)
    counters = {
        2: base.counters[2].model_copy(update={"order": "strict"}),
        3: base.counters[3].model_copy(update={"services": ("C", "A")}),
    }
    services = base.services | {"C": base.services["C"].model_copy(update={"quota": 6})}
    return replace(base, counters=base.counters | counters, services=services, hours=HoursSettings.model_validate(week))


@dataclass
class Watch:
    """``book`` is the replay of all that was seen; ``tally`` counts today's events, visitors' and a training's apart."""

    settings: QueueSettings
    book: Book = field(default_factory=Book)
    fair: Fairness = field(init=False)
    tally: dict[bool, Tally[str]] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)
    given: Tally[tuple[str, bool]] = field(default_factory=Tally)
    blocks: set[str] = field(default_factory=set)
    scores: dict[str, int | None] = field(default_factory=dict)
    waited: dict[str, datetime | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fair = Fairness(self.settings.rules.priority_ratio)

    def see(self, record: Record) -> None:
        """One event more."""
        before, event = self.book, record.event
        assert record.seq == before.seq + 1, "the sequence has no gap"
        assert before.last is None or record.moment.time >= before.last.time
        assert not PLAIN.search(f"{event.model_dump_json()} {record.command}")
        if isinstance(event, ev.DayOpened):
            assert event.date > before.date, "the business date never goes back"
            self.tally, self.given, self.blocks, self.scores = {False: Tally(), True: Tally()}, Tally(), set(), {}
        self.book = fold(before, [record])
        self._event(event, before)
        ticket = before.tickets.get(getattr(event, "ticket", None) or "")
        self.fair.see(event, ticket.priority if ticket else False)

    def _event(self, event: Event, before: Book) -> None:
        if isinstance(event, REFUSALS):
            assert replace(self.book, seq=0, last=None, believed=None) == replace(before, seq=0, last=None, believed=None)
        if isinstance(event, ev.DayOpened):
            assert (self.book.devices, self.book.repairs) == (before.devices, before.repairs), "they hold over midnight"
        if isinstance(event, ev.NumbersReserved):
            assert event.first == self.given[event.service, False] + 1
            self.given[event.service, False] = event.last
            self.blocks |= {f"{event.service}{n}" for n in range(event.first, event.last + 1)}
        if isinstance(event, ev.TicketEvent):
            self.tally[event.training][event.type] += 1
            self._about(event, before)
        if isinstance(event, ev.DayClosed):
            assert self.tally[False]["ticket.expired"] == event.expired
            assert all(not counter.open for counter in self.book.counters.values())

    def _about(self, event: ev.TicketEvent, before: Book) -> None:
        was, now = before.tickets.get(event.ticket), self.book.tickets[event.ticket]
        if isinstance(event, ev.TicketIssued):
            self._issued(event, before)
        elif event.type in {row.event for row in TRANSITIONS}:
            assert was is not None and MOVES[was.state, event.type] is now.state, (event, was)
            assert (was.number, was.issued_at, was.uid) == (now.number, now.issued_at, now.uid), "kept for ever"
        elif was is not None:
            assert was.state is now.state
        if isinstance(event, ev.TicketCalled):
            self._called(event, before)
            self.waited[event.ticket] = was.waited_until if was else None
        if isinstance(event, ev.TicketCallUndone):
            assert now.waited_until == self.waited[event.ticket], "an undone call ends no wait, and takes none back"
        assert not isinstance(event, ev.TicketTransferred) or now.not_before == 0, "it is behind calls of one service only"
        if isinstance(event, ev.RatingGiven):
            assert self.scores.get(event.ticket) is None, "a visit is rated once"
            assert now.invited_at or now.state in {TicketState.FINISHED, TicketState.REFERRED}
            self.scores[event.ticket] = event.score
        if isinstance(event, ev.RatingAmbiguous):
            self.scores[event.ticket] = None

    def _issued(self, event: ev.TicketIssued, before: Book) -> None:
        quota = self.settings.services[event.service].quota
        assert quota is None or event.training or event.manual or before.line(event.service).issued < quota
        assert event.training is before.training and (event.training or not before.closed)
        assert event.ticket not in self.uids, "a number is issued once for ever"
        self.uids.add(event.ticket)
        key = (event.service, event.training)
        if event.manual:
            assert f"{event.service}{event.n}" in self.blocks
        else:
            assert event.n == self.given[key] + 1
        self.given[key] = max(self.given[key], event.n) if event.training or not event.manual else self.given[key]

    def _called(self, event: ev.TicketCalled, before: Book) -> None:
        counter = self.settings.counters[event.counter]
        assert event.service in counter.services
        if event.out_of_order is not None:
            assert event.out_of_order in CALL_REASONS
            return
        found = self.fair.next_at(counter.services, counter.order, list(before.tickets.values()))
        assert found is not None and found[1].ticket.uid == event.ticket, "domain section 5"
        (forecast,) = forecasts(before, self.settings, counter=event.counter)
        assert forecast.places[0].number == event.number and found[1].why in forecast.places[0].codes

    def standing(self) -> None:
        """What holds at any instant."""
        if self.book.date:
            for training in (False, True):
                self._adds_up(training)
            self._counters()
            self._lines()
        assert self.book.training or not self.book.closed or not any(counter.open for counter in self.book.counters.values())
        for ticket in self.book.tickets.values():
            assert ticket.waited_until is None or ticket.waited_until >= ticket.issued_at, "no wait is negative"
            assert ticket.training is ("-T-" in ticket.uid)
            assert self.book.training or not ticket.training or ticket.state in FINAL, "nothing of a training is left standing"
            assert not self.book.training or ticket.training or ticket.state in FINAL | {TicketState.NO_SHOW}, "nor is a visitor in it"
            assert not self.book.closed or ticket.training or ticket.state in FINAL | {TicketState.NO_SHOW}

    def _adds_up(self, training: bool) -> None:
        tally = self.tally[training]
        states = Tally(one.state for one in self.book.tickets.values() if one.training == training)
        finished = tally["ticket.finished"] - tally["ticket.finish_undone"]
        assert finished == states[TicketState.FINISHED]
        ended = finished + sum(tally[f"ticket.{how}"] for how in ("referred", "cancelled", "expired", "voided"))
        assert tally["ticket.issued"] == sum(states.values())
        assert tally["ticket.issued"] == ended + sum(states[one] for one in ACTIVE | {TicketState.WAITING, TicketState.NO_SHOW})
        handlings = tally["ticket.started"] - tally["ticket.start_undone"]
        assert handlings == finished + tally["ticket.referred"] + tally["ticket.transferred"] + states[TicketState.SERVING]
        if not training:
            assert sum(line.issued for line in self.book.lines.values()) == tally["ticket.issued"]

    def _counters(self) -> None:
        held = [counter.ticket for counter in self.book.counters.values() if counter.ticket]
        assert sorted(held) == sorted(ticket.uid for ticket in self.book.tickets.values() if ticket.state in ACTIVE)
        for counter in self.book.counters.values():
            ticket = self.book.at(counter.number)
            assert (counter.state in {CounterState.CALLING, CounterState.SERVING}) == (ticket is not None)
            if ticket is not None:
                assert ticket.counter == counter.number
                assert counter.state is (CounterState.CALLING if ticket.state is TicketState.CALLED else CounterState.SERVING)

    def _lines(self) -> None:
        for letter, line in self.book.lines.items():
            waiting = [t for t in self.book.tickets.values() if t.service == letter and t.state is TicketState.WAITING]
            for side, priority in ((line.priority, True), (line.regular, False)):
                expected = sorted((one for one in waiting if one.priority is priority), key=lambda one: one.turn)
                assert list(side) == [one.uid for one in expected], "a line stands by turn"
            assert (line.run, line.calls >= len(line.history)) == (self.fair.run(letter), True)
