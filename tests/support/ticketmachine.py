"""A ticket machine around a test's kiosk, and how to read what it prints."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.stations.ticket_machine import TicketMachine, WithoutPaper
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from support.stationkiosk import PRINTER, Kiosk, kiosk

A, D, A_PRIORITY, LAMP, PAPER_LAMP = 4, 17, 22, 27, 23
BUTTONS = {"buttons": {"A": A, "D": D, "A_priority": A_PRIORITY}, "lamps": {"ready": LAMP, "paper": PAPER_LAMP}, "stuck_s": 0.4}

FarPrinter = Callable[[Path], AbstractAsyncContextManager[SimPrinter]]
WIRES: list[FarPrinter] = [lambda directory: sim_printer_pty(directory / "lp"), lambda _: sim_printer_tcp()]
NO_MOOD: Mapping[str, Any] = {}
every_wire = pytest.mark.parametrize("wire", WIRES, ids=["line", "network"])


def machine(
    it: Kiosk, port: str, buttons: bool = True, *, spare: str = "", without_paper: WithoutPaper = "show", block: int = 20, **printer: Any
) -> None:
    """A ticket machine in ``it``; ``spare`` is the second printer's port, ``printer`` are settings of both."""
    station = TicketMachine(it.queue, it.clock, it.settings, "printer", "spare" if spare else None, without_paper, block)
    it.run(station.run())
    if buttons:
        it.device("buttons", "gpio_buttons", BUTTONS, station.use_buttons)
    for name, at in (("printer", port), ("spare", spare)):
        if at:
            it.device(name, "escpos_printer", {"port": at, **PRINTER, **printer}, station.use_printer)


@asynccontextmanager
async def ticketing(
    directory: Path, wire: FarPrinter = WIRES[0], clock: ManualClock | None = None, mood: Mapping[str, Any] = NO_MOOD, **settings: Any
) -> AsyncIterator[tuple[SimPrinter, Kiosk]]:
    """A printer, and a kiosk whose ticket machine waits for a press. ``mood``: how the printer is; ``settings``: ``machine``'s."""
    async with wire(directory) as far, kiosk(directory, clock) as it:
        if mood:
            far.set(**mood)
        machine(it, far.port, **settings)
        await it.up("buttons", "printer")
        yield far, it


def lines(slip: PrintedSlip) -> list[str]:
    """What a person reads on it."""
    return [line.strip() for line in slip.text.splitlines()]


def numbers(far: SimPrinter) -> list[str]:
    """The number on each slip that came out."""
    return [next(line for line in lines(slip) if len(line) == 4 and line[1:].isdigit()) for slip in far.slips]
