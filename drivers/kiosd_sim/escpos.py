"""ESC/POS bytes, in pieces of any size, back to what a printer does with them. Pure: no paper, no wire, no time.

COMMANDS and SKIPPED are the language this printer understands; what it does not know comes out as ``Unknown``, so that a test sees it.
Commands in real time are ``realtime``'s; here they are skipped.
"""

from collections.abc import Callable
from dataclasses import replace

from kiosd_sim import escpos_pictures as pictures
from kiosd_sim.escpos_state import Machine, State, take
from kiosd_sim.operations import (
    FONT_A,
    LINE_DOTS,
    Ask,
    Bars,
    Cut,
    Feed,
    Item,
    Line,
    Operation,
    QrCode,
    Raster,
    Style,
    Unknown,
)

__all__ = ["Ask", "Bars", "Cut", "Feed", "Item", "Line", "Operation", "Parser", "QrCode", "Raster", "Style", "Unknown"]

DLE, ESC, FS, GS, LF, CR = 0x10, 0x1B, 0x1C, 0x1D, 0x0A, 0x0D
ALIGN = {0: "left", 1: "center", 2: "right"}
PAGES = {0: "cp437", 1: "cp932", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858"}
"""``ESC t n``: number -> code page, as Epson counts them; characters of a page that is not here are read as CP437."""

SKIPPED: dict[bytes, int] = {
    b"\x1b\x20": 1, b"\x1b\x24": 2, b"\x1b\x3d": 1, b"\x1b\x52": 1, b"\x1b\x56": 1, b"\x1b\x5c": 2, b"\x1b\x63": 2, b"\x1b\x70": 3,
    b"\x1b\x7b": 1, b"\x1c\x26": 0, b"\x1c\x2e": 0, b"\x1d\x48": 1, b"\x1d\x4c": 2, b"\x1d\x57": 2, b"\x1d\x62": 1, b"\x1d\x66": 1,
    b"\x10\x04": 1, b"\x10\x05": 1,
}  # fmt: skip
"""Commands that change nothing we draw, and how many parameter bytes they have."""


class Parser:
    """Feed it bytes; it gives back the operations that they complete. ``columns`` is where the printer itself breaks a line."""

    def __init__(self, columns: int = 32) -> None:
        self._state = State(columns * FONT_A[0])
        self._machine = self._run()
        next(self._machine)

    def feed(self, data: bytes) -> list[Operation]:
        """The operations that ``data`` completes, in order."""
        for byte in data:
            self._machine.send(byte)
        done = self._state.out.copy()
        self._state.out.clear()
        return done

    def _run(self) -> Machine:
        state = self._state
        while True:
            byte: int = yield
            if byte in {DLE, ESC, FS, GS}:
                yield from self._command(byte)
            elif byte == LF:
                state.line_feed()
            elif byte >= 0x20:
                state.character(bytes([byte]).decode(state.page, "replace"))
            elif byte != CR:
                state.out.append(Unknown(bytes([byte])))

    def _command(self, lead: int) -> Machine:
        name = bytes([lead]) + (yield from take(1))
        if name in COMMANDS:
            yield from COMMANDS[name](self._state)
        elif name in SKIPPED:
            yield from take(SKIPPED[name])
        else:
            self._state.out.append(Unknown(name))


def _initialise(state: State) -> Machine:
    state.reset()  # the line that was not ended is lost, as in the real thing
    state.out.append(Ask("reports", 0))
    yield from ()


def _set_align(state: State) -> Machine:
    (n,) = yield from take(1)
    state.align = ALIGN.get(n & 0x0F, state.align)  # 0, 1, 2 or the digits "0", "1", "2"


def _style(bit: str) -> Callable[[State], Machine]:
    """A command that switches one look of the characters on and off."""

    def switch(state: State) -> Machine:
        (n,) = yield from take(1)
        on = n & 3 if bit in {"small", "underline"} else n & 1  # fonts and lines are counted, and as digits too
        state.style = replace(state.style, **{bit: bool(on)})

    return switch


def _set_modes(state: State) -> Machine:
    (n,) = yield from take(1)  # ESC !: bit 0 font B, 3 bold, 4 double height, 5 double width, 7 underline
    wide, high = 2 if n & 0x20 else 1, 2 if n & 0x10 else 1
    state.style = replace(state.style, width=wide, height=high, bold=bool(n & 0x08), underline=bool(n & 0x80), small=bool(n & 0x01))


def _set_size(state: State) -> Machine:
    (n,) = yield from take(1)
    state.style = replace(state.style, width=(n >> 4 & 7) + 1, height=(n & 7) + 1)


def _set_page(state: State) -> Machine:
    (n,) = yield from take(1)
    state.page = PAGES.get(n, PAGES[0])


def _set_spacing(state: State) -> Machine:
    (state.spacing,) = yield from take(1)


def _usual_spacing(state: State) -> Machine:
    state.spacing = LINE_DOTS
    yield from ()


def _feed_lines(state: State) -> Machine:
    (n,) = yield from take(1)
    state.end_open_line()
    state.out.append(Feed(n * state.spacing))


def _feed_dots(state: State) -> Machine:
    (n,) = yield from take(1)
    state.end_open_line()
    state.out.append(Feed(n))


def _cut(state: State) -> Machine:
    (mode,) = yield from take(1)
    state.end_open_line()
    if mode in {65, 66}:  # feed to the cutter and n dots more, then cut
        (more,) = yield from take(1)
        state.out.append(Feed(more))
    state.out.append(Cut())


def _ask(kind: str) -> Callable[[State], Machine]:
    """A command whose answer, or effect, comes in its turn."""

    def ask(state: State) -> Machine:
        (n,) = yield from take(1)
        state.out.append(Ask(kind, n))

    return ask


def _pulse_or_clear(state: State) -> Machine:
    (function,) = yield from take(1)
    yield from take(7 if function == 8 else 2)  # of DLE DC4 8, a seven-byte password


COMMANDS: dict[bytes, Callable[[State], Machine]] = {
    b"\x1b@": _initialise,
    b"\x1ba": _set_align,
    b"\x1bE": _style("bold"),
    b"\x1bG": _style("bold"),
    b"\x1b-": _style("underline"),
    b"\x1bM": _style("small"),
    b"\x1dB": _style("invert"),
    b"\x1b!": _set_modes,
    b"\x1d!": _set_size,
    b"\x1bt": _set_page,
    b"\x1b2": _usual_spacing,
    b"\x1b3": _set_spacing,
    b"\x1bd": _feed_lines,
    b"\x1bJ": _feed_dots,
    b"\x1dV": _cut,
    b"\x1dr": _ask("gs_r"),
    b"\x1da": _ask("reports"),
    b"\x10\x14": _pulse_or_clear,
    b"\x1b*": pictures.columns,
    b"\x1dv": pictures.raster,
    b"\x1d(": pictures.extended,
    b"\x1d8": pictures.long_graphics,
    b"\x1dh": pictures.bar_height,
    b"\x1dw": pictures.bar_width,
    b"\x1dk": pictures.bars,
}
"""What this printer does."""
