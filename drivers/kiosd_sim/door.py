"""A listening socket of the far side, of which nothing is left when it is closed.

asyncio's own server leaves more behind: it loses a connection that is taken while the server closes, and the far end waits for ever; a
talk that was cancelled before its first step never reaches the ``finally`` that would end its connection.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

LIMIT_BYTES = 64 * 1024  # the longest line a talk may read, as asyncio has it
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
"""What is said over one connection; when it returns, the connection is closed after what was written."""


def tcp(number: int = 0) -> socket.socket:
    """A socket that listens on 127.0.0.1, TCP port ``number`` (0: a free one); ``OSError`` when the port is taken."""
    return socket.create_server(("127.0.0.1", number))


class Door:
    """Has a ``talk`` with everyone who connects. An error of a talk ends ``group``; without one it goes to the loop's handler."""

    def __init__(self, talk: Talk, group: asyncio.TaskGroup | None = None, limit: int = LIMIT_BYTES) -> None:
        self._talk, self._group, self._limit = talk, group, limit
        self._server: asyncio.Server | None = None
        self._talks = set[asyncio.Task[None]]()
        self._writers = WeakSet[asyncio.StreamWriter]()

    async def open(self, listener: socket.socket) -> None:
        """Take connections at ``listener``, which belongs to the door from now on."""
        self._server = await asyncio.start_server(self._knock, sock=listener, limit=self._limit)

    def _knock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it came through just before the door was closed
            writer.transport.abort()
            return
        self._writers.add(writer)
        start = self._group or asyncio.get_running_loop()
        task = start.create_task(self._talk(reader, writer))
        self._talks.add(task)
        task.add_done_callback(lambda _: self._ended(task, writer))

    def _ended(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._talks.discard(task)
        writer.close()
        if self._group is None and not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "a talk failed", "exception": error, "task": task})

    async def close(self) -> None:
        """Take no more, end every talk and break every connection; returns when all are gone."""
        if self._server is None:
            return
        server, self._server = self._server, None
        loop = asyncio.get_running_loop()
        for listener in server.sockets:
            loop.remove_reader(listener)
        try:
            await asyncio.sleep(0)  # a connection that was just taken gets its transport, which it could not have from a closed server
        finally:
            server.close()
            for task in self._talks:
                task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # it may still have had something to send to who does not read
        await asyncio.sleep(0)  # a transport closes its socket in the loop's next turn


@asynccontextmanager
async def door(talk: Talk, listener: socket.socket, limit: int = LIMIT_BYTES) -> AsyncIterator[None]:
    """A ``Door`` for the length of a ``with`` block."""
    it = Door(talk, limit=limit)
    await it.open(listener)
    try:
        yield
    finally:
        await it.close()
