"""Which keyboard is the scanner: find it by rules, and grab it.

Rule 1  No keyboard is touched without a rule that names it.
Rule 2  Exactly one must fit. When several do none is taken: a scan at the wrong counter would be worse than none.
Rule 3  It is grabbed at once: until then its keys also reach the console (hardware section 0, finding 6).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, StringConstraints, model_validator

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig
from kiosd_drivers._keys import EV_KEY, KEY_1, KEY_ENTER

if TYPE_CHECKING:
    import evdev

LINKS = {"by_id": Path("/dev/input/by-id"), "by_path": Path("/dev/input/by-path")}
CODES = {errno.EBUSY: "busy", errno.EACCES: "denied", errno.EPERM: "denied"}


def _chooses(pattern: str) -> str:
    if not pattern.strip("*?"):
        raise ValueError("a pattern of wildcards alone would take any keyboard, also the one people type on")
    return pattern


Glob = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_chooses)]


class Match(DriverConfig):
    """Which keyboard; all that is given must fit."""

    by_id: Glob | None = None
    by_path: Glob | None = None
    name: Glob | None = None
    phys: Glob | None = None
    uniq: Glob | None = None
    vid_pid: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")] | None = None
    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=255)] | None = None

    @model_validator(mode="after")
    def _something(self) -> "Match":
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"say which keyboard is the scanner: give at least one of {', '.join(type(self).model_fields)}")
        return self

    def __str__(self) -> str:
        return ", ".join(f"{key}={value!r}" for key, value in self.model_dump(exclude_none=True).items())

    def may_be(self, path: str) -> bool:
        """Whether the device at ``path`` fits as far as its names in the file system tell."""
        real = os.path.realpath(path)
        for key, directory in LINKS.items():
            pattern = getattr(self, key)
            if pattern and not any(fnmatchcase(link.name, pattern) and os.path.realpath(link) == real for link in _links(directory)):
                return False
        return self.path is None or os.path.realpath(self.path) == real

    def fits(self, device: "evdev.InputDevice[str]") -> bool:
        """Whether an open device fits as far as it tells itself, and can type a code at all (a scanner often has further interfaces)."""
        keys: Any = device.capabilities().get(EV_KEY, ())
        ids = f"{device.info.vendor:04x}:{device.info.product:04x}"
        says = {"name": device.name, "phys": device.phys, "uniq": device.uniq}
        return (
            {KEY_1, KEY_ENTER} <= set(keys)
            and all(getattr(self, key) is None or fnmatchcase(text, getattr(self, key)) for key, text in says.items())
            and (self.vid_pid or ids).lower() == ids
        )


def _links(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:  # udev removes the directory with its last link
        return []


@contextmanager
def translated(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        number = exc.errno or 0
        raise DeviceError(f"{name}: {errno.errorcode.get(number, exc)}", CODES.get(number, "absent")) from exc


def _candidates(match: Match) -> "list[evdev.InputDevice[str]]":
    import evdev

    found = []
    for path in sorted(evdev.list_devices()):
        with suppress(OSError):  # unplugged since it was listed, or not ours to read
            device = evdev.InputDevice(path) if match.may_be(path) else None
            if device is not None and match.fits(device):
                found.append(device)
            elif device is not None:
                device.close()
    return found


def grab(match: Match) -> "evdev.InputDevice[str]":
    """The one keyboard that fits, grabbed: from now on nobody else sees its keys. Blocks.

    ``DeviceError``: ``absent`` when none fits, ``ambiguous`` when several do, ``busy`` when another program has grabbed it.
    """
    found = _candidates(match)
    try:
        if not found:
            raise DeviceError(f"no keyboard that can be read fits {match}", "absent")
        if len(found) > 1:
            raise DeviceError(
                f"several keyboards fit {match}: {', '.join(f'{os.fsdecode(d.path)} {d.name!r}' for d in found)}", "ambiguous"
            )
        with translated(os.fsdecode(found[0].path)):
            found[0].grab()
        return found.pop()
    finally:
        for device in found:
            close(device)


def close(device: "evdev.InputDevice[str]") -> None:
    with suppress(OSError):  # closing also ends the grab
        device.close()
