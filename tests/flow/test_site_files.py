"""Files that a configuration names, from its own folder on: what a driver, a broker's link and a simulation make of them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kiosd.config import Settings, load
from kiosd.errors import ConfigError
from kiosd.mqtt.tools.target import target
from kiosd.stations.places import Places
from kiosd_sim.settings import at_home
from support.fardevices import Speaker, speaker
from support.mouth import call, comes
from support.small_config import SMALL
from support.stationkiosk import kiosk
from support.voices import record_clips

VOICE = """
[voice]
announcer = "voice"
repeat = 1
[devices.voice]
driver = "aplay_voice"
card = "plughw:CARD=Sim"
"""
LOGO = ('port = "tcp:127.0.0.1:9100"', 'port = "tcp:127.0.0.1:9100"\nlogo = "{}"')
BROKER_FILES = ("password_file", "ca_file", "cert_file", "key_file")


def written(folder: Path, text: str) -> Path:
    """A configuration in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kiosd.toml"
    path.write_text(text)
    return path


def everything(prefix: str) -> str:
    """A configuration with each setting that names a file of the site, each below ``prefix``."""
    files = "".join(f'{key} = "{prefix}{key}"\n' for key in ("chime_file", "clips", "lexicon"))
    broker = 'host = "broker.example"\nusername = "kiosd"\n' + "".join(f'{key} = "{prefix}{key}"\n' for key in BROKER_FILES)
    return SMALL.replace(LOGO[0], LOGO[1].format(f"{prefix}logo")).split("[mqtt.", maxsplit=1)[0] + VOICE + files + f"[mqtt.site]\n{broker}"


def named(settings: Settings) -> dict[str, str]:
    """Setting -> the file it names."""
    voice, printer, broker = settings.devices["voice"].config, settings.devices["printer"].config, settings.mqtt["site"]
    keys = [*((voice, key) for key in ("chime_file", "clips", "lexicon")), (printer, "logo"), *((broker, key) for key in BROKER_FILES)]
    return {key: str(getattr(section, key)) for section, key in keys}


@pytest.mark.parametrize("prefix", ["", "media/", "../", "/srv/kiosd/"])
def test_a_relative_path_begins_at_the_configurations_folder_wherever_kiosd_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    path = written(tmp_path / "etc", everything(prefix))
    found = named(load(path))
    assert found == {key: str(tmp_path / "etc" / (prefix + key)) for key in found} and len(found) == 8
    monkeypatch.chdir(tmp_path)
    assert named(load(Path("etc/kiosd.toml"))) == found
    assert target(Path("etc/kiosd.toml"), "site").settings.ca_file == Path(found["ca_file"])


@pytest.mark.parametrize(("value", "says"), [("", "allowed: at least 1 character(s)"), ("x" * 201, "allowed: at most 200 characters")])
def test_what_is_no_path_is_refused_in_words(tmp_path: Path, value: str, says: str) -> None:
    path = written(tmp_path, SMALL + VOICE + f'lexicon = "{value}"\n')
    with pytest.raises(ConfigError, match=r"\[devices\.voice\] lexicon: found '.*'; ") as caught:
        load(path)
    assert says in str(caught.value)


async def hears(card: Speaker, settings: Settings, state: Path) -> str:
    """What becomes of a call: what was heard, or why the voice is down."""
    state.mkdir()
    async with kiosk(state) as it:
        (work,) = Places(it.queue, it.clock, settings.devices, "id").voice(settings.voice, "Asia/Jakarta")
        it.run(work)
        while not (told := [one.event for one in it.log if getattr(one.event, "device", "") == "voice"]):
            await it.passes(0.01, 0.01)
        health: Any = told[0]
        if health.type != "device.up":
            return f"{health.code}: {health.detail}"
        await comes(it, 1)
        while not card.recorder.texts:
            await it.passes(0.01, 0.01)
        (played,) = card.recorder.played()
        return f"{played.rate} Hz: {played.text}"


async def test_clips_beside_the_configuration_are_said_and_a_lexicon_that_is_not_there_is_named_whole(tmp_path: Path) -> None:
    words = ("nomor-antrean", "a", "nol", "satu", "silakan-menuju-loket")
    record_clips(tmp_path / "etc" / "clips", *words)
    path = written(tmp_path / "etc", SMALL + VOICE + 'clips = "clips"\n')
    async with speaker(tmp_path) as card:
        assert await hears(card, load(path), tmp_path / "one") == f"16000 Hz: {call('A001', 1)}"
        path.write_text(SMALL + VOICE + 'lexicon = "words/id.toml"\n')
        told = await hears(card, load(path), tmp_path / "two")
    assert told == f"config: lexicon {str(tmp_path / 'etc' / 'words' / 'id.toml')[-80:]}: cannot be read: No such file or directory"


@pytest.mark.parametrize("prefix", ["media/", "/srv/kiosd/"])
def test_a_simulation_reads_the_files_of_its_preset(tmp_path: Path, prefix: str) -> None:
    preset = written(tmp_path / "preset", everything(prefix))
    copy = written(tmp_path / "sim", tomli_w.dumps(at_home(tomllib.loads(preset.read_text()), preset.parent, tmp_path / "sim")))
    assert named(load(copy)) == named(load(preset))


def test_a_simulation_finds_a_file_whose_whole_path_is_too_long_for_a_configuration(tmp_path: Path) -> None:
    preset = written(tmp_path / ("preset" * 20) / ("folder" * 20), SMALL + VOICE + 'lexicon = "words.toml"\n')
    (preset.parent / "words.toml").write_text("[words]\n")
    sim = written(tmp_path / "sim", "").parent
    for _ in range(2):  # the second run finds the first one's link
        copy = written(sim, tomli_w.dumps(at_home(tomllib.loads(preset.read_text()), preset.parent, sim)))
        voice: Any = load(copy).devices["voice"].config
        assert Path(voice.lexicon).samefile(preset.parent / "words.toml")
