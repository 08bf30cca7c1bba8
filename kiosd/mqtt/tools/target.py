"""Which broker is meant: from the configuration, with the names that the daemon goes by there."""

from dataclasses import dataclass
from pathlib import Path

from kiosd.config import SatelliteSettings, load_any
from kiosd.errors import Refused
from kiosd.mqtt.settings import MqttSettings, is_loopback
from kiosd.mqtt.topics import VERSION, Topics

INSTALLED = Path("/etc/kiosd/kiosd.toml")


@dataclass(frozen=True, slots=True)
class Target:
    """The broker of ``[mqtt.<name>]``. ``root``: where this node's topics begin; ``site``: where those of the whole site do.

    ``client_id`` is the daemon's, ``node`` its id. ``trust_rtc``: see ``[clock]``. ``zone``: the site's time zone.
    """

    name: str
    settings: MqttSettings
    root: str
    site: str
    node: str
    client_id: str
    trust_rtc: bool
    zone: str
    satellite: bool = False

    @property
    def one_per_user(self) -> bool:
        """Whether the broker may take a second connection of our user for the daemon's: where users are named as their clients.

        mosquitto does so with ``use_username_as_clientid``, and nothing in MQTT tells that it is set; ``config/mosquitto`` sets it for all
        but this board's own listener.
        """
        return self.settings.username in {self.client_id, self.node} and not is_loopback(self.settings.host)


def config_path(given: str | None, state: Path) -> Path:
    """``given``, else the one in the state directory if there is one, else the installed one."""
    if given is not None:
        return Path(given)
    here = state / INSTALLED.name
    try:
        return here if here.is_file() else INSTALLED
    except PermissionError:  # the state directory is its daemon's alone
        return INSTALLED


def target(config: Path, broker: str | None) -> Target:
    """The broker that is meant; ``ConfigError`` when ``config`` is wrong, ``Refused`` when it has no such broker."""
    settings = load_any(config)
    name = broker or ("central" if "central" in settings.mqtt else next(iter(settings.mqtt), "central"))
    if name not in settings.mqtt:
        raise Refused("no_such_broker", {"message": f"{config} has no [mqtt.{name}]"})
    mqtt, site, node = settings.mqtt[name], settings.site.id, settings.node.id
    if isinstance(settings, SatelliteSettings):
        satellite, root, client_id = True, f"{Topics(mqtt.prefix, site, settings.node.hub).root}/sat/{node}", node
    else:
        satellite, root, client_id = False, Topics(mqtt.prefix, site, node).root, f"kiosd-{site.lower()}-{node}"
    return Target(
        name=name,
        settings=mqtt,
        root=root,
        site=f"{mqtt.prefix}/{VERSION}/{site.lower()}",
        node=node,
        client_id=mqtt.client_id or client_id,
        trust_rtc=settings.clock.trust_rtc,
        zone=settings.site.timezone,
        satellite=satellite,
    )
