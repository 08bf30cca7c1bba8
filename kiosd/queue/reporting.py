"""A report on its way from whoever makes it to whoever asked: signs of life meanwhile, then the document in parts.

The queue knows nothing of reports: ``MakeReport`` is handed in by the daemon, and these are only the words in which it answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from kiosd.queue.interface import Reply
from kiosd.queue.wire import ReportStreamed

SIGN_S = 0.5
"""Seconds between signs of life: how long a report goes on for somebody who has left."""
Tell = Callable[[ReportStreamed | Reply], Awaitable[None]]
MakeReport = Callable[[Mapping[str, Any], Tell], Awaitable[None]]
"""Makes the report that these fields ask for and tells: progress whenever there is any, then parts and ``end``, or a ``Reply`` that says
why not. It stops, and leaves nothing behind, when it is cancelled."""


async def relay(make: MakeReport, asked: Mapping[str, Any], send: Callable[[BaseModel], Awaitable[None]], sign_s: float = SIGN_S) -> None:
    """Send what ``make`` tells. Progress goes out with the signs of life, however often it comes.

    What ``send`` raises (in a group), for example that nobody listens any more, ends ``make`` too.
    """
    newest, over = ReportStreamed(what="progress"), asyncio.Event()

    async def tell(answer: ReportStreamed | Reply) -> None:
        nonlocal newest
        if isinstance(answer, ReportStreamed) and answer.what == "progress":
            newest = answer
            return
        if not isinstance(answer, ReportStreamed) or answer.what == "end":
            over.set()  # a sign after the last word would meet nobody
        await send(answer)

    async def signs() -> None:
        while True:
            await asyncio.sleep(sign_s)
            if over.is_set():
                return
            await send(newest)

    async with asyncio.TaskGroup() as group:
        living = group.create_task(signs())
        await make(asked, tell)
        living.cancel()
