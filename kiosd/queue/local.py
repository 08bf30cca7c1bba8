"""The hub's queue: rules and book here, the journal in its lane.

One writer task takes all commands that wait, decides them one after the other, commits their events in one transaction and only then
answers: what a reply says is on disk. While one commit runs the next batch gathers, so a slow card costs latency, not order.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from kiosd.clock import Clock, Moment, steady
from kiosd.errors import JournalError, Refused
from kiosd.journal.audit import check_small
from kiosd.journal.chain import Change
from kiosd.journal.journal import ANSWERS_KEPT, FILE, Entry, Journal
from kiosd.journal.marks import Kept, Mark, Quarantine
from kiosd.queue import rules, texts
from kiosd.queue.asked import Decision
from kiosd.queue.book import Book
from kiosd.queue.commands import Command, Tick
from kiosd.queue.day import due
from kiosd.queue.events import Event, Record
from kiosd.queue.explain import forecasts
from kiosd.queue.fold import fold
from kiosd.queue.interface import Forecast, Reply, Snapshot
from kiosd.queue.settings import QueueSettings
from kiosd.queue.views import snapshot
from kiosd.threads import Lane, lane

COMMIT_DEADLINE_S = 30.0  # SD cards stall for 100 ms and more; half a minute is a dead one
OPEN_DEADLINE_S = 60.0
RECENT = 2048  # records kept in memory for followers that are up to date
PAGE = 500  # records read at once for a follower that is behind


class Cursors:
    """How far each follower has come, by name, and what uplinks remember of their brokers (``journal.marks``).

    ``set``, ``keep`` and ``quarantine`` cost nothing: what they note becomes durable with the next commit, or within seconds.
    """

    def __init__(self, journal: Journal) -> None:
        self._now = dict(journal.cursors)
        self._moved: dict[str, int] = {}
        self._kept = set(journal.retained)
        self._quarantined = {(one.broker, one.seq): one for one in journal.quarantined}
        self._marks: list[Mark] = []

    def get(self, name: str) -> int:
        """How far ``name`` has come; 0 when it never came."""
        return self._now.get(name, 0)

    def set(self, name: str, seq: int) -> None:
        """Note how far ``name`` has come."""
        if self._now.get(name) != seq:
            self._now[name] = self._moved[name] = seq

    def take(self) -> dict[str, int]:
        """What moved since it was last taken, to be made durable."""
        moved, self._moved = self._moved, {}
        return moved

    def kept(self, broker: str) -> frozenset[str]:
        """The topics on which ``broker`` was given retained messages."""
        return frozenset(topic for one, topic in self._kept if one == broker)

    def keep(self, broker: str, topic: str, kept: bool = True) -> None:
        """Note that ``broker`` keeps a retained message on ``topic``, or none any more."""
        if ((broker, topic) in self._kept) == kept:
            return
        (self._kept.add if kept else self._kept.discard)((broker, topic))
        self._marks.append(Kept(broker, topic, kept))

    def quarantined(self, broker: str) -> Mapping[int, tuple[str, str]]:
        """The events that ``broker`` is not told: code and time by sequence."""
        return {seq: (one.code, one.time) for (name, seq), one in self._quarantined.items() if name == broker}

    def quarantine(self, broker: str, seq: int, kind: str, code: str, time: str) -> None:
        """Note that ``broker`` is not told event ``seq`` of type ``kind``."""
        if (broker, seq) not in self._quarantined:
            mark = self._quarantined[broker, seq] = Quarantine(broker, seq, kind, code, time)
            self._marks.append(mark)

    def take_marks(self) -> list[Mark]:
        """What was noted since it was last taken, to be made durable."""
        marks, self._marks = self._marks, []
        return marks


_Asked = tuple[Command, Change | None, asyncio.Future[Reply]]


class LocalQueue:
    """``Queue`` over a journal on this board. ``run`` must run for commands to be answered; a ``JournalError`` from it is fatal."""

    def __init__(self, journal: Journal, journal_lane: Lane, settings: QueueSettings, clock: Clock) -> None:
        self._journal, self._lane, self._settings, self._clock = journal, journal_lane, settings, clock
        self._anchor = clock.now()
        self.cursors = Cursors(journal)
        self._book = Book()
        self._answers: dict[str, tuple[Moment | None, Reply | str]] = {}
        self._recent: deque[Record] = deque(maxlen=RECENT)
        self._waiting: list[_Asked] = []
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def stream(self) -> str:
        """The journal's own id: sequence numbers count within it."""
        return self._journal.stream

    @property
    def book(self) -> Book:
        """The day as it stands; committed events only."""
        return self._book

    async def restore(self) -> None:
        """Take the day's state from the journal: the fold of its events, and the answers of the last 24 hours."""
        tail = await self._lane.run(self._journal.tail, OPEN_DEADLINE_S)
        self._book = fold(Book(), tail.records)
        self._recent.extend(tail.records)
        self._answers = {command: (None, reply) for command, reply in tail.answers.items()}

    async def execute(self, command: Command, change: Change | None = None) -> Reply:
        """See ``Queue``. A caller that is cancelled while it waits does not take the command back.

        ``change``: what is done to old rows in the transaction of the command's events, if it is granted.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, change, future))
        self._wake.set()
        return await future

    async def tick(self) -> None:
        """Time has passed: have the day close or open when that is due. It hardly ever is, and then this costs next to nothing."""
        if due(self._book, self._now(self._book), self._settings):
            await self.execute(Tick())

    async def run(self) -> None:
        """Decide and commit, for ever. Raises ``JournalError`` when the journal fails; then nobody who waits gets an answer."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            try:
                await self._handle(batch)
            except BaseException:
                for _, _, future in (*batch, *self._waiting):
                    if not future.done():
                        future.set_exception(JournalError("the journal has failed; nothing is known to have happened"))
                        future.exception()  # who does not wait any more must not be warned about
                raise

    async def _handle(self, batch: list[_Asked]) -> None:
        book, entries, replies = self._book, [], []
        changes: list[Change] = []
        for command, change, _ in batch:
            book, made, reply = self._answer(command, book)
            entries += made
            replies.append(reply)
            if change is not None and made and reply.done:
                changes.append(change)
        if entries:
            written = [*changes, *self.cursors.take_marks()]
            await self._lane.run(partial(self._journal.append, entries, self.cursors.take(), written), COMMIT_DEADLINE_S)
            self._book = book
            self._recent.extend(entry.record for entry in entries)
            self._unlearn(changes)
        for (_, _, future), reply in zip(batch, replies, strict=True):
            if not future.done():
                future.set_result(reply)
        if entries:
            self._announce()  # last: somebody waits for the reply, and those who follow take their time

    def _unlearn(self, changes: list[Change]) -> None:
        """What has changed on disk is not told from memory any more."""
        while changes and self._recent[0].seq <= max(change.last for change in changes):
            self._recent.popleft()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _answer(self, command: Command, book: Book) -> tuple[Book, list[Entry], Reply]:
        known = self._answers.get(command.id)
        if known is not None:
            answer = known[1]  # as text while it comes from the journal: hardly any is ever asked for again
            return book, [], answer if isinstance(answer, Reply) else Reply.model_validate_json(answer)
        now = self._now(book)
        before = [Entry(record) for record in self._records(due(book, now, self._settings), book.seq, now, command)]
        if before:
            book = fold(book, [entry.record for entry in before])
            self._forget(now)
        events, decision, code, message = self._decide(command, book, now)
        records = self._records(events, book.seq, now, command)
        reply = Reply(
            id=command.id,
            status="done" if decision else "rejected",
            code=code,
            message=message,
            sequence=records[-1].seq if records else 0,
            result=decision.result if decision else {},
        )
        entries = [Entry(record) for record in records[:-1]]
        if records:
            entries.append(Entry(records[-1], reply.model_dump_json()))
            self._answers[command.id] = (now, reply)
        return (fold(book, records) if records else book), before + entries, reply

    def _now(self, book: Book) -> Moment:
        """The time, which never runs back behind what ``book`` has seen."""
        return steady(self._clock.now(), book.last, self._anchor)

    def _decide(self, command: Command, book: Book, now: Moment) -> tuple[tuple[Event, ...], Decision | None, str, str]:
        language = self._settings.site.language
        try:
            decision = rules.decide(command, book, now, self._settings)
        except Refused as no:
            message = str(no.facts.get("message") or texts.say(no.code, language, no.facts))
            return (rules.refusal(command, no.code, message, no.facts),), None, no.code, message
        return decision.events, decision, decision.code, texts.say(decision.code, language, {}) if decision.code else ""

    @staticmethod
    def _records(events: tuple[Event, ...], seq: int, now: Moment, command: Command) -> list[Record]:
        return [Record(seq + n, now, event, command.id) for n, event in enumerate(events, start=1)]

    def _forget(self, now: Moment) -> None:
        """Once a day, when it opens or closes: drop answers older than a day, so that the table does not grow for ever."""
        self._answers = {
            command: (moment or now, reply)
            for command, (moment, reply) in self._answers.items()
            if moment is None or now.time - moment.time <= ANSWERS_KEPT
        }

    async def events(self, since: int) -> AsyncIterator[Record]:
        """See ``Queue``: from memory while the follower keeps up, from the journal while it is behind.

        Of days that were sealed there are no events any more: who asks for them begins at the first one that is left.
        """
        position = since
        while True:
            changed = self._changed
            for record in await self._after(position):
                yield record
                position = record.seq
            if position >= self._book.seq:
                await changed.wait()

    async def _after(self, position: int) -> list[Record]:
        if position >= self._book.seq:
            return []
        behind = self._book.seq - position
        if behind <= len(self._recent):
            return [self._recent[n] for n in range(-behind, 0)]  # from the right: who keeps up is a few behind, and there are many
        return await self._lane.run(partial(self._journal.read, position, PAGE), COMMIT_DEADLINE_S)

    async def forecasts(self, counter: int | None = None, service: str = "") -> tuple[Forecast, ...]:
        """Who is next and why, at a counter, in a service's line or at every counter; ``Refused`` when there is no such one."""
        try:
            return forecasts(self._book, self._settings, counter, service)
        except Refused as no:
            message = texts.say(no.code, self._settings.site.language, no.facts)
            raise Refused(no.code, {**no.facts, "message": message}) from None

    async def flush(self) -> None:
        """Make the cursors durable that moved since the last commit."""
        await self._lane.run(partial(self._journal.move, self.cursors.take(), self.cursors.take_marks()), COMMIT_DEADLINE_S)

    async def truncate(self) -> bool:
        """Empty the journal's WAL of what was deleted; False while somebody still reads from it."""
        return await self._lane.run(self._journal.truncate, COMMIT_DEADLINE_S)

    async def round_trip(self) -> None:
        """Return when the journal's lane has answered: for the watchdog."""
        await self._lane.run(lambda: None, COMMIT_DEADLINE_S)

    async def close(self) -> None:
        """Write the cursors and close the journal; a lane that hangs is left behind, with the process."""
        if not self._lane.hung:
            await self.flush()
            await self._lane.run(self._journal.close, COMMIT_DEADLINE_S)

    async def snapshot(self) -> Snapshot:
        """See ``Queue``."""
        return snapshot(self._book, self._now(self._book), self._settings, self.stream)


@asynccontextmanager
async def open_local(state: Path, settings: QueueSettings, clock: Clock) -> AsyncIterator[LocalQueue]:
    """The queue of the journal in ``state``, restored; closed on exit. ``run`` is the caller's to start."""
    async with lane("journal", JournalError) as journal_lane:
        journal = await journal_lane.run(partial(Journal, state / FILE), OPEN_DEADLINE_S)
        queue = LocalQueue(journal, journal_lane, settings, clock)
        try:
            await journal_lane.run(partial(check_small, state / FILE), OPEN_DEADLINE_S)
            await queue.restore()
            yield queue
        finally:
            await queue.close()
