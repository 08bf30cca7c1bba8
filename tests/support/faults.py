"""A kiosk with a real journal, a real broker and the consumer of docs/examples, to harm and then to judge by ``contractcheck``."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kiosd.clock import Clock, SystemClock
from kiosd.journal.journal import FILE
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import status_message
from kiosd.mqtt.uplink import Uplink
from kiosd.queue.commands import IssueTicket
from kiosd.queue.events import FAMILIES
from kiosd.queue.local import LocalQueue, open_local
from support.broker import Broker, broker
from support.consumer import Consumer, consumer
from support.contractcheck import findings, read_journal, read_log
from support.kiosk import Kiosk
from support.mqtt_peer import peer, until
from support.satellite import NOBODY, always_open
from support.uplinks import NODE, TOPICS

QUICK_S = (0.02, 0.05)
NEVER_ASKS_S, LIMIT_S = 60.0, 60.0
HURRY = "pace_per_s = 1000\ncommands_per_s = 1000\n"


def verdict(state: Path, central: Consumer, until_event: int | None = None) -> list[str]:
    """What ``contractcheck`` finds between the journal in ``state`` and what ``central`` noted."""
    journal = read_journal(state / FILE, until_event)
    return findings(journal, read_log(central.file, journal.stream, until_event))


def arrivals(central: Consumer) -> list[int]:
    """The sequence of everything that came to ``central``, as often as it came."""
    with closing(sqlite3.connect(f"file:{central.file}?mode=ro", uri=True)) as db:
        return [sequence for (sequence,) in db.execute("SELECT sequence FROM arrived ORDER BY rowid")]


@asynccontextmanager
async def running(state: Path, clock: Clock, counters: int = 2) -> AsyncIterator[LocalQueue]:
    """A queue at work on the journal in ``state``."""
    async with asyncio.timeout(LIMIT_S), open_local(state, always_open(counters), clock) as queue, asyncio.TaskGroup() as group:
        work = group.create_task(queue.run())
        yield queue
        work.cancel()


@asynccontextmanager
async def uplink(queue: LocalQueue, clock: Clock, port: int, **given: Any) -> AsyncIterator[MqttLink]:
    """The uplink of ``queue`` through ``port``, at full speed, which also takes commands; ``given`` are other settings."""
    settings = MqttSettings.model_validate({"host": "127.0.0.1", "port": port, "pace_per_s": 0, **given})
    presence = partial(status_message, NODE, clock)
    async with MqttLink(settings, "kiosd-cth01-hub", clock, presence, QUICK_S) as link, asyncio.TaskGroup() as group:
        up = Uplink(queue, link, queue.cursors, "central", clock, NODE, settings)
        tasks = [group.create_task(up.run()), group.create_task(serve_commands(queue, link, TOPICS, clock))]
        yield link
        for task in tasks:
            task.cancel()


@dataclass
class Wired:
    """A queue in this process and who listens to it."""

    queue: LocalQueue
    state: Path
    central: Consumer
    clock: Clock

    def uplink(self, port: int, **given: Any) -> AbstractAsyncContextManager[MqttLink]:
        """The uplink through ``port``, which also takes commands; ``given`` are other settings."""
        return uplink(self.queue, self.clock, port, **given)

    async def tickets(self, n: int) -> int:
        """``n`` more; the number of the last event."""
        for _ in range(n):
            assert (await self.queue.execute(IssueTicket(service="F", slip=False, actor="receptionist"))).done
        return self.queue.book.seq

    async def arrived(self, numbers: Iterable[int]) -> None:
        """All these came to the consumer, whatever it made of them."""
        wanted = set(numbers)
        await until(lambda: wanted <= set(arrivals(self.central)), 10, lambda: sorted(wanted - set(arrivals(self.central)))[:5])

    async def whole(self) -> None:
        """The consumer has everything and the kiosk knows it; what ``contractcheck`` says of it is that all is well."""
        last = self.queue.book.seq
        await self.central.until((await self.queue.snapshot()).stream, last)
        await until(lambda: {self.queue.cursors.get(f"central/{family}") for family in FAMILIES} == {last})
        assert verdict(self.state, self.central) == []


async def _listens(port: int) -> None:
    """Return when the consumer is subscribed to queues of all kiosks."""
    with peer(port, "asks") as asks:
        heard = NOBODY
        while heard == NOBODY:
            sent = asks.publish("kiosd/1/nobody/nowhere/queue", b"is anybody there?")
            await asks.until(partial(asks.acks.__contains__, sent))
            heard = asks.acks[sent]


@asynccontextmanager
async def wired(folder: Path, port: int, clock: Clock | None = None) -> AsyncIterator[Wired]:
    """A queue and a consumer that listens at the broker on ``port``; the uplink is the test's to begin.

    The consumer asks for nothing that it misses, so that what the uplink loses stays lost.
    """
    clock, state = clock or SystemClock(trust_rtc=True), folder / "state"
    state.mkdir()
    with consumer(port, folder, NEVER_ASKS_S) as central:
        await _listens(port)
        async with running(state, clock) as queue:
            yield Wired(queue, state, central, clock)


@dataclass
class Program:
    """The kiosk as a process."""

    kiosk: Kiosk
    broker: Broker
    central: Consumer

    async def whole(self) -> None:
        """The consumer has applied what happened until now, and ``contractcheck`` says that all is well."""
        async with self.kiosk.queue() as queue:
            now = await queue.snapshot()
        await self.central.until(now.stream, now.sequence, 20)
        assert verdict(self.kiosk.state, self.central, now.sequence) == []


@asynccontextmanager
async def program(folder: Path, extra: str = "", more: str = HURRY) -> AsyncIterator[Program]:
    """The daemon at work, and a consumer that has caught up with it; ``extra`` for the broker, ``more`` for ``[mqtt.central]``."""
    with broker(folder, extra) as it, consumer(it.port, folder) as central, Kiosk(folder, it.port, more=more) as kiosk:
        await kiosk.start()
        one = Program(kiosk, it, central)
        await one.whole()
        yield one
