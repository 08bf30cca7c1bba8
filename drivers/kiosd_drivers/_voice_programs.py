"""The two programs of ``aplay_voice``, called as lists of words, never through a shell, with an end to each call.

Text goes in by standard input. A call that is late or cancelled is killed with everything that it started.
"""

import asyncio
import os
import re
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kiosd.errors import DeviceError
from kiosd_drivers._voice_wav import Sound, parse, to_wav

SYNTHESIS_S = 10.0  # a sentence takes 0.04 s (hardware section 4); a slow board with a slow card some seconds at the first one
KILLED_S = 1.0  # the kernel needs no time, unless a sound card hangs in it
PACKAGES = {"aplay": "alsa-utils", "espeak-ng": "espeak-ng"}
VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")

ERRORS = (
    ("Device or resource busy", "busy", "another program holds it: a desktop session, or a second player"),
    ("Permission denied", "permission", "this user may not use it; it has to be in group audio"),
    ("Unknown error 524", "absent", "the screen takes no sound: it is off, or was off when this board started"),
    ("No such device", "absent", "it is not there; `aplay -L` lists the cards that are"),
    ("No such file or directory", "absent", "it is not there; `aplay -L` lists the cards that are"),
    ("Cannot get card index", "absent", "it is not there; `aplay -L` lists the cards that are"),
    ("Unknown PCM", "absent", "it is not there; `aplay -L` lists the cards that are"),
)
"""What aplay says -> code and words. 524 is ENOTSUPP, which vc4-hdmi gives without a sink and the C library has no words for."""


def program(name: str) -> str:
    """Where this program is; ``DeviceError`` with the line that installs it."""
    if path := shutil.which(name):
        return path
    raise DeviceError(f"{name} is not installed: sudo apt install {PACKAGES[name]}", "program")


async def call(command: Sequence[str], data: bytes, limit_s: float) -> tuple[int, bytes, str]:
    """Exit status, standard output and standard error of ``command``; ``DeviceError`` when it does not start or end."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as exc:
        raise DeviceError(f"{command[0]} cannot be started: {exc.strerror}", "io") from exc
    try:
        async with asyncio.timeout(limit_s):
            out, said = await process.communicate(data)
    except TimeoutError:
        raise DeviceError(f"{Path(command[0]).name} did not end within {limit_s:.1f} s", "timeout") from None
    finally:
        await _end(process)
    return process.returncode or 0, out, said.decode("ascii", "replace")


async def _end(process: Process) -> None:
    """Kill what still runs, and close its pipes."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILLED_S):
            await process.communicate()


class Player:
    """aplay on one card. ``margin_s``: how much longer than its sound it may take."""

    def __init__(self, card: str, margin_s: float) -> None:
        self._command = (program("aplay"), "-q", "-t", "wav", "-D", card)
        self._card, self._margin_s = card, margin_s

    async def play(self, sound: Sound, comment: str = "") -> None:
        """Return when it was heard; ``DeviceError`` in words when it was not."""
        status, _, said = await call(self._command, to_wav(sound, comment), sound.seconds + self._margin_s)
        if status:
            raise self._error(status, said)

    def _error(self, status: int, said: str) -> DeviceError:
        for words, code, meaning in ERRORS:
            if words in said:
                return DeviceError(f"sound card {self._card}: {meaning}", code)
        last = " ".join(said.split())[-80:] or f"it ended with status {status}"
        return DeviceError(f"sound card {self._card}: aplay says: {last}", "io")


class Synthesiser:
    """espeak-ng with one voice at one speed (words per minute). ``version`` is a part of what its sounds depend on."""

    def __init__(self, voice: str, speed: int) -> None:
        self._program = program("espeak-ng")
        self._command = (self._program, "-v", voice, "-s", str(speed), "-z", "--stdin", "--stdout")
        self.voice, self.speed = voice, speed
        self.version = ""

    async def start(self) -> None:
        """Ask for the version."""
        _, out, _ = await call((self._program, "--version"), b"", SYNTHESIS_S)
        found = VERSION.search(out.decode("ascii", "replace"))
        self.version = found[0] if found else "unknown"

    async def speak(self, text: str) -> Sound:
        """``text`` as sound; ``DeviceError`` when there is none."""
        status, out, said = await call(self._command, text.encode("ascii"), SYNTHESIS_S)
        if status:
            raise DeviceError(f"espeak-ng, voice {self.voice}: {' '.join(said.split())[-80:] or f'it ended with status {status}'}", "io")
        try:
            return parse(out, whole=False)
        except ValueError as exc:
            raise DeviceError(f"espeak-ng, voice {self.voice}: its sound {exc}", "io") from None
