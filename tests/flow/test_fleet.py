"""``kiosd fleet``: what it publishes is what real sites publish, and what it says of a broker is true."""

import asyncio
import json
import resource
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import SystemClock
from kiosd.errors import Refused, Unavailable
from kiosd.fleet import run
from kiosd.fleet.plan import Outcome, Plan, make_room
from kiosd.fleet.run import run_fleet
from kiosd.fleet.site import Site, name
from kiosd.fleet.verify import Consumer
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.topics import Topics
from support.broker import Broker, broker, free_port, proxy
from support.kiosk import write_config
from support.mqtt_peer import peer, until
from support.served import Said, sayer

ROOM = "max_queued_messages 100000\n"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path, ROOM) as it:
        yield it


@pytest.fixture
def kiosd(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    return sayer(capsys)


def plan(port: int, **more: Any) -> Plan:
    return Plan.model_validate({"broker": MqttSettings(host="127.0.0.1", port=port), "sites": 5, "rate": 2000, "events": 200} | more)


async def fleet(asked: Plan) -> Outcome:
    return await run_fleet(asked, SystemClock(), lambda _: None)


@pytest.mark.parametrize(("connections", "spread"), [(None, "poisson"), (2, "even")])
async def test_a_consumer_sees_sites_as_they_are(connections: int | None, spread: str, mosquitto: Broker) -> None:
    with peer(mosquitto.port, "central", "kiosd/1/+/+/#") as central:
        outcome = await fleet(plan(mosquitto.port, connections=connections, spread=spread))
        await central.until(lambda: len(central.messages) >= 200)
        events = [message.json for message in central.messages]
    assert outcome.good and (outcome.published, outcome.acknowledged) == (200, 200)
    assert len(outcome.latencies) == 200 and min(outcome.latencies) > 0
    streams: dict[str, list[int]] = defaultdict(list)
    for event in events:
        streams[event["stream"]].append(int(event["sequence"]))
    assert len(streams) == 5
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in streams.values())
    assert {event["source"] for event in events} == {f"/kiosd/{name(index)}/hub" for index in range(5)}
    assert {event["specversion"] for event in events} == {"1.0"} and not any(event["replay"] for event in events)
    assert {event["type"] for event in events} >= {"kiosd.ticket.issued.v1", "kiosd.ticket.called.v1", "kiosd.ticket.finished.v1"}
    with peer(mosquitto.port, "later", "#") as later:
        assert not later.messages, "something is retained"


async def test_its_own_consumer_finds_everything(mosquitto: Broker) -> None:
    outcome = await fleet(plan(mosquitto.port, verify=True))
    found = outcome.verified
    assert found is not None and (found.received, found.missing, found.duplicates, found.late) == (200, 0, 0, 0)
    assert outcome.good and outcome.facts()["good"]


def test_its_own_consumer_can_fail() -> None:
    """Seeded faults: one event never comes, one comes twice, two are swapped, one was refused and is not missed."""

    async def judged() -> None:
        site = Site(Topics("kiosd", name(0), "hub"), SystemClock())
        messages = [site.message(site.happen(0.0)) for _ in range(8)]
        for number in range(1, 9):
            del site.owed[number]
        site.refused.add(8)
        consumer = Consumer(MqttSettings(host="127.0.0.1"), [site])
        for index in (0, 1, 1, 4, 3, 5, 6):
            consumer._take(messages[index])
        found = consumer.found()
        assert (found.received, found.missing, found.duplicates, found.late) == (7, 1, 1, 1)
        consumer._take(messages[2])
        assert consumer.found().missing == 0

    asyncio.run(judged())


async def test_more_connections_than_select_can_see(mosquitto: Broker) -> None:
    outcome = await fleet(plan(mosquitto.port, sites=400, events=400))
    assert outcome.connected == 400 and outcome.published == 400


@asynccontextmanager
async def cutting(port: int, times: int) -> AsyncIterator[int]:
    """A way to the broker that breaks again and again; each time only after something went over it."""
    async with proxy(port) as way, asyncio.TaskGroup() as group:

        async def cut() -> None:
            for _ in range(times):
                await asyncio.sleep(0.15)
                way.cut()

        cutter = group.create_task(cut())
        yield way.port
        cutter.cancel()


