"""A link whose two ends are in one process, for tests: the same rules as ``unix``, without the socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiosd.errors import Refused
from kiosd.links.base import Message
from kiosd.links.frames import Frame, Publish
from kiosd.links.peer import STALL_S, Peer, Subscription, Subscriptions

MAX_MESSAGE = 1024 * 1024  # bytes of payload, as on the control socket


class MemoryEnd:
    """One end; a ``Link``."""

    def __init__(self, stall_s: float = STALL_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = Subscriptions()
        self._peer = Peer(self, self._listeners, stall_s=stall_s)
        self.other: MemoryEnd | None = None

    def send(self, frame: Frame) -> None:
        """``Line.send``: the other end gets the frame at the next turn of the loop, as from a socket."""
        if isinstance(frame, Publish) and len(frame.payload) > MAX_MESSAGE:
            raise Refused("too_large")
        if self.other is not None:
            self._loop.call_soon(self.other.arrived, frame)

    def arrived(self, frame: Frame) -> None:
        """A frame of the other end."""
        try:
            self._peer.receive(frame)
        except ValueError as exc:
            self.cut(str(exc))

    def hold(self, stop: bool) -> None:
        """``Line.hold``: a frame in memory has already been read."""

    def cut(self, reason: str) -> None:
        """``Line.cut``: end the link at both ends."""
        other, self.other = self.other, None
        self._peer.lost(reason)
        self._listeners.end(reason)
        if other is not None:
            other.cut(reason)

    async def publish(self, message: Message) -> None:
        await self._peer.publish(message, message.topic)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[Subscription]:
        with self._peer.subscribe(pattern) as subscription:
            yield subscription


@asynccontextmanager
async def memory_pair(stall_s: float = STALL_S) -> AsyncIterator[tuple[MemoryEnd, MemoryEnd]]:
    """Two ends joined for the length of a ``with`` block; what one publishes the other's listeners get."""
    here, there = MemoryEnd(stall_s), MemoryEnd(stall_s)
    here.other, there.other = there, here
    try:
        yield here, there
    finally:
        here.cut("the link was closed")
