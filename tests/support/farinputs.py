"""The far side of scanners and keypads: keyboards in place of the machine's, and scanners on serial lines."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import evdev
import pytest

from kiosd_sim.keyboard import SimInputDevice, SimKeyboard, SimKeyboards
from kiosd_sim.scanner import SimScanner

T = TypeVar("T")


class _OpenKeyboard:
    """What ``evdev.InputDevice`` gives: like the library's, it closes itself when nobody holds it any more."""

    def __init__(self, device: SimInputDevice) -> None:
        self._device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def __del__(self) -> None:
        self._device.close()


class Keyboard:
    """A scanner that types."""

    def __init__(self, keyboard: SimKeyboard) -> None:
        self._keyboard = keyboard
        self.config: dict[str, Any] = {"match": {"name": keyboard.name}}

    async def plug(self) -> None:
        self._keyboard.plug()

    async def unplug(self) -> None:
        self._keyboard.unplug()

    async def scan(self, text: str) -> None:
        self._keyboard.type(text)


def typing_scanner(directory: Path) -> AbstractAsyncContextManager[Keyboard]:
    """A scanner that types, in place of all keyboards of the machine."""
    return _plugged(Keyboard, directory)


class AltKeyboard(Keyboard):
    """One that types each character as Alt and its number on the keypad, as whatever country it is set to."""

    ALT, TAB = 56, 15
    KEYPAD: ClassVar[tuple[int, ...]] = (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)

    def __init__(self, keyboard: SimKeyboard) -> None:
        super().__init__(keyboard)
        self.config |= {"layout": "fr", "alt_codes": True, "ends": ["tab"]}

    async def scan(self, text: str) -> None:
        for char in text:
            self._keyboard.key(self.ALT, 1)
            for digit in f"0{ord(char)}":
                self._keyboard.tap(self.KEYPAD[int(digit)])
            self._keyboard.key(self.ALT, 0)
        self._keyboard.tap(self.TAB)


def alt_scanner(directory: Path) -> AbstractAsyncContextManager[AltKeyboard]:
    """A scanner in Alt mode, in place of all keyboards of the machine."""
    return _plugged(AltKeyboard, directory)


class Keypad:
    """A keypad whose keys 1 and 2 are the buttons A and B and whose NumLock lamp is ``ready``; a key held for 0.4 s is stuck."""

    KEYS: ClassVar[dict[str, int]] = {"A": 79, "B": 80}

    def __init__(self, keyboard: SimKeyboard) -> None:
        self.keyboard = keyboard
        keys, lamps = {"KP1": "A", "KP2": "B"}, {"ready": "numlock"}
        self.config: dict[str, Any] = {"match": {"name": keyboard.name}, "keys": keys, "lamps": lamps, "debounce_s": 0.2, "stuck_s": 0.4}

    async def plug(self) -> None:
        self.keyboard.plug()

    async def unplug(self) -> None:
        self.keyboard.unplug()

    def press(self, button: str) -> None:
        self.keyboard.tap(self.KEYS[button])

    def bounce(self, button: str) -> None:
        for _ in range(5):
            self.press(button)

    def hold(self, button: str) -> None:
        self.keyboard.key(self.KEYS[button], 1)

    def release(self, button: str) -> None:
        self.keyboard.key(self.KEYS[button], 0)

    def lit(self, lamp: str) -> bool:
        return lamp == "ready" and 0 in self.keyboard.lit


def keypad(directory: Path) -> AbstractAsyncContextManager[Keypad]:
    """A keypad, in place of all keyboards of the machine."""
    return _plugged(Keypad, directory, name="Sim Keypad")


@asynccontextmanager
async def _plugged(far: Callable[[SimKeyboard], T], directory: Path, **traits: Any) -> AsyncIterator[T]:
    keyboard = SimKeyboard(directory / "event0", **traits)
    keyboard.plug()
    with keyboards(keyboard):
        yield far(keyboard)


@contextmanager
def keyboards(*plugged: SimKeyboard) -> Iterator[None]:
    """These, in place of all keyboards of the machine."""
    machine = SimKeyboards(*plugged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evdev, "list_devices", machine.list_devices)
        patch.setattr(evdev, "InputDevice", lambda path: _OpenKeyboard(machine.open_device(path)))
        yield


class LineScanner:
    """A scanner on a serial line."""

    def __init__(self, scanner: SimScanner) -> None:
        self._scanner = scanner
        self.config: dict[str, Any] = {"port": str(scanner.port.link)}

    async def plug(self) -> None:
        self._scanner.port.plug()

    async def unplug(self) -> None:
        self._scanner.port.unplug()

    async def scan(self, text: str) -> None:
        await self._scanner.send(text)


class FramedScanner(LineScanner):
    """One that says what kind of code it read, between STX and ETX."""

    def __init__(self, scanner: SimScanner) -> None:
        super().__init__(scanner)
        self.config |= {"ends": ["etx"], "aim": True}

    async def scan(self, text: str) -> None:
        await self._scanner.send(f"\x02]Q1{text}\x03", "")


def framed_scanner(directory: Path) -> AbstractAsyncContextManager[FramedScanner]:
    """A scanner on a serial line, with frames of its own."""
    return _on_a_line(FramedScanner, directory)


def line_scanner(directory: Path) -> AbstractAsyncContextManager[LineScanner]:
    """A scanner on a serial line."""
    return _on_a_line(LineScanner, directory)


@asynccontextmanager
async def _on_a_line(far: Callable[[SimScanner], T], directory: Path) -> AsyncIterator[T]:
    scanner = SimScanner(directory / "scanner")
    with scanner.port.plugged():
        yield far(scanner)
