"""The whole daemon with one device of each usual kind around it, and a visitor who takes a ticket and is called."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from kiosd.hotplug import Plugs
from kiosd.queue import commands as cmd
from kiosd.queue.interface import DeviceView, Reply
from kiosd.queue.remote import RemoteQueue
from kiosd_sim.board import SimBoard
from kiosd_sim.pins import Pins
from kiosd_sim.printer import SimPrinter
from kiosd_sim.scanner import SimScanner
from support.daemon import serving
from support.kiosk import write_config

BUTTON = 4
DEVICES = ("tombol", "cetak", "papan", "pemindai")
CONFIG = """
[rules]
hold_off_s = 0
print_hold_s = 0
[counters.3]
services = ["F"]
scanner = "pemindai"
[ticket_machine]
buttons = "tombol"
printer = "cetak"
[call_board]
displays = ["papan"]
[devices.tombol]
driver = "gpio_buttons"
buttons = {{ F = {button} }}
hold_off_s = 0
[devices.cetak]
driver = "escpos_printer"
port = "{printer}"
poll_s = 0.05
answer_s = 2.0
[devices.papan]
driver = "serial_display"
port = "{board}"
protocol = "cd5220"
write_timeout_s = 0.5
[devices.pemindai]
driver = "serial_scanner"
port = "{scanner}"
"""


class World:
    """What stands around the daemon, and the daemon's own control socket."""

    def __init__(self, folder: Path, printer: SimPrinter, board: SimBoard, scanner: SimScanner, pins: Pins) -> None:
        self.printer, self.board, self.scanner, self.pins = printer, board, scanner, pins
        self.plugs: list[Plugs] = []
        self.state = folder / "state"
        links = {"printer": printer.port, "board": board.port.link, "scanner": scanner.port.link}
        self.config = write_config(folder, more=CONFIG.format(button=BUTTON, **links))

    def daemon(self) -> AbstractAsyncContextManager[RemoteQueue]:
        """The daemon, and a link to it."""
        return serving(self.config, self.state)

    async def unplug(self) -> None:
        await self.printer.unplug()
        self.board.port.unplug()
        self.scanner.port.unplug()

    async def plug(self) -> None:
        await self.printer.plug()
        self.board.port.plug()
        self.scanner.port.plug()


async def health(queue: RemoteQueue, device: str, wanted: Callable[[DeviceView], bool]) -> DeviceView:
    """How ``device`` is, once it is as ``wanted``."""
    while True:
        for view in (await queue.snapshot()).devices:
            if view.device == device and wanted(view):
                return view
        await asyncio.sleep(0.02)


async def is_(queue: RemoteQueue, device: str, state: str, code: str = "") -> DeviceView:
    return await health(queue, device, lambda view: (view.state, view.code) == (state, code))


async def do(queue: RemoteQueue, *commands: cmd.Command) -> Reply:
    for command in commands:
        reply = await queue.execute(command)
        assert reply.done, reply
    return reply


async def visit(world: World, queue: RemoteQueue, visitor: int) -> None:
    """One visitor presses the button, gets paper, is called at counter 1 and read on the board, and is served."""
    number = f"F{visitor:03}"
    await asyncio.sleep(0.2)  # the bounces of the visitor before are over
    world.pins.press(BUTTON, 0.2)
    assert number in (await world.printer.next_slip()).text
    called = await do(queue, cmd.CallNext(counter=1))
    assert called.result["number"] == number
    await world.board.shows(lambda lines: number in lines[0])
    await do(queue, cmd.Start(counter=1), cmd.Finish(counter=1))
