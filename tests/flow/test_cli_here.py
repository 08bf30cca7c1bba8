"""What the command line does here, without asking a daemon: where it looks for one, journals at rest, configurations, the simulation."""

import asyncio
import json
import socket
import sys
import types
from pathlib import Path

import pytest

from kiosd import cli
from kiosd.cli import main
from kiosd.clock import ManualClock
from kiosd.errors import ConfigError, JournalError
from kiosd.journal.place import lock
from kiosd.queue import commands as cmd
from kiosd.queue.local import open_local
from support.served import Said, sayer
from support.site import WEDNESDAY, settings


def test_where_the_daemon_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KIOSD_STATE", raising=False)
    (tmp_path / "var/sim").mkdir(parents=True)
    assert cli.state_directory(None) == Path("/var/lib/kiosd")
    with socket.socket(socket.AF_UNIX) as simulation:
        simulation.bind("var/sim/control.sock")
        assert cli.state_directory(None) == Path("var/sim")
    monkeypatch.setenv("KIOSD_STATE", "/srv/kiosd")
    assert cli.state_directory(None) == Path("/srv/kiosd")
    assert cli.state_directory("/mine") == Path("/mine")


def a_journal(state: Path) -> None:
    async def day() -> None:
        async with open_local(state, settings(), ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as group:
            running = group.create_task(queue.run())
            for _ in range(3):
                await queue.execute(cmd.IssueTicket(service="A"))
            running.cancel()

    asyncio.run(day())


def test_journal_verify_when_no_daemon_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd = sayer(capsys)
    words = ("journal", "verify", "--state", str(tmp_path))
    assert kiosd(*words) == Said(74, "", f"kiosd: no journal in {tmp_path}, and no daemon runs there\n")
    a_journal(tmp_path)
    assert kiosd(*words) == Said(0, "The journal is whole: 4 events, file and chain of hashes checked.\n", "")
    with lock(tmp_path):
        held = kiosd(*words)
        assert held.status == 74 and "is in use by" in held.err
    damaged = (tmp_path / "journal.db").read_bytes().replace(b"A002", b"A009")
    (tmp_path / "journal.db").write_bytes(damaged)
    answer = kiosd(*words)
    assert answer.status == 74 and "has been changed" in answer.err


SITE = """
[site]
id = "CTH04"
name = "Kios Contoh"
type = 4

[services.F]
name = "Jaminan Sosial Tenaga Kerja"
short = "Jamsos Naker"

[counters.1]
services = ["F"]
"""


def test_check_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, path = sayer(capsys), tmp_path / "kiosd.toml"
    path.write_text(SITE)
    answer = kiosd("check-config", str(path))
    assert (answer.status, answer.err) == (0, "")
    assert "CTH04 Kios Contoh, type 4, node hub: the configuration is good." in answer.out
    assert "Jaminan Sosial Tenaga Kerja" in answer.out and "Devices: none" in answer.out
    facts = json.loads(kiosd("check-config", str(path), "--json").out)
    assert (facts["site"], facts["type"], facts["counters"]) == ("CTH04", 4, {"1": ["F"]})


def test_check_config_of_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, path = sayer(capsys), tmp_path / "kiosd.toml"
    path.write_text(SITE.replace("type = 4", "typ = 4") + 'colour = "red"\n')
    answer = kiosd("check-config", str(path))
    assert (answer.status, answer.out) == (78, "")
    assert "typ" in answer.err and "colour" in answer.err
    assert kiosd("check-config", str(tmp_path / "none.toml")).status == 78


VOICE = """
[devices.voice]
driver = "aplay_voice"
card = "plughw:CARD=x"
lexicon = "words.toml"
clips = "clips"

[voice]
announcer = "voice"
"""


def test_check_config_notes_files_that_are_not_there_and_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kiosd.toml").write_text(SITE + VOICE)
    (tmp_path / "clips").mkdir()
    answer = sayer(capsys)("check-config", str(tmp_path / "kiosd.toml"))
    assert (answer.status, answer.err) == (0, f"note: devices.voice.lexicon: {tmp_path / 'words.toml'} is not there yet\n")
    (tmp_path / "words.toml").touch()
    assert sayer(capsys)("check-config", str(tmp_path / "kiosd.toml")).err == ""


@pytest.mark.parametrize("name", [*(f"tipe-{number}" for number in (1, 2, 3, 4)), "satellite-loket", "satellite-papan"])
def test_check_config_of_the_ready_ones(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "config" / f"{name}.toml"
    assert sayer(capsys)("check-config", str(path)).status == 0


def test_sim_is_handed_over_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = types.ModuleType("kiosd_sim.cli")
    asked: list[list[str]] = []
    simulation.main = lambda words: asked.append(words) or 5  # type: ignore[attr-defined, func-returns-value]
    monkeypatch.setitem(sys.modules, "kiosd_sim.cli", simulation)
    assert main(["sim", "scan", "1", "--help", "x"]) == 5
    assert asked == [["scan", "1", "--help", "x"]]


def test_sim_where_there_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "kiosd_sim.cli", None)
    answer = sayer(capsys)("sim", "press", "D")
    assert answer.status == 69 and "the simulation is not installed here" in answer.err


@pytest.mark.parametrize(("error", "status"), [(None, 0), (ConfigError("wrong"), 78), (JournalError("full"), 74)])
def test_run_starts_the_daemon(
    error: Exception | None, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def run_daemon(*given: object) -> int:
        asked.append(given)
        if error is not None:
            raise error
        return 0

    monkeypatch.setattr("kiosd.running.run_daemon", run_daemon)
    answer = sayer(capsys)("run", "--config", "kiosd.toml", "--state", "var", "--allow-volatile")
    assert (answer.status, answer.err) == (status, f"kiosd: {error}\n" if error else "")
    assert asked == [(Path("kiosd.toml"), Path("var"), True)]
