"""From a preset for a real board to the configuration of its simulation: the same file, with as little changed as can be.

``PORTS`` is the rule: of a device only its port changes. What else changes lets a simulation work at any hour and on any machine, and
every change is told.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = dict[str, Any]

PORTS: dict[str, str] = dict.fromkeys(("escpos_printer", "serial_scanner", "serial_display", "modbus_display", "max7219_display"), "port")
"""Driver -> the key that says where the device is."""
KEYPAD = "evdev_keypad"
AS_KEYBOARD = frozenset({KEYPAD, "evdev_scanner"})
"""Drivers that find their device among all keyboards: the library under them is another, and there ``match`` finds one by its path."""
FOREIGN = ("layout", "alt_codes")
"""Settings of a scanner that types in another way than the simulated one."""
ON_PINS = frozenset({"gpio_buttons"})
"""Drivers that stay as they are: the pin factory under them is another."""
BY_PROGRAM = frozenset({"aplay_voice"})
"""Drivers that stay as they are: the program that they call is another."""
FILES: dict[str, tuple[str, ...]] = {"escpos_printer": ("logo",), "aplay_voice": ("chime_file", "clips", "lexicon")}
"""Driver -> keys that name files of the site."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALL_DAY = ["00:00-24:00"]
DATED = ("calendars", "closed", "special")
"""Keys of ``[hours]`` that change single days."""
LONGEST_PATH = 200  # characters, of ``kiosd.ports.SiteFile``
BROKER_FILES = ("password_file", "ca_file", "cert_file", "key_file")
OTHER_BROKER = ("username", *BROKER_FILES, "insecure")
"""Keys of ``[mqtt.central]`` that belong to the broker of the preset."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """The simulation's configuration, and what differs from the preset: a word and a sentence each."""

    document: Document
    differences: tuple[tuple[str, str], ...]


def drivers(document: Document) -> dict[str, str]:
    """Device -> driver."""
    return {name: device["driver"] for name, device in document.get("devices", {}).items()}


def cannot(document: Document) -> dict[str, str]:
    """Devices that have no far side here, with their drivers."""
    return {name: driver for name, driver in drivers(document).items() if driver not in {*PORTS, *AS_KEYBOARD, *ON_PINS, *BY_PROGRAM}}


def at_home(preset: Document, folder: Path, home: Path) -> Document:
    """``preset``, of the folder ``folder``, as the folder ``home`` may have it: relative paths of files become absolute, and of devices
    those that would be too long a name become links in ``home``."""
    document = deepcopy(preset)
    for broker in document.get("mqtt", {}).values():
        broker |= {key: str(folder.absolute() / broker[key]) for key in BROKER_FILES if key in broker}
    for name, device in document.get("devices", {}).items():
        for key in FILES.get(device["driver"], ()):
            if key in device:
                path = folder.absolute() / device[key]
                device[key] = str(path) if len(str(path)) <= LONGEST_PATH else _linked(home, f"{name}-{key}", path)
    return document


def _linked(home: Path, name: str, path: Path) -> str:
    link = home / name
    link.unlink(missing_ok=True)  # of the run before
    link.symlink_to(path)
    return name


def simulated(preset: Document, ports: Mapping[str, str], mqtt_port: int | None) -> Simulated:
    """``preset`` (a good one) with its devices at ``ports`` and its broker at ``mqtt_port`` of this machine, or none."""
    document = deepcopy(preset)
    changes = (
        _pins(document),
        _devices(document, ports),
        _left_out(document),
        _hours(document),
        _scan_key(document),
        _broker(document, mqtt_port),
    )
    return Simulated(document, tuple(change for group in changes for change in group))


def _pins(document: Document) -> Iterator[tuple[str, str]]:
    if ON_PINS & set(drivers(document).values()):
        yield "pins", "simulated ones (GPIOZERO_PIN_FACTORY=kiosd_sim), same numbers"
    for name, driver in drivers(document).items():
        if driver in BY_PROGRAM:
            yield name, "a program in aplay's place, which writes down what it was given to play"


def _devices(document: Document, ports: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, driver in drivers(document).items():
        if key := PORTS.get(driver):
            device = document["devices"][name]
            before = _rules(device.pop("match")) if "match" in device else device[key]
            device[key] = ports[name]
            yield name, f"{key} {ports[name]} instead of {before}"
        elif driver in AS_KEYBOARD:
            yield from _keyboard(document["devices"][name], name, ports[name])


def _rules(match: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in match.items())


def _keyboard(device: Document, name: str, path: str) -> Iterator[tuple[str, str]]:
    before, device["match"] = device["match"], {"path": path}
    yield name, f"match.path {path} instead of {_rules(before)}"
    for key in FOREIGN:
        if device.pop(key, None) is not None:
            yield name, f"types as an American keyboard: {key} left out"


def _left_out(document: Document) -> Iterator[tuple[str, str]]:
    """Take out what cannot be simulated, and every mention of it."""
    gone = cannot(document)
    for name, driver in gone.items():
        del document["devices"][name]
        yield name, f"left out: there is no simulation of {driver}"
    for counter in document.get("counters", {}).values():
        _unname(counter, gone)
    _unname(document.get("ticket_machine", {}), gone)
    if document.get("voice", {}).get("announcer") in gone:
        del document["voice"]
    board = document.get("call_board", {})
    board["displays"] = [name for name in board.get("displays", ()) if name not in gone]
    for section, key in (("ticket_machine", None), ("call_board", "displays")):
        if not (document.get(section, {}) if key is None else document.get(section, {}).get(key)):
            document.pop(section, None)


def _unname(place: Document, gone: Mapping[str, str]) -> None:
    for key in ("buttons", "printer", "spare", "keys", "scanner", "rating", "display"):
        if place.get(key) in gone:
            del place[key]


def _hours(document: Document) -> Iterator[tuple[str, str]]:
    hours = document.get("hours", {})
    document["hours"] = {key: value for key, value in hours.items() if key not in DATED} | dict.fromkeys(DAYS, ALL_DAY)
    yield "hours", "open round the clock, every day, holidays too"
    document["clock"] = document.get("clock", {}) | {"trust_rtc": True}
    yield "clock", "the time of this machine is taken as right"


def _scan_key(document: Document) -> Iterator[tuple[str, str]]:
    if document.pop("scan", None) is not None:
        yield "scan", "a key of its own in the state directory"


def _broker(document: Document, port: int | None) -> Iterator[tuple[str, str]]:
    if port is None:
        if document.pop("mqtt", None) is not None:
            yield "mqtt", "left out: there is no broker"
        return
    central = document.setdefault("mqtt", {}).setdefault("central", {})
    for key in OTHER_BROKER:
        central.pop(key, None)
    central |= {"host": "127.0.0.1", "port": port}
    yield "mqtt", f"a private broker at 127.0.0.1:{port}"
