"""The link over a real mosquitto: what it says of itself, what it promises of a message, and what happens when the wire fails."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from kiosd.clock import SystemClock
from kiosd.errors import ConfigError, Refused, Unavailable
from kiosd.links.base import Message
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, status_message
from kiosd.mqtt.topics import Topics
from support.broker import Broker, broker, free_port, proxy
from support.mqtt_peer import CONTENT_TYPE, CORRELATION, EXPIRY, FORMAT, RESPONSE_TOPIC, USER, peer, until

NODE = Node(Topics("kiosd", "CTH01", "hub"), "1.0", "abc")
STATUS = "kiosd/1/cth01/hub/status"
CLOCK = SystemClock()
RETRY_S = (0.02, 0.05)


@asynccontextmanager
async def open_link(port: int, window: int = 20, keepalive_s: int = 20) -> AsyncIterator[MqttLink]:
    settings = MqttSettings(host="127.0.0.1", port=port, window=window, keepalive_s=keepalive_s)
    link = MqttLink(settings, "kiosd-cth01-hub", CLOCK, partial(status_message, NODE, CLOCK), RETRY_S)
    async with link:
        yield link


async def connected(link: MqttLink) -> int:
    async with asyncio.timeout(5):
        return await link.connected()


async def subscribed(link: MqttLink) -> None:
    """The broker has seen what the link asked for before this."""
    await connected(link)
    with suppress(Refused):
        await link.publish(Message("sync", b""))


async def lost(link: MqttLink, conn: int, deadline: float = 5) -> str:
    async with asyncio.timeout(deadline):
        return await link.lost(conn)


async def test_everything_a_message_has_arrives(mosquitto: Broker) -> None:
    with peer(mosquitto.port, "peer", "t/#") as other:
        async with open_link(mosquitto.port) as link:
            await connected(link)
            pairs = (("type", "x"), ("sequence", "1"))
            await link.publish(Message("t/1", b"{}", False, 1, 60, "back/here", b"\x00\x01", "application/json", pairs))
            await other.until(lambda: other.messages)
    message = other.messages[0]
    assert (message.topic, message.payload, message.qos, message.retain) == ("t/1", b"{}", 1, False)
    assert message.properties == {
        FORMAT: 1,
        EXPIRY: 60,
        CONTENT_TYPE: "application/json",
        RESPONSE_TOPIC: "back/here",
        CORRELATION: b"\x00\x01",
        USER: list(pairs),
    }


async def test_publish_tells_whether_anybody_listens(mosquitto: Broker) -> None:
    async with open_link(mosquitto.port) as link:
        await connected(link)
        with pytest.raises(Refused, match="nobody_listens"):
            await link.publish(Message("nowhere", b"x"))


async def test_a_busy_loop_sends_nothing_over_the_next_connection(mosquitto: Broker) -> None:
    """It does not know yet that the old one ended; what it sends would overtake what is owed since then."""
    with peer(mosquitto.port, "peer", "t/#") as other:
        async with open_link(mosquitto.port) as link:
            conn = await connected(link)
            cut_behind_its_back(link)
            with pytest.raises(Unavailable):
                await link.publish(Message("t/early", b""))
            await lost(link, conn)
            await connected(link)
            await link.publish(Message("t/late", b""))
            await other.until(lambda: other.messages)
            assert [message.topic for message in other.messages] == ["t/late"]


def cut_behind_its_back(link: MqttLink) -> None:
    """End the connection and let paho's thread make another, while the loop is busy and hears of neither."""
    client, deadline = link._client, time.monotonic() + 5
    ended: list[object] = []
    client.on_log = lambda *_: ended.append(client.is_connected())
    link._break_off("cut")
    while not (False in ended and client.is_connected()):
        assert time.monotonic() < deadline
        time.sleep(0.001)  # the loop shall not run: paho's thread alone goes on


async def test_publish_tells_what_the_broker_forbids(tmp_path: Path) -> None:
    with broker(tmp_path, acl="topic readwrite allowed/#\n") as it:
        async with open_link(it.port) as link:
            await connected(link)
            with pytest.raises(Refused, match="not_authorized"):
                await link.publish(Message("forbidden", b"x"))
            assert link.alive


async def test_a_message_over_the_brokers_limit_never_leaves(tmp_path: Path) -> None:
    with broker(tmp_path, "max_packet_size 1000") as it, peer(it.port, "peer", "t") as other:
        async with open_link(it.port) as link:
            await connected(link)
            with pytest.raises(Refused, match="too_large"):
                await link.publish(Message("t", b"x" * 1000))
            await link.publish(Message("t", b"x" * 800))
            await other.until(lambda: other.messages)
            assert [len(message.payload) for message in other.messages] == [800]


