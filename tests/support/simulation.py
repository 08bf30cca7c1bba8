"""A whole simulated kiosk as a person has it: ``python -m kiosd_sim.run`` in a process of its own, and the command line beside it."""

import asyncio
import json
import os
import re
import signal
import sys
import tomllib
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tomli_w

ROOT = Path(__file__).parents[2]
WITHIN_S = 20.0
HURRIED = {"recall_gap_s": 0, "hold_off_s": 0, "print_hold_s": 0}
"""Rules that count seconds, so that hurried people are not refused all the time."""


def hurried_preset(directory: Path, kind: int) -> Path:
    """The preset of a kiosk type without the rules that count seconds."""
    document = tomllib.loads((ROOT / f"config/tipe-{kind}.toml").read_text())
    del document["hours"]["calendars"]  # they are beside the preset, not beside this one
    path = directory / f"hurried-{kind}.toml"
    path.write_text(tomli_w.dumps(document | {"rules": document.get("rules", {}) | HURRIED}))
    return path


class Simulation:
    """One that runs. ``seen`` is all it has printed."""

    def __init__(self, process: Process, state: Path) -> None:
        self.process, self.state = process, state
        self.seen = ""
        self._more = asyncio.Event()

    async def listen(self) -> None:
        """Take what it prints, to its end."""
        assert self.process.stdout is not None
        while data := await self.process.stdout.readline():
            self.seen += data.decode()
            self._more.set()
        self._more.set()

    async def shows(self, pattern: str, within_s: float = WITHIN_S) -> re.Match[str]:
        """Wait until ``pattern`` is in what was printed."""
        try:
            async with asyncio.timeout(within_s):
                while not (found := re.search(pattern, self.seen, re.MULTILINE)):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern!r} did not come in {within_s} s:\n{self.seen}") from None
        return found

    async def port(self) -> int:
        """The broker's port, from the line of its own."""
        return int((await self.shows(r"^MQTT: 127\.0\.0\.1:(\d+)$"))[1])

    async def ready(self) -> None:
        await self.shows(r"Ctrl-C ends it\.$")

    def children(self) -> list[int]:
        """The processes that it has started."""
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    async def stop(self, number: int = signal.SIGINT) -> float:
        """Send a signal and wait for the end; how many seconds it took."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        self.process.send_signal(number)
        await self.process.wait()
        return clock() - begin


def there(pid: int) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@asynccontextmanager
async def simulation(state: Path, *options: str, path: str | None = None) -> AsyncIterator[Simulation]:
    """A simulation in ``state``; ended by SIGTERM if the test did not end it."""
    environment = os.environ | {"PYTHONASYNCIODEBUG": "", "PYTHONIOENCODING": "utf-8"} | ({"PATH": path} if path else {})
    command = (sys.executable, "-m", "kiosd_sim.run", "--state", str(state), *options)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    it = Simulation(process, state)
    async with asyncio.TaskGroup() as group:
        group.create_task(it.listen())
        try:
            yield it
        finally:
            if process.returncode is None:
                await it.stop(signal.SIGTERM)


async def kiosd(state: Path, *words: str) -> tuple[int, str, str]:
    """The command line: status, output, errors."""
    environment = os.environ | {"KIOSD_STATE": str(state)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kiosd", *words, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def status(state: Path) -> dict[str, Any]:
    """``kiosd status --json``."""
    code, out, err = await kiosd(state, "status", "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found
