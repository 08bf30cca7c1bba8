"""Paper that does not come: a printer that is absent, empty, pulled out, or a daemon that died with a slip in its hand."""

from pathlib import Path

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue.model import PrintState, TicketState
from kiosd.stations.ticket_paper import PRINT_WITHIN_S
from kiosd_sim.printer import sim_printer_pty
from support.site import WEDNESDAY
from support.stationkiosk import kiosk
from support.ticketmachine import A, D, FarPrinter, every_wire, lines, machine, numbers, ticketing


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


async def test_a_slip_that_is_owed_waits_for_paper_while_its_visitor_waits(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        far.set(paper="out")
        await it.do(cmd.OpenCounter(counter=1))
        machine(it, far.port, buttons=False)
        await it.do(cmd.IssueTicket(service="A"))  # before anybody knew of the paper
        out = await it.record("device.degraded", device="printer", code="paper_out")
        await it.passes(PRINT_WITHIN_S - 10)
        far.set(paper="ok")
        await it.event("device.up", device="printer", since=out.seq)
        await it.event("ticket.printed", number="A001")
        assert numbers(far) == ["A001"]
        assert "ticket.print_failed" not in await it.kinds()


async def test_a_press_while_the_printer_says_why_it_cannot_is_told_at_once_and_never_comes_out(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        far.set(cover=True)
        await it.event("device.degraded", device="printer", code="cover_open")
        it.press(A)
        issued = await it.record("ticket.issued")
        failed = await it.record("ticket.print_failed", number="A001")
        assert failed.moment == issued.moment, "no visitor waits for nothing"
        far.set(cover=False)
        await it.event("device.up", device="printer", since=failed.seq)
        it.press(D)
        await it.event("ticket.printed")
        assert numbers(far) == ["D001"]


@every_wire
async def test_a_printer_unplugged_and_plugged_in_again_prints_the_later_tickets(tmp_path: Path, wire: FarPrinter) -> None:
    async with ticketing(tmp_path, wire) as (far, it):
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


@every_wire
async def test_unplugged_in_the_middle_of_a_slip_its_visitor_gets_one_marked_copy(tmp_path: Path, wire: FarPrinter) -> None:
    async with ticketing(tmp_path, wire) as (far, it):
        far.set(slow=500.0)
        it.press(A)
        await far.half_out()
        await far.unplug()
        uncertain = await it.record("ticket.print_uncertain", number="A001")
        gone = await it.record("device.down", device="printer")
        far.set(slow=None)
        await far.plug()
        await it.event("device.up", device="printer", since=gone.seq, tick=0.1)
        assert (await it.event("ticket.printed", since=uncertain.seq)).reprint
        it.press(D)
        await it.event("ticket.printed", number="D001")
        assert numbers(far) == ["A001", "D001"] and len(far.torn) == 1
        assert ["*** SALINAN ***" in lines(slip) for slip in far.slips] == [True, False]


@every_wire
async def test_paper_that_ends_in_a_slip_and_a_new_roll_are_one_marked_copy_and_no_tail(tmp_path: Path, wire: FarPrinter) -> None:
    async with ticketing(tmp_path, wire, confirm_s=0.5) as (far, it):
        far.set(slow=2000.0)
        it.press(A)
        await far.half_out()
        far.set(paper="out", slow=None)
        uncertain = await it.record("ticket.print_uncertain", number="A001")
        await it.event("device.degraded", device="printer", code="paper_out")
        await it.passes(PRINT_WITHIN_S - 10)
        far.set(paper="ok")
        assert (await it.event("ticket.printed", number="A001", since=uncertain.seq)).reprint
        it.press(D)
        await it.event("ticket.printed", number="D001")
        assert numbers(far) == ["A001", "D001"] and len(far.torn) == 1
        assert ["*** SALINAN ***" in lines(slip) for slip in far.slips] == [True, False]
        assert "device.down" not in {record.event.type for record in it.log}, "it was there all the time"


async def test_a_printer_that_cannot_forget_may_finish_the_original_but_gets_one_copy_only(tmp_path: Path) -> None:
    async with ticketing(tmp_path, mood={"clone": "simple"}, confirm_s=0.5, answer_s=0.3) as (far, it):
        far.set(slow=2000.0)
        it.press(A)
        await far.half_out()
        far.set(paper="out", slow=None)
        uncertain = await it.record("ticket.print_uncertain", number="A001")
        far.set(paper="ok")
        assert (await it.event("ticket.printed", number="A001", since=uncertain.seq, tick=0.1)).reprint
        it.press(D)
        await it.event("ticket.printed", number="D001")
        marked = ["*** SALINAN ***" in lines(slip) for slip in far.slips if "A001" in lines(slip)]
        assert marked in ([True], [False, True])


async def test_a_new_roll_in_time_lets_the_slip_finish_as_the_original(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        far.set(slow=2000.0)
        it.press(A)
        await far.half_out()
        far.set(paper="out", slow=None)
        far.set(paper="ok")
        assert not (await it.event("ticket.printed", number="A001")).reprint
        assert numbers(far) == ["A001"] and not far.torn and "SALINAN" not in far.slips[0].text


async def test_a_copy_that_fails_too_is_the_end_and_the_number_is_told(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        since = 0
        for outcome in ("ticket.print_uncertain", "ticket.print_failed"):
            far.set(slow=500.0)
            if not since:
                it.press(A)
            await far.half_out()
            await far.unplug()
            await it.event(outcome, number="A001", since=since)
            since = (await it.record("device.down", device="printer", since=since)).seq
            await far.plug()
            if outcome == "ticket.print_uncertain":
                await it.event("device.up", device="printer", since=since, tick=0.1)
        far.set(slow=None)
        await it.event("device.up", device="printer", since=since, tick=0.1)
        it.press(D)
        await it.event("ticket.printed", number="D001")
        assert numbers(far) == ["D001"] and len(far.torn) == 2, "never a second copy"


async def test_a_copy_that_no_printer_prints_in_time_is_told(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        far.set(slow=500.0)
        it.press(A)
        await far.half_out()
        await far.unplug()
        uncertain = await it.record("ticket.print_uncertain", number="A001")
        failed = await it.record("ticket.print_failed", number="A001", tick=0.5)
        assert 0 <= failed.moment.monotonic - uncertain.moment.monotonic - PRINT_WITHIN_S < 5


async def test_a_printer_that_can_confirm_nothing_gets_no_copy(tmp_path: Path) -> None:
    async with ticketing(tmp_path, mood={"silent": True}, answer_s=0.05) as (far, it):
        known = await it.event("device.degraded", device="printer")
        assert known.code == "unconfirmed"
        for button, number in ((A, "A001"), (D, "D001")):
            it.press(button)
            assert "cannot say" in (await it.event("ticket.print_uncertain", number=number)).detail
        await it.passes(PRINT_WITHIN_S + 5)
        assert numbers(far) == ["A001", "D001"]
        assert [record.event.type for record in it.log].count("device.degraded") == 1, "told once"


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


async def test_a_daemon_that_stops_in_the_middle_of_a_slip_prints_a_marked_copy_when_it_is_back(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with sim_printer_pty(tmp_path / "lp") as far:
        async with kiosk(tmp_path, clock) as it:
            machine(it, far.port)
            await it.up("buttons", "printer")
            far.set(slow=500.0)
            it.press(A)
            await far.half_out()
        far.set(slow=None)
        clock.advance(5)
        for _ in range(2):
            async with kiosk(tmp_path, clock) as it:
                machine(it, far.port)
                assert (await it.event("ticket.printed", number="A001")).reprint
        marked = ["*** SALINAN ***" in lines(slip) for slip in far.slips]
        assert marked.count(True) == 1 and len(marked) <= 2, "one copy, and at most the one that was under way"


async def test_a_copy_that_a_daemon_stopped_in_the_middle_of_is_not_begun_again(tmp_path: Path) -> None:
    clock = ManualClock(WEDNESDAY)
    async with kiosk(tmp_path, clock) as it:
        await it.do(cmd.IssueTicket(service="A"))
    async with sim_printer_pty(tmp_path / "lp") as far:
        async with kiosk(tmp_path, clock) as it:
            far.set(slow=500.0)
            machine(it, far.port, buttons=False)
            await far.half_out()
        far.set(slow=None)
        async with kiosk(tmp_path, clock) as it:
            assert (await it.event("ticket.print_failed")).number == "A001"
            machine(it, far.port, buttons=False)
            await it.do(cmd.IssueTicket(service="D"))
            await it.event("ticket.printed", number="D001")
            assert "SALINAN" not in lines(far.slips[-1])
