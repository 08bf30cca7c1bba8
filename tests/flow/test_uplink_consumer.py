"""``confirm = "consumer"`` over a real mosquitto: only the consumer's watermark makes an event told."""

import asyncio
from functools import partial

import pytest

from kiosd.mqtt import consumer, watermark
from kiosd.mqtt.consumer import Consumer
from kiosd.mqtt.envelope import event_message
from support.broker import Broker
from support.fakequeue import STREAM
from support.mqtt_peer import Peer, peer, until
from support.uplinks import EVENTS, ROOT, TOPICS, Site, day, has_got, sequences

ACK = f"{ROOT}/ack/central"


def acknowledge(central: Peer, sequence: object, stream: str = STREAM) -> None:
    central.publish(ACK, f'{{"stream":"{stream}","sequence":{sequence}}}'.encode(), retain=True)


async def test_an_acknowledgement_of_the_broker_alone_is_not_enough(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await central.until(lambda: has_got(central, 10))
            assert set(site.told().values()) == {0}
            acknowledge(central, 7)
            await until(lambda: set(site.told().values()) == {7})
            acknowledge(central, 10)
            await until(lambda: site.done)
        assert sequences(central.messages) == list(range(1, 11))


async def test_the_watermark_from_before_is_heard_after_a_restart(mosquitto: Broker) -> None:
    """Positions on disk may be seconds behind; the broker has the consumer's word."""
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await central.until(lambda: has_got(central, 10))
            acknowledge(central, '"000000000000010"')
            await until(lambda: site.done)
        site.memory.positions.clear()
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await until(lambda: site.done)


async def test_what_is_not_acknowledged_in_time_is_sent_again(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "CONFIRM_S", 0.2)
    monkeypatch.setattr(watermark, "LONGEST_S", 0.4)
    site = Site()
    site.queue.add(*day(30))
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await central.until(lambda: has_got(central, 30))
            acknowledge(central, 4)
            await central.until(lambda: sequences(central.messages).count(5) == 3)
            worst = site.running.troubles.worst(site.clock.now())
            assert worst is not None
            assert worst.code == "unconfirmed"
            acknowledge(central, 30)
            await until(lambda: site.done)
            assert site.running.troubles.worst(site.clock.now()) is None
    assert [sequences(central.messages).count(number) for number in range(1, 5)] == [1] * 4
    again = sequences(central.messages)[30:]
    assert again[:20] == list(range(5, 25)), "few at a time"


async def test_a_consumer_that_is_away_is_not_buried(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker keeps some 1000 messages for who is away and drops the rest in silence: no more than 500 are on their way."""
    monkeypatch.setattr(watermark, "AHEAD", 40)
    site = Site()
    site.queue.add(*day(100))
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer") as link:
            await central.until(lambda: has_got(central, 40))
            await link.publish(event_message(site.queue.records[99], TOPICS, STREAM, site.clock.now()))  # overtakes what waits
            await central.until(lambda: has_got(central, 100))
            assert sequences(central.messages) == [*range(1, 41), 100]
            for sequence in (40, 80, 100):
                acknowledge(central, sequence)
                await central.until(partial(has_got, central, min(sequence + 40, 100)))
            await until(lambda: site.done)


async def test_a_broker_that_lost_what_it_acknowledged_is_told_again(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 of a broker without persistence: nothing that it had acknowledged comes back, and the watermark is gone with it."""
    monkeypatch.setattr(watermark, "CONFIRM_S", 0.3)
    site = Site()
    with peer(mosquitto.port, "nobody", f"{ROOT}/ev/#") as slow:
        async with site.uplink(mosquitto.port, confirm="consumer") as link:
            site.queue.add(*day(20))
            await slow.until(lambda: has_got(slow, 20))
            conn = await link.connected()
            mosquitto.kill()
            await link.lost(conn)
            mosquitto.start()
            with peer(mosquitto.port, "central", EVENTS) as central:
                await central.until(lambda: has_got(central, 20))
                assert sequences(central.messages)[:20] == list(range(1, 21))
                acknowledge(central, 20)
                await until(lambda: site.done)


@pytest.mark.parametrize(
    ("sequence", "stream", "why"), [(5, "another", "another stream"), (2, STREAM, "goes back"), (11, STREAM, "of the future")]
)
async def test_a_watermark_that_cannot_be_is_warned_about_once(
    mosquitto: Broker, caplog: pytest.LogCaptureFixture, sequence: int, stream: str, why: str
) -> None:
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await central.until(lambda: has_got(central, 10))
            acknowledge(central, 3)
            await until(lambda: set(site.told().values()) == {3})
            for _ in range(3):
                acknowledge(central, sequence, stream)
            acknowledge(central, 10)
            await until(lambda: site.done)
    assert caplog.text.count("counts for nothing") == caplog.text.count(why) == 1


async def test_sealed_days_are_passed_over_without_waiting_for_anybody(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(2 * watermark.AHEAD))
    site.queue.oldest = 2 * watermark.AHEAD - 9
    with peer(mosquitto.port, "central", EVENTS) as central:
        async with site.uplink(mosquitto.port, confirm="consumer"):
            await central.until(lambda: has_got(central, 2 * watermark.AHEAD))
        assert set(site.told().values()) == {2 * watermark.AHEAD - 10}


async def test_in_broker_mode_nobody_listens_to_watermarks(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_self: Consumer) -> None:
        raise AssertionError

    monkeypatch.setattr(consumer.Consumer, "run", never)
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "central", EVENTS) as central:
        acknowledge(central, 5)
        async with asyncio.timeout(10), site.uplink(mosquitto.port):
            await until(lambda: site.done)
