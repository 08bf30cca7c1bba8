"""What a report needs: a few days in July 2026 in a real journal, and stand-ins for the process that makes reports."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from kiosd.clock import ManualClock
from kiosd.config import load
from kiosd.queue import commands as cmd
from kiosd.queue.local import LocalQueue, open_local
from support.site import WEDNESDAY

DAYS, TICKETS = 3, 6


async def _day(queue: LocalQueue, clock: ManualClock) -> None:
    for turn in range(TICKETS):
        await queue.execute(cmd.IssueTicket(service="FG"[turn % 2]))
        clock.advance(30)
    for _ in range(TICKETS):
        await queue.execute(cmd.CallNext(counter=1))
        clock.advance(20)
        await queue.execute(cmd.Start(counter=1))
        clock.advance(120)
        await queue.execute(cmd.Finish(counter=1))
        clock.advance(5)
        await queue.execute(cmd.Rate(counter=1, score=4))


async def july(state: Path, config: Path) -> None:
    """Put 1 to 3 July 2026 into the journal of ``state``: each ``TICKETS`` visits of services F and G, all finished and rated 4."""
    clock = ManualClock(WEDNESDAY)
    async with open_local(state, load(config).queue, clock) as queue, asyncio.TaskGroup() as group:
        running = group.create_task(queue.run())
        for day in range(DAYS):
            clock.step_to(WEDNESDAY + timedelta(days=day))
            await _day(queue, clock)
        running.cancel()


def stand_in(*steps: str) -> tuple[str, ...]:
    """A program that does ``steps`` instead of making a report: ``say`` a line, ``give`` a document as the end, ``hang`` for a while."""
    begin = (
        "import hashlib, json, os, sys, time",
        "def say(text, behind=b''):",
        "    sys.stdout.buffer.write(text.encode() + b'\\n' + behind)",
        "    sys.stdout.flush()",
        "def give(document):",
        "    end = {'what': 'end', 'size': len(document), 'sha256': hashlib.sha256(document).hexdigest()}",
        "    say(json.dumps(end), document)",
        "def hang(seconds=60.0, total=1000):",
        "    begin = time.monotonic()",
        "    while (passed := time.monotonic() - begin) < seconds:",
        "        say(json.dumps({'what': 'progress', 'done': int(passed / seconds * total), 'total': total}))",
        "        time.sleep(0.02)",
    )
    return (sys.executable, "-c", "\n".join((*begin, *steps)))


def writes_pid(place: Path) -> str:
    """A step: tell who we are, whole or not at all."""
    return f"open({str(place) + '.new'!r}, 'w').write(str(os.getpid())); os.rename({str(place) + '.new'!r}, {str(place)!r})"


def ends(document: bytes) -> str:
    """A step: give ``document``."""
    return f"give({document!r})"


async def appeared(place: Path, within: float = 10.0) -> int:
    """The process id that was written to ``place``."""
    async with asyncio.timeout(within):
        while not place.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)
    return int(place.read_text())


async def gone(pid: int, within: float = 10.0) -> None:
    """Return when there is no process ``pid`` any more."""
    async with asyncio.timeout(within):
        while _lives(pid):  # noqa: ASYNC110 - not our child: nobody tells us
            await asyncio.sleep(0.005)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended between opening and reading
        return False
