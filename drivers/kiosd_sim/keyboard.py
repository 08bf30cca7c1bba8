"""Simulated keyboards as the evdev library shows them, for machines whose kernel has no uinput.

``SimKeyboards`` stands in for the library: its ``list_devices`` and ``open_device`` go where ``evdev.list_devices`` and
``evdev.InputDevice`` are, in this process or (``inputs``) in another one. A device is a file, for its name only; each open one reads a
pipe of its own; grabbing and unplugging behave as in the kernel.
"""

import errno
import fcntl
import os
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

EVENT = struct.Struct("llHHi")  # struct input_event on 64-bit Linux: seconds, microseconds, type, code, value
EV_SYN, EV_KEY, EV_MSC, EV_LED = 0, 1, 4, 0x11
SYN_REPORT, SYN_DROPPED, MSC_SCAN = 0, 3, 4
UP, DOWN, REPEAT = 0, 1, 2
KERNEL_EVENTS = 64  # what the kernel keeps for a reader
KEY_TAB, KEY_ENTER, KEY_LEFTCTRL, KEY_LEFTSHIFT = 15, 28, 29, 42
TYPING_KEYS = tuple(range(1, 84))  # what every keyboard has, Esc to keypad dot

_LAYOUT = {  # a US keyboard row by row: first key code, keys, keys with Shift
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    43: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
    57: (" ", ""),
}
KEYS = {char: (first + index, shift) for first, rows in _LAYOUT.items() for shift, row in enumerate(rows) for index, char in enumerate(row)}
"""Character -> key code and whether Shift is held."""


class Event(NamedTuple):
    """One input event, named as the library names it."""

    sec: int
    usec: int
    type: int
    code: int
    value: int


class Info(NamedTuple):
    bustype: int
    vendor: int
    product: int
    version: int


def read_events(fd: int) -> Iterator[Event]:
    """Everything that waits at an open keyboard's pipe, as ``SimInputDevice.read`` says."""
    data = os.read(fd, KERNEL_EVENTS * EVENT.size)
    if not data:
        raise OSError(errno.ENODEV, "No such device")
    return (Event(*values) for values in EVENT.iter_unpack(data))


class SimInputDevice:
    """What the library's ``InputDevice`` offers of one open keyboard."""

    def __init__(self, keyboard: "SimKeyboard", fd: int) -> None:
        self.fd = fd
        self.path = str(keyboard.path)
        self.name, self.phys, self.uniq, self.info = keyboard.name, keyboard.phys, keyboard.uniq, keyboard.info
        self._keyboard = keyboard

    def capabilities(self) -> dict[int, list[int]]:
        return {EV_SYN: [0], EV_KEY: list(self._keyboard.keys), EV_LED: list(self._keyboard.lamps)}

    def active_keys(self) -> list[int]:
        return sorted(self._here().down)

    def leds(self) -> list[int]:
        return sorted(self._here().lit)

    def set_led(self, led: int, value: int) -> None:
        lit = self._here().lit
        if value:
            lit.add(led)
        else:
            lit.discard(led)

    def _here(self) -> "SimKeyboard":
        if not self._keyboard.path.exists():
            raise OSError(errno.ENODEV, "No such device")
        return self._keyboard

    def read(self) -> Iterator[Event]:
        """Everything that waits; ``BlockingIOError`` when nothing does, ENODEV when the keyboard is gone."""
        return read_events(self.fd)

    def grab(self) -> None:
        self._keyboard.grab(self)

    def ungrab(self) -> None:
        self._keyboard.ungrab(self)

    def close(self) -> None:
        if self.fd >= 0:
            self._keyboard.forget(self)
            os.close(self.fd)
            self.fd = -1


