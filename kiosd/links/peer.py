"""One end of a link that has two, whatever carries its frames: a socket (``unix``) or memory (``memory``).

Rule 1  A publish is acknowledged when a listener takes the message out of its subscription, not when it arrives. So a sender that waits
        runs at the pace of the listener, and neither side ever holds more than a few messages.
Rule 2  Nothing here waits except ``publish`` and a listener, so one slow listener never keeps a frame from another.
Rule 3  Limits are for the other side's faults: who breaks them is cut off, and everybody who waits for it is told.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from kiosd.errors import Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Message, matches
from kiosd.links.frames import Ack, Frame, Publish, Subscribe, Unsubscribe

MAX_UNACKED = 1000  # messages sent to one peer and not taken yet: more, and it is not reading
MAX_PATTERNS = 1000  # subscriptions of one peer
HELD_HIGH = 256  # messages of one peer that no listener took yet: its line is not read until they are HELD_LOW
HELD_LOW = 64
STALL_S = 300.0  # a listener that takes nothing for so long is cut off; long, for a person may read a page of events in ``less``


class Delivery:
    """One message on its way to ``listeners`` subscriptions; ``done`` hears once whether any of them took it."""

    def __init__(self, message: Message, listeners: int, done: Callable[[bool], None]) -> None:
        self.message = message
        self._left = listeners
        self._taken = False
        self._done = done

    def settle(self, taken: bool) -> None:
        """One listener took the message, or left."""
        self._taken |= taken
        self._left -= 1
        if self._left == 0:
            self._done(self._taken)


class Subscription(AsyncIterator[Message]):
    """What arrives for one listener. A cancelled wait loses nothing; the link's end comes after what arrived before it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._arrived: asyncio.Queue[Delivery | Unavailable] = asyncio.Queue()

    def put(self, item: Delivery | Unavailable) -> None:
        self._arrived.put_nowait(item)

    async def __anext__(self) -> Message:
        item = await self._arrived.get()
        if isinstance(item, Unavailable):
            self.put(item)  # for whoever asks again
            raise item
        item.settle(True)
        return item.message

    def close(self) -> None:
        """Give back what nobody will take."""
        while not self._arrived.empty():
            item = self._arrived.get_nowait()
            if isinstance(item, Delivery):
                item.settle(False)


class Subscriptions:
    """The listeners at this end."""

    def __init__(self) -> None:
        self._open: list[Subscription] = []
        self._ended = ""

    @contextmanager
    def open(self, pattern: str) -> Iterator[Subscription]:
        """A subscription for the length of a ``with`` block; raises ``Unavailable`` when the link has ended."""
        if self._ended:
            raise Unavailable(self._ended)
        subscription = Subscription(pattern)
        self._open.append(subscription)
        try:
            yield subscription
        finally:
            self._open.remove(subscription)
            subscription.close()

    def count(self, pattern: str) -> int:
        """How many listen to exactly ``pattern``."""
        return sum(subscription.pattern == pattern for subscription in self._open)

    def deliver(self, message: Message, done: Callable[[bool], None]) -> None:
        """Hand ``message`` to all who want it; ``done(False)`` when there is nobody."""
        listeners = [subscription for subscription in self._open if matches(subscription.pattern, message.topic)]
        if not listeners:
            done(False)
            return
        delivery = Delivery(message, len(listeners), done)
        for subscription in listeners:
            subscription.put(delivery)

    def end(self, reason: str) -> None:
        """The link is over: every listener gets ``Unavailable`` after what it has."""
        self._ended = reason
        for subscription in self._open:
            subscription.put(Unavailable(reason))


class Line(Protocol):
    """How frames travel to the other side. Nothing here waits."""

    def send(self, frame: Frame) -> None:
        """Put ``frame`` on its way; ``Refused`` (``too_large``) when it can not travel. After the end: nothing."""

    def hold(self, stop: bool) -> None:
        """Stop reading, or go on."""

    def cut(self, reason: str) -> None:
        """End this connection now; leads to ``Peer.lost``."""


