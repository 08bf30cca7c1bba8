"""A link without a broker: the test puts in what arrives and sees what goes out, at once and in order."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kiosd.links.base import Message

TURNS = 40  # of the loop, more than any chain of tasks here needs


class FedLink:
    """A ``Link`` for one subscription. ``out`` holds what was published."""

    def __init__(self) -> None:
        self.out: list[Message] = []
        self._in: asyncio.Queue[Message] = asyncio.Queue()

    async def publish(self, message: Message) -> None:
        self.out.append(message)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[AsyncIterator[Message]]:
        del pattern
        yield self._arrivals()

    async def _arrivals(self) -> AsyncIterator[Message]:
        while True:
            yield await self._in.get()

    def feed(self, *messages: Message) -> None:
        """These arrive, before anything else happens."""
        for message in messages:
            self._in.put_nowait(message)

    @property
    def answers(self) -> list[Any]:
        """The bodies of what went out."""
        return [json.loads(message.payload) for message in self.out if message.payload]

    def reasons(self) -> list[str]:
        """Status or reason of each answer."""
        return [body.get("reason", body["status"]) for body in self.answers]


async def settled() -> None:
    """Everybody did what they could without time passing."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
