"""kill -9 of a satellite at random moments, with a hub that is away, dies before it answers or hears everything twice: each press once."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kiosd.clock import SystemClock
from kiosd.journal.spool import FILE
from kiosd.links.unix import serve_unix
from kiosd.queue.guest import OWN
from kiosd.queue.server import Trust, serve_queue
from support import presser
from support.spooling import Hub, Mode, hub

KILLS = 12
MODES: tuple[Mode, ...] = ("there", "there", "away", "dies", "twice", "busy")


class Satellite:
    """One process after another on one spool."""

    def __init__(self, socket: Path, file: Path) -> None:
        self._command = [sys.executable, presser.__file__, str(socket), str(file)]
        self.tried: list[str] = []
        self.kept: set[str] = set()

    async def live(self, seconds: float, seed: int, of: Hub, dice: random.Random) -> None:
        """Press for so long, then be killed."""
        process = await asyncio.create_subprocess_exec(*self._command, str(seed), stdout=subprocess.PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(20):
            self._hear(await process.stdout.readline())
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                of.mode = dice.choice(MODES)
                await asyncio.sleep(dice.uniform(0, 0.03))  # not a synchronisation: the random moment itself
            process.kill()
            async for line in process.stdout:
                self._hear(line)
            await process.wait()

    def _hear(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            what, _, command = line.decode().strip().partition(" ")
            self.tried += [command] if what == "try" else []
            self.kept |= {command} if what == "kept" else set()

    async def deliver(self, of: Hub) -> None:
        """A last process, that presses nothing."""
        process = await asyncio.create_subprocess_exec(*self._command)
        await of.has(*self.kept)
        process.kill()
        await process.wait()


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_press_that_was_taken_arrives_exactly_once_and_in_order(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    socket = tmp_path / "hub.sock"
    satellite = Satellite(socket, tmp_path / FILE)
    async with hub(tmp_path / "hub", SystemClock(trust_rtc=True)) as it, serve_unix(socket) as link, asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_queue(it, link, trust=Trust(OWN)))
        for number in range(KILLS):
            await satellite.live(dice.uniform(0, 0.3), seed * 100 + number, it, dice)
        it.mode = "there"
        await satellite.deliver(it)
        serving.cancel()
        arrived = [record.command for record in await it.presses()]
    assert max(Counter(arrived).values()) == 1, "once"
    assert len(arrived) > KILLS, "the load was real"
    assert arrived == [command for command in satellite.tried if command in set(arrived)], "in order"
