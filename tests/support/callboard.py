"""Call boards for tests: a simulated board on a line, and the station that shows on it whom the queue calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kiosd.queue import commands as cmd
from kiosd.stations.call_board import BREATH_S, CallBoard
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from support.stationkiosk import Kiosk

IDLE = ("Silakan ambil nomor", "")
QUICK = {"baudrate": 115200, "gap_s": 0.0}
"""A line that keeps up with a clock that runs in steps."""


@asynccontextmanager
async def plugged(directory: Path, name: str = "board") -> AsyncIterator[SimBoard]:
    """A board on its line."""
    board = SimBoard(directory / name, CustomerDisplay("cd5220"))
    with board.port.plugged():
        yield board


def show(it: Kiosk, board: SimBoard, name: str = "board", counter: int | None = None, **config: Any) -> None:
    """A call board in ``it``."""
    settings = {"port": str(board.port.link), "protocol": "cd5220", **QUICK, **config}
    it.device(name, "serial_display", settings, CallBoard(it.queue, it.clock, "id", counter).use)


async def reads(board: SimBoard, *lines: str) -> None:
    """Wait until the board shows these lines."""
    try:
        await board.shows(lambda shown: shown == lines)
    except TimeoutError:
        assert board.lines == lines
    assert not board.screen.garbage


async def becomes(it: Kiosk, board: SimBoard, *lines: str) -> None:
    """Wait until the board shows these lines, while time passes: one that was cleared waits whether a call follows."""
    while board.lines != lines:
        await it.passes(BREATH_S, step=BREATH_S)
    assert not board.screen.garbage


async def call(it: Kiosk, counter: int = 1) -> None:
    """Somebody comes and is called to this counter."""
    await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=counter))
