"""What is plugged in, from sysfs and udev's names: no device is opened, none is asked, none notices.

Rule 1  A device goes by the name that stays: by-id where it is the only one of that identity, by-path (the socket) where several are
        alike, the kernel's own name (lp0, ttyUSB0) only where there is nothing else. Why a name is not sure is said.
Rule 2  What cannot be a device of a kiosk (a mouse, a serial port without a chip behind it) is not listed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kiosd.commissioning import keyboards
from kiosd.commissioning.machine import Machine

Kind = Literal["printer", "serial", "scanner", "keypad", "gpio", "sound"]
"""``scanner``: anything that types letters or digits and Enter, so a keyboard too. ``keypad``: one that types digits only."""
NO_UART = "0"  # /sys/class/tty/ttyS*/type: PORT_UNKNOWN, a place for a port that is not there
CARD = re.compile(r"^ *(\d+) \[(\S+) *\]: *(\S+) - (.*)$")
MOVES = "its name is given in the order of plugging in: with a second one of its kind it may be the other"
SOCKET = "others here are just like it, so it goes by its socket: plug it in nowhere else"
NO_SERIAL = "it has no serial number: a second one of its kind would have the same name; then take /dev/.../by-path for both"
TYPES = "a scanner, a keyboard and many number pads look alike: if people type on it, leave it out"
ON_BOARD = "the board's own serial port: no console may use it (kiosd doctor tells)"


@dataclass(frozen=True, slots=True)
class Plugged:
    """One device. ``port`` is the name to use in a configuration, ``node`` what the kernel calls it today.

    ``identity`` is vendor:product of USB, ``serial`` its serial number; ``socket`` is the USB socket that it is in. ``notes`` say what
    to know before using it; ``facts`` are what only its kind has.
    """

    kind: Kind
    what: str
    node: str
    port: str
    identity: str = ""
    serial: str = ""
    socket: str = ""
    driver: str = ""
    links: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usb:
    """The USB device behind something; all is empty when there is none."""

    identity: str = ""
    serial: str = ""
    socket: str = ""
    what: str = ""
    interface: str = ""


def plugged(machine: Machine) -> list[Plugged]:
    """Everything, printers first."""
    return [*_printers(machine), *_serial(machine), *_keyboards(machine), *_chips(machine), *_cards(machine)]


def usb_behind(machine: Machine, device: Path) -> Usb:
    """The USB device that ``device`` (a directory of sysfs) is a part of, and its interface (``1-1.2:1.0``)."""
    below = ""
    for folder in (device, *device.parents):
        if (folder / "idVendor").is_file():
            identity = f"{machine.text(folder / 'idVendor')}:{machine.text(folder / 'idProduct')}"
            words = [machine.text(folder / name) for name in ("manufacturer", "product")]
            return Usb(identity, machine.text(folder / "serial"), folder.name, " ".join(filter(None, words)), below)
        below = folder.name
    return Usb()


@dataclass(frozen=True, slots=True)
class _Named:
    """A device node with what is known of it before its name is chosen."""

    name: str
    usb: Usb
    driver: str
    links: dict[str, list[str]]


def _named(machine: Machine, name: str, device: Path) -> _Named:
    driver = device / "driver"
    what = driver.resolve().name if driver.exists() else ""
    return _Named(name, usb_behind(machine, device), what, machine.links(machine.path(name).resolve()))


def _stable(one: _Named, others: Iterable[_Named]) -> tuple[str, tuple[str, ...]]:
    """The name that stays, and what to know about it."""
    by = {folder.rpartition("/")[2]: f"{folder}/{names[0]}" for folder, names in one.links.items()}
    alike = any(other.usb.socket != one.usb.socket and _same(other.usb, one.usb) for other in others)
    if "kiosd" in by:
        return by["kiosd"], ()
    if "by-id" in by and not alike:
        return by["by-id"], () if one.usb.serial else (NO_SERIAL,)
    if "by-path" in by:
        return by["by-path"], (SOCKET,) if alike else ()
    return one.name, (MOVES,) if one.usb.identity else ()


def _same(one: Usb, other: Usb) -> bool:
    """Whether two USB devices would get one name under by-id."""
    return bool(one.identity) and (one.identity, one.serial) == (other.identity, other.serial)


def _plugged(kind: Kind, one: _Named, what: str, stable: tuple[str, tuple[str, ...]], facts: dict[str, str] | None = None) -> Plugged:
    usb, (port, notes) = one.usb, stable
    links = tuple(f"{folder}/{name}" for folder, names in one.links.items() for name in names)
    return Plugged(kind, what, one.name, port, usb.identity, usb.serial, usb.socket, one.driver, links, notes, facts or {})


def _printers(machine: Machine) -> Iterator[Plugged]:
    """USB printers: those that the kernel's usblp holds."""
    ports = machine.inside("/sys/class/usbmisc", "lp*")
    found = [_named(machine, f"/dev/usb/{port.name}", (port / "device").resolve()) for port in ports]
    for port, one in zip(ports, found, strict=True):
        says = _ieee1284(machine.text((port / "device").resolve() / "ieee1284_id"))
        name, notes = _stable(one, found)
        if len(found) == 1:
            notes = ()
        if says.get("CMD") and "ESC" not in says["CMD"].upper():
            notes += (f"it says that it understands {says['CMD']}: a ticket printer speaks ESC/POS",)
        what = " ".join(filter(None, (says.get("MFG", ""), says.get("MDL", "")))) or one.usb.what or "USB printer"
        yield _plugged("printer", one, what, (name, notes), {"name": one.usb.what, "phys": one.usb.interface})


