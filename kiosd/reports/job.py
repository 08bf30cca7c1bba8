"""Makes one report, in a process of its own: ``python -P -m kiosd.reports.job JOB``, where ``JOB`` is a ``Job`` in JSON.

A report reads millions of rows, so it shares neither the daemon's event loop nor its interpreter lock nor the journal's lane: those
belong to the next visitor. It yields to everything else on the board, and is the first to go when memory runs out.

Standard output: lines of JSON. ``ReportStreamed`` progress now and then; at last one ``end`` with the document's bytes behind its line
break, or a ``Reply`` that says why there is none. Standard error: the traceback of a bug.
"""

import ctypes
import hashlib
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from kiosd.clock import SystemClock
from kiosd.config import Settings, load
from kiosd.errors import ConfigError, JournalError, KiosdError, Refused
from kiosd.queue.interface import Reply
from kiosd.queue.settings import Language
from kiosd.queue.texts import official_date, say
from kiosd.queue.wire import ReportStreamed
from kiosd.reports.ask import AskReport

NICE = 10
MOST_MEMORY = 1 << 30  # bytes of address space, several times what 13 months need: what wants more is a fault
FIRST_TO_GO = "1000"  # oom_score_adj of proc(5)
EVERY_S = 0.2  # between two lines of progress
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
NO_DATA: Mapping[Language, str] = {
    "id": "Tidak ada data dari {first} sampai {last}.",
    "en": "There are no data from {first} to {last}.",
}
Progress = Callable[[int, int], None]


class Job(BaseModel):
    """What the process is told. ``parent`` is the process that it must not outlive."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    config: Path
    journal: Path
    ask: AskReport
    parent: int


def device_roles(settings: Settings) -> dict[str, str]:
    """What each device of the site is used for, in the words of ``Outage.role``."""
    roles: dict[str | None, str] = {f"mqtt-{name}": "broker" for name in settings.mqtt}
    if settings.ticket_machine is not None:
        machine = settings.ticket_machine
        roles |= {machine.printer: "printer", machine.spare: "printer", machine.buttons: "buttons"}
    if settings.call_board is not None:
        roles |= dict.fromkeys(settings.call_board.displays, "board")
    for desk in settings.counters.values():
        roles |= {desk.scanner: "scanner", desk.rating: "rating", desk.display: "display", desk.keys: "keys"}
    roles |= dict.fromkeys(settings.satellites, "satellite")
    return {device: role for device, role in roles.items() if device is not None}


def document(settings: Settings, journal: Path, ask: AskReport, progress: Progress) -> bytes:
    """The report as a file. ``Refused`` when a service is unknown or nothing happened; ``JournalError`` when the journal cannot be read."""
    from kiosd.journal.reader import Reader
    from kiosd.reports.make import make_report
    from kiosd.reports.render import render

    language = ask.language or settings.site.language
    for service in ask.services:
        if service not in settings.services:
            raise Refused("unknown_service", {"message": say("unknown_service", language, {"service": service})})
    reader = Reader(journal)
    try:
        now = SystemClock().now().time
        report = make_report(reader, settings.queue, device_roles(settings), ask, now, progress)
    finally:
        reader.close()
    if not report.head.events:
        days = {"first": official_date(ask.first, language), "last": official_date(ask.last, language)}
        raise Refused("no_data", {"message": NO_DATA[language].format_map(days)})
    return render(report, ask.format, language, ask.decimal)


def behave(parent: int) -> None:
    """Be the least of this board's processes, bounded, and gone with ``parent``."""
    os.nice(NICE)
    _limit(resource.RLIMIT_AS, MOST_MEMORY)
    _limit(resource.RLIMIT_CORE, 0)  # a dump of this memory would hold what the journal holds
    with suppress(OSError):  # where /proc is read-only it is as likely to go as the others
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask to be told
        raise SystemExit(1)


def _limit(what: int, most: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))


def peak_kib() -> int:
    """The most memory that this process has held (VmHWM of proc(5)). getrusage would count what its parent held at the fork."""
    found = re.search(r"^VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0


class _Out:
    """Standard output, one message a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._clock, self._last = stream, SystemClock(trust_rtc=True), float("-inf")

    def say(self, message: BaseModel, behind: bytes = b"") -> None:
        self._stream.write(message.model_dump_json(exclude_defaults=True).encode() + b"\n" + behind)
        self._stream.flush()

    def progress(self, done: int, total: int) -> None:
        now = self._clock.now().monotonic
        if now - self._last >= EVERY_S:
            self._last = now
            self.say(ReportStreamed(what="progress", done=done, total=total))


def _refusal(exc: KiosdError) -> Reply:
    if isinstance(exc, Refused):
        return Reply(id="", status="rejected", code=exc.code, message=str(exc.facts["message"]))
    return Reply(id="", status="rejected", code="config" if isinstance(exc, ConfigError) else "journal", message=str(exc))


def main(argv: Sequence[str]) -> int:
    """Do the job in ``argv[1]``; the exit status."""
    job = Job.model_validate_json(argv[1])
    behave(job.parent)
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)  # what a library prints must not stand among our messages
        out = _Out(stream)
        try:
            made = document(load(job.config), job.journal, job.ask, out.progress)
        except (Refused, ConfigError, JournalError) as exc:
            out.say(_refusal(exc))
        else:
            out.say(ReportStreamed(what="end", size=len(made), sha256=hashlib.sha256(made).hexdigest(), peak_kib=peak_kib()), made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
