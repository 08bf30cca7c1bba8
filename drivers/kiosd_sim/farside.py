"""The far side of a kiosk's hardware, as its configuration describes it: printers, scanners and boards, on ptys and TCP."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from kiosd.errors import Refused
from kiosd_sim.board import Screen, SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.floor import Floor, named
from kiosd_sim.keyboard import SimKeyboard
from kiosd_sim.keypad import PAD_KEYS, WAYS
from kiosd_sim.ledmatrix import MatrixScreen
from kiosd_sim.moods import RATES, SWITCHES, changed
from kiosd_sim.numeralboard import FrameScreen, ModbusScreen
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from kiosd_sim.recorder import Recorder
from kiosd_sim.scanner import ENDS, NOTHING, PARTS, SimScanner, set_for
from kiosd_sim.serialport import Pluggable, plugged_in
from kiosd_sim.settings import KEYPAD
from kiosd_sim.typist import Typist

WHOLE_FACE_S = 0.05  # the rows of one face come one after the other
LISTEN_S = 0.2  # how late a sentence may be seen


class Watcher(Protocol):
    """Who is told what the far side sees."""

    def slip(self, device: str, slip: PrintedSlip) -> None: ...
    def board(self, device: str, lines: tuple[str, ...]) -> None: ...
    def voice(self, device: str, text: str) -> None: ...


@dataclass
class FarSide:
    """Every simulated device by its name in the configuration. ``ports`` is where the daemon finds it."""

    ports: dict[str, str] = field(default_factory=dict)
    printers: dict[str, SimPrinter] = field(default_factory=dict)
    scanners: dict[str, SimScanner | Typist] = field(default_factory=dict)
    keypads: dict[str, SimKeyboard] = field(default_factory=dict)
    boards: dict[str, SimBoard] = field(default_factory=dict)
    voices: dict[str, Recorder] = field(default_factory=dict)
    unplugged: set[str] = field(default_factory=set)

    @property
    def keyboards(self) -> list[SimKeyboard]:
        """Everything that types: keypads, and scanners that do."""
        return [*self.keypads.values(), *(each.port for each in self.scanners.values() if isinstance(each, Typist))]

    async def scan(self, device: str, *texts: str, part: str = "whole", framed: bool = False, aim: str = "", end: str = "") -> None:
        """Read codes with the scanner ``device``, one after the other, of the last one only a ``part``. What it sends around them is what
        it is set to, but for ``framed``, ``aim`` and ``end``, as ``Manner.but`` has them. ``Refused`` when its cable is out."""
        self._on_its_cable(device)
        named(PARTS, part, "part of a code")
        named(ENDS, end or NOTHING, "end of a code")
        scanner, (*before, last) = self.scanners[device], texts
        manner = scanner.manner.but(framed, aim, end)
        for text, share in [*((text, "whole") for text in before), (last, part)]:
            await scanner.send(*manner.around(text, share))

    async def work_keys(self, keypad: str, how: str, codes: Sequence[int]) -> None:
        """Do one of ``WAYS`` to keys of a keypad; ``Refused`` when its cable is out."""
        self._on_its_cable(keypad)
        work = named(WAYS, how, "thing to do to a keypad")
        await work(named(self.keypads, keypad, "keypad"), codes)

    def _on_its_cable(self, device: str) -> None:
        if device in self.unplugged:
            raise Refused("unplugged", {"message": f"{device} is unplugged"})

    def printer(self, thing: str, how: str, device: str = "") -> None:
        """Do something to the printer ``device``, without a name to every one, as ``moods`` has it: paper out, cover open ..."""
        if not self.printers:
            raise Refused("no_printer", {"message": "this kiosk has no printer"})
        for printer in [named(self.printers, device, "printer")] if device else self.printers.values():
            printer.become(changed(printer.mood, (thing, how)))

    async def unplug(self, device: str) -> None:
        """Pull a device's cable."""
        named(self.ports, device, "device on a cable")
        self.unplugged.add(device)
        if device in self.voices:
            self.voices[device].set(error="No such device")
        elif device in self.printers:
            await self.printers[device].unplug()
        else:
            self._line(device).unplug()

    async def plug(self, device: str) -> None:
        """Put the cable back."""
        named(self.ports, device, "device on a cable")
        if device in self.unplugged and device in self.voices:
            self.voices[device].set()
        elif device in self.unplugged and device in self.printers:
            await self.printers[device].plug()
        elif device in self.unplugged:
            self._line(device).plug()
        self.unplugged.discard(device)

    def _line(self, device: str) -> Pluggable:
        if device in self.keypads:
            return self.keypads[device]
        return (self.scanners | self.boards)[device].port


