"""A satellite's presses and device health: kept while the hub is away, told once and in order, and never in anybody's way."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import Unavailable
from kiosd.journal.spool import FILE, KINDS
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.commands import Command, Rate, ReportDevice, Survey
from kiosd.queue.guest import OWN
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.server import Trust, serve_queue
from kiosd.queue.spooled import Spooled
from kiosd.queue.wire import LASTING
from support.links import LINKS
from support.site import WEDNESDAY
from support.spooling import Mode, arrivals, hub, passing, rate, satellite, told


async def test_a_press_is_taken_at_once_and_arrives(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        await it.visit()
        clock.advance(1)
        press = rate(3)
        assert await told(queue, press) == "spooled"
        await it.has(press)
        given = [record.event for record in await it.presses()]
        assert [type(event) for event in given] == [ev.RatingGiven]


async def test_what_is_pressed_while_the_hub_is_away_counts_for_the_visit_it_was_pressed_for(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        await it.visit()
        it.mode = "away"
        clock.advance(30)
        pressed_at = clock.now().time
        press = rate(2)
        assert await told(queue, press) == "spooled"
        await it.until(lambda: bool(it.asked))
        clock.advance(1800)
        it.mode = "there"
        async with passing(clock):
            await it.has(press)
        (record,) = await it.presses()
        assert isinstance(record.event, ev.RatingGiven) and record.event.score == 2
        assert abs(record.event.pressed_at - pressed_at) < timedelta(seconds=5)


async def test_presses_outlive_restarts_of_the_satellite_and_of_the_hub(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    presses: list[Command] = []
    for _ in range(3):
        async with hub(tmp_path / "hub", clock) as it:
            it.mode = "away"
            async with satellite(it, tmp_path / FILE, clock) as queue:
                presses += [rate(1), Survey(counter=2, answers={"waktu": 3}), rate(4, counter=3)]
                for press in presses[-3:]:
                    assert await told(queue, press) == "spooled"
        clock.advance(10)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock):
        await it.has(*presses)
        assert await arrivals(it) == [press.id for press in presses]


async def test_a_hub_that_dies_after_it_has_done_it_does_it_once(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    press = rate()
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        it.mode = "dies"
        await told(queue, press)
        await it.has(press)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        await it.until(lambda: press.id in {command.id for command in it.asked})
        last = rate(1)
        await told(queue, last)
        await it.has(last)
        assert await arrivals(it) == [press.id, last.id]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_fails_every_press_arrives_once_and_in_order(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    clock = ManualClock(WEDNESDAY)
    modes: list[Mode] = ["there", "away", "dies", "twice", "busy"]
    pressed: list[Command] = []
    for _ in range(4):
        async with hub(tmp_path / "hub", clock) as it:
            for _ in range(3):
                async with satellite(it, tmp_path / FILE, clock) as queue:
                    for _ in range(dice.randrange(8)):
                        it.mode = dice.choice(modes)
                        pressed.append(rate(dice.randint(1, 4), dice.randint(1, 3)))
                        assert await told(queue, pressed[-1]) == "spooled"
                        clock.advance(dice.choice((0.1, 2.0, 20.0)))
                        if dice.random() < 0.5:
                            await it.until(lambda already=it.done: it.done > already)  # type: ignore[misc]  # a lambda with a default
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        last = rate()
        await told(queue, last)
        await it.has(last)
        assert await arrivals(it) == [press.id for press in [*pressed, last]]


@pytest.mark.parametrize("kind", LINKS)
async def test_over_a_link_that_breaks_and_comes_back(kind: str, tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    presses = [rate(score) for score in (4, 3, 2, 1)]

    async def serve(ends_server: object, started: asyncio.Event) -> None:
        await serve_queue(it, ends_server, started=started, trust=Trust(OWN))  # type: ignore[arg-type]  # a Link

    async with hub(tmp_path / "hub", clock) as it, passing(clock):
        it.mode = "dies"
        for press in presses:
            async with LINKS[kind](tmp_path) as ends, asyncio.TaskGroup() as tasks:
                started = asyncio.Event()
                serving = tasks.create_task(serve(ends.server, started))
                await started.wait()
                spooled = Spooled(RemoteQueue(ends.client, timeout=1.0), tmp_path / FILE, clock)
                running = tasks.create_task(spooled.run())
                await told(spooled, press)
                await it.has(press)
                running.cancel()
                serving.cancel()
        assert await arrivals(it) == [press.id for press in presses]


async def test_everything_else_is_asked_now_or_fails_now_and_is_never_done_late(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it:
        it.mode = "away"
        async with satellite(it, tmp_path / FILE, clock) as queue:
            await told(queue, press := rate())
            for command in (cmd.CallNext(counter=1), cmd.IssueTicket(service="D"), cmd.Finish(counter=1)):
                with pytest.raises(Unavailable):
                    await queue.execute(command)
            with pytest.raises(Unavailable):
                await queue.snapshot()
            it.mode = "there"
            async with passing(clock):
                await it.has(press)
            assert (await queue.execute(cmd.IssueTicket(service="D"))).result["number"] == "D001", "the one before was not done late"
            records = queue.events(0)
            assert (await anext(records)).seq == 1
    assert KINDS.keys() == LASTING, "both ends of the wire name the same commands"


async def test_a_sign_of_the_hub_ends_the_wait(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        it.mode = "away"
        await told(queue, press := rate())
        await it.until(lambda: it.done > 0)
        it.mode = "there"
        await queue.snapshot()
        await it.has(press)


async def test_between_tries_the_satellite_waits_longer_and_longer(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        it.mode = "away"
        await told(queue, rate())
        await it.until(lambda: it.done > 1)
        tries: list[int] = []
        for _ in range(40):
            clock.advance(1)
            before = it.done
            for _ in range(50):
                await asyncio.sleep(0)
            tries.append(it.done - before)
        assert 2 <= sum(tries) <= 8


async def test_health_is_told_in_its_turn_and_a_device_that_stays_down_is_told_once(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    down = [ReportDevice(device="printer", state="down", code="absent", detail="/dev/x") for _ in range(5)]
    up = ReportDevice(device="printer", state="ok")
    async with hub(tmp_path / "hub", clock) as it:
        it.mode = "away"
        async with satellite(it, tmp_path / FILE, clock) as queue:
            for report in (*down, up, press := rate()):
                await told(queue, report)
            it.mode = "there"
            async with passing(clock):
                await it.has(press)
        assert await it.health("printer") == [("device.down", "absent"), ("device.up", "")]
        assert await it.health("spool") == [("device.up", "")]


async def test_a_press_older_than_the_hub_can_know_is_dropped_and_counted_in_the_health_of_the_spool(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        await it.until(lambda: it.done > 0)
        it.mode = "away"
        for _ in range(3):
            await told(queue, rate())
        await it.until(lambda: any(isinstance(command, Rate) for command in it.asked))
        clock.advance(23 * 3600 + 1)
        it.mode = "there"
        await told(queue, fresh := rate(1))
        await it.has(fresh)
        async with asyncio.timeout(5):
            async for record in it.queue.events(0):
                if isinstance(record.event, ev.DeviceDegraded):
                    break
        assert record.event.code == "lost" and record.event.detail == "not delivered: 3 older than 23 h"  # type: ignore[attr-defined]
        assert await arrivals(it) == [fresh.id]
        clock.advance(86_401)
        async with asyncio.timeout(5):
            async for later in it.queue.events(record.seq):
                if isinstance(later.event, ev.DeviceWentUp):
                    break


async def test_after_a_power_cut_a_press_waits_for_the_clock_and_is_dated_right(tmp_path: Path) -> None:
    clock, hub_clock = ManualClock(WEDNESDAY), ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", hub_clock) as it:
        await it.visit()
        it.mode = "away"
        hub_clock.advance(60)
        clock.advance(60)
        async with satellite(it, tmp_path / FILE, clock) as queue:
            await told(queue, press := rate())
        hub_clock.advance(600)
        clock.reboot(WEDNESDAY - timedelta(hours=5), synced=False)
        it.mode = "there"
        async with satellite(it, tmp_path / FILE, clock) as queue:
            await told(queue, later := rate(1, counter=2))
            for _ in range(200):
                await asyncio.sleep(0)
            assert await arrivals(it) == [], "in order, and the first one has no date yet"
            clock.step_to(hub_clock.now().time, synced=True)
            async with passing(clock, hub_clock):
                await it.has(press, later)
        first, second = (record.event for record in await it.presses())
        assert isinstance(first, ev.RatingGiven)
        assert abs(first.pressed_at - (WEDNESDAY + timedelta(seconds=60))) < timedelta(seconds=5)
        assert isinstance(second, ev.RatingUnattributed)


async def test_a_press_that_nobody_can_date_belongs_to_nobody(tmp_path: Path) -> None:
    clock, hub_clock = ManualClock(WEDNESDAY), ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", hub_clock) as it:
        it.mode = "away"
        async with satellite(it, tmp_path / FILE, clock) as queue:
            await told(queue, press := rate())
        clock.reboot(WEDNESDAY, synced=False)
        await it.visit()
        hub_clock.advance(1)
        it.mode = "there"
        async with satellite(it, tmp_path / FILE, clock), passing(clock):
            await it.has(press)
        assert [type(record.event) for record in await it.presses()] == [ev.RatingUnattributed]


async def test_what_the_hub_cannot_read_does_not_keep_the_rest(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        await it.until(lambda: it.done > 0)
        it.mode = "stranger"
        await told(queue, strange := rate())
        await it.until(lambda: strange in it.asked)
        it.mode = "there"
        await told(queue, press := rate(2))
        await it.has(press)
        assert await arrivals(it) == [press.id]
