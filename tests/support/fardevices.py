"""The far side of every driver, for tests that hold for all drivers of a port.

``FARS`` has at least one entry for each name in the registry: a driver that is not here fails the contract suite.
"""

import errno
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from gpiozero import Device
from luma.core.legacy import text as luma_text
from luma.core.legacy.font import LCD_FONT, proportional
from PIL import Image, ImageDraw

from kiosd.ports import Face
from kiosd_sim.board import Lines, Screen, SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.ledmatrix import MatrixScreen
from kiosd_sim.numeralboard import FrameScreen, ModbusScreen
from kiosd_sim.pins import Pins, SimFactory, SimPin
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from kiosd_sim.recorder import Recorder
from support.farinputs import alt_scanner, framed_scanner, keypad, line_scanner, typing_scanner
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


class FarVoice(Far, Protocol):
    """The other end of an ``Announcer``; ``recorder`` is what was heard and how the card is."""

    recorder: Recorder


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


class Board:
    """A display on its line; ``reads`` is how a face looks there."""

    def __init__(self, board: SimBoard, config: Mapping[str, Any], reads: Callable[[Face], Lines]) -> None:
        self._board, self._reads = board, reads
        self.config: dict[str, Any] = {"port": str(board.port.link), **config}

    async def plug(self) -> None:
        self._board.port.plug()

    async def unplug(self) -> None:
        self._board.port.unplug()

    async def shows(self, face: Face) -> None:
        await self._board.shows(lambda lines: lines == self._reads(face))
        assert not self._board.screen.garbage

    def forget(self) -> None:
        self._board.screen.forget()

    def jam(self) -> None:
        self._board.port.jam()

    def release(self) -> None:
        self._board.port.release()


def _two_lines(face: Face) -> Lines:
    return f"NOMOR {face.number}", f"LOKET {face.counter}"


def _display(screen: Callable[[], Screen], config: Mapping[str, Any], reads: Callable[[Face], Lines]) -> Build:
    """A display of this kind on a line of its own."""

    @asynccontextmanager
    async def build(directory: Path) -> AsyncIterator[Board]:
        board = SimBoard(directory / "display", screen())
        with board.port.plugged():
            yield Board(board, config, reads)

    build.__name__ = str(config.get("protocol", config.get("letters", "dots")))
    return build


def _dots(face: Face) -> Lines:
    """The rows of the number in luma's letters, drawn without the driver."""
    image = Image.new("1", (32, 8))
    luma_text(ImageDraw.Draw(image), (0, 0), face.number, fill="white", font=proportional(LCD_FONT))
    return tuple("".join("#" if image.getpixel((x, y)) else " " for x in range(32)).rstrip() for y in range(8))


QUICK = {"write_timeout_s": 0.2}
NUMERALS = "02 {counter:2} {number:5} 03 {sum8}"
SIGNED = "FE 05 {letter:1} {digits:u16} {counter:u8} {crc16}"
MODBUS = {"address": 7, "number_register": 16, "counter_register": 18, "letters": {"A": 1, "D": 4}, "answer_s": 2.0}
DISPLAYS = {
    "serial_display": (
        *(_display(partial(CustomerDisplay, name), {"protocol": name, **QUICK}, _two_lines) for name in ("cd5220", "epson", "dsp800")),
        _display(partial(FrameScreen, NUMERALS), {"protocol": "frame", "frame": NUMERALS, **QUICK},
                 lambda face: (f"{face.counter:02}", face.number)),
        _display(partial(FrameScreen, SIGNED), {"protocol": "frame", "frame": SIGNED, **QUICK},
                 lambda face: (face.number[0], str(int(face.number[1:])), str(face.counter))),
    ),
    "modbus_display": (
        _display(partial(ModbusScreen, 7, 16, counter=18), MODBUS | QUICK,
                 lambda face: (str(face.counter), face.number.replace("A", "1").replace("D", "4"))),
    ),
    "max7219_display": (_display(partial(MatrixScreen, 4, -90), {"chips": 4}, _dots),),
}  # fmt: skip


class Speaker:
    """A sound card, played to by the real espeak-ng through a recorder in aplay's place, a thousand times as fast as in life."""

    def __init__(self, directory: Path) -> None:
        self.recorder = Recorder(directory / "card", speed=1000.0)
        self.config: dict[str, Any] = {"card": "plughw:CARD=Sim", "cache": str(directory / "cache")}

    async def plug(self) -> None:
        self.recorder.set()

    async def unplug(self) -> None:
        self.recorder.set(error="No such device")


@asynccontextmanager
async def speaker(directory: Path) -> AsyncIterator[Speaker]:
    """The only sound card."""
    far = Speaker(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(far.recorder.programs), prepend=os.pathsep)
        yield far


FARS: dict[str, tuple[Build, ...]] = {
    "aplay_voice": (speaker,),
    "escpos_printer": (_printer_on_a_line, _printer_on_the_network),
    "evdev_keypad": (keypad,),
    "evdev_scanner": (typing_scanner, alt_scanner),
    "gpio_buttons": (_gpio_buttons,),
    **DISPLAYS,
    "serial_scanner": (line_scanner, framed_scanner),
}
"""Driver -> its far sides."""