@asynccontextmanager
async def far_side(devices: dict[str, dict[str, Any]], directory: Path, watcher: Watcher) -> AsyncIterator[FarSide]:
    """The far side of ``[devices]``, plugged in; what hangs on a serial line has its name in ``directory``, which exists."""
    far = FarSide()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as watching:
        for name, config in devices.items():
            if build := BUILDERS.get(config["driver"]):
                far.ports[name] = await build(far, stack, name, config, directory / name, watcher)
        told = {name: board for name, board in far.boards.items() if not isinstance(board.screen, MatrixScreen)}  # dots are for pictures
        tasks = [watching.create_task(_watch(name, board, watcher)) for name, board in told.items()]
        tasks += [watching.create_task(_listen(name, recorder, watcher)) for name, recorder in far.voices.items()]
        try:
            yield far
        finally:
            for task in tasks:
                task.cancel()


async def _printer(far: FarSide, stack: AsyncExitStack, name: str, config: dict[str, Any], link: Path, watcher: Watcher) -> str:
    settings = {"columns": config.get("columns", 32), "cutter": config.get("cut", True), "on_slip": partial(watcher.slip, name)}
    networked = config.get("port", "").startswith("tcp:")  # what ``match`` finds is on USB
    printer = await stack.enter_async_context(sim_printer_tcp(**settings) if networked else sim_printer_pty(link, **settings))
    far.printers[name] = printer
    return printer.port


async def _scanner(far: FarSide, stack: AsyncExitStack, name: str, config: dict[str, Any], link: Path, _: Watcher) -> str:
    far.scanners[name] = scanner = SimScanner(link, set_for(config))
    stack.enter_context(scanner.port.plugged())
    return str(link)


async def _typist(far: FarSide, stack: AsyncExitStack, name: str, config: dict[str, Any], link: Path, _: Watcher) -> str:
    keyboard = stack.enter_context(plugged_in(SimKeyboard(link, name="Sim Scanner")))
    far.scanners[name] = Typist(keyboard, set_for(config))
    return str(link)


async def _keypad(far: FarSide, stack: AsyncExitStack, name: str, _: dict[str, Any], link: Path, __: Watcher) -> str:
    far.keypads[name] = stack.enter_context(plugged_in(SimKeyboard(link, name="Sim Keypad", keys=tuple(sorted(PAD_KEYS.values())))))
    return str(link)


async def _display(far: FarSide, stack: AsyncExitStack, name: str, config: dict[str, Any], link: Path, _: Watcher) -> str:
    far.boards[name] = SimBoard(link, SCREENS[config["driver"]](config))
    stack.enter_context(far.boards[name].port.plugged())
    return str(link)


async def _voice(far: FarSide, _: AsyncExitStack, name: str, __: dict[str, Any], link: Path, ___: Watcher) -> str:
    far.voices[name] = Recorder(link)
    return str(far.voices[name].programs)


def _modbus(config: dict[str, Any]) -> Screen:
    form, low_first = config.get("number_format", "u16"), config.get("word_order") == "low_first"
    return ModbusScreen(config["address"], config["number_register"], form, low_first, config.get("counter_register"))


