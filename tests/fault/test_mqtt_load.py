"""Much to tell: a subscriber that is slow, and the backlog of weeks, while people are called.

The backlog is a scaled one: 45 days, but 200 events a day instead of 3,300, so that it drains within seconds.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from kiosd.clock import SystemClock
from kiosd.journal.journal import FILE, Journal
from kiosd.mqtt.retained import STATE_GAP_S
from kiosd.queue.commands import IssueTicket, OpenCounter
from support.broker import Broker
from support.faults import running, uplink
from support.mqtt_peer import PUBLISH, Peer, peer, until
from support.olddays import add_day
from support.uplinks import EVENTS, ROOT, Site, day, sequences

MANY = 1500
KEPT = 1000 + 20
"""What mosquitto keeps by default for a subscriber that does not keep up: max_queued_messages and max_inflight_messages."""
DAYS, TICKETS_A_DAY, PACE_PER_S = 45, 40, 2000
SOON = 300
"""Events between a question and its answer. At 2000 a second this is 150 ms, most of them for a busy machine."""


class Slow(Peer):
    """A subscriber that needs time for every event."""

    takes_s = 0.0

    def _take(self, head: int, body: bytes) -> None:
        if head >> 4 == PUBLISH:
            time.sleep(self.takes_s)  # the slowness itself
        super()._take(head, body)


@contextmanager
def slow(port: int, takes_s: float) -> Iterator[Slow]:
    it = Slow(port, "slow")
    it.takes_s = takes_s
    try:
        it.subscribe(EVENTS)
        yield it
    finally:
        it.close()


async def test_a_slow_subscriber_gets_everything_thanks_to_the_pace(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(MANY))
    with slow(mosquitto.port, 0.0025) as central:
        async with site.uplink(mosquitto.port, pace_per_s=250):
            await central.until(lambda: len(central.messages) == MANY, 30)
        assert sequences(central.messages) == list(range(1, MANY + 1))


async def test_without_a_pace_a_broker_acknowledges_what_it_drops(mosquitto: Broker) -> None:
    """Why there is a pace, and that the test above would notice if there were none."""
    site = Site()
    site.queue.add(*day(MANY))
    with slow(mosquitto.port, 0.02) as central:
        async with site.uplink(mosquitto.port, pace_per_s=0):
            await until(lambda: site.done, 10)
            assert len(central.messages) + KEPT < MANY, "the broker acknowledged all and cannot have the rest"


def weeks(state: Path) -> int:
    """A journal of ``DAYS`` days that nobody was told; how many events it holds."""
    state.mkdir()
    today = SystemClock().now().time.date()
    with closing(Journal(state / FILE)) as journal:
        for back in range(DAYS, 0, -1):
            add_day(journal, today - timedelta(days=back), TICKETS_A_DAY)
        return journal.seq


def before(central: Peer, first: int, topic: str, fits: Callable[[Any], bool]) -> list[int]:
    """Events that came after message number ``first`` and before what ``fits`` on ``topic``, as one number; empty when it has not come."""
    for place, message in enumerate(central.messages[first:], first):
        if message.topic == topic and fits(message.json):
            return [len(sequences(central.messages[first:place]))]
    return []


async def asked(central: Peer, name: str) -> list[int]:
    """Ask counter 1 for something; how many events came before the answer, and before the counter's new state."""
    first, reply, counter = len(central.messages), f"{ROOT}/reply/desk", f"{ROOT}/counter/1"
    request = {"id": f"call-{first}", "client": "desk", "counter": 1}
    central.publish(f"{ROOT}/cmd/{name}", json.dumps(request).encode())
    await central.until(lambda: central.on(reply) and central.on(reply)[-1].json["id"] == request["id"])
    answer = central.on(reply)[-1].json
    assert answer["status"] == "done", answer

    def shown(state: Any) -> bool:
        return bool(int(state["as_of_sequence"]) >= answer["sequence"])

    await central.until(lambda: before(central, first, counter, shown))
    return before(central, first, reply, lambda body: body["id"] == request["id"]) + before(central, first, counter, shown)


async def test_the_backlog_of_weeks_does_not_delay_a_call(tmp_path: Path, mosquitto: Broker) -> None:
    """Events keep their order; what a caller and a display wait for, the answer and the counter's state, overtakes them."""
    owed = weeks(tmp_path / "state")
    clock = SystemClock(trust_rtc=True)
    with peer(mosquitto.port, "central", f"{ROOT}/#") as central:
        async with running(tmp_path / "state", clock) as queue:
            await queue.execute(OpenCounter(counter=1))
            for _ in range(5):
                assert (await queue.execute(IssueTicket(service="F", slip=False, actor="receptionist"))).done
            async with uplink(queue, clock, mosquitto.port, pace_per_s=PACE_PER_S):
                waited: list[int] = []
                for enough, name in enumerate(("next", "start", "finish", "next", "start"), start=1):
                    await central.until(lambda enough=enough: len(central.messages) > enough * 1000, 20)  # type: ignore[misc]  # a default
                    waited += await asked(central, name)
                assert len(central.messages) < owed, "there was still much to tell"
                await central.until(lambda: sequences(central.messages[-1:]) == [queue.book.seq], 30)
                assert sequences(central.messages) == list(range(1, queue.book.seq + 1))
    assert max(waited[::2]) < SOON, waited
    assert max(waited[1::2]) < SOON + PACE_PER_S * STATE_GAP_S, waited
