"""The lab's guest as the host sees it: a QEMU process of ours, its power switch, and what leaves it.

``run`` speaks to ``guest/agent.py`` over virtio-serial; ``acks`` are lines that leave the guest at once; ``screens`` are what the boards at
its serial ports have got. Everything is emulated in software: a command takes 30 ms, a Python start 0.5 s.
"""

import json
import os
import queue
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.disks import Disk

ROOT = Path(__file__).parents[2]
WORK = ROOT / "var" / "lab"
DEVICES = "/usr/bin/python3 -I -S /opt/lab/devices.py"
CONNECT_S = 20.0
BOOT_S = 300.0
KERNEL = (
    "console=ttyS0,115200 quiet loglevel=4 net.ifnames=0 audit=0 mitigations=off nokaslr random.trust_cpu=on tsc=reliable no_timer_check"
)
SOCKETS = ("cmd", "ack", "tty1", "tty2", "mon")
SNAPSHOT = "booted"
RESUMED_S = 30.0


class LabError(Exception):
    """The guest did not do what was asked."""


class Channel:
    """One socket of QEMU's, read by a thread into ``on_data``."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes], on_data: Callable[[bytes], None]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._on_data = on_data
        deadline = time.monotonic() + CONNECT_S
        while self._socket.connect_ex(os.fspath(path)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"QEMU does not open {path.name}")
            time.sleep(0.05)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(ConnectionError):
            while data := self._socket.recv(65_536):
                self._on_data(data)

    def drain(self) -> None:
        """Take what a QEMU that is gone had still sent."""
        self._reader.join()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)


class Machine:
    """A guest on ``disk``. ``place``: a directory for what belongs to this one while it runs."""

    def __init__(self, place: Path, disk: Disk) -> None:
        self._place = place
        place.mkdir(parents=True, exist_ok=True)
        self.disk = disk
        self.acks: list[str] = []
        self.screens: dict[str, Callable[[bytes], Any]] = {}
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._monitor = queue.SimpleQueue[dict[str, Any]]()
        self._count = 0
        self._channels: dict[str, Channel] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def power_on(self) -> float:
        """Start, and wait until systemd has started everything; the seconds that it took."""
        began = time.monotonic()
        self._start()
        if not self._hello.wait(BOOT_S):
            raise LabError("the guest does not answer:\n" + self._console()[-1500:])
        self.run("systemctl is-system-running --wait || true", BOOT_S)
        return time.monotonic() - began

    def resume(self) -> float:
        """Go on where ``save`` left off; the seconds that it took. Its clock stood still meanwhile, so it is set."""
        began = time.monotonic()
        self._start("-loadvm", SNAPSHOT)
        self.until("the guest to go on", self._alive, RESUMED_S)
        self.run(f"date -u -s @{time.time():.3f}")
        return time.monotonic() - began

    def _alive(self) -> bool:
        try:
            return bool(self._ask({"run": "true"}, 0.5))
        except LabError:
            return False

    def save(self) -> None:
        """Keep memory, devices and disk as they are, in the disk's file."""
        self._tell("qmp_capabilities")
        refused = self._tell("human-monitor-command", {"command-line": f"savevm {SNAPSHOT}"})
        if refused:
            raise LabError(f"savevm: {refused}")

    def _tell(self, what: str, arguments: dict[str, Any] | None = None) -> Any:
        """Something to QEMU itself."""
        self._channels["mon"].send(json.dumps({"execute": what, "arguments": arguments or {}}).encode() + b"\n")
        while "return" not in (answer := self._monitor.get(timeout=BOOT_S)):
            if "error" in answer:
                raise LabError(f"{what}: {answer['error']}")
        return answer["return"]

    def _start(self, *more: str) -> None:
        self._hello = threading.Event()
        self._rest = {"cmd": b"", "ack": b"", "mon": b""}  # what was cut off in mid-line belongs to the boot before
        for name in SOCKETS:
            (self._place / name).unlink(missing_ok=True)
        with (self._place / "qemu.log").open("wb") as log:
            command = [*self.command(), "-drive", self.disk.plug(), *more]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        took = {"cmd": self._answered, "ack": self._acknowledged, "mon": self._told} | {
            name: self._shown(name) for name in ("tty1", "tty2")
        }
        for name in SOCKETS:
            self._channels[name] = Channel(self._place / name, self._process, took[name])

    def command(self) -> list[str]:
        """QEMU's, but for the disk."""
        sockets = [f"socket,id={name},path={self._place / name},server=on,wait=off" for name in SOCKETS]
        ports = [
            ("virtserialport", "nr=1,chardev=cmd,name=org.kiosd.lab.cmd"),
            ("virtserialport", "nr=2,chardev=ack,name=org.kiosd.lab.ack"),
        ]
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc,usb=off,hpet=off",
            "-accel", "tcg,thread=single,tb-size=256", "-cpu", "max", "-smp", "1", "-m", "640", "-no-reboot",
            "-kernel", str(WORK / "vmlinuz"), "-initrd", str(WORK / "initrd.img"), "-append", KERNEL,
            "-device", "virtio-blk-pci,drive=d0",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci,id=vs",
            *(part for one in sockets for part in ("-chardev", one)),
            *(part for kind, what in ports for part in ("-device", f"{kind},bus=vs.0,{what}")),
            "-chardev", f"file,id=con,path={self._place / 'console.log'}", "-serial", "chardev:con",
            "-serial", "chardev:tty1", "-serial", "chardev:tty2",
            "-device", "VGA", "-mon", "chardev=mon,mode=control",
        ]  # fmt: skip

    def _lines(self, name: str, data: bytes) -> list[bytes]:
        *lines, self._rest[name] = (self._rest[name] + data).split(b"\n")
        return lines

    def _answered(self, data: bytes) -> None:
        for line in self._lines("cmd", data):
            answer = json.loads(line)
            if "hello" in answer:
                self._hello.set()
            elif waiting := self._answers.pop(answer["id"], None):
                waiting.put(answer)

    def _told(self, data: bytes) -> None:
        for line in self._lines("mon", data):
            self._monitor.put(json.loads(line))

    def _acknowledged(self, data: bytes) -> None:
        self.acks += [line.decode() for line in self._lines("ack", data)]

    def _shown(self, name: str) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            if screen := self.screens.get(name):
                screen(data)

        return take

    def _console(self) -> str:
        return (self._place / "console.log").read_text(encoding="utf-8", errors="replace")

    def _ask(self, asked: dict[str, Any], wait_s: float) -> dict[str, Any]:
        self._count += 1
        number, answers = self._count, queue.SimpleQueue[dict[str, Any]]()
        self._answers[number] = answers
        self._channels["cmd"].send(json.dumps({"id": number, **asked}).encode() + b"\n")
        try:
            answer = answers.get(timeout=wait_s)
        except queue.Empty:
            raise LabError(f"no answer in {wait_s:g} s to {str(asked)[:200]}") from None
        if "error" in answer:
            raise LabError(f"{answer['error']}: {str(asked)[:200]}")
        return answer

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What a shell command in the guest prints; ``LabError`` when it fails or takes longer than ``timeout`` seconds."""
        answer = self._ask({"run": command, "timeout": timeout}, timeout + 15)
        if answer["status"]:
            raise LabError(f"status {answer['status']}: {command}\n{answer['out']}{answer['err']}")
        return str(answer["out"])

    def devices(self, *words: object) -> str:
        """Something of ``guest/devices.py``."""
        return self.run(f"{DEVICES} {' '.join(shlex.quote(str(word)) for word in words)}").strip()

    def until(self, what: str, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        """The first true value of ``condition``; ``LabError`` when there is none within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise LabError(f"not within {seconds:g} s: {what}")
            time.sleep(0.1)
        return value

    def cut_power(self) -> None:
        """The guest is gone between two instructions."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.disk.cut()
        for channel in self._channels.values():
            channel.drain()
        self._channels = {}
