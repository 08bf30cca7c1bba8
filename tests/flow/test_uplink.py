"""The uplink over a real mosquitto: what a consumer sees, and that it sees everything, whatever happens on the way."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt import uplink
from kiosd.queue.interface import Snapshot
from kiosd.queue.model import CounterState
from support.broker import Broker, broker, proxy
from support.fakequeue import STREAM, called, issued
from support.mqtt_peer import peer, until
from support.uplinks import EVENTS, ROOT, ProbesByHand, Site, day, has_got, once, sequences, told


async def test_at_connect_a_consumer_learns_who_is_there_and_how_things_stand(mosquitto: Broker) -> None:
    site = Site()
    with peer(mosquitto.port, "peer", f"{ROOT}/#") as central:
        async with site.uplink(mosquitto.port) as link:
            conn = await link.connected()
            await central.until(lambda: len(central.messages) == 5)
    topics = [message.topic.removeprefix(f"{ROOT}/") for message in central.messages]
    assert topics[:5] == ["info", "status", "queue", "counter/1", "device/printer/status"]
    assert central.messages[0].json["stream"] == STREAM
    assert central.messages[1].json["state"] == "online"
    assert central.messages[1].json["conn"] == conn
    assert central.messages[3].json["state"] == "ready"


async def test_states_are_retained_for_who_comes_later(mosquitto: Broker) -> None:
    site = Site()
    async with site.uplink(mosquitto.port):
        with peer(mosquitto.port, "first", f"{ROOT}/device/#") as first:
            await first.until(lambda: first.messages)
        with peer(mosquitto.port, "late", f"{ROOT}/#") as late:
            await late.until(lambda: len(late.messages) == 5)
            assert all(message.retain for message in late.messages)


async def test_events_come_as_they_happen_in_order(mosquitto: Broker) -> None:
    site = Site()
    with peer(mosquitto.port, "peer", f"{ROOT}/#") as central:
        async with site.uplink(mosquitto.port):
            await central.until(lambda: len(central.messages) >= 5)
            for event in day(200):
                site.queue.add(event)
                await asyncio.sleep(0)
            await told(site, central, 200)
        assert sequences(central.messages) == list(range(1, 201))
        assert not any(message.json["replay"] for message in central.messages if "/ev/" in message.topic)
        assert {message.topic for message in central.messages if "/ev/" in message.topic} == {f"{ROOT}/ev/ticket", f"{ROOT}/ev/counter"}


async def test_a_changed_state_comes_at_once_and_then_at_most_twice_a_second(mosquitto: Broker) -> None:
    site = Site()
    with peer(mosquitto.port, "peer", f"{ROOT}/counter/1") as central:
        async with site.uplink(mosquitto.port):
            await central.until(lambda: central.messages)
            for n in range(1, 31):
                site.queue.counter = site.queue.counter.model_copy(update={"number": f"A{n:03d}", "state": CounterState.CALLING})
                site.queue.add(called(n))
                await asyncio.sleep(0.005)
            await central.until(lambda: central.messages[-1].json["number"] == "A030")
        assert len(central.messages) <= 4
        revisions = [message.json["rev"] for message in central.messages]
        assert revisions == sorted(set(revisions))


async def test_what_did_not_change_is_not_said_again(mosquitto: Broker) -> None:
    site = Site()
    with peer(mosquitto.port, "peer", f"{ROOT}/#") as central:
        async with site.uplink(mosquitto.port):
            await central.until(lambda: len(central.messages) >= 5)
            site.queue.add(issued(1))
            await told(site, central, 1)
        assert [message.topic for message in central.messages[5:-1]] == [f"{ROOT}/ev/ticket"]
        assert central.messages[-1].json["state"] == "offline"


async def test_a_backlog_goes_out_paced_marked_and_before_what_happens_now(mosquitto: Broker) -> None:
    site = Site()
    long_ago = site.clock.now()
    long_ago = replace(long_ago, monotonic=long_ago.monotonic - 100, time=long_ago.time - timedelta(seconds=100))
    for event in day(20):
        site.queue.add(event, moment=long_ago)
    with peer(mosquitto.port, "peer", EVENTS) as central:
        begin = site.clock.now().monotonic
        async with site.uplink(mosquitto.port, pace_per_s=50):
            await central.until(lambda: central.messages)
            site.queue.add(issued(21))
            await told(site, central, 21)
            assert site.clock.now().monotonic - begin >= 19 / 50
        assert sequences(central.messages) == list(range(1, 22))
        assert [message.json["replay"] for message in central.messages] == [True] * 20 + [False]


async def test_after_a_restart_it_goes_on_where_it_was(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with site.uplink(mosquitto.port):
            await told(site, central, 10)
        site.queue.add(*day(5))
        async with site.uplink(mosquitto.port):
            await told(site, central, 15)
        assert sequences(central.messages) == list(range(1, 16))


async def test_a_broker_that_was_away_loses_nothing(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "PROBE_S", 0.05)
    site = Site()
    with peer(mosquitto.port, "before", EVENTS) as before:
        async with site.uplink(mosquitto.port) as link:
            site.queue.add(*day(10))
            await told(site, before, 10)
            conn = await link.connected()
            mosquitto.stop()
            await link.lost(conn)
            for event in day(30):
                site.queue.add(event)
                await asyncio.sleep(0.01)
            mosquitto.start()
            with peer(mosquitto.port, "after", f"{ROOT}/#") as after:
                await told(site, after, 40)
                assert sorted(set(sequences(after.messages))) == list(range(11, 41))
                assert {"info", "status", "queue", "counter/1"} <= {message.topic.removeprefix(f"{ROOT}/") for message in after.messages}
        assert sequences(before.messages) == list(range(1, 11))


async def test_cuts_in_the_middle_of_a_burst_lose_nothing(mosquitto: Broker) -> None:
    site = Site()
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", EVENTS) as central:
            async with site.uplink(wire.port) as link:
                for enough in (100, 250, 400, 550):
                    await link.connected()
                    site.queue.add(*day(150))
                    await central.until(partial(has_got, central, enough))
                    wire.cut()
                await told(site, central, 600)
            assert once(sequences(central.messages)) == list(range(1, 601))


async def test_a_half_open_wire_loses_nothing(mosquitto: Broker) -> None:
    site = Site()
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", EVENTS) as central:
            async with site.uplink(wire.port, keepalive_s=1) as link:
                conn = await link.connected()
                site.queue.add(*day(10))
                await told(site, central, 10)
                wire.mode = "black_hole"
                site.queue.add(*day(30))
                await link.lost(conn)
                wire.mode = "pass"
                wire.cut()
                await told(site, central, 40)
            assert once(sequences(central.messages)) == list(range(1, 41))


async def test_who_listens_late_gets_everything_in_order(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = ProbesByHand()
    site = Site(clock)
    site.queue.add(*day(50))
    async with site.uplink(mosquitto.port):
        await until(lambda: {"ev/ticket is held", "ev/counter is held"} <= set(re.findall(r"ev/\w+ is held", caplog.text)))
        site.queue.add(*day(10))
        with peer(mosquitto.port, "late", EVENTS) as late:
            assert not late.messages
            clock.probe()
            await told(site, late, 60)
            assert sequences(late.messages) == list(range(1, 61))


async def test_who_listens_to_a_part_gets_that_part_without_delay(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "PROBE_S", 0.05)
    site = Site()
    site.queue.add(*day(40))
    with peer(mosquitto.port, "part", f"{ROOT}/ev/counter") as part:
        async with site.uplink(mosquitto.port):
            await part.until(lambda: len(part.messages) == 20)
            site.queue.add(*day(10))
            await part.until(lambda: len(part.messages) == 25)
            await until(lambda: site.memory.get("central/counter") >= 49)
            assert site.memory.get("central/ticket") == 0
            with peer(mosquitto.port, "rest", f"{ROOT}/ev/ticket") as rest:
                await told(site, rest, 49)
                assert once(sequences(rest.messages)) == list(range(1, 51, 2))
        assert once(sequences(part.messages)) == list(range(2, 51, 2))


async def test_while_nobody_listens_little_is_sent_in_vain(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    send = MqttLink.send

    def counting(link: MqttLink, message: Message) -> asyncio.Future[None]:
        sent.append(message.topic)
        return send(link, message)

    monkeypatch.setattr(MqttLink, "send", counting)
    site = Site(ProbesByHand())
    site.queue.add(*day(100))
    async with site.uplink(mosquitto.port):
        await until(lambda: site.memory.get("central/system") == 100)
    assert len([topic for topic in sent if "/ev/" in topic]) == 2


async def test_a_forbidden_family_is_held_and_the_others_flow(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = f"topic readwrite {ROOT}/#\ntopic deny {ROOT}/ev/ticket\n"
    site = Site()
    site.queue.add(*day(40))
    with broker(tmp_path, acl=rules) as strict, peer(strict.port, "peer", EVENTS) as central:
        async with site.uplink(strict.port):
            await central.until(lambda: len(central.messages) == 20)
            await until(lambda: site.memory.get("central/counter") == 40)
        assert site.memory.get("central/ticket") == 0
        assert sequences(central.messages) == list(range(2, 41, 2))
    assert "ev/ticket is held from 1: not_authorized" in caplog.text


async def test_a_day_that_was_sealed_is_told_of_and_passed_over(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.queue.add(*day(30))
    site.queue.oldest = 21
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with site.uplink(mosquitto.port):
            await told(site, central, 30)
        assert sequences(central.messages) == list(range(21, 31))
    assert "events 1 to 20 were sealed" in caplog.text


async def test_a_broker_is_told_only_the_families_it_is_for(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(20))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with site.uplink(mosquitto.port, events=["counter"]):
            await told(site, central, 20)
        assert sequences(central.messages) == list(range(2, 21, 2))
        async with site.uplink(mosquitto.port, events=[]):
            site.queue.add(*day(10))
            await until(lambda: site.done)
        assert len(sequences(central.messages)) == 10


async def test_a_queue_that_cannot_be_asked_is_asked_again(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "RETRY_S", 0.01)
    site = Site()
    site.queue.add(issued(1))
    snapshot, failures = site.queue.snapshot, [Unavailable("the hub does not answer")] * 2

    async def sometimes() -> Snapshot:
        if failures:
            raise failures.pop()
        return await snapshot()

    monkeypatch.setattr(site.queue, "snapshot", sometimes)
    with peer(mosquitto.port, "peer", EVENTS):
        async with site.uplink(mosquitto.port):
            await until(lambda: site.done)
