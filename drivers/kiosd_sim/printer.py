"""An ESC/POS ticket printer without the printer: with paper, cover, knife and moods. ``outlets`` and ``gprinter`` are its wires.

It does what the real thing does (hardware section 1): it obeys commands in real time at once, even among the data of a picture, answers
``GS r`` and ``GS ( H`` in their turn, takes bytes into a small buffer while it cannot print, and goes on when the paper is back.
``python -m kiosd_sim.printer --help``: the same for other programs.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from kiosd_sim.escpos import Ask, Cut, Feed, Item, Operation, Parser, Unknown
from kiosd_sim.gprinter import GadgetOutlet
from kiosd_sim.moods import CLONES, Mood, nonsense
from kiosd_sim.outlets import READ_SIZE, Outlet, PtyOutlet, TcpOutlet
from kiosd_sim.paper import DOTS_PER_MM, PrintedSlip, dots
from kiosd_sim.realtime import Ears

BUFFER_BYTES = 4096  # with this many waiting it reads no more
HISTORY = 1000  # slips and strange bytes that are remembered: a demonstration may run for days
TEAR_DOTS = 100  # without a knife a feed of this many dots ends a slip: somebody tears it off
SLOW_STEP_S = 0.05  # a slow printer takes its bytes in steps of this length
XON, XOFF = b"\x11", b"\x13"
SEED = 5
Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""Do something in so many seconds: ``loop.call_later``, or a test's own."""


class SimPrinter:
    """The far side. ``port`` is what a configuration writes; ``slips`` is what came out; ``on_slip`` is called with each slip.

    ``torn`` holds what was printed without being cut off when the power went or the buffer was cleared; ``strange`` the bytes it had no
    meaning for. ``buffer`` is what it holds at most, in bytes.
    """

    def __init__(
        self,
        outlet: Outlet,
        columns: int = 32,
        cutter: bool = True,
        on_slip: Callable[[PrintedSlip], None] | None = None,
        buffer: int = BUFFER_BYTES,
        later: Later | None = None,
    ) -> None:
        self.mood = Mood()
        self.slips: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self.torn: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self.strange: deque[bytes] = deque(maxlen=HISTORY)
        self._outlet, self._columns, self._cutter, self._on_slip = outlet, columns, cutter, on_slip
        self._size, self._later = buffer, later
        self._untaken: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self._came_out = asyncio.Event()
        self._begun = asyncio.Event()
        self._room = asyncio.Event()
        self._chance = random.Random(SEED)
        self._items: list[Item] = []
        self._moving: asyncio.TimerHandle | None = None
        self._clear()
        self._power_on()

    def _power_on(self) -> None:
        self._ears = Ears()
        self._mask = 0  # of automatic status: 0 is off
        self._reported = b""

    def _clear(self) -> None:
        """The buffer is empty and a ticket that was not finished hangs out of the printer: somebody tears it off."""
        if self._items:
            self.torn.append(PrintedSlip(tuple(self._items), self._columns))
        if self._moving:
            self._moving.cancel()
        self._moving = None
        self._parser = Parser(self._columns)
        self._buffer = bytearray()
        self._next: deque[Operation] = deque()
        self._items = []
        self._begun.clear()
        self._look()

    @property
    def port(self) -> str:
        """Where the host finds it: a path, or ``tcp:HOST:PORT``."""
        return self._outlet.port

    @property
    def waiting(self) -> int:
        """Bytes in its buffer."""
        return len(self._buffer)

    def set(self, **mood: Any) -> None:
        """Change the mood: ``set(paper="out")``, ``set(cover=True)``, ``set(slow=200.0)``, ``set(clone="half")``. Unknown words raise."""
        fresh = replace(self.mood, **mood)
        if fresh.clone not in CLONES:
            raise ValueError(f"no such clone: {fresh.clone}")
        self.become(fresh)

    def become(self, mood: Mood) -> None:
        """Be like ``mood`` from now on."""
        self.mood = mood
        self._outlet.port_status(mood.port_status())
        self._report()
        self._work()

    async def next_slip(self) -> PrintedSlip:
        """The oldest slip that was not taken by this method yet; waits for it."""
        while not self._untaken:
            self._came_out.clear()
            await self._came_out.wait()
        return self._untaken.popleft()

    async def half_out(self) -> None:
        """Wait until the beginning of a slip has come out."""
        await self._begun.wait()

    async def plug(self) -> None:
        """Power and cable in: the same port is there again, and the printer is empty."""
        self._clear()
        self._power_on()
        await self._outlet.plug(self._serve)
        self._outlet.port_status(self.mood.port_status())

    async def unplug(self) -> None:
        """Power and cable out, in the middle of whatever is going on: what moves stops, what it held is gone."""
        await self._outlet.unplug()
        self._clear()

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ_SIZE):
                await self._receive(data)

    async def _receive(self, data: bytes) -> None:
        while data:
            await self._room.wait()
            slow, free = self.mood.slow, self._size - len(self._buffer)
            part = data[: min(free, max(1, int(slow * SLOW_STEP_S))) if slow else free]
            data = data[len(part) :]
            if slow:
                await asyncio.sleep(len(part) / slow)
            for piece, ask in self._ears.split(part):
                self._buffer += piece
                self._work()
                if ask is not None:
                    self._at_once(ask)

    def _at_once(self, ask: Ask) -> None:
        kind = self.mood.kind
        if ask.kind == "dle_eot" and ask.number in kind.real_time:
            self._answer(bytes([self.mood.status(ask.number)]))
        elif ask.kind == "clear" and kind.clear:
            self._clear()
            self._answer(b"\x37\x25\x00")
        elif ask.kind == "recover" and kind.clear and self.mood.cutter:  # heeded only after an error that a person has put right
            self._clear()
            self.set(cutter=False)

    def _work(self) -> None:
        """Go on until there is nothing to do, nothing can be done, or the paper has to move first."""
        while not (self._moving or self.mood.stopped or self.mood.busy):
            if self._next:
                self._begin(self._next.popleft())
            elif self._buffer:
                self._next.extend(self._parser.feed(bytes(self._buffer[:1])))
                del self._buffer[0]
            else:
                break
        self._look()

    def _look(self) -> None:
        """Read on or not."""
        if len(self._buffer) < self._size and not self.mood.busy:
            self._room.set()
        else:
            self._room.clear()

    def _begin(self, operation: Operation) -> None:
        speed = self.mood.mm_per_s
        if speed is None or isinstance(operation, Ask | Cut | Unknown):
            self._do(operation)
            return

        def done() -> None:
            self._moving = None
            self._do(operation)
            self._work()

        later = self._later or asyncio.get_running_loop().call_later
        self._moving = later(dots(operation) / DOTS_PER_MM / speed, done)

    def _do(self, operation: Operation) -> None:
        if isinstance(operation, Ask):
            self._in_turn(operation)
        elif isinstance(operation, Unknown):
            self.strange.append(operation.data)
        elif not isinstance(operation, Cut):
            self._items.append(operation)
            self._begun.set()
            if not self._cutter and isinstance(operation, Feed) and operation.dots >= TEAR_DOTS:
                self._finish()
        elif self._cutter:
            self._finish()

    def _in_turn(self, ask: Ask) -> None:
        kind = self.mood.kind
        if ask.kind == "reports":
            self._mask, self._reported = ask.number, b""
            self._report()
        elif ask.kind == "gs_h" and kind.mark:
            self._answer(b"\x37\x22" + ask.number.to_bytes(4, "big") + b"\x00")
        elif ask.kind == "gs_r" and kind.sensors:
            self._answer(bytes([self.mood.sensors()]))

    def _report(self) -> None:
        report = self.mood.report()
        if self._mask and self.mood.kind.reports and report != self._reported:
            self._reported = report
            self._answer(report)

    def _finish(self) -> None:
        slip, self._items = PrintedSlip(tuple(self._items), self._columns), []
        self._begun.clear()
        self.slips.append(slip)
        self._untaken.append(slip)
        self._came_out.set()
        if self._on_slip:
            self._on_slip(slip)

    def _answer(self, data: bytes) -> None:
        kind = self.mood.kind
        if self.mood.silent:
            return
        if kind.chatty:
            data = XOFF + self.mood.report() + data + XON
        self._outlet.send(nonsense(self._chance) if kind.garbage else data)


