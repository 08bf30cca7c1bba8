"""Reports of a journal with years in it: how long, how much memory, and what a visitor notices of the largest one."""

import asyncio
import time
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


async def _press(queue: LocalQueue, turn: int) -> float:
    await asyncio.sleep(GAP_S)
    return await press(queue, turn)


async def _presses(queue: LocalQueue, service: ReportService, days: list[Day], count: int) -> Pair:
    """Presses while the largest report is made, again until there are ``count``; and as many between these reports."""
    pair = Pair()
    for turn in range(WARM_UP):
        await _press(queue, turn)
    while len(pair.ours) < count:
        async with asyncio.TaskGroup() as group:
            making = group.create_task(_report(service, days, len(days)))
            while not making.done():
                pair.ours.append(await _press(queue, len(pair.ours)))
        while len(pair.raw) < len(pair.ours):
            pair.raw.append(await _press(queue, len(pair.raw)))
    return pair


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
    return [*sizes, compared(name, "ms", pressed, "the same without", Bound("ratio", 1.2))]


def figures(journal: Path, directory: Path, repeats: int, presses: int) -> list[Figure]:
    """Measure with a copy of ``journal``."""
    state = directory / "reports"
    copy(journal, state)
    return asyncio.run(_measure(write_config(directory / "reports.toml"), state, repeats, presses))
