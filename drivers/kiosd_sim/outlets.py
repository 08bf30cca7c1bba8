"""Where a simulated printer is plugged in: a serial line (pty) or a print server (TCP). ``gprinter`` has the USB gadget."""

import asyncio
import os
import tty
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from kiosd_sim.door import Door, tcp

READ_SIZE = 512

Serve = Callable[[asyncio.StreamReader], Coroutine[Any, Any, None]]


class Outlet(Protocol):
    """Where the printer is plugged in."""

    @property
    def port(self) -> str: ...
    def send(self, data: bytes) -> None: ...
    async def plug(self, serve: Serve) -> None: ...
    async def unplug(self) -> None: ...
    def port_status(self, byte: int) -> None:
        """What the port itself says to a host, on wires that have such a thing."""


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

    def port_status(self, byte: int) -> None:
        """There is no such thing on this wire."""

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
        self._door: Door | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def port(self) -> str:
        return f"tcp:127.0.0.1:{self._number}"

    async def plug(self, serve: Serve) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._writer is not None:
                writer.transport.abort()
                return
            self._writer = writer
            try:
                await serve(reader)
            finally:
                self._writer = None

        listener = tcp(self._number)
        self._number = listener.getsockname()[1]
        self._door = Door(talk, self._group)
        await self._door.open(listener)

    def port_status(self, byte: int) -> None:
        """There is no such thing on this wire."""

    def send(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)

    async def unplug(self) -> None:
        if self._door is not None:
            await self._door.close()
