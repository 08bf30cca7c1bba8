"""Sound as ``aplay_voice`` handles it: 16-bit PCM out of WAV files and back, joined, made softer, and the chime."""

import io
import math
import struct
import wave
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

WIDTH = 2  # bytes of a sample
RATES = range(8000, 48001)  # Hz
MAX_BYTES = 4 * 1024 * 1024  # a sentence of 300 characters lasts half a minute: 1.5 MB of mono at 22 kHz
TONES = ((660.0, 0.0), (528.0, 0.35))  # Hz, and when it starts in s: a falling third, which carries through talk
RING_S = 1.0  # how long a tone is heard
FADE_S = 0.3  # in which it becomes a third as loud
SWELL_S = 0.005  # a tone that began at once would click
LOUD = 9000  # of 32767: two tones at once stay below the top


@dataclass(frozen=True, slots=True)
class Sound:
    """``frames``: 16-bit little-endian samples, ``channels`` of them at each of ``rate`` moments a second."""

    rate: int
    channels: int
    frames: bytes

    @property
    def form(self) -> tuple[int, int]:
        """What two sounds must have in common to be one."""
        return self.rate, self.channels

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.frames) / (self.rate * self.channels * WIDTH)


def parse(data: bytes, whole: bool = True) -> Sound:
    """The sound in a WAV file; ``ValueError`` with what is wrong with it.

    ``whole``: the header's length is checked. A program that writes to a pipe cannot know it when it begins.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"is longer than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        with wave.open(io.BytesIO(data)) as file:
            width, form, told = file.getsampwidth(), (file.getframerate(), file.getnchannels()), file.getnframes()
            frames = file.readframes(told)
    except (wave.Error, EOFError, struct.error) as exc:
        raise ValueError(f"is no WAV file with plain PCM: {exc or 'it ends too early'}") from None
    rate, channels = form
    if width != WIDTH or channels not in {1, 2} or rate not in RATES:
        raise ValueError(f"has {8 * width} bits, {channels} channels, {rate} Hz; allowed: 16 bits, 1 or 2 channels, 8000 to 48000 Hz")
    frames = frames[: len(frames) - len(frames) % (WIDTH * channels)]
    if whole and len(frames) != told * WIDTH * channels:
        raise ValueError("is cut off")
    if not frames:
        raise ValueError("holds no sound")
    return Sound(rate, channels, frames)


def to_wav(sound: Sound, comment: str = "") -> bytes:
    """A WAV file; ``comment`` (ASCII) says in it what is heard, for whoever finds the file or listens to the pipe."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(sound.channels)
        writer.setsampwidth(WIDTH)
        writer.setframerate(sound.rate)
        writer.writeframes(sound.frames)
    if comment:
        text = comment.encode("ascii") + b"\0"
        text += b"\0" * (len(text) % 2)  # chunks have an even length
        info = b"INFOICMT" + struct.pack("<I", len(text)) + text
        file.seek(0, io.SEEK_END)
        file.write(b"LIST" + struct.pack("<I", len(info)) + info)
        length = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", length))
    return file.getvalue()


def silence(seconds: float, rate: int = 22050, channels: int = 1) -> Sound:
    """Nothing, for so long."""
    return Sound(rate, channels, bytes(round(seconds * rate) * channels * WIDTH))


def joined(sounds: Iterable[Sound]) -> Iterator[Sound]:
    """``sounds`` one after the other; neighbours of one form become one."""
    for (rate, channels), group in groupby(sounds, key=lambda sound: sound.form):
        yield Sound(rate, channels, b"".join(sound.frames for sound in group))


def softer(sound: Sound, percent: int) -> Sound:
    """``sound`` at ``percent`` of its loudness."""
    if percent == 100:
        return sound
    samples = array("h", (sample * percent // 100 for sample in memoryview(sound.frames).cast("h")))
    return Sound(sound.rate, sound.channels, samples.tobytes())


def chime(rate: int, channels: int) -> Sound:
    """Two tones, ding and dong, in the form of what follows."""
    length = round((TONES[-1][1] + RING_S) * rate)
    samples = array("h", (round(_at(n / rate)) for n in range(length) for _ in range(channels)))
    return Sound(rate, channels, samples.tobytes())


def _at(time: float) -> float:
    """The sample of both tones at this time."""
    return sum(_tone(pitch, time - start) for pitch, start in TONES if 0 <= time - start < RING_S)


def _tone(pitch: float, time: float) -> float:
    swell = min(1.0, time / SWELL_S, (RING_S - time) / SWELL_S)
    return LOUD * swell * math.exp(-time / FADE_S) * math.sin(2 * math.pi * pitch * time)
