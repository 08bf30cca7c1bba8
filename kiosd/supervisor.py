"""Keep one device going: open, use, and after an error wait and open again. One device's trouble never reaches another.

Rule 1  Waits 1, 2, 4 ... 60 s between tries (architecture: errors by reaction), for a device that is absent 5 s at most.
Rule 2  When something was plugged in, it may be this one: it is tried as soon as udev is done with it.
Rule 3  Opening and closing have an end. A driver has deadlines of its own; this is for one that has a hole in them.
Rule 4  A ``JournalError`` is nobody's device and passes through.
Rule 5  A device that changes its mind all the time fills neither the journal nor the log: after ``CHANGES`` in a row its changes are told
        at a pace, and the last one always.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Literal, TypeVar

from kiosd.clock import Clock
from kiosd.errors import DeviceError, JournalError
from kiosd.hotplug import Plugs
from kiosd.ports import Fault

log = logging.getLogger(__name__)
D = TypeVar("D")

FIRST_WAIT_S = 1.0
LAST_WAIT_S = 60.0
RESCAN_S = 5.0  # hardware section 3a: hot-plug without udev, and where its message was lost
SETTLE_S = 0.3  # a scanner comes as several devices, one after the other
OPEN_S = 60.0  # more than any driver's own deadlines; python-escpos needs 30 s to come from a slow card
CLOSE_S = 10.0
LEAVE_S = 1.2  # the same when the daemon stops: Ctrl-C ends everything within 2 s
GOOD_AFTER_S = 10.0  # a device that worked this long starts again at the first wait
CHANGES = 6  # of a device's health that are told as they come: a new roll of paper is four or five
CHANGE_EVERY_S = 20.0  # afterwards; 150 bytes of journal each

State = Literal["ok", "degraded", "down"]


Report = Callable[[str, State, str, str], Awaitable[None]]
"""Where health goes: device, state, a machine word, a sentence."""


Told = tuple[State, str, str]


class Health:
    """One device's health: up, down, and the faults it lives with, by what they are about."""

    def __init__(self, device: str, report: Report) -> None:
        self.device, self._report = device, report
        self._faults: dict[str, Fault] = {}
        self._clock: Clock | None = None
        self._told: Told | None = None
        self._last: Told | None = None
        self._free, self._counted_at = float(CHANGES), 0.0
        self._owed = asyncio.Event()

    async def up(self) -> None:
        """The device was opened."""
        self._faults = {}
        await self._tell("ok", "", "")

    async def down(self, code: str, detail: str) -> None:
        """The device cannot be used."""
        await self._tell("down", code, detail[:200])

    async def fault(self, fault: Fault) -> None:
        """The device works, but a person should know; an empty code says that it is over."""
        self._faults.pop(fault.subject, None)
        if fault.code:
            self._faults[fault.subject] = fault
        worst = next(iter(self._faults.values()), None)
        if worst is None:
            await self._tell("ok", "", "")
        else:
            detail = "; ".join(one.detail for one in self._faults.values())
            await self._tell("degraded", worst.code, detail[:200])

    @asynccontextmanager
    async def at_a_pace(self, clock: Clock) -> AsyncIterator[None]:
        """Within this block changes are told at a pace (rule 5); what was held back when it ends is told no more."""
        self._clock, self._counted_at = clock, clock.now().monotonic
        async with asyncio.TaskGroup() as tasks:
            late = tasks.create_task(self._tell_late(clock))
            try:
                yield
            finally:
                late.cancel()

    async def _tell(self, state: State, code: str, detail: str) -> None:
        self._last = (state, code, detail)
        if self._last == self._told:
            if state == "down":  # each try that failed
                await self._tell_last()
        elif self._wait_s() <= 0.0:
            await self._tell_last()
        else:
            self._owed.set()

    async def _tell_late(self, clock: Clock) -> None:
        while True:
            await self._owed.wait()
            await clock.sleep(max(0.0, self._wait_s()))
            self._owed.clear()
            if self._last != self._told:
                await self._tell_last()

    def _wait_s(self) -> float:
        """How long the next change has to wait; at most 0 when it is free to go."""
        if self._clock is None:
            return 0.0
        now = self._clock.now().monotonic
        self._free = min(float(CHANGES), self._free + (now - self._counted_at) / CHANGE_EVERY_S)
        self._counted_at = now
        return (1.0 - self._free) * CHANGE_EVERY_S

    async def _tell_last(self) -> None:
        """Report how it is now. Opening and failing are logged by ``supervise``, with its next try."""
        before, last = self._told, self._last
        if last is None:
            return
        if last != before:
            self._free -= 1.0
            if last[0] == "degraded":
                log.warning("%s: %s", self.device, last[2])
            elif last[0] == "ok" and before is not None and before[0] == "degraded":
                log.info("%s: all is well again", self.device)
        self._told = last
        await self._report(self.device, *last)