def _ieee1284(text: str) -> dict[str, str]:
    """``MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;`` as a table, with the short keys; the two bytes of length in front are passed over."""
    long = {"MANUFACTURER": "MFG", "MODEL": "MDL", "COMMAND SET": "CMD"}
    pairs = [part.partition(":") for part in text.split(";") if ":" in part]
    keys = [re.sub(r"^[^A-Z]*", "", key.strip().upper()) for key, _, _ in pairs]
    return {long.get(key, key): value.strip() for key, (_, _, value) in zip(keys, pairs, strict=True)}


def _serial(machine: Machine) -> Iterator[Plugged]:
    """Serial ports with a device behind them, those on USB first."""
    ttys = [tty for tty in machine.inside("/sys/class/tty") if (tty / "device").exists() and machine.text(tty / "type") != NO_UART]
    found = [_named(machine, f"/dev/{tty.name}", (tty / "device").resolve()) for tty in ttys if machine.there(f"/dev/{tty.name}")]
    for one in sorted(found, key=lambda one: not one.usb.identity):
        stable = _stable(one, found) if one.usb.identity else (one.name, (ON_BOARD,))
        yield _plugged("serial", one, one.usb.what or "serial port", stable, {"name": one.usb.what, "phys": one.usb.interface})


def _keyboards(machine: Machine) -> Iterator[Plugged]:
    """Whatever types: scanners in keyboard mode, number pads, and the keyboard that somebody types on."""
    listed = [one for one in keyboards.listed(machine.text("/proc/bus/input/devices")) if one.kind is not None]
    found = [_named(machine, f"/dev/input/{one.event}", machine.path(f"/sys{one.sysfs}").resolve()) for one in listed]
    for one, keyboard in sorted(zip(found, listed, strict=True), key=lambda both: not both[0].usb.identity):
        port, notes = _stable(one, found)
        if keyboard.kind == "scanner":
            notes += (TYPES,)
        facts = {"name": keyboard.name, "phys": keyboard.phys, "uniq": keyboard.uniq, "identity": keyboard.identity}
        yield _plugged(keyboard.kind or "scanner", one, keyboard.name, (port, notes), facts)


def _chips(machine: Machine) -> Iterator[Plugged]:
    """GPIO chips; the one with the header's pins is labelled pinctrl-..."""
    for node in machine.inside("/dev", "gpiochip*"):
        name, chip = machine.name(node), machine.chip(node)
        if chip is None:
            yield Plugged("gpio", "GPIO chip", name, name, notes=("it may not be opened here: run this as root",))
            continue
        used = ", ".join(f"{offset} ({user})" for offset, user in chip.used.items())
        yield Plugged("gpio", f"{chip.label}, {chip.lines} lines", name, name, facts={"label": chip.label, "used": used})


def _cards(machine: Machine) -> Iterator[Plugged]:
    """Sound cards: their names stay, their numbers do not."""
    for line in machine.text("/proc/asound/cards").splitlines():
        if found := CARD.match(line):
            number, name, driver, what = found.groups()
            node = f"/dev/snd/controlC{number}"
            yield Plugged("sound", what, node, f"plughw:CARD={name}", driver=driver, facts={"card": name})
