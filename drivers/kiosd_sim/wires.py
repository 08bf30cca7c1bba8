"""Bad wires between a host and a simulated device: printers, scanners and boards alike, on serial lines and on TCP.

``bad_wire`` gives the host a port of its own and carries what passes to the device and back, each direction through a class below.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from kiosd_sim.outlets import READ_SIZE, Outlet

SEED = 7


class Cut(ConnectionError):
    """The wire is in two pieces."""


class Way(Protocol):
    """One direction of a wire."""

    async def carry(self, data: bytes) -> list[bytes]:
        """What arrives at the other end of ``data``, in pieces; ``Cut`` when nothing will any more."""
        ...


class Clean:
    """A good wire."""

    async def carry(self, data: bytes) -> list[bytes]:
        return [data]


class OneByteAtATime:
    """Everything arrives, a byte a piece."""

    async def carry(self, data: bytes) -> list[bytes]:
        return [bytes([byte]) for byte in data]


class Lossy:
    """Every ``every``-th byte is lost, counted over the wire's whole life."""

    def __init__(self, every: int) -> None:
        self._every, self._count = every, 0

    async def carry(self, data: bytes) -> list[bytes]:
        first, self._count = self._count + 1, self._count + len(data)
        return [bytes(byte for count, byte in enumerate(data, first) if count % self._every)]


class Garbled:
    """In one byte of ``every`` on average a bit is turned over; the same ones in each run with the same ``seed``."""

    def __init__(self, every: int, seed: int = SEED) -> None:
        self._every, self._chance = every, random.Random(seed)

    async def carry(self, data: bytes) -> list[bytes]:
        return [bytes(byte ^ 1 << self._chance.randrange(8) if not self._chance.randrange(self._every) else byte for byte in data)]


class Delayed:
    """Every piece arrives ``seconds`` late, in order."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def carry(self, data: bytes) -> list[bytes]:
        await asyncio.sleep(self._seconds)
        return [data]


class CutAfter:
    """Cut through behind the first ``count`` bytes."""

    def __init__(self, count: int) -> None:
        self._left = count

    async def carry(self, data: bytes) -> list[bytes]:
        if self._left <= 0:
            raise Cut
        passed, self._left = data[: self._left], self._left - len(data)
        return [passed]


class Loose:
    """Bad as ``way`` from byte ``start`` to byte ``end`` of the wire's life, and good before and after: a plug that somebody pushes in."""

    def __init__(self, way: Way, start: int, end: int) -> None:
        self._way, self._edges, self._count = way, (start, end), 0

    async def carry(self, data: bytes) -> list[bytes]:
        start, end = (min(max(0, edge - self._count), len(data)) for edge in self._edges)
        self._count += len(data)
        bad = await self._way.carry(data[start:end]) if start < end else []
        return [piece for piece in (data[:start], *bad, data[end:]) if piece]


class Jammed:
    """Carries nothing until ``free`` is set: what is read waits, and the host's writes block when its buffers are full."""

    def __init__(self) -> None:
        self.free = asyncio.Event()

    async def carry(self, data: bytes) -> list[bytes]:
        await self.free.wait()
        return [data]


@asynccontextmanager
async def bad_wire(
    near: Callable[[asyncio.TaskGroup], Outlet], far: str, to_far: Way | None = None, to_near: Way | None = None
) -> AsyncIterator[str]:
    """The host's end is ``near`` (``partial(PtyOutlet, link)``, ``partial(TcpOutlet, 0)``), the device is at the port ``far``.

    Gives the port for the host. A cut unplugs the host's end for good.
    """
    out, back, cut = to_far or Clean(), to_near or Clean(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        outlet = near(group)

        async def serve(host: asyncio.StreamReader) -> None:
            with suppress(OSError):
                await _relay(host, far, outlet, out, back, cut)

        async def watch() -> None:
            await cut.wait()
            await outlet.unplug()

        await outlet.plug(serve)
        watcher = group.create_task(watch())
        try:
            yield outlet.port
        finally:
            watcher.cancel()
            await outlet.unplug()


async def _relay(host: asyncio.StreamReader, far: str, outlet: Outlet, out: Way, back: Way, cut: asyncio.Event) -> None:
    reader, writer = await _device(far)

    async def to_far(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def to_near(data: bytes) -> None:
        outlet.send(data)

    over = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            pumps = [group.create_task(_pump(host, out, to_far, over, cut)), group.create_task(_pump(reader, back, to_near, over, cut))]
            await over.wait()
            for pump in pumps:
                pump.cancel()
    finally:
        writer.transport.abort()


async def _pump(
    source: asyncio.StreamReader, way: Way, target: Callable[[bytes], Awaitable[None]], over: asyncio.Event, cut: asyncio.Event
) -> None:
    """Carry until one end is gone (``over``) or the wire is cut."""
    try:
        while data := await source.read(READ_SIZE):
            for piece in await way.carry(data):
                await target(piece)
    except Cut:
        cut.set()
    except OSError:
        pass  # the device is gone, or the host: so is the wire
    finally:
        over.set()


async def _device(port: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if port.startswith("tcp:"):
        _, host, number = port.split(":")
        return await asyncio.open_connection(host, int(number))
    loop, fd = asyncio.get_running_loop(), os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    reader = asyncio.StreamReader(limit=READ_SIZE)
    outward = os.fdopen(os.dup(fd), "wb", buffering=0)
    incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0))
    transport, protocol = await loop.connect_write_pipe(lambda: _Line(incoming), outward)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


class _Line(asyncio.streams.FlowControlMixin):
    """The writing half of a serial line; both halves end together."""

    def __init__(self, reading: asyncio.ReadTransport) -> None:
        super().__init__()
        self._reading = reading

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._reading.close()

    def _get_close_waiter(self, _: asyncio.StreamWriter) -> "asyncio.Future[None]":
        closed = asyncio.get_running_loop().create_future()
        closed.set_result(None)
        return closed
