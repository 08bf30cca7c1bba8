"""Retained topics: all of them again at every connect, and nothing left of what is no longer configured."""

from dataclasses import replace
from pathlib import Path

import pytest

from kiosd.mqtt.topics import Topics
from support.broker import Broker, broker
from support.mqtt_peer import peer, until
from support.uplinks import NODE, ROOT, TOPICS, Site


def kept(port: int, pattern: str = "kiosd/#") -> set[str]:
    """The topics that the broker keeps a message on."""
    with peer(port, "looks", pattern) as looks:
        looks.subscribe("end")
        looks.publish("end", b"")
        looks.wait(lambda: looks.on("end"))
        return {message.topic for message in looks.messages if message.retain}


def names(port: int) -> set[str]:
    return {topic.removeprefix(f"{ROOT}/") for topic in kept(port)}


ALL = {"info", "status", "queue", "counter/1", "device/printer/status"}


async def test_a_broker_that_lost_them_gets_them_again(mosquitto: Broker) -> None:
    site = Site()
    async with site.uplink(mosquitto.port) as link:
        conn = await link.connected()
        await until(lambda: names(mosquitto.port) == ALL)
        mosquitto.kill()
        await link.lost(conn)
        mosquitto.start()
        await until(lambda: names(mosquitto.port) == ALL)


async def test_a_counter_and_a_device_that_were_removed_are_emptied(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    site = Site()
    site.queue.counter = site.queue.counter.model_copy(update={"counter": 7})
    site.queue.device = site.queue.device.model_copy(update={"device": "scanner-7"})
    async with site.uplink(mosquitto.port):
        await until(lambda: {"counter/7", "device/scanner-7/status"} <= names(mosquitto.port))
    site.queue.counter = site.queue.counter.model_copy(update={"counter": 1})
    with peer(mosquitto.port, "central", f"{ROOT}/counter/+") as central:
        async with site.uplink(mosquitto.port, node=replace(NODE, devices=frozenset({"printer"}))):
            await until(lambda: names(mosquitto.port) == ALL - {"device/printer/status"})
            await until(lambda: site.memory.kept("central") == {f"{ROOT}/{name}" for name in ALL - {"device/printer/status"}})
        assert [message.payload for message in central.on(f"{ROOT}/counter/7")][1:] == [b""]
    assert f"{ROOT}/counter/7 is no more and was emptied" in caplog.text


async def test_another_prefix_leaves_nothing_under_the_old_one(mosquitto: Broker) -> None:
    site = Site()
    async with site.uplink(mosquitto.port):
        await until(lambda: names(mosquitto.port) == ALL)
    moved = Topics("kemnaker/kios", "CTH01", "lobby")
    async with site.uplink(mosquitto.port, node=replace(NODE, topics=moved)):
        await until(lambda: kept(mosquitto.port, "#") == {f"{moved.root}/{name}" for name in ALL})


async def test_what_the_broker_does_not_let_us_empty_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.memory.keep("central", "kiosd/1/cth01/before/status")
    with broker(tmp_path, acl=f"topic readwrite {TOPICS.root}/#\n") as strict:
        async with site.uplink(strict.port):
            await until(lambda: "kiosd/1/cth01/before/status was refused: not_authorized" in caplog.text)
        assert "kiosd/1/cth01/before/status" in site.memory.kept("central")


async def test_each_broker_has_its_own(tmp_path: Path) -> None:
    site = Site()
    site.memory.keep("central", "kiosd/1/cth01/before/status")
    with broker(tmp_path) as it:
        async with site.uplink(it.port, name="site"):
            await until(lambda: len(site.memory.kept("site")) == 5)
        assert site.memory.kept("central") == {"kiosd/1/cth01/before/status"}
