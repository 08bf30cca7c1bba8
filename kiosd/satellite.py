"""The composition root of a satellite: devices here, the queue at the hub, over the site's broker.

It has no journal, only a spool, and takes nothing for true that the hub did not say. Order at start: configuration, link, READY; the
hub, devices and the broker come and go afterwards and are never waited for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kiosd import __version__
from kiosd.clock import Clock, SystemClock
from kiosd.config.satellite import SatelliteSettings
from kiosd.errors import Refused
from kiosd.journal.spool import FILE
from kiosd.links.answers import Answers
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.links.mqtt import MqttLink
from kiosd.links.rooted import Rooted
from kiosd.mqtt.presence import status_message
from kiosd.mqtt.topics import Topics
from kiosd.notify import feed, notify, watchdog_interval
from kiosd.queue.hubclock import MEANT_FOR_S, HubClock
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.spooled import Spooled
from kiosd.queue.steady import Steady
from kiosd.stations.places import Places, Use, Work
from kiosd.stations.scan_key import load_scan_key
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

DEAF_AFTER_S = 15.0  # the hub gives a sign of life every 5 s
STOP_WITHIN_S = 1.5


async def serve(settings: SatelliteSettings, state: Path, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set."""
    clock = SystemClock(trust_rtc=settings.clock.trust_rtc)
    scans = any(desk.scanner is not None for desk in settings.counters.values())
    site_key = load_scan_key(settings.scan.key_file, state, make=False) if scans else b""
    async with at_work(settings, site_key, state, clock):
        notify("READY=1", f"STATUS=satellite {settings.node.id} of site {settings.site.id}, {len(settings.devices)} devices")
        log.info("kiosd %s is satellite %s of %s at site %s", __version__, settings.node.id, settings.node.hub, settings.site.id)
        await stop.wait()
        notify("STOPPING=1")
    log.info("stopped in good order")


@asynccontextmanager
async def at_work(settings: SatelliteSettings, site_key: bytes, state: Path, clock: Clock) -> AsyncIterator[Steady]:
    """The board, whether its hub is there or not; its queue as its stations see it. Devices stop first, then it takes its leave."""
    node = settings.node
    root = Topics(settings.broker.prefix, settings.site.id, node.hub).satellite(node.id)

    def presence(state: str, conn: int) -> Message:
        return status_message(root, clock.now(), __version__, state, conn)

    async with MqttLink(settings.broker, node.id, clock, presence) as link, asyncio.TaskGroup() as group:
        board = _Board(settings, link, root, state / FILE, clock)
        edge = group.create_task(_together(board.work(site_key)))
        core = [group.create_task(work) for work in (*board.core(), link.watch(), _watchdog(clock))]
        yield board.queue
        edge.cancel()
        await asyncio.wait({edge}, timeout=STOP_WITHIN_S)
        for task in core:
            task.cancel()


class _Board:
    """The queue from afar, and what stands on this board."""

    def __init__(self, settings: SatelliteSettings, link: MqttLink, root: str, spool: Path, clock: Clock) -> None:
        self._settings, self._link, self._root, self._clock, self._hub = settings, link, root, clock, HubClock(clock)
        below = Rooted(link, root)
        self._answers = Answers(below)
        remote = RemoteQueue(self._answers, MEANT_FOR_S, DEAF_AFTER_S, self._hub.stamp)
        self._spooled = Spooled(remote, spool, self._hub)
        self.queue = Steady(
            self._spooled, remote.moment, below, link, clock, self._hub,
            counters=settings.counters, language=settings.site.language, zone=settings.site.timezone, greet=self._say_hello,
        )  # fmt: skip

    def core(self) -> list[Work]:
        """What keeps the queue going."""
        return [self._answers.run(), self._spooled.run(), self.queue.run()]

    async def _say_hello(self) -> None:
        """Tell the hub that this board is there, and what is wrong with its clock."""
        message = status_message(self._root, self._clock.now(), __version__, "online", self._link.connection or 0, self._hub.fault)
        try:
            await self._link.publish(message)
        except Refused as no:
            if no.code != NOBODY_LISTENS:
                raise

    def work(self, site_key: bytes) -> list[Work]:
        """All devices at their places."""
        settings = self._settings
        places = Places(self.queue, self._hub, settings.devices, settings.site.language, self._anew)
        desks = [work for number, desk in settings.counters.items() for work in places.counter(number, desk, site_key)]
        return [*places.hotplug(), *desks, *places.call_board(settings.call_board), *places.voice(settings.voice, settings.site.timezone)]

    def _anew(self, use: Use) -> Use:
        """``use``, begun again whenever the state has to be taken from the hub anew."""

        async def used(device: object, health: Health) -> None:
            while True:
                async with asyncio.TaskGroup() as group:
                    using = group.create_task(_run(use, device, health))
                    await self.queue.renewed()
                    using.cancel()

        return used


async def _run(use: Use, device: object, health: Health) -> None:
    await use(device, health)


async def _together(works: list[Work]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for work in works:
            tasks.create_task(work)


async def _watchdog(clock: Clock) -> None:
    """Feed systemd's watchdog as long as the loop turns and the vital threads live; whether the hub is there is no matter of this process's
    health."""
    interval = watchdog_interval()
    while interval is not None:
        feed(clock.now().monotonic)
        await clock.sleep(interval)
