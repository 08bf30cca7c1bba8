"""ESC/POS bytes, in pieces of any size, back to what a printer does with them. Pure: no paper, no wire, no time.

COMMANDS and SKIPPED are the language this printer understands; what it does not know comes out as ``Unknown``, so that a test sees it.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

DOTS_PER_CHARACTER = 12  # font A is 12 x 24 dots
DLE, ESC, FS, GS, LF = 0x10, 0x1B, 0x1C, 0x1D, 0x0A
QR_DOTS = frozenset(bytes([n]) for n in range(1, 17))
QR_LEVELS = (b"0", b"1", b"2", b"3")  # L, M, Q, H
PICTURE_BYTES = 1_000_000  # more is not a picture but a stream that got out of step
ALIGN = {0: "left", 1: "center", 2: "right"}


@dataclass(frozen=True, slots=True)
class Style:
    """How characters look: ``width`` and ``height`` are multiples of font A, 1 to 8."""

    width: int = 1
    height: int = 1
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line: pieces of text, each with its style. An empty line has no pieces."""

    runs: tuple[tuple[str, Style], ...] = ()
    align: str = "left"

    @property
    def text(self) -> str:
        """The characters without their looks."""
        return "".join(text for text, _ in self.runs)


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code that the printer draws itself; ``dots`` a module, ``level`` 0-3 = L, M, Q, H."""

    data: str
    dots: int = 3
    level: int = 0
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture: ``rows`` of packed bits, most significant bit left, 1 is black."""

    width: int
    rows: tuple[bytes, ...] = field(repr=False)
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Feed:
    """The paper moves ``dots`` on."""

    dots: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The knife comes down."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The host asks: ``kind`` ``dle_eot`` (answered at once, whatever the printer does) or ``gs_r`` (answered in its turn)."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes that this printer has no meaning for."""

    data: bytes


Item = Line | QrCode | Raster | Feed
Operation = Item | Cut | Ask | Unknown
Machine = Generator[None, int, None]
Take = Generator[None, int, bytes]

SKIPPED: dict[bytes, int] = {
    b"\x1b\x20": 1, b"\x1b\x24": 2, b"\x1b\x2d": 1, b"\x1b\x32": 0, b"\x1b\x33": 1, b"\x1b\x3d": 1, b"\x1b\x47": 1, b"\x1b\x4d": 1,
    b"\x1b\x52": 1, b"\x1b\x56": 1, b"\x1b\x5c": 2, b"\x1b\x63": 2, b"\x1b\x70": 3, b"\x1b\x74": 1, b"\x1b\x7b": 1,
    b"\x1c\x26": 0, b"\x1c\x2e": 0, b"\x1d\x42": 1, b"\x1d\x48": 1, b"\x1d\x4c": 2, b"\x1d\x57": 2, b"\x1d\x61": 1, b"\x1d\x62": 1,
    b"\x1d\x66": 1, b"\x1d\x68": 1, b"\x1d\x77": 1, b"\x10\x05": 1,
}  # fmt: skip
"""Commands that change nothing we draw, and how many parameter bytes they have."""


def _take(count: int) -> Take:
    data = bytearray()
    while len(data) < count:
        data.append((yield))
    return bytes(data)


class Parser:
    """Feed it bytes; it gives back the operations that they complete. ``columns`` is where the printer itself breaks a line."""

    def __init__(self, columns: int = 32) -> None:
        self._width = columns * DOTS_PER_CHARACTER
        self._out: list[Operation] = []
        self._reset()
        self._machine = self._run()
        next(self._machine)

    def feed(self, data: bytes) -> list[Operation]:
        """The operations that ``data`` completes, in order."""
        for byte in data:
            self._machine.send(byte)
        done = self._out.copy()
        self._out.clear()
        return done

    def _reset(self) -> None:
        self._style = Style()
        self._align = "left"
        self._runs: list[tuple[str, Style]] = []
        self._used = 0
        self._qr = QrCode("")
        self._after_picture = False

    def _run(self) -> Machine:
        while True:
            byte: int = yield
            if byte in {DLE, ESC, FS, GS}:
                yield from self._command(byte)
            elif byte == LF:
                self._line_feed()
            elif byte >= 0x20:
                self._character(bytes([byte]).decode("cp437"))
            elif byte != 0x0D:
                self._out.append(Unknown(bytes([byte])))

    def _command(self, lead: int) -> Machine:
        name = bytes([lead]) + (yield from _take(1))
        if name in COMMANDS:
            yield from COMMANDS[name](self)
        elif name in SKIPPED:
            yield from _take(SKIPPED[name])
        else:
            self._out.append(Unknown(name))

    def _character(self, char: str) -> None:
        dots = self._style.width * DOTS_PER_CHARACTER
        if self._used + dots > self._width:
            self._end_line()
        self._used += dots
        if self._runs and self._runs[-1][1] == self._style:
            self._runs[-1] = (self._runs[-1][0] + char, self._style)
        else:
            self._runs.append((char, self._style))

    def _line_feed(self) -> None:
        if self._after_picture and not self._runs:  # it only moves the paper past the columns just printed
            self._after_picture = False
        else:
            self._end_line()

    def _end_line(self) -> None:
        self._out.append(Line(tuple(self._runs), self._align))
        self._runs, self._used = [], 0

    def _end_open_line(self) -> None:
        if self._runs:
            self._end_line()

    def _initialise(self) -> Machine:
        self._reset()  # the line that was not ended is lost, as in the real thing
        yield from ()

    def _set_align(self) -> Machine:
        (n,) = yield from _take(1)
        self._align = ALIGN.get(n & 0x0F, self._align)  # 0, 1, 2 or the digits "0", "1", "2"

    def _set_bold(self) -> Machine:
        (n,) = yield from _take(1)
        self._style = replace(self._style, bold=bool(n & 1))

    def _set_modes(self) -> Machine:
        (n,) = yield from _take(1)  # ESC !: bit 3 bold, 4 double height, 5 double width
        self._style = Style(2 if n & 0x20 else 1, 2 if n & 0x10 else 1, bool(n & 0x08))

    def _set_size(self) -> Machine:
        (n,) = yield from _take(1)
        self._style = replace(self._style, width=(n >> 4 & 7) + 1, height=(n & 7) + 1)

    def _feed_lines(self) -> Machine:
        (n,) = yield from _take(1)
        self._end_open_line()
        self._out.append(Feed(n * 30))  # default line spacing: 1/6 inch at 180 dots an inch

    def _feed_dots(self) -> Machine:
        (n,) = yield from _take(1)
        self._end_open_line()
        self._out.append(Feed(n))

    def _cut(self) -> Machine:
        (mode,) = yield from _take(1)
        self._end_open_line()
        if mode in {65, 66}:  # feed to the cutter and n dots more, then cut
            (more,) = yield from _take(1)
            self._out.append(Feed(more))
        self._out.append(Cut())

    def _tell_state(self) -> Machine:
        (n,) = yield from _take(1)
        self._out.append(Ask("gs_r", n))

    def _real_time(self) -> Machine:
        (n,) = yield from _take(1)
        self._out.append(Ask("dle_eot", n))

    def _raster(self) -> Machine:
        _, _, low_x, high_x, low_y, high_y = yield from _take(6)  # GS v 0 m: width in bytes, height in dots
        width, height = low_x + 256 * high_x, low_y + 256 * high_y
        if not 0 < width * height <= PICTURE_BYTES:
            self._out.append(Unknown(bytes((GS, 0x76, 0x30, 0, low_x, high_x, low_y, high_y))))
            return
        data = yield from _take(width * height)
        self._end_open_line()
        self._out.append(Raster(width * 8, tuple(data[at : at + width] for at in range(0, len(data), width)), self._align))

    def _columns(self) -> Machine:
        mode, low, high = yield from _take(3)  # ESC * m: columns of 8 dots, or of 24 (modes 32 and 33)
        count, deep = low + 256 * high, 3 if mode >= 32 else 1
        data = yield from _take(count * deep)
        if count:
            self._out.append(Raster(count, _rows_of_columns(data, deep), self._align))
        self._after_picture = bool(count)

    def _extended(self) -> Machine:
        letter, low, high = yield from _take(3)
        data = yield from _take(low + 256 * high)
        kind, function, value = data[:1], data[1:2], data[2:]
        if letter != ord("k") or kind != b"1":
            self._out.append(Unknown(bytes((GS, 0x28, letter)) + data))
        elif function == b"C" and value in QR_DOTS:
            self._qr = replace(self._qr, dots=value[0])
        elif function == b"E" and value in QR_LEVELS:
            self._qr = replace(self._qr, level=QR_LEVELS.index(value))
        elif function == b"P":
            self._qr = replace(self._qr, data=value[1:].decode("utf-8", "replace"))
        elif function == b"Q" and self._qr.data:
            self._end_open_line()
            self._out.append(replace(self._qr, align=self._align))

    def _pulse_or_clear(self) -> Machine:
        (function,) = yield from _take(1)
        yield from _take(7 if function == 8 else 2)  # DLE DC4 8: clear buffers, with a seven-byte password


def _rows_of_columns(data: bytes, deep: int) -> tuple[bytes, ...]:
    """Columns of ``deep`` bytes, top bit first, as rows of packed bits."""
    count = len(data) // deep
    rows = [bytearray((count + 7) // 8) for _ in range(deep * 8)]
    for at, byte in enumerate(data):
        column, top = at // deep, at % deep * 8
        for bit in range(8):
            if byte & 0x80 >> bit:
                rows[top + bit][column // 8] |= 0x80 >> column % 8
    return tuple(bytes(row) for row in rows)


COMMANDS: dict[bytes, Callable[[Parser], Machine]] = {
    b"\x1b@": Parser._initialise,
    b"\x1ba": Parser._set_align,
    b"\x1bE": Parser._set_bold,
    b"\x1b!": Parser._set_modes,
    b"\x1bd": Parser._feed_lines,
    b"\x1bJ": Parser._feed_dots,
    b"\x1b*": Parser._columns,
    b"\x1d!": Parser._set_size,
    b"\x1d(": Parser._extended,
    b"\x1dV": Parser._cut,
    b"\x1dr": Parser._tell_state,
    b"\x1dv": Parser._raster,
    b"\x10\x04": Parser._real_time,
    b"\x10\x14": Parser._pulse_or_clear,
}
"""What this printer does."""
