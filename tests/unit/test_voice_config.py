"""[voice] in a hub's and a satellite's configuration, in the presets, and on the way to a station."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.config import SatelliteSettings, load, load_any
from kiosd.errors import ConfigError
from kiosd.stations.places import Places
from kiosd_sim.settings import simulated
from support.fakequeue import FakeQueue, as_queue
from support.site import WEDNESDAY

CONFIG = Path(__file__).parents[2] / "config"
PAGE = CONFIG.parent / "docs" / "drivers" / "aplay_voice.md"
PRESETS = [f"tipe-{kind}" for kind in (1, 2, 3, 4)] + ["satellite-papan"]


def uncommented(name: str, directory: Path) -> Path:
    """The preset with the voice that it shows switched on, by the command of the driver's page."""
    before = (CONFIG / f"{name}.toml").read_text()
    (script,) = re.findall(r"^sudo sed -i '(.+)' /etc/kiosd/kiosd\.toml", PAGE.read_text(), re.MULTILINE)
    path = directory / "kiosd.toml"
    path.write_text(before)
    subprocess.run(["sed", "-i", script, str(path)], check=True)
    text = path.read_text()
    assert len(set(text.splitlines()) - set(before.splitlines())) >= 8
    path.write_text(re.sub("^calendars = .*$", "", text, flags=re.MULTILINE))
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_the_voice_that_a_preset_shows_is_good_and_gets_a_station(name: str, tmp_path: Path) -> None:
    settings = load_any(uncommented(name, tmp_path))
    assert isinstance(settings, SatelliteSettings) == name.startswith("satellite")
    assert settings.voice is not None and settings.voice.announcer == "voice"
    assert settings.voice.quiet == ()
    assert settings.voice.numbers == ("never" if isinstance(settings, SatelliteSettings) else "without_paper")
    clock = ManualClock(WEDNESDAY)
    places = Places(as_queue(FakeQueue(clock)), clock, settings.devices, "id")
    (work,) = places.voice(settings.voice, settings.site.timezone)
    work.close()
    assert places.voice(None, settings.site.timezone) == []


def test_a_satellite_may_have_a_voice_alone(tmp_path: Path) -> None:
    path = uncommented("satellite-papan", tmp_path)
    text = re.sub(r"\[call_board\]\n.*\n", "", path.read_text())
    path.write_text(re.sub(r"\[devices\.board\]\n(.+\n)+", "", text))
    settings = load_any(path)
    assert settings.voice is not None and settings.call_board is None and list(settings.devices) == ["voice"]


def changed(path: Path, old: str, new: str) -> list[str]:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('announcer = "voice"', 'announcer = "board"', "[voice] announcer: found 'board', which is a call display"),
        ('announcer = "voice"', 'announcer = "voise"', "[voice] announcer: found 'voise'; there is no [devices.voise]; did you mean"),
        ("repeat = 2", "repeat = 9", "[voice] repeat: found 9"),
        ("repeat = 2", "repeats = 2", "[voice] repeats: unknown key"),
        ('"without_paper"', '"sometimes"', "[voice] numbers: found 'sometimes'"),
        ('displays = ["board"]', 'displays = ["voice"]', "[call_board] displays, item 1: found 'voice', which is a voice"),
        ("plughw:CARD=vc4hdmi0", "hw:0", "[devices.voice] card: found 'hw:0'"),
        ("quiet = []", "quiet = true", "[voice] quiet: found true; allowed: a list in brackets"),
        ("quiet = []", 'quiets = ["12:00-13:00"]', "[voice] quiets: unknown key; did you mean 'quiet'?"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = uncommented("tipe-1", tmp_path)
    lines = changed(path, old, new)
    assert any(says in line for line in lines), lines


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ('["13:00-12:00"]', "a session ends after it begins"),
        ('["22:00-06:00"]', "a session ends after it begins"),
        ('["12-13"]', 'a session is written "HH:MM-HH:MM"'),
        ('["12:00-24:30"]', 'a session is written "HH:MM-HH:MM"'),
        ('["12:00-13:00", "12:30-14:00"]', "sessions of one day follow each other and do not overlap"),
        ('["15:00-16:00", "12:00-13:00"]', "sessions of one day follow each other and do not overlap"),
    ],
)
def test_quiet_hours_are_refused_in_the_words_of_opening_hours(tmp_path: Path, times: str, says: str) -> None:
    path = uncommented("tipe-1", tmp_path)
    text = path.read_text()
    quiet = changed(path, "quiet = []", f"quiet = {times}")
    path.write_text(re.sub(r"^\[hours\]\n(?:(?!\[).*\n)*", f"[hours]\nmonday = {times}\n", text, flags=re.MULTILINE))
    with pytest.raises(ConfigError) as caught:
        load(path)
    opening = str(caught.value).splitlines()
    assert len(quiet) == 1 and says in quiet[0]
    assert [line.replace("[hours] monday", "[voice] quiet") for line in opening] == quiet


def test_quiet_hours_are_taken(tmp_path: Path) -> None:
    path = uncommented("tipe-1", tmp_path)
    path.write_text(path.read_text().replace("quiet = []", 'quiet = ["00:00-07:00", "12:00-13:00", "21:00-24:00"]'))
    settings = load(path)
    assert settings.voice is not None
    assert [str(one) for one in settings.voice.quiet] == ["00:00-07:00", "12:00-13:00", "21:00-24:00"]


def test_a_voice_of_nobody_is_told(tmp_path: Path) -> None:
    path = uncommented("tipe-1", tmp_path)
    path.write_text(re.sub(r"^\[voice\]\n(?:[a-z]+ = .*\n)+", "", path.read_text(), flags=re.MULTILINE))
    with pytest.raises(ConfigError, match=r"\[devices\.voice\]: nothing uses it: name it in .* \[voice\]"):
        load(path)


def test_a_simulation_keeps_the_voice_as_it_is() -> None:
    document: dict[str, Any] = {
        "devices": {"voice": {"driver": "aplay_voice", "card": "plughw:CARD=vc4hdmi0"}}, "voice": {"announcer": "voice"},
    }  # fmt: skip
    sim = simulated(document, {}, None)
    assert sim.document["devices"] == document["devices"] and sim.document["voice"] == document["voice"]
    assert any(name == "voice" and "aplay" in words for name, words in sim.differences)
    strange = simulated({"devices": {"voice": {"driver": "other_voice"}}, "voice": {"announcer": "voice"}}, {}, None)
    assert "voice" not in strange.document and strange.document["devices"] == {}
