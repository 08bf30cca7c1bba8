"""kill -9 at random moments under load: nothing acknowledged is lost, no number is given twice, every event arrives.

The checker that decides (support/checker.py) is shown to find seeded faults in tests/unit/test_checker.py.
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosd.errors import Unavailable
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from support.broker import broker
from support.checker import Seen, findings, read_journal
from support.collector import Collector
from support.kiosk import Kiosk

KILLS = 100
LONGEST_LIFE_S = 0.12


@pytest.fixture
def mosquitto_port(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with broker(folder, extra="max_queued_messages 100000") as it:
        yield it.port


def _something(dice: random.Random) -> Command:
    counter = dice.choice((1, 2))
    kinds: list[type[Command]] = [cmd.CallNext, cmd.Start, cmd.Finish]
    if dice.random() < 0.6:
        return cmd.IssueTicket(service=dice.choice("FG"), priority=dice.random() < 0.2)
    return dice.choice(kinds).model_validate({"counter": counter})


async def _load(kiosk: Kiosk, seen: Seen, unknown: list[Command], dice: random.Random) -> None:
    """Ask without a pause until the daemon is gone; first again what an earlier daemon left unanswered."""
    try:
        async with kiosk.queue() as queue:
            while True:
                command = unknown[0] if unknown else _something(dice)
                if not unknown:
                    unknown.append(command)
                reply = await queue.execute(command)
                seen.acknowledged[command.id] = reply.model_dump(mode="json")
                unknown.pop(0)
    except* Unavailable:
        pass  # it was killed; what it did not answer is asked of the next one


async def test_a_hundred_kills_lose_nothing(tmp_path: Path, mosquitto_port: int) -> None:
    dice, seen = random.Random(20260701), Seen()
    unknown: list[list[Command]] = [[], [], []]
    collector = Collector(mosquitto_port, "kiosd/1/cth01/hub/ev/#")
    with Kiosk(tmp_path, mosquitto_port) as kiosk, collector:
        for _ in range(KILLS):
            await kiosk.start()
            async with asyncio.TaskGroup() as tasks:
                for mine in unknown:
                    tasks.create_task(_load(kiosk, seen, mine, dice))
                await asyncio.sleep(dice.uniform(0, LONGEST_LIFE_S))  # not a synchronisation: the random moment itself
                kiosk.kill()
        await kiosk.start()
        async with kiosk.queue() as queue:
            for mine in unknown:
                for command in mine:
                    seen.acknowledged[command.id] = (await queue.execute(command)).model_dump(mode="json")
            last = (await queue.snapshot()).sequence
        await collector.until(last, timeout_s=60)
        assert kiosk.stop() == 0
        await kiosk.start()  # the farewell of the clean stop is owed until now
        rows = read_journal(kiosk.state / "journal.db")
        await collector.until(rows[-1]["seq"], timeout_s=10)
        seen.received = collector.events()
    assert findings(rows, seen) == []
    assert len(seen.acknowledged) > KILLS, "the load was real"
    assert sum(row["type"] == "system.started" for row in rows[1:]) == KILLS + 2
