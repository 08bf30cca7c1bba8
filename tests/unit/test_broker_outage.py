"""A broker that stays away is an outage, told once; one that is only blinked away is nobody's business."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from kiosd.clock import ManualClock
from kiosd.mqtt.interface import BrokerLink
from kiosd.mqtt.session import AWAY_S, report_health
from kiosd.queue.commands import ReportDevice
from support.fakequeue import FakeQueue

START = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)


class Broker:
    """The side of a link that says whether there is a connection."""

    def __init__(self) -> None:
        self.reason = "not connected yet"
        self._online, self._changed = False, asyncio.Event()

    async def set(self, online: bool, reason: str = "") -> None:
        self._online, self.reason = online, reason
        self._changed.set()
        self._changed = asyncio.Event()
        await settled()

    async def connected(self) -> int:
        while not self._online:
            await self._changed.wait()
        return 1

    async def lost(self, _conn: int) -> str:
        while self._online:
            await self._changed.wait()
        return self.reason


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Broker, FakeQueue, ManualClock]]:
    broker, clock = Broker(), ManualClock(START)
    queue = FakeQueue(clock)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(report_health(cast("BrokerLink", broker), queue, clock, "mqtt-central"))
        await settled()
        yield broker, queue, clock
        watching.cancel()


def told(queue: FakeQueue) -> list[tuple[Any, ...]]:
    return [(one.device, one.state, one.code, one.detail) for one in queue.executed if isinstance(one, ReportDevice)]


async def test_an_outage_is_told_once_with_its_begin_and_ends_at_once() -> None:
    async with watched() as (broker, queue, clock):
        await broker.set(True)
        clock.advance(3600)
        await broker.set(False, "connection lost: Keep alive timeout")
        clock.advance(AWAY_S - 0.1)
        await settled()
        assert told(queue) == [("mqtt-central", "ok", "", "")]
        clock.advance(0.2)
        await settled()
        down = ("mqtt-central", "down", "absent", "since 2026-07-01T02:00:00.000Z: connection lost: Keep alive timeout")
        assert told(queue)[1:] == [down]
        clock.advance(86_400)
        await settled()
        assert told(queue)[1:] == [down]
        await broker.set(True)
        assert told(queue)[2:] == [("mqtt-central", "ok", "", "")]


async def test_a_blink_is_no_outage() -> None:
    async with watched() as (broker, queue, clock):
        await broker.set(True)
        for _ in range(5):
            await broker.set(False, "connection lost")
            clock.advance(AWAY_S / 2)
            await broker.set(True)
        clock.advance(AWAY_S * 2)
        await settled()
        assert {state for _, state, _, _ in told(queue)} == {"ok"}  # and the rules record an ok only after a down


async def test_a_broker_that_never_was_there_is_down() -> None:
    async with watched() as (_, queue, clock):
        clock.advance(AWAY_S)
        await settled()
        assert told(queue) == [("mqtt-central", "down", "absent", "since 2026-07-01T01:00:00.000Z: not connected yet")]
