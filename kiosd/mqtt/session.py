"""One broker: a link, the uplink that tells it everything, what it may ask, and its health as that of a device."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiosd import __version__
from kiosd.clock import Clock, Moment, utc_text
from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.interface import BrokerLink, Memory
from kiosd.mqtt.plain import or_in_clear, warn_in_clear
from kiosd.mqtt.replay import Replay
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, status_message
from kiosd.mqtt.topics import Topics
from kiosd.mqtt.troubles import Trouble, Troubles
from kiosd.mqtt.uplink import Uplink
from kiosd.queue.commands import ReportDevice
from kiosd.queue.interface import Queue

if TYPE_CHECKING:
    from kiosd.links.mqtt import MqttLink


log = logging.getLogger(__name__)

LOOK_S = 5.0
AGAIN_S = 1.0
AWAY_S = 10.0  # a shorter absence is no outage: a broker that restarts, an address that changes
Attach = Callable[[str, BrokerLink, Troubles, Replay], None]
Also = Callable[["MqttLink"], Coroutine[Any, Any, None]]
"""Something else that works over the same connection, for as long as it lasts."""


async def run_session(
    name: str,
    mqtt: MqttSettings,
    *,
    site: str,
    node: str,
    config_hash: str,
    queue: Queue,
    cursors: Memory,
    clock: Clock,
    devices: frozenset[str] | None = None,
    also: Sequence[Also] = (),
    attach: Attach | None = None,
) -> None:
    """Serve the broker ``[mqtt.<name>]`` for ever, whether it is there or not; says ``offline`` when it is cancelled.

    ``devices``: see ``Node``. ``also`` are called anew with every new link; ``attach`` is told what serves the broker from then on.
    """
    from kiosd.links.mqtt import MqttLink

    who = Node(Topics(mqtt.prefix, site, node), __version__, config_hash, devices)
    broker = _Broker(name, mqtt, who, queue, cursors, clock)
    _warn(name, mqtt)

    def presence(state: str, conn: int) -> Message:
        return status_message(who, clock, "lost" if state == "lost" else "offline", conn)

    while True:
        try:
            async with MqttLink(mqtt, f"kiosd-{site.lower()}-{node}", clock, presence) as link, asyncio.TaskGroup() as tasks:
                for work in (*broker.served(link, attach), *(more(link) for more in also)):
                    tasks.create_task(work)
        except* Unavailable as gone:
            log.warning("mqtt %s: %s; begins anew", name, gone.exceptions[0])
        await clock.sleep(AGAIN_S)


@dataclass(frozen=True, slots=True)
class _Broker:
    """``[mqtt.<name>]``, and whom and what it is told of."""

    name: str
    mqtt: MqttSettings
    node: Node
    queue: Queue
    cursors: Memory
    clock: Clock

    def served(self, link: "MqttLink", attach: Attach | None) -> list[Coroutine[Any, Any, None]]:
        """All that works over ``link``, for as long as it lasts."""
        mqtt, queue, clock, topics, device = self.mqtt, self.queue, self.clock, self.node.topics, f"mqtt-{self.name}"
        uplink = Uplink(queue, link, self.cursors, self.name, clock, self.node, mqtt)
        replay = Replay(queue, link, topics, clock, uplink.quarantine, mqtt.pace_per_s)
        if attach is not None:
            attach(self.name, link, uplink.troubles, replay)
        return [
            uplink.run(),
            replay.run(),
            serve_commands(queue, link, topics, clock, mqtt.roles, mqtt.commands_per_s, device, replay.ask),
            link.watch(),
            report_health(link, queue, clock, device, or_in_clear(mqtt, uplink.troubles.worst)),
            warn_in_clear(self.name, mqtt, clock),
        ]


def _warn(name: str, mqtt: MqttSettings) -> None:
    """What an administrator chose and should know, at every start."""
    if mqtt.protocol == "3.1.1":
        advice = "" if mqtt.confirm == "consumer" else '; confirm = "consumer" notices it'
        log.warning("mqtt %s: MQTT 3.1.1 cannot say that a message was refused or that nobody listens%s", name, advice)


def _no_trouble(_now: Moment) -> Trouble | None:
    return None


async def report_health(
    link: BrokerLink,
    queue: Queue,
    clock: Clock,
    device: str,
    trouble: Callable[[Moment], Trouble | None] = _no_trouble,
    away_s: float = AWAY_S,
) -> None:
    """The broker's health as that of ``device``, for ever.

    Down once it has been away for ``away_s``; degraded while there is ``trouble``; ok as soon as neither is.
    """
    while True:
        async with asyncio.TaskGroup() as group:
            late = group.create_task(_report_late(link, queue, clock, device, away_s))
            conn = await link.connected()
            late.cancel()
        async with asyncio.TaskGroup() as group:
            there = group.create_task(_report_there(queue, clock, device, trouble))
            await link.lost(conn)
            there.cancel()


async def _report_late(link: BrokerLink, queue: Queue, clock: Clock, device: str, away_s: float) -> None:
    since = utc_text(clock.now().time)
    await clock.sleep(away_s)
    await queue.execute(ReportDevice(device=device, state="down", code="absent", detail=f"since {since}: {link.reason}"[:200]))


async def _report_there(queue: Queue, clock: Clock, device: str, trouble: Callable[[Moment], Trouble | None]) -> None:
    told: list[Trouble | None] = []
    while True:
        now = trouble(clock.now())
        if told != [now]:
            told = [now]
            state, code, detail = ("degraded", now.code, now.detail) if now is not None else ("ok", "", "")
            await queue.execute(ReportDevice.model_validate({"device": device, "state": state, "code": code, "detail": detail}))
        await clock.sleep(LOOK_S)
