"""Paper that does not come: a printer that is absent, empty, pulled out, or a daemon that died with a slip in its hand."""

from pathlib import Path

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue.model import PrintState, TicketState
from kiosd.stations.ticket_machine import PRINT_WITHIN_S
from kiosd_sim.printer import sim_printer_pty
from support.site import WEDNESDAY
from support.stationkiosk import kiosk
from support.ticketmachine import A, D, FarPrinter, every_wire, lines, machine, numbers


async def test_without_a_printer_the_ticket_is_valid_and_its_number_is_told_in_time(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        machine(it, str(tmp_path / "nothing"))
        down = await it.event("device.down", device="printer")
        assert down.code == "absent" and str(tmp_path / "nothing") in down.detail
        it.press(D)
        fresh = await it.record("ticket.issued")
        late = await it.record("ticket.print_failed", tick=0.5)
        waited = late.moment.monotonic - fresh.moment.monotonic
        assert PRINT_WITHIN_S <= waited < PRINT_WITHIN_S + 2, "it may only have been pulled out for a moment"
        it.press(A)
        issued = await it.record("ticket.issued", number="A001")
        failed = await it.record("ticket.print_failed", tick=0.1, number="A001")
        assert failed.moment.monotonic - issued.moment.monotonic < 2, "it is dead: this visitor is told at once"
        view = next(view for view in (await it.queue.snapshot()).tickets if view.number == "A001")
        assert (view.number, view.state, view.paper) == ("A001", TicketState.WAITING, PrintState.FAILED)
        await it.passes(2)
        it.press(A)
        assert (await it.event("ticket.issued", number="A002")).ahead == 1, "the next visitor is not held up"
        assert (await it.do(cmd.CallNext(counter=1))).result["number"] == "D001"


async def test_a_slip_waits_for_paper_while_its_visitor_waits(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        machine(it, far.port)
        await it.up("buttons", "printer")
        far.set(paper="out")
        it.press(A)
        out = await it.record("device.degraded", device="printer", code="paper_out")
        await it.passes(PRINT_WITHIN_S - 10)
        far.set(paper="ok")
        await it.event("device.up", device="printer", since=out.seq)
        await it.event("ticket.printed", tick=0.1, number="A001")
        assert numbers(far) == ["A001"]
        assert "ticket.print_failed" not in await it.kinds()


async def test_a_slip_that_nobody_waits_for_any_more_never_comes_out(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        machine(it, far.port)
        await it.up("buttons", "printer")
        far.set(cover=True)
        it.press(A)
        await it.event("ticket.print_failed", tick=0.5)
        far.set(cover=False)
        await it.passes(5)
        it.press(D)
        await it.event("ticket.printed", tick=0.1)
        assert numbers(far) == ["D001"]


@every_wire
async def test_a_printer_unplugged_and_plugged_in_again_prints_the_later_tickets(tmp_path: Path, wire: FarPrinter) -> None:
    async with wire(tmp_path) as far, kiosk(tmp_path) as it:
        machine(it, far.port)
        await it.up("buttons", "printer")
        it.press(A)
        await it.event("ticket.printed", number="A001")
        await far.unplug()
        gone = await it.record("device.down", device="printer")
        it.press(D)  # while it is away
        await it.event("ticket.issued", number="D001")
        await it.passes(10)
        await far.plug()
        await it.event("device.up", device="printer", since=gone.seq, tick=0.5)
        await it.event("ticket.printed", number="D001")
        it.press(A)
        await it.event("ticket.printed", number="A002")
        assert numbers(far) == ["A001", "D001", "A002"]


async def test_unplugged_in_the_middle_of_a_slip_it_is_uncertain_and_not_printed_twice(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        machine(it, far.port)
        await it.up("buttons", "printer")
        far.set(slow=500.0)
        it.press(A)
        await far.half_out()
        await far.unplug()
        await it.event("ticket.print_uncertain", number="A001")
        gone = await it.record("device.down", device="printer")
        far.set(slow=None)
        await far.plug()
        await it.event("device.up", device="printer", since=gone.seq, tick=0.5)
        it.press(D)
        await it.event("ticket.printed", number="D001")
        assert numbers(far) == ["D001"]


async def test_a_slip_that_a_daemon_owed_when_it_died_comes_out_as_a_marked_copy(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with kiosk(tmp_path, clock) as it:
        issued = await it.do(cmd.IssueTicket(service="A"))
    clock.advance(5)
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path, clock) as it:
        machine(it, far.port, buttons=False)
        slip = await far.next_slip()
        assert issued.result["number"] in lines(slip) and "*** SALINAN ***" in lines(slip)
        assert (await it.event("ticket.printed")).reprint
        await it.do(cmd.IssueTicket(service="D"))
        await it.event("ticket.printed", number="D001")
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path, clock) as it:
        machine(it, far.port, buttons=False)
        await it.do(cmd.IssueTicket(service="D"))
        await it.event("ticket.printed", number="D002")
        assert numbers(far) == ["D002"], "what was printed is not printed again"


async def test_what_a_daemon_owed_too_long_ago_or_to_somebody_already_called_is_not_printed(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with kiosk(tmp_path, clock) as it:
        await it.do(cmd.IssueTicket(service="A"), cmd.IssueTicket(service="A"))
        clock.advance(PRINT_WITHIN_S - 10)
        await it.do(cmd.IssueTicket(service="A", priority=True), cmd.IssueTicket(service="D"))
        assert (await it.do(cmd.CallNext(counter=1))).result["number"] == "A003"
    clock.advance(15)
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path, clock) as it:
        machine(it, far.port, buttons=False)
        await it.event("ticket.printed", number="D001")
        for number in ("A001", "A002", "A003"):
            await it.event("ticket.print_uncertain", number=number)
        assert numbers(far) == ["D001"]
        papers = {view.number: view.paper for view in (await it.queue.snapshot()).tickets}
        assert papers == {**dict.fromkeys(("A001", "A002", "A003"), PrintState.UNCERTAIN), "D001": PrintState.PRINTED}


async def test_a_daemon_that_stops_in_the_middle_of_a_slip_says_that_it_is_uncertain(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with sim_printer_pty(tmp_path / "lp") as far:
        async with kiosk(tmp_path, clock) as it:
            machine(it, far.port)
            await it.up("buttons", "printer")
            far.set(slow=500.0)
            it.press(A)
            await far.half_out()
        far.set(slow=None)
        async with kiosk(tmp_path, clock) as it:
            assert (await it.event("ticket.print_uncertain")).number == "A001"