async def test_without_a_connection_publish_says_so_at_once() -> None:
    async with open_link(free_port()) as link:
        with pytest.raises(Unavailable):
            await link.publish(Message("t", b"x"))


async def test_the_reason_for_no_connection_is_in_words() -> None:
    async with open_link(free_port()) as link:
        await until(lambda: "refused" in link.reason.lower())


async def test_a_broker_that_wants_a_password_is_named_as_the_reason(tmp_path: Path) -> None:
    with broker(tmp_path, "allow_anonymous false") as it:
        async with open_link(it.port) as link:
            await until(lambda: "Not authorized" in link.reason)


async def test_a_missing_password_file_is_a_configuration_error(tmp_path: Path) -> None:
    settings = MqttSettings(host="127.0.0.1", username="kiosd", password_file=tmp_path / "absent")
    with pytest.raises(ConfigError, match="absent"):
        async with MqttLink(settings, "x", CLOCK):
            pass


async def test_messages_keep_their_order_however_many_are_given_at_once(mosquitto: Broker) -> None:
    with peer(mosquitto.port, "peer", "t") as other:
        async with open_link(mosquitto.port, window=5) as link:
            await connected(link)
            await asyncio.gather(*(link.send(Message("t", b"%d" % n)) for n in range(300)))
        await other.until(lambda: len(other.messages) == 300)
    assert [int(message.payload) for message in other.messages] == list(range(300))


async def test_a_clean_end_says_offline_and_sends_no_will(mosquitto: Broker) -> None:
    with peer(mosquitto.port, "peer", STATUS) as other:
        async with open_link(mosquitto.port) as link:
            conn = await connected(link)
            await link.publish(status_message(NODE, CLOCK, "online", conn))
        await other.until(lambda: len(other.messages) == 2)
        assert [message.json["state"] for message in other.messages] == ["online", "offline"]
        assert {message.json["conn"] for message in other.messages} == {conn}
    assert not link.alive


async def test_offline_stays_for_who_asks_later(mosquitto: Broker) -> None:
    async with open_link(mosquitto.port) as link:
        await connected(link)
    with peer(mosquitto.port, "peer", STATUS) as other:
        await other.until(lambda: other.messages)
        assert other.messages[0].retain
        assert other.messages[0].json["state"] == "offline"


