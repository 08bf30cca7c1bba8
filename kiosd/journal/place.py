"""The state directory: one daemon at a time, on storage that survives a restart."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosd.errors import ConfigError, JournalError

LOCK = "lock"
FILE = "journal.db"
FLEETING = {"tmpfs": "memory: a reboot empties it", "ramfs": "memory: a reboot empties it", "overlay": "an overlay: a reboot may empty it"}


def file_system(path: Path) -> str:
    """The file system type under ``path`` (``ext4``, ``tmpfs``, ``overlay`` ...); ``""`` when unknown."""
    return mounted(path, Path("/proc/self/mountinfo"))[0]


def mounted(path: Path, mounts: Path) -> tuple[str, frozenset[str]]:
    """The type and the options of the file system under ``path``, from a ``mountinfo`` file; empty when unknown."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            bar = fields.index("-")
            return fields[bar + 1], frozenset(",".join((fields[5], *fields[bar + 3 :])).split(","))
    return "", frozenset()


def refuse_fleeting(path: Path, kind: str | None = None) -> None:
    """``ConfigError`` when ``path`` is where a reboot would empty the queue (hardware notes on read-only roots)."""
    why = FLEETING.get(kind or file_system(path))
    if why:
        raise ConfigError(
            f"state directory {path} is on {why}. Put it on a partition of its own, "
            "or say --allow-volatile if losing the queue is fine (demonstration, tests)."
        )


@contextmanager
def lock(state: Path) -> Iterator[None]:
    """Hold the state directory for this process; ``JournalError`` that says who holds it. The kernel lets go when we die."""
    fd = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"state directory {state} is in use by {_says(fd)}: one kiosd owns one journal") from None
        os.ftruncate(fd, 0)
        os.write(fd, f"kiosd, process {os.getpid()} ({_command_line()})\n".encode())
        yield
    finally:
        os.close(fd)


def holder(state: Path) -> str:
    """Who holds ``state`` now, ``""`` when nobody does; nothing is changed. ``PermissionError`` when that may not be seen."""
    try:
        fd = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _says(fd)
    finally:
        os.close(fd)
    return ""


def _says(fd: int) -> str:
    return os.read(fd, 256).decode(errors="replace").strip() or "another process"


@contextmanager
def journal_alone(state: Path) -> Iterator[Path]:
    """The journal in ``state`` for work without a daemon: one that starts now must wait, for two of us read one file only when it stands
    still. ``JournalError`` when there is none, or it is somebody else's."""
    path = state / FILE
    if not path.is_file():
        raise JournalError(f"no journal in {state}, and no daemon runs there")
    try:
        with lock(state):
            yield path
    except PermissionError as exc:
        raise JournalError(f"journal in {state}: {exc.strerror}") from None


def _command_line() -> str:
    parts = Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    return json.dumps(b" ".join(parts).decode(errors="replace"))[1:121].rstrip('"')
