"""Which of several devices is meant: the rules of a configuration, for everything that has a name in /dev and a USB plug.

Rule 1  No device is touched without a rule that names it.
Rule 2  Exactly one must fit. When several do none is taken: a scan at the wrong counter would be worse than none.
Rule 3  Names that move (event3, ttyUSB0) are no rule: what is plugged in again may get another one.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig

T = TypeVar("T")
SYSFS, DEV = Path("/sys"), Path("/dev")
Links = Mapping[Literal["by_id", "by_path"], Path]
"""Where udev keeps the names that stay."""
SERIAL_LINKS: Links = {"by_id": DEV / "serial/by-id", "by_path": DEV / "serial/by-path"}


def _chooses(pattern: str) -> str:
    if not pattern.strip("*?"):
        raise ValueError("a pattern of wildcards alone would take any device, also one that is somebody else's")
    return pattern


Glob = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_chooses)]
"""A text that may hold ``*`` and ``?``."""


class Match(DriverConfig):
    """Which device; all that is given must fit. Every text but ``vid_pid`` and ``path`` may hold ``*`` and ``?``."""

    by_id: Glob | None = Field(default=None, description="Name in /dev/input/by-id or /dev/serial/by-id: maker, model and serial number.")
    by_path: Glob | None = Field(default=None, description="Name in /dev/.../by-path: the USB socket that it is plugged into.")
    vid_pid: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")] | None = Field(
        default=None, description="USB vendor and product, four hexadecimal digits each: '1a86:7523'."
    )
    serial: Glob | None = Field(default=None, description="USB serial number; cheap devices have none, or all the same.")
    name: Glob | None = Field(default=None, description="What the device calls itself: maker and product.")
    phys: Glob | None = Field(default=None, description="USB socket as the kernel counts it.")
    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=255)] | None = Field(
        default=None, description="The device itself, or a link to it that stays."
    )

    @model_validator(mode="after")
    def _something(self) -> "Match":
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"say which device it is: give at least one of {', '.join(type(self).model_fields)}")
        return self

    def __str__(self) -> str:
        return ", ".join(f"{key}={value!r}" for key, value in self.model_dump(exclude_none=True).items())

    def may_be(self, path: str, links: Links) -> bool:
        """Whether the device at ``path`` fits as far as its names in the file system tell; it is not opened for that."""
        real = os.path.realpath(path)
        for key, directory in links.items():
            pattern = getattr(self, key)
            if pattern and not any(fnmatchcase(link.name, pattern) and os.path.realpath(link) == real for link in _links(directory)):
                return False
        return self.path is None or os.path.realpath(self.path) == real

    def says(self, vid_pid: str, serial: str, name: str, phys: str) -> bool:
        """Whether what a device tells of itself fits."""
        told = {"serial": serial, "name": name, "phys": phys}
        fits = all(getattr(self, key) is None or fnmatchcase(text, getattr(self, key)) for key, text in told.items())
        return fits and (self.vid_pid or vid_pid).lower() == vid_pid


def only(found: Sequence[T], match: Match, what: str, called: Callable[[T], str]) -> T:
    """The one of ``found``; ``DeviceError``: ``absent`` when there is none, ``ambiguous`` when there are several."""
    if not found:
        raise DeviceError(f"no {what} that can be read fits {match}", "absent")
    if len(found) > 1:
        raise DeviceError(f"several {what}s fit {match}: {', '.join(called(one) for one in found)}", "ambiguous")
    return found[0]


@dataclass(frozen=True, slots=True)
class UsbNode:
    """A device node with a USB plug behind it. ``phys`` is its interface as the kernel counts it: ``1-1.2:1.0``."""

    path: str
    vid_pid: str
    serial: str
    name: str
    phys: str

    def __str__(self) -> str:
        return f"{self.path} {self.name!r} {self.vid_pid} serial={self.serial!r} phys={self.phys!r}"


def usb_nodes(kind: Literal["tty", "usbmisc"]) -> list[UsbNode]:
    """What is plugged in now: serial ports (``tty``) or printers (``usbmisc``). Blocks for a moment; opens no device."""
    found = (_node(entry) for entry in sorted(_links(SYSFS / "class" / kind)))
    return [node for node in found if node is not None]


def usb_node(kind: Literal["tty", "usbmisc"], match: Match, links: Links) -> str:
    """The path of the one that fits; ``DeviceError`` as ``only`` says. Blocks for a moment."""
    what = {"tty": "serial port", "usbmisc": "printer"}[kind]
    fits = [
        node for node in usb_nodes(kind) if match.may_be(node.path, links) and match.says(node.vid_pid, node.serial, node.name, node.phys)
    ]
    return only(fits, match, what, str).path


def _node(entry: Path) -> UsbNode | None:
    """The entry of a class in sysfs, if there is USB above it: its interface's directory, and above that the device's."""
    device = (entry / "device").resolve()
    usb = next((above for above in device.parents if (above / "idVendor").exists()), None)
    if usb is None:
        return None
    interface = device.relative_to(usb).parts[0]
    says = {key: _read(usb / key) for key in ("idVendor", "idProduct", "serial", "manufacturer", "product")}
    name = " ".join(filter(None, (says["manufacturer"], says["product"])))
    node = _read(entry / "uevent").partition("DEVNAME=")[2].partition("\n")[0] or entry.name
    return UsbNode(str(DEV / node), f"{says['idVendor']}:{says['idProduct']}".lower(), says["serial"], name, interface)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # unplugged since it was listed, or a device that does not tell
        return ""


def _links(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:  # udev removes the directory with its last link
        return []
