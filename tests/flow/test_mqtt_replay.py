"""``cmd/replay``: what was told is told again, from the journal, without moving a cursor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from kiosd.errors import Refused
from kiosd.mqtt import replay
from kiosd.mqtt.replay import Replay
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from support.broker import Broker, proxy
from support.mqtt_peer import USER, Peer, peer, until
from support.uplinks import EVENTS, ROOT, TOPICS, Site, day, has_got, sequences, told


@asynccontextmanager
async def replaying(site: Site, port: int, pace_per_s: int = 0) -> AsyncIterator[Replay]:
    """A site at ``port`` whose uplink runs, and its replay."""
    async with site.uplink(port) as link, asyncio.TaskGroup() as group:
        it = Replay(site.queue, link, TOPICS, site.clock, site.running.quarantine, pace_per_s)
        task = group.create_task(it.run())
        yield it
        task.cancel()


def again(central: Peer) -> list[int]:
    """What came for a replay."""
    return [int(message.json["sequence"]) for message in central.messages if dict(message.properties.get(USER, ())).get("replay_of")]


async def when_over(asked: Replay, command: str, first: int, last: int) -> dict[str, object]:
    """What is answered once the replay before is over: its last event may be here before its last acknowledgement."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await asked.ask(command, first, last)
            except Refused as no:
                if no.code != "busy":
                    raise
            await asyncio.sleep(0.01)


async def refused(asked: Replay, first: int, last: int) -> str:
    with pytest.raises(Refused) as no:
        await asked.ask(f"c-{first}-{last}", first, last)
    assert no.value.facts["message"]
    return no.value.code


async def test_what_was_asked_for_comes_again_marked_and_in_order(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(50))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with replaying(site, mosquitto.port) as it:
            await told(site, central, 50)
            before = dict(site.memory.positions)
            assert await it.ask("c-1", 11, 30) == {"from": 11, "to": 30, "events": 20, "gone": []}
            await until(lambda: again(central) == list(range(11, 31)))
            assert site.memory.positions == before
    replayed = [message for message in central.messages if dict(message.properties[USER]).get("replay_of") == "c-1"]
    assert len(replayed) == 20
    assert all(message.json["replay"] for message in replayed)
    first = next(message.json for message in central.messages if int(message.json["sequence"]) == 11)
    assert replayed[0].json | {"replay": False} == first, "the same event"


async def test_what_happens_now_does_not_wait_for_it(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(100))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with replaying(site, mosquitto.port, pace_per_s=100) as it:
            await told(site, central, 100)
            await it.ask("c-1", 1, 100)
            site.queue.add(*day(1))
            await central.until(lambda: has_got(central, 101))
            assert len(again(central)) < 50
            assert await refused(it, 1, 5) == "busy"
            await until(lambda: again(central) == list(range(1, 101)))


async def test_the_same_command_gets_the_same_answer_and_no_second_replay(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(10))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with replaying(site, mosquitto.port) as it:
            await told(site, central, 10)
            answers = [await it.ask("c-1", 1, 5), await it.ask("c-1", 1, 5)]
            assert answers[0] == answers[1]
            await until(lambda: again(central) == [1, 2, 3, 4, 5])
            await when_over(it, "c-2", 6, 10)
            await until(lambda: again(central) == list(range(1, 11)))


async def test_what_is_gone_is_told(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(30))
    site.queue.oldest = 11
    site.memory.quarantine("central", 15, "ticket.issued", "too_large", "2026-07-01T05:00:00.000Z")
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with replaying(site, mosquitto.port) as it:
            await told(site, central, 30)
            answer = await it.ask("c-1", 5, 99)
            assert answer == {"from": 11, "to": 30, "events": 19, "gone": [[5, 10], [15, 15]]}
            await until(lambda: again(central) == [number for number in range(11, 31) if number != 15])
            with pytest.raises(Refused, match="not_there"):
                await when_over(it, "c-2", 31, 40)


async def test_a_range_of_which_nothing_is_left_is_granted_with_no_event(mosquitto: Broker) -> None:
    """A consumer that was refused would ask for ever."""
    site = Site()
    site.queue.add(*day(30))
    site.queue.oldest = 11
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with replaying(site, mosquitto.port) as it:
            await told(site, central, 30)
            assert await it.ask("c-1", 1, 10) == {"from": 11, "to": 10, "events": 0, "gone": [[1, 10]]}


@pytest.mark.parametrize(("first", "last", "code"), [(0, 5, "bad_range"), (5, 4, "bad_range"), (1, 100_001, "too_many")])
async def test_a_range_that_is_none_is_refused(mosquitto: Broker, first: int, last: int, code: str) -> None:
    assert replay.MOST == 100_000
    site = Site()
    async with replaying(site, mosquitto.port) as it:
        assert await refused(it, first, last) == code


async def test_it_ends_when_nobody_takes_it_or_the_connection_ends_and_another_may_be_asked_for(
    mosquitto: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    site.queue.add(*day(20))
    async with proxy(mosquitto.port) as wire, replaying(site, wire.port, pace_per_s=50) as it:
        await until(lambda: site.running.troubles.held)
        await it.ask("c-1", 1, 20)
        await until(lambda: "replay of 1 to 20 ends: nobody_listens" in caplog.text)
        with peer(mosquitto.port, "peer", EVENTS) as central:
            await when_over(it, "c-2", 1, 20)
            await until(lambda: again(central))
            wire.cut()
            await until(lambda: caplog.text.count("replay of 1 to 20 ends") == 2)
            await until(lambda: site.done, 10)
            await when_over(it, "c-3", 19, 20)
            await until(partial(again_ends_with, central, [19, 20]))
    assert {message.topic for message in central.messages} == {f"{ROOT}/ev/ticket", f"{ROOT}/ev/counter"}
    assert set(sequences(central.messages)) == set(range(1, 21))


def again_ends_with(central: Peer, numbers: list[int]) -> bool:
    return again(central)[-len(numbers) :] == numbers


async def test_the_answer_comes_before_the_events(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(20))
    mqtt = MqttSettings(host="127.0.0.1", port=mosquitto.port, pace_per_s=0)
    with peer(mosquitto.port, "central", EVENTS, f"{ROOT}/reply/central") as central:
        async with asyncio.TaskGroup() as group:
            work = run_session(
                "central", mqtt, site="CTH01", node="hub", config_hash="x", queue=site.queue, cursors=site.memory, clock=site.clock
            )
            task = group.create_task(work)
            await told(site, central, 20)
            central.publish(f"{ROOT}/cmd/replay", b'{"id":"c-1","client":"central","args":{"from":6,"to":9}}')
            await central.until(lambda: again(central) == [6, 7, 8, 9])
            task.cancel()
        answer = next(message.json for message in central.messages[20:] if message.topic.endswith("/reply/central"))
        assert central.messages[20].topic == f"{ROOT}/reply/central"
    assert answer == answer | {"id": "c-1", "status": "accepted", "result": {"from": 6, "to": 9, "events": 4, "gone": []}}
