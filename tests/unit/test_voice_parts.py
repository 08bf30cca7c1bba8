"""The voice's parts alone: sounds, sentences, the lexicon, clips, and the cache on a disk that fails."""

import io
import json
import logging
import os
import re
import string
import struct
import wave
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.errors import DeviceError
from kiosd_drivers._voice_files import Cache, key, read, read_clips
from kiosd_drivers._voice_wav import MAX_BYTES, Sound, chime, joined, parse, silence, softer, to_wav
from kiosd_drivers._voice_words import PAUSES_S, phrases, pronounced, read_lexicon
from support.voices import record_clips, tone

LEXICON = Path(__file__).parents[2] / "config" / "lexicon" / "id.toml"
CALL = "Nomor antrean, D, nol nol lima. Silakan menuju loket empat."


# -- sounds


def peak(sound: Sound) -> int:
    return max(map(abs, memoryview(sound.frames).cast("h")), default=0)


@given(st.integers(1, 2), st.sampled_from((8000, 16000, 22050, 44100, 48000)), st.binary(min_size=4, max_size=400), st.text("aB, ."))
def test_a_sound_comes_back_from_its_file_with_or_without_a_comment(channels: int, rate: int, frames: bytes, comment: str) -> None:
    sound = Sound(rate, channels, frames[: len(frames) - len(frames) % (2 * channels)])
    assert parse(to_wav(sound, comment)) == sound


@given(st.binary(max_size=300))
def test_garbage_is_no_sound(data: bytes) -> None:
    with pytest.raises(ValueError, match="no WAV"):
        parse(data)


@given(st.data())
def test_a_file_that_was_cut_off_anywhere_is_known(data: st.DataObject) -> None:
    whole = to_wav(tone(0.01))
    with pytest.raises(ValueError, match=r"cut off|no WAV|no sound"):
        parse(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_pipe_does_not_know_its_length_when_it_begins() -> None:
    data = bytearray(to_wav(tone(0.1)))
    data[4:8], data[40:44] = struct.pack("<I", 0x7FFFF024), struct.pack("<I", 0x7FFFF000)
    assert parse(bytes(data), whole=False) == tone(0.1)
    with pytest.raises(ValueError, match="cut off"):
        parse(bytes(data))


@pytest.mark.parametrize(("width", "channels", "rate"), [(1, 1, 22050), (3, 2, 44100), (2, 3, 22050), (2, 1, 4000), (2, 1, 96000)])
def test_other_forms_are_refused_in_words(width: int, channels: int, rate: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, width, rate, 0, "NONE", ""))
        writer.writeframes(bytes(width * channels * 10))
    with pytest.raises(ValueError, match=f"has {8 * width} bits, {channels} channels, {rate} Hz; allowed"):
        parse(file.getvalue())


def test_no_sound_and_too_much_of_it_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no sound"):
        parse(to_wav(silence(0)))
    with pytest.raises(ValueError, match="longer than 4 MiB"):
        parse(bytes(MAX_BYTES + 1))


def test_sounds_of_one_form_become_one() -> None:
    low, high = tone(0.1), tone(0.1, rate=44100)
    assert [(one.form, round(one.seconds, 3)) for one in joined([low, low, high, low])] == [
        (low.form, 0.2), (high.form, 0.1), (low.form, 0.1),
    ]  # fmt: skip
    assert b"".join(one.frames for one in joined([low, low])) == 2 * low.frames


def test_softer_is_softer_and_not_longer() -> None:
    loud = tone(0.1)
    assert softer(loud, 100) is loud
    quiet = softer(loud, 25)
    assert quiet.seconds == loud.seconds and abs(peak(quiet) - peak(loud) / 4) <= 1


@pytest.mark.parametrize("form", [(22050, 1), (44100, 2), (8000, 1)])
def test_the_chime_is_heard_neither_clipped_nor_clicking(form: tuple[int, int]) -> None:
    it = chime(*form)
    assert it.form == form and 1.0 < it.seconds < 2.0 and 6000 < peak(it) < 20000
    samples = memoryview(it.frames).cast("h")
    assert abs(samples[0]) < 300 and abs(samples[-1]) < 300
    assert all(samples[n] == samples[n + 1] for n in range(0, len(samples), 2)) or form[1] == 1


# -- sentences


def test_a_call_is_four_phrases() -> None:
    found = phrases(CALL)
    assert [(phrase.text, phrase.mark) for phrase in found] == [
        ("nomor antrean", ","), ("d", ","), ("nol nol lima", "."), ("silakan menuju loket empat", "."),
    ]  # fmt: skip
    assert [phrase.pause_s for phrase in found] == [PAUSES_S[","], PAUSES_S[","], PAUSES_S["."], PAUSES_S["."]]


