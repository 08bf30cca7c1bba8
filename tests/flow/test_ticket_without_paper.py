"""What becomes of a press while no printer can print, the warning before that, and a second printer that stands in for the first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.ports import Face
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.stations.call_board import CallBoard
from kiosd.stations.ticket_machine import WithoutPaper
from kiosd.stations.ticket_paper import BACK_SOON_S
from kiosd_sim.printer import SimPrinter, sim_printer_pty
from support.site import WEDNESDAY
from support.stationkiosk import Kiosk, kiosk
from support.ticketmachine import LAMP, PAPER_LAMP, A, D, lines, machine, numbers, ticketing


async def out_of_paper(it: Kiosk, far: SimPrinter) -> int:
    """The paper ends, and the machine knows it; the event that says so."""
    far.set(paper="out")
    return (await it.record("device.degraded", device="printer", code="paper_out")).seq


async def new_roll(it: Kiosk, far: SimPrinter, since: int) -> None:
    far.set(paper="ok")
    await it.event("device.up", device="printer", since=since)


class Screen:
    """A call display of which only the newest face counts."""

    def __init__(self) -> None:
        self._shown: asyncio.Queue[Face] = asyncio.Queue()

    async def show(self, face: Face) -> None:
        self._shown.put_nowait(face)

    async def says(self, message: str) -> None:
        """Wait until it shows ``message``."""
        while (await self._shown.get()).message != message:
            pass

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Screen"]:
        yield self


async def test_refuse_gives_no_number_says_why_on_the_board_and_goes_on_with_the_next_roll(tmp_path: Path) -> None:
    screen = Screen()
    async with ticketing(tmp_path, without_paper="refuse") as (far, it):
        it.supervised("board", screen.opened, CallBoard(it.queue, it.clock, "id").use)
        await it.up("board")
        out = await out_of_paper(it, far)
        it.press(A)
        refused = await it.event("ticket.refused")
        assert (refused.code, refused.message) == ("no_paper", "Kertas habis. Silakan ambil nomor di resepsionis.")
        await screen.says("Kertas habis. Ambil nomor di resepsionis")
        await it.blinks(LAMP)
        await it.passes(3)
        await it.lit(LAMP, False)
        await it.do(cmd.IssueTicket(service="A", slip=False))  # the receptionist
        await new_roll(it, far, out)
        await it.passes(11)
        await it.lit(LAMP, True)
        it.press(A)
        await it.event("ticket.printed", number="A002")
        assert numbers(far) == ["A002"]


async def test_show_gives_the_number_and_tells_it_on_the_board(tmp_path: Path) -> None:
    screen = Screen()
    async with ticketing(tmp_path) as (far, it):
        it.supervised("board", screen.opened, CallBoard(it.queue, it.clock, "id").use)
        await it.up("board")
        await out_of_paper(it, far)
        it.press(A)
        await screen.says("Nomor Anda A001 mohon dicatat")


async def test_block_books_numbers_for_each_service_once_in_an_outage(tmp_path: Path) -> None:
    async with ticketing(tmp_path, without_paper="block", block=5) as (far, it):
        since = await out_of_paper(it, far)
        for button in (A, A, D):
            it.press(button)
            refused = await it.record("ticket.refused", since=since)
            assert isinstance(refused.event, ev.TicketRefused)
            assert refused.event.code == "by_hand" and "tulisan tangan" in refused.event.message
            since = refused.seq
        await it.event("ticket.reserved", service="D")
        booked = [record.event for record in it.log if isinstance(record.event, ev.NumbersReserved)]
        assert [(event.service, event.first, event.last) for event in booked] == [("A", 1, 5), ("D", 1, 5)]
        assert (await it.do(cmd.EnterTicket(ticket="A001"))).done
        await new_roll(it, far, since)
        it.press(A)
        await it.event("ticket.printed", number="A006")
        it.clock.advance(3)
        far.set(paper="out")
        again = await it.record("device.degraded", device="printer", code="paper_out", since=since)
        it.press(A)
        assert (await it.event("ticket.reserved", since=again.seq)).first == 7, "another outage, another block"


async def by_hand(it: Kiosk, button: int) -> list[tuple[str, int, int]]:
    """Press a button, which is refused; every block that is booked then: service, first and last number."""
    for _ in range(2):  # the machine takes one press after the other: with the second it has done all that follows the first
        since = it.queue.book.seq
        it.press(button)
        await it.event("ticket.refused", since=since, code="by_hand")
    found = [record.event for record in it.log if isinstance(record.event, ev.NumbersReserved)]
    return [(event.service, event.first, event.last) for event in found]


@pytest.mark.parametrize(("clone", "outcome"), [("epson", "ticket.printed"), ("half", "ticket.print_uncertain")])
async def test_block_books_once_in_an_outage_however_often_the_daemon_is_started_in_it(tmp_path: Path, clone: str, outcome: str) -> None:
    clock = ManualClock(WEDNESDAY)
    async with sim_printer_pty(tmp_path / "lp") as far:
        far.set(clone=clone, cover=True)

        async def started(it: Kiosk) -> None:
            since = it.queue.book.seq
            machine(it, far.port, without_paper="block", block=5, answer_s=0.2 if clone == "half" else 2.0)
            await it.event("device.degraded", device="printer", since=since)
            await it.lit(LAMP, True)

        async with kiosk(tmp_path, clock) as it:
            await started(it)
            assert await by_hand(it, A) == [("A", 1, 5)]
        async with kiosk(tmp_path, clock) as it:
            await started(it)
            assert await by_hand(it, A) == [("A", 1, 5)], "its numbers are there already"
            assert await by_hand(it, D) == [("A", 1, 5), ("D", 1, 5)]
            since = it.queue.book.seq
            far.set(cover=False)
            await it.event("device.up" if clone == "epson" else "device.degraded", device="printer", since=since)
            it.press(A)
            since = (await it.record(outcome, number="A006")).seq
            it.clock.advance(3)
            far.set(cover=True)
            await it.event("device.degraded", device="printer", since=since)
            assert await by_hand(it, D) == [("A", 1, 5), ("D", 1, 5), ("D", 6, 10)], "another outage"
        async with kiosk(tmp_path, clock) as it:
            await started(it)
            assert await by_hand(it, A) == [("A", 1, 5), ("D", 1, 5), ("D", 6, 10), ("A", 7, 11)]


async def test_block_books_anew_on_the_next_day_of_an_outage(tmp_path: Path) -> None:
    async with ticketing(tmp_path, without_paper="block", block=5) as (far, it):
        await out_of_paper(it, far)
        assert await by_hand(it, A) == [("A", 1, 5)]
        it.clock.advance(24 * 3600)
        await it.do(cmd.Tick())
        assert await by_hand(it, A) == [("A", 1, 5), ("A", 1, 5)], "yesterday's numbers are over"
        assert (await it.do(cmd.EnterTicket(ticket="A001"))).done


@pytest.mark.parametrize("without_paper", ["refuse", "block"])
async def test_a_printer_that_went_just_now_may_be_back_so_the_press_is_good(tmp_path: Path, without_paper: WithoutPaper) -> None:
    async with ticketing(tmp_path, without_paper=without_paper) as (far, it):
        await far.unplug()
        await it.event("device.down", device="printer")
        it.press(A)
        await it.event("ticket.issued", number="A001")
        await it.passes(BACK_SOON_S + 1)
        it.press(D)
        assert (await it.event("ticket.refused")).service == "D"


async def test_the_end_of_the_paper_is_told_before_it_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ticketing(tmp_path) as (far, it):
        await it.lit(PAPER_LAMP, False)
        far.set(paper="near")
        near = await it.record("device.degraded", device="printer", code="paper_near_end")
        await it.lit(PAPER_LAMP, True)
        assert "printer: the paper is near its end" in caplog.text
        it.press(A)
        await it.event("ticket.printed", number="A001")
        far.set(paper="out")
        await it.event("device.degraded", device="printer", code="paper_out", since=near.seq)
        await it.blinks(PAPER_LAMP)
        await new_roll(it, far, near.seq)
        await it.lit(PAPER_LAMP, False)


# -- two printers


async def two(stack: AsyncExitStack, tmp_path: Path, without_paper: WithoutPaper = "show") -> tuple[SimPrinter, SimPrinter, Kiosk]:
    """A kiosk with a printer and a spare, both up."""
    first = await stack.enter_async_context(sim_printer_pty(tmp_path / "lp"))
    spare = await stack.enter_async_context(sim_printer_pty(tmp_path / "lp2"))
    it = await stack.enter_async_context(kiosk(tmp_path))
    machine(it, first.port, spare=spare.port, without_paper=without_paper)
    await it.up("buttons", "printer", "spare")
    return first, spare, it


async def issue(it: Kiosk, *services: str) -> None:
    await it.do(*(cmd.IssueTicket(service=service) for service in services))


async def test_the_spare_prints_while_the_first_cannot_and_only_then(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, spare, it = await two(stack, tmp_path)
        await issue(it, "A", "D")
        await it.event("ticket.printed", number="D001", device="printer")
        out = await out_of_paper(it, first)
        await issue(it, "A", "D")
        await it.event("ticket.printed", number="D002", device="spare")
        await new_roll(it, first, out)
        await issue(it, "A")
        await it.event("ticket.printed", number="A003", device="printer")
        assert (numbers(first), numbers(spare)) == (["A001", "D001", "A003"], ["A002", "D002"])
        assert not any("SALINAN" in slip.text for slip in (*first.slips, *spare.slips))


async def test_unplugged_in_the_middle_the_spare_prints_the_copy_and_then_the_others_in_order(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, spare, it = await two(stack, tmp_path)
        first.set(slow=500.0)
        await issue(it, "A")
        await first.half_out()
        await issue(it, "A", "D", "A")
        await first.unplug()
        await it.event("ticket.printed", number="A003")
        assert numbers(first) == [] and numbers(spare) == ["A001", "A002", "D001", "A003"]
        assert ["*** SALINAN ***" in lines(slip) for slip in spare.slips] == [True, False, False, False]
        assert [record.event.type for record in it.log].count("ticket.print_uncertain") == 1


async def test_with_both_out_a_press_is_one_without_paper(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, spare, it = await two(stack, tmp_path, without_paper="refuse")
        await out_of_paper(it, first)
        it.press(A)
        await it.event("ticket.printed", number="A001", device="spare")
        await spare.unplug()
        gone = await it.record("device.down", device="spare")
        await it.passes(BACK_SOON_S + 1)
        it.press(D)
        assert (await it.event("ticket.refused", since=gone.seq)).code == "no_paper"
