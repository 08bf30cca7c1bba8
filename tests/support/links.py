"""Two joined ends of every kind of link, for suites that must hold on all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Link, Message
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


async def exchange(sender: Link, receiver: Link, message: Message, pattern: str) -> Message:
    async with asyncio.timeout(5), receiver.subscribe(pattern) as messages, asyncio.TaskGroup() as group:
        group.create_task(until_heard(sender, message))
        return await anext(messages)


async def until_heard(sender: Link, message: Message) -> None:
    """Publish; a subscription at the other side may still be on its way."""
    while True:
        try:
            await sender.publish(message)
        except Refused:
            await asyncio.sleep(0)
        else:
            return


async def unavailable(link: Link, message: Message) -> bool:
    try:
        await link.publish(message)
    except Unavailable:
        return True
    return False
