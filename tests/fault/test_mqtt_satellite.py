"""A satellite whose wire fails in the middle of ``next``: the officer sees it within two seconds, and nothing is done late or twice.

The hub that dies, stops or restarts in that moment is in flow/test_satellite_processes.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosd.queue.steady import Steady
from support.broker import Broker, Proxy, proxy
from support.satellite import NODE, Desk, Hub, desk, pins, reached, working
from support.sim_pins import until

AWAY = "Hub tidak terjangkau"
WITHIN_S = 2.5
"""Two seconds for the press, and what a busy machine takes."""


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Desk]:
    with desk(tmp_path) as it, pins(tmp_path):
        yield it


@asynccontextmanager
async def wired(folder: Path, port: int, far: Desk) -> AsyncIterator[tuple[Hub, Steady, Proxy]]:
    """A hub, and a satellite in touch with it over a wire of its own; two people wait."""
    async with proxy(port) as wire, working(folder, port, far, wire=wire.port) as (it, queue):
        await _quiet(it, queue)
        yield it, queue, wire


async def _quiet(it: Hub, queue: Steady) -> None:
    """Return when the satellite has told everything about itself and has heard of it: else it may be away before the key is pressed."""
    for device in (NODE, *(f"{NODE}.{name}" for name in ("keys", "rating", "scanner", "display", "spool"))):
        await it.until("device.up", device=device)
    while (await queue.snapshot()).sequence < it.queue.book.seq:  # noqa: ASYNC110 - nothing tells that a state was taken
        await asyncio.sleep(0.01)


async def fails(far: Desk, key: str) -> None:
    """Press; it is shown to have failed, in time."""
    begin = asyncio.get_running_loop().time()
    far.press(key)
    await far.shows(AWAY)
    assert asyncio.get_running_loop().time() - begin < WITHIN_S


async def heals(wire: Proxy, queue: Steady) -> None:
    """The wire that swallowed is replaced by one that does not; returns when the satellite is in touch again."""
    wire.mode = "pass"
    wire.cut()
    await reached(queue)


async def test_a_press_that_the_wire_swallowed_is_never_done(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with wired(tmp_path, mosquitto.port, far) as (it, queue, wire):
        wire.mode = "black_hole"
        await fails(far, "next")
        await heals(wire, queue)
        await far.shows("Silakan ambil nomor")
        assert "ticket.called" not in await it.kinds()
        far.press("next")
        await far.shows("F001", "LOKET 1")
        assert (await it.kinds()).count("ticket.called") == 1


async def test_a_press_whose_answer_the_wire_swallowed_is_done_once_and_shown_later(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    """It was in time at the hub, so it counts; the desk does not know and takes its state from the hub as soon as it can."""
    async with wired(tmp_path, mosquitto.port, far) as (it, queue, wire):
        wire.mode = "no_answers"
        await fails(far, "next")
        await it.until("ticket.called", number="F001")
        await heals(wire, queue)
        await far.shows("F001", "LOKET 1")
        far.press("start")
        await it.until("ticket.started", number="F001")
        assert (await it.kinds()).count("ticket.called") == 1


async def test_a_press_that_arrives_after_its_time_is_refused(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    """A wire that holds everything back longer than a press is meant for, and then delivers it."""
    async with wired(tmp_path, mosquitto.port, far) as (it, queue, wire):
        wire.delay_s = 2.5
        await fails(far, "next")
        await it.until("counter.refused", code="expired")
        wire.delay_s = 0.0
        wire.cut()
        await until(lambda: not queue.away, 15.0)
        assert "ticket.called" not in await it.kinds()


async def test_a_cut_in_the_moment_of_a_press_does_it_once_or_not_at_all(tmp_path: Path, mosquitto: Broker, far: Desk) -> None:
    async with wired(tmp_path, mosquitto.port, far) as (it, queue, wire):
        wire.mode = "deny"
        far.press("next")
        wire.cut()
        await far.shows(AWAY)
        await until(lambda: queue.away)
        await heals(wire, queue)
        before = (await it.kinds()).count("ticket.called")
        assert before <= 1
        far.press("next" if not before else "start")
        await it.until("ticket.started" if before else "ticket.called", number="F001")
        assert (await it.kinds()).count("ticket.called") == 1
