"""One device's trouble is its own: whatever it does, people get their tickets and are called."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import DeviceError, JournalError
from kiosd.journal.journal import Journal
from kiosd.ports import Fault, Outcome, Slip
from kiosd.queue import commands as cmd
from kiosd.queue.model import PrintState
from kiosd.stations.call_board import CallBoard
from kiosd.stations.counter import CounterStation
from kiosd.stations.ticket_machine import TicketMachine
from kiosd.supervisor import Health
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.pins import SimPin
from kiosd_sim.printer import sim_printer_pty
from support.farinputs import line_scanner
from support.stationkiosk import Use, kiosk
from support.ticketmachine import BUTTONS, A, machine, ticketing

GONE = DeviceError("unplugged", "absent")
Open = Callable[[], AbstractAsyncContextManager[str]]


async def hang() -> None:
    await asyncio.Event().wait()


def trouble(opening: BaseException | None = None, closing: BaseException | None = None, hangs: str = "") -> Open:
    """An ``open`` that fails or hangs where it is told to."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        if opening is not None:
            raise opening
        if hangs == "opening":
            await hang()
        try:
            yield "device"
        finally:
            if hangs == "closing":
                await hang()
            if closing is not None:
                raise closing

    return opened


def use(problem: BaseException | None) -> Use:
    """A station that fails at once, or ends."""

    async def used(_: str, __: Health) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(0))
            if problem is not None:
                raise problem

    return used


TROUBLES: dict[str, tuple[Open, Use, str]] = {
    "absent": (trouble(opening=GONE), use(None), "absent"),
    "bug in open": (trouble(opening=KeyError("port")), use(None), "bug"),
    "bug in open, in a group": (trouble(opening=ExceptionGroup("", [GONE, ZeroDivisionError()])), use(None), "bug"),
    "gone in use": (trouble(), use(GONE), "absent"),
    "bug in use": (trouble(), use(AttributeError("lamp")), "bug"),
    "ends": (trouble(), use(None), "ended"),
    "fails when closed": (trouble(closing=DeviceError("cannot close", "io")), use(GONE), "io"),
    "bug when closed": (trouble(closing=RuntimeError()), use(GONE), "bug"),
    "its own timeout": (trouble(), use(TimeoutError()), "bug"),
    "a long story": (trouble(), use(DeviceError("word " * 1000, "a" * 99)), "a" * 32),
    "hangs when opened": (trouble(hangs="opening"), use(None), ""),
    "hangs when closed": (trouble(hangs="closing"), use(GONE), ""),
}
"""What a device does, and the code with which it is told to be down; ``""`` where it says nothing."""


@pytest.mark.parametrize("what", TROUBLES)
async def test_trouble_with_one_device_stops_nobody_else(tmp_path: Path, what: str) -> None:
    open_, used, code = TROUBLES[what]
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        it.supervised("troubled", open_, used)
        machine(it, far.port)
        await it.up("buttons", "printer")
        if code:
            assert len((await it.event("device.down", device="troubled", code=code)).detail) <= 200
        await it.passes(10)
        it.press(A)
        await it.event("ticket.printed", number="A001")
        assert len(far.slips) == 1


@pytest.mark.parametrize("problem", [DeviceError("cannot close", "io"), ValueError("bug")])
async def test_a_device_that_fails_while_it_is_closed_still_stops_when_it_is_told_to(tmp_path: Path, problem: Exception) -> None:
    async def used(_: str, __: Health) -> None:
        await hang()

    async with kiosk(tmp_path) as it:
        task = it.supervised("troubled", trouble(closing=problem), used)
        await it.up("troubled")
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done and task.cancelled()


async def test_a_panel_whose_pins_are_gone_when_it_is_closed_still_stops(tmp_path: Path) -> None:
    """The same with the real driver: its lamp cannot be put out any more."""

    def gone(*_: object) -> None:
        raise OSError(19, "No such device")

    async with kiosk(tmp_path) as it:
        station = TicketMachine(it.queue, it.clock, it.settings, "printer")
        task = it.device("buttons", "gpio_buttons", BUTTONS, station.use_buttons)
        await it.up("buttons")
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(SimPin, "_set_state", gone)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=2)
        assert done and task.cancelled()


