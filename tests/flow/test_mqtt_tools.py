"""``kiosd mqtt tail`` and ``purge`` and ``kiosd outbox`` as a person types them, against real brokers and beside the real daemon."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import Moment
from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.tools import echo
from kiosd.mqtt.tools.echo import Listener, listener
from kiosd.mqtt.tools.tail import Arrival, Watcher, arrivals
from kiosd.queue.commands import IssueTicket
from kiosd.queue.events import Record
from support.broker import Broker, broker
from support.certificates import NOW
from support.fakequeue import STREAM, called, issued
from support.kiosk import Kiosk, held
from support.mqtt_peer import USER, Peer, Received, peer, until
from support.mqtttools import ROOT, TOPICS, Kiosd, config, login, passwords
from support.served import Said, sayer

MOMENT = Moment(NOW, 100.0, synced=True, boot="b")


@pytest.fixture
def kiosd(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Kiosd:
    monkeypatch.setattr(echo, "ECHO_S", 0.3)  # loopback
    return sayer(capsys)


# tail


def sent(sequence: int, *, event: Any = None) -> Message:
    return event_message(Record(sequence, MOMENT, event or issued(sequence), ""), TOPICS, STREAM, MOMENT)


def test_gaps_and_duplicates_are_marked() -> None:
    watcher = Watcher()

    def marks(sequence: int) -> tuple[str, ...]:
        return watcher.look(sent(sequence)).marks

    found = [marks(sequence) for sequence in (41, 42, 46, 44, 42, 47)]
    assert found == [(), (), ("gap 43-45",), ("late",), ("duplicate",), ()]
    for payload in (b"", b"x", b"[1]", b'{"stream":1}', b"\xff"):
        assert watcher.look(Message(f"{ROOT}/ev/ticket", payload)).marks == ("no event",)
    unknown = sent(48)
    changed = Message(unknown.topic, unknown.payload.replace(b"kiosd.ticket.issued.v1", b"kiosd.ticket.sung.v1"))
    assert watcher.look(changed).record is None


async def test_a_watcher_sees_what_arrives_and_hears_when_the_broker_has_gone(mosquitto: Broker) -> None:
    seen: list[Arrival] = []
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    async with listener(settings, "watch", ROOT) as own:
        with peer(mosquitto.port, "node") as node, pytest.raises(Unavailable):
            async for arrival in _subscribed(own, node):
                seen.append(arrival)
                if len(seen) == 2:
                    mosquitto.stop()
    assert [arrival.marks for arrival in seen] == [(), ("gap 2-2",)]


async def _next(watching: AsyncIterator[Arrival]) -> Arrival:
    return await anext(watching)


async def _subscribed(own: Listener, node: Peer) -> AsyncIterator[Arrival]:
    watching = arrivals(own, "kiosd/1/cth01", "ticket")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_next(watching))
        while not first.done():
            node.publish(f"{ROOT}/ev/ticket", sent(1).payload)  # again until the subscription stands
            await asyncio.sleep(0.01)
    yield first.result()
    node.publish(f"{ROOT}/ev/ticket", sent(3, event=called(3)).payload)
    async for arrival in watching:
        if "duplicate" not in arrival.marks:
            yield arrival


def test_tail_shows_events_until_ctrl_c(mosquitto: Broker, tmp_path: Path) -> None:
    words = ["mqtt", "tail", "--config", config(tmp_path, mosquitto.port), "--state", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-m", "kiosd", *words], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with peer(mosquitto.port, "node") as node, process.stdout as out:
        node.wait(lambda: node.publish(f"{ROOT}/ev/ticket", sent(1).payload) and 0x00 in node.acks.values(), 10)  # somebody listens
        node.publish(f"{ROOT}/ev/ticket", sent(4).payload)
        lines: list[str] = []
        while not lines or "A004" not in lines[-1]:
            lines.append(out.readline())
            assert lines[-1], lines
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert "ticket.issued" in lines[0] and lines[-1].rstrip().endswith("<- gap 2-3")


# purge


def retain(mosquitto: Broker, *topics: str) -> None:
    with peer(mosquitto.port, "past") as past:
        mids = [past.publish(topic, b"{}", retain=True) for topic in topics]
        past.wait(lambda: set(mids) <= past.acks.keys())


def test_purge_empties_what_is_under_the_root_and_nothing_else(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path) -> None:
    mine = [f"{ROOT}/{name}" for name in ("status", "info", "counter/1", "device/printer/status", "old/thing")]
    other = "kiosd/1/cth02/hub/status"
    retain(mosquitto, *mine, other)
    words = ("mqtt", "purge", "--config", config(tmp_path, mosquitto.port), "--state", str(tmp_path))
    assert kiosd(*words).status == 2, "nobody can be asked"
    said = kiosd(*words, "--yes", "--json")
    assert said.status == 0 and sorted(json.loads(said.out)["emptied"]) == sorted(mine)
    with peer(mosquitto.port, "later", "kiosd/#") as later:
        later.wait(lambda: later.messages)
        assert [message.topic for message in later.messages] == [other]
    assert "Nothing is retained" in kiosd(*words, "--yes").out


def test_purge_asks_first(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    retain(mosquitto, f"{ROOT}/status")
    reader, writer = os.openpty()
    with os.fdopen(reader, "rb", buffering=0) as asked, os.fdopen(writer, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(asked.fileno(), b"no\n")
        said = kiosd("mqtt", "purge", "--config", config(tmp_path, mosquitto.port), "--state", str(tmp_path))
    assert said.status == 1 and f"{ROOT}/status" in said.err and "nothing was emptied" in said.err
    with peer(mosquitto.port, "later", f"{ROOT}/#") as later:
        later.wait(lambda: later.messages)


def test_purge_says_when_it_may_not_look(kiosd: Kiosd, tmp_path: Path) -> None:
    with broker(tmp_path, passwords(tmp_path), acl=f"user kiosk\ntopic write {ROOT}/#\n") as it:
        words = ("--config", config(tmp_path, it.port, login(tmp_path)), "--state", str(tmp_path))
        said = kiosd("mqtt", "purge", *words, "--yes")
    assert said.status == 1 and "may not read" in said.err


# Beside the daemon.


def by_thread(kiosd: Kiosd) -> Callable[..., Any]:
    """``kiosd`` in a thread of its own: it has an event loop, and so has the test."""

    async def say(*words: str) -> Said:
        said: list[Said] = []
        thread = threading.Thread(target=lambda: said.append(kiosd(*words)))
        thread.start()
        await until(lambda: not thread.is_alive(), 30)
        return said[0]

    return say


async def test_outbox_and_doctor_beside_a_daemon_whose_events_are_refused(kiosd: Kiosd, tmp_path: Path) -> None:
    say = by_thread(kiosd)
    acl = f"topic readwrite {ROOT}/#\ntopic deny {ROOT}/ev/ticket\n"
    with broker(tmp_path, acl=acl) as it, Kiosk(tmp_path, it.port) as kiosk, peer(it.port, "central", f"{ROOT}/ev/+"):
        await kiosk.start()
        async with kiosk.queue() as queue:
            await queue.execute(IssueTicket(service="F", actor="public"))
        await held(kiosk, "not_authorized")
        words = ("--config", str(kiosk.config), "--state", str(kiosk.state))
        shown = await say("outbox", "status", "--state", str(kiosk.state))
        found = await say("mqtt", "doctor", *words)
        purged = await say("mqtt", "purge", *words, "--yes")
    assert shown.status == 0 and "connected" in shown.out and "not_authorized" in shown.out
    assert found.status == 1 and "ev/ticket (not_authorized); 1 events are owed" in found.out
    assert "client id      ok" in found.out
    assert purged.status == 1 and "the daemon runs" in purged.err


def retold(central: Peer) -> list[Received]:
    """The events that ``central`` received because somebody asked for them again."""
    return [message for message in central.messages if "replay_of" in dict(message.properties.get(USER, ()))]


async def test_events_are_told_again_when_asked_for(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path) -> None:
    say = by_thread(kiosd)
    with Kiosk(tmp_path, mosquitto.port) as kiosk:
        await kiosk.start()
        state = ("--state", str(kiosk.state))
        await held(kiosk, "")
        async with kiosk.queue() as queue:
            await queue.execute(IssueTicket(service="F", actor="public"))
        await held(kiosk, "nobody_listens")
        watched = await say("mqtt", "tail", "--config", str(kiosk.config), *state)
        with peer(mosquitto.port, "central", f"{ROOT}/ev/+") as central:
            await held(kiosk, "")
            await central.until(lambda: any(message.topic.endswith("/ticket") for message in central.messages))
            refused = await say("outbox", "replay", "900", "901", *state)  # before the other one: a second replay has to wait
            said = await say("outbox", "replay", "1", "2", *state, "--json")
            # Other families' events may still be on their way: what was asked for names the request.
            await central.until(lambda: len(retold(central)) >= 2)
            again = retold(central)
        wrong = [await say("outbox", *words, *state) for words in (("replay", "7"), ("replay", "0", "2"), ("status", "1"))]
    assert watched.status == 1 and "wait for a consumer" in watched.err
    assert json.loads(said.out)["events"] == 2
    assert [int(message.json["sequence"]) for message in again] == [1, 2]
    assert all(message.json["replay"] for message in again)
    assert [one.status for one in wrong] == [2, 2, 2]
    assert refused.status == 1 and "newest event" in refused.err


async def test_a_broker_that_names_clients_after_users_pushes_the_daemon_off_and_that_is_found(kiosd: Kiosd, tmp_path: Path) -> None:
    say = by_thread(kiosd)
    more = passwords(tmp_path, more="use_username_as_clientid true\n")
    with broker(tmp_path, more) as it, Kiosk(tmp_path, it.port, more=login(tmp_path)) as kiosk:
        await kiosk.start()
        await held(kiosk, "")
        found = await say("mqtt", "doctor", "--config", str(kiosk.config), "--state", str(kiosk.state))
    assert found.status == 1 and "pushed the daemon off" in found.out and "use_username_as_clientid" in found.out


def test_without_a_daemon_there_is_no_outbox(kiosd: Kiosd, tmp_path: Path) -> None:
    said = kiosd("outbox", "status", "--state", str(tmp_path))
    assert said.status == 69 and "not running" in said.err