@asynccontextmanager
async def _plugged_in(outlet: Callable[[asyncio.TaskGroup], Outlet], settings: dict[str, Any]) -> AsyncIterator[SimPrinter]:
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        printer = SimPrinter(outlet(group), **settings)
        try:
            await printer.plug()
            yield printer
        except Exception as error:  # noqa: BLE001 - an outlet's or the user's own, raised below as it is: the group would wrap it
            failure = error
        finally:
            await printer.unplug()
    if failure is not None:
        raise failure


def sim_printer_pty(link: Path, **settings: Any) -> AbstractAsyncContextManager[SimPrinter]:
    """A printer on a serial line that the host finds at ``link``; ``settings`` are those of ``SimPrinter``."""
    return _plugged_in(lambda group: PtyOutlet(link, group), settings)


def sim_printer_tcp(number: int = 0, **settings: Any) -> AbstractAsyncContextManager[SimPrinter]:
    """A printer on 127.0.0.1, TCP port ``number`` (0: a free one, see ``SimPrinter.port``); ``settings`` are those of ``SimPrinter``."""
    return _plugged_in(lambda group: TcpOutlet(number, group), settings)


def sim_printer_gadget(device: Path, **settings: Any) -> AbstractAsyncContextManager[SimPrinter]:
    """A printer behind the USB gadget whose file is ``device``; ``settings`` are those of ``SimPrinter``."""
    return _plugged_in(lambda group: GadgetOutlet(device, group), settings)


if __name__ == "__main__":
    import sys

    from kiosd_sim.printerprogram import main

    sys.exit(main(sys.argv[1:]))
