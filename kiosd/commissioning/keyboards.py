"""/proc/bus/input/devices: every input device with its names and the keys it has, readable by everybody, opened by nobody."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LONG_BITS = struct.calcsize("l") * 8
"""The kernel prints a bitmap in words of this many bits, the highest first, without leading zeros."""
KEY_1, KEY_0, KEY_A, KEY_ENTER, KEY_KP7, KEY_KP0, KEY_KPENTER = 2, 11, 30, 28, 71, 82, 96  # input-event-codes.h
LINE = re.compile(r"^([A-Z]): (.*)$")


@dataclass(frozen=True, slots=True)
class Keyboard:
    """An input device that has keys. ``sysfs`` is its directory below /sys, ``event`` the name of its node."""

    name: str
    phys: str
    uniq: str
    identity: str
    sysfs: str
    event: str
    kind: Literal["scanner", "keypad"] | None


def listed(text: str) -> Iterator[Keyboard]:
    """Every device of the file; ``kind`` is None for those that type nothing."""
    for block in text.split("\n\n"):
        fields = _fields(block)
        event = next((word for word in fields.get("H", "").partition("=")[2].split() if word.startswith("event")), "")
        if event:
            yield Keyboard(
                name=fields.get("N", "").partition("=")[2].strip('"'),
                phys=fields.get("P", "").partition("=")[2],
                uniq=fields.get("U", "").partition("=")[2],
                identity=_identity(fields.get("I", "")),
                sysfs=fields.get("S", "").partition("=")[2],
                event=event,
                kind=_kind(fields.get("KEY", ""), "REL" in fields),
            )


def _fields(block: str) -> dict[str, str]:
    """The lines of a device: ``N: Name="..."`` by its letter, ``B: KEY=...`` by the word after it."""
    fields: dict[str, str] = {}
    for line in block.splitlines():
        if found := LINE.match(line):
            letter, rest = found.groups()
            key, _, value = rest.partition("=")
            fields.update({key: value} if letter == "B" else {letter: rest})
    return fields


def _identity(line: str) -> str:
    vendor, product = (re.search(rf"\b{key}=(\w{{4}})", line) for key in ("Vendor", "Product"))
    return f"{vendor[1]}:{product[1]}" if vendor and product else ""


def keys(bitmap: str) -> set[int]:
    """The numbers of the keys in a bitmap as the kernel prints it."""
    number = 0
    for word in bitmap.split():
        number = number << LONG_BITS | int(word, 16)
    return {bit for bit in range(number.bit_length()) if number >> bit & 1}


def _kind(bitmap: str, moves: bool) -> Literal["scanner", "keypad"] | None:
    """By its keys: digits and Enter make a code, digits on a pad alone make a call keypad. A mouse with keys is neither."""
    have = keys(bitmap) if re.fullmatch(r"[0-9a-fA-F ]*", bitmap) else set()
    if moves:
        return None
    if {KEY_1, KEY_0, KEY_A, KEY_ENTER} <= have:
        return "scanner"
    return "keypad" if {KEY_KP7, KEY_KP0, KEY_KPENTER} <= have else None
