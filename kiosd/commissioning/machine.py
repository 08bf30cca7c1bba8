"""This board as commissioning sees it: files below one root, installed libraries, one program that answers. Tests build their own.

Rule 1  Nothing is changed, nothing is written, no device is opened but a GPIO chip, which its questions do not disturb.
Rule 2  What is not there, or may not be read, is empty. What that means is for the check to say.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as metadata_version
from pathlib import Path

from kiosd.commissioning.chips import Chip, read_chip

MOST = 256 * 1024  # bytes of a file that are looked at: the longest one, modules.dep, has 250 kB on Raspberry Pi OS
PROGRAM_S = 1.0  # for a program that only prints; all checks together end within 5 s
PATH = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin")


@dataclass(frozen=True, slots=True)
class Process:
    """A running program: its name as the kernel shortens it to 15 characters, and its words."""

    name: str
    words: tuple[str, ...]


def installed_version(distribution: str) -> str | None:
    """The version of a Python distribution here, None when there is none. Nothing is imported: lgpio would make a file."""
    try:
        return metadata_version(distribution)
    except PackageNotFoundError:
        return None


def printed(words: Sequence[str]) -> str:
    """What a program prints; ``""`` when it is not there, fails, or takes longer than ``PROGRAM_S``."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:MOST].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Machine:
    """A board. ``root`` stands for ``/``; names with a leading ``/`` are looked up below it."""

    root: Path = Path("/")
    version: Callable[[str], str | None] = installed_version
    printed: Callable[[Sequence[str]], str] = printed
    chip: Callable[[Path], Chip | None] = read_chip

    def path(self, name: str) -> Path:
        """Where ``name`` (absolute) is."""
        return self.root / name.lstrip("/")

    def name(self, path: Path) -> str:
        """What ``path`` is called on the board."""
        return f"/{path.relative_to(self.root)}" if path.is_relative_to(self.root) else str(path)

    def text(self, place: str | Path) -> str:
        """The first ``MOST`` bytes of a file as text without white space around it."""
        path = self.path(place) if isinstance(place, str) else place
        try:
            with path.open("rb") as file:
                return file.read(MOST).decode(errors="replace").strip(" \t\r\n\0")
        except OSError:
            return ""

    def there(self, name: str) -> bool:
        """Whether a file, directory or device of this name exists."""
        try:
            return self.path(name).exists()
        except OSError:
            return False

    def inside(self, directory: str, pattern: str = "*") -> list[Path]:
        """What is in ``directory``, sorted: lp2 before lp10."""
        with suppress(OSError):
            return sorted(self.path(directory).glob(pattern), key=lambda path: (len(path.name), path.name))
        return []

    def program(self, name: str) -> Path | None:
        """The program ``name``, None when it is not installed."""
        return next((path for folder in PATH if (path := self.path(f"{folder}/{name}")).is_file()), None)

    def processes(self) -> Iterator[Process]:
        """Every process that can be seen."""
        for folder in self.inside("/proc", "[0-9]*"):
            if name := self.text(folder / "comm"):
                yield Process(name, tuple(self.text(folder / "cmdline").split("\0")))

    def runs(self, *names: str) -> str:
        """The first of these programs that runs; ``""`` when none does."""
        return next((process.name for process in self.processes() if process.name in names), "")

    def release(self) -> str:
        """The kernel's release, for example ``6.12.47+rpt-rpi-2712``."""
        return self.text("/proc/sys/kernel/osrelease")

    def links(self, node: Path) -> dict[str, list[str]]:
        """The names that udev gave ``node``: folder (``/dev/serial/by-id``) -> names in it."""
        found: dict[str, list[str]] = {}
        for folder in LINK_FOLDERS:
            names = [link.name for link in self.inside(folder) if link.is_symlink() and link.resolve() == node]
            if names:
                found[folder] = names
        return found


LINK_FOLDERS = ("/dev/kiosd", "/dev/serial/by-id", "/dev/serial/by-path", "/dev/input/by-id", "/dev/input/by-path")
