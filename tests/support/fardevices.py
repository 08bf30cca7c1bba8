"""The far side of every driver, for tests that hold for all drivers of a port.

``FARS`` has at least one entry for each name in the registry: a driver that is not here fails the contract suite.
"""

import errno
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import evdev
import pytest
from gpiozero import Device

from kiosd.ports import Face
from kiosd_sim.board import Cd5220Screen, FrameScreen, Lines, SimBoard
from kiosd_sim.keyboard import SimInputDevice, SimKeyboard, SimKeyboards
from kiosd_sim.pins import Pins, SimFactory, SimPin
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from kiosd_sim.scanner import SimScanner
from support.sim_pins import simulated_pins


class Far(Protocol):
    """A simulated device and its cable. ``config`` is what a configuration says of it; it is plugged in at first."""

    config: dict[str, Any]

    async def plug(self) -> None: ...
    async def unplug(self) -> None: ...


class FarPanel(Far, Protocol):
    """The other end of a ``ButtonPanel`` with the buttons A and B and the lamp ``ready``. A jammed button is stuck after 0.4 s."""

    def press(self, button: str) -> None: ...
    def bounce(self, button: str) -> None: ...
    def hold(self, button: str) -> None: ...
    def release(self, button: str) -> None: ...
    def lit(self, lamp: str) -> bool: ...


class FarScanner(Far, Protocol):
    """The other end of a ``Scanner``."""

    async def scan(self, text: str) -> None: ...


class FarPrinter(Far, Protocol):
    """The other end of a ``TicketPrinter``; ``paper`` is what comes out and how the printer is."""

    paper: SimPrinter


class FarDisplay(Far, Protocol):
    """The other end of a ``CallDisplay``."""

    async def shows(self, face: Face) -> None: ...
    def forget(self) -> None: ...
    def jam(self) -> None: ...
    def release(self) -> None: ...


Build = Callable[[Path], AbstractAsyncContextManager[Far]]


class GpioPanel:
    """Pins of this process. Unplugged, the GPIO chip is gone: no line can be claimed, and those that are claimed cannot be read."""

    PINS: ClassVar[dict[str, int]] = {"A": 4, "B": 17, "ready": 27}

    def __init__(self, pins: Pins, patch: pytest.MonkeyPatch) -> None:
        self._pins, self._patch = pins, patch
        buttons = {"A": self.PINS["A"], "B": self.PINS["B"]}
        lamps = {"ready": self.PINS["ready"]}
        # Longer than 50 ms of debouncing, for a busy machine may stretch the bounces.
        self.config: dict[str, Any] = {"buttons": buttons, "lamps": lamps, "debounce_s": 0.2, "stuck_s": 0.4}

    async def plug(self) -> None:
        self._patch.undo()

    async def unplug(self) -> None:
        def gone(*_: object) -> None:
            raise OSError(errno.ENODEV, "No such device")

        for owner, name in ((SimFactory, "pin"), (SimPin, "_get_state"), (SimPin, "_set_state")):
            self._patch.setattr(owner, name, gone)

    def press(self, button: str) -> None:
        self._pins.press(self.PINS[button], 0.001)

    def bounce(self, button: str) -> None:
        self._pins.bounce(self.PINS[button], 0.005)

    def hold(self, button: str) -> None:
        self._pins.low(self.PINS[button])

    def release(self, button: str) -> None:
        self._pins.high(self.PINS[button])

    def lit(self, lamp: str) -> bool:
        return self._pins.state()[self.PINS[lamp]].level


@asynccontextmanager
async def _gpio_buttons(directory: Path) -> AsyncIterator[GpioPanel]:
    with simulated_pins(directory) as pins, pytest.MonkeyPatch.context() as patch:
        Device.ensure_pin_factory()  # the process keeps it, like a real one: it is not a panel's to clean up
        yield GpioPanel(pins, patch)


class Printer:
    """A simulated ESC/POS printer, asked often, by a patient driver: both share a busy machine."""

    def __init__(self, paper: SimPrinter) -> None:
        self.paper = paper
        self.config: dict[str, Any] = {"port": paper.port, "poll_s": 0.02, "answer_s": 2.0}

    async def plug(self) -> None:
        await self.paper.plug()

    async def unplug(self) -> None:
        await self.paper.unplug()


