"""Satellites over a real broker: what an officer and a visitor at such a desk see, also while the hub, the broker or the board is gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import Moment, SystemClock
from kiosd.mqtt import satellites
from kiosd.queue import steady
from kiosd.queue.commands import CallNext, Start
from kiosd.queue.steady import Steady
from kiosd.stations.counter import token
from support.broker import Broker
from support.mqtt_peer import peer
from support.satellite import (
    KEY,
    LIMIT_S,
    NODE,
    RATE,
    READY,
    ROOT,
    Desk,
    desk,
    hub,
    pins,
    reached,
    satellite,
    working,
    write_config,
)
from support.sim_pins import until

CARD = "3201-010101-010001/DEWI"
AWAY = ("Hub tidak terjangkau",)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Desk]:
    with desk(tmp_path) as it, pins(tmp_path):
        yield it


# ---- a day at the desk -----------------------------------------------------------------------------------------------------------------


async def test_a_key_calls_at_the_hub_and_the_number_is_shown_at_the_desk(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far) as (it, _):
        far.press("next")
        called = (await it.until("ticket.called")).event
        assert (called.actor, called.place) == ("officer", f"{NODE}/counter/1")
        await far.shows("F001", "LOKET 1")
        await far.lamp(READY, True)


async def test_a_refused_key_is_shown_and_the_lamp_blinks(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far) as (it, _):
        far.press("finish")
        await it.until("counter.refused", code="nobody_served")
        await far.lamp(READY, False)
        await far.lamp(READY, True)


async def test_a_rating_counts_for_the_visit(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far) as (it, _):
        far.press("next")
        await it.until("ticket.called")
        far.press("start")
        await it.until("ticket.started")
        far.press("finish")
        await far.lamp(RATE, True)
        far.press("4")
        rated: Any = (await it.until("rating.given")).event
        assert (rated.number, rated.score, rated.place) == ("F001", 4, f"{NODE}/rating/1")
        await far.lamp(RATE, False)


async def test_a_card_becomes_the_hubs_token_and_never_crosses_the_wire(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    with peer(mosquitto.port, "listener", "#") as wire:
        async with working(tmp_path, mosquitto.port, far) as (it, queue):
            far.press("next")
            await it.until("ticket.called")
            await far.scanner.send(CARD)
            read: Any = (await it.until("scan.read")).event
            assert (read.number, read.token) == ("F001", token(KEY, CARD))
            async for record in queue.events(0):
                if record.event.type == "scan.read":
                    assert getattr(record.event, "token", None) == "", "a satellite needs no token of others"
                    break
        assert CARD.encode() not in b"".join(message.payload for message in wire.messages)


async def test_its_devices_and_itself_are_devices_of_the_hub(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port) as it:
        async with satellite(write_config(tmp_path, mosquitto.port, far)):
            for device in (NODE, *(f"{NODE}.{name}" for name in ("keys", "rating", "scanner", "display"))):
                await it.until("device.up", device=device)
            far.display.port.unplug()
            await it.until("device.down", device=f"{NODE}.display")
        await it.until("device.down", device=NODE, code="offline")
        topics = [f"kiosd/1/cth01/hub/device/{device}/status" for device in (NODE, f"{NODE}.keys")]
        with peer(mosquitto.port, "central", *topics) as central:
            await central.until(lambda: all(central.on(topic) for topic in topics))


async def test_a_satellite_that_restarts_takes_its_state_from_the_hub(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far) as (it, _):
        await it.queue.execute(CallNext(counter=1))
        await far.shows("F001", "LOKET 1")
    far.display.screen.feed(b"\x0c")
    config = write_config(tmp_path, mosquitto.port, far)
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port) as it, satellite(config):
        await far.shows("F001", "LOKET 1")
        far.press("start")
        await it.until("ticket.started", number="F001")


async def test_the_state_of_a_site_with_99_counters_fits(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port, counters=99) as it:
        await it.issue(300)
        async with satellite(write_config(tmp_path, mosquitto.port, far)) as queue:
            await reached(queue)
            state = await queue.snapshot()
            assert len(state.counters) == 99 and state.tickets == () and len(state.model_dump_json()) > 8192


# ---- when somebody is away -------------------------------------------------------------------------------------------------------------


async def test_without_its_hub_a_press_is_shown_to_have_failed_and_is_never_done(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    config = write_config(tmp_path, mosquitto.port, far)
    async with asyncio.timeout(LIMIT_S), satellite(config) as queue:
        await far.shows("Tidak tersambung")
        begin = asyncio.get_running_loop().time()
        far.press("next")
        await far.shows(*AWAY)
        assert asyncio.get_running_loop().time() - begin < 2.0
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            await it.issue()
            await reached(queue)
            await far.shows("Silakan ambil nomor")
            await it.until("device.up", device=NODE)
            assert "ticket.called" not in await it.kinds()
            far.press("next")
            await it.until("ticket.called")
            await far.shows("F001", "LOKET 1")


async def test_a_hub_that_comes_back_is_followed_without_a_gap(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    config, first = write_config(tmp_path, mosquitto.port, far), 0
    seen: list[int] = []

    async def watch(queue: Steady) -> None:
        async for record in queue.events(first):
            seen.extend([record.seq] if record.seq else [])

    async with asyncio.timeout(LIMIT_S), satellite(config) as queue, asyncio.TaskGroup() as group:
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            await it.issue(2)
            await reached(queue)
            first = (await queue.snapshot()).sequence
            watching = group.create_task(watch(queue))
            far.press("next")
            await far.shows("F001", "LOKET 1")
        await until(lambda: queue.away)
        await far.shows(*AWAY)
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            await it.queue.execute(Start(counter=1))
            await reached(queue)
            far.press("next")
            await far.shows("F002", "LOKET 1")
            last = it.queue.book.seq
            await until(lambda: bool(seen) and seen[-1] >= last)
        watching.cancel()
    assert seen == list(range(first + 1, seen[-1] + 1))


async def test_after_a_long_absence_a_board_shows_how_things_stand_and_no_old_calls(
    tmp_path: Path, mosquitto: Broker, far: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "RESUMED_WITHIN_S", 0.0)
    config = write_config(tmp_path, mosquitto.port, far)
    async with asyncio.timeout(LIMIT_S), satellite(config) as queue:
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            await it.issue(3)
            await reached(queue)
        await until(lambda: queue.away)
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            for _ in range(3):
                await it.queue.execute(CallNext(counter=1))
                await it.queue.execute(Start(counter=1))
            await far.shows("F003", "LOKET 1")
    assert not [lines for lines in far.display.history if any("F001" in line or "F002" in line for line in lines)]


async def test_a_new_journal_is_taken_from_its_beginning(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    config = write_config(tmp_path, mosquitto.port, far)
    async with asyncio.timeout(LIMIT_S), satellite(config) as queue:
        async with hub(tmp_path / "hub", mosquitto.port) as it:
            await it.issue(20)
            await reached(queue)
        await until(lambda: queue.away)
        async with hub(tmp_path / "another", mosquitto.port) as it:
            await it.issue()
            await reached(queue)
            await it.queue.execute(CallNext(counter=1))
            await far.shows("F001", "LOKET 1")


async def test_a_broker_that_restarts_is_only_a_pause(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far) as (it, queue):
        far.press("next")
        await far.shows("F001", "LOKET 1")
        mosquitto.kill()
        await until(lambda: queue.away)
        far.press("start")
        await far.shows(*AWAY)
        await it.queue.execute(Start(counter=1))
        mosquitto.start()
        await reached(queue)
        far.press("finish")
        await it.until("ticket.finished", number="F001")
        await far.lamp(RATE, True)
        assert (await it.kinds()).count("ticket.started") == 1


class Behind(SystemClock):
    """A board whose clock is a day behind: no battery, no network time."""

    def now(self) -> Moment:
        moment = super().now()
        return replace(moment, time=moment.time - timedelta(days=1), synced=False)


async def test_a_board_with_a_wrong_clock_uses_the_hubs_and_says_so(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with working(tmp_path, mosquitto.port, far, Behind()) as (it, _):
        wrong: Any = (await it.until("device.degraded", device=NODE, code="clock")).event
        assert wrong.detail == "this board's clock is 86400 s behind the hub's"
        far.press("next")
        await far.shows("F001", "LOKET 1")
        far.press("start")
        await it.until("ticket.started")
        far.press("finish")
        await far.lamp(RATE, True)
        far.press("3")
        await it.until("rating.given", score=3)


STATUS = {"boot": "b", "conn": 7, "since": "2026-07-01T01:05:00.000Z", "version": "1"}


async def test_the_hub_notices_who_is_gone_and_who_never_came(tmp_path: Path, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(satellites, "AWAY_S", 0.3)
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port, satellites={NODE: (1,), "papan": ()}) as it:
        await it.until("device.down", device="papan", code="absent")
        with peer(mosquitto.port, NODE) as him:
            for status in ({"state": "online"}, {"state": "lost", "conn": 6}, {"state": "online", "detail": "x" * 2000}, {"state": "lost"}):
                him.publish(f"{ROOT}/status", json.dumps(STATUS | status).encode(), retain=True)
            await it.until("device.down", device=NODE, code="lost")
    told = [record.event.type for record in it.log if getattr(record.event, "device", "") == NODE]
    assert told[-2:] == ["device.up", "device.down"] and told.count("device.up") == 1


async def test_while_the_broker_is_away_satellites_are(tmp_path: Path, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(satellites, "AWAY_S", 0.3)
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port) as it:
        await it.until("device.up", device="mqtt-site")
        with peer(mosquitto.port, NODE) as him:
            him.publish(f"{ROOT}/status", json.dumps(STATUS | {"state": "online"}).encode(), retain=True)
            await it.until("device.up", device=NODE)
            mosquitto.kill()
        await it.until("device.down", device=NODE, code="absent")
