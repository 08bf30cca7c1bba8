"""MQTT 3.1.1, where a broker has no better: the same envelope, fewer certainties."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from kiosd.clock import SystemClock
from kiosd.errors import Refused
from kiosd.links.base import Message
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import status_message
from support.broker import Broker, broker, proxy
from support.fakequeue import STREAM
from support.mqtt_peer import peer, until
from support.uplinks import EVENTS, NODE, ROOT, Site, day, has_got, once, sequences, told

CLOCK = SystemClock()
OLD = "3.1.1"


@asynccontextmanager
async def open_link(port: int) -> AsyncIterator[MqttLink]:
    settings = MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1")
    async with MqttLink(settings, "kiosd-cth01-hub", CLOCK, partial(status_message, NODE, CLOCK), (0.02, 0.05)) as link:
        async with asyncio.timeout(5):
            await link.connected()
        yield link


async def test_the_client_speaks_it(mosquitto: Broker, tmp_path: Path) -> None:
    async with open_link(mosquitto.port):
        pass
    assert "as kiosd-cth01-hub (p2, c1, k14)" in (tmp_path / "mosquitto.log").read_text(), "p2 is 3.1.1, c1 a clean session"


async def test_topic_payload_and_order_arrive_and_properties_do_not(mosquitto: Broker) -> None:
    with peer(mosquitto.port, "peer", "t/#") as other:
        async with open_link(mosquitto.port) as link:
            message = Message("t/1", b"{}", False, 1, 60, "back", b"7", "application/json", (("type", "x"),))
            await asyncio.gather(*(link.send(message) for _ in range(50)))
            await other.until(lambda: len(other.messages) == 50)
    assert {(message.topic, message.payload) for message in other.messages} == {("t/1", b"{}")}
    assert other.messages[0].properties == {}


async def test_nobody_says_that_nobody_listens_or_that_it_is_forbidden(tmp_path: Path) -> None:
    with broker(tmp_path, acl="topic readwrite allowed/#\n") as strict:
        async with open_link(strict.port) as link:
            await link.publish(Message("allowed/x", b"x"))
            await link.publish(Message("forbidden", b"x"))


async def test_a_clean_end_and_a_will(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", f"{ROOT}/status") as other:
            async with open_link(wire.port) as link:
                conn = link.connection
                wire.cut()
                await other.until(lambda: other.messages)
                assert other.messages[0].json == other.messages[0].json | {"state": "lost", "conn": conn}
                await link.connected()
            await other.until(lambda: other.messages[-1].json["state"] == "offline")


async def test_what_is_asked_for_arrives_after_a_restart_of_the_broker(mosquitto: Broker) -> None:
    async with open_link(mosquitto.port) as link, link.subscribe("in/+") as messages:
        conn = await link.connected()
        mosquitto.kill()
        await link.lost(conn)
        mosquitto.start()
        await link.connected()
        with suppress(Refused):
            await link.publish(Message("sync", b""))
        with peer(mosquitto.port) as other:
            other.publish("in/1", b"hello")
            async with asyncio.timeout(5):
                assert (await anext(messages)).payload == b"hello"


async def test_the_envelope_is_the_same(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        for protocol in ("5", OLD):
            site.memory.positions.clear()
            async with site.uplink(mosquitto.port, protocol=protocol):
                await told(site, central, 10)
                await central.until(lambda: has_got(central, 10))
        await central.until(lambda: len(central.messages) == 20)
        new, old = central.messages[:10], central.messages[10:]
    assert [message.payload for message in new] == [message.payload for message in old]


async def test_with_watermarks_it_is_as_safe(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at first, and nobody says so; the consumer's watermark does not rise, so everything comes again."""
    monkeypatch.setattr("kiosd.mqtt.watermark.CONFIRM_S", 0.2)
    site = Site()
    site.queue.add(*day(30))
    async with site.uplink(mosquitto.port, protocol=OLD, confirm="consumer"):
        await until(lambda: site.running._delivery.cursors["ticket"] == 30)
        with peer(mosquitto.port, "central", EVENTS) as central:
            for last in (20, 30):
                await central.until(partial(has_got, central, last))
                central.publish(f"{ROOT}/ack/central", json.dumps({"stream": STREAM, "sequence": last}).encode(), retain=True)
            await until(lambda: site.done)
            assert once(sequences(central.messages)) == list(range(1, 31))


@pytest.mark.parametrize(("confirm", "advised"), [("broker", True), ("consumer", False)])
async def test_every_start_warns(mosquitto: Broker, caplog: pytest.LogCaptureFixture, confirm: str, advised: bool) -> None:
    site = Site()
    mqtt = MqttSettings.model_validate({"host": "127.0.0.1", "port": mosquitto.port, "protocol": OLD, "confirm": confirm})
    async with asyncio.TaskGroup() as group:
        work = run_session("central", mqtt, site="CTH01", node="hub", config_hash="x", queue=site.queue, cursors=site.memory, clock=CLOCK)
        task = group.create_task(work)
        await until(lambda: len(site.memory.kept("central")) == 5)
        task.cancel()
    assert "MQTT 3.1.1 cannot say that a message was refused" in caplog.text
    assert ('confirm = "consumer"' in caplog.text) == advised


async def test_a_retained_command_is_refused_once_and_cleared(mosquitto: Broker) -> None:
    """Over MQTT 3.1.1 the broker sends us the message with which we clear it."""
    site = Site()
    mqtt = MqttSettings.model_validate({"host": "127.0.0.1", "port": mosquitto.port, "protocol": OLD})
    with peer(mosquitto.port, "central") as central:
        central.publish(f"{ROOT}/cmd/next", b'{"id":"c-1","counter":1}', retain=True)
        central.wait(lambda: central.acks)
        async with asyncio.TaskGroup() as group:
            work = run_session(
                "central", mqtt, site="CTH01", node="hub", config_hash="x", queue=site.queue, cursors=site.memory, clock=CLOCK
            )
            task = group.create_task(work)
            await until(lambda: site.queue.refusals)
            central.publish(f"{ROOT}/cmd/open", b'{"id":"c-2","counter":1}')
            await until(lambda: any(command.id == "c-2" for command in site.queue.executed))
            task.cancel()
    assert [refusal.code for refusal in site.queue.refusals] == ["retained"]
