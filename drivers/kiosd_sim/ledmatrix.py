"""MAX7219 chips in a row, and the SPI device in front of them: a FIFO, for a simulation has no clock lines. Shares no code with drivers."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from kiosd_sim.pictures import dots
from kiosd_sim.serialport import hand_on, plugged_in

if TYPE_CHECKING:
    from PIL import Image

ROWS = 8
DECODE, INTENSITY, SCAN_LIMIT, SHUTDOWN, TEST = 0x09, 0x0A, 0x0B, 0x0C, 0x0F
AT_POWER_ON = dict.fromkeys((*range(1, 9), DECODE, INTENSITY, SCAN_LIMIT, SHUTDOWN, TEST), 0)

WIRING: dict[int, Callable[[int, int], tuple[int, int]]] = {
    0: lambda column, row: (column, row),
    90: lambda column, row: (row, 7 - column),
    180: lambda column, row: (7 - column, 7 - row),
    -90: lambda column, row: (7 - row, column),
}
"""How a block is turned -> which digit register (from 0) and which bit of it a dot is, seen from the front."""


class MatrixScreen:
    """``chips`` blocks of 8x8 dots, each turned by ``orientation`` degrees. ``lines`` are rows of ``#`` and spaces.

    What is sent first ends up in the chip that is farthest from the cable, the right one.
    """

    def __init__(self, chips: int, orientation: int = 0, reverse: bool = False, upside_down: bool = False) -> None:
        self._wiring, self._reverse, self._upside_down = WIRING[orientation], reverse, upside_down
        self.garbage = bytearray()
        self._chips = [dict(AT_POWER_ON) for _ in range(chips)]
        self._rest = b""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple("".join(self._dot(column, row) for column in range(len(self._chips) * 8)).rstrip() for row in range(ROWS))

    def _dot(self, column: int, row: int) -> str:
        if self._upside_down:
            column, row = len(self._chips) * 8 - 1 - column, 7 - row
        chip = self._chips[-1 - column // 8 if self._reverse else column // 8]
        register, bit = self._wiring(column % 8, row)
        if not chip[SHUTDOWN] or chip[DECODE] or chip[SCAN_LIMIT] < register:
            return " "
        return "#" if chip[TEST] or chip[1 + register] >> bit & 1 else " "

    @property
    def brightness(self) -> set[int]:
        """0 to 15, of each chip."""
        return {chip[INTENSITY] for chip in self._chips}

    def feed(self, data: bytes) -> bytes:
        """Take what is shifted in; a frame has two bytes for each chip."""
        self._rest += data
        size = 2 * len(self._chips)
        while len(self._rest) >= size:
            frame, self._rest = self._rest[:size], self._rest[size:]
            for chip, at in zip(reversed(self._chips), range(0, size, 2), strict=True):
                if frame[at] in chip:
                    chip[frame[at]] = frame[at + 1]
                elif frame[at]:  # register 0 does nothing
                    self.garbage += frame[at : at + 2]
        return b""

    def forget(self) -> None:
        """Lose the power for a moment: the chips sleep."""
        self._chips = [dict(AT_POWER_ON) for _ in self._chips]

    def picture(self) -> "Image.Image":
        """What is shown now: red dots."""
        width = len(self._chips) * 8
        return dots([line.ljust(width) for line in self.lines])


class SpiPort:
    """The device file at ``link``; what the near side writes goes to ``on_data``. Used in one event loop."""

    def __init__(self, link: Path, on_data: Callable[[bytes], None]) -> None:
        self.link = link
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        self._far = -1

    @property
    def is_plugged(self) -> bool:
        return self._far >= 0

    def plug(self) -> None:
        """Make the device."""
        if self.is_plugged:
            return
        os.mkfifo(self.link, 0o600)
        self._far = os.open(self.link, os.O_RDWR | os.O_NONBLOCK)  # writing too, so that a near side that closes is no end of file
        fcntl.fcntl(self._far, fcntl.F_SETPIPE_SZ, 4096)
        self.release()

    def unplug(self) -> None:
        """Take the device away: the near side's writes fail."""
        if not self.is_plugged:
            return
        self.link.unlink(missing_ok=True)
        self.jam()
        os.close(self._far)
        self._far = -1

    def plugged(self) -> AbstractContextManager["SpiPort"]:
        """There for the length of a ``with`` block."""
        return plugged_in(self)

    def jam(self) -> None:
        """Take nothing any more."""
        self._loop.remove_reader(self._far)

    def release(self) -> None:
        """Take what comes again."""
        self._loop.add_reader(self._far, self._read)

    def _read(self) -> None:
        hand_on(self._far, self._on_data)
