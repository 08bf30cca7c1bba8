"""A driver and its far side on one bench: what tests of all drivers, and of all drivers of a port, share."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd import ports
from kiosd.ports import Announcer, ButtonPanel, CallDisplay, Driver, Face, LampState, Outcome, Press, Scanner, TicketPrinter
from kiosd.registry import find, names
from support.devices import open_files, take
from support.fardevices import FARS, Build, Far, FarDisplay, FarPanel, FarPrinter, FarScanner, FarVoice
from support.printers import READ, SLIP, read

OPEN_S = 12.0  # no driver may need longer to say that its device is not there; those with a deadline have 3 to 6 s
GONE_S = 5.0
OURS = [kind for kind in vars(ports).values() if getattr(kind, "__module__", "") == ports.__name__]
PORTS = {kind for kind in OURS if getattr(kind, "_is_protocol", False) and kind is not ports.Driver}
FACE = Face(number="D005", counter=4, attention=True)
SENTENCE = "Nomor antrean, D, nol nol lima. Silakan menuju loket empat."


async def no_far_side(_: Path) -> Far:
    raise AssertionError("a driver without a far side: add one to FARS in tests/support/fardevices.py")


CASES = [(name, build) for name in names() for build in FARS.get(name, (no_far_side,))]
every_driver = pytest.mark.parametrize(("name", "build"), CASES, ids=[f"{name}:{build.__name__.strip('_')}" for name, build in CASES])


def of_port(port: type) -> pytest.MarkDecorator:
    """The drivers of one port, each with each of its far sides."""
    cases = [(name, build) for name, build in CASES if find(name).port is port]
    return pytest.mark.parametrize(("name", "build"), cases, ids=[f"{name}:{build.__name__.strip('_')}" for name, build in cases])


class Bench:
    """One driver and its far side."""

    def __init__(self, driver: Driver[Any, Any], far: Any) -> None:
        self.driver, self.far = driver, far
        self.config = driver.config.model_validate(far.config)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        async with self.driver.open(self.config) as device:
            yield device

    async def prove(self, device: Any) -> None:
        """Use the device once, and see it at the other end."""
        await USES[self.driver.port][0](self.far, device)

    async def use_until_gone(self, device: Any) -> None:
        """Use the device as a station does, until it raises."""
        await USES[self.driver.port][1](device)

    async def hold(self) -> None:
        """Open, and never close by itself."""
        async with self.opened():
            await asyncio.Event().wait()

    async def is_whole(self) -> None:
        """Open, use, close."""
        async with asyncio.timeout(OPEN_S), self.opened() as device:
            await self.prove(device)


@asynccontextmanager
async def bench(name: str, build: Build, directory: Path) -> AsyncIterator[Bench]:
    async with asyncio.timeout(30), build(directory) as far:
        yield Bench(find(name), far)


async def _prove_panel(far: FarPanel, panel: ButtonPanel) -> None:
    stream: Any = panel.presses()
    async with aclosing(stream) as presses:
        far.press("B")
        item = await anext(presses)
        assert isinstance(item, Press) and item.button == "B"
    await panel.lamp("ready", LampState.ON)
    assert far.lit("ready")


async def _prove_scanner(far: FarScanner, scanner: Scanner) -> None:
    await far.scan("Card-1")
    assert await take(scanner, 1) == ["Card-1"]


async def _prove_printer(far: FarPrinter, printer: TicketPrinter) -> None:
    assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert read((await far.paper.next_slip()).text) == READ


async def _prove_display(far: FarDisplay, display: CallDisplay) -> None:
    await display.show(FACE)
    await far.shows(FACE)


async def _prove_announcer(far: FarVoice, announcer: Announcer) -> None:
    before = len(far.recorder.texts)
    await announcer.say(SENTENCE)
    assert far.recorder.texts[before:] == [SENTENCE]


async def _until_gone(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


async def show_until_gone(display: CallDisplay) -> None:
    """Show the same face again and again."""
    while True:
        await display.show(FACE)
        await asyncio.sleep(0.01)


async def say_until_gone(announcer: Announcer) -> None:
    """Say the same again and again."""
    while True:
        await announcer.say(SENTENCE)


USES: dict[type, tuple[Callable[[Any, Any], Awaitable[None]], Callable[[Any], Awaitable[None]]]] = {
    ButtonPanel: (_prove_panel, lambda panel: _until_gone(panel.presses())),
    Scanner: (_prove_scanner, lambda scanner: _until_gone(scanner.scans())),
    TicketPrinter: (_prove_printer, lambda printer: _until_gone(printer.watch())),
    CallDisplay: (_prove_display, show_until_gone),
    Announcer: (_prove_announcer, say_until_gone),
}
"""Port -> use once and look, use until it is gone."""


class Footprint:
    """The threads and open files of this process, to find out what a driver left behind."""

    def __init__(self) -> None:
        gc.collect()  # what earlier tests left to the collector is not this driver's
        self._files, self._threads = open_files(), set(threading.enumerate())

    async def is_back(self) -> None:
        """Nothing is left that was not there before; closing may take a moment at both ends."""
        deadline = time.monotonic() + GONE_S
        while (left := self._left()) and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread that ends tells nobody
            await asyncio.sleep(0.005)
        assert not left, f"left behind: {', '.join(left)}"

    def _left(self) -> list[str]:
        threads = [thread.name for thread in threading.enumerate() if thread not in self._threads]
        files = open_files() - self._files
        return [*threads, *([f"{files} open files"] if files > 0 else [])]