@given(st.one_of(st.text(max_size=20), st.text(string.printable, max_size=320)))
def test_of_what_is_said_nothing_but_words_and_marks_is_left(text: str) -> None:
    if not 1 <= len(text) <= 300 or not text.isprintable() or not text.isascii() or any(char.isdigit() for char in text):
        with pytest.raises(ValueError, match="a voice is given"):
            phrases(text)
        return
    said = "".join(phrase.text + phrase.mark for phrase in phrases(text))
    assert set(said) <= set(string.ascii_lowercase + "',.;:!? -")
    assert [char for char in said if char.isalpha()] == [char for char in text.lower() if char.isalpha()]


def test_a_lexicon_replaces_whole_words_only(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.toml"
    path.write_text('[words]\nLoket = "[[l\'okEt]]"\nSIAPkerja = "siap kerja"\n')
    lexicon = read_lexicon(str(path))
    assert [pronounced(phrase, lexicon) for phrase in phrases("LOKET lokets, SiapKerja. loket")] == [
        "[[l'okEt]] lokets,", "siap kerja.", "[[l'okEt]]",
    ]  # fmt: skip


def lexicon_of(directory: Path, **words: str) -> dict[str, str]:
    """What is read of a file with these words."""
    path = directory / "lexicon.toml"
    path.write_text("[words]\n" + "".join(f"{word} = {json.dumps(spoken)}\n" for word, spoken in words.items()))
    return read_lexicon(str(path))


@given(spoken=st.text("ab [],.'-<>/=$1", max_size=14), sentence=st.text("ab'-<>[/] ", max_size=14))
def test_nothing_of_a_lexicon_or_a_sentence_is_an_option_or_a_tag(
    tmp_path_factory: pytest.TempPathFactory, spoken: str, sentence: str
) -> None:
    lexicon: dict[str, str] = {}
    with suppress(DeviceError):
        lexicon = lexicon_of(tmp_path_factory.getbasetemp(), a=spoken)
        assert "-" not in {word[:1] for word in re.sub(r"\[\[[^][]*\]\]", "", spoken).split()}
    for phrase in phrases(f"a {sentence}"):
        said = pronounced(phrase, lexicon)
        assert not set(re.sub(r"\[\[[^][]*\]\]", "", said)) & set("<>[]/=$1") and not set(said) & set("<>$")


@pytest.mark.parametrize("spoken", ["be be pe ve pe", "ka tiga, ya.", "[[l'okEt]]", "B-B", "[[_:_^_en]] [[@n'aI3:]], be", "do'a"])
def test_what_a_site_writes_is_taken(tmp_path: Path, spoken: str) -> None:
    assert lexicon_of(tmp_path, x=spoken) == {"x": spoken}


def test_the_example_is_a_good_lexicon() -> None:
    assert read_lexicon(str(LEXICON))["loket"] == "[[l'okEt]]"
    assert read_lexicon(None) == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[word]\nloket = 'x'", r"one table \[words\]"),
        ("words = 3", r"one table \[words\]"),
        ("[words]\n'a b' = 'x'", "a word has letters"),
        ("[words]\nK3 = 'ka tiga'", "a word has letters"),
        ("[words]\nkatiga = 'ka 3'", "katiga: allowed"),
        ("[words]\nloket = '[[l'", "loket: allowed"),
        ("[words]\nloket = '<break>'", "loket: allowed"),
        ("[words]\nloket = ''", "loket: allowed"),
        ("[words]\nloket = '[[<audio>]]'", "loket: allowed"),
        ("[words]\nloket = '[[a]]<audio>'", "loket: allowed"),
        ("[words]\nloket = '--stdout'", "loket: allowed"),
        ("[words]\nloket = 'a -v en'", "loket: allowed"),
        ("[words]\nloket = '[[a[[b]]'", "loket: allowed"),
        ("[words]\nloket = '[[$(a)`]]'", "loket: allowed"),
        (f"[words]\nloket = '{'a ' * 110}a'", "loket: allowed"),
        ("[words]\nloket = 3", "loket: allowed"),
        ('[words]\nloket = "a\\nb"', "loket: allowed"),
        ("[words]\nloket = 'a'\nLOKET = 'b'", "LOKET: stands there twice"),
        ("[words", "lexicon"),
        ("#" * 70_000, "longer than 64 KiB"),
        ("\n".join(["[words]", *(f"{a}{b} = 'x'" for a in string.ascii_letters[:40] for b in string.ascii_lowercase)]), "at most 1000"),
    ],
)
def test_a_bad_lexicon_is_refused_with_its_name_and_the_reason(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "lexicon.toml"
    path.write_text(content)
    with pytest.raises(DeviceError, match=says) as caught:
        read_lexicon(str(path))
    assert caught.value.code == "config" and "lexicon.toml" in str(caught.value)


def test_a_lexicon_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="No such file"):
        read_lexicon(str(tmp_path / "none.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DeviceError, match="decode"):
        read_lexicon(str(tmp_path / "bytes.toml"))


# -- clips


def test_the_longest_clip_that_fits_is_taken(tmp_path: Path) -> None:
    names = ("nomor", "antrean", "nomor-antrean", "d", "nol", "lima", "silakan-menuju-loket", "loket", "empat")
    made = record_clips(tmp_path, *names)
    parts = read_clips(str(tmp_path)).sentence(phrases(CALL))
    assert parts is not None
    spoken = [next((name for name, sound in made.items() if sound == part), "-") for part in parts]
    assert spoken == ["nomor-antrean", "-", "d", "-", "nol", "nol", "lima", "-", "silakan-menuju-loket", "empat", "-"]
    assert all(part.form == (16000, 1) for part in parts)


def test_a_sentence_with_a_word_that_was_not_recorded_is_not_half_recorded(tmp_path: Path) -> None:
    record_clips(tmp_path, "nomor-antrean", "d", "nol", "lima", "silakan-menuju-loket")
    assert read_clips(str(tmp_path)).sentence(phrases(CALL)) is None
    assert read_clips(None).sentence(phrases(CALL)) is None


def test_clips_that_do_not_fit_are_named_and_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record_clips(tmp_path, "a", "b", "c")
    record_clips(tmp_path, "other", rate=44100)
    (tmp_path / "cut.wav").write_bytes(to_wav(tone(0.1))[:-100])
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "notes.txt").write_text("not a clip at all")
    assert set(read_clips(str(tmp_path)).sounds) == {"a", "b", "c"}
    said = caplog.text
    assert all(f"clip {name}.wav is not used" in said for name in ("other", "cut", "text", "folder")) and "notes" not in said


def test_without_their_directory_clips_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="No such file"):
        read_clips(str(tmp_path / "none"))


