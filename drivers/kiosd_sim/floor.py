"""Where a finger goes: which pin or key is which button, which scanner is on which desk. Read from a simulation's configuration."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosd.errors import Refused, Unavailable
from kiosd_sim.keypad import PAD_KEYS, PAD_LAMPS, name_of
from kiosd_sim.settings import KEYPAD

CONFIG = "kiosd.toml"
PINS_SOCKET = "pins.sock"
FAR_SOCKET = "far.sock"
KEYBOARDS_SOCKET = "keyboards.sock"


@dataclass(frozen=True, slots=True)
class Panel:
    """Buttons of one device: name -> pin, of a ``keypad`` the code of its key."""

    device: str = ""
    buttons: dict[str, int] = field(default_factory=dict)
    keypad: bool = False

    def contact(self, number: int) -> str:
        """A pin or a key, as a person calls it."""
        return f"key {name_of(number)}" if self.keypad else f"pin {number}"


@dataclass(frozen=True, slots=True)
class Light:
    """A lamp of a panel: its pin, which lights it when it is ``high``, or of a ``keypad`` the number of its own lamp."""

    device: str
    name: str
    number: int
    high: bool = True
    keypad: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """One counter: what it serves and what stands on it; ``scanner`` is a device or ``""``."""

    number: int
    services: tuple[str, ...]
    keys: Panel
    rating: Panel
    scanner: str


@dataclass(frozen=True, slots=True)
class Floor:
    """A whole kiosk. ``max_calls`` and ``recall_gap_s`` are rules that an officer knows; ``topics`` is what a subscriber asks for."""

    tickets: Panel
    desks: dict[str, Desk]
    max_calls: int
    recall_gap_s: float
    topics: str
    lights: tuple[Light, ...] = ()

    def desk(self, counter: str) -> Desk:
        """The desk of ``counter``; ``Refused`` with those there are."""
        desk: Desk = named(self.desks, counter, "counter")
        return desk


def floor(document: dict[str, Any]) -> Floor:
    """The floor plan of a good configuration."""
    rules = document.get("rules", {})
    central = document.get("mqtt", {}).get("central", {})
    return Floor(
        tickets=_panel(document, document.get("ticket_machine", {}).get("buttons")),
        desks={number: _desk(document, int(number), desk) for number, desk in document["counters"].items()},
        max_calls=rules.get("max_calls", 3),
        recall_gap_s=rules.get("recall_gap_s", 10.0),
        topics=f"{central.get('prefix', 'kiosd')}/1/#",
        lights=tuple(light for device, config in document["devices"].items() for light in _lights(device, config)),
    )


def _lights(device: str, config: dict[str, Any]) -> Iterator[Light]:
    for name, lamp in config.get("lamps", {}).items():
        if config["driver"] == KEYPAD:
            yield Light(device, name, PAD_LAMPS[lamp], keypad=True)
        else:
            yield Light(device, name, lamp, config.get("active_high", True))


def _desk(document: dict[str, Any], number: int, desk: dict[str, Any]) -> Desk:
    keys, rating = (_panel(document, desk.get(kind)) for kind in ("keys", "rating"))
    return Desk(number, tuple(desk["services"]), keys, rating, desk.get("scanner", ""))


def _panel(document: dict[str, Any], device: str | None) -> Panel:
    if not device:
        return Panel()
    config = document["devices"][device]
    if config["driver"] == KEYPAD:
        pad = Panel(device, keypad=True)
        for key, button in config["keys"].items():
            pad.buttons.setdefault(button, PAD_KEYS[key])  # of several keys that are one button the first
        return pad
    return Panel(device, {name: pins[0] if isinstance(pins, list) else pins for name, pins in config["buttons"].items()})


def read_floor(state: Path) -> Floor:
    """The floor plan of the simulation in ``state``; ``Unavailable`` when there was none."""
    try:
        return floor(tomllib.loads((state / CONFIG).read_text(encoding="utf-8")))
    except OSError:
        raise Unavailable(not_running(state)) from None
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise Unavailable(f"{state / CONFIG} is not the configuration of a simulation: {exc}") from None


def not_running(state: Path) -> str:
    """What to say when nobody answers."""
    return f"no simulation runs in {state}; start one with: make run (another directory is named with --state)"


def pin(panel: Panel, button: str, place: str) -> int:
    """The pin of ``button``, or its key, which a keypad's own name for it tells too; ``Refused`` with what ``place`` has."""
    there = {**panel.buttons, **{key: code for key, code in PAD_KEYS.items() if panel.keypad and key not in panel.buttons}}
    number: int = named(there, button, "button", f" at {place}")
    return number


def named(there: Mapping[str, Any], name: str, what: str, place: str = "") -> Any:
    """``there[name]``; ``Refused`` with what there is."""
    if name not in there:
        raise Refused("unknown", {"message": f"there is no {what} {name[:40]!r}{place}; there are: {', '.join(there) or 'none'}"})
    return there[name]
