"""The inside of a customer display with two lines of 20 characters: it reads the languages that such displays speak.

It shares no code with ``kiosd_drivers``, so that a mistake there shows here.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiosd_sim.pictures import characters

if TYPE_CHECKING:
    from PIL import Image

COLUMNS, ROWS = 20, 2
CELLS = COLUMNS * ROWS
ACK, NAK = b"\x06", b"\x15"
FIRST = 0x31  # what DSP800 calls position 1


@dataclass(frozen=True, slots=True)
class Language:
    """``command`` is one whole command, its parts named by what they do; ``unfinished`` is the beginning of one."""

    command: re.Pattern[bytes]
    unfinished: re.Pattern[bytes]
    answers: bool = False


LANGUAGES = {
    "cd5220": Language(
        re.compile(rb"(?P<reset>\x1b@)|(?P<clear>\x0c)|\x1b\*(?P<dim>[\x01-\x04])|\x1bQ(?P<row>[AB])(?P<text>[\x20-\x7e]{0,20})\r"),
        re.compile(rb"\x1b(\*|Q([AB][\x20-\x7e]{0,20})?)?"),
    ),
    "epson": Language(
        re.compile(
            rb"(?P<reset>\x1b@)|(?P<clear>\x0c)|\x1f\$(?P<x>[\x01-\x14])(?P<y>[\x01\x02])|\x1fX(?P<dim>[\x01-\x04])"
            rb"|\x1fE(?P<blink>[\x00-\xff])|\x1fC(?P<cursor>[\x00\x01])|(?P<overwrite>\x1f\x01)|(?P<char>[\x20-\x7e])"
        ),
        re.compile(rb"\x1b|\x1f(\$[\x01-\x14]?|X|E|C)?"),
    ),
    "dsp800": Language(
        re.compile(rb"\x04\x01C(?P<first>[\x31-\x58])(?P<last>[\x31-\x58])\x17|\x04\x01P(?P<at>[\x31-\x58])\x17|(?P<char>[\x20-\x7e])"),
        re.compile(rb"\x04(\x01(C[\x31-\x58]{0,2}|P[\x31-\x58]?)?)?"),
        answers=True,
    ),
}


class CustomerDisplay:
    """A display of one language. ``garbage`` are the bytes that meant nothing; ``brightness`` is 1 to 4."""

    def __init__(self, language: str) -> None:
        self._language = LANGUAGES[language]
        self.garbage = bytearray()
        self._rest = b""
        self._cells = [" "] * CELLS
        self._cursor = 0
        self.brightness = 4

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple("".join(self._cells[row * COLUMNS : (row + 1) * COLUMNS]).rstrip() for row in range(ROWS))

    def feed(self, data: bytes) -> bytes:
        """Take what comes on the line; the value is what the display says to it."""
        self._rest += data
        answer = b""
        while self._rest and not self._language.unfinished.fullmatch(self._rest):
            command = self._language.command.match(self._rest)
            if command is None:
                self.garbage.append(self._rest[0])
                answer += NAK
            else:
                found = {name: value for name, value in command.groupdict().items() if value is not None}
                self._do(found)
                answer += b"" if "char" in found else ACK
            self._rest = self._rest[1 if command is None else command.end() :]
        return answer if self._language.answers else b""

    def _do(self, found: dict[str, bytes]) -> None:
        match found:
            case {"reset": _} | {"clear": _}:
                self._cells, self._cursor = [" "] * CELLS, 0
            case {"row": row, "text": text}:
                start = b"AB".index(row) * COLUMNS
                self._cells[start : start + COLUMNS] = text.decode().ljust(COLUMNS)
            case {"x": x, "y": y}:
                self._cursor = (y[0] - 1) * COLUMNS + x[0] - 1
            case {"first": first, "last": last}:
                a, b = first[0] - FIRST, last[0] - FIRST + 1
                self._cells[a:b] = " " * (b - a)
            case {"at": at}:
                self._cursor = at[0] - FIRST
            case {"char": char}:
                self._cells[self._cursor] = char.decode()
                self._cursor = (self._cursor + 1) % CELLS
            case {"dim": dim}:
                self.brightness = dim[0]

    def forget(self) -> None:
        """Lose the power for a moment."""
        self._rest, self._cells, self._cursor, self.brightness = b"", [" "] * CELLS, 0, 4

    def picture(self) -> "Image.Image":
        """What is shown now: green characters on dark glass."""
        return characters(self.lines, COLUMNS)
