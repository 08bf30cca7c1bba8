"""One contact and one lamp on a GPIO pin, and the border to gpiozero: what its libraries raise, its one factory, its one thread."""

import asyncio
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kiosd.errors import DeviceError
from kiosd.ports import LampState, boottime
from kiosd.threads import Inbox

HARDWARE_BOUNCE_S = 0.02  # lgpio reports an edge only after the pin was quiet for so long, so longer would swallow short presses
BLINK_S = 0.5


@dataclass(frozen=True, slots=True)
class Edge:
    """A button's contact closed or opened; ``at`` as in ``Press``."""

    button: str
    down: bool
    at: float


class Contact:
    """What one contact's edges mean, from their times alone.

    A press is a closing after ``debounce_s`` without any edge, so that neither the bounces of a press nor those of a release
    count. ``stuck`` is a contact held longer than ``stuck_s``; bounces in between do not start that time again.
    """

    def __init__(self, debounce_s: float, stuck_s: float, down: bool, at: float) -> None:
        self._debounce_s = debounce_s
        self._stuck_s = stuck_s
        self._down = down
        self._edge_at = float("-inf")
        self._held_since = at if down else None
        self.stuck = False

    def edge(self, down: bool, at: float) -> bool:
        """Whether this edge is a press."""
        press = down and not self._down and at - self._edge_at >= self._debounce_s
        if press or (down and self._held_since is None):
            self._held_since = at
        self._down, self._edge_at = down, at
        return press

    def check(self, down: bool, at: float) -> bool:
        """Whether ``stuck`` changed, told the pin's level now. The level also makes good an opening edge that was lost."""
        if not down:
            self._down = False
            if at - self._edge_at >= self._debounce_s:
                self._held_since = None
        elif self._held_since is None:
            self._held_since = at  # not ``_down``: the edge of this press may still be on its way
        before, self.stuck = self.stuck, self._held_since is not None and at - self._held_since >= self._stuck_s
        return self.stuck != before


class Button:
    """One input pin. Its callback runs in the pin library's only thread, which an exception would end: it only hands over.

    It listens to the pin itself: gpiozero's DigitalInputDevice looks its handler up twice in that thread, and a close in between
    would be such an exception.
    """

    def __init__(self, name: str, device: Any, down_level: bool, debounce_s: float, stuck_s: float, inbox: Inbox[Edge]) -> None:
        self._name = name
        self._device = device
        self._inbox = inbox
        self._down_level = down_level
        self.contact = Contact(debounce_s, stuck_s, self.is_down(), boottime())
        device.pin.bounce = min(HARDWARE_BOUNCE_S, debounce_s)
        device.pin.edges = "both"
        device.pin.when_changed = self._changed  # gpiozero keeps a weak reference: this object must live as long as the device

    def _changed(self, _ticks: object, level: object) -> None:
        self._inbox.put_from_thread(Edge(self._name, bool(level) == self._down_level, boottime()))

    def is_down(self) -> bool:
        """Whether the contact is closed now."""
        return bool(self._device.is_active)


class Lamp:
    """One output pin; it blinks by the loop's timer, for gpiozero would start a thread for each lamp."""

    def __init__(self, device: Any, inbox: Inbox[Edge]) -> None:
        self._device = device
        self._inbox = inbox
        self._timer: asyncio.TimerHandle | None = None

    def show(self, state: LampState) -> None:
        """Set the lamp; the pin library's errors come out as they are."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._device.value = state is not LampState.OFF
        if state is LampState.BLINK:
            self._blink_later(False)

    def _blink_later(self, lit: bool) -> None:
        self._timer = asyncio.get_running_loop().call_later(BLINK_S, self._blink, lit)

    def _blink(self, lit: bool) -> None:
        try:
            with border("lamp"):
                self._device.value = lit
        except DeviceError as exc:
            self._inbox.fail_from_thread(exc)  # a timer has no caller: the reader of the presses learns it
        else:
            self._blink_later(not lit)

    def close(self) -> None:
        """Lamp out, pin free."""
        try:
            self.show(LampState.OFF)
        finally:
            self._device.close()


@contextmanager
def border(what: str) -> Iterator[None]:
    """Translate whatever a pin library raises into ``DeviceError``."""
    from gpiozero import GPIOPinInUse

    try:
        yield
    except Exception as exc:  # gpiozero's, lgpio's and the kernel's errors share no base; inside are library calls only
        busy = isinstance(exc, GPIOPinInUse) or "busy" in str(exc).lower()  # lgpio: another program has the line
        raise DeviceError(f"{what}: {str(exc) or type(exc).__name__}", code="pin_in_use" if busy else "gpio") from exc


def pin_factory() -> Any:
    """gpiozero's one factory of this process, made by the first panel. Trying the next library after a failure is an error here."""
    from gpiozero import Device, PinFactoryFallback

    with border(f"no working GPIO with GPIOZERO_PIN_FACTORY={os.environ.get('GPIOZERO_PIN_FACTORY', '')}"), warnings.catch_warnings():
        warnings.simplefilter("error", PinFactoryFallback)
        Device.ensure_pin_factory()
    return Device.pin_factory


def callback_thread(factory: Any) -> Any:
    """lgpio's one callback thread, ``None`` with another library. A dead one is replaced: opening pins again would not do it."""
    library: Any = getattr(sys.modules[type(factory).__module__], "lgpio", None)
    thread = getattr(library, "_notify_thread", None)
    if thread is not None and not thread.is_alive():
        with border("the GPIO library's callback thread has died and cannot be replaced"):
            thread = library._callback_thread()
            library._notify_thread = thread
    return thread
