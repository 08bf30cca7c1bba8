"""The only two ways across the thread border. Nothing else in kiosd makes a thread, except a driver's reader built on them.

Inbox: a foreign thread hands a value to the loop. It never runs our code over there, so that our bugs cannot kill
       lgpio's one dispatch thread or paho's network thread.
Lane:  the loop runs blocking calls of one device, in order, in that device's own thread.
Reader: one daemon thread that waits for a device's input and hands it to an Inbox.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from kiosd.errors import DeviceError, KiosdError

T = TypeVar("T")


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
    left behind. After a call missed its deadline the lane is ``hung`` and refuses further calls: its owner opens a new one.
    """

    def __init__(self, name: str, error: type[KiosdError] = DeviceError) -> None:
        self._name = name
        self._error = error
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any], Callable[[Any], None] | None] | None] = (
            queue.SimpleQueue()
        )
        self.hung = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

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
        if self.hung:
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
            if future.done() and not future.cancelled() and future.exception() is not None:
                raise  # the call's own TimeoutError
            self.hung = True
            raise self._error(f"{self._name}: no answer in {timeout:g} s") from None

    def close(self) -> None:
        """Let the thread end after the calls it already has."""
        self._calls.put(None)


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