def _matrix(config: dict[str, Any]) -> Screen:
    turned = config.get("reverse", False), config.get("upside_down", False)
    return MatrixScreen(config.get("chips", 4), config.get("orientation", -90), *turned)


SCREENS: dict[str, Callable[[dict[str, Any]], Screen]] = {
    "serial_display": lambda config: FrameScreen(config["frame"]) if "frame" in config else CustomerDisplay(config["protocol"]),
    "modbus_display": _modbus,
    "max7219_display": _matrix,
}
"""Driver of a display -> what is behind its line."""


BUILDERS: dict[str, Callable[..., Awaitable[str]]] = {
    "escpos_printer": _printer,
    "serial_scanner": _scanner,
    "evdev_scanner": _typist,
    KEYPAD: _keypad,
    **dict.fromkeys(SCREENS, _display),
    "aplay_voice": _voice,
}
"""Driver -> what plugs its far side in and says where the daemon finds it."""


async def _watch(name: str, board: SimBoard, watcher: Watcher) -> None:
    shown: tuple[str, ...] = ()
    told = shown
    while True:
        await board.shows(partial(_differs, shown), math.inf)
        await asyncio.sleep(WHOLE_FACE_S)
        shown = board.lines
        if any(line.strip("0") for line in shown) and shown != told:  # a fresh call blinks: it is told once
            told = shown
            watcher.board(name, shown)


async def _listen(name: str, recorder: Recorder, watcher: Watcher) -> None:
    heard = 0
    while True:
        lines = recorder.lines(heard)
        heard += len(lines)
        for line in lines:
            if text := line.get("begin", {}).get("text"):
                watcher.voice(name, text)
        await asyncio.sleep(LISTEN_S)


def _differs(shown: tuple[str, ...], lines: tuple[str, ...]) -> bool:
    return lines != shown


async def _scan(far: FarSide, plan: Floor, counter: str, part: str, framed: str, aim: str, end: str, *texts: str) -> None:
    desk = plan.desk(counter)
    if not desk.scanner:
        raise Refused("no_scanner", {"message": f"counter {desk.number} has no scanner"})
    await far.scan(desk.scanner, *texts, part=part, framed=bool(framed), aim=aim, end=end)


async def _keys(far: FarSide, _: Floor, keypad: str, how: str, *codes: str) -> None:
    known = {str(code): code for code in PAD_KEYS.values()}
    await far.work_keys(keypad, how, [named(known, code, "key of a keypad") for code in codes])


async def _lamps(far: FarSide, _: Floor) -> str:
    return json.dumps({name: sorted(keypad.lit) for name, keypad in far.keypads.items()})


async def _printer_is(thing: str, far: FarSide, _: Floor, how: str, device: str = "") -> None:
    far.printer(thing, how, device)


async def _plug(far: FarSide, _: Floor, device: str) -> None:
    await far.plug(device)


async def _unplug(far: FarSide, _: Floor, device: str) -> None:
    await far.unplug(device)


REQUESTS: dict[str, tuple[int, float, Callable[..., Awaitable[str | None]]]] = {
    "scan": (6, math.inf, _scan),
    "keys": (3, 4, _keys),
    "lamps": (0, 0, _lamps),
    **{thing: (1, 2, partial(_printer_is, thing)) for thing in (*SWITCHES, *RATES)},
    "plug": (1, 1, _plug),
    "unplug": (1, 1, _unplug),
}
"""What ``kiosd sim`` can ask of the far side, and with how many words: at least and at most."""


async def obey(far: FarSide, plan: Floor, words: list[str]) -> str | None:
    """Do a request of ``REQUESTS``; what there is to answer. ``Refused`` says why not."""
    name, *arguments = words
    fewest, most, do = named(REQUESTS, name, "request")
    if not fewest <= len(arguments) <= most:
        raise Refused("words", {"message": f"{name} takes {fewest} to {most} word(s), not {len(arguments)}"})
    answer: str | None = await do(far, plan, *arguments)
    return answer
