"""What call boards say while they show no call: no paper, hours and closures, training, promised repairs."""

from datetime import datetime
from itertools import groupby
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.stations.call_board import ALONE_S, BREATH_S, MESSAGE_S, RESEND_S, CallBoard
from kiosd_sim.board import SimBoard
from support.callboard import IDLE, QUICK, call, plugged, reads, show
from support.site import wib
from support.stationkiosk import Kiosk, kiosk


async def test_a_number_that_got_no_paper_is_told(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        reply = await it.do(cmd.IssueTicket(service="A"))
        await it.do(cmd.ReportPaper(ticket=str(reply.result["ticket"]), outcome="failed", device="printer"))
        await reads(board, "Nomor Anda A001", "mohon dicatat")
        await it.passes(MESSAGE_S + 1)
        await reads(board, *IDLE)


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        (wib("2026-07-01 07:00"), ("Tutup. Buka 08.00", "")),
        (wib("2026-07-01 17:00"), ("Tutup. Buka Kamis", "08.00")),
        (wib("2026-07-03 17:00"), ("Tutup. Buka Senin", "08.00")),
        (wib("2026-07-02 17:00"), ("Tutup. Buka Jumat", "07.30")),
    ],
)
async def test_outside_hours_it_says_so_and_when_it_opens(tmp_path: Path, when: datetime, lines: tuple[str, str]) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path, ManualClock(when)) as it:
        show(it, board)
        await reads(board, *lines)
        await it.do(cmd.IssueTicket(service="A"))
        await it.passes(1)
        await reads(board, *lines)


async def test_in_the_break_a_press_is_told_that_it_is_one(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path, ManualClock(wib("2026-07-01 12:30"))) as it:
        show(it, board)
        await reads(board, "Istirahat. Buka", "13.00")
        await it.do(cmd.IssueTicket(service="A"))
        await reads(board, "Istirahat. Buka", "13.00")
        await it.passes(MESSAGE_S + 1)
        await reads(board, "Istirahat. Buka", "13.00")


