"""One stream of events to one asker over a link: the long answer of ``server``."""

import asyncio
from typing import Any

from pydantic import BaseModel

from kiosd.links.base import Link, Message
from kiosd.queue.interface import Queue, closing
from kiosd.queue.wire import AskEvents, Streamed, view


class Follower:
    """One stream of events to one asker. Each message is sent when the one before was taken; signs of life go in between."""

    def __init__(self, queue: Queue, link: Link, message: Message, alive_s: float) -> None:
        self._queue, self._link, self._message, self._alive_s = queue, link, message, alive_s
        self._sent = 0

    async def run(self, asked: AskEvents) -> None:
        """Returns when everything asked for was taken. Who has left is found out by a publish: ``Refused`` or ``Unavailable``."""
        self._sent = asked.since
        newest = (await self._queue.snapshot()).sequence
        await self._tell("begin", newest)
        async with asyncio.TaskGroup() as group:
            alive = group.create_task(self._alive())
            if asked.follow or asked.since < newest:
                await self._pump(asked.since, None if asked.follow else newest)
            alive.cancel()
        await self._tell("end", self._sent)

    async def _pump(self, since: int, last: int | None) -> None:
        async with closing(self._queue.events(since)) as records:
            async for record in records:
                await send(self._link, self._message, Streamed(what="record", sequence=record.seq, record=view(record)))
                self._sent = record.seq
                if record.seq == last:
                    return

    async def _alive(self) -> None:
        while True:
            await asyncio.sleep(self._alive_s)
            await self._tell("alive", self._sent)

    async def _tell(self, what: Any, sequence: int) -> None:
        await send(self._link, self._message, Streamed(what=what, sequence=sequence))


async def send(link: Link, asked: Message, answer: BaseModel) -> None:
    """Answer ``asked``, if an answer is wanted; raises what ``Link.publish`` raises."""
    if asked.reply_to is not None:
        payload = answer.model_dump_json(exclude_none=True).encode()
        await link.publish(Message(asked.reply_to, payload, correlation=asked.correlation, content_type="application/json"))
