"""Tells one broker everything: follows the journal by cursor, at least once, in order; and keeps the retained states fresh.

At every connect: ``info``, ``status``, all states, then the events that are owed, oldest first and paced, then what happens now, at once.
An event counts as told when its PUBACK says so and somebody listened (``delivery`` has the rules).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from kiosd.clock import Clock
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.mqtt.delivery import Delivery, Parcel
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.states import Node, States, info_message, status_message
from kiosd.queue.events import FAMILIES, Record, family
from kiosd.queue.interface import Queue, Snapshot

log = logging.getLogger(__name__)

STATE_GAP_S = 0.5  # contract: a state at most twice a second, newest wins
REFRESH_S = 10.0  # some states change by time alone: a rating window closes, the office opens
PROBE_S = 3.0  # less than the 5 s a consumer waits for a missing sequence before it asks for it
RETRY_S = 1.0
POISON = frozenset({"too_large", "payload_format_invalid"})
"""Refusals that no waiting will cure: the event is left out, loudly, and the others go on."""


class Cursors(Protocol):
    """Named positions in the journal that outlast the process. ``get`` is 0 for a new name; ``set`` may lose the last seconds."""

    def get(self, name: str) -> int: ...
    def set(self, name: str, seq: int) -> None: ...


class BrokerLink(Link, Protocol):
    """A ``Link`` whose connection comes and goes; see ``links.mqtt.MqttLink``."""

    @property
    def connection(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    def send(self, message: Message) -> asyncio.Future[None]: ...
    async def connected(self) -> int: ...
    async def lost(self, conn: int) -> str: ...


async def run_uplink(
    queue: Queue,
    link: BrokerLink,
    cursors: Cursors,
    name: str,
    clock: Clock,
    node: Node,
    window: int = 20,
    pace_per_s: float = 200.0,
) -> None:
    """Follow ``queue`` over ``link`` for ever, remembering how far in ``cursors`` as ``<name>/<family>``."""
    uplink = _Uplink(queue, link, cursors, name, clock, node, window, pace_per_s)
    while True:
        conn = await link.connected()
        try:
            await uplink.session(conn)
        except* Unavailable:
            if link.connection == conn:
                log.warning("uplink %s: the queue could not be asked; again in %g s", name, RETRY_S)
                await clock.sleep(RETRY_S)


@asynccontextmanager
async def _following(queue: Queue, since: int) -> AsyncIterator[AsyncIterator[Record]]:
    records = queue.events(since)
    try:
        yield records
    finally:
        if isinstance(records, AsyncGenerator):
            await records.aclose()


class _Uplink:
    def __init__(
        self, queue: Queue, link: BrokerLink, cursors: Cursors, name: str, clock: Clock, node: Node, window: int, pace_per_s: float
    ) -> None:
        self._queue, self._link, self._cursors, self._name, self._clock, self._node = queue, link, cursors, name, clock, node
        self._window, self._gap_s = window, 1 / pace_per_s
        self._remembered = {one: cursors.get(f"{name}/{one}") for one in FAMILIES}
        self._delivery = Delivery(self._remembered)
        self._states = States(node, clock)
        self._under_way = 0
        self._room, self._moved, self._some_held = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._stream, self._backlog_end, self._next_at = "", 0, 0.0

    async def session(self, conn: int) -> None:
        """One connection, from birth to its end, which is an ``Unavailable``."""
        self._delivery.disconnected()
        self._states.forget()
        snapshot = await self._queue.snapshot()
        self._stream = snapshot.stream
        await self._greet(conn, snapshot)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_lost(conn))
            group.create_task(self._tell_events())
            group.create_task(self._probe())
            group.create_task(self._keep_states(snapshot.sequence))

    async def _until_lost(self, conn: int) -> None:
        raise Unavailable(await self._link.lost(conn))

    # States.

    async def _greet(self, conn: int, snapshot: Snapshot) -> None:
        first = [info_message(self._node, snapshot), status_message(self._node, self._clock, "online", conn)]
        await self._publish([*first, *self._states.changed(snapshot)])

    async def _publish(self, messages: list[Message]) -> None:
        """All of them, in order. A retained message is kept by the broker even when nobody listens now."""
        for message, future in [(message, self._link.send(message)) for message in messages]:
            try:
                await future
            except Refused as no:
                if no.code != "nobody_listens":
                    log.warning("uplink %s: %s was refused: %s", self._name, message.topic, no.code)

    async def _keep_states(self, since: int) -> None:
        dirty = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(since, dirty))
            group.create_task(self._refresh(dirty))
            while True:
                await dirty.wait()
                dirty.clear()
                await self._publish(self._states.changed(await self._queue.snapshot()))
                await self._clock.sleep(STATE_GAP_S)

    async def _watch(self, since: int, dirty: asyncio.Event) -> None:
        async with _following(self._queue, since) as records:
            async for _ in records:
                dirty.set()

    async def _refresh(self, dirty: asyncio.Event) -> None:
        while True:
            await self._clock.sleep(REFRESH_S)
            dirty.set()

    # Events.

    async def _tell_events(self) -> None:
        """One pass after the other, each from where the delivery stands; a hold or its end begins a new one."""
        while True:
            self._moved.clear()
            since = self._delivery.begin()
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._pass(since)) if since is not None else None
                await self._moved.wait()
                if telling is not None:
                    telling.cancel()

    async def _pass(self, since: int) -> None:
        self._backlog_end = (await self._queue.snapshot()).sequence
        async with _following(self._queue, since) as records:
            async for record in records:
                while self._under_way >= self._window or self._delivery.waits(record):
                    self._room.clear()
                    await self._room.wait()
                if self._delivery.wants(record):
                    await self._pace(record)
                parcel = self._delivery.offer(record)  # nothing may come between this and the sending
                if parcel is not None:
                    self._send(parcel)
                else:
                    self._remember()

    async def _pace(self, record: Record) -> None:
        """A backlog goes out slowly: a broker drops what a subscriber cannot take. What happens now goes out now."""
        if record.seq > self._backlog_end:
            return
        now = self._clock.now().monotonic
        if self._next_at > now:
            await self._clock.sleep(self._next_at - now)
        self._next_at = max(self._next_at, now) + self._gap_s

    def _message(self, record: Record) -> Message:
        return event_message(record, self._node.topics, self._stream, self._clock.now())

    def _send(self, parcel: Parcel) -> None:
        try:
            message = self._message(parcel.record)
        except Refused as no:
            self._leave_out(parcel, no)
            return
        self._under_way += 1
        self._link.send(message).add_done_callback(partial(self._settled, parcel))

    def _settled(self, parcel: Parcel, future: asyncio.Future[None]) -> None:
        self._under_way -= 1
        self._room.set()
        error = future.exception()
        if error is None:
            self._delivery.accepted(parcel)
        elif isinstance(error, Refused) and error.code in POISON:
            self._leave_out(parcel, error)
            return
        elif isinstance(error, Refused):
            self._hold(parcel, error.code)
        self._remember()

    def _hold(self, parcel: Parcel, code: str) -> None:
        if self._delivery.refused(parcel):
            say = log.info if code == "nobody_listens" else log.warning
            say("uplink %s: ev/%s is held from %d: %s", self._name, family(parcel.record.event.type), parcel.record.seq, code)
            self._some_held.set()

    def _leave_out(self, parcel: Parcel, no: Refused) -> None:
        log.error("uplink %s: event %d (%s) is left out: %s", self._name, parcel.record.seq, parcel.record.event.type, no.code)
        self._delivery.accepted(parcel)
        self._remember()

    def _remember(self) -> None:
        if self._delivery.moved:
            self._moved.set()
        for one, seq in self._delivery.cursors.items():
            if seq > self._remembered[one]:
                self._remembered[one] = seq
                self._cursors.set(f"{self._name}/{one}", seq)

    async def _probe(self) -> None:
        """Ask now and then whether somebody takes a held family again, oldest event first."""
        while True:
            self._some_held.clear()
            if not self._delivery.held:
                await self._some_held.wait()
            await self._clock.sleep(PROBE_S)
            for record in self._delivery.probes:
                if await self._takes(record):
                    log.info("uplink %s: ev/%s is taken again from %d", self._name, family(record.event.type), record.seq)
                    self._delivery.probed(record)
                    self._remember()
                    break

    async def _takes(self, record: Record) -> bool:
        try:
            await self._link.publish(self._message(record))
        except Refused:
            return False
        return True
