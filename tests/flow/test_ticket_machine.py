"""The ticket machine from a finger on a pin to paper in a hand: real driver, real printer's bytes, real journal."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.journal.journal import FILE
from kiosd.queue import commands as cmd
from kiosd.queue.model import PrintState
from kiosd.stations.ticket_machine import TicketMachine
from kiosd_sim.printer import sim_printer_pty
from support.site import wib
from support.stationkiosk import kiosk
from support.ticketmachine import A_PRIORITY, LAMP, A, D, FarPrinter, every_wire, lines, machine, numbers, ticketing


def journal(state: Path) -> Iterator[tuple[str, str]]:
    """Type and data of every event on disk."""
    with closing(sqlite3.connect(f"file:{state / FILE}?mode=ro", uri=True)) as reader:
        yield from reader.execute("SELECT type, data FROM journal ORDER BY seq")


@every_wire
async def test_a_press_becomes_an_event_then_paper_then_an_event(tmp_path: Path, wire: FarPrinter) -> None:
    async with ticketing(tmp_path, wire) as (far, it):
        await it.lit(LAMP, True)
        it.press(D)
        slip = await far.next_slip()
        issued = await it.event("ticket.issued")
        printed = await it.event("ticket.printed")
        on_disk = [(kind, data) for kind, data in journal(tmp_path) if kind.startswith("ticket.")]
        assert [kind for kind, _ in on_disk] == ["ticket.issued", "ticket.printed"]
        assert f'"number":"{issued.number}"' in on_disk[0][1].replace(": ", ":")
        assert issued.number == "D001" and issued.place == "button/D"
        assert issued.number in lines(slip) and f"[QR {issued.ticket}]" in lines(slip)
        assert "Layanan Pasar Kerja" in lines(slip) and "SALINAN" not in slip.text
        assert (printed.number, printed.device, printed.reprint) == ("D001", "printer", False)


async def test_a_second_press_while_the_first_prints_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        far.set(slow=2000.0)
        it.press(A)
        await far.half_out()
        it.press(A)
        refused = await it.event("ticket.refused")
        assert (refused.code, refused.message) == ("still_printing", "Nomor A001 sedang dicetak.")
        await it.blinks(LAMP)
        far.set(slow=None)
        it.press(D)  # another button is another line: it only waits for the printer
        await it.event("ticket.printed", number="A001")
        await it.event("ticket.printed", number="D001")
        it.clock.advance(3)
        it.press(A)
        await it.event("ticket.printed", number="A002")
        assert numbers(far) == ["A001", "D001", "A002"]
        assert not far.torn


async def test_two_buttons_at_once_are_two_slips(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        fingers = [threading.Thread(target=it.pins.press, args=(pin, 0.02)) for pin in (A, D)]
        for finger in fingers:
            finger.start()
        await it.event("ticket.printed", number="A001")
        await it.event("ticket.printed", number="D001")
        for finger in fingers:
            finger.join(5)
        assert sorted(numbers(far)) == ["A001", "D001"]


async def test_the_priority_button_gives_a_priority_ticket_that_says_so(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        it.press(A_PRIORITY)
        assert "PRIORITAS" in lines(await far.next_slip())
        assert (await it.event("ticket.issued")).priority
        assert (await it.do(cmd.IssueTicket(service="A"), cmd.CallNext(counter=1))).result["number"] == "A001"


async def test_outside_hours_a_press_prints_nothing_and_the_lamp_says_so(tmp_path: Path) -> None:
    clock = ManualClock(wib("2026-07-01 12:58"))
    async with ticketing(tmp_path, clock=clock) as (far, it):
        await it.lit(LAMP, False)
        it.press(A)
        refused = await it.event("ticket.refused")
        assert (refused.code, refused.opens_at) == ("break", "2026-07-01T13:00:00+07:00")
        await it.blinks(LAMP)
        await it.passes(3)
        await it.lit(LAMP, False)
        assert "ticket.issued" not in await it.kinds()
        await it.passes(120, step=5)
        await it.lit(LAMP, True)
        it.press(A)
        await it.event("ticket.printed", number="A001")
        assert numbers(far) == ["A001"]


async def test_paper_follows_the_event_whoever_asked(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.IssueTicket(service="D"))
        await it.event("ticket.printed", number="D001")
        assert numbers(far) == ["D001"]
        assert {view.number: view.paper for view in (await it.queue.snapshot()).tickets} == {
            "A001": PrintState.NONE,
            "D001": PrintState.PRINTED,
        }


async def test_a_ticket_is_printed_again_when_somebody_asks(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        await it.do(cmd.OpenCounter(counter=1), cmd.IssueTicket(service="A"))
        await it.event("ticket.printed")
        it.clock.advance(3600)
        since = (await it.do(cmd.ReprintTicket(ticket="A001"))).sequence
        assert (await it.event("ticket.printed", since=since)).reprint
        first, second = far.slips
        assert "CETAK ULANG" in lines(second) and "SALINAN" not in second.text
        assert [line for line in lines(second) if line != "CETAK ULANG"] == lines(first), "the time and all else as it was then"
        assert "Rabu, 1 Juli 2026  08.05 WIB" in lines(second) and "Perkiraan tunggu: 0-5 menit" in lines(second)


async def test_a_ticket_that_got_no_paper_is_printed_when_somebody_asks(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.ReprintTicket(ticket="A001"))
        await it.event("ticket.printed", reprint=True)
        assert numbers(far) == ["A001"]


async def test_a_reprint_that_no_printer_can_print_fails_at_once(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        machine(it, str(tmp_path / "nothing"))
        await it.event("device.down", device="printer")
        await it.do(cmd.IssueTicket(service="A", slip=False))
        await it.passes(10)
        await it.do(cmd.ReprintTicket(ticket="A001"))
        await it.event("ticket.print_failed", tick=0.1)


async def test_a_ticket_written_by_hand_has_its_paper_already(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        await it.do(cmd.ReserveNumbers(service="A", count=2), cmd.EnterTicket(ticket="A001"), cmd.IssueTicket(service="A"))
        await it.event("ticket.printed")
        assert numbers(far) == ["A003"]


async def test_in_a_training_the_machine_gives_tickets_that_say_so(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as far, kiosk(tmp_path) as it:
        await it.do(cmd.CloseDay(), cmd.Training(on=True))
        machine(it, far.port)
        await it.up("buttons", "printer")
        await it.lit(LAMP, True)
        it.press(A)
        slip = await far.next_slip()
        assert lines(slip)[0] == "LATIHAN" and lines(slip).count("LATIHAN") == 2
        assert (await it.event("ticket.printed")).training


@pytest.mark.parametrize(("columns", "absent"), [
    (32, ["Dipanggil 3 kali tidak hadir:", "lapor ke petugas."]),
    (48, ["Dipanggil 3 kali tidak hadir: lapor ke petugas."]),
])  # fmt: skip
async def test_the_paper_as_it_lies_in_the_hand(tmp_path: Path, columns: int, absent: list[str]) -> None:
    async with sim_printer_pty(tmp_path / "lp", columns=columns) as far, kiosk(tmp_path) as it:
        machine(it, far.port, buttons=False, columns=columns)
        await it.up("printer")
        await it.do(cmd.OpenCounter(counter=1), *(cmd.IssueTicket(service="D", slip=False) for _ in range(3)), cmd.IssueTicket(service="D"))
        await it.event("ticket.printed")
        (slip,) = far.slips
        assert max(map(len, slip.text.splitlines())) <= columns
        assert [line for line in lines(slip) if line] == [
            "KIOS SIAPkerja", "BBPVP CONTOH", "Jl. Contoh No. 1, Bekasi", "-" * columns,
            "NOMOR ANTREAN", "D004", "Layanan Pasar Kerja", "-" * columns,
            "Rabu, 1 Juli 2026  08.05 WIB", "Menunggu di depan Anda: 3", "Perkiraan tunggu: 30-35 menit", "-" * columns,
            *absent, "Siapkan SIAPkerja-ID Anda.", "[QR CTH01-20260701-D004]", "Terima kasih",
        ]  # fmt: skip


async def test_a_jammed_button_is_known_and_the_others_go_on(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        it.clock.advance(1)
        it.pins.low(A)
        await it.event("ticket.printed", number="A001")
        stuck = await it.record("device.degraded", tick=0.5, device="buttons", code="stuck")
        it.press(D)
        await it.event("ticket.printed", number="D001")
        it.pins.high(A)
        await it.event("device.up", device="buttons", since=stuck.seq, tick=0.01)
        it.press(A)
        await it.event("ticket.printed", number="A002")
        assert numbers(far) == ["A001", "D001", "A002"]


async def test_many_presses_while_the_printer_is_slow_are_all_printed_in_order(tmp_path: Path) -> None:
    async with ticketing(tmp_path) as (far, it):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(it.do(cmd.IssueTicket(service="A")))
        await it.event("ticket.printed", number="A010")
        assert numbers(far) == [f"A{n:03}" for n in range(1, 11)]


async def test_many_numbers_of_one_service_are_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with kiosk(tmp_path) as it:
        it.run(TicketMachine(it.queue, it.clock, it.settings, "none").run())
        await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(899)))
        await it.do(cmd.CallNext(counter=1))  # a commit later the station has seen them
        assert "numbers today" not in caplog.text
        await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(3)))
        await it.do(cmd.Start(counter=1))
        assert caplog.text.count("service A has given 900 numbers today") == 1