async def test_a_connection_that_breaks_costs_nothing_but_duplicates(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "AGAIN_S", (0.01, 0.05))
    with peer(mosquitto.port, "central", "kiosd/1/+/+/ev/+") as central:
        async with cutting(mosquitto.port, 3) as port:
            outcome = await fleet(plan(port, events=None, seconds=0.8, rate=1000))
        numbers: dict[str, list[int]] = defaultdict(list)
        await central.until(lambda: len(central.messages) >= outcome.published)
        for message in central.messages:
            numbers[message.json["stream"]].append(int(message.json["sequence"]))
    assert outcome.lost > 0 and outcome.sent_again > 0 and outcome.good
    assert outcome.acknowledged == outcome.published == sum(len(set(each)) for each in numbers.values())
    for each in numbers.values():
        assert all(after <= before + 1 for before, after in pairwise(each)), "a gap that nobody would wait for"


async def test_nobody_listens_is_told_and_is_no_fault_of_the_broker(mosquitto: Broker) -> None:
    outcome = await fleet(plan(mosquitto.port))
    assert outcome.refused == {"nobody_listens": 200} and outcome.acknowledged == 0 and outcome.good


async def test_what_the_broker_refuses_is_counted_by_reason(tmp_path: Path) -> None:
    with broker(tmp_path, acl="topic read #\n") as it:
        outcome = await fleet(plan(it.port, verify=True))
    assert outcome.refused == {"not_authorized": 200} and not outcome.good
    assert outcome.verified is not None and outcome.verified.missing == 0


async def test_a_broker_that_is_not_there_is_found_before_a_thousand_knock() -> None:
    with pytest.raises(Unavailable, match="no connection"):
        await fleet(plan(free_port(), sites=1000))


def test_events_are_spread_as_asked() -> None:
    even = list(run.times(plan(1, spread="even", rate=100, events=50)))
    assert even == pytest.approx([n / 100 for n in range(50)])
    poisson = list(run.times(plan(1, rate=1000, events=None, seconds=20)))
    assert 19_000 < len(poisson) < 21_000 and poisson == sorted(poisson) and poisson[-1] < 20


def test_a_limit_that_is_too_low_is_told_and_a_soft_one_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    make_room(100)
    assert not limits
    make_room(1000)
    assert limits == [(4096, 4096)]
    with pytest.raises(Refused) as no:
        make_room(5000)
    assert "--connections" in str(no.value.facts["message"])


def test_as_it_is_typed(kiosd: Callable[..., Said], mosquitto: Broker, tmp_path: Path) -> None:
    broker_words = ("--host", "127.0.0.1", "--port", str(mosquitto.port))
    words = ("--sites", "3", "--rate", "500", "--events", "30", "--verify")
    said = kiosd("fleet", *broker_words, *words)
    assert said.status == 0 and "30 published, 30 acknowledged" in said.out and "30 received, 0 missing" in said.out
    config = write_config(tmp_path, mosquitto.port)
    facts = json.loads(kiosd("fleet", "--config", str(config), *words, "--json").out)
    assert facts["acknowledged"] == 30 and facts["verified"]["received"] == 30


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--sites", "3", "--rate", "5", "--events", "3"), "--host HOST, or --config FILE"),
        (("--host", "127.0.0.1", "--sites", "x", "--rate", "5", "--events", "3"), "--sites is a number"),
        (("--host", "127.0.0.1", "--sites", "3", "--rate", "5"), "either seconds or events"),
        (("--host", "127.0.0.1", "--sites", "3", "--rate", "5", "--events", "3", "--connections", "4"), "more connections than sites"),
        (("--host", "127.0.0.1", "--sites", "0", "--rate", "5", "--events", "3"), "--sites: "),
        (("--host", "broker.example", "--sites", "3", "--rate", "5", "--events", "3"), "insecure = true"),
    ],
)
def test_wrong_words(words: tuple[str, ...], rule: str, kiosd: Callable[..., Said]) -> None:
    said = kiosd("fleet", *words)
    assert said.status == 2 and rule in said.err and not said.out


async def test_the_rate_is_kept(mosquitto: Broker) -> None:
    """Not more than was asked for, whatever the machine does."""
    outcome = await fleet(plan(mosquitto.port, rate=100, events=None, seconds=0.5, spread="even"))
    assert outcome.published == 50 and outcome.elapsed_s >= 0.48
    await until(lambda: outcome.acknowledged + sum(outcome.refused.values()) == 50)
