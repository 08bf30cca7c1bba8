"""A satellite as a process of its own, to be killed: ``presser SOCKET FILE SEED`` presses without a pause, without SEED it only delivers.

Says ``try ID`` before a press and ``kept ID`` when it was taken. Between presses it reports on a device.
"""

import asyncio
import random
import sys
from pathlib import Path

from kiosd.clock import SystemClock
from kiosd.errors import Unavailable
from kiosd.links.unix import connect_unix
from kiosd.queue.commands import Rate, ReportDevice, Survey
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.spooled import Spooled


async def _press(spooled: Spooled, dice: random.Random) -> None:
    while True:
        counter = dice.randint(1, 3)
        press = Survey(counter=counter, answers={"waktu": 3}) if dice.random() < 0.2 else Rate(counter=counter, score=dice.randint(1, 4))
        print("try", press.id, flush=True)
        assert (await spooled.execute(press)).code == "spooled"
        print("kept", press.id, flush=True)
        await spooled.execute(ReportDevice(device="printer", state=dice.choice(("ok", "down"))))
        await asyncio.sleep(dice.uniform(0, 0.01))


async def _live(socket: Path, file: Path, seed: str | None) -> None:
    async with connect_unix(socket) as link, asyncio.TaskGroup() as tasks:
        spooled = Spooled(RemoteQueue(link, timeout=0.2), file, SystemClock(trust_rtc=True))
        tasks.create_task(spooled.run())
        if seed is not None:
            tasks.create_task(_press(spooled, random.Random(int(seed))))


def main() -> None:
    socket, file, *seed = sys.argv[1:]
    try:
        asyncio.run(_live(Path(socket), Path(file), seed[0] if seed else None))
    except* Unavailable:
        pass  # the hub's socket was closed: the test is over


if __name__ == "__main__":
    main()
