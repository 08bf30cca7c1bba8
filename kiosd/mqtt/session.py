"""One broker: a link, the uplink that tells it everything, and the commands that come back."""

import asyncio
import logging
from typing import TYPE_CHECKING

from kiosd import __version__
from kiosd.clock import Clock, utc_text
from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, status_message
from kiosd.mqtt.topics import Topics
from kiosd.mqtt.uplink import BrokerLink, Cursors, run_uplink
from kiosd.queue.commands import ReportDevice
from kiosd.queue.interface import Queue

if TYPE_CHECKING:
    from kiosd.links.mqtt import MqttLink


log = logging.getLogger(__name__)

ALIVE_CHECK_S = 5.0
AGAIN_S = 1.0
AWAY_S = 10.0  # a shorter absence is no outage: a broker that restarts, an address that changes


async def run_session(
    name: str, mqtt: MqttSettings, *, site: str, node: str, config_hash: str, queue: Queue, cursors: Cursors, clock: Clock
) -> None:
    """Serve the broker ``[mqtt.<name>]`` for ever, whether it is there or not; says ``offline`` when it is cancelled."""
    from kiosd.links.mqtt import MqttLink

    topics = Topics(mqtt.prefix, site, node)
    who = Node(topics, __version__, config_hash)
    client_id = f"kiosd-{site.lower()}-{node}"

    def presence(state: str, conn: int) -> Message:
        return status_message(who, clock, "lost" if state == "lost" else "offline", conn)

    while True:
        try:
            async with MqttLink(mqtt, client_id, clock, presence) as link, asyncio.TaskGroup() as tasks:
                tasks.create_task(run_uplink(queue, link, cursors, name, clock, who, mqtt.window, mqtt.pace_per_s))
                tasks.create_task(serve_commands(queue, link, topics, clock))
                tasks.create_task(_watch(link, clock))
                tasks.create_task(report_outages(link, queue, clock, f"mqtt-{name}"))
        except* Unavailable as gone:
            log.warning("mqtt %s: %s; begins anew", name, gone.exceptions[0])
        await clock.sleep(AGAIN_S)


async def _watch(link: "MqttLink", clock: Clock) -> None:
    """A dead network thread says nothing and looks connected (mqtt notes section 4, trap 2): then everything is made anew."""
    while link.alive:
        await clock.sleep(ALIVE_CHECK_S)
    raise Unavailable("the network thread has died")


async def report_outages(link: BrokerLink, queue: Queue, clock: Clock, device: str, away_s: float = AWAY_S) -> None:
    """The broker's health as that of ``device``, for ever: down once it has been away for ``away_s``, ok as soon as it is back."""
    while True:
        async with asyncio.TaskGroup() as group:
            late = group.create_task(_report_late(link, queue, clock, device, away_s))
            conn = await link.connected()
            late.cancel()
        await queue.execute(ReportDevice(device=device, state="ok"))
        await link.lost(conn)


async def _report_late(link: BrokerLink, queue: Queue, clock: Clock, device: str, away_s: float) -> None:
    since = utc_text(clock.now().time)
    await clock.sleep(away_s)
    await queue.execute(ReportDevice(device=device, state="down", code="absent", detail=f"since {since}: {link.reason}"[:200]))
