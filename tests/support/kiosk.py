"""The real daemon as a process, on a configuration without devices, told apart from its surroundings only by its state directory."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from kiosd.links.unix import connect_unix
from kiosd.mqtt.tools.standing import broker as ask_daemon
from kiosd.queue.commands import IssueTicket
from kiosd.queue.remote import RemoteQueue
from support.manager import managing

START_S = 20.0
CONFIG = """
[site]
id = "CTH01"
name = "KIOS CONTOH"
type = 3
[clock]
trust_rtc = true
[hours]
{hours}
[services.F]
name = "Jaminan Sosial Tenaga Kerja"
short = "Jamsos Naker"
[services.G]
name = "Keselamatan dan Kesehatan Kerja"
short = "K3"
[counters.1]
services = ["F", "G"]
[counters.2]
services = ["F", "G"]
{more}
"""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def write_config(folder: Path, mqtt_port: int | None = None, more: str = "") -> Path:
    """A configuration that is open round the clock, with a broker if there is one."""
    mqtt = f'[mqtt.central]\nhost = "127.0.0.1"\nport = {mqtt_port}\n' if mqtt_port else ""
    hours = "\n".join(f'{day} = ["00:00-24:00"]' for day in DAYS)
    path = folder / "kiosd.toml"
    path.write_text(CONFIG.format(hours=hours, more=mqtt + more))
    return path


class Kiosk:
    """One daemon after another on the same state directory."""

    def __init__(self, folder: Path, mqtt_port: int | None = None, prefix: Sequence[str] = (), more: str = "") -> None:
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.config = write_config(folder, mqtt_port, more)
        self.log = folder / "kiosd.log"
        self._prefix = list(prefix)
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it; returns at its READY=1, fails with its log when it leaves before."""
        with managing(self.state.parent) as manager:
            self.spawn({"NOTIFY_SOCKET": manager.address})
            async with asyncio.timeout(START_S):
                while b"READY=1" not in (message := await manager.heard()):
                    assert b"STATUS" in message, message

    def spawn(self, environ: dict[str, str], volatile: bool = True) -> None:
        """Start it and do not wait."""
        command = [*self._prefix, sys.executable, "-m", "kiosd", "run", "--config", str(self.config), "--state", str(self.state)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *(["--allow-volatile"] if volatile else [])], env=os.environ | environ, stderr=log)

    def kill(self) -> None:
        """SIGKILL, as a power cut would for the process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    @asynccontextmanager
    async def queue(self, timeout: float = 5.0) -> AsyncIterator[RemoteQueue]:
        """The daemon's queue over its control socket."""
        async with connect_unix(self.state / "control.sock") as link:
            yield RemoteQueue(link, timeout)

    async def tickets(self, n: int) -> None:
        """``n`` more, all in the journal when it returns."""
        async with self.queue() as queue:
            for _ in range(n):
                assert (await queue.execute(IssueTicket(service="F", slip=False))).done

    def __enter__(self) -> "Kiosk":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


async def held(kiosk: Kiosk, code: str) -> None:
    """Wait until the daemon is connected and says that tickets are held with ``code``, or, ``""``, that none is owed."""
    async with asyncio.timeout(10):
        while True:
            view = await ask_daemon(kiosk.state, "central")
            if view is not None and view.connection is not None:
                (tickets,) = (one for one in view.families if one.family == "ticket")
                if tickets.held == code and (code or not tickets.owed):
                    return
            await asyncio.sleep(0.05)
