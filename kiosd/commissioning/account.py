"""The user that kiosd runs as, and what it may open: from /etc/passwd, /etc/group and the unit, without being that user."""

import stat
from dataclasses import dataclass
from pathlib import Path

from kiosd.commissioning.machine import Machine

USER = "kiosd"
UNIT = "kiosd.service"
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
"""Where systemd looks for units, the strongest first (systemd.unit(5))."""
READ_WRITE = 0o6


@dataclass(frozen=True, slots=True)
class Account:
    """A user: the names and numbers of its groups, those that the unit adds included."""

    name: str
    uid: int
    groups: frozenset[str]
    gids: frozenset[int]

    def may_open(self, path: Path) -> bool:
        """Whether this user may read and write ``path``, as far as owner, group and mode tell; ``OSError`` when it is not there."""
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if self.uid == status.st_uid:
            return self.uid == 0 or mode >> 6 & READ_WRITE == READ_WRITE
        bits = mode >> 3 if status.st_gid in self.gids else mode
        return self.uid == 0 or bits & READ_WRITE == READ_WRITE


def unit_file(machine: Machine) -> Path | None:
    """The unit that systemd uses, None when it is not installed."""
    return next((path for folder in UNIT_FOLDERS if (path := machine.path(f"{folder}/{UNIT}")).is_file()), None)


def unit_values(machine: Machine, key: str) -> list[str]:
    """Every value of ``key`` in the unit and its drop-ins, in the order in which systemd reads them."""
    unit = unit_file(machine)
    if unit is None:
        return []
    texts = [
        machine.text(path) for path in (unit, *(drop_in for folder in UNIT_FOLDERS for drop_in in machine.inside(f"{folder}/{UNIT}.d")))
    ]
    lines = [line.partition("=") for text in texts for line in text.splitlines()]
    return [value.strip() for name, _, value in lines if name.strip() == key]


def groups(machine: Machine) -> dict[str, tuple[int, frozenset[str]]]:
    """Group -> its number and its members."""
    lines = [line.split(":") for line in machine.text("/etc/group").splitlines()]
    return {line[0]: (int(line[2]), frozenset(line[3].split(","))) for line in lines if len(line) == 4 and line[2].isdigit()}


def account(machine: Machine) -> Account | None:
    """The user of the unit, ``kiosd`` when it names none; None when there is no such user."""
    name = (unit_values(machine, "User") or [USER])[-1]
    lines = [line.split(":") for line in machine.text("/etc/passwd").splitlines()]
    found = next((line for line in lines if line[0] == name and len(line) == 7 and line[2].isdigit() and line[3].isdigit()), None)
    if found is None:
        return None
    added = {group for value in unit_values(machine, "SupplementaryGroups") for group in value.split()}
    mine = {group: gid for group, (gid, members) in groups(machine).items() if gid == int(found[3]) or name in members or group in added}
    return Account(name, int(found[2]), frozenset(mine), frozenset((*mine.values(), int(found[3]))))
