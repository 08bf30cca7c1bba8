"""Where each kind of message lives: the table of the MQTT contract, version 1 (``kiosd/1/<site>/<node>/...``).

``TOPICS`` is the documentation: README's table is compared with it, and every message takes its QoS, retain flag and expiry from its row.
No topic ever holds personal data; ids are ``[a-z0-9-]{1,32}``.
"""

from dataclasses import dataclass
from typing import Literal

from kiosd.links.base import Message

VERSION = 1
JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
STATE_EXPIRY_S = 43_200
"""Twelve hours: longer than any working day, so that a dead kiosk's retained "open" is gone the next morning."""
REPLY_EXPIRY_S = 60
SCAN_EXPIRY_S = 60


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the contract. ``to`` says who sends: ``out`` is the node, ``in`` is whoever commands it."""

    name: str
    path: str
    payload: str
    retain: bool = False
    expiry_s: int | None = None
    qos: int = 1
    to: Literal["out", "in"] = "out"
    content_type: str = JSON


TOPICS: tuple[Topic, ...] = (
    Topic("status", "status", "state (online, offline, lost), boot, conn, since, version; will = lost", retain=True),
    Topic("info", "info", "version, stream, config_hash, services, counters, devices, commands, clock", retain=True),
    Topic("device", "device/<id>/status", "state (ok, degraded, down), code, detail, since, rev", retain=True),
    Topic("queue", "queue", "open or why not; waiting, issued, last call per service; rev", retain=True, expiry_s=STATE_EXPIRY_S),
    Topic("counter", "counter/<n>", "one counter: state, services, ticket, number, calls, rev", retain=True, expiry_s=STATE_EXPIRY_S),
    Topic("event", "ev/<family>", "CloudEvents 1.0, one per event, in order of sequence", content_type=CLOUDEVENT),
    Topic("ack", "ack/<consumer>", "stream, sequence: everything up to it has arrived; written by the consumer", retain=True, to="in"),
    Topic("command", "cmd/<name>", "id, counter, args, actor, issued_at, ttl, client, expect_rev; never retained", to="in"),
    Topic("reply", "reply/<client>", "id, status (done, accepted, rejected, expired, failed), result, sequence", expiry_s=REPLY_EXPIRY_S),
    Topic("scan", "scan/raw", "what was scanned, only with forward_scans: counter, ticket, token, payload", expiry_s=SCAN_EXPIRY_S),
)
ROWS: dict[str, Topic] = {row.name: row for row in TOPICS}


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node. ``site`` is written in lower case."""

    prefix: str
    site: str
    node: str

    @property
    def root(self) -> str:
        """All of the node's topics begin with this and a slash."""
        return f"{self.prefix}/{VERSION}/{self.site.lower()}/{self.node}"

    @property
    def source(self) -> str:
        """The node as CloudEvents ``source``."""
        return f"/kiosd/{self.site.lower()}/{self.node}"

    @property
    def commands(self) -> str:
        """The pattern that fits every command to this node."""
        return f"{self.root}/cmd/+"

    def satellite(self, node: str) -> str:
        """What the topics between this hub and its satellite ``node`` begin with."""
        return f"{self.root}/sat/{node}"

    def path(self, name: str, key: object = "") -> str:
        """The topic of row ``name``, ``key`` standing for its ``<...>``."""
        head, opened, tail = ROWS[name].path.partition("<")
        return f"{self.root}/{head}{key}{tail.partition('>')[2]}" if opened else f"{self.root}/{head}"

    def message(self, name: str, payload: bytes, key: object = "", properties: tuple[tuple[str, str], ...] = ()) -> Message:
        """A message as row ``name`` wants it."""
        row = ROWS[name]
        return Message(
            topic=self.path(name, key),
            payload=payload,
            retain=row.retain,
            qos=row.qos,
            expiry_s=row.expiry_s,
            content_type=row.content_type,
            properties=properties,
        )
