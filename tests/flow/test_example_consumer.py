"""The consumer of docs/examples does what docs/mqtt.md promises: every event once, in order, whatever is lost, doubled or mixed up."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.broker import Broker
from support.consumer import Consumer, consumer
from support.mqtt_peer import Peer, peer, until

ROOT = "kiosd/1/cth01/hub"
STREAM, OTHER = "6f9619ff-8b86-d011-b42d-00c04fc964ff", "0b1f7c7e-5c4e-4f7a-9d3c-2f6c0e8a7b11"
FAMILIES = ("ticket", "counter", "system")


@dataclass
class Kiosk:
    """What a consumer sees of a kiosk, made by hand: ``tell`` says events as they are asked for, ``serve`` answers ``cmd/replay``."""

    peer: Peer
    stream: str = STREAM
    root: str = ROOT
    gone: list[tuple[int, int]] = field(default_factory=list)
    """What can never come, first and last of each range."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    _served: int = 0

    def event(self, sequence: int, replay: bool = False) -> tuple[str, bytes]:
        family = FAMILIES[sequence % len(FAMILIES)]
        envelope = {
            "specversion": "1.0", "id": f"{self.stream}-{sequence:015d}", "source": f"/{self.root}", "type": f"kiosd.{family}.x.v1",
            "time": "2026-07-01T01:05:00.123Z", "sequence": f"{sequence:015d}", "stream": self.stream, "boot": "b", "clock": "synced",
            "replay": replay, "data": {},
        }  # fmt: skip
        return f"{self.root}/ev/{family}", json.dumps(envelope).encode()

    def tell(self, *sequences: int, replay: bool = False) -> None:
        for sequence in sequences:
            self.peer.publish(*self.event(sequence, replay))

    def state(self, newest: int) -> None:
        self.peer.publish(f"{self.root}/queue", json.dumps({"stream": self.stream, "as_of_sequence": newest}).encode(), retain=True)

    def serve(self) -> None:
        """Answer the replays that were asked for since."""
        asked = self.peer.on(f"{self.root}/cmd/replay")
        for message in asked[self._served :]:
            self._served += 1
            assert not message.retain
            first, last = message.json["args"]["from"], message.json["args"]["to"]
            self.asked.append((first, last))
            gone = [(max(low, first), min(high, last)) for low, high in self.gone if first <= high and low <= last]
            answer = {"id": message.json["id"], "status": "accepted", "sequence": 0, "result": {"gone": gone}}
            self.peer.publish(f"{self.root}/reply/{message.json['client']}", json.dumps(answer).encode())
            self.tell(*(one for one in range(first, last + 1) if self.exists(one)), replay=True)

    def exists(self, sequence: int) -> bool:
        return not any(low <= sequence <= high for low, high in self.gone)

    def watermarks(self) -> list[int]:
        acks = self.peer.on(f"{self.root}/ack/central")
        return [ack.json["sequence"] for ack in acks if ack.json["stream"] == self.stream]


@pytest.fixture
def kiosk(mosquitto: Broker) -> Iterator[Kiosk]:
    with peer(mosquitto.port, "kiosk", f"{ROOT}/cmd/#", f"{ROOT}/ack/#") as it:
        yield Kiosk(it)


@pytest.fixture
def central(mosquitto: Broker, tmp_path: Path) -> Iterator[Consumer]:
    with consumer(mosquitto.port, tmp_path) as it:
        yield it


async def listening(kiosk: Kiosk, central: Consumer) -> None:
    """The first event comes through; before that the broker may have nobody to give it to."""

    def through() -> Any:
        kiosk.tell(1)
        return central.applied(kiosk.stream)

    await until(through, 10, central.said)


async def served(kiosk: Kiosk, central: Consumer, last: int) -> None:
    """``last`` is applied, while replays are answered."""

    def done() -> bool:
        kiosk.serve()
        return central.applied(kiosk.stream)[-1:] == [last]

    await until(done, 15, lambda: f"applied {central.applied(kiosk.stream)[-3:]}, asked {kiosk.asked[-3:]}; {central.said()}")
    assert central.applied(kiosk.stream) == [one for one in range(1, last + 1) if kiosk.exists(one)]


