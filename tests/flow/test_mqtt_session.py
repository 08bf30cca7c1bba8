"""One broker's session: a dead network thread is noticed and everything is made anew."""

import asyncio
from pathlib import Path

import pytest

from kiosd.clock import SystemClock
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt import session
from kiosd.mqtt.settings import MqttSettings
from support.broker import broker
from support.fakequeue import FakeQueue, MemoryCursors
from support.mqtt_peer import Peer, peer, until


def births(central: Peer) -> int:
    return sum(message.topic.endswith("/status") and message.json["state"] == "online" for message in central.messages)


async def test_a_dead_network_thread_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """paho's thread dies without a word and still says that it is connected; the session looks, and begins anew."""
    made: list[MqttLink] = []

    class Watched(MqttLink):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr("kiosd.links.mqtt.MqttLink", Watched)
    monkeypatch.setattr("kiosd.links.mqtt.ALIVE_CHECK_S", 0.05)
    clock = SystemClock()
    queue, cursors = FakeQueue(clock), MemoryCursors()
    with broker(tmp_path) as it, peer(it.port, "central", "kiosd/#") as central:
        settings = MqttSettings(host="127.0.0.1", port=it.port)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            work = session.run_session(
                "central", settings, site="CTH01", node="hub", config_hash="x", queue=queue, cursors=cursors, clock=clock
            )  # fmt: skip
            running = tasks.create_task(work)
            await until(lambda: births(central) == 1)
            made[0]._client.loop_stop()
            await until(lambda: births(central) == 2)
            running.cancel()
    assert len(made) == 2
