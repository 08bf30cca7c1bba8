"""From a kiosd.toml to ``Settings``: read it, check every section, check the sections against each other."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from kiosd import registry
from kiosd.config import document
from kiosd.config.board_checks import BROKER, check_enrolled, check_satellite, check_scans
from kiosd.config.calendars import read_calendars
from kiosd.config.checks import Draft, check_counters, check_devices, check_type
from kiosd.config.model import (
    CallBoardSettings,
    ClockSettings,
    CounterSettings,
    DeskSettings,
    DeviceSettings,
    EnrolledSettings,
    JournalSettings,
    LogSettings,
    NodeSettings,
    ScanSettings,
    Settings,
    TicketMachineSettings,
    VoiceSettings,
)
from kiosd.config.problems import Problems, did_you_mean, found, pattern_words, printable
from kiosd.config.satellite import SatelliteNodeSettings, SatelliteSettings, SatelliteSiteSettings
from kiosd.errors import ConfigError
from kiosd.mqtt.settings import MqttSettings
from kiosd.ports import Driver
from kiosd.queue.fields import Section
from kiosd.queue.settings import HoursSettings, RuleSettings, ServiceSettings, SiteSettings

HASH_DIGITS = 12
"""Enough to tell two configurations apart, and never 16 digits in a row, which leave nowhere (domain section 9)."""
S = TypeVar("S", bound=Section)
Document = dict[str, Any]

NAMES = {
    "services": r"^[A-HJ-NP-Z]$",
    "counters": r"^[1-9][0-9]?$",
    "devices": r"^[a-z0-9][a-z0-9_-]{0,31}$",
    "mqtt": r"^(central|site)$",
    "satellites": r"^[a-z0-9][a-z0-9-]{0,31}$",
}
"""Sections that hold sections, and the names that those may have."""
PLAIN: dict[str, type[Section]] = {
    "node": NodeSettings,
    "clock": ClockSettings,
    "hours": HoursSettings,
    "rules": RuleSettings,
    "scan": ScanSettings,
    "journal": JournalSettings,
    "log": LogSettings,
}
"""Sections that depend on no other; a key that the file leaves out has its default."""
SECTIONS = ("site", *PLAIN, "ticket_machine", "call_board", "voice", *NAMES)
OF_SATELLITES = ("site", "node", "clock", "scan", "log", "counters", "call_board", "voice", "mqtt", "devices")
"""Sections that a satellite has too; the others belong to the hub."""
HUBS_OWN = "this belongs to the hub's configuration, and a satellite takes it from there: remove this section"


def load(path: Path | str) -> Settings:
    """The hub's settings in the TOML file ``path`` and its calendars; ``ConfigError`` with one line for everything that is wrong."""
    settings = load_any(path)
    if isinstance(settings, SatelliteSettings):
        raise ConfigError(f"{printable(str(path))}: [node] role: found 'satellite'; the configuration of a hub is needed here")
    return settings


def load_any(path: Path | str) -> Settings | SatelliteSettings:
    """As ``load``, of a hub or of a satellite."""
    path = Path(path)
    content = document.read(path)
    tables = document.parse(path, content)
    problems = Problems(str(path))
    document.check_text(tables, problems)
    node = tables.get("node")
    if isinstance(node, dict) and node.get("role") == "satellite":
        return _satellite(tables, hashlib.sha256(content).hexdigest()[:HASH_DIGITS], problems)
    parts = _sections(tables, problems)
    calendars = read_calendars(path.parent, parts["hours"], problems)
    problems.raise_if_any()
    digest = hashlib.sha256(content)
    for calendar in calendars.contents:
        digest.update(calendar)
    return Settings.model_validate(parts | {"calendar": calendars.calendar, "hash": digest.hexdigest()[:HASH_DIGITS]})


def _sections(tables: Document, problems: Problems) -> Document:
    for name in sorted(tables.keys() - set(SECTIONS)):
        problems.add((name,), "unknown section" + did_you_mean(name, SECTIONS))

    node, site = _plain(NodeSettings, "node", tables, problems), _plain(SiteSettings, "site", tables, problems)
    services = _group(ServiceSettings, "services", tables, problems)
    counters = _group(CounterSettings, "counters", tables, problems)
    satellites = _group(EnrolledSettings, "satellites", tables, problems)
    uplinks = _uplinks(tables, problems)
    check_scans(uplinks, problems)
    draft = _draft(services, counters, tables, problems)
    check_type(site, services, problems)
    check_counters(counters, services, problems)
    check_devices(draft, problems)
    taken = dict.fromkeys(draft.devices, "a device here") | ({node.id: "this node"} if node is not None else {})
    check_enrolled(satellites, uplinks.get(BROKER), taken, counters, problems)
    return {
        **{name: _plain(model, name, tables, problems) for name, model in PLAIN.items() if name != "node"},
        "node": node,
        "site": site,
        "services": services,
        "counters": {int(number): counter for number, counter in counters.items()},
        "ticket_machine": draft.ticket_machine,
        "call_board": draft.call_board,
        "voice": draft.voice,
        "mqtt": uplinks,
        "satellites": satellites,
        "devices": draft.devices,
    }