async def test_a_journal_that_fails_is_nobodys_device_and_ends_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise JournalError("journal: cannot write: disk I/O error")

    with pytest.raises(ExceptionGroup) as caught:
        async with ticketing(tmp_path) as (_, it):
            monkeypatch.setattr(Journal, "append", fails)
            it.press(A)
            await hang()
    assert caught.group_contains(JournalError, match="disk I/O error")
    monkeypatch.undo()
    async with kiosk(tmp_path) as it:
        assert "ticket.issued" not in await it.kinds(), "nothing that was not durable is remembered"
        assert not [record for record in it.log if record.event.type == "device.down"]


async def test_everything_unplugged_at_once_people_are_still_called_and_everything_comes_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as far:
        printer = await far.enter_async_context(sim_printer_pty(tmp_path / "lp"))
        scanner = await far.enter_async_context(line_scanner(tmp_path))
        board = SimBoard(tmp_path / "board", CustomerDisplay("cd5220"))
        far.enter_context(board.port.plugged())
        it = await far.enter_async_context(kiosk(tmp_path))
        machine(it, printer.port)
        it.device("board", "serial_display", {"port": str(board.port.link), "protocol": "cd5220"}, CallBoard(it.queue, it.clock, "id").use)
        desk = CounterStation(it.queue, it.clock, 1, b"k" * 32)
        it.device("scanner", "serial_scanner", scanner.config, desk.use_scanner)
        await it.up("buttons", "printer", "board", "scanner")
        await printer.unplug()
        await scanner.unplug()
        board.port.unplug()
        downs = {name: (await it.record("device.down", device=name, tick=1)).seq for name in ("printer", "board", "scanner")}
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=1), cmd.Start(counter=1))
        board.port.plug()
        await scanner.plug()
        await printer.plug()
        for name, seq in downs.items():
            await it.event("device.up", device=name, since=seq, tick=0.25)
        await board.shows(lambda lines: lines == ("NOMOR A001", "LOKET 1"))
        await scanner.scan("Card-1")
        await it.event("scan.read", number="A001")
        it.press(A)
        await it.event("ticket.printed", number="A002")


class Leaves:
    """A printer that goes away while a slip waits for it: ``watch`` knows first, ``print_slip`` a few turns of the loop later."""

    columns = 32

    def __init__(self) -> None:
        self.asked, self.gone = asyncio.Event(), asyncio.Event()

    async def print_slip(self, _: Slip) -> Outcome:
        self.asked.set()
        await self.gone.wait()
        for _turn in range(10):
            await asyncio.sleep(0)
        raise GONE

    async def watch(self) -> AsyncIterator[Fault]:
        await self.gone.wait()
        if self.gone.is_set():
            raise GONE
        yield Fault("", "")


class Prints:
    columns = 32

    async def print_slip(self, _: Slip) -> Outcome:
        return Outcome.PRINTED

    async def watch(self) -> AsyncIterator[Fault]:
        await hang()
        yield Fault("", "")


async def test_a_slip_of_which_surely_nothing_was_printed_is_never_given_up_with_its_printer(tmp_path: Path) -> None:
    leaves = Leaves()
    printers: list[Leaves | Prints] = [leaves, Prints()]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        yield printers.pop(0)

    async with kiosk(tmp_path) as it:
        station = TicketMachine(it.queue, it.clock, it.settings, "printer")
        it.run(station.run())
        it.supervised("printer", opened, station.use_printer)
        reply = await it.do(cmd.IssueTicket(service="A"))
        await leaves.asked.wait()
        leaves.gone.set()
        await it.event("ticket.printed", number="A001", tick=0.5)
        assert "ticket.print_uncertain" not in await it.kinds()
        assert it.queue.book.tickets[str(reply.result["ticket"])].paper is PrintState.PRINTED
