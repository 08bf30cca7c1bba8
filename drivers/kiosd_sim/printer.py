"""An ESC/POS ticket printer without the printer: on a pty or on TCP, with paper, cover, knife and moods.

It does what the real thing does (hardware section 1): it answers ``DLE EOT`` at once and ``GS r`` in its turn, takes bytes into a small
buffer while it cannot print, and goes on when the paper is back.
"""

import asyncio
import os
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from kiosd_sim.escpos import Ask, Cut, Feed, Item, Operation, Parser, Unknown
from kiosd_sim.paper import PrintedSlip

BUFFER_OPERATIONS = 400  # about 4 KB of a ticket's bytes: with this many waiting it reads no more
HISTORY = 1000  # slips and strange bytes that are remembered: a demonstration may run for days
TEAR_DOTS = 100  # without a knife a feed of this many dots ends a slip: somebody tears it off
READ_SIZE = 512
SLOW_STEP_S = 0.05  # a slow printer takes its bytes in steps of this length


@dataclass(frozen=True, slots=True)
class Mood:
    """How the printer is. ``slow`` is bytes per second; ``silent`` never answers, like a cheap clone."""

    paper: Literal["ok", "near", "out"] = "ok"
    cover: bool = False
    offline: bool = False
    silent: bool = False
    slow: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing can be printed."""
        return self.paper == "out" or self.cover or self.offline

    def status(self, question: int) -> int:
        """The answer to ``DLE EOT question``: fixed bits 0x12 and what is the matter (hardware section 1)."""
        out, near = self.paper == "out", self.paper != "ok"
        return 0x12 | {
            1: 0x08 * self.stopped,
            2: 0x04 * self.cover | 0x20 * out,
            4: 0x0C * near | 0x60 * out,
        }.get(question, 0)

    def sensors(self) -> int:
        """The answer to ``GS r 1``: the paper sensors."""
        return {"ok": 0x00, "near": 0x03, "out": 0x0C}[self.paper]


class SimPrinter:
    """The far side. ``port`` is what a configuration writes; ``slips`` is what came out; ``on_slip`` is called with each slip.

    ``torn`` holds what an unplugged printer had printed without cutting it off; ``strange`` the bytes it had no meaning for.
    """

    def __init__(
        self, outlet: "Outlet", columns: int = 32, cutter: bool = True, on_slip: Callable[[PrintedSlip], None] | None = None
    ) -> None:
        self.mood = Mood()
        self.slips: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self.torn: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self.strange: deque[bytes] = deque(maxlen=HISTORY)
        self._outlet, self._columns, self._cutter, self._on_slip = outlet, columns, cutter, on_slip
        self._untaken: deque[PrintedSlip] = deque(maxlen=HISTORY)
        self._came_out = asyncio.Event()
        self._begun = asyncio.Event()
        self._room = asyncio.Event()
        self._items: list[Item] = []
        self._power_on()

    def _power_on(self) -> None:
        """The buffer is empty and a ticket that was not finished hangs out of the printer: somebody tears it off."""
        if self._items:
            self.torn.append(PrintedSlip(tuple(self._items), self._columns))
        self._parser = Parser(self._columns)
        self._waiting: deque[Operation] = deque()
        self._items = []
        self._begun.clear()
        self._room.set()

    @property
    def port(self) -> str:
        """Where the host finds it: a path, or ``tcp:HOST:PORT``."""
        return self._outlet.port

    def set(self, **mood: Any) -> None:
        """Change the mood: ``set(paper="out")``, ``set(cover=True)``, ``set(silent=True)``, ``set(slow=200.0)``. Unknown words raise."""
        self.mood = replace(self.mood, **mood)
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
        self._power_on()
        await self._outlet.plug(self._serve)

    async def unplug(self) -> None:
        """Power and cable out, in the middle of whatever is going on."""
        await self._outlet.unplug()

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ_SIZE):
                await self._receive(data)

    async def _receive(self, data: bytes) -> None:
        while data:
            slow = self.mood.slow
            part = data[: max(1, int(slow * SLOW_STEP_S))] if slow else data
            data = data[len(part) :]
            if slow:
                await asyncio.sleep(len(part) / slow)
            for operation in self._parser.feed(part):
                self._accept(operation)
            await self._room.wait()

    def _accept(self, operation: Operation) -> None:
        if isinstance(operation, Ask) and operation.kind == "dle_eot":
            self._answer(self.mood.status(operation.number))
        else:
            self._waiting.append(operation)
            self._work()

    def _work(self) -> None:
        while self._waiting and not self.mood.stopped:
            self._do(self._waiting.popleft())
        if len(self._waiting) < BUFFER_OPERATIONS:
            self._room.set()
        else:
            self._room.clear()

    def _do(self, operation: Operation) -> None:
        if isinstance(operation, Ask):
            self._answer(self.mood.sensors())
        elif isinstance(operation, Unknown):
            self.strange.append(operation.data)
        elif not isinstance(operation, Cut):
            self._items.append(operation)
            self._begun.set()
            if not self._cutter and isinstance(operation, Feed) and operation.dots >= TEAR_DOTS:
                self._finish()
        elif self._cutter:
            self._finish()

    def _finish(self) -> None:
        slip, self._items = PrintedSlip(tuple(self._items), self._columns), []
        self._begun.clear()
        self.slips.append(slip)
        self._untaken.append(slip)
        self._came_out.set()
        if self._on_slip:
            self._on_slip(slip)

    def _answer(self, byte: int) -> None:
        if not self.mood.silent:
            self._outlet.send(bytes([byte]))


Serve = Callable[[asyncio.StreamReader], Coroutine[Any, Any, None]]


class Outlet(Protocol):
    """Where the printer is plugged in."""

    @property
    def port(self) -> str: ...
    def send(self, data: bytes) -> None: ...
    async def plug(self, serve: Serve) -> None: ...
    async def unplug(self) -> None: ...


class PtyOutlet:
    """A serial line: a pty, found by a symbolic link that stays the same."""

    def __init__(self, link: Path, group: asyncio.TaskGroup) -> None:
        self._link, self._group = link, group
        self._master = self._slave = -1
        self._transport: asyncio.ReadTransport | None = None

    @property
    def port(self) -> str:
        return str(self._link)

    async def plug(self, serve: Serve) -> None:
        self._master, self._slave = os.openpty()  # the far end stays open here too, else the line breaks when the host lets go of it
        tty.setraw(self._slave)
        reader = asyncio.StreamReader(limit=READ_SIZE)  # a printer's buffer is small: the rest waits on the host's side
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(self._master, "rb", buffering=0)
        self._transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._task = self._group.create_task(serve(reader))
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._slave))

    def send(self, data: bytes) -> None:
        with suppress(BlockingIOError):  # nobody reads the answers: a real line loses them too
            os.write(self._master, data)

    async def unplug(self) -> None:
        if self._transport is None:
            return
        self._link.unlink(missing_ok=True)
        self._transport.close()
        self._transport = None
        os.close(self._slave)
        self._task.cancel()
        await asyncio.wait([self._task])


class TcpOutlet:
    """A print server on 127.0.0.1 that takes one connection and shuts the door on the next ones, as they do."""

    def __init__(self, number: int, group: asyncio.TaskGroup) -> None:
        self._number, self._group = number, group
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._talk: asyncio.Task[None] | None = None

    @property
    def port(self) -> str:
        return f"tcp:127.0.0.1:{self._number}"

    async def plug(self, serve: Serve) -> None:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._writer is not None:
                writer.transport.abort()
                return
            self._writer = writer
            self._talk = self._group.create_task(self._one(serve, reader, writer))

        self._server = await asyncio.start_server(connected, "127.0.0.1", self._number)
        self._number = self._server.sockets[0].getsockname()[1]

    async def _one(self, serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader)
        finally:
            self._writer = None
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)

    async def unplug(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        if self._talk is not None:
            self._talk.cancel()
            await asyncio.wait([self._talk])


@asynccontextmanager
async def _plugged_in(outlet: Callable[[asyncio.TaskGroup], Outlet], settings: dict[str, Any]) -> AsyncIterator[SimPrinter]:
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        printer = SimPrinter(outlet(group), **settings)
        await printer.plug()
        try:
            yield printer
        except Exception as error:  # noqa: BLE001 - the user's own error, raised below as it is: the group would wrap it
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
