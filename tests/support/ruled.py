"""The real rules and a real journal behind a real control socket, in a thread with a loop of its own, at a time that the test moves."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosd.clock import ManualClock
from kiosd.links.unix import serve_unix
from kiosd.queue.commands import ReportDevice
from kiosd.queue.local import open_local
from kiosd.queue.server import serve_queue
from kiosd.queue.settings import QueueSettings
from support.site import WEDNESDAY, settings


@contextmanager
def ruled(state: Path, clock: ManualClock | None = None, site: QueueSettings | None = None) -> Iterator[ManualClock]:
    """A queue served in ``state`` for the length of a ``with`` block, with a printer; yields its clock."""
    time, ready, loops = clock or ManualClock(WEDNESDAY), threading.Event(), []
    gone = asyncio.Event()

    async def body() -> None:
        loops.append(asyncio.get_running_loop())
        started = asyncio.Event()
        near = open_local(state, site or settings(), time)
        async with near as queue, serve_unix(state / "control.sock") as link, asyncio.TaskGroup() as group:
            work = [group.create_task(queue.run()), group.create_task(serve_queue(queue, link, started=started))]
            await started.wait()
            await queue.execute(ReportDevice(device="printer", state="ok"))
            ready.set()
            await gone.wait()
            for task in work:
                task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(body()), name="daemon")
    thread.start()
    try:
        assert ready.wait(5)
        yield time
    finally:
        loops[0].call_soon_threadsafe(gone.set)
        thread.join(5)