async def test_a_closure_by_command_is_told_at_once_and_why_a_press_gives_nothing(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        await it.do(cmd.Suspend(until="10:00", reason="rapat"))
        await reads(board, "Tutup sementara.", "Buka 10.00")
        await it.do(cmd.IssueTicket(service="A"))
        await reads(board, "Tutup sementara.", "Buka 10.00")
        await it.passes(MESSAGE_S + 1)
        await it.do(cmd.Resume())
        await reads(board, *IDLE)
        await it.do(cmd.Suspend(reason="banjir"))
        await reads(board, "Tutup sampai ada", "pemberitahuan")
        await it.do(cmd.IssueTicket(service="A"))
        await reads(board, "Tutup sampai ada", "pemberitahuan")


async def test_a_training_is_told_and_its_calls_are_shown(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await it.do(cmd.CloseDay(), cmd.Training(on=True))
        await reads(board, "LATIHAN - nomor", "tidak berlaku")
        await call(it)
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(cmd.Training(on=False))
        await reads(board, "Tutup. Buka Kamis", "08.00")


async def test_a_promised_repair_is_told_in_turn_until_the_device_works_again(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        station = CallBoard(it.queue, it.clock, "id", machine=frozenset({"printer"}))
        it.device("board", "serial_display", {"port": str(board.port.link), "protocol": "cd5220", **QUICK}, station.use)
        await reads(board, *IDLE)
        await it.do(cmd.ReportDevice(device="printer", state="down", code="paper_out"))
        await it.do(cmd.PromiseRepair(device="printer", until="14:00", reason="ganti rol"))
        promised = it.clock.now().monotonic
        for lines in TURNS:
            while board.lines != lines:
                await it.passes(0.5)
        assert len(TURNS) - 1 <= (it.clock.now().monotonic - promised) / MESSAGE_S < len(TURNS)
        shown = [lines for lines, _ in groupby(board.history)]
        assert shown[-len(TURNS) :] == TURNS
        await call(it)
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(cmd.Start(counter=1), cmd.Finish(counter=1))
        while board.lines == ("NOMOR A001", "LOKET 1"):
            await it.passes(BREATH_S, step=BREATH_S)
        await it.do(cmd.ReportDevice(device="printer", state="ok"))
        await reads(board, *IDLE)
        await it.passes(3 * MESSAGE_S)
        await reads(board, *IDLE)


TURNS = [
    ("Mesin antrean sedang", "diperbaiki"),
    ("s.d. 14.00: ganti", "rol"),
    ("Layanan tetap", "berjalan"),
    IDLE,
    ("Mesin antrean sedang", "diperbaiki"),
]


NOTICE = TURNS[:3]
A001, A002 = ("NOMOR A001", "LOKET 1"), ("NOMOR A002", "LOKET 2")


async def test_a_promised_repair_takes_turns_with_a_call_that_has_stood_for_a_while(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        station = CallBoard(it.queue, it.clock, "id", machine=frozenset({"printer"}))
        it.device("board", "serial_display", {"port": str(board.port.link), "protocol": "cd5220", **QUICK}, station.use)
        await it.do(cmd.ReportDevice(device="printer", state="down", code="paper_out"))
        await it.do(cmd.PromiseRepair(device="printer", until="14:00", reason="ganti rol"))
        await reads(board, *NOTICE[0])
        await call(it)
        await reads(board, *A001)
        called = it.clock.now().monotonic
        await comes_up(it, board, NOTICE[0])
        assert it.clock.now().monotonic - called >= ALONE_S - 0.5
        for lines in (A001, NOTICE[1], A001, NOTICE[2], A001, NOTICE[0]):
            turned = it.clock.now().monotonic
            await comes_up(it, board, lines)
            assert MESSAGE_S - 1 <= it.clock.now().monotonic - turned <= MESSAGE_S + 1
        await call(it, 2)
        await reads(board, *A002)  # at once: no time passes
        await it.passes(ALONE_S - 1, step=0.25)
        assert {lines for lines in board.history[board.history.index(A002) :] if any(lines)} == {A002}


async def comes_up(it: Kiosk, board: SimBoard, lines: tuple[str, ...]) -> None:
    """Wait until the board shows ``lines``; darkness of a call that blinks is not another face."""
    before = board.lines
    while board.lines != lines:
        await it.passes(0.25, step=0.25)
        assert board.lines in {before, lines, ("", "")}


async def test_a_board_that_comes_back_in_a_repair_shows_first_who_has_to_come(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        await it.do(cmd.ReportDevice(device="printer", state="down"), cmd.PromiseRepair(device="printer", until="14:00", reason="rol"))
        await call(it)
        it.clock.advance(60)
        show(it, board)
        await reads(board, *A001)
        await it.passes(ALONE_S - 1, step=0.25)
        assert {lines for lines in board.history if any(lines)} == {A001}


async def test_a_training_is_told_in_turn_with_its_calls_and_a_counters_display_keeps_its_number(tmp_path: Path) -> None:
    async with plugged(tmp_path) as hall, plugged(tmp_path, "desk") as desk, kiosk(tmp_path) as it:
        show(it, hall, "hall")
        show(it, desk, "desk", counter=1)
        await it.do(cmd.CloseDay(), cmd.Training(on=True))
        await reads(desk, "LATIHAN - nomor", "tidak berlaku")
        await call(it)
        await reads(hall, *A001)
        await reads(desk, *A001)
        desk.history.clear()
        await comes_up(it, hall, ("LATIHAN - nomor", "tidak berlaku"))
        await comes_up(it, hall, A001)
        assert {lines for lines in desk.history if any(lines)} == {A001}


async def test_a_repair_whose_promised_end_is_over_is_not_promised_any_more(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await it.do(cmd.ReportDevice(device="scanner", state="down"), cmd.PromiseRepair(device="scanner", until="08:06", reason="kabel"))
        await board.shows(lambda lines: lines == ("scanner sedang", "diperbaiki"))
        await it.passes(60 + 2 * MESSAGE_S, step=1)
        await reads(board, *IDLE)


async def test_the_board_opens_and_closes_by_itself(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path, ManualClock(wib("2026-07-01 11:59"))) as it:
        show(it, board)
        await reads(board, *IDLE)
        await it.passes(60 + RESEND_S, step=5)
        await reads(board, "Istirahat. Buka", "13.00")
        await it.passes(3600, step=30)
        await reads(board, *IDLE)
        await it.do(cmd.CloseDay())
        await reads(board, "Tutup. Buka Kamis", "08.00")