class Peer:
    """The other side as seen from here. ``listeners`` are those at this end; ``sender`` goes before the ``reply_to`` of what it sends."""

    def __init__(self, line: Line, listeners: Subscriptions, sender: str = "", stall_s: float = STALL_S) -> None:
        self._line = line
        self._listeners = listeners
        self._sender = sender
        self._stall_s = stall_s
        self._patterns: set[str] = set()
        self._unacked: dict[int, asyncio.Future[str | Unavailable]] = {}
        self._count = 0
        self._held = 0
        self._lost = ""

    def wants(self, topic: str) -> bool:
        """Whether the other side subscribed to ``topic``."""
        return any(matches(pattern, topic) for pattern in self._patterns)

    def receive(self, frame: Frame) -> None:
        """Act on a frame of the other side; ``ValueError`` when it breaks a limit."""
        match frame:
            case Publish():
                self._held += 1
                self._listeners.deliver(frame.message(self._sender), lambda taken: self._settled(frame.n, taken))
                if self._held == HELD_HIGH:
                    self._line.hold(True)
            case Ack():
                self._answer(frame.n, frame.code)
            case Subscribe():
                self._patterns.add(frame.pattern)
                if len(self._patterns) > MAX_PATTERNS:
                    raise ValueError(f"more than {MAX_PATTERNS} subscriptions")
            case Unsubscribe():
                self._patterns.discard(frame.pattern)

    def _settled(self, number: int, taken: bool) -> None:
        self._held -= 1
        if self._held == HELD_LOW:
            self._line.hold(False)
        self._line.send(Ack(n=number, code="" if taken else NOBODY_LISTENS))

    def _answer(self, number: int, answer: str | Unavailable) -> None:
        waiter = self._unacked.get(number)  # None: whoever published it was cancelled meanwhile
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    async def publish(self, message: Message, topic: str) -> None:
        """Send ``message`` as ``topic`` and wait until it was taken, as ``Link.publish`` says; a peer that takes nothing is cut off."""
        if self._lost:
            raise Unavailable(self._lost)
        if len(self._unacked) >= MAX_UNACKED:
            self._line.cut(f"{MAX_UNACKED} messages wait to be taken")
            raise Unavailable(f"{MAX_UNACKED} messages wait to be taken")
        self._count += 1
        number = self._count
        waiter: asyncio.Future[str | Unavailable] = asyncio.get_running_loop().create_future()
        self._unacked[number] = waiter
        try:
            self._line.send(_publish(number, message, topic))
            answer = await self._patiently(waiter)
        finally:
            del self._unacked[number]
        if isinstance(answer, Unavailable):
            raise answer
        if answer:
            raise Refused(answer)

    async def _patiently(self, waiter: asyncio.Future[str | Unavailable]) -> str | Unavailable:
        try:
            async with asyncio.timeout(self._stall_s):
                return await waiter
        except TimeoutError:
            reason = f"no message was taken for {self._stall_s:g} s"
            self._line.cut(reason)
            return Unavailable(reason)

    def lost(self, reason: str) -> None:
        """The other side is gone: everybody who waits for it is told."""
        self._lost = self._lost or reason
        self._patterns.clear()
        for number in list(self._unacked):
            self._answer(number, Unavailable(self._lost))

    @contextmanager
    def subscribe(self, pattern: str) -> Iterator[Subscription]:
        """Listen at this end and tell the other side; the last listener of a pattern tells it to stop."""
        with self._listeners.open(pattern) as subscription:
            self._line.send(Subscribe(pattern=pattern))
            try:
                yield subscription
            finally:
                if self._listeners.count(pattern) == 1:
                    self._line.send(Unsubscribe(pattern=pattern))


def _publish(number: int, message: Message, topic: str) -> Publish:
    return Publish(
        n=number,
        topic=topic,
        payload=message.payload,
        reply_to=message.reply_to,
        correlation=message.correlation,
        content_type=message.content_type,
    )