async def test_a_killed_kiosk_is_lost_by_its_will(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.links.packets.WILL_DELAY_S", 1)
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", STATUS) as other:
            async with open_link(wire.port) as link:
                conn = await connected(link)
                await link.publish(status_message(NODE, CLOCK, "online", conn))
                wire.mode = "deny"
                wire.cut()
                await lost(link, conn)
                await other.until(lambda: len(other.messages) == 2)
    assert [(message.json["state"], message.json["conn"]) for message in other.messages] == [("online", conn), ("lost", conn)]


async def test_a_short_drop_is_nobodys_business(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", STATUS) as other:
            async with open_link(wire.port) as link:
                first = await connected(link)
                await link.publish(status_message(NODE, CLOCK, "online", first))
                wire.cut()
                await lost(link, first)
                second = await connected(link)
                await link.publish(status_message(NODE, CLOCK, "online", second))
                await other.until(lambda: len(other.messages) >= 2)
            assert second > first
            assert "lost" not in {message.json["state"] for message in other.messages}
            assert other.messages[-1].json["conn"] == second


async def test_a_cut_fails_what_is_not_acknowledged_and_does_not_send_it_again(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", "t") as other:
            async with open_link(wire.port) as link:
                conn = await connected(link)
                wire.mode = "black_hole"
                sent = [link.send(Message("t", b"%d" % n)) for n in range(50)]
                await until(lambda: wire.swallowed)
                wire.cut()
                results = await asyncio.gather(*sent, return_exceptions=True)
                assert all(isinstance(result, Unavailable) for result in results)
                await lost(link, conn)
                wire.mode = "pass"
                await connected(link)
                await link.publish(Message("t", b"end"))
                await other.until(lambda: other.messages)
            assert [message.payload for message in other.messages] == [b"end"]


async def test_a_half_open_wire_is_noticed_by_keepalive(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire, open_link(wire.port, keepalive_s=1) as link:
        conn = await connected(link)
        wire.mode = "black_hole"
        await lost(link, conn)
        wire.mode = "pass"
        wire.cut()
        assert await connected(link) > conn


async def test_a_half_open_wire_is_noticed_sooner_by_what_is_not_acknowledged(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.links.mqtt.ACK_S", 0.3)
    async with proxy(mosquitto.port) as wire, open_link(wire.port, keepalive_s=600) as link:
        conn = await connected(link)
        with suppress(Refused):
            await link.publish(Message("t", b"x"))
        await asyncio.sleep(0.4)
        assert link.connection == conn, "silence without anything to acknowledge is none"
        wire.mode = "black_hole"
        begin = CLOCK.now().monotonic
        lost_one = link.send(Message("t", b"x"))
        reason = await lost(link, conn)
        assert 0.3 <= CLOCK.now().monotonic - begin < 2
        assert reason == "the broker acknowledged nothing for 0 s"
        assert not link.cut_off
        assert isinstance(lost_one.exception(), Unavailable)
        wire.mode = "pass"
        wire.cut()
        assert await connected(link) > conn


async def test_a_slow_broker_is_not_taken_for_a_dead_one(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.links.mqtt.ACK_S", 0.2)
    async with open_link(mosquitto.port) as link:
        conn = await connected(link)
        for _ in range(12):
            with suppress(Refused):
                await link.publish(Message("t", b"x"))
            await asyncio.sleep(0.05)
        assert link.connection == conn


async def test_who_ended_a_connection_is_known(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire, open_link(wire.port) as link:
        conn = await connected(link)
        wire.cut()
        await lost(link, conn)
        assert link.cut_off


async def test_retained_messages_from_before_come_to_who_asks_for_them_at_every_connect(mosquitto: Broker) -> None:
    with peer(mosquitto.port) as other:
        other.publish("in/old", b"from before", retain=True)
        other.wait(lambda: other.acks)
        async with proxy(mosquitto.port) as wire, open_link(wire.port) as link, link.subscribe("in/old", retained=True) as messages:
            async with asyncio.timeout(5):
                assert (await anext(messages)).payload == b"from before"
                wire.cut()
                assert (await anext(messages)).retain


async def test_a_broker_that_restarts_is_found_again_and_subscriptions_with_it(mosquitto: Broker) -> None:
    async with open_link(mosquitto.port) as link, link.subscribe("in/+") as messages:
        conn = await connected(link)
        mosquitto.kill()
        await lost(link, conn)
        mosquitto.start()
        await subscribed(link)
        with peer(mosquitto.port) as other:
            other.publish("in/1", b"hello")
            async with asyncio.timeout(5):
                assert (await anext(messages)).payload == b"hello"


async def test_subscribed_messages_carry_where_to_answer_and_whether_they_were_retained(mosquitto: Broker) -> None:
    with peer(mosquitto.port) as other:
        other.publish("in/old", b"from before", retain=True)
        other.wait(lambda: other.acks)
        async with open_link(mosquitto.port) as link, link.subscribe("in/+") as messages:
            await subscribed(link)
            other.publish("in/new", b"x", retain=True, properties={RESPONSE_TOPIC: "back", CORRELATION: b"7", EXPIRY: 9})
            async with asyncio.timeout(5):
                message = await anext(messages)
    assert (message.topic, message.retain, message.reply_to, message.correlation) == ("in/new", True, "back", b"7")
    assert message.expiry_s is not None
    assert message.expiry_s <= 9


async def test_a_wire_that_has_died_does_not_hold_the_end_of_the_daemon(mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire:
        async with open_link(wire.port) as link:
            await connected(link)
            wire.mode = "black_hole"
            begin = CLOCK.now().monotonic
        assert CLOCK.now().monotonic - begin < 2


async def test_two_kiosks_with_one_id_step_back_and_say_so(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    async with open_link(mosquitto.port), open_link(mosquitto.port):
        await until(lambda: "another client seems to use this client id" in caplog.text)


async def test_an_authority_that_is_no_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = MqttSettings(host="broker.example", ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        async with MqttLink(settings, "x", CLOCK):
            pass


async def test_the_end_of_the_link_ends_its_subscriptions(mosquitto: Broker) -> None:
    async with AsyncExitStack() as stack:
        async with open_link(mosquitto.port) as link:
            messages = await stack.enter_async_context(link.subscribe("in/+"))
            await connected(link)
        with pytest.raises(Unavailable):
            await anext(messages)


async def test_an_error_in_a_callback_does_not_end_pahos_thread(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_message: object) -> Message:
        raise ZeroDivisionError

    monkeypatch.setattr("kiosd.links.packets.incoming", broken)
    async with open_link(mosquitto.port) as link, link.subscribe("in/+"):
        await subscribed(link)
        with peer(mosquitto.port, "peer", "out") as other:
            other.publish("in/1", b"x")
            await other.until(lambda: other.acks)
            async with asyncio.timeout(5):
                await link.publish(Message("out", b"still here"))
        assert link.alive
