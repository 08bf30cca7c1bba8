"""The guest's disk, and what a power cut leaves of it. ``fresh`` makes it as it was built, ``plug`` gives QEMU's option for it."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Protocol

SERVED_S = 20.0
PLUGGED = "if=none,id=d0,cache=writeback"


class Disk(Protocol):
    def fresh(self) -> None: ...

    def plug(self) -> str: ...

    def cut(self) -> None: ...


class Overlay:
    """Changes to ``image`` in a file of their own at ``place``. It can hold a snapshot of the whole machine.

    Of a cut it feels only what the guest had not handed over: the host keeps the rest, flushed or not.
    """

    def __init__(self, place: Path, image: Path) -> None:
        self.path, self._image = place / "disk.qcow2", image

    def fresh(self) -> None:
        self.path.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", self._image, "-F", "raw", self.path], check=True)

    def copied(self, saved: Path) -> None:
        """As it was when ``saved`` was made."""
        shutil.copyfile(saved, self.path)

    def plug(self) -> str:
        return f"{PLUGGED},file={self.path},format=qcow2"

    def cut(self) -> None:
        pass


class Volatile:
    """A disk with a cache of its own, as SSDs and SD cards have: what the guest did not have flushed is gone with the power.

    nbdkit's cache filter holds all writes in a place without a name until it is told to flush.
    """

    def __init__(self, place: Path, image: Path) -> None:
        self._path, self._socket, self._image = place / "disk.raw", place / "nbd", image
        self._server: subprocess.Popen[bytes] | None = None

    def fresh(self) -> None:
        subprocess.run(["cp", "--sparse=always", self._image, self._path], check=True)

    def plug(self) -> str:
        self._socket.unlink(missing_ok=True)
        served: list[str | Path] = ["--unix", self._socket, "--filter=cache", "file", self._path, "cache=writeback"]
        with self._socket.with_name("nbdkit.log").open("wb") as log:
            self._server = subprocess.Popen(["nbdkit", "--foreground", *served], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + SERVED_S
        while not self._socket.exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("nbdkit does not serve the disk")
            time.sleep(0.02)  # another program makes the socket, and tells nobody
        return f"{PLUGGED},file=nbd:unix:{os.fspath(self._socket)},format=raw"

    def cut(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
