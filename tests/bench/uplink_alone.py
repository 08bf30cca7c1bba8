"""Press -> MQTT subscriber with the queue and its uplink in this process, without devices; ``whole`` has it from the contact on."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from bench.figures import Bound, Figure, Pair, compared
from bench.limits import Arrival, RawClient, RawCommits, raw_client, raw_commits
from bench.plant import write_config
from bench.queue_alone import press, running_queue
from bench.whole import EVENT_BYTES, QUIET_S, RAW, ROW_BYTES, TOPIC, WARM_UP, is_event
from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.mqtt.session import run_session
from kiosd.queue.local import LocalQueue
from kiosd.threads import Inbox
from support.broker import broker

PATIENCE_S = 10.0


class _Subscriber:
    """A paho client whose messages come into this loop; the time is taken in paho's thread."""

    def __init__(self, client: RawClient) -> None:
        self._inbox: Inbox[Arrival] = Inbox(1000)
        client.client.on_message = self._came

    def _came(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._inbox.put_from_thread((time.perf_counter(), message))

    async def wait(self, wanted: Callable[[MQTTMessage], bool]) -> float:
        """When the next message that is ``wanted`` came."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                came, message = await self._inbox.get()
                if wanted(message):
                    return came


async def _told(queue: LocalQueue, subscriber: _Subscriber, turn: int) -> float:
    begin = time.perf_counter()
    await press(queue, turn)
    return (await subscriber.wait(lambda message: is_event(message, "ticket.issued")) - begin) * 1000


async def _raw(commits: RawCommits, publisher: RawClient, subscriber: _Subscriber) -> float:
    begin = time.perf_counter()
    commits.commit()
    publisher.publish(RAW, b"x" * EVENT_BYTES)
    return (await subscriber.wait(lambda message: message.topic == RAW) - begin) * 1000


async def _measure(directory: Path, port: int, clients: tuple[RawClient, RawClient], commits: RawCommits, count: int) -> Pair:
    pair, subscriber, publisher = Pair(), _Subscriber(clients[0]), clients[1]
    config = write_config(directory / "uplink.toml", mqtt_port=port)
    settings, clock, state = load(config), SystemClock(trust_rtc=True), directory / "uplink"
    state.mkdir()
    who: dict[str, Any] = {"site": settings.site.id, "node": settings.node.id, "config_hash": settings.hash}
    async with running_queue(state, config) as queue, asyncio.TaskGroup() as group:
        broker_session = run_session("central", settings.mqtt["central"], **who, queue=queue, cursors=queue.cursors, clock=clock)
        session = group.create_task(broker_session)
        for turn in range(WARM_UP + count):
            ours = await _told(queue, subscriber, turn)
            await asyncio.sleep(QUIET_S)
            raw = await _raw(commits, publisher, subscriber)
            await asyncio.sleep(QUIET_S)
            if turn >= WARM_UP:
                pair.ours.append(ours)
                pair.raw.append(raw)
        session.cancel()
    return pair


def figures(directory: Path, scratch: Path, count: int) -> list[Figure]:
    """``count`` presses and as many raw ways of doing the same, in turn."""
    with ExitStack() as stack:
        port = stack.enter_context(broker(scratch)).port
        clients = stack.enter_context(raw_client(port, f"{TOPIC}/ev/#", RAW)), stack.enter_context(raw_client(port))
        commits = stack.enter_context(raw_commits(directory, ROW_BYTES))
        pair = asyncio.run(_measure(directory, port, clients, commits, count))
    return [
        compared("press -> MQTT subscriber, queue and uplink", "ms", pair, "raw commit, raw paho QoS 1 to subscriber", Bound("ratio", 2.5))
    ]
