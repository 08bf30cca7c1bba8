"""A printer that answered and falls silent, or talks without end: no visitor waits for its paper, and the journal stays short."""

import asyncio
import random
from pathlib import Path
from typing import Any

from kiosd.queue.events import DeviceEvent
from kiosd.queue.model import PrintState
from kiosd.stations.ticket_paper import COPY_WITHIN_S, PRINT_WITHIN_S
from kiosd.supervisor import CHANGE_EVERY_S, CHANGES
from kiosd_sim.printer import SimPrinter, sim_printer_pty
from support.printers import scripted
from support.stationkiosk import Kiosk, kiosk
from support.ticketmachine import A, D, machine, numbers, ticketing

SOON: dict[str, Any] = {"answer_s": 0.1, "confirm_s": 0.4}


async def falls_silent(far: SimPrinter, it: Kiosk) -> int:
    """The printer of a kiosk printed a ticket, answers no more, and the kiosk knows; the last event then."""
    it.press(A)
    await it.event("ticket.printed", number="A001")
    far.set(silent=True)
    gone = await it.record("device.down", device="printer", code="timeout", tick=0.1)
    return (await it.record("device.degraded", device="printer", code="busy", since=gone.seq, tick=0.1)).seq


async def test_the_number_of_a_press_while_it_is_silent_is_told_at_once_and_it_prints_with_its_mark_when_it_is_back(tmp_path: Path) -> None:
    async with ticketing(tmp_path, **SOON) as (far, it):
        silent = await falls_silent(far, it)
        it.press(D)
        issued = await it.record("ticket.issued", number="D001")
        assert (await it.record("ticket.print_failed", number="D001")).moment == issued.moment
        far.set(silent=False)
        await it.event("device.up", device="printer", since=silent)
        it.press(A)
        assert not (await it.event("ticket.printed", number="A002")).reprint, "the printer said so"
        assert numbers(far) == ["A001", "A002"]


async def test_a_press_while_it_is_silent_is_refused_where_there_is_nothing_without_paper(tmp_path: Path) -> None:
    async with ticketing(tmp_path, without_paper="refuse", **SOON) as (far, it):
        await falls_silent(far, it)
        it.press(D)
        await it.event("ticket.refused")
        assert [ticket.number for ticket in (await it.queue.snapshot()).tickets] == ["A001"]


async def test_the_spare_stands_in_for_one_that_is_silent(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "spare") as other, ticketing(tmp_path, spare=other.port, **SOON) as (far, it):
        await it.up("spare")
        await falls_silent(far, it)
        it.press(D)
        await it.event("ticket.printed", number="D001", device="spare")
        assert numbers(other) == ["D001"]


async def test_a_visitor_whose_printer_begins_to_jabber_gets_the_number_told_in_time(tmp_path: Path) -> None:
    async with scripted() as far, kiosk(tmp_path) as it:
        machine(it, far.port, poll_s=3.0, answer_s=0.1, confirm_s=15.0)
        await it.up("buttons", "printer")
        await far.until(lambda: bool(far.names))
        chance, names = random.Random(3), len(far.names)
        del far.says["id"]
        it.press(A)
        issued = await it.record("ticket.issued")
        await far.until(lambda: len(far.names) > names)

        async def jabber() -> None:
            far.greeting = chance.randbytes(16_384)  # to whoever opens it anew
            while True:
                far.push(chance.randbytes(256))
                await asyncio.sleep(0.005)

        noise = it.run(jabber())
        await it.event("ticket.print_uncertain", number="A001")
        failed = await it.record("ticket.print_failed", number="A001", tick=0.5)
        assert failed.moment.monotonic - issued.moment.monotonic < PRINT_WITHIN_S + COPY_WITHIN_S
        view = next(view for view in (await it.queue.snapshot()).tickets if view.number == "A001")
        assert view.paper is PrintState.FAILED
        await it.passes(120)
        noise.cancel()
        health = [event for record in it.log if isinstance(event := record.event, DeviceEvent) and event.device == "printer"]
        assert health[-1].code == "jabber" and len(health) <= CHANGES + 160 / CHANGE_EVERY_S, health
