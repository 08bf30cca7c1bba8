"""The ESC/POS driver against the simulated printer, over a pty and over TCP."""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Outcome, Qr, Slip, Text
from kiosd_sim.escpos import Line, Raster
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from support.printers import READ, SLIP, first, opened, read


@pytest.fixture(params=["pty", "tcp"])
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimPrinter]:
    async with sim_printer_pty(tmp_path / "printer") if request.param == "pty" else sim_printer_tcp() as it:
        yield it


async def test_what_is_sent_is_what_comes_out(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        assert printer.columns == 32
        for _ in range(2):
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert [read(slip.text) for slip in far.slips] == [READ, READ]
    assert not far.strange
    sizes = [style for item in far.slips[0].items if isinstance(item, Line) for text, style in item.runs if text == "D005"]
    assert [(style.width, style.height, style.bold) for style in sizes] == [(6, 6, True)]


async def test_the_mark_that_says_printed_comes_after_the_paper(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert len(far.slips) == 1  # without waiting


@pytest.mark.parametrize(
    ("mood", "code"), [({"paper": "out"}, "paper_out"), ({"cover": True}, "cover_open"), ({"offline": True}, "offline")]
)
async def test_a_printer_that_is_not_ready_gets_no_byte_of_the_ticket(far: SimPrinter, mood: dict[str, object], code: str) -> None:
    async with opened(far.port) as printer:
        far.set(**mood)
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(SLIP)
        assert error.value.code == code
        far.set(paper="ok", cover=False, offline=False)
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert [read(slip.text) for slip in far.slips] == [READ]


async def test_paper_that_is_near_its_end_still_prints_and_is_reported(far: SimPrinter) -> None:
    far.set(paper="near")
    async with opened(far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert (await first(printer, "paper_near_end")).detail == "the paper is near its end"


async def test_watch_tells_each_change_once(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        watch = printer.watch()
        far.set(paper="near")
        seen = [(await anext(watch)).code]
        for mood in ({"paper": "out"}, {"cover": True, "paper": "ok"}, {"cover": False}):
            far.set(**mood)
            seen.append((await anext(watch)).code)
        assert seen == ["paper_near_end", "paper_out", "cover_open", ""]


async def test_unplugged_between_tickets(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        await printer.print_slip(SLIP)
        await far.unplug()
        with pytest.raises(DeviceError) as error:
            await first(printer, "never")
        assert error.value.code == "absent"
        with pytest.raises(DeviceError):
            await printer.print_slip(SLIP)


async def test_unplugged_in_the_middle_of_a_ticket_is_uncertain_and_then_gone(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        await printer.print_slip(SLIP)
        far.set(slow=200.0)
        async with asyncio.TaskGroup() as group:
            ticket = group.create_task(printer.print_slip(SLIP))
            await far.half_out()
            await far.unplug()
        assert ticket.result() is Outcome.UNCERTAIN
        with pytest.raises(DeviceError):
            await anext(printer.watch())
    await far.plug()
    far.set(slow=None)
    async with opened(far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert [read(slip.text) for slip in far.slips] == [READ, READ]
    assert len(far.torn) == 1


async def test_paper_that_ends_in_the_middle_is_uncertain(far: SimPrinter) -> None:
    async with opened(far.port, confirm_s=0.3) as printer:
        await printer.print_slip(SLIP)
        far.set(slow=2000.0)
        async with asyncio.TaskGroup() as group:
            ticket = group.create_task(printer.print_slip(SLIP))
            await far.half_out()
            far.set(paper="out")
        assert ticket.result() is Outcome.UNCERTAIN
        with pytest.raises(DeviceError, match="the paper is out"):
            await printer.print_slip(SLIP)
    assert len(far.slips) == 1


async def test_a_slow_printer_is_waited_for(far: SimPrinter) -> None:
    far.set(slow=2000.0)
    async with opened(far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED


@pytest.mark.parametrize(("confirm", "outcome"), [(True, Outcome.UNCONFIRMED), (False, Outcome.PRINTED)])
async def test_a_silent_clone_prints_and_is_asked_once(far: SimPrinter, confirm: bool, outcome: Outcome) -> None:
    far.set(silent=True)
    async with opened(far.port, confirm=confirm, answer_s=0.3) as printer:
        assert await printer.print_slip(SLIP) is outcome
        began = asyncio.get_running_loop().time()
        for _ in range(4):
            assert await printer.print_slip(SLIP) is outcome
        assert asyncio.get_running_loop().time() - began < 4 * 0.3
        for _ in range(5):
            assert read((await far.next_slip()).text) == READ


@pytest.mark.parametrize(
    ("clone", "outcome"),
    [
        ("epson", Outcome.PRINTED),
        ("simple", Outcome.PRINTED),
        ("half", Outcome.UNCONFIRMED),
        ("silent", Outcome.UNCONFIRMED),
        ("yes-man", Outcome.PRINTED),
        ("chatty", Outcome.PRINTED),
    ],
)
async def test_each_kind_of_printer_says_what_it_can(far: SimPrinter, clone: str, outcome: Outcome) -> None:
    far.set(clone=clone)
    async with opened(far.port, speed_mm_s=500) as printer:
        for _ in range(2):
            assert await printer.print_slip(SLIP) is outcome
            assert read((await far.next_slip()).text) == READ
    assert not far.torn


async def test_a_printer_that_answers_nonsense_ends_in_time_one_way_or_another(far: SimPrinter) -> None:
    far.set(clone="garbage")
    async with opened(far.port, confirm_s=0.5, speed_mm_s=500) as printer:
        for _ in range(3):
            with suppress(DeviceError):
                assert await printer.print_slip(SLIP) in Outcome
    assert len(far.slips) <= 3


async def test_a_clone_is_noticed_when_it_is_unplugged(far: SimPrinter) -> None:
    far.set(silent=True)
    async with opened(far.port, answer_s=0.01) as printer:
        await printer.print_slip(SLIP)
        await far.unplug()
        with pytest.raises(DeviceError) as error:
            await first(printer, "never")
        assert error.value.code == "absent"


async def test_a_printer_that_falls_silent_is_a_fault(far: SimPrinter) -> None:
    async with opened(far.port) as printer:
        await printer.print_slip(SLIP)
        far.set(silent=True)
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(SLIP)
        assert error.value.code == "timeout"
    assert len(far.slips) == 1


async def test_no_question_is_asked_where_the_configuration_says_so(far: SimPrinter) -> None:
    far.set(paper="near")
    async with opened(far.port, status=False) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await first(printer, "paper_near_end")


async def test_a_code_as_a_picture_for_printers_that_have_none(far: SimPrinter) -> None:
    async with opened(far.port, qr="raster") as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert any(isinstance(item, Raster) for item in far.slips[0].items)
    assert not far.strange


async def test_a_printer_without_a_knife_is_fed_to_the_tear_bar(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "printer", cutter=False) as far, opened(far.port, cut=False) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert read(far.slips[0].text) == READ


async def test_hostile_text_is_only_text(far: SimPrinter) -> None:
    hostile = "A\x1b@\x1dV\x00\n\x10\x04\x01B\u202e\x85\x7f"
    async with opened(far.port) as printer:
        assert await printer.print_slip(Slip("x", (Text(hostile), Text("caf\u00e9 \u5b57 \u2026"), Qr("a\x1dV\x00b")))) is Outcome.PRINTED
    assert len(far.slips) == 1
    assert read(far.slips[0].text) == ["A@VB", "cafe ? ...", "[QR aVb]", ""]


async def test_python_escpos_leaves_no_traces(far: SimPrinter) -> None:
    threads = threading.active_count()
    handlers = list(logging.root.handlers)
    async with opened(far.port) as printer:
        await printer.print_slip(SLIP)
    assert logging.root.handlers == handlers
    assert "escpos.printer" not in sys.modules
    assert not Path(sys.modules["escpos.capabilities"].pickle_dir).exists()
    for _ in range(100):
        if threading.active_count() <= threads:
            break
        await asyncio.sleep(0.01)
    assert threading.active_count() <= threads
