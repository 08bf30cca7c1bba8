"""The queue as a state machine: random commands from everybody, with restarts, on the real journal.

Invariants of domain.md section 3 that concern the commands built here, checked after every step.
"""

import asyncio
import shutil
import tempfile
from collections import Counter as Tally
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.book import Book, fold
from kiosd.queue.commands import Command
from kiosd.queue.events import Record
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.model import CounterState, TicketState
from support.site import WEDNESDAY
from support.site import settings as site

COUNTERS = st.integers(1, 3)
SITE = site(counters=3, services="ABC", recall_gap_s=1.0)


class QueueMachine(RuleBasedStateMachine):
    """Drives a ``LocalQueue`` and keeps everything it answered."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.clock = ManualClock(WEDNESDAY)
        self.runner = asyncio.Runner()
        self.given: list[tuple[str, str]] = []
        self.answered: list[tuple[datetime, Command, Reply]] = []
        self.records: list[Record] = []
        self.replayed = Book()
        self._open()

    def _open(self) -> None:
        self.runner.run(self._opened())

    async def _opened(self) -> None:
        self.stack = AsyncExitStack()
        self.queue: LocalQueue
        self.queue = await self.stack.enter_async_context(open_local(self.folder, SITE, self.clock))
        self.writer = asyncio.get_running_loop().create_task(self.queue.run())

    async def _closed(self) -> None:
        self.writer.cancel()
        await asyncio.wait({self.writer})
        await self.stack.aclose()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            assert fold(Book(), self.queue._journal.read(0, 1_000_000)) == self.queue.book
            self.runner.run(self._closed())
            self.runner.close()
            shutil.rmtree(self.folder)

    def ask(self, *commands: Command) -> list[Reply]:
        async def all_at_once() -> list[Reply]:
            return await asyncio.gather(*(self.queue.execute(command) for command in commands))

        replies = self.runner.run(all_at_once())
        last = self.queue.book.last
        for command, reply in zip(commands, replies, strict=True):
            if last is not None and reply.sequence:
                self.answered.append((last.time, command, reply))
            if isinstance(command, cmd.IssueTicket) and reply.done:
                self.given.append((self.queue.book.date, str(reply.result["number"])))
        return replies

    @rule(service=st.sampled_from("ABC"), priority=st.booleans(), n=st.integers(1, 4))
    def issue(self, service: str, priority: bool, n: int) -> None:
        self.ask(*(cmd.IssueTicket(service=service, priority=priority) for _ in range(n)))

    @rule(first=COUNTERS, second=COUNTERS)
    def next_at_two(self, first: int, second: int) -> None:
        self.ask(cmd.CallNext(counter=first), cmd.CallNext(counter=second))

    @rule(counter=COUNTERS, kind=st.sampled_from([cmd.Recall, cmd.Start, cmd.Finish, cmd.OpenCounter, cmd.PauseCounter, cmd.CloseCounter]))
    def officer(self, counter: int, kind: type[Command]) -> None:
        self.ask(kind.model_validate({"counter": counter}))

    @rule(counter=COUNTERS, force=st.sampled_from([None, "pulang"]))
    def absent(self, counter: int, force: str | None) -> None:
        self.ask(cmd.MarkAbsent(counter=counter, force=force))

    @rule(counter=COUNTERS)
    def scan(self, counter: int) -> None:
        self.ask(cmd.AttachScan(counter=counter, token="0123abcd-0123abcd-0123abcd-0123abcd"))

    @rule(counter=COUNTERS, score=st.integers(1, 4), again=st.integers(1, 4))
    def rate(self, counter: int, score: int, again: int) -> None:
        self.clock.advance(0.2)
        self.ask(cmd.Rate(counter=counter, score=score), cmd.Rate(counter=counter, score=again))

    @rule(number=st.integers(1, 12), service=st.sampled_from("ABC"))
    def cancel(self, number: int, service: str) -> None:
        self.ask(cmd.CancelTicket(ticket=f"{service}{number:03d}"))

    @rule(seconds=st.sampled_from([0.05, 1, 11, 121, 1800, 4 * 3600]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ask(cmd.Tick())

    @rule(minutes=st.integers(1, 5000), synced=st.booleans())
    def clock_goes_back(self, minutes: int, synced: bool) -> None:
        self.clock.step_to(self.clock.now().time - timedelta(minutes=minutes), synced=synced)

    @rule(synced=st.booleans())
    def clock_jumps_forward(self, synced: bool) -> None:
        self.clock.step_to(self.clock.now().time + timedelta(days=1), synced=synced)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same id again within 24 hours is done once and answered the same, also after a restart."""
        last = self.queue.book.last
        now = max(self.clock.now().time, last.time) if last else self.clock.now().time
        recent = [(command, reply) for at, command, reply in self.answered[-40:] if now - at < timedelta(hours=23)]
        if recent:
            command, reply = data.draw(st.sampled_from(recent))
            before = self.queue.book.seq
            assert self.runner.run(self.queue.execute(command)) == reply
            assert self.queue.book.seq == before

    @rule()
    def restart(self) -> None:
        before, view = self.queue.book, self.runner.run(self.queue.snapshot())
        self.runner.run(self._closed())
        self._open()
        assert self.queue.book == before
        assert self.runner.run(self.queue.snapshot()) == view

    @invariant()
    def a_number_is_given_once(self) -> None:
        if hasattr(self, "queue"):
            assert max(Tally(self.given).values(), default=1) == 1

    @invariant()
    def a_gap_free_sequence_replays_to_the_same_book(self) -> None:
        if not hasattr(self, "queue"):
            return
        new = self.queue._journal.read(len(self.records), 1_000_000)
        self.records += new
        self.replayed = fold(self.replayed, new)
        assert [record.seq for record in new] == list(range(len(self.records) - len(new) + 1, len(self.records) + 1))
        assert self.replayed == self.queue.book
        dates = [record.event.date for record in self.records if isinstance(record.event, ev.DayOpened)]
        assert dates == sorted(set(dates)), "the business date never goes back"

    @invariant()
    def tickets_and_counters_fit(self) -> None:
        if not hasattr(self, "queue"):
            return
        book = self.queue.book
        held = [counter.ticket for counter in book.counters.values() if counter.ticket]
        active = [t for t in book.tickets.values() if t.state in {TicketState.CALLED, TicketState.SERVING}]
        assert sorted(held) == sorted(ticket.uid for ticket in active)
        for counter in book.counters.values():
            if counter.ticket:
                ticket = book.tickets[counter.ticket]
                assert ticket.counter == counter.number
                assert counter.state is (CounterState.CALLING if ticket.state is TicketState.CALLED else CounterState.SERVING)
        for letter, line in book.lines.items():
            waiting = {t.uid for t in book.tickets.values() if t.service == letter and t.state is TicketState.WAITING}
            assert waiting == {*line.priority, *line.regular} and len(waiting) == line.waiting
            assert line.issued == sum(ticket.service == letter for ticket in book.tickets.values())

    @invariant()
    def events_add_up(self) -> None:
        """Handlings = finished + open; one rating per visit; a regular head sees at most k priority calls go by."""
        if not hasattr(self, "queue"):
            return
        book = self.queue.book
        tally = Tally(record.event.type for record in self._today())
        states = Tally(ticket.state for ticket in book.tickets.values())
        assert tally["ticket.issued"] == sum(states.values())
        assert tally["ticket.started"] == states[TicketState.FINISHED] + states[TicketState.SERVING]
        ended = {e.ticket for r in self._today() if isinstance(e := r.event, ev.TicketFinished)}
        standing: dict[str, int | None] = {}
        for record in self._today():
            event: Any = record.event
            if isinstance(event, ev.RatingGiven):
                assert standing.get(event.ticket) is None, "a visit is rated once"
                standing[event.ticket] = event.score
            elif isinstance(event, ev.RatingAmbiguous):
                standing[event.ticket] = None
        assert set(standing) <= ended
        self._ratio_is_kept()

    def _ratio_is_kept(self) -> None:
        waiting: dict[str, list[str]] = {"A": [], "B": [], "C": []}
        passed: dict[str, int] = {"A": 0, "B": 0, "C": 0}
        priority: set[str] = set()
        for record in self._today():
            event: Any = record.event
            if isinstance(event, ev.TicketIssued):
                if event.priority:
                    priority.add(event.ticket)
                else:
                    if not waiting[event.service]:
                        passed[event.service] = 0
                    waiting[event.service].append(event.ticket)
            elif isinstance(event, ev.TicketCalled | ev.TicketCancelled | ev.TicketExpired):
                line = waiting[event.service]
                if event.ticket in line:
                    if event.ticket == line[0]:
                        passed[event.service] = 0
                    line.remove(event.ticket)
                elif isinstance(event, ev.TicketCalled) and event.ticket in priority and line:
                    passed[event.service] += 1
                    assert passed[event.service] <= SITE.rules.priority_ratio

    def _today(self) -> list[Record]:
        opened = [index for index, record in enumerate(self.records) if isinstance(record.event, ev.DayOpened)]
        return self.records[opened[-1] :] if opened else []


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
