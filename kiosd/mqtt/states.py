"""What the node is like now: the retained messages ``status``, ``info``, ``queue``, ``counter/<n>`` and ``device/<id>/status``.

Rule 1  Within one ``boot`` a ``rev`` only rises, also over restarts of the daemon: it counts milliseconds since boot. A consumer refuses
        a lower ``rev`` of the same ``boot``, so an old retained message can never replace a newer one.
Rule 2  A state is sent when its body changed; ``rev``, ``as_of_sequence`` and ``time`` are not part of the body. It is sent on every new
        day too: whoever acts on a counter's state names its ``as_of_sequence`` (``expect_rev``), and what was seen yesterday is stale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kiosd.clock import Clock, utc_text
from kiosd.links.base import Message
from kiosd.mqtt.envelope import compact
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import COMMANDS
from kiosd.queue.events import EVENTS
from kiosd.queue.interface import CounterView, Snapshot

REPLAY = "replay"
"""The command that is answered from the journal; all others are the queue's."""
Presence = Literal["online", "offline", "lost"]


@dataclass(frozen=True, slots=True)
class Node:
    """Who publishes: where its topics are, which program with which configuration.

    ``devices``: those that there are now, None for all that ever were; with a satellite ``x`` come all of its own, ``x.<device>``.
    """

    topics: Topics
    version: str
    config_hash: str
    devices: frozenset[str] | None = None

    def has(self, device: str) -> bool:
        """Whether there is that device now: the journal remembers also those that were removed."""
        return self.devices is None or device in self.devices or device.partition(".")[0] in self.devices


def status_message(node: Node, clock: Clock, state: Presence, conn: int) -> Message:
    """``status``. ``conn`` tells one connection's will from the next one's birth; in ``lost`` ``since`` is when the will was made."""
    now = clock.now()
    body = {"state": state, "boot": now.boot, "conn": conn, "since": utc_text(now.time), "version": node.version}
    return node.topics.message("status", compact(body))


def info_message(node: Node, snapshot: Snapshot) -> Message:
    """``info``: what a consumer needs to know of this node before its first event."""
    body = {
        "version": node.version,
        "contract": 1,
        "stream": snapshot.stream,
        "config_hash": node.config_hash,
        "clock": snapshot.clock,
        "services": [{"service": view.service, "name": view.name, "enabled": view.enabled} for view in snapshot.services],
        "counters": [{"counter": view.counter, "services": view.services} for view in snapshot.counters],
        "devices": sorted(view.device for view in snapshot.devices if node.has(view.device)),
        "commands": sorted([*COMMANDS, REPLAY]),
        "events": sorted(EVENTS),
    }
    return node.topics.message("info", compact(body))


def _bodies(node: Node, snapshot: Snapshot) -> Iterator[tuple[str, object, dict[str, object]]]:
    """Row, key and body of each state, the queue first."""
    services = [view.model_dump(mode="json", exclude={"name"}) for view in snapshot.services]
    queue = {"stream": snapshot.stream, "date": snapshot.date, "clock": snapshot.clock, "open": snapshot.open, "message": snapshot.message}
    yield "queue", "", queue | {"opens_at": snapshot.opens_at, "training": snapshot.training, "services": services}
    for counter in snapshot.counters:
        yield "counter", counter.counter, counter_body(counter)
    for device in filter(lambda view: node.has(view.device), snapshot.devices):
        yield "device", device.device, device.model_dump(mode="json", exclude={"rev"})


def counter_body(counter: CounterView) -> dict[str, object]:
    """A counter as its state and the answer to a stale command show it."""
    return counter.model_dump(mode="json", exclude={"undo"})  # ends by time alone: nobody would tell


@dataclass
class States:
    """Makes the messages of those states that changed since they were last taken. ``forget`` makes all of them due again."""

    node: Node
    clock: Clock
    _rev: int = 0
    _known: dict[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)

    def forget(self) -> None:
        """Whatever the other side had is in doubt: a broker that restarted may have lost its retained messages."""
        self._known.clear()

    def changed(self, snapshot: Snapshot) -> list[Message]:
        """One message per state whose body differs from what was taken before, newest ``rev``."""
        now = self.clock.now()
        self._rev = max(self._rev + 1, int(now.monotonic * 1000))
        header = {"rev": self._rev, "boot": now.boot, "as_of_sequence": snapshot.sequence, "time": utc_text(snapshot.time)}
        messages = []
        for row, key, body in _bodies(self.node, snapshot):
            topic = self.node.topics.path(row, key)
            if self._known.get(topic) != (snapshot.date, body):
                self._known[topic] = snapshot.date, body
                messages.append(self.node.topics.message(row, compact(header | body), key))
        return messages
