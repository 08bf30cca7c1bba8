"""``kiosd report``: by a real daemon and by itself, in every form, to every place; and what it says when it cannot."""

import asyncio
import csv
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kiosd.journal.place import lock
from kiosd.links.unix import serve_unix
from kiosd.queue.commands import IssueTicket
from kiosd.queue.server import serve_queue
from kiosd.reports import console
from kiosd.reports.service import ReportService
from support.kiosk import Kiosk, write_config
from support.listqueue import ListQueue
from support.reporting import appeared, ends, gone, july, stand_in, writes_pid
from support.served import Said, sayer

FORMS = ("text", "csv", "json", "html", "pdf")
JULY = ("--month", "2026-07")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    """A daemon whose journal begins with three days in July 2026."""
    folder = tmp_path_factory.mktemp("kiosk")
    with Kiosk(folder) as kiosk:
        asyncio.run(july(kiosk.state, kiosk.config))
        asyncio.run(kiosk.start())
        yield kiosk
        assert kiosk.stop() == 0


@pytest.fixture
def say(running: Kiosk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KIOSD_STATE", str(running.state))
    return sayer(capsys)


def looks_right(form: str, document: bytes) -> bool:
    """Whether ``document`` is of ``form`` and tells of the site."""
    match form:
        case "pdf":
            return document.startswith(b"%PDF-") and document.rstrip().endswith(b"%%EOF")
        case "json":
            return bool(json.loads(document)["head"]["site"] == "CTH01")
        case "csv":
            return any("CTH01" in cell for row in csv.reader(io.StringIO(document.decode("utf-8-sig"))) for cell in row)
        case _:
            return "CTH01" in document.decode() and ("<html" in document.decode()) == (form == "html")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_by_the_daemon(form: str, say: Any, tmp_path: Path) -> None:
    path = tmp_path / "report"
    assert say("report", *JULY, "--format", form, "-o", str(path)) == Said(0, "", "")
    assert looks_right(form, path.read_bytes())
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize(
    ("name", "form"), [("a.txt", "text"), ("a.csv", "csv"), ("a.JSON", "json"), ("a.html", "html"), ("a.pdf", "pdf"), ("a", "text")]
)
def test_the_name_tells_the_form(name: str, form: str, say: Any, tmp_path: Path) -> None:
    assert say("report", *JULY, "-o", str(tmp_path / name)).status == 0
    assert looks_right(form, (tmp_path / name).read_bytes())


def test_standard_output_and_what_was_asked(say: Any) -> None:
    answer = say("report", "--from", "2026-07-02", "--to", "2026-07-03", "--service", "f,G", "--service", "F", "--format", "json")
    assert (answer.status, answer.err) == (0, "")
    report = json.loads(answer.out)
    assert (report["head"]["first"], report["head"]["last"]) == ("2026-07-02", "2026-07-03")
    assert (report["head"]["services"], report["users"]["visits"]) == (["F", "G"], 12)


def test_language_and_decimal(say: Any) -> None:
    assert "Evaluation Report" in say("report", *JULY, "--language", "en").out.title()
    assert "Laporan Evaluasi" in say("report", *JULY).out.title()
    assert say("report", *JULY, "--format", "csv", "--decimal", "comma").out != say("report", *JULY, "--format", "csv").out


def test_without_a_period_it_is_the_last_month_and_it_says_so(say: Any) -> None:
    answer = say("report")
    assert answer.err.startswith("kiosd: no period given: the last whole month, 20")
    assert answer.status in {0, 1}  # this machine's clock may stand in August 2026


@pytest.mark.parametrize(("words", "status", "sentence"), [
    ((*JULY, "--service", "A"), 1, "Tidak ada layanan A."),
    (("--year", "2020"), 1, "Tidak ada data dari Rabu, 1 Januari 2020 sampai Kamis, 31 Desember 2020."),
    (("--month", "July"), 2, "MONTH is a year and a month, for example 2026-07"),
    (("--year", "26x"), 2, "YEAR is a year, for example 2026"),
    (("--from", "2026-07-32", "--to", "2026-08-01"), 2, "DATE is a day, for example 2026-07-31"),
    (("--from", "2026-07-02", "--to", "2026-07-01"), 2, "the period ends before it begins"),
    (("--from", "1990-07-02", "--to", "2026-07-01"), 2, "a period has at most 3700 days"),
    (("--from", "2026-07-02"), 2, "--from and --to belong together"),
    ((*JULY, "--year", "2026"), 2, "give --month, or --year, or --from and --to"),
    ((*JULY, "--service", "AB"), 2, "SERVICE is one letter A-Z, but not I or O"),
    ((*JULY, "--service", ","), 2, "SERVICE is one letter A-Z, but not I or O"),
    ((*JULY, "-o", "report.xlsx"), 2,
     "report.xlsx does not tell the form: give --format, or a name that ends in .txt, .csv, .json, .html, .htm, .pdf"),
    ((*JULY, "-o", "/nonexistent/report.pdf"), 1, "/nonexistent/report.pdf cannot be written: No such file or directory"),
    ((*JULY, "--format", "text", "-o", "/"), 1, "/ cannot be written: Is a directory"),
])  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_a_status(words: tuple[str, ...], status: int, sentence: str, say: Any) -> None:
    assert say("report", *words) == Said(status, "", f"kiosd: {sentence}\n")


def test_a_file_stays_as_it_was_when_there_is_no_report(say: Any, tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("old")
    assert say("report", "--year", "2020", "-o", str(tmp_path / "report.csv")).status == 1
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.csv", "old")]
    assert say("report", *JULY, "-o", str(tmp_path / "report.csv")).status == 0
    assert "old" not in (tmp_path / "report.csv").read_text()


def test_what_is_no_file_is_written_to_and_stays_what_it_is(say: Any) -> None:
    assert say("report", *JULY, "-o", os.devnull).status == 0
    assert not Path(os.devnull).is_file()


async def test_a_link_stays_a_link(running: Kiosk, tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    asking = await kiosd("report", *JULY, "--state", str(running.state), "-o", str(tmp_path / "link.csv"))
    assert await asking.wait() == 0
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real.csv").stat().st_size > 0


async def test_tickets_are_given_while_reports_are_made(running: Kiosk, tmp_path: Path) -> None:
    """Several reports one after the other, and a press in between again and again: none of them is refused or late."""
    async with asyncio.timeout(60), running.queue(timeout=5.0) as queue:
        words = ("report", *JULY, "--state", str(running.state), "-o")
        asking = [await kiosd(*words, str(tmp_path / f"{turn}.pdf")) for turn in range(3)]
        issued, over = 0, asyncio.gather(*(one.wait() for one in asking))
        while not over.done():
            assert (await queue.execute(IssueTicket(service="F", slip=False))).done
            issued += 1
        assert await over == [0, 0, 0]
    assert issued > 10
    assert all(looks_right("pdf", (tmp_path / f"{turn}.pdf").read_bytes()) for turn in range(3))


# Against a stand-in for the process that makes reports.


@asynccontextmanager
async def served(state: Path, program: Sequence[str]) -> AsyncIterator[None]:
    """A control socket in ``state`` behind which ``program`` makes the reports; its time is July 2026."""
    started = asyncio.Event()
    reports = ReportService(state / "kiosd.toml", state / "journal.db", program=program)
    async with asyncio.timeout(60), serve_unix(state / "control.sock") as link, asyncio.TaskGroup() as group:
        serving = group.create_task(serve_queue(ListQueue(), link, started=started, report=reports))
        await started.wait()
        yield
        serving.cancel()


async def kiosd(*words: str, **more: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "kiosd", *words, **more)


def pipes() -> dict[str, Any]:
    return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


async def test_without_a_period_the_month_is_the_sites(tmp_path: Path) -> None:
    async with served(tmp_path, stand_in("asked = json.loads(sys.argv[1])['ask']", "sys.exit(asked['first'])")):
        asking = await kiosd("report", "--state", str(tmp_path), **pipes())
        _, err = await asking.communicate()
    assert err.decode().splitlines() == [
        "kiosd: no period given: the last whole month, 2026-06-01 to 2026-06-30",
        "kiosd: the report could not be made: its process ended with status 1; the log of kiosd may say more",
    ]
    assert asking.returncode == 69


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_an_asker_who_leaves_ends_the_work(number: signal.Signals, tmp_path: Path) -> None:
    async with served(tmp_path, stand_in(writes_pid(tmp_path / "pid"), "hang()")):
        asking = await kiosd("report", *JULY, "--state", str(tmp_path), "-o", str(tmp_path / "report.csv"), **pipes())
        pid = await appeared(tmp_path / "pid")
        asking.send_signal(number)
        out, err = await asking.communicate()
        assert (asking.returncode, out, err) == (130 if number == signal.SIGINT else -9, b"", b"")
        await gone(pid)
    if number == signal.SIGINT:
        assert not [one for one in tmp_path.iterdir() if "report" in one.name]


async def test_a_daemon_that_stops_ends_the_work_and_the_asker_hears_of_it(tmp_path: Path) -> None:
    async with served(tmp_path, stand_in(writes_pid(tmp_path / "pid"), "hang()")):
        asking = await kiosd("report", *JULY, "--state", str(tmp_path), **pipes())
        pid = await appeared(tmp_path / "pid")
    _, err = await asking.communicate()
    assert (asking.returncode, err) == (69, b"kiosd: kiosd closed the connection\n")
    await gone(pid)


class Terminal:
    """A pty, and everything that was shown on it."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self._master, False)
        self._shown = bytearray()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        with suppress(OSError):  # nothing there yet, or the far end is closed
            self._shown += os.read(self._master, 65_536)

    def close(self) -> str:
        """What was shown."""
        self._read()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self.slave)
        os.close(self._master)
        return self._shown.decode()


async def test_a_bar_shows_on_a_terminal_what_takes_long(tmp_path: Path) -> None:
    document = b"the report\n"
    async with served(tmp_path, stand_in("hang(2.0)", ends(document))):
        terminal = Terminal()
        asking = await kiosd("report", *JULY, "--state", str(tmp_path), stdout=subprocess.PIPE, stderr=terminal.slave)
        out, _ = await asking.communicate()
        shown = terminal.close()
    assert (asking.returncode, out) == (0, document)
    assert "report:" in shown and "%" in shown and "\n" not in shown
    assert shown.endswith("\r")  # and it is taken away again


async def test_no_bar_where_nobody_looks(tmp_path: Path) -> None:
    async with served(tmp_path, stand_in("hang(1.5)", ends(b"x"))):
        asking = await kiosd("report", *JULY, "--state", str(tmp_path), **pipes())
        assert await asking.communicate() == (b"x", b"")


@pytest.mark.parametrize(("after", "shown"), [(1e9, False), (0.0, True)])
def test_no_bar_for_what_is_soon_done(after: float, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "BAR_AFTER_S", after)
    with console.progress_bar() as progress:
        progress(0, 0)
        progress(21, 50)
    assert ("report:  42% |" in terminal.getvalue()) == shown == bool(terminal.getvalue())


async def test_a_pdf_is_nothing_for_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal()
    asking = await kiosd("report", *JULY, "--format", "pdf", "--state", str(tmp_path), stdout=terminal.slave, stderr=subprocess.PIPE)
    _, err = await asking.communicate()
    assert (asking.returncode, err, terminal.close()) == (2, b"kiosd: a pdf is nothing for a terminal: give -o FILE\n", "")


# Where no daemon runs.


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A state directory as a scenario leaves it: the journal, and its configuration beside it."""
    asyncio.run(july(tmp_path, write_config(tmp_path)))
    return tmp_path


def test_here_by_the_configuration_beside_the_journal(left: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kiosd, words = sayer(capsys), ("report", *JULY, "--format", "json", "--state", str(left))
    answer = kiosd(*words)
    assert (answer.status, answer.err, json.loads(answer.out)["users"]["visits"]) == (0, "", 18)
    elsewhere = (left / "kiosd.toml").rename(tmp_path / "other.toml")
    assert kiosd(*words) == Said(
        78, "", f"kiosd: no daemon runs in {left}, and there is neither {left}/kiosd.toml nor /etc/kiosd/kiosd.toml: give --config FILE\n"
    )
    assert kiosd(*words, "--config", str(elsewhere)).status == 0
    assert kiosd(*words, "--config", str(tmp_path / "none.toml")).status == 78
    assert kiosd("report", "--year", "2020", "--state", str(left), "--config", str(elsewhere)).status == 1


def test_here_only_where_nobody_holds_the_journal(left: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kiosd = sayer(capsys)
    with lock(left):
        held = kiosd("report", *JULY, "--state", str(left))
    assert held.status == 74 and "is in use by" in held.err
    (left / "journal.db").unlink()
    assert kiosd("report", *JULY, "--state", str(left)) == Said(74, "", f"kiosd: no journal in {tmp_path}, and no daemon runs there\n")


def test_the_period_is_said_here_too(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sayer(capsys)("report", "--state", str(left)).err.startswith("kiosd: no period given: the last whole month, ")
