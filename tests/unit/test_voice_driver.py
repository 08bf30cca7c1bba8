"""aplay_voice with the real espeak-ng, played to a recorder in aplay's place."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.queue.words import announcement
from kiosd_drivers._voice_wav import to_wav
from kiosd_drivers.aplay_voice import DRIVER, Config, Voice
from support.fardevices import Speaker, speaker
from support.voices import ended, record_clips, tone

CALL = "Nomor antrean, D, nol nol lima. Silakan menuju loket empat."


@pytest.fixture
async def card(tmp_path: Path) -> AsyncIterator[Speaker]:
    async with speaker(tmp_path) as it:
        yield it


@asynccontextmanager
async def opened(card: Speaker, **config: Any) -> AsyncIterator[Voice]:
    async with asyncio.timeout(30), DRIVER.open(Config.model_validate({**card.config, **config})) as voice:
        yield voice


def spy(directory: Path, monkeypatch: pytest.MonkeyPatch, name: str = "espeak-ng") -> Path:
    """Put a program before the real one that writes down its words and its input; the file that it writes to."""
    real, log = shutil.which(name), directory / f"{name}.log"
    (directory / "spy").mkdir()
    script = directory / "spy" / name
    script.write_text(
        f'#!/bin/sh\nexport IFS="|"\necho "argv|$*" >>"{log}"\ntee -a "{log}" | "{real}" "$@"\nstatus=$?\necho >>"{log}"\nexit $status\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory / "spy"), prepend=os.pathsep)
    return log


def inputs(log: Path) -> list[str]:
    """What the program was given to say, without the question for its version."""
    return [line for line in log.read_text().splitlines() if line and not line.startswith("argv|")]


async def test_a_sentence_is_one_sound_chime_first_on_the_named_card(card: Speaker) -> None:
    async with opened(card) as voice:
        await voice.say(CALL, chime=True)
        await voice.say(CALL)
        first, second = card.recorder.played()
    assert first.text == second.text == CALL
    assert 3 < second.seconds < 10 and second.peak > 5000 and second.rate == 22050
    assert 1 < first.seconds - second.seconds < 2  # the chime
    assert first.arguments == ("-q", "-t", "wav", "-D", "plughw:CARD=Sim")


async def test_without_a_chime_there_is_none_and_a_chime_of_another_form_is_a_sound_of_its_own(card: Speaker, tmp_path: Path) -> None:
    async with opened(card, chime=False) as voice:
        await voice.say(CALL, chime=True)
        await voice.say(CALL)
    plain, other = card.recorder.played()
    assert plain.sha256 == other.sha256
    (tmp_path / "gong.wav").write_bytes(to_wav(tone(0.5, rate=44100)))
    async with opened(card, chime_file=str(tmp_path / "gong.wav")) as voice:
        await voice.say(CALL, chime=True)
    gong, said = card.recorder.played()[2:]
    assert (gong.rate, round(gong.seconds, 2)) == (44100, 0.5) and said.sha256 == plain.sha256


async def test_volume_is_of_the_whole_sound(card: Speaker) -> None:
    for volume in (100, 50):
        async with opened(card, volume=volume) as voice:
            await voice.say(CALL)
    loud, quiet = card.recorder.played()
    assert abs(quiet.peak - loud.peak / 2) <= 1 and quiet.seconds == loud.seconds


async def test_what_was_said_before_is_not_made_again(card: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = spy(tmp_path, monkeypatch)
    for _ in range(2):
        async with opened(card) as voice:
            await voice.say(CALL)
            await voice.say("Nomor antrean, D, nol nol lima. Silakan menuju loket lima.")
    assert inputs(log) == ["nomor antrean,", "d,", "nol nol lima.", "silakan menuju loket empat.", "silakan menuju loket lima."]
    async with opened(card, speed=150) as voice:
        await voice.say("Satu.")
    async with opened(card, voice="en") as voice:
        await voice.say("Satu.")
    assert inputs(log).count("satu.") == 2


async def test_a_sound_that_was_cut_off_on_disk_is_made_again(card: Speaker, tmp_path: Path) -> None:
    async with opened(card) as voice:
        await voice.say(CALL)
        for path in (tmp_path / "cache").glob("*.wav"):
            path.write_bytes(path.read_bytes()[:200])
        await voice.say(CALL)
    assert len({one.sha256 for one in card.recorder.played()}) == 1
    async with opened(card) as voice:
        await voice.say(CALL)
    assert len({one.sha256 for one in card.recorder.played()}) == 1 and len(card.recorder.played()) == 3


async def test_no_digit_reaches_a_program_and_text_is_no_word_of_a_command(
    card: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = spy(tmp_path, monkeypatch)
    async with opened(card, cache=None) as voice:
        for number, counter in (("A000", 1), ("D010", 10), ("G999", 99), ("F1234", 11)):
            await voice.say(announcement(number, counter, "id"))
            await voice.say(announcement(number, counter, "en"))
        with pytest.raises(ValueError, match="no digits"):
            await voice.say("Nomor 5.")
        await voice.say("-v en; touch x $(touch y) `touch z` [[a]] <b>")
    assert inputs(log) and not any(char.isdigit() or char in "[]$`<" for text in inputs(log) for char in text)
    calls = {line for line in log.read_text().splitlines() if line.startswith("argv|")}
    assert calls == {"argv|--version", "argv|-v|id|-s|140|-z|--stdin|--stdout"}


async def test_the_lexicon_reaches_the_synthesiser(card: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = spy(tmp_path, monkeypatch)
    (tmp_path / "id.toml").write_text('[words]\nloket = "[[l\'okEt]]"\n')
    async with opened(card) as plain, opened(card, lexicon=str(tmp_path / "id.toml")) as voice:
        await plain.say("Loket empat.")
        await voice.say("Loket empat.")
    assert inputs(log) == ["loket empat.", "[[l'okEt]] empat."]
    assert len({one.sha256 for one in card.recorder.played()}) == 2


async def test_recorded_clips_go_first_and_espeak_says_whole_sentences(
    card: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = spy(tmp_path, monkeypatch)
    record_clips(tmp_path / "clips", "nomor-antrean", "d", "nol", "lima", "silakan-menuju-loket", "empat")
    async with opened(card, clips=str(tmp_path / "clips")) as voice:
        await voice.say(CALL)
        assert inputs(log) == []
        await voice.say(CALL.replace("empat", "tujuh"))
    assert inputs(log)[0] == "nomor antrean,"
    recorded, made = card.recorder.played()
    assert (recorded.rate, made.rate) == (16000, 22050)


async def test_without_espeak_recorded_sentences_go_on(card: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(card.recorder.programs))
    with pytest.raises(DeviceError, match="sudo apt install espeak-ng") as caught:
        async with opened(card):
            pass
    assert caught.value.code == "program"
    record_clips(tmp_path / "clips", "nol")
    async with opened(card, clips=str(tmp_path / "clips")) as voice:
        await voice.say("Nol nol.")
        with pytest.raises(DeviceError, match="no recorded clip"):
            await voice.say("Satu.")
    assert card.recorder.texts == ["Nol nol."]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="sudo apt install alsa-utils"):
        async with opened(card):
            pass


async def test_a_player_that_hangs_is_killed_in_time(card: Speaker) -> None:
    async with opened(card, margin_s=0.2) as voice:
        await voice.say("Satu.")
        before = len(card.recorder.lines())
        card.recorder.set(hang=True)
        with pytest.raises(DeviceError, match="did not end") as caught:
            await voice.say("Satu.")
        assert caught.value.code == "timeout"
        card.recorder.set()
    for line in card.recorder.lines(before):
        await ended(line["begin"]["pid"])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("No such device", "absent", "aplay -L"),
        ("Unknown error 524", "absent", "the screen takes no sound"),
        ("Device or resource busy", "busy", "another program"),
        ("Permission denied", "permission", "group audio"),
        ("Broken pipe", "io", "audio open error: Broken pipe"),
    ],
)
async def test_a_card_that_cannot_be_used_is_known_when_it_is_opened(card: Speaker, words: str, code: str, says: str) -> None:
    card.recorder.set(error=words)
    with pytest.raises(DeviceError, match=re.escape(says)) as caught:
        async with opened(card):
            pass
    assert caught.value.code == code and "plughw:CARD=Sim" in str(caught.value)


@pytest.mark.skipif(shutil.which("aplay") is None, reason="the real aplay is asked")
async def test_the_real_aplay_says_that_a_card_is_not_there(tmp_path: Path) -> None:
    config = Config(card="plughw:CARD=kiosd_has_none", cache=str(tmp_path))
    with pytest.raises(DeviceError, match="it is not there") as caught:
        async with DRIVER.open(config):
            pass
    assert caught.value.code == "absent"


async def test_an_espeak_without_the_voice_is_said_in_its_own_words(card: Speaker) -> None:
    async with opened(card, voice="xx") as voice:
        with pytest.raises(DeviceError, match="espeak-ng, voice xx"):
            await voice.say("Satu.")


async def test_calls_from_many_sides_never_overlap(card: Speaker) -> None:
    async with opened(card) as voice, asyncio.TaskGroup() as tasks:
        for n in range(6):
            tasks.create_task(voice.say(f"Loket {'abcdef'[n]}.", chime=n % 2 == 0))
    played = card.recorder.played()
    assert len(played) == 6 and all(before.ended <= after.began for before, after in pairwise(played))


@pytest.mark.parametrize(
    "wrong",
    [
        {"card": "hw:0"}, {"card": "default"}, {"card": "plughw:0"}, {"card": "plughw:CARD=a b"}, {"card": "plughw:CARD=x;ls"},
        {"voice": "-x"}, {"voice": "../id"}, {"speed": 10}, {"volume": 0}, {"clips": "relative"}, {"lexicon": "id.toml"}, {"cache_mb": 0},
    ],
)  # fmt: skip
def test_a_configuration_that_could_do_harm_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"card": "plughw:CARD=Sim", **wrong})


def test_the_cache_is_where_the_service_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    assert Config(card="plughw:CARD=Sim").cache_directory is None
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/kiosd:/other")
    assert Config(card="plughw:CARD=Sim").cache_directory == Path("/var/cache/kiosd/voice")
    assert Config(card="plughw:CARD=Sim", cache="/here").cache_directory == Path("/here")
