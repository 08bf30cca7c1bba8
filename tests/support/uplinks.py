"""A queue whose uplink is under test, and what a consumer makes of what it gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kiosd.clock import Clock, SystemClock
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt import uplink
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, status_message
from kiosd.mqtt.topics import Topics
from kiosd.mqtt.uplink import Uplink
from kiosd.queue.commands import ReportQuarantine
from kiosd.queue.events import FAMILIES, Event
from support.fakequeue import FakeQueue, MemoryCursors, issued, opened
from support.mqtt_peer import Peer, Received, until

TOPICS = Topics("kiosd", "CTH01", "hub")
NODE = Node(TOPICS, "1.0", "abc")
ROOT = TOPICS.root
EVENTS = f"{ROOT}/ev/#"


class ProbesByHand(SystemClock):
    """The machine's clock, except that a wait of ``PROBE_S`` ends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._go = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds == uplink.PROBE_S:
            await self._go.wait()
            self._go.clear()
        else:
            await super().sleep(seconds)

    def probe(self) -> None:
        self._go.set()


@dataclass
class Site:
    """A queue and what outlasts its uplinks. ``running`` is the one that began last."""

    clock: Clock = field(default_factory=SystemClock)
    memory: MemoryCursors = field(default_factory=MemoryCursors)
    queue: FakeQueue = field(init=False)
    running: Uplink = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FakeQueue(self.clock)

    @asynccontextmanager
    async def uplink(self, port: int, name: str = "central", node: Node = NODE, **given: Any) -> AsyncIterator[MqttLink]:
        """An uplink at full speed to the broker at ``port``; ``given`` are other settings."""
        settings = MqttSettings.model_validate({"host": "127.0.0.1", "port": port, "pace_per_s": 0, **given})
        presence = partial(status_message, node, self.clock)
        async with MqttLink(settings, "kiosd-cth01-hub", self.clock, presence, (0.02, 0.05)) as link, asyncio.TaskGroup() as group:
            self.running = Uplink(self.queue, link, self.memory, name, self.clock, node, settings)
            task = group.create_task(self.running.run())
            yield link
            task.cancel()

    def told(self, name: str = "central") -> dict[str, int]:
        """How far broker ``name`` was told, by family."""
        return {family: self.memory.get(f"{name}/{family}") for family in FAMILIES}

    @property
    def done(self) -> bool:
        """Whether everything that happened was told."""
        return set(self.told().values()) == {len(self.queue.records)}

    @property
    def alarms(self) -> list[tuple[str, int, str, str]]:
        """Broker, sequence, kind and code of what was recorded as left out."""
        asked = [command for command in self.queue.executed if isinstance(command, ReportQuarantine)]
        return [(one.broker, one.sequence, one.kind, one.code) for one in asked]


def sequences(messages: list[Received]) -> list[int]:
    return [int(message.json["sequence"]) for message in messages if "/ev/" in message.topic]


def once(numbers: list[int]) -> list[int]:
    """What a consumer keeps that drops whatever is not above its last sequence."""
    kept: list[int] = []
    for number in numbers:
        if not kept or number > kept[-1]:
            kept.append(number)
    return kept


def day(n: int) -> list[Event]:
    """``n`` events of two families, in turn."""
    return [issued(i) if i % 2 else opened(1) for i in range(1, n + 1)]


async def told(site: Site, central: Peer, last: int) -> None:
    """Everything was told, and ``central`` has got the last of its part, number ``last``."""
    await until(lambda: site.done)
    await central.until(partial(has_got, central, last))


def has_got(central: Peer, number: int) -> bool:
    """Whether ``central`` has got event ``number``."""
    return number in sequences(central.messages)