def _satellite(tables: Document, digest: str, problems: Problems) -> SatelliteSettings:
    for name in sorted(tables.keys() - set(OF_SATELLITES)):
        known = name in SECTIONS
        problems.add((name,), HUBS_OWN if known else "unknown section" + did_you_mean(name, OF_SATELLITES))

    tables = {name: tables[name] for name in OF_SATELLITES if name in tables}
    node = _plain(SatelliteNodeSettings, "node", tables, problems)
    counters, mqtt = _group(DeskSettings, "counters", tables, problems), _group(MqttSettings, "mqtt", tables, problems)
    draft = _draft({}, counters, tables, problems)
    check_scans(mqtt, problems)
    check_devices(draft, problems)
    check_satellite(node.id if node is not None else None, mqtt, [*counters, *filter(None, [draft.call_board, draft.voice])], problems)
    parts = {
        **{name: _plain(PLAIN[name], name, tables, problems) for name in ("clock", "scan", "log")},
        "hash": digest,
        "site": _plain(SatelliteSiteSettings, "site", tables, problems),
        "node": node,
        "counters": {int(number): desk for number, desk in counters.items()},
        "call_board": draft.call_board,
        "voice": draft.voice,
        "mqtt": mqtt,
        "devices": draft.devices,
    }
    problems.raise_if_any()
    return SatelliteSettings.model_validate(parts)


def _plain(model: type[S], name: str, tables: Document, problems: Problems) -> S | None:
    return problems.check(model, tables.get(name, {}), (name,))


def _draft(
    services: Mapping[str, ServiceSettings | None], counters: Mapping[str, DeskSettings | None], tables: Document, problems: Problems
) -> Draft:
    """The devices, and the places that use them."""

    def optional(model: type[S], name: str) -> S | None:
        return _plain(model, name, tables, problems) if name in tables else None

    return Draft(
        services=services,
        counters=counters,
        ticket_machine=optional(TicketMachineSettings, "ticket_machine"),
        call_board=optional(CallBoardSettings, "call_board"),
        voice=optional(VoiceSettings, "voice"),
        devices={name: _device(name, raw, problems) for name, raw in _tables("devices", tables, problems).items()},
    )


def _tables(group: str, tables: Document, problems: Problems) -> Document:
    """The sections in ``[group]`` whose names are allowed."""
    raw = tables.get(group, {})
    if not isinstance(raw, dict):
        problems.add((group,), f"found {found(raw)}; allowed: sections [{group}.NAME]")
        return {}
    for name in raw:
        if not re.fullmatch(NAMES[group], name):
            problems.add((group, name), _wrong_name(group))
    return {name: table for name, table in raw.items() if re.fullmatch(NAMES[group], name)}


def _wrong_name(group: str) -> str:
    if group == "mqtt":
        return "unknown uplink; allowed: [mqtt.site], a broker at this site, and [mqtt.central], the one of the central system"
    return f"this name is not allowed; allowed: {pattern_words(NAMES[group])}"


def _group(model: type[S], group: str, tables: Document, problems: Problems) -> dict[str, S | None]:
    return {name: problems.check(model, raw, (group, name)) for name, raw in _tables(group, tables, problems).items()}


def _uplinks(tables: Document, problems: Problems) -> dict[str, MqttSettings | None]:
    """Two connections of one client id to one broker would throw each other out for ever."""
    uplinks = _group(MqttSettings, "mqtt", tables, problems)
    first: dict[object, str] = {}
    for name, mqtt in uplinks.items():
        if mqtt is not None and (other := first.setdefault((mqtt.host, mqtt.port, mqtt.client_id), name)) != name:
            problems.add(("mqtt", name), f"this is the broker of [mqtt.{other}]: remove one, or give one of them a client_id of its own")
    return uplinks


def _device(name: str, raw: object, problems: Problems) -> DeviceSettings | None:
    loc = ("devices", name)
    if not isinstance(raw, dict):
        problems.add(loc, f"found {found(raw)}; allowed: a section with driver = ... and what the driver needs")
        return None
    driver = _driver(raw.get("driver"), (*loc, "driver"), problems)
    if driver is None:
        return None
    config = problems.check(driver.config, {key: value for key, value in raw.items() if key != "driver"}, loc)
    return None if config is None else DeviceSettings(driver=raw["driver"], config=config)


def _driver(name: object, loc: tuple[str, ...], problems: Problems) -> Driver[Any, Any] | None:
    if name is None:
        problems.add(loc, "missing; this key must be given; known: " + ", ".join(registry.names()))
    elif not isinstance(name, str) or name not in registry.names():
        problems.add(loc, f"found {found(name)}; there is no such driver" + did_you_mean(str(name), registry.names()))
    else:
        try:
            return registry.find(name)
        except (ImportError, AttributeError, ConfigError) as exc:
            problems.add(loc, f"found {found(name)}; this driver cannot be loaded: {exc}")
    return None
