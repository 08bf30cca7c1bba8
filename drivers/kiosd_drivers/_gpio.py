"""One button on a GPIO pin, and the border to gpiozero: what its libraries raise, its one factory, its one thread."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from glob import glob
from typing import Any

from kiosd.errors import DeviceError
from kiosd.threads import VITAL

HARDWARE_BOUNCE_S = 0.02  # lgpio reports an edge only after the pin was quiet for so long, so longer would swallow short presses
PULLS = ("SET_PULL_NONE", "SET_BIAS_DISABLE")  # of a whole lgpio: one or the other, by its version
CHIPS = "/dev/gpiochip*"


class Button:
    """One input pin. Its callback runs in the pin library's only thread, which an exception would end: it only hands over.

    It listens to the pin itself: gpiozero's DigitalInputDevice looks its handler up twice in that thread, and a close in between
    would be such an exception.
    """

    def __init__(self, device: Any, down_level: bool, debounce_s: float, changed: Callable[[bool], None]) -> None:
        self._device, self._changed, self._down_level = device, changed, down_level
        device.pin.bounce = min(HARDWARE_BOUNCE_S, debounce_s)
        device.pin.edges = "both"
        device.pin.when_changed = self._edge  # gpiozero keeps a weak reference: this object must live as long as the device

    def _edge(self, _ticks: object, level: object) -> None:
        self._changed(bool(level) == self._down_level)

    def is_down(self) -> bool:
        """Whether the contact is closed now."""
        return bool(self._device.is_active)


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

    name = os.environ.get("GPIOZERO_PIN_FACTORY", "")
    try:
        with border(f"no working GPIO with GPIOZERO_PIN_FACTORY={name}"), warnings.catch_warnings():
            warnings.simplefilter("error", PinFactoryFallback)
            Device.ensure_pin_factory()
    except DeviceError as exc:
        raise DeviceError(f"{exc}{remedy(name, str(exc))}", exc.code) from exc
    return Device.pin_factory


def remedy(name: str, error: str, modules: Mapping[str, Any] | None = None) -> str:
    """What to do about a factory ``name`` that could not be made, as the end of a sentence; empty for what only its ``error`` explains."""
    if not name:
        return "; set GPIOZERO_PIN_FACTORY=lgpio, as kiosd's unit does"
    if name != "lgpio":
        return ""
    lgpio = (sys.modules if modules is None else modules).get("lgpio")
    if lgpio is None:
        return "; lgpio is not installed: apt install python3-lgpio, or the line that kiosd doctor gives"
    if not any(hasattr(lgpio, constant) for constant in PULLS):
        return "; this lgpio is the dead 0.0.0.2 that pip takes for lack of a wheel: apt install python3-lgpio, or the line of kiosd doctor"
    if ".lgd-nfy" in error:
        return f"; lgpio needs a working directory that it may write to, and {os.getcwd()} is none: WorkingDirectory in the unit"  # noqa: PTH109
    chips = sorted(glob(CHIPS))  # noqa: PTH207 - a pattern of absolute paths
    if not chips:
        return "; there is no /dev/gpiochip0: this is no board with GPIO, or its kernel has no driver for it"
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return f"; {chips[0]} may not be opened: put kiosd's user into group gpio, and install the udev rules"
    return ""


def callback_thread(factory: Any) -> Any:
    """lgpio's one callback thread, ``None`` with another library. A dead one is replaced: opening pins again would not do it.

    One that stays dead is for the watchdog: no panel of this process will ever hear a button again.
    """
    library: Any = getattr(sys.modules[type(factory).__module__], "lgpio", None)
    thread = getattr(library, "_notify_thread", None)
    if thread is None:
        return None
    VITAL.check("lgpio's callback thread", lambda: bool(library._notify_thread.is_alive()))
    if not thread.is_alive():
        with border("the GPIO library's callback thread has died and cannot be replaced"):
            thread = library._callback_thread()
            library._notify_thread = thread
    return thread
