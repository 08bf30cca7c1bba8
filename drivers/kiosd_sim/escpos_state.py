"""What an ESC/POS printer remembers between two commands, and the line that it is filling."""

from collections.abc import Generator
from dataclasses import replace

from kiosd_sim.operations import LINE_DOTS, Bars, Line, Operation, QrCode, Raster, Style

Machine = Generator[None, int, None]
Take = Generator[None, int, bytes]


def take(count: int) -> Take:
    """The next ``count`` bytes."""
    data = bytearray()
    while len(data) < count:
        data.append((yield))
    return bytes(data)


class State:
    """``width`` is that of the paper in dots; ``out`` collects what is complete."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.out: list[Operation] = []
        self.reset()

    def reset(self) -> None:
        """As after switching on."""
        self.style, self.align, self.page, self.spacing = Style(), "left", "cp437", LINE_DOTS
        self.qr, self.bars = QrCode(""), Bars("code39", "")
        self.stored: Raster | None = None
        self.after_picture = False
        self._runs: list[tuple[str, Style]] = []
        self._used = 0

    def character(self, char: str) -> None:
        """One more character on the line, which is printed when it is full."""
        dots = self.style.cell[0]
        if self._used + dots > self.width:
            self._end_line()
        self._used += dots
        if self._runs and self._runs[-1][1] == self.style:
            self._runs[-1] = (self._runs[-1][0] + char, self.style)
        else:
            self._runs.append((char, self.style))

    def line_feed(self) -> None:
        """LF: print the line and move on."""
        if self.after_picture and not self._runs:  # it only moves the paper past the columns just printed
            self.after_picture = False
        else:
            self._end_line()

    def end_open_line(self) -> None:
        """Print the line if there is one."""
        if self._runs:
            self._end_line()

    def _end_line(self) -> None:
        self.out.append(Line(tuple(self._runs), self.align, self.spacing))
        self._runs, self._used = [], 0

    def place(self, item: QrCode | Bars | Raster) -> None:
        """A code or a picture of its own, where lines stand."""
        self.end_open_line()
        self.out.append(replace(item, align=self.align))
