"""Reports of a journal with years in it: how long, how much memory, and what a visitor notices of the largest one."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from bench.figures import Bound, Figure, Pair, Spread, compared
from bench.plant import write_config
from bench.queue_alone import WARM_UP, press, running_queue
from bench.years import copy
from kiosd.journal.journal import FILE
from kiosd.journal.reader import Day, Reader
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue
from kiosd.queue.wire import ReportStreamed
from kiosd.reports.ask import AskReport
from kiosd.reports.service import ReportService

MONTH, YEAR_AND_MONTH = 31, 395  # days
GAP_S = 0.005  # between presses: more than any visitors, and both processors have time for both
BLOCK = 20  # presses between stopping the report and letting it go on
KIB_PER_MB = 1024
SECONDS, MEMORY = Bound("value", 10.0), Bound("value", 100.0)


async def _report(service: ReportService, days: list[Day], count: int) -> ReportStreamed:
    """The last word of a report of the last ``count`` days as PDF, the form that takes longest."""
    last = date.fromisoformat(days[-1].date)
    ask = AskReport(first=last - timedelta(days=count - 1), last=last, format="pdf")
    told: list[ReportStreamed | Reply] = []

    async def tell(answer: ReportStreamed | Reply) -> None:
        told[:] = [answer]

    await service(ask.model_dump(mode="json"), tell)
    end = told[0]
    assert isinstance(end, ReportStreamed), f"no report: {end.message}"
    return end


async def _its_process() -> int:
    """A pidfd of the process that makes the report, once there is one."""
    while True:
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended while we looked
                parent = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                if parent == os.getpid() and b"kiosd.reports.job" in (status.parent / "cmdline").read_bytes():
                    return os.pidfd_open(int(status.parent.name))
        await asyncio.sleep(0.001)


async def _presses(queue: LocalQueue, service: ReportService, days: list[Day], count: int) -> Pair:
    """Presses while the largest report is made, again until there are ``count``; and as many, in turn, while it is stopped."""
    pair = Pair()
    for turn in range(WARM_UP):
        await press(queue, turn)
    while len(pair.ours) < count:
        async with asyncio.TaskGroup() as group:
            making = group.create_task(_report(service, days, len(days)))
            process = await _its_process()
            while not making.done():
                await _block(queue, pair.ours, making)
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGSTOP)
                    await _block(queue, pair.raw, making)
                    signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)
    return pair


async def _block(queue: LocalQueue, taken: list[float], making: asyncio.Task[ReportStreamed]) -> None:
    for turn in range(BLOCK):
        await asyncio.sleep(GAP_S)
        if making.done():
            return
        taken.append(await press(queue, turn))


async def _sizes(service: ReportService, days: list[Day], repeats: int) -> list[Figure]:
    found: list[Figure] = []
    for words, count in (("a month", MONTH), ("13 months", YEAR_AND_MONTH), (f"all {len(days)} days", len(days))):
        part = days[-count:]
        name = f"report of {words}, {part[-1].last - part[0].first + 1:,} events"
        seconds, memory = [], []
        for _ in range(repeats):
            begin = time.perf_counter()
            end = await _report(service, days, count)
            seconds.append(time.perf_counter() - begin)
            memory.append(end.peak_kib / KIB_PER_MB)
        found.append(Figure(name, "s", Spread.of(seconds), bound=SECONDS))
        found.append(Figure(f"{name}: most memory", "MB", Spread.of(memory), bound=MEMORY))
    return found


async def _measure(config: Path, state: Path, repeats: int, presses: int) -> list[Figure]:
    reader = Reader(state / FILE)
    days = reader.days()
    reader.close()
    service = ReportService(config, state / FILE)
    sizes = await _sizes(service, days, repeats)
    async with running_queue(state, config) as queue:
        pressed = await _presses(queue, service, days, presses)
    name = "press -> durable while the largest report runs"
    return [*sizes, compared(name, "ms", pressed, "the same while it is stopped", Bound("ratio", 1.2))]


def figures(journal: Path, directory: Path, repeats: int, presses: int) -> list[Figure]:
    """Measure with a copy of ``journal``."""
    state = directory / "reports"
    copy(journal, state)
    return asyncio.run(_measure(write_config(directory / "reports.toml"), state, repeats, presses))
