"""A satellite's queue as its stations use it: the hub may come and go, and they never notice more than they must show.

Rule 1  There is one stream of events from the hub, whatever number of stations listen. When contact is lost it begins again after the
        last event that was taken, so nothing is missed and nothing comes twice.
Rule 2  After a longer absence, or when the hub has another journal, a station takes its state anew (``renewed``) instead of showing old
        calls one after the other.
Rule 3  A command that got no answer is refused with the code ``unavailable`` and never asked again: whoever pressed decides. It is shown
        where the counter shows its other refusals, by an event of our own that only this board's stations see.
Rule 4  The state is asked for after every event, so that a key finds it here and waits for one answer only, its own. Without contact it
        is what it was last, said to be out of reach.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from itertools import islice
from typing import Protocol

from kiosd.clock import Clock, Moment
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.queue.commands import Command
from kiosd.queue.events import CounterRefused, Record
from kiosd.queue.hubclock import HubClock
from kiosd.queue.interface import CounterView, Queue, Reply, Snapshot, closing
from kiosd.queue.model import CounterState
from kiosd.queue.settings import Language

log = logging.getLogger(__name__)

AGAIN_S = 0.5  # between two tries to reach the hub
STATE_WITHIN_S = 0.5  # the hub tells its state from memory: one that takes longer is not well
STATE_EVERY_S = 5.0  # some of it changes by time alone
SHOWN_AFTER_S = 2.0  # a shorter absence is shown only to who presses a key in it
RESUMED_WITHIN_S = 60.0  # as with MQTT's ``replay``: what is older is told by the state
CLOCK_EVERY_S = 60.0
KEPT = 512  # events for stations that are busy
UNREACHABLE = "unreachable"
AWAY: dict[Language, str] = {"id": "Hub tidak terjangkau", "en": "Hub out of reach"}
"""Fits a line of 20 characters."""


class Connection(Protocol):
    """What carries the link, with its comings and goings; see ``links.mqtt.MqttLink``."""

    @property
    def reason(self) -> str: ...
    async def connected(self) -> int: ...
    async def lost(self, conn: int) -> str: ...


class Steady:
    """``Queue`` over ``queue``, the hub's from afar. ``run`` keeps in touch; ``greet`` is called at every contact.

    ``link`` is where the hub says that it has come or goes (topic ``hub``), ``moment`` asks for its time. ``counters`` are this board's,
    ``zone`` is the site's time zone.
    """

    def __init__(
        self,
        queue: Queue,
        moment: Callable[[], Awaitable[Moment]],
        link: Link,
        connection: Connection,
        clock: Clock,
        hub: HubClock,
        *,
        counters: Collection[int],
        language: Language,
        zone: str,
        greet: Callable[[], Awaitable[None]],
    ) -> None:
        self._queue, self._moment, self._link, self._connection = queue, moment, link, connection
        self._clock, self._hub, self._counters, self._greet = clock, hub, tuple(sorted(counters)), greet
        self._away_text, self._zone = AWAY[language], zone
        self._away, self._shown = True, False
        self._left_at = clock.now().monotonic
        self._signed: set[int] = set()
        self._reason = ""
        self._doubt = asyncio.Event()
        self._state: Snapshot | None = None
        self._stated, self._state_due = asyncio.Event(), asyncio.Event()
        self._last = 0
        self._told: deque[Record] = deque(maxlen=KEPT)
        self._count = 0
        self._news, self._anew = asyncio.Event(), asyncio.Event()

    # In touch.

    @property
    def away(self) -> bool:
        """Whether there is no contact."""
        return self._away

    async def renewed(self) -> None:
        """Wait until the state has to be taken anew: at the first contact, and after a long absence."""
        await self._anew.wait()

    async def run(self) -> None:
        """Keep in touch with the hub, for ever."""
        while True:
            try:
                await self._contact()
            except* (Unavailable, Refused) as gone:
                self._lost(_sentence(gone))
            _leave_when_cancelled()
            if not self._shown and self._clock.now().monotonic - self._left_at >= SHOWN_AFTER_S:
                self._shown = True
                for counter in self._counters:
                    self._sign(counter, "", self._away_text)
            await self._clock.sleep(AGAIN_S)

    async def _contact(self) -> None:
        """One contact, until it is lost, which is an ``Unavailable``."""
        conn = await self._connected()
        self._doubt.clear()
        async with self._link.subscribe("hub") as words, asyncio.TaskGroup() as group:
            group.create_task(self._until_lost(conn))
            group.create_task(self._until_hub_moves(words))
            group.create_task(self._until_doubted())
            await self._meet()
            group.create_task(self._keep_time())
            group.create_task(self._keep_state())
            await self._follow()

    async def _connected(self) -> int:
        try:
            async with asyncio.timeout(SHOWN_AFTER_S):
                return await self._connection.connected()
        except TimeoutError:
            raise Unavailable(self._connection.reason) from None

    async def _until_lost(self, conn: int) -> None:
        raise Unavailable(await self._connection.lost(conn))

    @staticmethod
    async def _until_hub_moves(words: AsyncIterator[Message]) -> None:
        await anext(words)
        raise Unavailable("the hub has just come, or goes")

    async def _until_doubted(self) -> None:
        await self._doubt.wait()
        raise Unavailable(self._reason)

    async def _meet(self) -> None:
        await self._measure()
        state = await self._queue.snapshot()
        before, now = self._state, self._clock.now().monotonic
        goes_on = before is not None and before.stream == state.stream and self._last <= state.sequence
        self._state = state
        self._away, self._shown, self._reason = False, False, ""
        for counter in self._signed:
            self._sign(counter, "", "")
        self._signed.clear()
        if not goes_on or now - self._left_at > RESUMED_WITHIN_S:
            self._last = state.sequence
            self._told.clear()
            self._anew.set()
            self._anew = asyncio.Event()
        log.info("the hub is reached; its events are taken from %d on", self._last + 1)
        await self._greet()

    async def _measure(self) -> None:
        before = self._clock.now()
        hub = await self._moment()
        self._hub.measured(before, hub, self._clock.now())

    async def _keep_time(self) -> None:
        while True:
            await self._clock.sleep(CLOCK_EVERY_S)
            fault = self._hub.fault
            await self._measure()
            if bool(self._hub.fault) != bool(fault):
                await self._greet()

    async def _keep_state(self) -> None:
        while True:
            self._state_due.clear()
            self._state = await self._queue.snapshot()
            self._stated.set()
            self._stated = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(STATE_EVERY_S):
                    await self._state_due.wait()

    async def _follow(self) -> None:
        async with closing(self._queue.events(self._last)) as records:
            async for record in records:
                if record.seq <= self._last:
                    continue
                if record.seq != self._last + 1:
                    raise Unavailable(f"events {self._last + 1} to {record.seq - 1} were lost on the way")
                self._last = record.seq
                self._tell(record)
                self._state_due.set()

    def _lost(self, reason: str) -> None:
        if not self._away:
            self._left_at = self._clock.now().monotonic
        self._away = True
        self._hub.out_of_touch()
        if reason != self._reason:
            log.warning("the hub is out of reach: %s", reason)
            self._reason = reason

    def _doubted(self, gone: Exception) -> None:
        """The hub did not answer as it should: begin the contact anew."""
        if not self._away:
            self._lost(str(gone) or "the hub did not answer in time")
            self._doubt.set()

    # What stations ask.

    async def execute(self, command: Command) -> Reply:
        """See ``Queue``; never raises. What got no answer is rejected with the code ``unavailable``, whatever became of it."""
        try:
            return await self._queue.execute(command)
        except (Unavailable, Refused) as gone:
            self._doubted(gone)
        counter = getattr(command, "counter", None)
        if isinstance(counter, int):
            self._sign(counter, command.name, self._away_text)
        return Reply(id=command.id, status="rejected", code="unavailable", message=self._away_text)

    async def snapshot(self) -> Snapshot:
        """See ``Queue``; never raises."""
        try:
            async with asyncio.timeout(STATE_WITHIN_S):
                while not self._away and self._state is not None and self._state.sequence < self._last:
                    await self._stated.wait()
        except TimeoutError as gone:
            self._doubted(gone)
        if not self._away and self._state is not None:
            return self._state
        if self._state is None:
            return self._nothing_known()
        unreachable = {"open": False, "why": UNREACHABLE, "message": self._away_text, "opens_at": None}
        return self._state.model_copy(update=unreachable)

    def _nothing_known(self) -> Snapshot:
        now = self._hub.now()
        counters = tuple(CounterView(counter=number, state=CounterState.CLOSED, services=()) for number in self._counters)
        return Snapshot(
            sequence=0, stream="", date="", zone=self._zone, time=now.time, clock="unsynced", open=False, message=self._away_text,
            opens_at=None, why=UNREACHABLE, services=(), counters=counters, tickets=(), devices=(),
        )  # fmt: skip

    async def events(self, since: int) -> AsyncGenerator[Record, None]:
        """See ``Queue``; never ends. Signs of ours (``_sign``) are among them."""
        at = self._count - sum(record.seq > since for record in self._told)
        while True:
            news, first = self._news, self._count - len(self._told)
            if at < first:
                log.warning("a station was too slow for %d events", first - at)
            records, at = list(islice(self._told, max(0, at - first), None)), self._count
            for record in records:
                if record.seq > since or not record.seq:
                    yield record
                since = max(since, record.seq)
            await news.wait()

    def _tell(self, record: Record) -> None:
        self._told.append(record)
        self._count += 1
        self._news.set()
        self._news = asyncio.Event()

    def _sign(self, counter: int, command: str, message: str) -> None:
        """Show ``message`` at ``counter`` as refusals are shown, an empty one to end that. The record has no number: it is ours."""
        if message:
            self._signed.add(counter)
        event = CounterRefused(counter=counter, command=command, code="unavailable", message=message)
        self._tell(Record(0, self._hub.now(), event, ""))


def _leave_when_cancelled() -> None:
    """A contact that is lost in the moment of a cancellation hides it (a task group tells its errors first): do not go on then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _sentence(gone: BaseExceptionGroup[Unavailable | Refused]) -> str:
    """The first of its reasons."""
    error: BaseException = gone
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
