"""The only two ways across the thread border. Nothing else in kiosd makes a thread, except a driver's reader built on them.

Inbox: a foreign thread hands a value to the loop. It never runs our code over there, so that our bugs cannot kill
       lgpio's one dispatch thread or paho's network thread.
Lane:  the loop runs blocking calls of one device, in order, in that device's own thread.
Reader: one daemon thread that waits for a device's input and hands it to an Inbox.
once:   what several lanes need and only one may make, such as the import of a library that is not made for two at once.

VITAL:  threads of libraries without which a device can never work again, although all else goes on. systemd's watchdog asks for them.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Generic, TypeVar

from kiosd.errors import DeviceError, KiosdError

log = logging.getLogger(__name__)

T = TypeVar("T")
DEAD_S = 10.0  # what a driver has to replace a thread before the process must be started anew
END_S = 2.0  # a reader that was woken needs microseconds to end
MOST_HUNG = 3  # threads of one name that wait for calls which do not come back; a device opened anew each minute would leave a thread each


def once(make: Callable[[], T]) -> Callable[[], T]:
    """``make``'s value for every thread: the first one makes it while the others wait. After an error the next one tries again."""
    alone, made = threading.Lock(), list[T]()

    def value() -> T:
        with alone:
            if not made:
                made.append(make())
            return made[0]

    return value


class Inbox(Generic[T]):
    """A bounded hand-over from any thread to the event loop it was made in.

    When it is full the new item is dropped and counted in ``dropped``; the owner reports that count, nothing is lost in silence.
    An error put with ``fail`` is raised to the reader after the items before it.
    """

    def __init__(self, size: int = 64) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[T | BaseException] = asyncio.Queue()
        self._size = size
        self.dropped = 0

    def put_from_thread(self, item: T) -> None:
        """Hand ``item`` over. Safe from any thread; never raises, never blocks, runs nothing of ours in the calling thread."""
        self._hand_over(self._put, item)

    def fail_from_thread(self, error: BaseException) -> None:
        """End the inbox with ``error``: the reader gets it once everything before it was taken."""
        self._hand_over(self._queue.put_nowait, error)

    def _hand_over(self, put: Callable[[Any], None], item: object) -> None:
        try:
            self._loop.call_soon_threadsafe(put, item)
        except RuntimeError:
            return  # the loop was closed while a callback was still running: nobody is left to tell

    def _put(self, item: T) -> None:
        if self._queue.qsize() >= self._size:
            self.dropped += 1
        else:
            self._queue.put_nowait(item)

    async def get(self) -> T:
        """The next item; raises what ``fail_from_thread`` was given."""
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            yield await self.get()


