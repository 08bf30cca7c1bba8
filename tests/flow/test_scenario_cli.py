"""``kiosd scenario`` as it is typed: its directory, what it tells, and that it deletes nothing of anybody else's."""

import asyncio
import json
from pathlib import Path

import pytest

from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.errors import ConfigError
from kiosd.journal.place import lock
from kiosd.queue.local import open_local
from kiosd.scenario.place import without_uplinks
from support.scenarios import EXAMPLES, HEAD
from support.served import Said, sayer
from support.small_config import SMALL

DAY = str(EXAMPLES / "hari-contoh.txt")
LEFT = {"calendar", "journal.db", "kiosd.toml", "lock", "scenario.json"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small site: service F, one counter."""
    (tmp_path / "kiosd.toml").write_text(SMALL)
    return tmp_path / "kiosd.toml"


def names(state: Path) -> set[str]:
    return {path.name for path in state.iterdir()}


def test_the_example_day_and_what_it_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, state = sayer(capsys), tmp_path / "var/scenario/hari-contoh"
    answer = kiosd("scenario", DAY)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("hari-contoh: 2026-07-01, 1 day played in ")
    assert "  tickets          22\n" in answer.out and "  refused           5\n" in answer.out
    assert "The journal is in var/scenario/hari-contoh; nothing in it happened." in answer.out
    assert names(state) == LEFT and json.loads((state / "scenario.json").read_text())["scenario"] == "hari-contoh.txt"
    assert kiosd("check-config", str(state / "kiosd.toml")).status == 0
    assert kiosd("journal", "verify", "--state", str(state)).out.startswith("The journal is whole: ")
    reported = kiosd("report", "--state", str(state), "--from", "2026-07-01", "--to", "2026-07-01")
    assert reported.status == 0 and "SKENARIO hari-contoh: data buatan" in reported.out


def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = sayer(capsys)("scenario", DAY, "--json", "--state", str(tmp_path / "x"))
    facts = json.loads(answer.out)
    assert facts.pop("seconds") < 60 and facts.pop("events") > 150 and facts.pop("commands") > 150
    assert facts == {
        "scenario": "hari-contoh", "state": str(tmp_path / "x"), "first": "2026-07-01", "last": "2026-07-01",
        "days": 1, "tickets": 22, "refused": 5,
    }  # fmt: skip


def test_again_replaces_what_a_scenario_left_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, state = sayer(capsys), tmp_path / "x"
    words = ("scenario", DAY, "--state", str(state))
    assert kiosd(*words).status == 0
    first = (state / "journal.db").read_bytes()
    again = kiosd(*words)
    assert again == Said(78, "", f"kiosd: {state} is from an earlier scenario; --again replaces it\n")
    assert (state / "journal.db").read_bytes() == first
    (state / "mine.txt").write_text("mine")
    (state / "scan.key").write_text("of a daemon that ran on it")
    assert kiosd(*words, "--again").status == 0
    assert names(state) == LEFT | {"mine.txt"} and (state / "journal.db").read_bytes() != first
    assert kiosd(*words, "--again", "--config", str(state / "kiosd.toml")).status == 0, "the copy itself may be what is copied"


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_what_no_scenario_made_is_not_touched(again: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/journal.db").write_text("real")
    answer = sayer(capsys)("scenario", DAY, "--state", str(tmp_path / "x"), *again)
    assert answer.status == 78 and "was not made by a scenario; nothing in it is touched" in answer.err
    assert names(tmp_path / "x") == {"journal.db"} and (tmp_path / "x/journal.db").read_text() == "real"
    answer = sayer(capsys)("scenario", DAY, "--state", __file__, *again)
    assert answer.status == 78 and "is not a directory" in answer.err


def test_a_marker_cannot_lead_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, state = sayer(capsys), tmp_path / "x"
    assert kiosd("scenario", DAY, "--state", str(state)).status == 0
    (tmp_path / "precious").write_text("x")
    (state / "kiosd.toml").unlink()
    (state / "kiosd.toml").symlink_to(tmp_path / "precious")
    (state / "scenario.json").write_text(json.dumps({"files": ["../precious", str(tmp_path / "precious"), 5, "calendar", "kiosd.toml"]}))
    answer = kiosd("scenario", DAY, "--state", str(state), "--again")
    assert answer.status == 78 and "is there already and was not made by a scenario" in answer.err, "the calendars are not in the marker"
    assert (tmp_path / "precious").read_text() == "x"
    (state / "scenario.json").write_text("[]")
    assert "cannot be read; delete the directory yourself" in kiosd("scenario", DAY, "--state", str(state), "--again").err


def test_a_daemon_on_it_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, state = sayer(capsys), tmp_path / "x"
    assert kiosd("scenario", DAY, "--state", str(state)).status == 0
    with lock(state):
        answer = kiosd("scenario", DAY, "--state", str(state), "--again")
    assert answer.status == 74 and "is in use by kiosd" in answer.err
    assert names(state) == LEFT


def test_a_daemon_can_go_on_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "x"
    assert sayer(capsys)("scenario", DAY, "--state", str(state)).status == 0

    async def goes_on() -> str:
        async with open_local(state, load(state / "kiosd.toml").queue, SystemClock()) as queue:
            return queue.book.date

    assert asyncio.run(goes_on()) == "2026-07-01"


def test_a_refused_command(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(f"site kiosd.toml\n{HEAD}08:00 open 1\n08:00 next 1\n")
    kiosd, words = sayer(capsys), ("scenario", str(tmp_path / "a.txt"), "--state", "x/NAME")
    assert kiosd(*words) == Said(1, "", f"kiosd: {tmp_path}/a.txt: line 4: next: Tidak ada antrean.\n")
    (tmp_path / "a.txt").write_text(f"site kiosd.toml\n{HEAD}08:00 open 1\n")
    assert kiosd(*words, "--again").status == 0, "also what was not finished can be replaced"
    assert names(tmp_path / "x/a") == LEFT - {"calendar"}


def test_a_wrong_file_and_a_wrong_site(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kiosd, path = sayer(capsys), tmp_path / "a.txt"
    path.write_text(f"{HEAD}08:00 opn 1\n08:00 issue\n")
    answer = kiosd("scenario", str(path))
    assert answer.status == 78 and "line 2: there is no command" in answer.err and "line 3: service is missing" in answer.err
    path.write_text(f"{HEAD}08:00 open 1\n")
    answer = kiosd("scenario", str(path))
    assert answer.status == 78 and "of which site? write `site FILE` in it, or give a kiosd.toml with --config" in answer.err
    assert kiosd("scenario", str(path), "--config", str(site)).status == 0
    path.write_text(f"site none.toml\n{HEAD}08:00 open 1\n")
    answer = kiosd("scenario", str(path))
    assert answer.status == 78 and "none.toml: cannot be read" in answer.err
    assert kiosd("scenario", str(tmp_path / "none.txt")).status == 78


def test_calendars_that_cannot_come_along(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calendar = 'year = 2026\nname = "Contoh"\n'
    (tmp_path / "a.txt").write_text(f"site conf/kiosd.toml\n{HEAD}08:00 open 1\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "2026.toml").write_text(calendar)
    kiosd, words = sayer(capsys), ("scenario", str(tmp_path / "a.txt"))
    (tmp_path / "conf/kiosd.toml").write_text(f'{SMALL}\n[hours]\ncalendars = ["../2026.toml"]\n')
    answer = kiosd(*words)
    assert answer.status == 78 and "../2026.toml cannot be copied" in answer.err and not (tmp_path / "var").exists()
    (tmp_path / "conf/kiosd.toml").write_text(f'{SMALL}\n[hours]\ncalendars = ["{tmp_path}/2026.toml"]\n')
    assert kiosd(*words).status == 0
    assert load(tmp_path / "var/scenario/a/kiosd.toml").calendar.years.keys() == {2026}


LOGO = 'port = "tcp:127.0.0.1:9100"'
VOICE = '[voice]\nannouncer = "voice"\n[devices.voice]\ndriver = "aplay_voice"\ncard = "plughw:CARD=Sim"\n'


def test_a_daemon_on_the_copy_finds_the_files_of_the_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "a.txt").write_text(f"site conf/kiosd.toml\n{HEAD}08:00 open 1\n")
    files = 'lexicon = \'words.toml\'\nclips="../clips" # beside\nchime_file = "/srv/chime.wav"\n'
    (tmp_path / "conf/kiosd.toml").write_text(SMALL.replace(LOGO, f'{LOGO}\nlogo = "logo.png" ') + VOICE + files)
    kiosd, copy = sayer(capsys), tmp_path / "var/scenario/a/kiosd.toml"
    assert kiosd("scenario", str(tmp_path / "a.txt")).status == 0
    devices, preset = (load(path).devices for path in (copy, tmp_path / "conf/kiosd.toml"))
    assert devices["voice"] == preset["voice"] and devices["printer"] == preset["printer"]
    assert f'logo = "{tmp_path}/conf/logo.png" ' in copy.read_text() and "# beside" in copy.read_text()
    assert kiosd("scenario", str(tmp_path / "a.txt"), "--again", "--config", str(copy)).status == 0
    assert load(copy).devices["voice"] == preset["voice"]


def test_a_file_of_a_device_that_is_named_in_disguise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(f"site kiosd.toml\n{HEAD}08:00 open 1\n")
    for hidden in ('"""words.toml"""', '"words\\u002etoml"'):
        (tmp_path / "kiosd.toml").write_text(f"{SMALL}{VOICE}lexicon = {hidden}\n")
        answer = sayer(capsys)("scenario", str(tmp_path / "a.txt"))
        assert answer.status == 78 and 'write the names of devices\' files plainly, logo = "logo.png"' in answer.err
        assert not (tmp_path / "var").exists()


UPLINK = '[mqtt.central]\nhost = "10.0.0.1"\n\n# of the log\n[log]\nlevel = "info"\n'


def test_the_copy_has_no_uplinks() -> None:
    """Made-up events must not reach a site's real broker because somebody ran the copy."""
    changed = without_uplinks(UPLINK, Path("kiosd.toml"))
    assert '# [mqtt.central]\n# host = "10.0.0.1"\n\n# of the log\n[log]\nlevel = "info"\n' in changed and "Never with" in changed
    assert without_uplinks("[log]\n", Path("kiosd.toml")) == "[log]\n"
    for text in ('[mqtt."central"]\nhost = "x"\n', '[ "mqtt" . central ]\nhost = "x"\n', '[log]\n[mqtt]\n[mqtt.central]\nhost = "x"'):
        assert "mqtt" not in "".join(line for line in without_uplinks(text, Path("a")).splitlines() if not line.startswith("#"))
    for text in ('mqtt.central.host = "x"\n', 'mqtt = { central = { host = "x" } }\n', '[mqtt.central]\nhost = """\n[log]\n"""\n'):
        with pytest.raises(ConfigError, match="write uplinks as sections of their own"):
            without_uplinks(text, Path("kiosd.toml"))
