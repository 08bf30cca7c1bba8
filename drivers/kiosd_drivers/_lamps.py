"""How a lamp says what it has to say: ``BLINKS`` is the table, ``Lamp`` plays it by the loop's timer.

gpiozero would start a thread for each lamp that blinks.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from kiosd.errors import DeviceError
from kiosd.ports import LampState

BLINKS: dict[LampState, tuple[float, ...]] = {
    LampState.WAIT: (-0.5, 0.5),
    LampState.FAULT: (0.1, -0.2, 0.1, -1.1),
    LampState.RATE_NOW: (0.5, -0.5),
    LampState.REFUSED: (0.1, -0.1),
}
"""Seconds lit, negative ones dark, over and over; the other states are steady. WAIT begins dark: a press is answered by a change."""


class Lamp:
    """One lamp. ``device`` is gpiozero's; ``border`` translates its errors; ``failed`` learns of those that come while it blinks."""

    def __init__(self, device: Any, border: Callable[[str], AbstractContextManager[None]], failed: Callable[[DeviceError], None]) -> None:
        self._device, self._border, self._failed = device, border, failed
        self._timer: asyncio.TimerHandle | None = None
        self._state = LampState.OFF

    def show(self, state: LampState) -> None:
        """Set the lamp; the pin library's errors come out as they are. What it shows already goes on in its rhythm."""
        if state is self._state:
            return
        self._stop()
        if state in BLINKS:
            self._step(BLINKS[state], 0)
        else:
            self._device.value = state is LampState.ON
        self._state = state

    def _step(self, times: tuple[float, ...], index: int) -> None:
        seconds = times[index]
        self._device.value = seconds > 0
        self._timer = asyncio.get_running_loop().call_later(abs(seconds), self._next, times, (index + 1) % len(times))

    def _next(self, times: tuple[float, ...], index: int) -> None:
        try:
            with self._border("lamp"):
                self._step(times, index)
        except DeviceError as exc:
            self._failed(exc)  # a timer has no caller: the reader of the presses learns it

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Lamp out, pin free."""
        self._stop()
        try:
            self._device.value = False
        finally:
            self._device.close()
