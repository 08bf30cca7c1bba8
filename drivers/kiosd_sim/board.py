"""A simulated call display on a serial line: it decodes what it is sent, remembers it, and can be looked at as text or picture.

It reads the two languages of ``kiosd_drivers.serial_display`` by itself and shares no code with it, so that a mistake there shows here.
"""

import asyncio
import re
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Protocol

from kiosd_sim.serialport import SerialPort

COLUMNS, ROWS = 20, 2
HISTORY = 1000  # faces

Lines = tuple[str, ...]


class Screen(Protocol):
    """Bytes in, lines of text out. ``garbage`` are the bytes that meant nothing: a driver's mistake, or a torn frame."""

    garbage: bytearray

    @property
    def lines(self) -> Lines: ...
    def feed(self, data: bytes) -> None: ...


class Cd5220Screen:
    """A 2x20 display of the CD5220 dialect: ESC @, CLR, ESC Q A text CR, ESC Q B text CR."""

    COMMAND = re.compile(rb"(?P<reset>\x1b@)|(?P<clear>\x0c)|\x1bQ(?P<row>[AB])(?P<text>[\x20-\x7e]{0,20})\r")
    UNFINISHED = re.compile(rb"\x1b(Q([AB][\x20-\x7e]{0,20})?)?")

    def __init__(self) -> None:
        self.garbage = bytearray()
        self._rows = [" " * COLUMNS] * ROWS
        self._rest = b""

    @property
    def lines(self) -> Lines:
        return tuple(row.rstrip() for row in self._rows)

    def feed(self, data: bytes) -> None:
        self._rest += data
        while self._rest and not self.UNFINISHED.fullmatch(self._rest):
            command = self.COMMAND.match(self._rest)
            if command is None:
                self.garbage.append(self._rest[0])
            elif command["row"] is None:
                self._rows = [" " * COLUMNS] * ROWS
            else:
                self._rows["AB".index(command["row"].decode())] = command["text"].decode().ljust(COLUMNS)
            self._rest = self._rest[1 if command is None else command.end() :]


class FrameScreen:
    """A board that understands frames of one template, its fields as lines. Anything else, a wrong sum too, is garbage."""

    WORDS = re.compile(r'(?P<byte>[0-9A-Fa-f]{2})(?!\S)|"(?P<text>[^"]+)"|\{(?P<name>\w+)(?::(?P<form>\w+))?(?:@(?P<start>\d+))?\}')
    SUMS = {"sum8": lambda data: sum(data) % 256, "xor8": lambda data: reduce(xor, data, 0)}  # noqa: RUF012 - a constant table

    def __init__(self, template: str) -> None:
        self.garbage = bytearray()
        self._fields: list[tuple[int, int, bool]] = []  # from, to, binary
        self._fixed: list[tuple[int, bytes]] = []
        self._sums: list[tuple[int, int, str]] = []  # at, from, kind
        self._size = 0
        self._rest = b""
        self.lines: Lines = ()
        for word in self.WORDS.finditer(template):
            self._size += self._learn(word)

    def _learn(self, word: re.Match[str]) -> int:
        at, form = self._size, word["form"] or ""
        if fixed := bytes.fromhex(word["byte"] or "") or (word["text"] or "").encode("ascii"):
            self._fixed.append((at, fixed))
            return len(fixed)
        if word["name"] in self.SUMS:
            self._sums.append((at, int(word["start"] or 0), word["name"]))
            return 1
        size = int(form[1:]) // 8 if form.startswith("u") else int(form)
        self._fields.append((at, at + size, form.startswith("u")))
        return size

    def feed(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= self._size:
            frame = self._rest[: self._size]
            if self._is_whole(frame):
                self.lines = tuple(
                    str(int.from_bytes(frame[a:b], "big")) if binary else frame[a:b].decode("ascii").rstrip()
                    for a, b, binary in self._fields
                )
                self._rest = self._rest[self._size :]
            else:
                self.garbage.append(self._rest[0])
                self._rest = self._rest[1:]

    def _is_whole(self, frame: bytes) -> bool:
        return (
            all(frame.startswith(fixed, at) for at, fixed in self._fixed)
            and all(frame[at] == self.SUMS[kind](frame[start:at]) for at, start, kind in self._sums)
            and all(binary or (frame[a:b].isascii() and frame[a:b].decode().isprintable()) for a, b, binary in self._fields)
        )


class SimBoard:
    """A display at ``link``. ``history`` holds what it showed, oldest first; a face can come in pieces, each is remembered."""

    def __init__(self, link: Path, screen: Screen) -> None:
        self.port = SerialPort(link, self._on_data)
        self.screen = screen
        self.history: list[Lines] = []
        self._changed = asyncio.Event()

    @property
    def lines(self) -> Lines:
        return self.screen.lines

    def _on_data(self, data: bytes) -> None:
        before = self.lines
        self.screen.feed(data)
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
        """What is shown now as a picture: green characters of a dark 2x20 board."""
        from PIL import Image, ImageDraw

        cell_w, cell_h, scale, border = 9, 14, 4, 6
        image = Image.new("RGB", (COLUMNS * cell_w + 2 * border, ROWS * cell_h + 2 * border), (8, 14, 12))
        draw = ImageDraw.Draw(image)
        draw.fontmode = "1"  # dots are lit or not
        cells = [(border + column * cell_w, border + row * cell_h) for row in range(ROWS) for column in range(COLUMNS)]
        for left, top in cells:
            draw.rectangle((left, top, left + cell_w - 2, top + cell_h - 2), fill=(12, 26, 22))
        text = "".join(line[:COLUMNS].ljust(COLUMNS) for line in (*self.lines, "", "")[:ROWS])
        for (left, top), char in zip(cells, text, strict=True):
            draw.text((left, top), char, fill=(90, 255, 190))
        image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path, "PNG")
