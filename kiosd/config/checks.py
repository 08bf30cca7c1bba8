"""What the sections of a configuration owe each other: services and kiosk type, counters, devices, pins, ports.

A part that is wrong by itself is None here and is passed over, so that no second error follows from the first.
"""

import os.path
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from kiosd import registry
from kiosd.config.model import CallBoardSettings, CounterSettings, DeskSettings, DeviceSettings, TicketMachineSettings, VoiceSettings
from kiosd.config.problems import Loc, Problems, did_you_mean, where
from kiosd.ports import Announcer, ButtonPanel, CallDisplay, Scanner, TicketPrinter
from kiosd.queue.settings import ServiceSettings, SiteSettings

PRESETS = {1: "ABCDEFG", 2: "ABCDE", 3: "FG", 4: "FG"}
"""Services of each kiosk type (domain section 1). Type 4 has one of its two or both."""
CHOICE = 4

PORT_WORDS: dict[type, str] = {
    ButtonPanel: "buttons",
    Scanner: "a scanner",
    TicketPrinter: "a ticket printer",
    CallDisplay: "a call display",
    Announcer: "a voice",
}
RATING_BUTTONS = ("1", "2", "3", "4")
KEY_FUNCTIONS = ("next", "recall", "start", "absent", "undo", "invite", "finish", "open", "close", "pause", "advance", "repeat")
"""What the keys at a counter can do; ``advance`` and ``repeat`` do what comes next in the counter's state."""
LAMPS = {"ticket": ("ready", "paper"), "rating": ("rate",), "keys": ("ready",)}
"""The lamps that are lit at each place that has buttons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A configuration's devices and their places while they are checked: what was read, None where a part is wrong or, for the
    optional ones, absent."""

    services: Mapping[str, ServiceSettings | None]
    counters: Mapping[str, DeskSettings | None]
    ticket_machine: TicketMachineSettings | None
    call_board: CallBoardSettings | None
    voice: VoiceSettings | None
    devices: Mapping[str, DeviceSettings | None]


@dataclass(frozen=True, slots=True)
class Use:
    """A place in the file that names a device: ``role`` is what its buttons are for."""

    loc: Loc
    device: str
    port: type
    role: str = ""


def check_devices(draft: Draft, problems: Problems) -> None:
    """Note everything in which devices and their places disagree."""
    uses = list(_uses(draft))
    for use in uses:
        _check_use(draft, use, problems)
    _check_places(draft, uses, problems)
    _check_shared(draft, problems)


def check_type(site: SiteSettings | None, services: Collection[str], problems: Problems) -> None:
    """Note the services that the kiosk's type does not have, or lacks."""
    if site is None:
        return
    kind, given = site.type, set(services)
    preset = PRESETS[kind]
    for letter in sorted(given - set(preset)):
        problems.add(("services", letter), f"kiosk type {kind} has no service {letter}; it has {', '.join(preset)}: remove this section")
    if kind == CHOICE and not given:
        problems.add(("services",), f"kiosk type {kind} has service F, G or both: add [services.F] or [services.G]")
    elif kind != CHOICE:
        for letter in sorted(set(preset) - given):
            problems.add(("services", letter), f"missing; kiosk type {kind} has {', '.join(preset)}: add this section")


def check_counters(
    counters: Mapping[str, CounterSettings | None], services: Mapping[str, ServiceSettings | None], problems: Problems
) -> None:
    """Note counters that serve what there is not, and services that nobody serves."""
    served: set[str] = set()
    for number, counter in counters.items():
        for index, letter in enumerate(counter.services if counter is not None else ()):
            served.add(letter)
            if letter not in services:
                known = ", ".join(sorted(services)) or "none"
                problems.add(("counters", number, "services", index), f"found '{letter}'; allowed: a service of this kiosk: {known}")
    if problems.inside("counters"):
        return  # whoever serves the rest may be behind that error
    for letter, service in services.items():
        if service is not None and service.enabled and letter not in served:
            problems.add(("services", letter), f"no counter serves it: add '{letter}' to a counter's services, or set enabled = false")


def _uses(draft: Draft) -> Iterator[Use]:
    if (machine := draft.ticket_machine) is not None:
        yield from _use(("ticket_machine", "buttons"), machine.buttons, ButtonPanel, "ticket")
        yield from _use(("ticket_machine", "printer"), machine.printer, TicketPrinter)
        yield from _use(("ticket_machine", "spare"), machine.spare, TicketPrinter)
    for index, device in enumerate(draft.call_board.displays if draft.call_board is not None else ()):
        yield Use(("call_board", "displays", index), device, CallDisplay)
    yield from _use(("voice", "announcer"), draft.voice.announcer if draft.voice is not None else None, Announcer)
    for number, counter in draft.counters.items():
        if counter is not None:
            yield from _use(("counters", number, "keys"), counter.keys, ButtonPanel, "keys")
            yield from _use(("counters", number, "scanner"), counter.scanner, Scanner)
            yield from _use(("counters", number, "rating"), counter.rating, ButtonPanel, "rating")
            yield from _use(("counters", number, "display"), counter.display, CallDisplay)


