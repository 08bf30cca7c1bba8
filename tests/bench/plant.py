"""A whole type-1 kiosk to measure: the daemon as its own process, and in this process the far side of its devices.

The far side is as thin as can be (``kiosd_sim`` decodes and draws; here only the time of the last byte counts).
"""

import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomli_w

from kiosd_sim.pins import SOCKET_ENV
from kiosd_sim.settings import simulated

ROOT = Path(__file__).parents[2]
PRESET = ROOT / "config" / "tipe-1.toml"
PATIENCE_S = 20.0
QUESTION, QUESTION_BYTES, WELL = b"\x10\x04", 3, b"\x12"  # DLE EOT n: nothing is the matter
MARK, MARK_BYTES, PRINTED = b"\x1d(H\x06\x0000", 11, b"7\x22%b\0"  # GS ( H: asked behind each ticket, answered with its four bytes
SET_UP_BYTES = 32  # what a driver says when it gets to know a printer is shorter than any slip
READ_BYTES = 65_536
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def document(ports: dict[str, str], mqtt_port: int | None) -> dict[str, Any]:
    """The simulated type-1 kiosk; it holds off neither buttons nor commands, for here one hand is faster than any visitor and officer."""
    it = simulated(tomllib.loads(PRESET.read_text(encoding="utf-8")), ports, mqtt_port).document
    it["rules"] = it.get("rules", {}) | {"hold_off_s": 0.0, "print_hold_s": 0.0}
    it["devices"]["ticket_buttons"] |= {"hold_off_s": 0.0, "two": "both"}
    for broker in it["mqtt"].values() if mqtt_port is not None else ():
        broker["commands_per_s"] = 1000
    return it


def environment() -> dict[str, str]:
    """This process's environment, but as on a board: asyncio not in debug mode, bytecode kept, as an installation does, and one arena of
    malloc, as the unit file says."""
    ours = {name: value for name, value in os.environ.items() if name not in {"PYTHONASYNCIODEBUG", "PYTHONDONTWRITEBYTECODE"}}
    return ours | {"MALLOC_ARENA_MAX": "1"}


def serial_devices() -> list[str]:
    """Devices of the preset that hang on a cable; all are put on ptys."""
    devices = tomllib.loads(PRESET.read_text(encoding="utf-8"))["devices"]
    return [name for name, device in devices.items() if "port" in device]


def write_config(path: Path, ports: dict[str, str] | None = None, mqtt_port: int | None = None) -> Path:
    """Write the configuration to ``path``. Without ``ports`` its devices are nowhere."""
    path.write_text(tomli_w.dumps(document(ports or {name: f"/dev/null/{name}" for name in serial_devices()}, mqtt_port)))
    return path


class FarSide:
    """Ptys for the devices on cables; one thread reads them all and speaks for the printer.

    ``slips``: when each one's first and last byte came, and its bytes. ``frames``: when what was shown on ``board`` came, and its bytes.
    """

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self.ports: dict[str, str] = {}
        self.slips: queue.SimpleQueue[tuple[float, float, bytes]] = queue.SimpleQueue()
        self.frames: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._masters: dict[str, int] = {}
        self._slaves: list[int] = []
        self._waiting = bytearray()
        self._first = 0.0
        self._end, self._stop = os.pipe()
        for name in serial_devices() if names is None else names:
            self._masters[name], slave = os.openpty()
            tty.setraw(slave)
            self.ports[name] = os.ttyname(slave)
            self._slaves.append(slave)  # held open: else the line breaks when the daemon lets go of it
        self._thread = threading.Thread(target=self._read, name="far-side", daemon=True)
        self._thread.start()

    def send(self, name: str, data: bytes) -> float:
        """Send ``data`` as the device ``name``; when that was begun."""
        begin = time.perf_counter()
        os.write(self._masters[name], data)
        return begin

    def _read(self) -> None:
        poll = select.poll()
        names = {fd: name for name, fd in self._masters.items()}
        for fd in (*names, self._end):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._end:
                    return
                data, now = os.read(fd, READ_BYTES), time.perf_counter()
                if names[fd] == "printer":
                    self._print(data, now)
                elif names[fd] == "board":
                    self.frames.put((now, data))

    def _print(self, data: bytes, now: float) -> None:
        if not self._waiting:
            self._first = now
        self._waiting += data
        if self._waiting[-QUESTION_BYTES:].startswith(QUESTION):  # whoever asks waits for the answer before saying more
            del self._waiting[-QUESTION_BYTES:]
            self.send("printer", WELL)
        at = self._waiting.find(MARK)
        if at >= 0 and len(self._waiting) >= at + MARK_BYTES:
            slip, name = bytes(self._waiting[:at]), bytes(self._waiting[at + len(MARK) : at + MARK_BYTES])
            del self._waiting[: at + MARK_BYTES]
            if len(slip) > SET_UP_BYTES:
                self.slips.put((self._first, now, slip))
            self.send("printer", PRINTED % name)

    def close(self) -> None:
        os.write(self._stop, b"\0")
        self._thread.join(PATIENCE_S)
        for fd in (*self._masters.values(), *self._slaves, self._end, self._stop):
            os.close(fd)


