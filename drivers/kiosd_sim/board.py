"""A simulated call display on its line: it decodes what it is sent, remembers it, and can be looked at as text or picture."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kiosd_sim.ledmatrix import MatrixScreen, SpiPort
from kiosd_sim.serialport import SerialPort

if TYPE_CHECKING:
    from PIL import Image

HISTORY = 1000  # faces

Lines = tuple[str, ...]


class Screen(Protocol):
    """Bytes in, lines of text out. ``garbage`` are the bytes that meant nothing: a driver's mistake, or a torn frame.

    ``feed`` returns what the screen answers; ``forget`` is a power cut.
    """

    garbage: bytearray

    @property
    def lines(self) -> Lines: ...
    def feed(self, data: bytes) -> bytes: ...
    def forget(self) -> None: ...
    def picture(self) -> "Image.Image": ...


class SimBoard:
    """A display at ``line``: a path, or a port that others are on too.

    ``history`` holds what it showed, oldest first; a face can come in pieces, each is remembered.
    """

    def __init__(self, line: Path | SerialPort, screen: Screen) -> None:
        self.port: SerialPort | SpiPort
        if isinstance(line, SerialPort):
            self.port = line
        else:
            self.port = (SpiPort if isinstance(screen, MatrixScreen) else SerialPort)(line, self.feed)
        self.screen = screen
        self.history: list[Lines] = []
        self._changed = asyncio.Event()

    @property
    def lines(self) -> Lines:
        return self.screen.lines

    def feed(self, data: bytes) -> None:
        """Take what comes on the line, and answer."""
        before = self.lines
        if (answer := self.screen.feed(data)) and isinstance(self.port, SerialPort):
            self.port.say(answer)
        if self.lines != before:
            self.history = [*self.history[1 - HISTORY :], self.lines]
            self._changed.set()

    async def shows(self, wanted: Callable[[Lines], bool], timeout_s: float = 5.0) -> Lines:
        """Wait until ``wanted(lines)`` and return the lines; ``TimeoutError`` after ``timeout_s`` seconds."""
        async with asyncio.timeout(timeout_s):
            while not wanted(self.lines):
                self._changed.clear()
                await self._changed.wait()
        return self.lines

    def save_png(self, path: Path) -> None:
        """What is shown now as a picture."""
        self.screen.picture().save(path, "PNG")


class SimBus:
    """Several displays on one line."""

    def __init__(self, link: Path, *screens: Screen) -> None:
        self.port = SerialPort(link, self._on_data)
        self.boards = tuple(SimBoard(self.port, screen) for screen in screens)

    def _on_data(self, data: bytes) -> None:
        for board in self.boards:
            board.feed(data)
