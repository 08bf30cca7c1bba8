"""Waiting for what programs do that have no way to tell us, and clips to speak with."""

import asyncio
import math
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from kiosd_drivers._voice_wav import Sound, to_wav

PATIENCE_S = 15.0


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds: a program that was started tells nobody."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.005)


async def ended(pid: int) -> None:
    """Wait until this process is no more."""
    await until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether this process still runs: it is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def tone(seconds: float, pitch: float = 440.0, rate: int = 16000, channels: int = 1) -> Sound:
    """A sound that can be told from others by its pitch."""
    count = round(seconds * rate)
    samples = (round(8000 * math.sin(2 * math.pi * pitch * n / rate)) for n in range(count) for _ in range(channels))
    return Sound(rate, channels, array("h", samples).tobytes())


def record_clips(directory: Path, *names: str, **form: int) -> dict[str, Sound]:
    """Clips of different pitch and length with these names in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    clips = {name: tone(0.1 + 0.01 * n, 300.0 + 20 * n, **form) for n, name in enumerate(names)}
    for name, sound in clips.items():
        (directory / f"{name}.wav").write_bytes(to_wav(sound))
    return clips
