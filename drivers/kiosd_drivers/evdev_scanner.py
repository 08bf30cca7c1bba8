"""A barcode scanner that types like a USB keyboard ("keyboard wedge").

[devices.scanner_1]
driver = "evdev_scanner"
match = { by_id = "usb-*-event-kbd" }

``match`` says which keyboard is the scanner; every key given must fit. ``by_id`` and ``by_path`` are names in /dev/input/by-id and
by-path; they, ``name``, ``phys`` and ``serial`` may hold ``*`` and ``?``; ``vid_pid`` is "1234:abcd"; ``path`` is the device itself. When
two keyboards fit, the driver takes neither and names both. ``layout`` is the country that the scanner is set to, not this machine's.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from kiosd.ports import BadScan, DriverConfig, Scan, Scanner
from kiosd.threads import lane
from kiosd_drivers._codes import Assembler, ScanReader, reading
from kiosd_drivers._judge import CodeRules
from kiosd_drivers._keyboards import close, grab, translated
from kiosd_drivers._keys import End, KeyDecoder
from kiosd_drivers._layouts import LayoutName, composed
from kiosd_drivers._match import Match

if TYPE_CHECKING:
    import evdev

OPEN_S = 6.0  # as long as the kernel gives a USB device to answer


class Config(CodeRules):
    """A scanner that types."""

    match: Match = Field(description="Which keyboard: by_id, by_path, vid_pid, serial, name, phys or path; all that is given must fit.")
    layout: LayoutName = Field(default="us", description="The country of the scanner's keyboard setting: us, id, uk, de or fr.")
    ends: Annotated[tuple[End, ...], Field(min_length=1, strict=False)] = Field(
        default=("enter", "tab"), description="Keys that end a code: enter (also the keypad's), tab."
    )
    alt_codes: bool = Field(default=False, description="The scanner types characters as Alt and digits on the keypad (its 'Alt mode').")
    idle_s: float = Field(default=0.3, ge=0.05, le=5.0, description="Seconds between two keys of a code that discard it.")


class EvdevSource:
    """A grabbed keyboard as the reader thread uses it."""

    def __init__(self, device: "evdev.InputDevice[str]", config: Config) -> None:
        self._device, self._config = device, config
        self.codes = Assembler(config.idle_s, silence_ends=config.silence_ends, judge=self._judge)
        self._decoder = KeyDecoder(self.codes, config.layout, config.ends, config.alt_codes)

    def _judge(self, text: str, at: float) -> Scan | BadScan:
        typed = composed(text)
        return BadScan("control", at) if typed is None else self._config.judge(typed, at)

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
        async with reading(os.fsdecode(device.path), EvdevSource(device, config)) as scanner:
            yield scanner


DRIVER = EvdevScannerDriver()
