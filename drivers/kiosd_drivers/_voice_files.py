"""Sounds on disk for ``aplay_voice``: the site's recorded clips, and the cache of what was synthesised. Blocking: for a lane."""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from kiosd.errors import DeviceError
from kiosd_drivers._voice_wav import MAX_BYTES, Sound, parse, silence, to_wav
from kiosd_drivers._voice_words import Phrase

log = logging.getLogger(__name__)

MAX_CLIPS = 500
CLIPS_BYTES = 32 * 1024 * 1024  # they are kept in memory: a disk that fails must not stop a sentence half-way
LONGEST = 8  # words in one clip's name
KEEP = 0.9  # of the cache's size, when some of it has to go: not for every new sound


def read(path: Path) -> Sound:
    """The sound in this file; ``OSError`` or ``ValueError``."""
    with path.open("rb") as file:
        return parse(file.read(MAX_BYTES + 1))


@dataclass(frozen=True, slots=True)
class Clips:
    """Recorded words and phrases by name: ``silakan-menuju-loket``. All have one form."""

    sounds: dict[str, Sound]

    def sentence(self, phrases: Sequence[Phrase]) -> list[Sound] | None:
        """The whole sentence, longest clips first; None when a word of it was not recorded."""
        parts: list[Sound] = []
        for phrase in phrases:
            found = self._phrase(phrase.words)
            if found is None:
                return None
            parts += [*found, silence(phrase.pause_s, *found[0].form)]
        return parts

    def _phrase(self, words: list[str]) -> list[Sound] | None:
        parts: list[Sound] = []
        while words:
            names = ("-".join(words[:length]) for length in range(min(LONGEST, len(words)), 0, -1))
            name = next((name for name in names if name in self.sounds), None)
            if name is None:
                return None
            parts.append(self.sounds[name])
            words = words[name.count("-") + 1 :]
        return parts


def read_clips(directory: str | None) -> Clips:
    """Every good WAV file of a directory; others are named in the log and do not count. ``DeviceError`` without the directory."""
    if directory is None:
        return Clips({})
    try:
        paths = sorted(path for path in Path(directory).iterdir() if path.suffix.lower() == ".wav")[:MAX_CLIPS]
    except OSError as exc:
        raise DeviceError(f"clips {directory[-80:]}: cannot be read: {exc.strerror}", "config") from exc
    found: dict[str, Sound] = {}
    room = CLIPS_BYTES
    for path in paths:
        try:
            sound = read(path)
        except (OSError, ValueError) as exc:
            log.warning("clip %s is not used: it %s", path.name, exc)
            continue
        if (room := room - len(sound.frames)) < 0:
            log.warning("clip %s and those after it are not used: all together may have %d MiB", path.name, CLIPS_BYTES // 1024 // 1024)
            break
        found[path.stem.lower()] = sound
    return Clips(_of_one_form(found))


def _of_one_form(sounds: dict[str, Sound]) -> dict[str, Sound]:
    """Those of the form that most have: another one in the middle of a sentence would need a card of its own."""
    if not sounds:
        return {}
    ((form, _),) = Counter(sound.form for sound in sounds.values()).most_common(1)
    for name in (name for name, sound in sounds.items() if sound.form != form):
        log.warning("clip %s.wav is not used: it has %d Hz and %d channels, most have %d and %d", name, *sounds[name].form, *form)
    return {name: sound for name, sound in sounds.items() if sound.form == form}


class Cache:
    """Synthesised sounds as WAV files, at most ``size`` bytes of them, the oldest go first. Without a directory nothing is kept.

    It fails into doing nothing: what cannot be kept is made again.
    """

    def __init__(self, directory: Path | None, size: int) -> None:
        self._directory, self._size = directory, size
        self._said = False
        self._numbers = count()

    def open(self) -> None:
        """Make the directory, and clear away what a power cut left half-written."""
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
                for path in self._directory.glob("*.part"):
                    path.unlink()
            except OSError as exc:
                self._fails(exc)

    def get(self, key: str) -> Sound | None:
        """The sound kept under ``key``; one that is damaged is as good as none."""
        if self._directory is None:
            return None
        with suppress(OSError, ValueError):
            return read(self._directory / f"{key}.wav")
        return None

    def put(self, key: str, sound: Sound) -> None:
        """Keep ``sound``, whole or not at all."""
        if self._directory is None:
            return
        part = self._directory / f"{os.getpid()}-{next(self._numbers)}.part"
        try:
            part.write_bytes(to_wav(sound))
            part.replace(self._directory / f"{key}.wav")
            self._limit(self._directory)
        except OSError as exc:
            self._fails(exc)
            with suppress(OSError):
                part.unlink()

    def _limit(self, directory: Path) -> None:
        """Remove the oldest when all are too much."""
        files = sorted(((path.stat(), path) for path in directory.glob("*.wav")), key=lambda one: one[0].st_mtime_ns)
        total = sum(stat.st_size for stat, _ in files)
        if total <= self._size:
            return
        for stat, path in files:
            path.unlink()
            total -= stat.st_size
            if total <= KEEP * self._size:
                return

    def _fails(self, exc: OSError) -> None:
        if not self._said:
            self._said = True
            log.warning("nothing is kept of what the voice says, it is made anew each time: %s", exc.strerror)


def key(*of: object) -> str:
    """The name of what depends on ``of`` alone."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]
