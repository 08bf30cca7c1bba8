"""The lines of a configuration for what is plugged in, and which of it a configuration has already. Pure.

``TEMPLATES`` is the rule. A device needs a place as well: the line for it stands below as a comment, with the section it belongs in.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kiosd.commissioning.plugged import Kind, Plugged

Devices = Mapping[str, Mapping[str, Any]]
"""[devices] as the file says it: name -> keys and values, unchecked."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a kind of device is written: its name, its driver, its lines, and the line that gives it a place."""

    name: str
    driver: str
    lines: tuple[str, ...]
    place: str


TEMPLATES: dict[Kind, Template] = {
    "printer": Template("printer", "escpos_printer", ("port = {port}", "columns = 48  # 80 mm paper; 58 mm has 32"),
                        "in [ticket_machine]: printer = {name}"),
    "serial": Template("scanner", "serial_scanner",
                       ("port = {port}", 'baudrate = 9600  # a display instead: driver = "serial_display" and its protocol'),
                       "in [counters.N]: scanner = {name}"),
    "scanner": Template("scanner", "evdev_scanner", ("match = {{ {match} }}",), "in [counters.N]: scanner = {name}"),
    "keypad": Template("keys", "evdev_keypad", ("match = {{ {match} }}", 'keys = {{ KPENTER = "advance", KP0 = "repeat" }}'),
                       "in [counters.N]: keys = {name}"),
    "gpio": Template("ticket_buttons", "gpio_buttons", ("buttons = {{ {buttons} }}  # a button for each service, to ground",),
                     "in [ticket_machine]: buttons = {name}"),
    "sound": Template("voice", "aplay_voice", ("card = {card}",), "in [voice]: announcer = {name}"),
}  # fmt: skip
HEADER = "pinctrl-"
"""The label of a chip with the pins of the header begins so, on every Raspberry Pi; other chips hold the board's own lines."""
GOOD_PINS = (4, 17, 27, 22, 5, 6, 13, 19, 26, 18, 23, 24, 25, 12, 16, 20, 21)
"""BCM numbers of pins that are nothing else on a plain board: not I2C (2, 3), UART (14, 15), SPI (7 to 11) or EEPROM (0, 1)."""
SERVICES = "AB"


def lines(one: Plugged, taken: Collection[str], devices: Devices) -> list[str]:
    """What to paste for ``one``; nothing for what no driver of kiosd drives. ``taken``: names that other devices have."""
    if one.kind == "gpio" and not one.facts.get("label", "").startswith(HEADER):
        return []
    template = TEMPLATES[one.kind]
    name = fresh(template.name, taken)
    facts = {
        "port": quoted(one.port),
        "name": quoted(name),
        "match": match(one),
        "card": quoted(one.port),
        "buttons": _buttons(one, devices),
    }
    body = (line.format(**facts) for line in (*template.lines, f"# {template.place}"))
    return [f"[devices.{name}]", f"driver = {quoted(template.driver)}", *body]


def quoted(text: str) -> str:
    """``text`` as a TOML string, safe to print: JSON's escapes are TOML's too, but for JSON's way beyond 16 bits."""
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in json.dumps(text, ensure_ascii=False))


def fresh(name: str, taken: Collection[str]) -> str:
    """``name``, or the first of name_2, name_3 ... that is free."""
    return next(one for one in (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3))) if one not in taken)


def match(one: Plugged) -> str:
    """The rule that names this keyboard: its link, else its name and identity."""
    folder, _, link = one.port.rpartition("/")
    key = {"/dev/input/by-id": "by_id", "/dev/input/by-path": "by_path"}.get(folder)
    if key:
        return f"{key} = {quoted(plain(link))}"
    rules = {"name": plain(one.facts.get("name", "")), "vid_pid": one.facts.get("identity", "")}
    return ", ".join(f"{key} = {quoted(value)}" for key, value in rules.items() if value)


def plain(text: str) -> str:
    """``text`` as a pattern that fits nothing else."""
    return re.sub(r"([*?[])", r"[\1]", text)


def _buttons(one: Plugged, devices: Devices) -> str:
    """Pins that nobody has, neither in the configuration nor at the chip."""
    used = {int(offset) for offset in re.findall(r"(?:^|, )(\d+) \(", one.facts.get("used", ""))}
    free = [pin for pin in GOOD_PINS if pin not in used and pin not in pins(devices)]
    return ", ".join(f"{service} = {pin}" for service, pin in zip(SERVICES, free, strict=False))


def pins(devices: Devices) -> dict[int, str]:
    """Every pin of the configuration and the device that has it."""
    found: dict[int, str] = {}
    for name, device in devices.items():
        for table in (device.get("buttons"), device.get("lamps")) if isinstance(device, Mapping) else ():
            for value in table.values() if isinstance(table, Mapping) else ():
                several = value if isinstance(value, list | tuple) else [value]
                found.update(dict.fromkeys((pin for pin in several if isinstance(pin, int)), name))
    return found


# Which device of a configuration it is.


def configured(one: Plugged, devices: Devices) -> list[str]:
    """The devices of the configuration that are ``one``."""
    return [name for name, device in devices.items() if isinstance(device, Mapping) and _is(one, device)]


def _is(one: Plugged, device: Mapping[str, Any]) -> bool:
    if one.kind == "gpio":
        return device.get("driver") == "gpio_buttons" and one.facts.get("label", "").startswith(HEADER)
    if one.kind == "sound":
        return f"CARD={one.facts['card']}" in str(device.get("card", ""))
    rules = device.get("match")
    if isinstance(rules, Mapping) and rules:
        return all(_fits(one, str(key), str(value)) for key, value in rules.items())
    return device.get("port") in {one.node, one.port, *one.links}


def _fits(one: Plugged, key: str, pattern: str) -> bool:
    """One rule of ``match``; a rule that is not known fits nothing."""
    links = {"by_id": "by-id", "by_path": "by-path"}
    if key in links:
        return any(fnmatchcase(link.rpartition("/")[2], pattern) for link in one.links if f"/{links[key]}/" in link)
    if key == "vid_pid":
        return pattern.lower() in {one.identity.lower(), one.facts.get("identity", "").lower()}
    if key == "path":
        return pattern in {one.node, *one.links}
    says = {**one.facts, "serial": one.serial or one.facts.get("uniq", "")}
    return key in says and fnmatchcase(says[key], pattern)