@asynccontextmanager
async def _printer_on_a_line(directory: Path) -> AsyncIterator[Printer]:
    async with sim_printer_pty(directory / "printer") as paper:
        yield Printer(paper)


@asynccontextmanager
async def _printer_on_the_network(_: Path) -> AsyncIterator[Printer]:
    async with sim_printer_tcp() as paper:
        yield Printer(paper)


class _OpenKeyboard:
    """What ``evdev.InputDevice`` gives: like the library's, it closes itself when nobody holds it any more."""

    def __init__(self, device: SimInputDevice) -> None:
        self._device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def __del__(self) -> None:
        self._device.close()


class Keyboard:
    """A scanner that types."""

    def __init__(self, keyboard: SimKeyboard) -> None:
        self._keyboard = keyboard
        self.config: dict[str, Any] = {"match": {"name": keyboard.name}}

    async def plug(self) -> None:
        self._keyboard.plug()

    async def unplug(self) -> None:
        self._keyboard.unplug()

    async def scan(self, text: str) -> None:
        self._keyboard.type(text)


@asynccontextmanager
async def typing_scanner(directory: Path) -> AsyncIterator[Keyboard]:
    """A scanner that types, in place of all keyboards of the machine."""
    keyboard = SimKeyboard(directory / "event0")
    keyboard.plug()
    machine = SimKeyboards(keyboard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evdev, "list_devices", machine.list_devices)
        patch.setattr(evdev, "InputDevice", lambda path: _OpenKeyboard(machine.open_device(path)))
        yield Keyboard(keyboard)


class LineScanner:
    """A scanner on a serial line."""

    def __init__(self, scanner: SimScanner) -> None:
        self._scanner = scanner
        self.config: dict[str, Any] = {"port": str(scanner.port.link)}

    async def plug(self) -> None:
        self._scanner.port.plug()

    async def unplug(self) -> None:
        self._scanner.port.unplug()

    async def scan(self, text: str) -> None:
        await self._scanner.send(text)


@asynccontextmanager
async def line_scanner(directory: Path) -> AsyncIterator[LineScanner]:
    """A scanner on a serial line."""
    scanner = SimScanner(directory / "scanner")
    with scanner.port.plugged():
        yield LineScanner(scanner)


class Board:
    """A display on a serial line; ``reads`` is how a face looks there, ``off_on`` what makes it forget."""

    def __init__(self, board: SimBoard, config: Mapping[str, Any], reads: Callable[[Face], Lines]) -> None:
        self._board, self._reads = board, reads
        self.config: dict[str, Any] = {"port": str(board.port.link), "write_timeout_s": 0.2, **config}

    async def plug(self) -> None:
        self._board.port.plug()

    async def unplug(self) -> None:
        self._board.port.unplug()

    async def shows(self, face: Face) -> None:
        await self._board.shows(lambda lines: lines == self._reads(face))
        assert not self._board.screen.garbage

    def forget(self) -> None:
        screen = self._board.screen
        if isinstance(screen, FrameScreen):
            screen.lines = ()
        else:
            screen.feed(b"\x1b@")

    def jam(self) -> None:
        self._board.port.jam()

    def release(self) -> None:
        self._board.port.release()


@asynccontextmanager
async def _customer_display(directory: Path) -> AsyncIterator[Board]:
    board = SimBoard(directory / "display", Cd5220Screen())
    with board.port.plugged():
        yield Board(board, {"protocol": "cd5220"}, lambda face: (f"NOMOR {face.number}", f"LOKET {face.counter}"))


@asynccontextmanager
async def _numeral_board(directory: Path) -> AsyncIterator[Board]:
    frame = "02 {counter:2} {number:5} 03 {sum8}"
    board = SimBoard(directory / "board", FrameScreen(frame))
    with board.port.plugged():
        yield Board(board, {"protocol": "frame", "frame": frame}, lambda face: (f"{face.counter:02}", face.number))


FARS: dict[str, tuple[Build, ...]] = {
    "escpos_printer": (_printer_on_a_line, _printer_on_the_network),
    "evdev_scanner": (typing_scanner,),
    "gpio_buttons": (_gpio_buttons,),
    "serial_display": (_customer_display, _numeral_board),
    "serial_scanner": (line_scanner,),
}
"""Driver -> its far sides."""