def _use(loc: Loc, device: str | None, port: type, role: str = "") -> Iterator[Use]:
    if device is not None:
        yield Use(loc, device, port, role)


def _check_use(draft: Draft, use: Use, problems: Problems) -> None:
    if use.device not in draft.devices:
        problems.add(use.loc, f"found '{use.device}'; there is no [devices.{use.device}]" + did_you_mean(use.device, draft.devices))
        return
    device = draft.devices[use.device]
    if device is None:
        return
    port = registry.find(device.driver).port
    if port is not use.port:
        is_a, needed = (PORT_WORDS.get(each, each.__name__) for each in (port, use.port))
        problems.add(use.loc, f"found '{use.device}', which is {is_a} (driver {device.driver}); allowed: {needed}")
        return
    if use.role:
        _check_panel(draft, use, device, problems)


def _check_panel(draft: Draft, use: Use, device: DeviceSettings, problems: Problems) -> None:
    """The names of a panel's buttons and lamps say what they do, so they depend on the place that uses it."""
    buttons = {
        "ticket": [name for letter in sorted(draft.services) for name in (letter, f"{letter}_priority")],
        "rating": list(RATING_BUTTONS),
        "keys": list(KEY_FUNCTIONS),
    }
    for kind, allowed in (("buttons", buttons[use.role]), ("keys", buttons[use.role]), ("lamps", LAMPS[use.role])):
        for key, name in _names(device, kind):
            if name not in allowed:
                problems.add(("devices", use.device, kind, key), f"unknown name for {where(use.loc)}" + did_you_mean(name, allowed))
    given = {name for kind in ("buttons", "keys") for _, name in _names(device, kind)}
    missing = sorted(set(RATING_BUTTONS) - given) if use.role == "rating" and given else []
    if missing:
        loc = ("devices", use.device, "keys" if _names(device, "keys") else "buttons")
        problems.add(loc, f"{', '.join(missing)} missing; {where(use.loc)} needs all of {', '.join(RATING_BUTTONS)}")


def _names(device: DeviceSettings, kind: str) -> list[tuple[str, str]]:
    """The keys of the table ``kind`` of a driver that has one, and the names they stand for: ``keys`` of a keypad are named by values."""
    table = getattr(device.config, kind, None)
    return sorted((key, name if kind == "keys" else key) for key, name in table.items()) if isinstance(table, dict) else []


def _check_places(draft: Draft, uses: list[Use], problems: Problems) -> None:
    """Each device has one place: two would take each other's presses and scans, or write over each other."""
    first: dict[str, Use] = {}
    for use in uses:
        if (other := first.setdefault(use.device, use)) is not use:
            problems.add(use.loc, f"found '{use.device}', which {where(other.loc)} uses already; a device has one place")
    if problems.inside("counters", "ticket_machine", "call_board", "voice"):
        return  # the place of a device may be behind that error
    for name in sorted(draft.devices.keys() - first.keys()):
        places = "a counter, [ticket_machine], [call_board] or [voice]"
        problems.add(("devices", name), f"nothing uses it: name it in {places}, or remove this section")


def _check_shared(draft: Draft, problems: Problems) -> None:
    """No two devices, nor two buttons of one, are on the same pin or port, except where a driver says that a line can be shared."""
    owners: dict[str, list[Loc]] = {}
    for name, device in draft.devices.items():
        for what, loc in _claims(name, device):
            earlier = owners.setdefault(what, [])
            if alone := next((owner for owner in earlier if not _share(draft, owner, loc, problems)), None):
                problems.add(loc, f"{what} is used by {where(alone)} already; allowed: one that is free")
            earlier.append(loc)


def _share(draft: Draft, first: Loc, second: Loc, problems: Problems) -> bool:
    """Whether the devices of these two places may be on one line; notes what would be wrong with it."""
    one, other = (draft.devices.get(str(loc[1])) for loc in (first, second))
    if one is None or other is None or one.driver != other.driver or second[-1] != "port":
        return False
    mine, theirs = other.config.shared_line(), one.config.shared_line()
    if mine is None or theirs is None:
        return False
    for key, value in mine.same.items():
        if value != theirs.same[key]:
            here = ("devices", second[1], key)
            problems.add(here, f"found {value}; allowed: {theirs.same[key]}, as {where(first[:2])} has it on the same port")
    if mine.address == theirs.address:
        problems.add(("devices", second[1], mine.key), f"{where(first[:2])} on the same port has the same; allowed: another one")
    return True


def _claims(name: str, device: DeviceSettings | None) -> Iterator[tuple[str, Loc]]:
    """What a device has to itself, for the drivers that tell it by the usual names."""
    config = None if device is None else device.config
    for kind in ("buttons", "lamps"):
        pins = getattr(config, kind, None)
        for key, pin in pins.items() if isinstance(pins, dict) else ():
            for one in pin if isinstance(pin, tuple) else (pin,):
                if isinstance(one, int):  # a lamp may also be a keypad's own
                    yield f"GPIO pin {one}", ("devices", name, kind, key)
    for kind in ("port", "match"):
        if (value := getattr(config, kind, None)) is not None:
            path = os.path.normpath(value) if isinstance(value, str) and value.startswith("/") else value
            yield f"{kind} '{path}'", ("devices", name, kind)
