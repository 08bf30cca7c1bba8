"""Four issuers at once over the control socket of the running kiosk: how fast, and is every number and every event there once?"""

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack, closing
from pathlib import Path
from queue import Empty

from bench.figures import Bound, Figure, Spread
from bench.limits import RawCommits
from bench.whole import TOPIC, Kiosk
from kiosd.journal.journal import FILE, Audit
from kiosd.links.unix import CONTROL_SOCKET, connect_unix
from kiosd.queue.commands import IssueTicket
from kiosd.queue.remote import RemoteQueue

ISSUERS = 4
CHUNKS = 5  # tickets and raw commits in turn
RAW_SHARE = 5  # one raw commit for so many tickets: it only has to show the machine's rate
SERVICES = "ABCDEFG"


async def _issue(queue: RemoteQueue, first: int, count: int) -> list[str]:
    numbers = []
    for turn in range(first, first + count):
        reply = await queue.execute(IssueTicket(service=SERVICES[turn % len(SERVICES)], slip=False))
        if not reply.done:
            raise AssertionError(f"a ticket was refused: {reply.message}")
        numbers.append(str(reply.result["number"]))
    return numbers


async def _chunks(state: Path, commits: RawCommits, tickets: int) -> tuple[list[str], list[float], list[float]]:
    numbers: list[str] = []
    ours, raw = [], []
    share = tickets // (ISSUERS * CHUNKS)
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(connect_unix(state / CONTROL_SOCKET)) for _ in range(ISSUERS)]
        queues = [RemoteQueue(link) for link in links]
        for chunk in range(CHUNKS):
            begin = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                issuing = [group.create_task(_issue(queue, chunk + turn, share)) for turn, queue in enumerate(queues)]
            ours.append(share * ISSUERS / (time.perf_counter() - begin))
            numbers += [number for task in issuing for number in task.result()]
            raw.append(_raw_rate(commits, max(1, share * ISSUERS // RAW_SHARE)))
    return numbers, ours, raw


def _raw_rate(commits: RawCommits, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        commits.commit()
    return count / (time.perf_counter() - begin)


def skipped(numbers: set[int]) -> int:
    """How many are left out between the first and the last."""
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def missing(tickets: list[str]) -> int:
    """How many numbers are left out between the first and the last of each service."""
    by_service: dict[str, set[int]] = {}
    for number in tickets:
        by_service.setdefault(number[0], set()).add(int(number[1:]))
    return sum(skipped(numbers) for numbers in by_service.values())


def repeated(numbers: list[str]) -> int:
    """How many were given more than once."""
    return sum(count - 1 for count in Counter(numbers).values())


def _told(it: Kiosk, tickets: set[str]) -> tuple[set[int], set[str]]:
    """Sequences that the subscriber got, read until it was told of all ``tickets`` or nothing comes any more; and who it never heard of."""
    sequences, owed = set(), set(tickets)
    while owed:
        try:
            _, message = it.subscriber.wait(lambda message: message.topic.startswith(f"{TOPIC}/ev/"))
        except Empty:
            break
        event = json.loads(message.payload)
        sequences.add(int(event["sequence"]))
        owed.discard(event.get("subject", ""))
    return sequences, owed


def figures(it: Kiosk, tickets: int) -> list[Figure]:
    """``tickets`` from four issuers; gaps are looked for in the numbers, in the journal's chain and in what the subscriber got."""
    numbers, ours, raw = asyncio.run(_chunks(it.state, it.commits, tickets))
    sequences, owed = _told(it, set(numbers))
    with closing(Audit(it.state / FILE)) as audit:
        audit.whole()  # an event that is missing or changed is an error here
    gaps = missing(numbers) + skipped(sequences) + len(owed)
    name = f"four issuers at once, {len(numbers):,} tickets"
    return [
        Figure(f"{name}: rate", "tickets/s", Spread.of(ours), Spread.of(raw), "raw commits, one after the other"),
        Figure(f"{name}: numbers given twice", "", Spread(repeated(numbers)), bound=Bound("value", 0)),
        Figure(f"{name}: gaps in numbers and events", "", Spread(gaps), bound=Bound("value", 0)),
    ]
