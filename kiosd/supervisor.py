"""Keep one device going: open, use, and after an error wait and open again. One device's trouble never reaches another.

Waits 1, 2, 4 ... 60 s between tries (architecture: errors by reaction). A ``JournalError`` is nobody's device and passes through.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeVar

from kiosd.clock import Clock
from kiosd.errors import DeviceError, JournalError
from kiosd.ports import Fault

log = logging.getLogger(__name__)
D = TypeVar("D")

FIRST_WAIT_S = 1.0
LAST_WAIT_S = 60.0
GOOD_AFTER_S = 10.0  # a device that worked this long starts again at the first wait

State = Literal["ok", "degraded", "down"]


Report = Callable[[str, State, str, str], Awaitable[None]]
"""Where health goes: device, state, a machine word, a sentence."""


class Health:
    """One device's health: up, down, and the faults it lives with, by what they are about."""

    def __init__(self, device: str, report: Report) -> None:
        self.device, self._report = device, report
        self._faults: dict[str, Fault] = {}

    async def up(self) -> None:
        """The device was opened."""
        self._faults = {}
        await self._report(self.device, "ok", "", "")

    async def down(self, code: str, detail: str) -> None:
        """The device cannot be used."""
        await self._report(self.device, "down", code, detail[:200])

    async def fault(self, fault: Fault) -> None:
        """The device works, but a person should know; an empty code says that it is over."""
        self._faults.pop(fault.subject, None)
        if fault.code:
            self._faults[fault.subject] = fault
        worst = next(iter(self._faults.values()), None)
        if worst is None:
            await self._report(self.device, "ok", "", "")
        else:
            detail = "; ".join(one.detail for one in self._faults.values())
            await self._report(self.device, "degraded", worst.code, detail[:200])


async def supervise(
    open_: Callable[[], AbstractAsyncContextManager[D]],
    use: Callable[[D, Health], Awaitable[None]],
    health: Health,
    clock: Clock,
) -> None:
    """Open the device and ``use`` it, for ever. ``use`` ends by an error; whatever it is, the device is closed and opened again."""
    wait, said = FIRST_WAIT_S, ""
    while True:
        opened_at: float | None = None
        try:
            async with open_() as device:
                opened_at, said = clock.now().monotonic, ""
                await health.up()
                log.info("%s is up", health.device)
                await use(device, health)
            code, detail = "ended", "the device ended by itself"
        except JournalError:
            raise
        except BaseException as exc:  # noqa: BLE001 - looked through by _why, which raises what is not the device's
            code, detail = _why(exc)
            _leave_when_cancelled(health.device, detail)
        if opened_at is not None and clock.now().monotonic - opened_at >= GOOD_AFTER_S:
            wait = FIRST_WAIT_S
        await health.down(code, detail)
        log.log(logging.DEBUG if detail == said else logging.WARNING, "%s is down: %s; next try in %g s", health.device, detail, wait)
        said = detail
        await clock.sleep(wait)
        wait = min(wait * 2, LAST_WAIT_S)


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
        if not isinstance(leaf, DeviceError):
            log.error("bug in a driver or station", exc_info=leaf)
            return "bug", f"bug: {leaf!r}"
    first = leaves[0]
    return (first.code, str(first)) if isinstance(first, DeviceError) else ("bug", repr(first))


def _leaves(exc: BaseException) -> list[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in _leaves(inner)]
    return [exc]
