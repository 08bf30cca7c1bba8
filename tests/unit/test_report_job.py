"""The process that makes a report, and the daemon's side of it: what they say, and that neither outlives the interest in it."""

import asyncio
import hashlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kiosd.config import load
from kiosd.logs import clean
from kiosd.queue.interface import Reply
from kiosd.queue.wire import ReportStreamed
from kiosd.reports.job import FIRST_TO_GO, MOST_MEMORY, NICE, device_roles
from kiosd.reports.service import PART, PROGRAM, ReportService
from support.kiosk import write_config
from support.reporting import appeared, ends, gone, july, stand_in, writes_pid
from support.small_config import SMALL

JULY = {"first": "2026-07-01", "last": "2026-07-31"}
Said = ReportStreamed | Reply


class Asker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[Said] = []

    async def tell(self, answer: Said) -> None:
        self.said.append(answer)

    @property
    def document(self) -> bytes:
        """What came, when it came whole."""
        end, parts = self.said[-1], [one for one in self.said if isinstance(one, ReportStreamed) and one.what == "part"]
        made = b"".join(b64decode(part.data) for part in parts)
        assert isinstance(end, ReportStreamed) and end.what == "end"
        assert (end.size, end.sha256) == (len(made), hashlib.sha256(made).hexdigest())
        return made

    @property
    def refusal(self) -> Reply:
        last = self.said[-1]
        assert isinstance(last, Reply) and not last.done
        return last


def service(program: Sequence[str], deadline_s: float = 30.0) -> ReportService:
    return ReportService(Path("kiosd.toml"), Path("journal.db"), deadline_s, program)


