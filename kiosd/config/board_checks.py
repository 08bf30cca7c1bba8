"""What a hub and its satellites owe each other in their configurations."""

from collections.abc import Collection, Mapping

from kiosd.config.model import EnrolledSettings
from kiosd.config.problems import Problems, found
from kiosd.mqtt.settings import MqttSettings

BROKER = "site"
"""The uplink over which satellites are reached."""
CENTRAL = "central"
"""The uplink to which what was scanned may be told."""


def check_scans(mqtt: Mapping[str, MqttSettings | None], problems: Problems) -> None:
    """Note a broker that would be told what was scanned and is not the central system's (domain section 9)."""
    for name, broker in mqtt.items():
        if broker is not None and broker.forward_scans and name != CENTRAL:
            problems.add(("mqtt", name, "forward_scans"), f"found true; allowed: false, only [mqtt.{CENTRAL}] of a hub may be told scans")


def check_enrolled(
    satellites: Mapping[str, EnrolledSettings | None],
    broker: MqttSettings | None,
    taken: Mapping[str, str],
    counters: Collection[str],
    problems: Problems,
) -> None:
    """Note what is wrong with a hub's ``satellites``. ``taken`` are names that mean something else there, and what."""
    for node, satellite in satellites.items():
        if node in taken:
            problems.add(("satellites", node), f"this name is taken: it is {taken[node]}")
        for index, number in enumerate(satellite.counters if satellite is not None else ()):
            if str(number) not in counters:
                loc = ("satellites", node, "counters", index)
                problems.add(loc, f"found {number}; there is no [counters.{number}]; known: {', '.join(counters) or 'none'}")
    if satellites and broker is None and not problems.inside("mqtt"):
        problems.add(("mqtt", BROKER), "missing; satellites are reached over the site's broker: add this section")
    if satellites:
        check_broker(broker, problems)


def check_broker(broker: MqttSettings | None, problems: Problems) -> None:
    """Note what makes a broker useless between a hub and a satellite."""
    if broker is not None and broker.protocol != "5":
        problems.add(("mqtt", BROKER, "protocol"), f"found {found(broker.protocol)}; allowed: 5, for answers need it")


def check_satellite(node: str | None, mqtt: Mapping[str, MqttSettings | None], places: Collection[object], problems: Problems) -> None:
    """Note what is wrong with the configuration of the satellite ``node`` as a whole. ``places``: where it has devices."""
    for name in mqtt:
        if name != BROKER:
            problems.add(("mqtt", name), "the hub speaks to this broker, a satellite does not: remove this section")
    broker = mqtt.get(BROKER)
    if BROKER not in mqtt:
        problems.add(("mqtt", BROKER), "missing; a satellite reaches its hub over the site's broker: add this section")
    if broker is not None and node is not None and broker.username not in {None, node}:
        why = "the broker lets a satellite speak under its own name only"
        problems.add(("mqtt", BROKER, "username"), f"found {found(broker.username)}; allowed: the id of this node, '{node}': {why}")
    check_broker(broker, problems)
    if not places and not problems.inside("counters", "call_board", "voice"):
        problems.add(("counters",), "missing; a satellite has devices: add [counters.1], [call_board] or [voice]")
