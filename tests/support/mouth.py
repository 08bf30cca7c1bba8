"""A mouth of the test's in a kiosk: it speaks as long as the test likes, and what is said when is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kiosd.clock import ManualClock
from kiosd.errors import DeviceError
from kiosd.ports import Announcer
from kiosd.queue import commands as cmd
from kiosd.queue.words import announcement
from kiosd.stations.voice import PAUSE_S, Voice
from support.stationkiosk import TURN_S, Kiosk, kiosk


def call(number: str, counter: int) -> str:
    return announcement(number, counter, "id")


async def comes(it: Kiosk, *counters: int) -> None:
    """Somebody comes and is called to each of these counters."""
    for counter in counters:
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=counter))


class Mouth:
    """Says what it is told once it may; ``fails`` makes it break instead."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        self.saying = ""
        self._may = asyncio.Semaphore(0)
        self.fails = False

    async def say(self, text: str, chime: bool = False) -> None:
        assert not self.saying, "two at once"
        self.saying = text
        try:
            await self._may.acquire()
            if self.fails:
                raise DeviceError("the mouth is shut", "busy")
        finally:
            self.saying = ""
        self.said.append((text, chime))

    def may(self, times: int = 1) -> None:
        """So many sentences come to their end."""
        for _ in range(times):
            self._may.release()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Announcer]:
        yield self


@asynccontextmanager
async def spoken(directory: Path, clock: ManualClock | None = None, **settings: Any) -> AsyncIterator[tuple[Kiosk, Mouth]]:
    """A kiosk with a mouth that is up; everything is said once unless told otherwise."""
    async with kiosk(directory, clock) as it:
        mouth = Mouth()
        it.supervised("voice", mouth.open, Voice(it.queue, it.clock, "id", **{"repeat": 1, **settings}).use)
        await it.up("voice")
        yield it, mouth


async def is_saying(it: Kiosk, mouth: Mouth, text: str, tick: float = 0.0) -> None:
    """Wait until this is being said."""
    while mouth.saying != text:
        it.clock.advance(tick)
        await asyncio.sleep(TURN_S)


async def has_said(it: Kiosk, mouth: Mouth, *texts: str) -> None:
    """Let it speak, and see that it says exactly these, and nothing after them."""
    mouth.may(len(texts))
    while len(mouth.said) < len(texts):
        await it.passes(0.01, 0.01)
    await it.passes(3 * PAUSE_S)
    assert ([text for text, _ in mouth.said], mouth.saying) == (list(texts), "")