@dataclass(eq=False)
class SimKeyboard:
    """One keyboard. Its device may be opened, grabbed and closed from any thread; keys are pressed by its owner."""

    path: Path
    name: str = "Sim Scanner"
    phys: str = "usb-sim-1/input0"
    uniq: str = ""
    info: Info = Info(3, 0x1234, 0xABCD, 0x0111)
    keys: tuple[int, ...] = TYPING_KEYS
    lamps: tuple[int, ...] = (0, 1, 2)  # NumLock, CapsLock, ScrollLock
    down: set[int] = field(default_factory=set, init=False)
    lit: set[int] = field(default_factory=set, init=False)
    holder: SimInputDevice | None = field(default=None, init=False)
    _open: dict[SimInputDevice, int] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    @property
    def full(self) -> bool:
        """Whether somebody has as many events to read as the kernel keeps: the next key could get lost."""
        with self._lock:
            waiting = [int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder) for fd in self._open.values()]
        return max(waiting, default=0) >= KERNEL_EVENTS * EVENT.size

    def plug(self) -> None:
        self.path.touch()

    def unplug(self) -> None:
        """Pull the plug: open devices get a hang-up, and then ENODEV. Without power no lamp is lit."""
        self.path.unlink(missing_ok=True)
        self.lit.clear()
        with self._lock:
            for fd in self._open.values():
                os.close(fd)
            self._open.clear()
            self.holder = None

    def open(self) -> SimInputDevice:
        if not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self.path))
        read, write = os.pipe()
        os.set_blocking(read, False)
        device = SimInputDevice(self, read)
        with self._lock:
            self._open[device] = write
        return device

    def grab(self, device: SimInputDevice) -> None:
        with self._lock:
            if device not in self._open:
                raise OSError(errno.ENODEV, "No such device")
            if self.holder is not None:
                raise OSError(errno.EBUSY, "Device or resource busy")
            self.holder = device

    def ungrab(self, device: SimInputDevice) -> None:
        with self._lock:
            if self.holder is not device:
                raise OSError(errno.EINVAL, "Invalid argument")
            self.holder = None

    def forget(self, device: SimInputDevice) -> None:
        with self._lock:
            if device in self._open:
                os.close(self._open.pop(device))
            if self.holder is device:
                self.holder = None

    def emit(self, *events: tuple[int, int, int]) -> None:
        """Send (type, code, value) events to whoever has it grabbed, else to all who have it open."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        data = b"".join(EVENT.pack(seconds, nanoseconds // 1000, *event) for event in events)
        with self._lock:
            for device, fd in self._open.items():
                if self.holder in {None, device}:
                    os.write(fd, data)

    def key(self, code: int, value: int) -> None:
        """One key down, up or repeated, as a USB keyboard reports it: scan code, key, end of report."""
        if value:
            self.down.add(code)
        else:
            self.down.discard(code)
        self.emit((EV_MSC, MSC_SCAN, 0x70000 + code), (EV_KEY, code, value), (EV_SYN, SYN_REPORT, 0))

    def tap(self, code: int, shift: bool = False) -> None:
        """Press and release a key."""
        if shift:
            self.key(KEY_LEFTSHIFT, DOWN)
        self.key(code, DOWN)
        self.key(code, UP)
        if shift:
            self.key(KEY_LEFTSHIFT, UP)

    def type(self, text: str, end: int | None = KEY_ENTER) -> None:
        """Type ``text`` and the key that ends it."""
        for char in text:
            code, shift = KEYS[char]
            self.tap(code, bool(shift))
        if end is not None:
            self.tap(end)

    def hold(self, code: int, repeats: int) -> None:
        """A key that is held: down, so many repeats by the kernel, up."""
        self.key(code, DOWN)
        for _ in range(repeats):
            self.key(code, REPEAT)
        self.key(code, UP)

    def control(self, char: str) -> None:
        """Ctrl and a letter, as a scanner types a control character: ``control("m")`` is a carriage return."""
        self.key(KEY_LEFTCTRL, DOWN)
        self.tap(KEYS[char][0])
        self.key(KEY_LEFTCTRL, UP)

    def overrun(self) -> None:
        """Tell the reader that the kernel lost events."""
        self.emit((EV_SYN, SYN_DROPPED, 0))

    def lose(self, code: int, value: int) -> None:
        """One key, as ``key``, of which nobody hears because the kernel's queue is full; the next report is whole again."""
        with self._lock:
            self.down = self.down | {code} if value else self.down - {code}
        self.emit((EV_SYN, SYN_DROPPED, 0), (EV_SYN, SYN_REPORT, 0))


class SimKeyboards:
    """All keyboards of the machine, in place of the library's functions."""

    def __init__(self, *keyboards: SimKeyboard) -> None:
        self._keyboards = {str(keyboard.path): keyboard for keyboard in keyboards}

    def list_devices(self) -> list[str]:
        return [path for path in self._keyboards if Path(path).exists()]

    def open_device(self, path: str) -> SimInputDevice:
        return self._keyboards[path].open()
