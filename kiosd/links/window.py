"""Messages on their way to the other side: at most ``size`` unacknowledged at once, the rest waits in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from kiosd.links.base import Message

A = TypeVar("A")
STRING_OVERHEAD, ALLOWANCE = 3, 64  # bytes a string adds to an MQTT PUBLISH, and everything else in it, rounded up


def packet_size(message: Message) -> int:
    """Bytes of ``message`` as an MQTT 5 packet, rounded up."""
    texts = (message.topic, message.reply_to or "", *(text for pair in message.properties for text in pair))
    strings = sum(len(text.encode()) + STRING_OVERHEAD for text in texts)
    return len(message.payload) + strings + len(message.correlation or b"") + ALLOWANCE


@dataclass(eq=False, slots=True)
class _Outgoing:
    message: Message
    future: asyncio.Future[None]
    sent_at: float = 0.0


class Answers(Generic[A]):
    """Hands acknowledgements from the transport's thread to ``take`` in the loop; those that come together wake it once."""

    def __init__(self, take: Callable[[int, A], None]) -> None:
        self._loop, self._take = asyncio.get_running_loop(), take
        self._came: deque[tuple[int, A]] = deque()
        self._awake = False

    def put_from_thread(self, key: int, answer: A) -> None:
        """Hand over. Safe from one thread; never raises, never blocks."""
        self._came.append((key, answer))
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._hand_on)

    def _hand_on(self) -> None:
        self._awake = False  # first: what comes from now on wakes the loop again
        while self._came:
            self._take(*self._came.popleft())


class Window:
    """``transmit`` gives a message to the transport and returns the key its acknowledgement will carry; it may raise ``Unavailable``."""

    def __init__(self, transmit: Callable[[Message], Hashable]) -> None:
        self.size = 1
        self._transmit, self._time = transmit, asyncio.get_running_loop().time
        self._waiting: deque[_Outgoing] = deque()
        self._under_way: dict[Hashable, _Outgoing] = {}

    @property
    def oldest_s(self) -> float | None:
        """For how many seconds the oldest message has waited for its acknowledgement; None when none does."""
        oldest = next(iter(self._under_way.values()), None)
        return self._time() - oldest.sent_at if oldest is not None else None

    def add(self, message: Message, future: asyncio.Future[None]) -> None:
        """Send ``message`` as soon as there is room, unless ``future``, which ``settle`` or ``fail`` ends, was cancelled meanwhile."""
        self._waiting.append(_Outgoing(message, future))
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._under_way) < self.size:
            outgoing = self._waiting.popleft()
            if outgoing.future.done():
                continue
            outgoing.sent_at = self._time()
            try:
                self._under_way[self._transmit(outgoing.message)] = outgoing
            except Exception as exc:  # noqa: BLE001 - belongs to whoever sends this message
                outgoing.future.set_exception(exc)

    def settle(self, key: Hashable, error: Exception | None) -> None:
        """The other side answered for ``key``: taken, or not because of ``error``."""
        outgoing = self._under_way.pop(key, None)
        self._fill()
        if outgoing is None or outgoing.future.done():
            return
        if error is None:
            outgoing.future.set_result(None)
        else:
            outgoing.future.set_exception(error)

    def fail(self, error: Exception) -> None:
        """Nothing that is on its way or waits will be answered."""
        failed = [*self._under_way.values(), *self._waiting]
        self._under_way.clear()
        self._waiting.clear()
        for outgoing in failed:
            if not outgoing.future.done():
                outgoing.future.set_exception(error)
