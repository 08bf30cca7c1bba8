"""A GPIO chip, asked through its character device: what it is called, how many lines it has, and who holds which.

Asking disturbs nobody: no line is requested (include/uapi/linux/gpio.h, version 2 of the interface, kernel 5.10 and newer).
"""

import fcntl
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHIP_INFO = 0x8044B401  # GPIO_GET_CHIPINFO_IOCTL: name[32] label[32] lines
CHIP = struct.Struct("32s32sI")
LINE_INFO = 0xC100B405  # GPIO_V2_GET_LINEINFO_IOCTL
LINE = struct.Struct("32s32sIIQ160s16s")  # name, consumer, offset, number of attributes, flags, attributes, padding
USED = 1  # GPIO_V2_LINE_FLAG_USED
MOST_LINES = 512


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip. ``used``: offset of a line -> who holds it (``"?"`` when the kernel does not say)."""

    label: str
    lines: int
    used: Mapping[int, str] = field(default_factory=dict)


def read_chip(node: Path) -> Chip | None:
    """The chip behind ``node``; None when it may not be opened, or is none."""
    try:
        fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        _, label, lines = CHIP.unpack(fcntl.ioctl(fd, CHIP_INFO, bytes(CHIP.size)))
        used = [(offset, user) for offset in range(min(lines, MOST_LINES)) if (user := _user(fd, offset))]
        return Chip(_text(label), lines, dict(used))
    except OSError:
        return None
    finally:
        os.close(fd)


def _user(fd: int, offset: int) -> str:
    """Who holds a line; ``""`` when it is free."""
    asked = LINE.pack(b"", b"", offset, 0, 0, b"", b"")
    _, consumer, _, _, flags, _, _ = LINE.unpack(fcntl.ioctl(fd, LINE_INFO, asked))
    return (_text(consumer) or "?") if flags & USED else ""


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode(errors="replace")