class Lane:
    """One daemon thread and a queue of calls: blocking work of one owner, in order, with a deadline for each call.

    A pool thread would be joined at interpreter exit, so one hung printer would hold the whole shutdown; a daemon thread is
    left behind. After a call missed its deadline the lane is ``hung`` and refuses further calls: its owner opens a new one. When several
    lanes of one name hang, a new one refuses its calls too, until one of them comes back.
    """

    _hanging: ClassVar[dict[str, list[threading.Thread]]] = {}

    def __init__(self, name: str, error: type[KiosdError] = DeviceError) -> None:
        self._name = name
        self._error = error
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any], Callable[[Any], None] | None] | None] = (
            queue.SimpleQueue()
        )
        self.hung = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._calls.get()) is not None:
            call, future, discard = job
            done: Callable[[Any], None]
            try:
                done, value = future.set_result, call()
            except Exception as exc:  # noqa: BLE001 - whatever it is belongs to the caller, on the other side of the border
                done, value, discard = future.set_exception, exc, None
            try:
                self._loop.call_soon_threadsafe(self._finish, future, done, value, discard)
            except RuntimeError:  # the loop is gone, and with it whoever asked
                return

    @staticmethod
    def _finish(future: asyncio.Future[Any], done: Callable[[Any], None], value: Any, discard: Callable[[Any], None] | None) -> None:
        if not future.done():
            done(value)
        elif discard is not None:
            discard(value)

    async def run(self, call: Callable[[], T], timeout: float, discard: Callable[[T], None] | None = None) -> T:
        """``call()``'s value, made in the lane's thread; raises what it raises, or the lane's error after ``timeout`` seconds.

        ``discard`` closes a value that nobody takes any more, because the caller was cancelled or the deadline is over.
        """
        if self.hung or self._others_hang():
            raise self._error(f"{self._name}: an earlier call has not come back")
        future: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((call, future, discard))
        try:
            async with asyncio.timeout(timeout):  # not wait_for: on 3.11 it can eat a cancellation
                return await future
        except asyncio.CancelledError:
            if discard is not None and future.done() and not future.cancelled() and future.exception() is None:
                discard(future.result())  # it came in the very moment of the cancellation
            raise
        except TimeoutError:
            if future.done() and not future.cancelled():
                return future.result()  # it came in the very moment of the deadline; or raises the call's own TimeoutError
            self._hang()
            raise self._error(f"{self._name}: no answer in {timeout:g} s") from None

    def _hang(self) -> None:
        if not self.hung:
            self.hung = True
            self._hanging.setdefault(self._name, []).append(self._thread)

    def _others_hang(self) -> bool:
        left = [thread for thread in self._hanging.pop(self._name, ()) if thread.is_alive()]
        if left:
            self._hanging[self._name] = left
        return len(left) >= MOST_HUNG

    def close(self) -> None:
        """Let the thread end after the calls it already has."""
        self._calls.put(None)


class Vital:
    """Which threads have to live, by name. A check answers at once, from the loop."""

    def __init__(self) -> None:
        self._alive: dict[str, Callable[[], bool]] = {}
        self._dead_since: dict[str, float] = {}

    def check(self, name: str, alive: Callable[[], bool]) -> None:
        """From now on ``name`` has to live: for as long as the process does, for its driver may be between closing and opening again."""
        self._alive[name] = alive

    def dead(self, now: float) -> list[str]:
        """Those that have been seen dead for ``DEAD_S``; ``now`` in seconds of a clock that only goes on."""
        for name, alive in self._alive.items():
            if alive():
                self._dead_since.pop(name, None)
            else:
                self._dead_since.setdefault(name, now)
        return [name for name, since in self._dead_since.items() if now - since >= DEAD_S]


VITAL = Vital()


@asynccontextmanager
async def lane(name: str, error: type[KiosdError] = DeviceError) -> AsyncIterator[Lane]:
    """A ``Lane`` for the length of a ``with`` block."""
    it = Lane(name, error)
    try:
        yield it
    finally:
        it.close()


def start_reader(name: str, work: Callable[[], None], inbox: Inbox[Any]) -> threading.Thread:
    """Run ``work`` in a daemon thread; an exception in it goes to ``inbox`` instead of being lost. ``work`` ends when its fd closes."""

    def body() -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - crosses the thread border to the owner
            inbox.fail_from_thread(exc)

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    return thread


@asynccontextmanager
async def reader(name: str, work: Callable[[int], None], inbox: Inbox[Any]) -> AsyncIterator[None]:
    """Run ``work(wake)`` in a reader for the length of the block. At its end the fd ``wake`` becomes readable, and ``work`` returns.

    What has to be closed is closed by ``work``: an fd closed under a poll is an fd that may already be somebody else's.
    """
    ended: Inbox[None] = Inbox()
    wake = os.eventfd(0)

    def body() -> None:
        try:
            work(wake)
        finally:
            ended.put_from_thread(None)

    start_reader(name, body, inbox)
    try:
        yield
    finally:
        os.eventfd_write(wake, 1)
        try:
            async with asyncio.timeout(END_S):
                await ended.get()
            os.close(wake)
        except TimeoutError:  # a kernel call does not return: leave the thread behind with what it holds and its wake fd
            log.warning("%s: the reader did not end in %g s", name, END_S)
