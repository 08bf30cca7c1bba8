"""The consumer of docs/examples against the real daemon and a real broker, on the roads on which messages get lost."""

import itertools
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from docs.contract import wrong
from kiosd.mqtt.topics import TOPICS, Topics
from kiosd.queue.commands import OpenCounter
from support.broker import Broker, broker
from support.checker import Seen, findings, read_journal
from support.consumer import Consumer, consumer
from support.kiosk import Kiosk, held
from support.mqtt_peer import CONTENT_TYPE, EXPIRY, Peer, Received, peer, until

KEEPS_FEW = "max_queued_messages 5\nmax_inflight_messages 5"  # mosquitto acknowledges the rest, and drops it
ROOT = Topics("kiosd", "CTH01", "hub").root
HURRY = "pace_per_s = 1000\n"


@dataclass
class Site:
    kiosk: Kiosk
    broker: Broker
    central: Consumer

    def received(self) -> list[dict[str, Any]]:
        """What the consumer has stored, in the order of sequences."""
        with closing(sqlite3.connect(self.central.file)) as db:
            return [json.loads(text) for (text,) in db.execute("SELECT text FROM event ORDER BY sequence")]

    async def whole(self) -> None:
        """The consumer has applied what happened, all of it, once, in order, unchanged."""
        async with self.kiosk.queue() as queue:
            now = await queue.snapshot()
        await self.central.until(now.stream, now.sequence, 60)  # a broker that keeps five messages drops most of each replay
        applied = self.central.applied(now.stream)
        assert applied == list(range(1, len(applied) + 1))
        received = [event for event in self.received() if int(event["sequence"]) <= now.sequence]
        rows = [row for row in read_journal(self.kiosk.state / "journal.db") if row["seq"] <= now.sequence]
        assert findings(rows, Seen(received=received)) == []


@asynccontextmanager
async def site(folder: Path, extra: str = "", more: str = HURRY) -> AsyncIterator[Site]:
    """A kiosk at work, and a consumer that has caught up with it."""
    with broker(folder, extra) as it, consumer(it.port, folder) as central, Kiosk(folder, it.port, more=more) as kiosk:
        await kiosk.start()
        one = Site(kiosk, it, central)
        async with kiosk.queue() as queue:
            assert (await queue.execute(OpenCounter(counter=1))).done
        await one.whole()
        yield one


async def test_a_day_arrives_as_it_was(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        await one.kiosk.tickets(30)
        await one.whole()


async def test_everything_that_a_kiosk_says_is_as_the_schemas_say(tmp_path: Path) -> None:
    """All that goes over the wire on a small day, states, events and answers, judged by docs/schemas."""
    with broker(tmp_path) as it, peer(it.port, "central", "kiosd/#") as central, Kiosk(tmp_path, it.port, more=HURRY) as kiosk:
        await kiosk.start()
        asked: dict[str, dict[str, Any]] = {
            "issue": {"args": {"service": "F"}}, "open": {"counter": 1}, "next": {"counter": 1}, "start": {"counter": 1},
            "recall": {"counter": 1}, "finish": {"counter": 1, "expect_rev": 1}, "rate": {"counter": 1, "args": {"score": 4}},
            "bogus": {}, "issue ": {"more": 1},
            "replay": {"args": {"from": 1, "to": 3}}, "note": {"args": {"text": "listrik padam"}, "actor": "manager"},
        }  # fmt: skip
        for name, fields in asked.items():
            await answered(central, name.strip(), {"id": f"c-{name.strip()}-{len(fields)}", "client": "central"} | fields)
        await central.until(lambda: sum("/ev/" in message.topic and message.json["replay"] for message in central.messages) == 3)
        kiosk.stop()
        await central.until(lambda: central.on(f"{ROOT}/status")[-1].json["state"] == "offline")
        seen = {judged(message) for message in central.messages if "/cmd/" not in message.topic}
    assert seen == {"status", "info", "device", "queue", "counter", "event", "reply"}
    assert {answer.json["status"] for answer in central.on(f"{ROOT}/reply/central")} == {"done", "accepted", "rejected"}


async def answered(central: Peer, name: str, request: dict[str, Any]) -> None:
    """Ask until there is an answer, as the contract says: the same bytes again are done once."""
    said = itertools.count(1)

    def done() -> bool:
        if next(said) % 100 == 1:
            central.publish(f"{ROOT}/cmd/{name}", json.dumps(request).encode())
        return any(answer.json["id"] == request["id"] for answer in central.on(f"{ROOT}/reply/central"))

    await until(done, 10)


def judged(message: Received) -> str:
    """The row of the contract that ``message`` belongs to; it is right by its schema."""
    row = next(row for row in TOPICS if re.fullmatch(re.sub(r"<\w+>", "[^/]+", f"{ROOT}/{row.path}"), message.topic))
    files = {"event": ("events.json", ""), "reply": ("reply.json", "")}
    assert wrong(message.json, *files.get(row.name, ("states.json", row.name))) == [], message
    assert (message.qos, message.properties.get(CONTENT_TYPE)) == (row.qos, row.content_type)
    assert message.properties.get(EXPIRY, row.expiry_s) == row.expiry_s
    return row.name


async def test_what_the_broker_acknowledged_and_dropped_is_asked_for_and_comes(tmp_path: Path) -> None:
    async with site(tmp_path, KEEPS_FEW) as one:
        one.central.kill()
        await one.kiosk.tickets(60)
        await held(one.kiosk, "")
        one.central.start()
        await one.whole()
        assert sum(event["replay"] for event in one.received()) > 20


async def test_a_broker_that_loses_its_memory_loses_nothing_for_good(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        one.central.kill()
        await one.kiosk.tickets(20)
        await held(one.kiosk, "")  # the broker has them all, and now forgets them
        one.broker.kill()
        one.broker.start()
        one.central.start()
        await one.whole()
        assert sum(event["replay"] for event in one.received()) >= 20


async def test_a_kiosk_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        for _ in range(2):
            await one.kiosk.tickets(15)
            one.kiosk.kill()
            await one.kiosk.start()
        await one.whole()


async def test_watermarks_let_the_kiosk_go_on(tmp_path: Path) -> None:
    """More events than it sends ahead of a watermark, so that it depends on them."""
    async with site(tmp_path, more=HURRY + 'confirm = "consumer"\n') as one:
        await one.kiosk.tickets(600)
        await one.whole()


@pytest.mark.parametrize("confirm", ["broker", "consumer"])
async def test_a_consumer_that_is_killed_again_and_again_misses_nothing(tmp_path: Path, confirm: str) -> None:
    async with site(tmp_path, KEEPS_FEW, HURRY + f'confirm = "{confirm}"\n') as one:
        for _ in range(3):
            one.central.kill()
            await one.kiosk.tickets(25)
            one.central.start()
        await one.whole()
