"""The lab's agent in the guest: one JSON object a line over a virtio-serial port. Started with ``-I -S``: only what Python itself has.

    {"id": 1, "run": "sh command", "timeout": 60}        -> {"id": 1, "status": 0, "out": "...", "err": "..."}

Commands run in threads and sessions of their own: one that hangs does not hold up the next.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PORT = "/dev/virtio-ports/org.kiosd.lab.cmd"
DRY_S = 0.2  # nobody is connected at the host's end: a read gives nothing


class Agent:
    def __init__(self, port: str) -> None:
        self._fd = os.open(port, os.O_RDWR)
        self._turn = threading.Lock()

    def say(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode() + b"\n"
        with self._turn:
            while data:
                data = data[os.write(self._fd, data) :]

    def serve(self) -> None:
        """Obey, for ever."""
        rest = b""
        while True:
            data = os.read(self._fd, 65_536)
            if not data:
                time.sleep(DRY_S)
                continue
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                threading.Thread(target=self._obey, args=(json.loads(line),), daemon=True).start()

    def _obey(self, asked: dict[str, Any]) -> None:
        try:
            answer = _run(asked)
        except Exception as exc:  # noqa: BLE001 - the host is told
            answer = {"error": repr(exc)}
        self.say({"id": asked["id"], **answer})


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    command = ["/bin/sh", "-c", asked["run"]]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as it:
        try:
            out, err = it.communicate(timeout=asked.get("timeout", 60))
        except subprocess.TimeoutExpired:
            os.killpg(it.pid, signal.SIGKILL)
            out, err = it.communicate()
            err += b"\ntimeout"
    return {"status": it.returncode, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def notify(text: str) -> None:
    """Tell systemd."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
            it.sendto(text.encode(), address.replace("@", "\0", 1))


if __name__ == "__main__":
    agent = Agent(sys.argv[1] if len(sys.argv) > 1 else PORT)
    notify("READY=1")
    agent.say({"id": 0, "hello": boot()})
    agent.serve()
