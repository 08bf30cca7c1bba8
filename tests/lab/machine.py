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

ROOT = Path(__file__).parents[2]
WORK = ROOT / "var" / "lab"
DEVICES = "/usr/bin/python3 -I -S /opt/lab/devices.py"
CONNECT_S = 20.0
BOOT_S = 300.0
KERNEL = (
    "console=ttyS0,115200 quiet loglevel=4 net.ifnames=0 audit=0 mitigations=off nokaslr random.trust_cpu=on tsc=reliable no_timer_check"
)
SOCKETS = ("cmd", "ack", "tty1", "tty2")


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
    """A guest on ``disk``, which is made anew from the built image unless it is there."""

    def __init__(self, name: str = "lab") -> None:
        self._place = WORK / "run" / name
        self._place.mkdir(parents=True, exist_ok=True)
        self.disk = self._place / "disk.qcow2"
        self.acks: list[str] = []
        self.screens: dict[str, Callable[[bytes], Any]] = {}
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._count = 0
        self._channels: dict[str, Channel] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def fresh(self) -> None:
        """A new disk: the image as it was built."""
        self.disk.unlink(missing_ok=True)
        image = ("-f", "qcow2", "-b", WORK / "root.img", "-F", "raw", self.disk)
        subprocess.run(["qemu-img", "create", "-q", *image], check=True)

    def power_on(self) -> None:
        """Start, and wait until systemd has started everything."""
        began = time.monotonic()
        self._hello = threading.Event()
        self._rest = {"cmd": b"", "ack": b""}  # what was cut off in mid-line belongs to the boot before
        for name in SOCKETS:
            (self._place / name).unlink(missing_ok=True)
        with (self._place / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        took = {"cmd": self._answered, "ack": self._acknowledged, "tty1": self._shown("tty1"), "tty2": self._shown("tty2")}
        for name in SOCKETS:
            self._channels[name] = Channel(self._place / name, self._process, took[name])
        if not self._hello.wait(BOOT_S):
            raise LabError("the guest does not answer:\n" + self._console()[-1500:])
        self.run("systemctl is-system-running --wait || true", BOOT_S)
        self.boot_s = time.monotonic() - began

    def _command(self) -> list[str]:
        sockets = [f"socket,id={name},path={self._place / name},server=on,wait=off" for name in SOCKETS]
        ports = [
            ("virtserialport", "nr=1,chardev=cmd,name=org.kiosd.lab.cmd"),
            ("virtserialport", "nr=2,chardev=ack,name=org.kiosd.lab.ack"),
        ]
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc,usb=off,hpet=off",
            "-accel", "tcg,thread=single,tb-size=256", "-cpu", "max", "-smp", "1", "-m", "640", "-no-reboot",
            "-kernel", str(WORK / "vmlinuz"), "-initrd", str(WORK / "initrd.img"), "-append", KERNEL,
            "-drive", f"if=none,id=d0,file={self.disk},format=qcow2,cache=writeback", "-device", "virtio-blk-pci,drive=d0",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci,id=vs",
            *(part for one in sockets for part in ("-chardev", one)),
            *(part for kind, what in ports for part in ("-device", f"{kind},bus=vs.0,{what}")),
            "-chardev", f"file,id=con,path={self._place / 'console.log'}", "-serial", "chardev:con",
            "-serial", "chardev:tty1", "-serial", "chardev:tty2",
            "-device", "VGA",
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
        for channel in self._channels.values():
            channel.drain()
        self._channels = {}
