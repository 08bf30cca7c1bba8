"""Keeps the retained topics of one broker right: the states fresh, and nothing left of what is no longer configured.

Every topic that was ever given is remembered, whole: at each connect all that there is now goes out again, for the broker may have lost
it, and the others (a counter that was removed, a device, the topics of another prefix or node id) are emptied.
"""

import asyncio
import logging
from collections.abc import Sequence, Set

from kiosd.clock import Clock
from kiosd.errors import Refused
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.mqtt.interface import BrokerLink, Memory
from kiosd.mqtt.states import Node, States, info_message, status_message
from kiosd.queue.interface import Queue, Snapshot, closing

log = logging.getLogger(__name__)

STATE_GAP_S = 0.5  # contract: a state at most twice a second, newest wins
REFRESH_S = 10.0  # some states change by time alone: a rating window closes, the office opens


class Retained:
    """The retained topics at broker ``name``."""

    def __init__(self, queue: Queue, link: BrokerLink, memory: Memory, name: str, clock: Clock, node: Node) -> None:
        self._queue, self._link, self._memory, self._name, self._clock, self._node = queue, link, memory, name, clock, node
        self._states = States(node, clock)

    async def greet(self, conn: int, snapshot: Snapshot) -> None:
        """Who we are, that we are there, how things stand; and what is no more."""
        self._states.forget()
        messages = [info_message(self._node, snapshot), status_message(self._node, self._clock, "online", conn)]
        messages += self._states.changed(snapshot)
        await self._publish(messages)
        await self._empty(self._memory.kept(self._name) - {message.topic for message in messages})

    async def keep(self, since: int) -> None:
        """Tell every state that changes, for ever."""
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
        async with closing(self._queue.events(since)) as records:
            async for _ in records:
                dirty.set()

    async def _refresh(self, dirty: asyncio.Event) -> None:
        while True:
            await self._clock.sleep(REFRESH_S)
            dirty.set()

    async def _publish(self, messages: Sequence[Message]) -> list[str]:
        """All of them, in order; the topics that were taken. The broker keeps a retained message even when nobody listens now."""
        for message in messages:
            if message.payload:
                self._memory.keep(self._name, message.topic)
        answers = await asyncio.gather(*(self._link.send(message) for message in messages), return_exceptions=True)
        taken = []
        for message, no in zip(messages, answers, strict=True):
            if no is None or (isinstance(no, Refused) and no.code == NOBODY_LISTENS):
                taken.append(message.topic)
            elif isinstance(no, Refused):
                log.warning("uplink %s: %s was refused: %s", self._name, message.topic, no.code)
            else:
                raise no
        return taken

    async def _empty(self, topics: Set[str]) -> None:
        for topic in await self._publish([Message(topic, b"", retain=True) for topic in sorted(topics)]):
            log.info("uplink %s: %s is no more and was emptied", self._name, topic)
            self._memory.keep(self._name, topic, False)
