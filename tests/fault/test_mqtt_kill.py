"""kill -9 of the daemon, the broker and the consumer, each and all together, while everything goes over MQTT; judged offline."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kiosd.journal.journal import FILE
from support.contractcheck import read_journal
from support.faults import HURRY, Program, program
from support.mqtt_peer import Peer, peer, until
from support.uplinks import ROOT

KILLS, CLIENTS, LONGEST_LIFE_S = 5, 3, 0.4
PERSISTENT = "persistence true\npersistence_location {folder}/\nautosave_on_changes true\nautosave_interval 3"
"""Saved after every third change: what a kill takes is more than nothing, and what comes back is older than what was."""


class Client:
    """Somebody who asks for tickets one after the other, each until it is answered, and never with another id."""

    def __init__(self, name: str, it: Peer) -> None:
        self._name, self._peer, self._numbers = name, it, count(1)
        self.asked: list[dict[str, Any]] = []
        self.sent = 0
        self.stop = False

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """All answers, by command."""
        found: dict[str, list[dict[str, Any]]] = {}
        for message in self._peer.on(f"{ROOT}/reply/{self._name}"):
            found.setdefault(message.json["id"], []).append(message.json)
        return found

    async def run(self) -> None:
        """Ask until ``stop``; returns when the last one was answered."""
        while not self.stop:
            request = {"id": f"{self._name}-{next(self._numbers)}", "client": self._name, "args": {"service": "F", "slip": False}}
            self.asked.append(request)
            while request["id"] not in self.answers():
                self._peer.publish(f"{ROOT}/cmd/issue", json.dumps(request).encode())
                self.sent += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await until(lambda: request["id"] in self.answers())  # noqa: B023 - awaited at once


async def _all_killed(one: Program, dice: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.05, LONGEST_LIFE_S))  # not a synchronisation: the random moment itself
        one.kiosk.kill()
        await one.kiosk.start()


async def test_a_daemon_that_is_killed_does_every_command_once_and_tells_it(tmp_path: Path) -> None:
    async with program(tmp_path) as one, asyncio.TaskGroup() as group:
        with peer(one.broker.port, "desks", f"{ROOT}/reply/+") as desks:
            clients = [Client(f"desk-{n}", desks) for n in range(CLIENTS)]
            tasks = [group.create_task(client.run()) for client in clients]
            await _all_killed(one, random.Random(20261124))
            for client in clients:
                client.stop = True
            await asyncio.wait(tasks)
        await one.whole()
        issued = [row for row in read_journal(one.kiosk.state / FILE).rows.values() if row["type"] == "ticket.issued"]
    asked = [request["id"] for client in clients for request in client.asked]
    assert len(asked) > KILLS, "the load was real"
    assert sum(client.sent for client in clients) > len(asked), "some were asked again"
    tickets = {row["command"]: json.loads(row["data"])["ticket"] for row in issued}
    assert len(issued) == len(tickets) == len(asked) == len(set(tickets.values())), "each once, and no number twice"
    for client in clients:
        for command, answers in client.answers().items():
            assert {(answer["status"], answer["result"]["ticket"]) for answer in answers} == {("done", tickets[command])}


def memory(folder: Path, persistent: bool) -> str:
    return PERSISTENT.format(folder=folder) if persistent else ""


async def broker_dies(one: Program) -> None:
    one.broker.kill()
    one.broker.start()


async def broker_dies_and_the_consumer_is_away(one: Program) -> None:
    one.central.kill()
    await one.kiosk.tickets(20)
    await broker_dies(one)
    await one.kiosk.tickets(5)
    one.central.start()


async def everything_dies(one: Program) -> None:
    one.kiosk.kill()
    one.broker.kill()
    one.central.kill()
    one.broker.start()
    await one.kiosk.start()
    one.central.start()


@pytest.mark.parametrize("persistent", [True, False], ids=["persistence", "no_persistence"])
@pytest.mark.parametrize("confirm", ["broker", "consumer"])
async def test_deaths_between_bursts_lose_nothing_for_good(tmp_path: Path, confirm: str, persistent: bool) -> None:
    """What the broker had acknowledged and lost is asked for by the consumer, or told again for its watermark stands still."""
    deaths: list[Callable[[Program], Any]] = [broker_dies, broker_dies_and_the_consumer_is_away, everything_dies]
    async with program(tmp_path, memory(tmp_path, persistent), HURRY + f'confirm = "{confirm}"\n') as one:
        for dies in deaths:
            await one.kiosk.tickets(20)
            await dies(one)
            await one.kiosk.tickets(5)
        await one.whole()
    assert (tmp_path / "mosquitto.db").exists() is persistent
