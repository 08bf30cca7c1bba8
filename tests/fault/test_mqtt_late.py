"""What is asked while a kiosk is away is never done later, and what is no longer configured does not stay behind."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import SystemClock
from kiosd.journal.journal import FILE
from kiosd.queue.commands import OpenCounter
from support.broker import Broker, proxy
from support.contractcheck import read_journal
from support.faults import program, running, uplink, wired
from support.mqtt_peer import Peer, peer, until
from support.uplinks import ROOT

ANSWERS = f"{ROOT}/reply/desk"


async def ask(desk: Peer, name: str, command: str, retain: bool = False) -> int:
    """Ask counter 1; returns the broker's reason code, when it has one."""
    request = {"id": command, "client": "desk", "counter": 1}
    sent = desk.publish(f"{ROOT}/cmd/{name}", json.dumps(request).encode(), retain=retain)
    await desk.until(lambda: sent in desk.acks)
    return desk.acks[sent]


def answers(desk: Peer, command: str) -> list[Any]:
    return [message.json for message in desk.on(ANSWERS) if message.json["id"] == command]


async def answered(desk: Peer, name: str, command: str) -> str:
    """Ask until somebody is there; the status of the answer. The same bytes again are done once."""
    while not answers(desk, command):
        await ask(desk, name, command)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await desk.until(lambda: answers(desk, command))
    return str(answers(desk, command)[0]["status"])


def calls(state: Path) -> int:
    return sum(row["type"] == "ticket.called" for row in read_journal(state / FILE).rows.values())


async def test_a_call_to_a_dead_daemon_is_never_made(tmp_path: Path) -> None:
    """The broker keeps the session of who was killed for a minute, and takes the call for it."""
    async with program(tmp_path) as one:
        await one.kiosk.tickets(2)
        with peer(one.broker.port, "desk", ANSWERS) as desk:
            assert await answered(desk, "open", "c-1") == "done"
            one.kiosk.kill()
            assert await ask(desk, "next", "c-2") == 0, "the broker would keep it"
            await one.kiosk.start()
            assert await answered(desk, "recall", "c-3") == "rejected"
            assert calls(one.kiosk.state) == 0
            assert await answered(desk, "next", "c-4") == "done"
            assert calls(one.kiosk.state) == 1
            assert not answers(desk, "c-2")


async def test_the_same_call_again_after_a_kill_is_answered_from_the_journal(tmp_path: Path) -> None:
    async with program(tmp_path) as one:
        await one.kiosk.tickets(2)
        with peer(one.broker.port, "desk", ANSWERS) as desk:
            for name, command in (("open", "c-1"), ("next", "c-2")):
                assert await answered(desk, name, command) == "done"
            one.kiosk.kill()
            await one.kiosk.start()
            assert await answered(desk, "start", "c-3") == "done"
            await ask(desk, "next", "c-2")
            await desk.until(lambda: len(answers(desk, "c-2")) > 1)
        first, *again = answers(desk, "c-2")
        assert again == [first] * len(again)
        assert calls(one.kiosk.state) == 1


@pytest.mark.parametrize("retain", [False, True])
async def test_a_call_while_the_wire_was_cut_is_never_made(tmp_path: Path, mosquitto: Broker, retain: bool) -> None:
    async with proxy(mosquitto.port) as wire, wired(tmp_path, mosquitto.port) as it, it.uplink(wire.port) as link:
        await it.queue.execute(OpenCounter(counter=1))
        await it.tickets(2)
        with peer(mosquitto.port, "desk", ANSWERS) as desk:
            assert await answered(desk, "recall", "c-1") == "rejected"
            conn = await link.connected()
            wire.mode = "deny"
            wire.cut()
            await link.lost(conn)
            await ask(desk, "next", "c-2", retain)
            wire.mode = "pass"
            await link.connected()
            assert await answered(desk, "recall", "c-3") == "rejected"
            assert calls(it.state) == 0
            await it.whole()


def kept(port: int) -> set[str]:
    """The counters of which the broker keeps a state."""
    with peer(port, "looks", f"{ROOT}/counter/+") as looks:
        looks.subscribe("end")
        looks.publish("end", b"")
        looks.wait(lambda: looks.on("end"))
        return {message.topic.removeprefix(f"{ROOT}/counter/") for message in looks.messages if message.retain}


async def test_a_counter_that_is_no_longer_configured_is_emptied_also_after_a_kill(tmp_path: Path, mosquitto: Broker) -> None:
    """What a broker was given is in the journal, not in the memory of the daemon."""
    state, clock = tmp_path / "state", SystemClock(trust_rtc=True)
    state.mkdir()
    async with running(state, clock, counters=3) as queue, uplink(queue, clock, mosquitto.port):
        await until(lambda: kept(mosquitto.port) == {"1", "2", "3"})
    async with running(state, clock, counters=1) as queue, uplink(queue, clock, mosquitto.port):
        await until(lambda: kept(mosquitto.port) == {"1"})
