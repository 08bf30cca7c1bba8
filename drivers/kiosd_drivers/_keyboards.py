"""Which keyboard is the scanner: find it by the rules of ``_match``, and grab it at once.

Until it is grabbed its keys also reach the console: codes are typed there, and SysRq is obeyed (hardware section 0, finding 6).
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kiosd.errors import DeviceError
from kiosd_drivers._keys import EV_KEY, KEY_1, KEY_ENTER
from kiosd_drivers._match import DEV, Links, Match, only
from kiosd_drivers._reasons import reason

if TYPE_CHECKING:
    import evdev

LINKS: Links = {"by_id": DEV / "input/by-id", "by_path": DEV / "input/by-path"}
TYPES = frozenset({KEY_1, KEY_ENTER})
"""What a scanner can type; it often has further interfaces that cannot, and a power button is a keyboard too."""
EVIOCSMASK = 0x4010_4593  # linux/input.h: _IOW('E', 0x93, struct input_mask)
EV_MSC = 4
CODES = {errno.EBUSY: "busy", errno.EACCES: "denied", errno.EPERM: "denied"}


def _fits(device: "evdev.InputDevice[str]", match: Match, keys: frozenset[int]) -> bool:
    has: Any = device.capabilities().get(EV_KEY, ())
    return keys <= set(has) and match.says(f"{device.info.vendor:04x}:{device.info.product:04x}", device.uniq, device.name, device.phys)


@contextmanager
def translated(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        number = exc.errno or 0
        raise DeviceError(f"{name}: {reason(number)}", CODES.get(number, "absent")) from exc


def _candidates(match: Match, keys: frozenset[int]) -> "list[evdev.InputDevice[str]]":
    import evdev

    found = []
    for path in sorted(evdev.list_devices()):
        with suppress(OSError):  # unplugged since it was listed, or not ours to read
            device = evdev.InputDevice(path) if match.may_be(path, LINKS) else None
            if device is not None and _fits(device, match, keys):
                found.append(device)
            elif device is not None:
                device.close()
    return found


def grab(match: Match, keys: frozenset[int] = TYPES) -> "evdev.InputDevice[str]":
    """The one keyboard that fits and has these ``keys``, grabbed: from now on nobody else sees what is typed. Blocks.

    ``DeviceError``: ``absent`` when none fits, ``ambiguous`` when several do, ``busy`` when another program has grabbed it.
    """
    found = _candidates(match, keys)
    try:
        one = only(found, match, "keyboard", lambda device: f"{os.fsdecode(device.path)} {device.name!r}")
        with translated(os.fsdecode(one.path)):
            one.grab()
        _spare(one.fd)
        return found.pop()
    finally:
        for device in found:
            close(device)


def _spare(fd: int) -> None:
    """Leave out the scan codes that come beside each key (EV_MSC): nobody reads them, and the kernel keeps only 64 events for us.

    A third more keys have room, and a burst of codes may meet a busy processor.
    """
    with suppress(OSError):  # it works without, and only a real event device can do it
        fcntl.ioctl(fd, EVIOCSMASK, struct.pack("=IIQ", EV_MSC, 0, 0))  # of this type no codes at all


def close(device: "evdev.InputDevice[str]") -> None:
    with suppress(OSError):  # closing also ends the grab
        device.close()
