"""Programs that the simulation starts. Each has a session of its own, so that Ctrl-C reaches only us, and ends when we do."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from kiosd_sim import leash

LINE_BYTES = 1024 * 1024  # a snapshot of a day is one line
TAIL_LINES = 15


class Trouble(Exception):
    """The simulation cannot go on: a sentence for a person, and our exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@asynccontextmanager
async def child(*command: str, grace_s: float, **streams: Any) -> AsyncIterator[Process]:
    """``command`` running for the length of the block; at its end it gets SIGTERM, and SIGKILL when that took ``grace_s`` seconds."""
    leashed = (sys.executable, "-IS", leash.__file__, str(os.getpid()), *command)
    process = await asyncio.create_subprocess_exec(*leashed, stdin=DEVNULL, start_new_session=True, limit=LINE_BYTES, **streams)
    try:
        yield process
    finally:
        await _end(process, grace_s)


async def _end(process: Process, grace_s: float) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def kiosd(*words: str) -> tuple[str, ...]:
    """The real program with these words, on this Python."""
    return (sys.executable, "-m", "kiosd", *words)


def tail(path: Path) -> str:
    """The last lines of a log, indented."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"
