"""Tells one broker everything: follows the journal by cursor, at least once, in order; and keeps the retained states fresh.

At every connect: ``info``, ``status``, all states, then the events that are owed, oldest first and paced, then what happens now, at once.
An event counts as told when its PUBACK says so and somebody listened (``delivery`` has the rules), or, with ``confirm = "consumer"``,
when the consumer says so (``watermark``). One that the broker does not take or dies of is left out, loudly, and the others go on.
"""

import asyncio
import logging
from functools import partial

from kiosd.clock import Clock, Moment
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.mqtt.consumer import Consumer
from kiosd.mqtt.delivery import Delivery, Parcel
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.interface import BrokerLink, Memory, cursor, told
from kiosd.mqtt.quarantine import Quarantine
from kiosd.mqtt.retained import Retained
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node
from kiosd.mqtt.suspects import SUDDEN_S
from kiosd.mqtt.troubles import Troubles
from kiosd.queue.events import Record, family
from kiosd.queue.interface import Queue, closing

log = logging.getLogger(__name__)

PROBE_S = 3.0  # less than the 5 s a consumer waits for a missing sequence before it asks for it
RETRY_S = 1.0
POISON = frozenset({"too_large", "payload_format_invalid"})
"""Refusals that no waiting will cure: the event is left out, loudly, and the others go on."""


