"""Press -> durable: the queue in this process, without devices, against one raw commit."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from bench.figures import Bound, Figure, Pair, compared
from bench.limits import raw_commits, timed
from bench.plant import write_config
from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.journal.journal import FILE
from kiosd.queue.commands import IssueTicket
from kiosd.queue.local import LocalQueue, open_local

SERVICES = "ABCDEFG"
WARM_UP = 20


@asynccontextmanager
async def running_queue(state: Path, config: Path) -> AsyncIterator[LocalQueue]:
    """The queue of ``state``, answering."""
    async with open_local(state, load(config).queue, SystemClock(trust_rtc=True)) as queue, asyncio.TaskGroup() as group:
        running = group.create_task(queue.run())
        yield queue
        running.cancel()


async def press(queue: LocalQueue, turn: int) -> float:
    """One press of a ticket button; milliseconds until its ticket is durable."""
    service = SERVICES[turn % len(SERVICES)]
    command = IssueTicket(service=service, place=f"button/{service}")
    begin = time.perf_counter()
    reply = await queue.execute(command)
    elapsed = time.perf_counter() - begin
    if not reply.done:
        raise AssertionError(f"the press was refused: {reply.message}")
    return elapsed * 1000


def row_bytes(state: Path) -> int:
    """Size of the journal's last row of a press."""
    with closing(sqlite3.connect(f"file:{state / FILE}?mode=ro", uri=True)) as db:
        row = db.execute("SELECT * FROM journal WHERE type = 'ticket.issued' ORDER BY seq DESC LIMIT 1").fetchone()
    return sum(len(str(field)) if not isinstance(field, bytes) else len(field) for field in row)


async def _measure(directory: Path, count: int) -> Pair:
    pair, state = Pair(), directory / "queue"
    state.mkdir()
    async with running_queue(state, write_config(directory / "queue.toml")) as queue:
        for turn in range(WARM_UP):
            await press(queue, turn)
        with raw_commits(directory, row_bytes(state)) as raw:
            for turn in range(count):
                pair.ours.append(await press(queue, turn))
                pair.raw.append(timed(raw.commit))
    return pair


def figures(directory: Path, count: int) -> list[Figure]:
    """``count`` presses and as many raw commits, in turn, in ``directory``."""
    pair = asyncio.run(_measure(directory, count))
    return [compared("press -> durable", "ms", pair, "one raw commit (WAL, FULL) of such a row", Bound("ratio", 2.0))]
