"""A link for somebody who asks a lot: one standing subscription for all answers, instead of one at the broker for each question."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiosd.links.base import Link, Message

REPLY = "reply/"


class Answers:
    """``link``, but what is subscribed to below ``reply/`` is sorted out here. A ``Link``; ``run`` must run for any answer to come."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._open = asyncio.Event()
        self._waiting: dict[str, asyncio.Queue[Message]] = {}

    async def run(self) -> None:
        """Hand every answer to who waits for it, until the link ends; one that nobody waits for any more is let go."""
        async with self._link.subscribe(f"{REPLY}+") as messages:
            self._open.set()
            async for message in messages:
                if (waiting := self._waiting.get(message.topic)) is not None:
                    waiting.put_nowait(message)

    async def publish(self, message: Message) -> None:
        """See ``Link``."""
        await self._link.publish(message)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[AsyncIterator[Message]]:
        """See ``Link``; a pattern below ``reply/`` is one topic."""
        if not pattern.startswith(REPLY):
            async with self._link.subscribe(pattern) as messages:
                yield messages
            return
        await self._open.wait()
        waiting = self._waiting[pattern] = asyncio.Queue()
        try:
            yield _Taken(waiting)
        finally:
            del self._waiting[pattern]


class _Taken(AsyncIterator[Message]):
    def __init__(self, waiting: "asyncio.Queue[Message]") -> None:
        self._waiting = waiting

    async def __anext__(self) -> Message:
        return await self._waiting.get()