class Uplink:
    """The uplink to broker ``name``, whose cursors are ``<name>/<family>``. ``run`` it; ``troubles`` says what it suffers from."""

    def __init__(self, queue: Queue, link: BrokerLink, memory: Memory, name: str, clock: Clock, node: Node, mqtt: MqttSettings) -> None:
        self._queue, self._link, self._memory, self._name, self._clock, self._node = queue, link, memory, name, clock, node
        self._window, self._gap_s = mqtt.window, 1 / mqtt.pace_per_s if mqtt.pace_per_s else 0.0
        self._remembered = told(memory, name)
        self._delivery = Delivery(self._remembered, told=mqtt.events)
        self.troubles = Troubles(mqtt.consumer)
        self.quarantine = Quarantine(queue, memory, name, clock, self.troubles)
        self._retained = Retained(queue, link, memory, name, clock, node)
        self._consumer = self._listener(mqtt.consumer) if mqtt.confirm == "consumer" else None
        self._under_way: set[Parcel] = set()  # after a connection: what was not answered
        self._greeted, self._sent_at = False, 0.0
        self._room, self._moved, self._some_held = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._stream, self._sealed, self._backlog_end, self._next_at = "", 0, 0, 0.0

    def _listener(self, consumer: str) -> Consumer:
        self._delivery.rewind(self._told)
        topic = self._node.topics.path("ack", consumer)
        return Consumer(self._link, topic, self._clock, self.troubles, self._rose, self._owed)

    @property
    def _told(self) -> int:
        """Everything up to it was told."""
        return min(self._remembered.values())

    async def run(self) -> None:
        """Follow the queue over the link for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.quarantine.run())
            if self._consumer is not None:
                group.create_task(self._consumer.run())
            while True:
                conn = await self._link.connected()
                try:
                    await self._session(conn)
                except* Unavailable:
                    if self._link.connection == conn:
                        log.warning("uplink %s: the queue could not be asked; again in %g s", self._name, RETRY_S)
                        await self._clock.sleep(RETRY_S)
                    else:
                        self._ended()

    async def _session(self, conn: int) -> None:
        """One connection, from birth to its end, which is an ``Unavailable``."""
        self._delivery.disconnected()
        self._under_way.clear()
        self._greeted = False
        snapshot = await self._queue.snapshot()
        self._stream = snapshot.stream
        if self._consumer is not None:
            self._consumer.connected(snapshot.stream, self._told, snapshot.sequence)
        await self._retained.greet(conn, snapshot)
        self._greeted = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_lost(conn))
            group.create_task(self._tell_events())
            group.create_task(self._probe())
            group.create_task(self._retained.keep(snapshot.sequence))

    def _ended(self) -> None:
        """A connection is over: was it an event that killed it?"""
        sudden = self._link.cut_off and self._greeted and self._clock.now().monotonic - self._sent_at < SUDDEN_S
        self.quarantine.connection_ended({parcel.record.seq: parcel.record for parcel in self._under_way}, sudden)

    async def _until_lost(self, conn: int) -> None:
        raise Unavailable(await self._link.lost(conn))

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
        async with closing(self._queue.events(since)) as records:
            async for record in records:
                if record.seq > since + 1:
                    self._gone(since + 1, record.seq - 1)
                since = record.seq
                if self._consumer is not None:
                    self._consumer.newest = max(self._consumer.newest, since)
                while self._must_wait(record):
                    self._room.clear()
                    await self._room.wait()
                if self._delivery.wants(record):
                    await self._pace(record)
                parcel = self._delivery.offer(record)  # nothing may come between this and the sending
                if parcel is not None:
                    self._send(parcel)
                else:
                    self._remember()

    def _gone(self, first: int, last: int) -> None:
        """Days that were sealed before this broker was told of them."""
        if last > self._sealed:
            self._sealed = last
            log.warning("uplink %s: events %d to %d were sealed: it begins behind them", self._name, first, last)
        if self._consumer is not None:
            self._consumer.mark.skip(last)

    def _must_wait(self, record: Record) -> bool:
        if len(self._under_way) >= (1 if self.quarantine.suspects else self._window) or self._delivery.waits(record):
            return True
        return self._consumer is not None and not self._consumer.mark.allows(record.seq)

    async def _pace(self, record: Record) -> None:
        """A backlog goes out slowly: a broker drops what a subscriber cannot take. What happens now goes out now."""
        if record.seq > self._backlog_end or not self._gap_s:
            return
        now = self._clock.now().monotonic
        if self._next_at > now:
            await self._clock.sleep(self._next_at - now)
        self._next_at = max(self._next_at, now) + self._gap_s

    def _message(self, record: Record, now: Moment) -> Message:
        return event_message(record, self._node.topics, self._stream, now)

    def _fitting(self, record: Record, now: Moment) -> Message | None:
        """The message for ``record``, unless this broker is not told of it."""
        if record.seq in self.quarantine:
            return None
        try:
            return self._message(record, now)
        except Refused as no:
            self.quarantine.put(record, no.code)
            return None

    def _send(self, parcel: Parcel) -> None:
        now = self._clock.now()
        message = self._fitting(parcel.record, now)
        if message is None:
            self._accepted(parcel)
            return
        future = self._link.send(message)
        if not future.done():  # else it never left
            self._under_way.add(parcel)
            self._sent_at = now.monotonic
            if self._consumer is not None:
                self._consumer.mark.note(parcel.record.seq, now.monotonic)
        future.add_done_callback(partial(self._settled, parcel))

    def _settled(self, parcel: Parcel, future: asyncio.Future[None]) -> None:
        error = future.exception()
        if isinstance(error, Unavailable):
            return
        self._under_way.discard(parcel)
        self.quarantine.suspects.answered(parcel.record.seq)
        self._room.set()
        if error is None:
            self._accepted(parcel)
        elif isinstance(error, Refused) and error.code in POISON:
            self.quarantine.put(parcel.record, error.code)
            self._accepted(parcel)
        elif isinstance(error, Refused):
            self._hold(parcel, error.code)

    def _accepted(self, parcel: Parcel) -> None:
        self._delivery.accepted(parcel)
        self._remember()

    def _hold(self, parcel: Parcel, code: str) -> None:
        if self._delivery.refused(parcel):
            held, seq = family(parcel.record.event.type), parcel.record.seq
            say = log.info if code == NOBODY_LISTENS else log.warning
            say("uplink %s: ev/%s is held from %d: %s", self._name, held, seq, code)
            self.troubles.hold(held, seq, code, self._clock.now())
            self._some_held.set()
        self._remember()

    def _remember(self) -> None:
        if self._delivery.moved:
            self._moved.set()
        cursors = self._delivery.cursors
        self.troubles.settled(cursors)
        if self._consumer is not None:
            cursors = dict.fromkeys(cursors, self._consumer.mark.seq)
        for one, seq in cursors.items():
            if seq > self._remembered[one]:
                self._remembered[one] = seq
                self._memory.set(cursor(self._name, one), seq)

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
            await self._link.publish(self._message(record, self._clock.now()))
        except Refused:
            return False
        return True

    # What the consumer says, where it is asked.

    def _rose(self, seq: int) -> None:
        self._delivery.confirmed(seq)
        self._remember()
        self._room.set()

    def _owed(self, seq: int) -> None:
        self._delivery.rewind(seq)
        self._remember()
