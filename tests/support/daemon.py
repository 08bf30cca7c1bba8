"""The real daemon in the test's own process, so that a test can reach into it; as a process of its own it is in ``support.kiosk``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kiosd import daemon
from kiosd.config import Settings, load_any
from kiosd.links.unix import CONTROL_SOCKET, connect_unix
from kiosd.queue.remote import RemoteQueue

LIMIT_S = 60.0
STOP_S = 10.0  # a stuck device would hold it for a minute


@asynccontextmanager
async def serving(config: Path, state: Path) -> AsyncIterator[RemoteQueue]:
    """The daemon, and a link to it; stopping it takes no longer than it may."""
    state.mkdir(exist_ok=True)
    settings, stop = load_any(config), asyncio.Event()
    assert isinstance(settings, Settings)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        running = group.create_task(daemon.serve(settings, config, state, stop))
        while not (state / CONTROL_SOCKET).exists():  # noqa: ASYNC110 - a file that appears tells nobody
            await asyncio.sleep(0.01)
        async with connect_unix(state / CONTROL_SOCKET) as link:
            yield RemoteQueue(link, LIMIT_S)
        stop.set()
        async with asyncio.timeout(STOP_S):
            await running
