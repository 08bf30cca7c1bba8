"""A backlog goes out: all events of a journal to a subscriber with pacing off, beside bare paho that sends as many at the same window."""

import asyncio
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.figures import Bound, Figure, Pair, compared
from bench.history import old_journal
from bench.limits import RawClient, raw_client
from bench.plant import write_config
from bench.queue_alone import running_queue
from bench.whole import EVENT_BYTES, RAW, TOPIC
from bench.years import copy
from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.mqtt.session import run_session
from support.broker import broker

DAYS = 45  # issue 4: a 45-day backlog
WINDOW = 20
PATIENCE_S = 300.0
PLENTY = "max_queued_messages 0\nmax_inflight_messages 0"  # the broker's own limits are not what is measured


class _Count:
    """Set when ``wanted`` messages have come to ``client``."""

    def __init__(self, client: RawClient, wanted: int) -> None:
        self._left, self.done = wanted, threading.Event()
        client.client.on_message = self._came

    def _came(self, _client: Client, _data: Any, _message: MQTTMessage) -> None:
        self._left -= 1
        if self._left == 0:
            self.done.set()

    def wait(self) -> None:
        if not self.done.wait(PATIENCE_S):
            raise TimeoutError(f"{self._left} messages did not come")


def _like_ours(turn: int) -> Properties:
    """The properties that an event of ours has: paho spends more on them than on the rest of a message."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho types it so
    properties.ContentType, properties.PayloadFormatIndicator = "application/cloudevents+json", 1
    properties.UserProperty = [("type", "kiosd.ticket.issued.v1"), ("sequence", f"{turn:015d}")]
    return properties


def _raw(port: int, count: int) -> float:
    """Seconds for ``count`` messages by bare paho."""
    with raw_client(port, RAW) as subscriber, raw_client(port) as publisher:
        counted, window = _Count(subscriber, count), threading.Semaphore(WINDOW)
        publisher.client.on_publish = lambda *_: window.release()
        begin = time.perf_counter()
        for turn in range(count):
            window.acquire()
            publisher.client.publish(RAW, b"x" * EVENT_BYTES, qos=1, properties=_like_ours(turn))
        counted.wait()
        return time.perf_counter() - begin


async def _ours(state: Path, config: Path, count: int, port: int) -> float:
    """Seconds for all events of the journal in ``state``."""
    settings, clock = load(config), SystemClock(trust_rtc=True)
    mqtt = settings.mqtt["central"].model_copy(update={"pace_per_s": 0, "window": WINDOW})
    who: dict[str, Any] = {"site": settings.site.id, "node": settings.node.id, "config_hash": settings.hash}
    with raw_client(port, f"{TOPIC}/ev/#") as subscriber:
        counted = _Count(subscriber, count)
        async with running_queue(state, config) as queue, asyncio.TaskGroup() as group:
            begin = time.perf_counter()
            session = group.create_task(run_session("central", mqtt, **who, queue=queue, cursors=queue.cursors, clock=clock))
            while not counted.done.is_set():
                if time.perf_counter() - begin > PATIENCE_S:
                    raise TimeoutError("the backlog did not go out")
                await asyncio.sleep(0.01)
            elapsed = time.perf_counter() - begin
            session.cancel()
    return elapsed


def figures(directory: Path, scratch: Path, keep: Path, events: int, rounds: int) -> list[Figure]:
    """A backlog of about ``events`` events, ``rounds`` times, each time with bare paho beside it."""
    pair = Pair()
    journal = old_journal(keep, events, min(DAYS, max(1, events // 50)))
    with ExitStack() as stack:
        port = stack.enter_context(broker(scratch, PLENTY)).port
        config = write_config(directory / "drain.toml", mqtt_port=port)
        for turn in range(rounds):
            copy(journal, directory / f"drain-{turn}")
            pair.ours.append(asyncio.run(_ours(directory / f"drain-{turn}", config, events, port)))
            pair.raw.append(_raw(port, events))
    name = f"drain of {events:,} events to a subscriber, pacing off"
    return [compared(name, "s", pair, "bare paho, as many messages with the same properties, same window", Bound("ratio", 1.25))]
