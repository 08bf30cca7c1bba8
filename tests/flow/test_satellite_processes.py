"""Hub and satellite as two real programs: killed, stopped and started while an officer works."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from kiosd.queue.commands import IssueTicket
from kiosd.queue.events import Record
from support.broker import broker
from support.kiosk import Kiosk
from support.mqtt_peer import peer
from support.satellite import NODE, RATE, READY, Desk, SatelliteProcess, ask, desk, hub_process, in_a_second, on_pins, write_config
from support.sim_pins import until

LIMIT_S = 60.0
WITHIN_S = 2.5
"""Two seconds for the press, and what a busy machine takes."""


@asynccontextmanager
async def both(folder: Path) -> AsyncIterator[tuple[Kiosk, SatelliteProcess, Desk, int]]:
    """A hub and a satellite, in touch, somebody waiting; and the broker's port."""
    async with asyncio.timeout(LIMIT_S), AsyncExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder))
        far = stack.enter_context(desk(folder))
        it = stack.enter_context(hub_process(folder / "hub", mosquitto.port))
        board = SatelliteProcess(folder / "board", write_config(folder, mosquitto.port, far), on_pins(folder))
        stack.enter_context(board)
        await it.start()
        await board.start()
        async with it.queue() as queue:
            for _ in range(2):
                assert (await queue.execute(IssueTicket(service="F", slip=False, actor="receptionist"))).done
        await far.shows("Silakan ambil nomor")
        await far.lamp(READY, True)
        yield it, board, far, mosquitto.port


async def log(it: Kiosk) -> list[Record]:
    """All events of the hub."""
    async with it.queue() as queue:
        return [record async for record in queue.events(0, follow=False)]


def count(records: list[Record], kind: str) -> int:
    return sum(record.event.type == kind for record in records)


async def in_time(far: Desk, *words: str) -> None:
    begin = asyncio.get_running_loop().time()
    await far.shows(*words)
    assert asyncio.get_running_loop().time() - begin < WITHIN_S


async def serves_again(far: Desk, key: str, lamp: int, lit: bool) -> None:
    """Press ``key`` until the satellite is in touch again and the lamp says that it was heard."""
    async with asyncio.timeout(20):
        while True:
            far.press(key)
            try:
                await until(lambda: far.pins.state()[lamp].level is lit, 1.0)
            except TimeoutError:
                continue
            return


async def test_a_hub_killed_in_the_middle_of_a_call(tmp_path: Path) -> None:
    async with both(tmp_path) as (it, _, far, _port):
        far.press("next")
        await far.shows("F001", "LOKET 1")
        it.kill()
        far.press("start")
        await in_time(far, "Hub tidak terjangkau")
        await it.start()
        assert count(await log(it), "ticket.started") == 0, "what was told to have failed must not happen later"
        await far.shows("F001", "LOKET 1", timeout_s=15.0)
        far.press("start")
        far.press("finish")
        await serves_again(far, "finish", RATE, True)
        far.press("4")
        async with it.queue() as queue:
            records = queue.events(0)
            rated: Any = await anext(record.event async for record in records if record.event.type == "rating.given")
            assert (rated.number, rated.score, rated.place) == ("F001", 4, f"{NODE}/rating/1")
            await records.aclose()


async def test_a_command_that_waited_in_a_stopped_hub_is_not_done(tmp_path: Path) -> None:
    async with both(tmp_path) as (it, _, far, port):
        assert it.process is not None
        it.process.send_signal(signal.SIGSTOP)
        far.press("next")
        await in_time(far, "Hub tidak terjangkau")
        it.process.send_signal(signal.SIGCONT)
        await far.shows("Silakan ambil nomor", timeout_s=15.0)
        assert count(await log(it), "ticket.called") == 0
        with peer(port, "officer") as him:
            meant = await in_a_second(him, 0.3)
            it.process.send_signal(signal.SIGSTOP)
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(ask(him, "cmd/next", {"counter": 1}, meant))
                await asyncio.sleep(0.4)  # a time that has to pass, whatever else happens
                it.process.send_signal(signal.SIGCONT)
            assert asked.result()["code"] == "expired"
        far.press("next")
        await far.shows("F001", "LOKET 1")
        assert count(await log(it), "ticket.called") == 1


async def test_a_satellite_killed_and_started_again(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, board, far, _port):
        far.press("next")
        await far.shows("F001", "LOKET 1")
        board.kill()
        far.display.screen.feed(b"\x0c")
        await board.start()
        await far.shows("F001", "LOKET 1")
        far.press("start")
        await serves_again(far, "finish", RATE, True)
        assert board.stop() == 0


async def test_a_satellite_without_the_hubs_key_does_not_start(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, desk(tmp_path) as far:
        board = SatelliteProcess(tmp_path / "board", write_config(tmp_path, mosquitto.port, far), on_pins(tmp_path))
        (board.state / "scan.key").unlink()
        with board:
            board.spawn({})
            assert board.process is not None
            assert board.process.wait(20) == 78
        assert "copy the hub's key there" in board.log.read_text()
