"""A real mosquitto on a free loopback port, and a TCP proxy that can fail on the way to it."""

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal

from kiosd_sim.door import door, tcp

START_S = 5.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Broker:
    """One mosquitto. ``start`` returns when it accepts connections; ``stop`` and ``kill`` when it has gone. Same port every time."""

    def __init__(self, directory: Path, extra: str = "", acl: str | None = None) -> None:
        self.port = free_port()
        self._log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "persistence false", "user root", extra]
        if acl is not None:
            (directory / "acl").write_text(acl)
            (directory / "acl").chmod(0o600)
            lines.append(f"acl_file {directory / 'acl'}")
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(["mosquitto", "-c", str(self._config)], stdout=out, stderr=out)
        deadline = time.monotonic() + START_S
        while not _accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto does not run:\n{self._log.read_text()}")
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        """The process id of the running one."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it as systemd would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_S)
            self._process = None


@contextmanager
def broker(directory: Path, extra: str = "", acl: str | None = None) -> Iterator[Broker]:
    """A running broker with its files in ``directory``; ``extra`` are lines of its configuration."""
    it = Broker(directory, extra, acl)
    it.start()
    try:
        yield it
    finally:
        it.stop()


class Proxy:
    """Carries TCP to ``target`` and fails on demand.

    ``cut`` breaks what is connected. While ``mode`` is ``deny`` new connections are closed at once; while it is ``black_hole``
    everything stays open and nothing comes through; while it is ``no_answers`` nothing comes back. What comes through takes ``delay_s``.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.mode: Literal["pass", "deny", "black_hole", "no_answers"] = "pass"
        self.delay_s = 0.0
        self.swallowed = 0  # bytes that went into the black hole
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "deny":
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer, {"pass", "no_answers"}))
                group.create_task(self._pump(far_reader, writer, {"pass"}))
        finally:
            self._writers -= {writer, far_writer}
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_in: set[str]) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)  # the fault itself
                if self.mode in open_in:
                    writer.write(data)
                else:
                    self.swallowed += len(data)
        writer.close()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy to port ``target`` of this machine."""
    it = Proxy(target)
    listener = tcp()
    it.port = listener.getsockname()[1]
    async with door(it.serve, listener):
        yield it
