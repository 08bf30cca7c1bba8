"""The whole daemon, and one device that is absent, swapped, silent, jabbering or stuck: people get their tickets and are called."""

import asyncio
import queue as queues
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosd import supervisor
from kiosd.errors import DeviceError
from kiosd.hotplug import Plugs
from kiosd.ports import Scan, boottime
from kiosd.queue import commands as cmd
from kiosd.stations import places
from kiosd.threads import lane
from kiosd_drivers import serial_scanner
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.pins import Pins
from kiosd_sim.printer import sim_printer_pty
from kiosd_sim.scanner import SimScanner
from support.daemon import LIMIT_S
from support.sim_pins import simulated_pins
from support.world import DEVICES, World, do, health, is_, visit


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    with simulated_pins(tmp_path) as pins:
        yield pins


@pytest.fixture
async def world(tmp_path: Path, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with AsyncExitStack() as far:
        printer = await far.enter_async_context(sim_printer_pty(tmp_path / "printer"))
        board, scanner = SimBoard(tmp_path / "board", CustomerDisplay("cd5220")), SimScanner(tmp_path / "scanner")
        for port in (board.port, scanner.port):
            far.enter_context(port.plugged())
        it = World(tmp_path, printer, board, scanner, pins)

        async def watch(plugs: Plugs, *_: object) -> None:
            it.plugs.append(plugs)

        monkeypatch.setattr(places, "watch", watch)
        yield it


# -- a driver that is stuck

Free = queues.SimpleQueue[None]


def blocks(free: Free) -> None:
    """A system call that comes back after a minute."""
    try:
        free.get(timeout=60)
    except queues.Empty:
        return


class Stuck:
    """An open scanner that waits for its thread."""

    def __init__(self, where: str, free: Free) -> None:
        self._where, self._free = where, free

    async def scans(self) -> AsyncIterator[Scan]:
        if self._where == "use":
            async with lane("stuck in use") as it:
                await it.run(partial(blocks, self._free), 60.0)
        if self._where == "close":
            raise DeviceError("unplugged", "absent")
        if self._where == "leave":
            await asyncio.Event().wait()
        if self._where == "jabber":
            while True:  # a driver without any rule about pace
                yield Scan("CARD", boottime())
        yield Scan("CARD", boottime())


def stuck(where: str, free: Free) -> Callable[..., AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Stuck]:
        if where == "open":
            async with lane("stuck in open") as it:
                await it.run(partial(blocks, free), 60.0)
        try:
            yield Stuck(where, free)
        finally:
            if where in {"close", "leave"}:
                async with lane("stuck in close") as it:
                    await it.run(partial(blocks, free), 60.0)

    return opened


@pytest.mark.parametrize(("where", "says"), [("open", "opening"), ("use", ""), ("close", "closing"), ("leave", ""), ("jabber", "")])
async def test_a_device_that_blocks_or_jabbers_holds_up_nobody_and_not_the_end(
    world: World, where: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Free()
    monkeypatch.setattr(type(serial_scanner.DRIVER), "open", stuck(where, free))
    for name in ("OPEN_S", "CLOSE_S"):
        monkeypatch.setattr(supervisor, name, 0.5)
    async with world.daemon() as queue:
        for device in ("tombol", "cetak", "papan"):
            await is_(queue, device, "ok")
        await visit(world, queue, 1)
        if says:
            assert says in (await is_(queue, "pemindai", "down", "timeout")).detail
        await visit(world, queue, 2)
    for _ in range(10):
        free.put(None)


async def test_a_scanner_that_sends_a_thousand_codes_a_second_is_told_and_left_alone(world: World) -> None:
    async def jabber() -> None:
        while True:
            try:
                await world.scanner.send("9" * 20)
            except OSError:
                return
            await asyncio.sleep(0.001)

    async with world.daemon() as queue:
        for device in DEVICES:
            await is_(queue, device, "ok")
        async with asyncio.TaskGroup() as tasks:
            jabbering = tasks.create_task(jabber())
            told = await is_(queue, "pemindai", "down", "jabber")
            assert "more codes than anybody can scan" in told.detail
            await visit(world, queue, 1)
            jabbering.cancel()


# -- absent, swapped, silent


async def test_with_every_device_absent_it_serves_and_each_is_used_when_it_is_plugged_in(world: World) -> None:
    await world.unplug()
    async with world.daemon() as queue:
        for device in ("cetak", "papan", "pemindai"):
            assert (await is_(queue, device, "down", "absent")).detail
        await do(queue, cmd.IssueTicket(service="F", slip=False), cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.Finish(counter=1))
        await world.plug()
        for plugs in world.plugs:
            plugs.came()
        for device in DEVICES:
            await is_(queue, device, "ok")
        await visit(world, queue, 2)


async def test_devices_swapped_for_others_on_the_same_socket_go_on(world: World, tmp_path: Path) -> None:
    async with world.daemon() as queue:
        for device in DEVICES:
            await is_(queue, device, "ok")
        await visit(world, queue, 1)
        await world.unplug()
        for device in ("cetak", "papan", "pemindai"):
            await health(queue, device, lambda view: view.state == "down")
        async with sim_printer_pty(tmp_path / "printer") as other:
            world.printer = other
            world.board = SimBoard(tmp_path / "board", CustomerDisplay("cd5220"))
            world.scanner = SimScanner(tmp_path / "scanner")
            with world.board.port.plugged(), world.scanner.port.plugged():
                for plugs in world.plugs:
                    plugs.came()
                for device in DEVICES:
                    await is_(queue, device, "ok")
                await visit(world, queue, 2)


async def test_a_printer_that_says_nothing_and_a_board_that_takes_nothing_are_told_and_people_are_called(world: World) -> None:
    async with world.daemon() as queue:
        for device in DEVICES:
            await is_(queue, device, "ok")
        world.printer.set(silent=True)
        world.board.port.jam()
        for number in range(3):
            await do(queue, cmd.IssueTicket(service="F", slip=False), cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.Finish(counter=1))
            del number
        assert (await health(queue, "papan", lambda view: view.state == "down")).code == "timeout"
        world.board.port.release()
        await is_(queue, "papan", "ok")
        await health(queue, "cetak", lambda view: view.state != "ok")


async def test_scans_of_a_burst_are_all_there(world: World) -> None:
    async with world.daemon() as queue:
        await is_(queue, "pemindai", "ok")
        await do(queue, cmd.IssueTicket(service="F", slip=False), cmd.CallNext(counter=3))
        records: Any = queue.events(0)
        for number in range(20):
            await world.scanner.send(f"CARD-{number:04}")
        tokens: set[str] = set()
        async with aclosing(records):
            async for record in records:
                if record.event.type.startswith("scan."):
                    tokens.add(record.event.token)
                if len(tokens) == 20:
                    return


# -- repair


def says(words: str, lines: Sequence[str]) -> bool:
    return words in " ".join(lines)


async def test_a_device_under_repair_is_shown_with_its_promise_until_it_works_and_nobody_waits_for_it(world: World) -> None:
    async with world.daemon() as queue:
        for device in DEVICES:
            await is_(queue, device, "ok")
        await world.printer.unplug()
        down = await health(queue, "cetak", lambda view: view.state == "down")
        until = datetime.now(UTC) + timedelta(days=1)
        await do(queue, cmd.PromiseRepair(device="cetak", until=f"{until:%Y-%m-%dT12:00}", reason="rol macet"))
        promised = await health(queue, "cetak", lambda view: view.repair_until is not None)
        assert (promised.state, promised.code, promised.repair_reason) == (down.state, down.code, "rol macet")
        for words in ("sedang diperbaiki", "rol macet", "tetap berjalan"):
            await world.board.shows(partial(says, words), LIMIT_S)
        await do(queue, cmd.IssueTicket(service="F", slip=False), cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.Finish(counter=1))
        await world.printer.plug()
        for plugs in world.plugs:
            plugs.came()
        await health(queue, "cetak", lambda view: view.state == "ok" and view.repair_until is None)
        await visit(world, queue, 2)