class Finger:
    """A finger on the simulated pins that stays at the socket: a press is one send."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(os.fspath(path))
        self._answers = self._socket.makefile("rb")

    def press(self, pin: int) -> float:
        """Close the contact; when that was asked."""
        begin = time.perf_counter()
        self._socket.sendall(f"low {pin}\n".encode())
        return begin

    def release(self, pin: int) -> None:
        """Open the contact; returns when both are done."""
        self._socket.sendall(f"high {pin}\n".encode())
        for _ in range(2):
            if self._answers.readline() != b"ok\n":
                raise AssertionError(f"pin {pin} did not obey")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


class Daemon:
    """The real program. ``began`` and ``ready``: when it was started and when it said READY=1. Its log is ``daemon.log`` in ``scratch``."""

    def __init__(self, config: Path, state: Path, scratch: Path) -> None:
        self.pins, self.log, self._address = scratch / "pins.sock", scratch / "daemon.log", scratch / "notify.sock"
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(os.fspath(self._address))
        command = [sys.executable, "-m", "kiosd", "run", "--config", str(config), "--state", str(state), "--allow-volatile"]
        wired = {"GPIOZERO_PIN_FACTORY": "kiosd_sim", SOCKET_ENV: str(self.pins), "NOTIFY_SOCKET": str(self._address)}
        with self.log.open("ab") as log:
            self.began = time.perf_counter()
            self._process = subprocess.Popen(command, env=environment() | wired, stdout=log, stderr=log, start_new_session=True)
        try:
            self.ready = self._until_ready()
        except BaseException:
            self.kill()
            raise

    def _until_ready(self) -> float:
        self._told.settimeout(0.5)
        while self._process.poll() is None and time.perf_counter() - self.began < PATIENCE_S:
            with suppress(TimeoutError):
                if b"READY=1" in self._told.recv(4096):
                    return time.perf_counter()
        raise AssertionError(f"the daemon does not start:\n{self._last_words()}")

    def _last_words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    @property
    def start_s(self) -> float:
        return self.ready - self.began

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End it as systemd would; one that does not end in time is killed, and that is an error."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end within {PATIENCE_S:g} s of SIGTERM") from None
        finally:
            self.kill()
        if status:
            raise AssertionError(f"the daemon ended with status {status}:\n{self._last_words()}")

    def kill(self) -> None:
        """End it as a power cut would, if it still runs."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._told.close()
        self._address.unlink(missing_ok=True)


@contextmanager
def daemon(config: Path, state: Path, scratch: Path) -> Iterator[Daemon]:
    """A daemon that has said READY=1, stopped at the end; killed when the block failed."""
    it = Daemon(config, state, scratch)
    try:
        yield it
    except BaseException:
        it.kill()
        raise
    it.stop()


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional set size (VmRSS, PSS) of a process, in MB of 1024 x 1024 bytes."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    kilobytes = {row.split(":")[0]: int(row.split()[1]) for row in rows[1:]}
    return kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used: utime and stime of proc(5), in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
