"""The daemon's side of a report: starts the process that makes it, passes on what it says, ends it when nobody wants it any more.

Rule 1  One at a time: a second asker waits for the first. Two would only share the disk and the processor that both yield to visitors.
Rule 2  The process lives no longer than the interest in it: an asker who leaves, a deadline or the daemon's end kill it.
Rule 3  What it says is passed on in small parts, each when the one before was taken: a large report is never in this memory.
Rule 4  It is nicer than we are, and of our session: between sessions niceness counts for nothing (autogroup of sched(7)), and every
        press would wait for the 3 ms that the report's turn lasts. It is in a process group of its own: Ctrl-C is ours to act on.
"""

import asyncio
import logging
import os
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kiosd.links.base import MAX_PAYLOAD
from kiosd.queue.interface import Reply
from kiosd.queue.reporting import Tell
from kiosd.queue.wire import ERRORS, ReportStreamed
from kiosd.reports.ask import AskReport
from kiosd.reports.job import Job

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-P", "-m", "kiosd.reports.job")
DEADLINE_S = 900.0  # ten years on a slow card
PART = (MAX_PAYLOAD - 128) // 4 * 3  # bytes of which base64 and the message around it fit the link
LAST_WORDS = 500  # characters of standard error that are worth a line in the log
_SAID: TypeAdapter[ReportStreamed | Reply] = TypeAdapter(ReportStreamed | Reply)


class ReportService:
    """Makes reports of the journal at ``journal`` by the configuration at ``config``, as it is then."""

    def __init__(self, config: Path, journal: Path, deadline_s: float = DEADLINE_S, program: Sequence[str] = PROGRAM) -> None:
        self._config, self._journal, self._deadline_s, self._program = config, journal, deadline_s, program
        self._one = asyncio.Lock()

    async def __call__(self, asked: Mapping[str, Any], tell: Tell) -> None:
        """``MakeReport``; a ``ValidationError`` when ``asked`` is no ``AskReport``."""
        job = Job(config=self._config, journal=self._journal, ask=AskReport.model_validate(asked), parent=os.getpid())
        async with self._one:
            deadline = asyncio.timeout(self._deadline_s)
            try:
                async with deadline:
                    why = await self._run(job, tell)
            except TimeoutError:
                if not deadline.expired():
                    raise
                why = f"it was not ready in {self._deadline_s:g} s"
        if why:
            log.error("report of %s to %s: %s", job.ask.first, job.ask.last, why)
            message = f"{ERRORS['report']}: {why.partition(':')[0]}; the log of kiosd may say more"
            await tell(Reply(id="", status="rejected", code="report", message=message))

    async def _run(self, job: Job, tell: Tell) -> str:
        """Nothing when the process told how it went, else what became of it."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._program,
                job.model_dump_json(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},  # systemd listens to us alone
                process_group=0,
            )
        except OSError as exc:
            return f"its process did not start: {exc.strerror}"
        try:
            async with asyncio.TaskGroup() as group:
                words = group.create_task(_last_words(process.stderr))
                told = await _pass_on(process.stdout, tell)
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()  # its pipes must be at their end, or asyncio would keep them open
        return "" if told else f"its process ended with status {status}: {words.result()}"


async def _pass_on(out: asyncio.StreamReader | None, tell: Tell) -> bool:
    """Tell what the process says; whether it came to an end of its own."""
    if out is None:
        return False
    while line := await out.readline():
        try:
            said = _SAID.validate_json(line)
        except ValueError:
            return False
        if isinstance(said, ReportStreamed) and said.what == "end" and not await _parts(out, said.size, tell):
            return False
        await tell(said)
        if isinstance(said, Reply):
            return True
        if said.what == "end":
            log.info("a report of %d bytes was made in at most %d MB", said.size, said.peak_kib // 1024)
            return True
    return False


async def _parts(out: asyncio.StreamReader, size: int, tell: Tell) -> bool:
    """Tell the document in parts; whether all of it came."""
    while size:
        part = await out.read(min(PART, size))
        if not part:
            return False
        size -= len(part)
        await tell(ReportStreamed(what="part", data=b64encode(part).decode()))
    return True


async def _last_words(err: asyncio.StreamReader | None) -> str:
    """The last line of standard error."""
    tail = b""
    while err is not None and (more := await err.read(4096)):
        tail = (tail + more)[-4096:]
    lines = tail.decode(errors="replace").split("\n")
    return next((line.strip()[:LAST_WORDS] for line in reversed(lines) if line.strip()), "it said nothing")
