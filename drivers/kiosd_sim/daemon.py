"""The kiosk itself: the real program on simulated pins, and what anybody may ask it with its own command line."""

import asyncio
import json
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kiosd_sim.children import Trouble, child, kiosd, tail
from kiosd_sim.floor import CONFIG, KEYBOARDS_SOCKET, PINS_SOCKET

LOG = "kiosd.log"
START_S = 60.0  # a slow board with a long journal
GRACE_S = 1.6  # devices and brokers have 1.5 s to end; Ctrl-C has 2 s for everything
ASK_GRACE_S = 0.2


async def check(preset: Path) -> None:
    """``Trouble`` with the program's own words when ``preset`` is no good configuration."""
    async with child(*kiosd("check-config", str(preset)), grace_s=ASK_GRACE_S, stdout=DEVNULL, stderr=PIPE) as process:
        _, said = await process.communicate()
    if process.returncode:
        raise Trouble(said.decode(errors="replace").strip().removeprefix("kiosd: "), process.returncode)


@asynccontextmanager
async def running_daemon(state: Path, programs: Iterable[Path] = (), modules: Iterable[Path] = ()) -> AsyncIterator[Process]:
    """The daemon on ``state``/kiosd.toml, ready; ``Trouble`` with the end of its log when it does not start.

    ``programs``: directories of stand-ins for programs that it calls; ``modules``: of stand-ins for libraries.
    """
    command = kiosd("run", "--config", str(state / CONFIG), "--state", str(state), "--allow-volatile")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (state / LOG).open("wb") as log:
        ready.bind("")  # the kernel gives it a name outside the file system
        ready.setblocking(False)
        environment = os.environ | {
            "GPIOZERO_PIN_FACTORY": "kiosd_sim",
            "KIOSD_SIM_PINS": str(state / PINS_SOCKET),
            "KIOSD_SIM_KEYBOARDS": str(state / KEYBOARDS_SOCKET),
            "PYTHONPATH": os.pathsep.join([*map(str, modules), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
            "NOTIFY_SOCKET": f"@{os.fsdecode(ready.getsockname()[1:])}",
        }
        async with child(*command, grace_s=GRACE_S, env=environment, stdout=log, stderr=log) as process:
            await _ready(process, ready, state / LOG)
            yield process


async def _ready(process: Process, notices: socket.socket, log: Path) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_notice(notices)), group.create_task(process.wait())]
        done, _ = await asyncio.wait(tasks, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    if tasks[0] not in done:
        raise gone(process, log) if done else Trouble(f"kiosd was not ready after {START_S:g} s; {log} ends with:\n{tail(log)}")


async def _notice(notices: socket.socket) -> None:
    """Wait for READY=1 (sd_notify(3)). STATUS goes to the same socket."""
    loop = asyncio.get_running_loop()
    while b"READY=1" not in (await loop.sock_recv(notices, 4096)).split(b"\n"):
        pass


def gone(process: Process, log: Path) -> Trouble:
    """Why the daemon is not there any more."""
    status = process.returncode or 0
    return Trouble(f"kiosd ended by itself (status {status}); {log} ends with:\n{tail(log)}", status if status > 0 else 1)


async def snapshot(state: Path) -> dict[str, Any]:
    """The day as it stands."""
    async with child(*kiosd("status", "--json", "--state", str(state)), grace_s=ASK_GRACE_S, stdout=PIPE, stderr=PIPE) as process:
        answer, said = await process.communicate()
    if process.returncode:
        raise Trouble(f"kiosd does not say how it is: {said.decode(errors='replace').strip()}")
    found: dict[str, Any] = json.loads(answer)
    return found


async def events(state: Path, since: int) -> AsyncIterator[dict[str, Any]]:
    """Every event after number ``since``, until the daemon goes."""
    command = kiosd("events", "--follow", "--json", "--since", str(since), "--state", str(state))
    async with child(*command, grace_s=ASK_GRACE_S, stdout=PIPE, stderr=DEVNULL) as process:
        while line := await process.stdout.readline() if process.stdout else b"":
            yield json.loads(line)
