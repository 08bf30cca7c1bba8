"""A sound card for machines without one: a stand-in for aplay that writes down what it was given to play.

``Recorder`` puts a program called aplay into a directory that comes first in PATH. As the real one it takes WAV by standard input, is busy
for as long as the sound lasts (or quicker) and complains like it. This file is that program too, and therefore imports nothing of ours.
"""

import array
import hashlib
import io
import json
import os
import shlex
import sys
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG, MOOD = "played.jsonl", "mood.json"
COMMENT = b"INFOICMT"
REFUSAL = "aplay: main:831: audio open error: {}"  # alsa-utils 1.2.8


@dataclass(frozen=True, slots=True)
class Played:
    """One sound: its sentence ("" for none), seconds it lasts, loudest sample, and when it began and ended (s of the monotonic clock)."""

    text: str
    seconds: float
    peak: int
    rate: int
    sha256: str
    began: float
    ended: float
    arguments: tuple[str, ...]


class Recorder:
    """The far side of a voice: what was played, and how the card is. ``speed``: how many times faster than in life."""

    def __init__(self, directory: Path, speed: float = 1.0) -> None:
        self.programs = directory / "bin"
        self._log, self._mood = directory / LOG, directory / MOOD
        self.programs.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        self._speed = speed
        self.set()
        script = self.programs / "aplay"
        line = shlex.join([sys.executable, "-IS", __file__, str(directory.absolute())])
        script.write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
        script.chmod(0o755)

    def set(self, error: str = "", hang: bool = False) -> None:
        """From now on the card answers with ``error`` (words of the C library), or plays and never ends."""
        fresh = self._mood.with_suffix(".new")
        fresh.write_text(json.dumps({"error": error, "hang": hang, "speed": self._speed}), encoding="utf-8")
        fresh.replace(self._mood)

    def lines(self, since: int = 0) -> list[dict[str, Any]]:
        """What was written down, in its order: ``begin`` when a sound began, ``end`` with its facts when it was over."""
        if not self._log.exists():
            return []
        whole = self._log.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()[since:]]

    def played(self) -> list[Played]:
        """Sounds that were played to their end, silence left out."""
        ends = [line["end"] | {"arguments": tuple(line["end"]["arguments"])} for line in self.lines() if "end" in line]
        return [Played(**end) for end in ends if end["peak"]]

    @property
    def texts(self) -> list[str]:
        """The sentences that were heard to their end."""
        return [one.text for one in self.played()]


def comment(data: bytes) -> str:
    """The sentence that a WAV file says it holds."""
    _, found, rest = data.rpartition(COMMENT)
    return rest[4 : 4 + int.from_bytes(rest[:4], "little")].rstrip(b"\0").decode("ascii", "replace") if found else ""


def _note(directory: Path, what: str, facts: object) -> None:
    fd = os.open(directory / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    os.write(fd, json.dumps({what: facts}).encode() + b"\n")
    os.close(fd)


def main(directory: Path, arguments: list[str]) -> int:
    """Play standard input."""
    mood = json.loads((directory / MOOD).read_text(encoding="utf-8"))
    if mood["error"]:
        print(REFUSAL.format(mood["error"]), file=sys.stderr)
        return 1
    data = sys.stdin.buffer.read()
    with wave.open(io.BytesIO(data)) as file:
        seconds, rate, frames = file.getnframes() / file.getframerate(), file.getframerate(), file.readframes(file.getnframes())
    began, text = time.monotonic(), comment(data)
    _note(directory, "begin", {"text": text, "seconds": seconds, "pid": os.getpid()})
    # A player is busy as long as its sound: whoever waits for it, or gives it up, has to meet that.
    time.sleep(3600 if mood["hang"] else seconds / mood["speed"])
    peak = max((abs(sample) for sample in array.array("h", frames)), default=0)
    facts = {"text": text, "seconds": seconds, "peak": peak, "rate": rate, "sha256": hashlib.sha256(frames).hexdigest()}
    _note(directory, "end", facts | {"began": began, "ended": time.monotonic(), "arguments": arguments})
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