# -- the cache


def test_what_is_kept_comes_back_and_the_oldest_go_first(tmp_path: Path) -> None:
    sound = tone(1.0)
    cache = Cache(tmp_path / "deep" / "cache", 5 * len(to_wav(sound)))
    cache.open()
    for n in range(8):
        cache.put(f"k{n}", sound)
        os.utime(tmp_path / "deep" / "cache" / f"k{n}.wav", (n + 1, n + 1))
    assert cache.get("k7") == sound and cache.get("k0") is None
    sizes = [path.stat().st_size for path in (tmp_path / "deep" / "cache").iterdir()]
    assert sum(sizes) <= 5 * len(to_wav(sound)) and len(sizes) >= 4


@pytest.mark.parametrize("damage", [b"", b"RIFF", bytes(4000), to_wav(tone(0.1))[:-1]])
def test_what_was_damaged_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    cache = Cache(tmp_path, 10**6)
    cache.put("one", tone(0.1))
    (tmp_path / "one.wav").write_bytes(damage)
    assert cache.get("one") is None
    cache.put("one", tone(0.1))
    assert cache.get("one") == tone(0.1)


def test_half_written_files_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "12-0.part").write_bytes(b"RIFF")
    Cache(tmp_path, 10**6).open()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, data: bytes) -> int:
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    cache = Cache(tmp_path, 10**6)
    cache.open()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(Path, "write_bytes", full)
        for _ in range(3):
            cache.put("one", tone(0.1))
    assert list(tmp_path.iterdir()) == [] and cache.get("one") is None
    assert caplog.text.count("No space left on device") == 1
    cache.put("one", tone(0.1))
    assert read(tmp_path / "one.wav") == tone(0.1)


def test_a_cache_that_cannot_be_made_keeps_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    for cache in (Cache(tmp_path / "file" / "cache", 10), Cache(None, 10)):
        cache.open()
        cache.put("one", tone(0.1))
        assert cache.get("one") is None
    assert caplog.text.count("nothing is kept") == 1


def test_a_name_depends_on_everything() -> None:
    of = [("1.51", "id", 140, "loket"), ("1.52", "id", 140, "loket"), ("1.51", "en", 140, "loket"), ("1.51", "id", 150, "loket")]
    assert len({key(*one) for one in of}) == 4 and key(*of[0]) == key(*of[0])
