"""One broker: a link, the uplink that tells it everything, and the commands that come back."""

import asyncio
import logging
from typing import TYPE_CHECKING

from kiosd import __version__
from kiosd.clock import Clock
from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, status_message
from kiosd.mqtt.topics import Topics
from kiosd.mqtt.uplink import Cursors, run_uplink
from kiosd.queue.interface import Queue

if TYPE_CHECKING:
    from kiosd.links.mqtt import MqttLink


log = logging.getLogger(__name__)

ALIVE_CHECK_S = 5.0
AGAIN_S = 1.0


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
        except* Unavailable as gone:
            log.warning("mqtt %s: %s; begins anew", name, gone.exceptions[0])
        await clock.sleep(AGAIN_S)


async def _watch(link: "MqttLink", clock: Clock) -> None:
    """A dead network thread says nothing and looks connected (mqtt notes section 4, trap 2): then everything is made anew."""
    while link.alive:
        await clock.sleep(ALIVE_CHECK_S)
    raise Unavailable("the network thread has died")