def test_roles_of_devices(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(SMALL)
    assert device_roles(load(path)) == {
        "tickets": "buttons", "printer": "printer", "keys": "keys", "rating": "rating", "scanner": "scanner", "desk": "display",
        "board": "board", "mqtt-central": "broker",
    }  # fmt: skip


@pytest.fixture
async def july_3(tmp_path: Path) -> tuple[Path, Path]:
    """A configuration, and a journal with the first three days of July."""
    config = write_config(tmp_path)
    await july(tmp_path, config)
    return config, tmp_path / "journal.db"


async def test_a_report_of_a_real_journal(july_3: tuple[Path, Path]) -> None:
    asker = Asker()
    await ReportService(*july_3)({**JULY, "format": "json"}, asker.tell)
    report = json.loads(asker.document)
    assert (report["kind"], report["users"]["visits"], report["satisfaction"]["counts"]["4"]) == ("kiosd.report.v1", 18, 18)
    end = asker.said[-1]
    assert isinstance(end, ReportStreamed) and 10_000 < end.peak_kib < 200_000


@pytest.mark.parametrize(("asked", "code", "message"), [
    ({"services": ["A"]}, "unknown_service", "Tidak ada layanan A."),
    ({"services": ["A"], "language": "en"}, "unknown_service", "There is no service A."),
    ({"first": "2026-06-01", "last": "2026-06-30"}, "no_data", "Tidak ada data dari Senin, 1 Juni 2026 sampai Selasa, 30 Juni 2026."),
])  # fmt: skip
async def test_what_is_not_there_is_said(asked: dict[str, Any], code: str, message: str, july_3: tuple[Path, Path]) -> None:
    asker = Asker()
    await ReportService(*july_3)(JULY | asked, asker.tell)
    assert (asker.refusal.code, asker.refusal.message) == (code, message)


async def test_a_configuration_or_a_journal_that_cannot_be_read_is_said(july_3: tuple[Path, Path], tmp_path: Path) -> None:
    config, journal = july_3
    asker = Asker()
    await ReportService(config, tmp_path / "none.db")(JULY, asker.tell)
    assert asker.refusal.code == "journal"
    config.write_text("[site]")
    await ReportService(config, journal)(JULY, asker.tell)
    assert asker.refusal.code == "config" and str(config) in asker.refusal.message


@pytest.mark.parametrize("asked", [
    {}, {"first": "2026-07-31", "last": "2026-07-01"}, JULY | {"format": "doc"}, JULY | {"more": 1}, JULY | {"first": "1900-01-01"},
])  # fmt: skip
async def test_what_is_no_question_starts_nothing(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        await service(("/nonexistent",))(asked, Asker().tell)


async def test_a_document_of_any_size_goes_in_parts_that_fit_the_link() -> None:
    for size in (0, 1, PART, PART + 1, 3 * PART + 17):
        asker, document = Asker(), os.urandom(size)
        await service(stand_in(ends(document)))(JULY, asker.tell)
        assert asker.document == document
        assert all(len(one.model_dump_json()) <= 8192 for one in asker.said)


@pytest.mark.parametrize(("steps", "status", "words"), [
    (("raise RuntimeError('card 3201234567890001')",), "status 1", "RuntimeError: card [angka dihapus]"),
    (("os.kill(os.getpid(), 9)",), "status -9", "it said nothing"),
    (("say('chatter')",), "", ""),
    (("say('{\"what\": \"end\", \"size\": 9, \"sha256\": \"\"}', b'torn')",), "status 0", "it said nothing"),
    (("sys.stderr.write('x' * 1000000)", "sys.exit(3)"), "status 3", "x" * 100),
])  # fmt: skip
async def test_a_process_that_fails_is_told_plainly(
    steps: tuple[str, ...], status: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    asker = Asker()
    await service(stand_in(*steps))(JULY, asker.tell)
    assert asker.refusal.code == "report"
    assert "the report could not be made: its process ended with" in asker.refusal.message and status in asker.refusal.message
    assert words not in asker.refusal.message or not words
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert words in clean(caplog.messages[0]) and status in caplog.messages[0]


async def test_a_program_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    asker = Asker()
    await service(("/nonexistent/python",))(JULY, asker.tell)
    assert asker.refusal.code == "report" and "did not start" in caplog.messages[0]


async def test_a_deadline_kills(tmp_path: Path) -> None:
    asker = Asker()
    await service(stand_in(writes_pid(tmp_path / "pid"), "hang()"), deadline_s=1.0)(JULY, asker.tell)
    assert "it was not ready in 1 s" in asker.refusal.message
    await gone(await appeared(tmp_path / "pid"))


async def test_it_is_of_our_session_and_of_a_group_of_its_own() -> None:
    """Else its niceness would count for nothing, or Ctrl-C would kill it under our hands."""
    asker, told = Asker(), "f'{os.getsid(0) == os.getsid(os.getppid())} {os.getpgrp() == os.getpid()}'"
    await service(stand_in(f"give({told}.encode())"))(JULY, asker.tell)
    assert asker.document == b"True True"


async def test_who_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        asking = group.create_task(service(stand_in(writes_pid(tmp_path / "pid"), "hang()"))(JULY, Asker().tell))
        pid = await appeared(tmp_path / "pid")
        asking.cancel()
    await gone(pid)


async def test_one_at_a_time(tmp_path: Path) -> None:
    """The second begins when the first is over, however that ends."""
    make = service(stand_in("os.mkdir('one')", "time.sleep(0.1)", "os.rmdir('one')", ends(b"done")))
    askers = [Asker() for _ in range(3)]
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for asker in askers:
                group.create_task(make(JULY, asker.tell))
    finally:
        os.chdir(before)
    assert [asker.document for asker in askers] == [b"done"] * 3


BEHAVE = """
import os, resource
from kiosd.reports.job import behave
before = os.nice(0)
behave(os.getppid())
print(os.nice(0) - before, resource.getrlimit(resource.RLIMIT_AS), open("/proc/self/oom_score_adj").read().strip())
"""


def test_it_is_the_least_of_all_processes() -> None:
    said = subprocess.run([sys.executable, "-c", BEHAVE], capture_output=True, text=True, check=True, timeout=20).stdout
    assert said == f"{NICE} ({MOST_MEMORY}, {MOST_MEMORY}) {FIRST_TO_GO}\n"


def test_it_does_not_begin_for_a_parent_that_is_gone() -> None:
    script = "from kiosd.reports.job import behave; behave(1); print('went on')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=20)
    assert (ended.returncode, ended.stdout) == (1, "")


PARENT = """
import os, subprocess, sys, time
child = "import os, sys, time; from kiosd.reports.job import behave; behave(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(60)
"""


def test_it_dies_with_the_daemon() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        asyncio.run(gone(pid))


def test_memory_has_room_for_the_libraries() -> None:
    """The limit is on address space, of which libraries take much more than they use."""
    script = "import resource, jinja2, reportlab.platypus, reportlab.graphics, kiosd.reports.job; print(open('/proc/self/status').read())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=20).stdout
    peak = next(int(line.split()[1]) for line in said.splitlines() if line.startswith("VmPeak"))
    assert peak * 1024 < MOST_MEMORY / 2
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != MOST_MEMORY  # ours was not touched


def test_the_program_takes_nothing_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken')")
    ended = subprocess.run([*PROGRAM, "{}"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20)
    assert "taken" not in ended.stderr and "ValidationError" in ended.stderr
