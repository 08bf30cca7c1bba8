"""Two joined ends of every kind of link, for suites that must hold on all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosd.links.base import Link
from kiosd.links.memory import memory_pair
from kiosd.links.unix import connect_unix, serve_unix


@dataclass
class Ends:
    """A server's end, a client's end, and what takes the server away."""

    server: Link
    client: Link
    end_server: Callable[[], None]
    """Takes the server away soon; the client notices."""


@asynccontextmanager
async def memory_ends(_: Path) -> AsyncIterator[Ends]:
    async with memory_pair() as (server, client):
        yield Ends(server, client, lambda: server.cut("the server is gone"))


@asynccontextmanager
async def unix_ends(directory: Path) -> AsyncIterator[Ends]:
    path = directory / "control.sock"
    gone, listening = asyncio.Event(), asyncio.Event()
    servers: list[Link] = []

    async def serve() -> None:
        async with serve_unix(path) as server:
            servers.append(server)
            listening.set()
            await gone.wait()

    async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
        group.create_task(serve())
        stack.callback(gone.set)
        await listening.wait()
        client = await stack.enter_async_context(connect_unix(path))
        yield Ends(servers[0], client, gone.set)


LINKS: dict[str, Callable[[Path], AbstractAsyncContextManager[Ends]]] = {"memory": memory_ends, "unix": unix_ends}
