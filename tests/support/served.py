"""The CLI and what it meets when a daemon runs: a ``ListQueue`` on a real control socket, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kiosd.cli import main
from kiosd.errors import JournalError
from kiosd.links.unix import serve_unix
from kiosd.queue.events import Event
from kiosd.queue.server import serve_queue
from support.listqueue import ListQueue


@dataclass
class Daemon:
    """The far side of the control socket in ``state``."""

    state: Path
    queue: ListQueue
    loop: asyncio.AbstractEventLoop
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    damage: str = ""

    def add(self, *events: Event) -> None:
        """Let something happen."""

        async def happen() -> None:
            self.queue.add(*events)

        asyncio.run_coroutine_threadsafe(happen(), self.loop).result(5)

    def stop(self) -> None:
        """Take the daemon away, if it is still there."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.gone.set)

    async def verify(self) -> dict[str, Any]:
        if self.damage:
            raise JournalError(self.damage)
        return {"ok": True, "events": len(self.queue.records)}

    async def serve(self, ready: threading.Event) -> None:
        started = asyncio.Event()
        async with serve_unix(self.state / "control.sock") as link, asyncio.TaskGroup() as group:
            serving = group.create_task(serve_queue(self.queue, link, self.verify, started))
            await started.wait()
            ready.set()
            await self.gone.wait()
            serving.cancel()


@contextmanager
def daemon(state: Path) -> Iterator[Daemon]:
    """A daemon that serves ``state`` for the length of a ``with`` block."""
    ready, made = threading.Event(), threading.Event()
    running: list[Daemon] = []

    async def body() -> None:
        running.append(Daemon(state, ListQueue(), asyncio.get_running_loop()))
        made.set()
        await running[0].serve(ready)

    thread = threading.Thread(target=lambda: asyncio.run(body()), name="daemon")
    thread.start()
    try:
        assert made.wait(5) and ready.wait(5)
        yield running[0]
    finally:
        running[0].stop()
        thread.join(5)


@dataclass
class Said:
    status: int
    out: str
    err: str


def sayer(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``kiosd`` as a function of its words."""

    def kiosd(*words: str) -> Said:
        status = main(words)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return kiosd
