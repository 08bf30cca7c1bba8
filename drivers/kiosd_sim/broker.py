"""A private mosquitto on a loopback port, which stays the same from run to run while it is free. The kiosk does not need it."""

import asyncio
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosd_sim.children import child

SBIN = ("/usr/sbin", "/usr/local/sbin")  # where Debian puts it, outside an ordinary user's PATH
INSTALL = "mosquitto is not installed (sudo apt install mosquitto mosquitto-clients)"
START_S = 10.0
GRACE_S = 0.4
CONFIG = """\
# Written at each start of the simulation; changes here are lost.
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 200000
persistence true
persistence_location {directory}/
log_dest stderr
log_type error
log_type warning
log_type information
"""
"""``information`` is needed for the line that says that it runs; that of each message and client would be noise."""


@dataclass(frozen=True, slots=True)
class Broker:
    """``port`` of 127.0.0.1, or None and ``why`` there is none."""

    port: int | None
    why: str = ""
    process: Process | None = None

    async def gone(self) -> str:
        """Wait until it ends; what to tell of that. At once when it never ran."""
        if self.process is None or self.process.stderr is None:
            return self.why
        last = b""
        while line := await self.process.stderr.readline():
            last = line
        return f"mosquitto ended (status {await self.process.wait()}: {_words(last)}); the queue goes on without it"


@asynccontextmanager
async def private_broker(directory: Path, wanted: bool = True) -> AsyncIterator[Broker]:
    """A broker with its files in ``directory``; one without a port when there can be none."""
    program = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))
    if not wanted or program is None:
        yield Broker(None, INSTALL if wanted else "not wanted")
        return
    port, config = _prepare(directory)
    async with child(program, "-c", str(config), grace_s=GRACE_S, stdout=DEVNULL, stderr=PIPE) as process:
        why = await _started(process)
        yield Broker(None, f"mosquitto does not run: {why}") if why else Broker(port, "", process)


def _prepare(directory: Path) -> tuple[int, Path]:
    """Choose a port and write the configuration; both."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = _port(directory / "port")
    (directory / "port").write_text(str(port))
    lines = CONFIG.format(port=port, directory=directory.absolute())
    if os.geteuid() == 0:
        lines += "user root\n"  # it would become another user, who may not read our files; and see ``leash``
    config = directory / "mosquitto.conf"
    config.write_text(lines)
    return port, config


async def _started(process: Process) -> str:
    """Wait for it to say that it runs; ``""``, or why it does not."""
    last = b""
    try:
        async with asyncio.timeout(START_S):
            while line := await process.stderr.readline() if process.stderr else b"":
                if line.rstrip().endswith(b"running"):
                    return ""
                last = line
    except TimeoutError:
        return f"it did not start in {START_S:g} s"
    return _words(last) or "it ended at once"


def _words(line: bytes) -> str:
    """A line of its log without the time before it."""
    text = line.decode(errors="replace").strip()
    stamp, colon, rest = text.partition(": ")
    return rest if colon and stamp.isdigit() else text


def _port(memory: Path) -> int:
    """The port of the last run if it is free, else any that is."""
    try:
        before = int(memory.read_text())
        return _free(before if 0 < before < 65536 else 0)
    except (OSError, ValueError):  # never ran, not ours any more, or taken
        return _free(0)


def _free(port: int) -> int:
    """``port`` (0: any) if nobody listens there; ``OSError`` otherwise."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mosquitto does: old connections are no matter
        probe.bind(("127.0.0.1", port))
        number: int = probe.getsockname()[1]
        return number
