"""Start and press with years in the journal, against an empty one."""

import asyncio
import os
import shutil
from contextlib import closing
from pathlib import Path

from bench.figures import Bound, Figure, Pair, compared
from bench.plant import Daemon, FarSide, write_config
from bench.queue_alone import WARM_UP, press, running_queue
from kiosd.journal.journal import FILE, Journal

LIMIT = "the same with an empty journal"


def copy(journal: Path, state: Path) -> None:
    """``journal`` as a state directory of its own, on disk to the last byte, so that nothing of it is written while we measure."""
    state.mkdir()
    shutil.copyfile(journal, state / FILE)
    with (state / FILE).open("rb+") as copied:
        os.fsync(copied.fileno())


def _start(config: Path, state: Path, scratch: Path) -> float:
    """Seconds to READY. The power is cut then and what was written taken back, so that every start meets the same journal."""
    it = Daemon(config, state, scratch)
    it.kill()
    for name in (f"{FILE}-wal", f"{FILE}-shm"):
        (state / name).unlink(missing_ok=True)
    return it.start_s


def _starts(config: Path, old: Path, empty: Path, scratch: Path, count: int) -> Pair:
    pair = Pair()
    for state in (old, empty):
        _start(config, state, scratch)  # the first one only warms up
    for _ in range(count):
        pair.ours.append(_start(config, old, scratch))
        pair.raw.append(_start(config, empty, scratch))
    return pair


async def _presses(config: Path, old: Path, empty: Path, count: int) -> Pair:
    pair = Pair()
    async with running_queue(old, config) as ours, running_queue(empty, config) as raw:
        for turn in range(-WARM_UP, count):
            before, after = await press(raw, turn), await press(ours, turn)
            if turn >= 0:
                pair.raw.append(before)
                pair.ours.append(after)
    return pair


def figures(journal: Path, events: int, directory: Path, scratch: Path, starts: int, presses: int) -> list[Figure]:
    """Measure with ``journal``, which holds ``events`` events and stays as it is, and with an empty one."""
    old, empty = directory / "old", directory / "empty"
    copy(journal, old)
    empty.mkdir()
    Journal(empty / FILE).close()
    with closing(FarSide()) as far:
        config = write_config(directory / "years.toml", far.ports)
        started = _starts(config, old, empty, scratch, starts)
    pressed = asyncio.run(_presses(config, old, empty, presses))
    return [
        compared(f"start to READY, {events:,} old events", "s", started, LIMIT, Bound("ratio", 1.2)),
        compared(f"press -> durable, {events:,} old events", "ms", pressed, LIMIT, Bound("ratio", 1.2)),
    ]