async def test_what_comes_twice_or_mixed_up_is_applied_once_and_in_order(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.tell(2, 3, 2, 1, 5, 4, 3, 6, 8, 7, 8)
    await served(kiosk, central, 8)
    assert kiosk.asked == []
    assert sum(central.totals().values()) == 8


async def test_a_gap_is_waited_for_then_asked_for_and_healed(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.tell(2, 3, 7, 8, 10)
    await served(kiosk, central, 10)
    assert kiosk.asked == [(4, 10)]


async def test_the_very_last_event_is_missed_too(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.state(4)
    await served(kiosk, central, 4)
    assert kiosk.asked == [(2, 4)]


async def test_what_is_gone_for_ever_is_left_out(kiosk: Kiosk, central: Consumer) -> None:
    """Sealed days at the beginning, and events that this broker is not told."""
    kiosk.gone = [(1, 99), (107, 107), (110, 110)]
    kiosk.state(120)
    await served(kiosk, central, 120)


async def test_a_long_history_is_asked_for_in_parts(kiosk: Kiosk, central: Consumer) -> None:
    kiosk.gone = [(1, 299_998)]
    kiosk.state(300_000)
    await served(kiosk, central, 300_000)
    assert all(last - first < 100_000 for first, last in kiosk.asked)


async def test_a_watermark_follows_the_commit(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.tell(2, 3, 5)
    await until(lambda: 3 in kiosk.watermarks())
    assert max(kiosk.watermarks()) == 3
    kiosk.tell(4)
    await until(lambda: kiosk.watermarks()[-1:] == [5])


async def test_a_new_memory_card_is_a_new_stream(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.tell(2, 5)
    await until(lambda: kiosk.watermarks()[-1:] == [2])
    anew = Kiosk(kiosk.peer, stream=OTHER)
    anew.tell(1, 2, 3)
    await served(anew, central, 3)
    assert central.applied(STREAM) == [1, 2]


async def test_two_kiosks_are_told_apart(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    kiosk.peer.subscribe("kiosd/1/cth02/hub/cmd/#")
    second = Kiosk(kiosk.peer, stream=OTHER, root="kiosd/1/cth02/hub")
    kiosk.tell(2)
    second.tell(1, 3)
    await served(second, central, 3)
    await served(kiosk, central, 2)
    assert (second.asked, kiosk.asked) == ([(2, 3)], [])


async def test_rubbish_is_left_out_and_told(kiosk: Kiosk, central: Consumer) -> None:
    await listening(kiosk, central)
    for payload in (b"", b"{", b"[]", b"{}", b'{"stream": 1, "sequence": {}}', b"\xff"):
        kiosk.peer.publish(f"{ROOT}/ev/ticket", payload)
    kiosk.tell(2)
    await served(kiosk, central, 2)
    assert central.said().count("ev/ticket") == 6


@pytest.mark.parametrize("seed", range(3))
async def test_a_bad_road_and_a_consumer_that_is_killed_lose_nothing(kiosk: Kiosk, central: Consumer, seed: int) -> None:
    """A third of the events is dropped, a third comes twice, neighbours are swapped, and the consumer is killed on the way."""
    chance = random.Random(seed)
    await listening(kiosk, central)
    road = [one for one in range(2, 400) for _ in range(chance.choice((0, 1, 2)))]
    for place in range(0, len(road) - 1, 7):
        road[place], road[place + 1] = road[place + 1], road[place]
    for start in range(0, len(road), 130):
        kiosk.tell(*road[start : start + 130])
        kiosk.serve()
        await until(partial(_some_news, kiosk, len(kiosk.watermarks())))
        central.kill()
        central.start()
    kiosk.tell(400)
    await served(kiosk, central, 400)
    types = Counter(f"kiosd.{FAMILIES[one % 3]}.x.v1" for one in range(1, 401))
    assert central.totals() == types


def _some_news(kiosk: Kiosk, before: int) -> bool:
    kiosk.serve()
    return len(kiosk.watermarks()) > before
