"""A barcode scanner that types like a USB keyboard ("keyboard wedge").

[devices.scanner_1]
driver = "evdev_scanner"
match = { by_id = "usb-*-event-kbd" }

``match`` says which keyboard is the scanner; every key given must fit. ``by_id`` and ``by_path`` are names in /dev/input/by-id and
by-path; they, ``name``, ``phys`` and ``uniq`` may hold ``*`` and ``?``; ``vid_pid`` is "1234:abcd"; ``path`` is the device itself. When two
keyboards fit, the driver takes neither and names both. Scanners must be set to the US keyboard layout.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kiosd.ports import BadScan, DriverConfig, Scan, Scanner
from kiosd.threads import lane
from kiosd_drivers._codes import Assembler, ScanReader, reading
from kiosd_drivers._keyboards import Match, close, grab, translated
from kiosd_drivers._keys import KeyDecoder

if TYPE_CHECKING:
    import evdev

OPEN_S = 6.0  # as long as the kernel gives a USB device to answer


class Config(DriverConfig):
    """``idle_s``: a code without its end is thrown away after so many seconds between two keys."""

    match: Match
    idle_s: float = Field(default=0.3, ge=0.05, le=5.0)


class EvdevSource:
    """A grabbed keyboard as the reader thread uses it."""

    def __init__(self, device: "evdev.InputDevice[str]", idle_s: float) -> None:
        self._device = device
        self._decoder = KeyDecoder(idle_s)

    @property
    def codes(self) -> Assembler:
        return self._decoder.codes

    def fileno(self) -> int:
        return self._device.fd

    def take(self, at: float) -> list[Scan | BadScan]:
        found: list[Scan | BadScan] = []
        with translated(os.fsdecode(self._device.path)), suppress(BlockingIOError):
            for event in self._device.read():
                found += self._decoder.feed(event.type, event.code, event.value, at)
        return found

    def close(self) -> None:
        close(self._device)


class EvdevScannerDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = Scanner

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[ScanReader]:
        """Find, grab and read the keyboard until the block ends."""
        async with lane("find scanner") as it:
            device = await it.run(partial(grab, config.match), OPEN_S, lambda late: late.close())
        async with reading(os.fsdecode(device.path), EvdevSource(device, config.idle_s)) as scanner:
            yield scanner


DRIVER = EvdevScannerDriver()
