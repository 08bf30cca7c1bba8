"""An independent subscriber: paho, nothing of kiosd. Keeps every CloudEvent in the order in which it came."""

import asyncio
import json
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


class Collector:
    """Subscribes at QoS 1 while its ``with`` block lasts."""

    def __init__(self, port: int, pattern: str) -> None:
        self._port, self._pattern = port, pattern
        self._events: list[dict[str, Any]] = []
        self._sequences: set[int] = set()
        self._lock, self._subscribed = threading.Lock(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, "collector", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(self._pattern, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take

    def _take(self, _: Client, __: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        with self._lock:
            self._events.append(event)
            self._sequences.add(int(event["sequence"]))

    def events(self) -> list[dict[str, Any]]:
        """What came so far."""
        with self._lock:
            return list(self._events)

    def missing(self, last: int) -> set[int]:
        """Sequences up to ``last`` that did not come yet."""
        with self._lock:
            return set(range(1, last + 1)) - self._sequences

    async def until(self, last: int, timeout_s: float) -> None:
        """Wait until everything up to ``last`` came; fails with what is missing."""
        deadline = time.monotonic() + timeout_s
        while missing := self.missing(last):
            assert time.monotonic() < deadline, f"{len(missing)} events did not come, the first is {min(missing)}"
            await asyncio.sleep(0.02)

    def __enter__(self) -> "Collector":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