async def supervise(
    open_: Callable[[], AbstractAsyncContextManager[D]],
    use: Callable[[D, Health], Awaitable[None]],
    health: Health,
    clock: Clock,
    plugs: Plugs | None = None,
) -> None:
    """Open the device and ``use`` it, for ever. ``use`` ends by an error; whatever it is, the device is closed and opened again.

    ``plugs`` tells when something was plugged in.
    """
    async with health.at_a_pace(clock):
        await _keep_going(open_, use, health, clock, plugs or Plugs())


async def _keep_going(
    open_: Callable[[], AbstractAsyncContextManager[D]],
    use: Callable[[D, Health], Awaitable[None]],
    health: Health,
    clock: Clock,
    plugs: Plugs,
) -> None:
    wait, said = FIRST_WAIT_S, ""
    while True:
        opened_at, count = None, plugs.count
        try:
            async with _in_time(open_()) as device:
                opened_at, said = clock.now().monotonic, ""
                await health.up()
                log.info("%s is up", health.device)
                try:
                    await use(device, health)
                finally:
                    count = plugs.count
            code, detail = "ended", "the device ended by itself"
        except JournalError:
            raise
        except BaseException as exc:  # noqa: BLE001 - looked through by _why, which raises what is not the device's
            code, detail = _why(exc)
            _leave_when_cancelled(health.device, detail)
        if opened_at is not None and clock.now().monotonic - opened_at >= GOOD_AFTER_S:
            wait = FIRST_WAIT_S
        await health.down(code, detail)
        pause = min(wait, RESCAN_S) if code == "absent" else wait
        log.log(logging.DEBUG if detail == said else logging.WARNING, "%s is down: %s; next try in %g s", health.device, detail, pause)
        said = detail
        wait = FIRST_WAIT_S if await _plugged(plugs, count, clock, pause) else min(wait * 2, LAST_WAIT_S)


async def _plugged(plugs: Plugs, count: int, clock: Clock, seconds: float) -> bool:
    """Wait until something more than ``count`` was plugged in and settled (True), or until ``seconds`` have passed."""
    async with asyncio.TaskGroup() as tasks:
        came = tasks.create_task(plugs.after(count))
        over = tasks.create_task(clock.sleep(seconds))
        await asyncio.wait({came, over}, return_when=asyncio.FIRST_COMPLETED)
        plugged = came.done() and not over.done()
        came.cancel()
        over.cancel()
    if plugged:
        await clock.sleep(min(seconds, SETTLE_S))
    return plugged


@asynccontextmanager
async def _in_time(device: AbstractAsyncContextManager[D]) -> AsyncIterator[D]:
    """``device``, with an end to its opening and its closing."""
    async with AsyncExitStack() as stack:
        async with _limit(OPEN_S, "opening it"):
            opened = await device.__aenter__()
        stack.push_async_exit(partial(_close, device))
        yield opened


async def _close(device: AbstractAsyncContextManager[Any], *why: Any) -> bool | None:
    task = asyncio.current_task()
    async with _limit(LEAVE_S if task is not None and task.cancelling() else CLOSE_S, "closing it"):
        return await device.__aexit__(*why)


@asynccontextmanager
async def _limit(seconds: float, what: str) -> AsyncIterator[None]:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as exc:
        if limit.expired():
            raise DeviceError(f"{what} took more than {seconds:g} s", "timeout") from exc
        raise


def _leave_when_cancelled(device: str, detail: str) -> None:
    """A device that fails while it is closed hides the cancellation that closed it: who was asked to stop must not go on."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        log.warning("%s failed while it was closed: %s", device, detail)
        raise asyncio.CancelledError


def _why(exc: BaseException) -> tuple[str, str]:
    """Code and sentence of what ended a device; raises it again when it is not the device's affair (cancellation, journal)."""
    leaves = _leaves(exc)
    for leaf in leaves:
        if isinstance(leaf, JournalError) or not isinstance(leaf, Exception):
            raise exc
    for leaf in leaves:
        if isinstance(leaf, ImportError):
            return "library", f"a library is missing or does not fit: {leaf}"
        if not isinstance(leaf, DeviceError):
            log.error("bug in a driver or station", exc_info=leaf)
            return "bug", f"bug: {leaf!r}"
    first = leaves[0]
    return (first.code, str(first)) if isinstance(first, DeviceError) else ("bug", repr(first))


def _leaves(exc: BaseException) -> list[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in _leaves(inner)]
    return [exc]
