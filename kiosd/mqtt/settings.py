"""The configuration of one broker: ``[mqtt.central]``, ``[mqtt.site]``."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.ports import from_folder
from kiosd.queue.events import FAMILIES, Family
from kiosd.queue.fields import Section

TopicLevels = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}$")]
"""One to four topic levels: nothing that MQTT reads as a wildcard, nothing that begins with ``$``."""
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Host = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$|^[0-9A-Fa-f:]{2,39}(%[A-Za-z0-9]+)?$", max_length=253)
]
"""A name or an address. A label of more than 63 characters would end paho's thread: it makes Python raise ``UnicodeError``."""
Consumer = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
OutsideRole = Literal["public", "officer", "receptionist", "manager"]
"""Whoever may ask; ``system`` is the daemon itself."""
ConfigPath = Annotated[Path, Field(strict=False), AfterValidator(from_folder)]
"""A file, relative to the folder of the configuration's file or absolute."""


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: what goes there never crosses a wire."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MqttSettings(Section):
    """How to reach a broker, and how fast to speak to it.

    ``ca_file`` turns TLS on and is the only authority that is trusted; ``cert_file`` and ``key_file`` are this node's own. The password
    stands in a file of its own, never here. ``window`` is how many messages may be unacknowledged at once, ``pace_per_s`` how many events
    a second a backlog is sent with, 0 for as many as go: a broker drops what a slow subscriber cannot take (mqtt notes section 3.6).
    A broker that is silent for 1.5 times ``keepalive_s`` is given up.

    ``events``: the families that this broker is told. ``confirm``: what counts as told: ``broker``, its acknowledgement, or ``consumer``,
    the watermark that ``consumer`` writes to ``ack/<consumer>``. ``protocol`` 3.1.1 is for brokers without MQTT 5: it has no reason codes.
    ``roles``: what a command through this broker may call itself. ``commands_per_s``: how many commands of one client are taken.
    ``forward_scans``: what was scanned is told to this broker as it is, over TLS only, and kept nowhere.
    """

    host: Host
    port: int = Field(default=1883, ge=1, le=65_535)
    username: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    password_file: ConfigPath | None = None
    prefix: TopicLevels = "kiosd"
    client_id: ClientId | None = None
    keepalive_s: int = Field(default=20, ge=1, le=600)
    protocol: Literal["5", "3.1.1"] = "5"
    window: int = Field(default=20, ge=1, le=100)
    pace_per_s: int = Field(default=200, ge=0, le=10_000)
    events: Annotated[tuple[Family, ...], Field(strict=False)] = FAMILIES
    confirm: Literal["broker", "consumer"] = "broker"
    consumer: Consumer = "central"
    roles: Annotated[tuple[OutsideRole, ...], Field(strict=False)] = get_args(OutsideRole)
    commands_per_s: int = Field(default=20, ge=1, le=1000)
    forward_scans: bool = False
    ca_file: ConfigPath | None = None
    cert_file: ConfigPath | None = None
    key_file: ConfigPath | None = None
    insecure: bool = False

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.ca_file is not None

    @property
    def in_clear(self) -> bool:
        """Whether everybody on the network can read along, as ``insecure`` allows."""
        return not self.tls and not is_loopback(self.host)

    @model_validator(mode="after")
    def _protected(self) -> "MqttSettings":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        if self.cert_file is not None and not self.tls:
            raise ValueError("a client certificate needs TLS: give ca_file")
        if self.forward_scans and not self.tls:
            raise ValueError("forward_scans sends identity numbers: it needs TLS, give ca_file")
        if self.confirm == "consumer" and set(self.events) != set(FAMILIES):
            raise ValueError('confirm = "consumer" needs all events: a watermark has no gaps')
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        if self.in_clear and not self.insecure:
            raise ValueError(f"{self.host} is another machine: give ca_file for TLS, or insecure = true to send in clear")
        return self
