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
from collections.abc import Iterator
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
MARK, PRINTED = b"\x1dr\x01", b"\x00"  # GS r 1, asked behind each ticket
READ_BYTES = 65_536
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def document(ports: dict[str, str], mqtt_port: int | None) -> dict[str, Any]:
    """The simulated type-1 kiosk; it holds off neither buttons nor commands, for here one hand is faster than any visitor and officer."""
    it = simulated(tomllib.loads(PRESET.read_text(encoding="utf-8")), ports, mqtt_port).document
    it["rules"] = it.get("rules", {}) | {"hold_off_s": 0.0, "print_hold_s": 0.0}
    for broker in it["mqtt"].values() if mqtt_port is not None else ():
        broker["commands_per_s"] = 1000
    return it


def environment() -> dict[str, str]:
    """This process's environment, but as on a board: asyncio not in debug mode, and bytecode kept, as an installation does."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONASYNCIODEBUG", "PYTHONDONTWRITEBYTECODE"}}


def serial_devices() -> list[str]:
    """Devices of the preset that hang on a cable; all are put on ptys."""
    devices = tomllib.loads(PRESET.read_text(encoding="utf-8"))["devices"]
    return [name for name, device in devices.items() if "port" in device]


def write_config(path: Path, ports: dict[str, str] | None = None, mqtt_port: int | None = None) -> Path:
    """Write the configuration to ``path``. Without ``ports`` its devices are nowhere."""
    path.write_text(tomli_w.dumps(document(ports or {name: f"/dev/null/{name}" for name in serial_devices()}, mqtt_port)))
    return path


class FarSide:
    """Ptys for every serial device; one thread reads them all and speaks for the printer. ``slips``: when each one's last byte came."""

    def __init__(self) -> None:
        self.ports: dict[str, str] = {}
        self.slips: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._masters: dict[int, bytearray] = {}
        self._slaves: list[int] = []
        self._printer = -1
        self._end, self._stop = os.pipe()
        for name in serial_devices():
            master, slave = os.openpty()
            tty.setraw(slave)
            self.ports[name] = os.ttyname(slave)
            self._masters[master] = bytearray()
            self._slaves.append(slave)  # held open: else the line breaks when the daemon lets go of it
            if name == "printer":
                self._printer = master
        self._thread = threading.Thread(target=self._read, name="far-side", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        poll = select.poll()
        for fd in (*self._masters, self._end):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._end:
                    return
                data, now = os.read(fd, READ_BYTES), time.perf_counter()
                if fd == self._printer:
                    self._print(data, now)

    def _print(self, data: bytes, now: float) -> None:
        waiting = self._masters[self._printer]
        waiting += data
        while waiting.startswith(QUESTION) and len(waiting) >= QUESTION_BYTES:
            del waiting[:QUESTION_BYTES]
            os.write(self._printer, WELL)
        if waiting.endswith(MARK):
            if len(waiting) > len(MARK):
                self.slips.put((now, bytes(waiting[: -len(MARK)])))
            waiting.clear()
            os.write(self._printer, PRINTED)

    def close(self) -> None:
        os.write(self._stop, b"\0")
        self._thread.join(PATIENCE_S)
        for fd in (*self._masters, *self._slaves, self._end, self._stop):
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
