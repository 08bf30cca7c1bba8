"""Call boards: real bytes to a simulated board, while people are called by the real queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import cast

import pytest

from kiosd.ports import Face
from kiosd.queue import commands as cmd
from kiosd.queue.commands import new_id
from kiosd.queue.events import Record
from kiosd.queue.interface import Queue, closing
from kiosd.queue.local import LocalQueue
from kiosd.stations.call_board import BLINK_S, BLINKS, BREATH_S, MESSAGE_S, RESEND_S, CallBoard
from kiosd_sim.board import SimBoard
from support.callboard import IDLE, becomes, call, plugged, reads, show
from support.stationkiosk import TURN_S, Kiosk, kiosk


async def test_a_call_is_shown_until_the_visit_ends_and_the_newest_call_wins(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        await call(it)
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(cmd.Start(counter=1))
        await call(it, 2)
        await reads(board, "NOMOR A002", "LOKET 2")
        it.clock.advance(10)
        await it.do(cmd.Start(counter=2), cmd.Finish(counter=2))
        await becomes(it, board, "NOMOR A001", "LOKET 1")
        await it.do(cmd.Finish(counter=1))
        await becomes(it, board, *IDLE)


async def test_a_recall_brings_the_number_back(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it, 1)
        await call(it, 2)
        await reads(board, "NOMOR A002", "LOKET 2")
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=1))
        await reads(board, "NOMOR A001", "LOKET 1")
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=1))
        it.clock.advance(11)
        await it.do(cmd.MarkAbsent(counter=1))
        await becomes(it, board, "NOMOR A002", "LOKET 2")


A001: tuple[str, ...] = ("NOMOR A001", "LOKET 1")
DARK: tuple[str, ...] = ("", "")


async def test_a_fresh_call_blinks_three_times_and_then_stands(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        board.history.clear()
        await call(it)
        await reads(board, *A001)
        called = it.clock.now().monotonic
        await stands(it, board)
        seen = blinks(board)
        assert seen == [A001, DARK, A001, DARK, A001, DARK, A001]
        assert it.clock.now().monotonic - called >= 2 * BLINKS * BLINK_S - 0.1
        await it.passes(2 * RESEND_S)
        assert blinks(board) == seen, "it stands"


async def stands(it: Kiosk, board: SimBoard) -> None:
    """Wait until the first call has blinked."""
    while len(blinks(board)) < 2 * BLINKS + 1:
        await it.passes(0.1, step=0.05)


def blinks(board: SimBoard) -> list[tuple[str, ...]]:
    """What the board showed of the first call: itself and darkness."""
    shown = [lines for lines, _ in groupby(lines for lines in board.history if lines in {A001, DARK})]
    return shown[shown.index(A001) :] if A001 in shown else []


async def test_a_call_that_was_seen_before_a_newer_one_does_not_blink_again(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it, 1)
        await reads(board, *A001)
        await call(it, 2)
        await reads(board, "NOMOR A002", "LOKET 2")
        await it.do(cmd.Start(counter=2), cmd.Finish(counter=2))
        await becomes(it, board, *A001)
        board.history.clear()
        await it.passes(2 * BLINKS * BLINK_S + 1, step=0.1)
        assert board.history == [] and board.lines == A001
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=1))
        while DARK not in board.history:  # but it does when it is called again
            await it.passes(0.1, step=0.05)


class Recorder:
    """A display that keeps what it is shown."""

    def __init__(self) -> None:
        self.faces: list[Face] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Recorder"]:
        yield self

    async def show(self, face: Face) -> None:
        self.faces.append(face)


async def test_attention_is_asked_for_while_it_blinks_and_nothing_is_sent_too_often(tmp_path: Path) -> None:
    display = Recorder()
    async with kiosk(tmp_path) as it:
        it.supervised("board", display.opened, CallBoard(it.queue, it.clock, "id").use)
        await it.up("board")
        await call(it)
        while Face("A001", 1) not in display.faces:
            await it.passes(0.1, step=0.05)
        called = [face for face in display.faces if not face.message]
        assert called == [Face("A001", 1, attention=True), Face()] * BLINKS + [Face("A001", 1)]
        await call(it, 2)
        while display.faces[-1] != Face("A002", 2, attention=True):
            await it.passes(0.1, step=0.05)
        await it.do(cmd.CancelTicket(ticket="A001"), cmd.CancelTicket(ticket="A002"))
        while not display.faces[-1].message:
            await it.passes(0.1, step=0.05)
        sent = len(display.faces)
        await it.passes(4 * RESEND_S)
        assert sent + 3 <= len(display.faces) <= sent + 5, "nothing blinks any more"


@pytest.mark.parametrize("ends", [cmd.CancelTicket(ticket="A001"), cmd.CloseDay()], ids=["cancelled", "day closed"])
async def test_a_call_that_is_over_is_not_shown_any_more(tmp_path: Path, ends: cmd.Command) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it)
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(ends.model_copy(update={"id": new_id()}))
        await board.shows(lambda lines: lines[0] != "NOMOR A001")


async def test_a_refusal_is_told_for_a_while_and_a_new_call_goes_before_it(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it)
        await reads(board, "NOMOR A001", "LOKET 1")
        press = cmd.IssueTicket(service="D", place="button/D")
        await it.do(press, press.model_copy(update={"id": new_id()}))
        await reads(board, "Nomor D001 sedang", "dicetak.")
        await it.passes(MESSAGE_S - 1)
        await reads(board, "Nomor D001 sedang", "dicetak.")
        await it.passes(2)
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(press.model_copy(update={"id": new_id()}))
        await reads(board, "Nomor D001 sedang", "dicetak.")
        await it.do(cmd.CallNext(counter=2))
        await reads(board, "NOMOR D001", "LOKET 2")


async def test_a_board_that_is_plugged_in_again_shows_at_once_who_has_to_come(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it, 1)
        await reads(board, "NOMOR A001", "LOKET 1")
        it.clock.advance(1)
        await call(it, 2)
        board.port.unplug()
        down = await it.record("device.down", device="board", tick=RESEND_S)
        await it.do(cmd.Start(counter=1))  # later than the call at counter 2, but nobody has to come for it
        board.screen.forget()
        board.port.plug()
        await it.event("device.up", device="board", since=down.seq, tick=1)
        await reads(board, "NOMOR A002", "LOKET 2")
        assert board.history[-1] == ("NOMOR A002", "LOKET 2")


async def test_a_board_that_forgot_is_told_again_by_itself(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        await call(it)
        await stands(it, board)
        for _ in range(2):
            board.screen.forget()
            await it.passes(RESEND_S - 3)
            assert board.lines == ("", "")
            await it.passes(5)
            await reads(board, "NOMOR A001", "LOKET 1")


async def test_a_jammed_board_does_not_delay_calling_and_shows_the_newest_when_it_is_free(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board, write_timeout_s=10.0)
        await reads(board, *IDLE)
        board.port.jam()
        async with asyncio.timeout(5):  # half of what one write to the board may take
            for _ in range(20):
                await call(it)
                await it.do(cmd.Start(counter=1), cmd.Finish(counter=1))
            await call(it)
        assert "device.down" not in [record.event.type for record in it.log], "it is still waiting for the board"
        board.port.release()
        await reads(board, "NOMOR A021", "LOKET 1")


async def test_a_board_that_takes_nothing_is_down_and_comes_back(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board, write_timeout_s=0.1)
        await reads(board, *IDLE)
        board.port.jam()
        await call(it)
        down = await it.record("device.down", device="board", code="timeout")
        board.port.release()
        await it.event("device.up", device="board", since=down.seq, tick=0.5)
        await reads(board, "NOMOR A001", "LOKET 1")


async def test_a_board_of_one_counter_shows_only_that_counter(tmp_path: Path) -> None:
    async with plugged(tmp_path) as hall, plugged(tmp_path, "desk") as desk, kiosk(tmp_path) as it:
        show(it, hall, "hall")
        show(it, desk, "desk", counter=2)
        await reads(desk, *IDLE)
        await call(it, 1)
        await call(it, 2)
        await call(it, 3)
        await reads(hall, "NOMOR A003", "LOKET 3")
        await reads(desk, "NOMOR A002", "LOKET 2")
        await it.do(cmd.Recall(counter=2))
        await reads(desk, "Nomor A002 baru", "dipanggil; tunggu...")
        await it.passes(MESSAGE_S + 1)
        await reads(desk, "NOMOR A002", "LOKET 2")
        assert {number for number, _ in desk.history if number.startswith("NOMOR")} == {"NOMOR A002"}
        assert not any("tunggu" in line for lines in hall.history for line in lines), "an officer's affair"


class Halting:
    """A queue whose events come one by one, as to a satellite: whoever follows it is at rest again before the next one."""

    def __init__(self, queue: LocalQueue) -> None:
        self._queue = queue
        self.snapshot = queue.snapshot

    async def events(self, since: int) -> AsyncIterator[Record]:
        async with closing(self._queue.events(since)) as records:
            async for record in records:
                yield record
                await asyncio.sleep(TURN_S)


async def test_a_call_that_ends_the_visit_before_it_is_the_next_thing_shown(tmp_path: Path) -> None:
    """What would be shown between them keeps a slow line busy when the call comes."""
    display = Recorder()
    async with kiosk(tmp_path) as it:
        it.supervised("board", display.opened, CallBoard(cast("Queue", Halting(it.queue)), it.clock, "id").use)
        await it.up("board")
        await call(it)
        while Face("A001", 1) not in display.faces:
            await it.passes(0.1, step=0.05)
        await it.do(cmd.Start(counter=1))
        shown = len(display.faces)
        await call(it)
        while len(display.faces) == shown:
            await it.passes(BREATH_S / 1000, step=BREATH_S / 1000)
        assert display.faces[shown:] == [Face("A002", 1, attention=True)]
        await it.passes(2 * BLINKS * BLINK_S, step=0.05)
        assert display.faces[-1] == Face("A002", 1)
        await it.do(cmd.Start(counter=1), cmd.Finish(counter=1))
        while not display.faces[-1].message:
            await it.passes(BREATH_S, step=BREATH_S)


STEP_BACK = [
    ("ticket.call_undone", cmd.UndoCall(counter=2), ("NOMOR A001", "LOKET 1")),
    ("ticket.transferred", cmd.Transfer(counter=2, service="D"), ("NOMOR A001", "LOKET 1")),
    ("ticket.referred", cmd.Refer(counter=2, destination="back_office", reason="lainnya"), ("NOMOR A001", "LOKET 1")),
]


@pytest.mark.parametrize(("kind", "ends", "lines"), STEP_BACK, ids=[kind for kind, _, _ in STEP_BACK])
async def test_who_left_the_counter_is_not_shown(tmp_path: Path, kind: str, ends: cmd.Command, lines: tuple[str, str]) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it, 1)
        await call(it, 2)
        await reads(board, "NOMOR A002", "LOKET 2")
        if kind != "ticket.call_undone":
            await it.do(cmd.Start(counter=2))
        await it.do(ends.model_copy(update={"id": new_id()}))
        await it.event(kind)
        await becomes(it, board, *lines)


async def test_a_start_that_is_taken_back_is_a_call_again_and_an_end_is_not(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await call(it, 1)
        await it.do(cmd.Start(counter=1))
        await call(it, 2)
        await reads(board, "NOMOR A002", "LOKET 2")
        await it.do(cmd.UndoStart(counter=1))
        await reads(board, "NOMOR A001", "LOKET 1")
        await it.do(cmd.Start(counter=1), cmd.Finish(counter=1))
        await becomes(it, board, "NOMOR A002", "LOKET 2")
        await it.do(cmd.UndoFinish(counter=1))
        await it.do(cmd.Start(counter=2), cmd.Finish(counter=2))
        await becomes(it, board, "NOMOR A001", "LOKET 1")


async def test_no_call_is_lost_on_the_way_however_fast_they_come(tmp_path: Path) -> None:
    async with plugged(tmp_path) as board, kiosk(tmp_path) as it:
        show(it, board)
        await reads(board, *IDLE)
        await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(30)))
        for _ in range(10):
            async with asyncio.TaskGroup() as tasks:
                for counter in (1, 2, 3):
                    tasks.create_task(it.do(cmd.CallNext(counter=counter), cmd.Start(counter=counter)))
        called = [record.event.model_dump() for record in it.log if record.event.type == "ticket.called"]
        assert len(called) == 30
        await reads(board, f"NOMOR {called[-1]['number']}", f"LOKET {called[-1]['counter']}")
