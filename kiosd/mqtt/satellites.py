"""The hub's side of its satellites: the queue for each of them, and each as a device of the site.

Rule 1  Each satellite has its own root and its own rights (``queue.guest``); the broker's access rules keep it in there.
Rule 2  When the hub comes it says so, and when it goes; who is there answers with its status. Who has not been heard of for ``AWAY_S``
        is down.
Rule 3  The will of an older connection says nothing about a newer one.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from typing import Literal

from kiosd.clock import Clock, utc_text
from kiosd.config.model import EnrolledSettings
from kiosd.errors import Refused
from kiosd.links.base import NOBODY_LISTENS, Link, Message
from kiosd.links.rooted import Rooted
from kiosd.mqtt.interface import BrokerLink
from kiosd.mqtt.presence import STATUS, BoardStatus, parse_status
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import ReportDevice
from kiosd.queue.guest import OWN, Guest
from kiosd.queue.interface import Queue
from kiosd.queue.server import Trust, serve_queue
from kiosd.queue.settings import Language

log = logging.getLogger(__name__)

AWAY_S = 10.0  # a shorter absence is no outage: a board that restarts, a broker that does
GOODBYE_S = 0.5
ALIVE_S = 5.0  # a satellite that hears nothing for three of these does not believe in us any more


async def serve_satellites(
    queue: Queue, topics: Topics, satellites: Mapping[str, EnrolledSettings], clock: Clock, language: Language, link: BrokerLink
) -> None:
    """Serve ``queue`` to all ``satellites`` over ``link`` until that ends (``Unavailable``, in an exception group)."""
    async with asyncio.TaskGroup() as group:
        for node, mine in satellites.items():
            root, started = Rooted(link, topics.satellite(node)), asyncio.Event()
            guest = Guest(queue, node, mine.counters, language)
            trust = Trust(commands=OWN, clock=clock, followers=1)
            group.create_task(serve_queue(guest, root, started=started, alive_s=ALIVE_S, trust=trust))
            group.create_task(_Board(node, queue, link, root, clock).follow(started))


class _Board:
    """One satellite, as far as its hub has heard of it."""

    def __init__(self, node: str, queue: Queue, link: BrokerLink, root: Link, clock: Clock) -> None:
        self._node, self._queue, self._link, self._root, self._clock = node, queue, link, root, clock
        self._heard = False
        self._connection: tuple[str, int] | None = None

    async def follow(self, served: asyncio.Event) -> None:
        """Keep the health of the device ``<node>``, for ever."""
        await served.wait()
        try:
            async with self._root.subscribe(STATUS) as messages, asyncio.TaskGroup() as group:
                group.create_task(self._expect())
                async for message in messages:
                    status = parse_status(message.payload)
                    if status is None:
                        log.warning("satellite %s: its status cannot be read", self._node)
                    else:
                        await self._take(status)
        finally:
            await self._say("leaving")

    async def _expect(self) -> None:
        """With every connection of ours, and every loss, it has to be heard of again."""
        while True:
            conn = await self._link.connected()
            await self._say("here")
            await self._within_time(self._link.lost(conn))
            await self._within_time(self._link.connected())

    async def _say(self, state: Literal["here", "leaving"]) -> None:
        """Tell the satellite that the hub has come or goes: in both cases it must begin anew."""
        body = {"state": state, "time": utc_text(self._clock.now().time)}
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._root.publish(Message("hub", json.dumps(body).encode(), content_type="application/json"))
        except (Refused, TimeoutError) as no:  # ``Unavailable`` is a ``TimeoutError``
            if str(no) != NOBODY_LISTENS:
                log.warning("satellite %s cannot be told that the hub is %s: %s", self._node, state, no)

    async def _within_time(self, until: Awaitable[object]) -> None:
        self._heard = False
        async with asyncio.TaskGroup() as group:
            late = group.create_task(self._tell_if_late())
            await until
            late.cancel()

    async def _tell_if_late(self) -> None:
        since = utc_text(self._clock.now().time)
        await self._clock.sleep(AWAY_S)
        if not self._heard:
            await self._report("down", "absent", f"not heard of since {since}")

    async def _take(self, status: BoardStatus) -> None:
        if status.state == "online":
            self._heard, self._connection = True, status.connection
            await self._report("degraded" if status.code else "ok", status.code, status.detail)
        elif self._connection in {None, status.connection}:
            self._heard = True
            why = "was stopped" if status.state == "offline" else f"the connection of {status.since} broke off"
            await self._report("down", status.state, why)

    async def _report(self, state: Literal["ok", "degraded", "down"], code: str, detail: str) -> None:
        log.log(logging.INFO if state == "ok" else logging.WARNING, "satellite %s is %s%s", self._node, state, detail and f": {detail}")
        await self._queue.execute(ReportDevice(device=self._node, state=state, code=code[:32], detail=detail[:200]))
