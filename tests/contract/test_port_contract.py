"""What each port owes its station, by the docstrings of ``kiosd.ports``, for every driver of the port."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Announcer, BadScan, ButtonPanel, CallDisplay, Face, Fault, LampState, Outcome, Press, Scan, Scanner, TicketPrinter
from support.devices import take
from support.driverbench import FACE, GONE_S, SENTENCE, Footprint, bench, of_port, show_until_gone
from support.fardevices import Build
from support.printers import READ, SLIP, read
from support.voices import ended, until

# -- panels


async def _next(items: AsyncIterator[Press | Fault]) -> Press | Fault:
    async with asyncio.timeout(5):
        return await anext(items)


@of_port(ButtonPanel)
async def test_a_panel_yields_each_press_once_oldest_first_with_its_time(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as panel, aclosing(panel.presses()) as presses:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        it.far.bounce("A")
        it.far.press("B")
        seen = [await _next(presses) for _ in range(2)]
        assert [item.button for item in seen if isinstance(item, Press)] == ["A", "B"]
        times = [item.at for item in seen if isinstance(item, Press)]
        assert before <= times[0] <= times[1] <= time.clock_gettime(time.CLOCK_BOOTTIME)


@of_port(ButtonPanel)
async def test_a_jammed_button_is_a_fault_until_it_is_free_and_gives_no_press_when_the_panel_opens(
    name: str, build: Build, tmp_path: Path
) -> None:
    async with bench(name, build, tmp_path) as it:
        async with it.opened():
            it.far.hold("A")  # from before the panel is used
        async with it.opened() as panel, aclosing(panel.presses()) as presses:
            fault = await _next(presses)
            assert isinstance(fault, Fault)
            assert fault.code == "stuck" and fault.subject == "A" and fault.detail
            it.far.press("B")
            press = await _next(presses)
            assert isinstance(press, Press) and press.button == "B"
            it.far.release("A")
            over = await _next(presses)
            assert isinstance(over, Fault) and (over.code, over.subject) == ("", "A")


@of_port(ButtonPanel)
async def test_a_lamp_that_a_panel_does_not_have_is_nothing(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as panel:
        for state in LampState:
            await panel.lamp("no_such_lamp", state)
        await panel.lamp("ready", LampState.ON)
        assert it.far.lit("ready")
        await panel.lamp("ready", LampState.OFF)
        assert not it.far.lit("ready")


# -- scanners


@of_port(Scanner)
async def test_a_scanner_yields_each_scan_once_in_order_and_hides_it(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as scanner:
        for number in range(10):
            await it.far.scan(f"Card-{number}!")
        assert await take(scanner, 10) == [f"Card-{number}!" for number in range(10)]
        await it.far.scan("3201010101010001")
        async with asyncio.timeout(5), aclosing(scanner.scans()) as scans:
            scan = await anext(scans)
        assert isinstance(scan, Scan) and scan.payload == "3201010101010001"
        assert "3201" not in repr(scan) + str(scan)


@of_port(Scanner)
async def test_a_scan_that_is_too_long_is_one_bad_scan_and_the_next_is_good(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as scanner:
        await it.far.scan("7" * 512)
        assert await take(scanner, 1) == ["7" * 512]
        await it.far.scan("7" * 513)
        await it.far.scan("Card-1")
        assert await take(scanner, 2) == ["!length", "Card-1"]
        assert "7" not in repr(BadScan("length", 0.0))


# -- printers


@of_port(TicketPrinter)
@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ({"paper": "out"}, "paper_out"),
        ({"cover": True}, "cover_open"),
        ({"cutter": True}, "cutter"),
        ({"overheated": True}, "overheated"),
        ({"broken": True}, "error"),
        ({"offline": True}, "offline"),
    ],
)
async def test_a_printer_that_cannot_print_says_why_and_prints_the_same_slip_later(
    name: str, build: Build, tmp_path: Path, mood: dict[str, Any], code: str
) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as printer:
        it.far.paper.set(**mood)
        async with asyncio.timeout(5), aclosing(printer.watch()) as faults:
            assert (await anext(faults)).code == code
            with pytest.raises(DeviceError) as caught:
                await printer.print_slip(SLIP)
            assert caught.value.code == code
            it.far.paper.set(paper="ok", cover=False, cutter=False, overheated=False, broken=False, offline=False)
            assert (await anext(faults)).code == ""
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert len(it.far.paper.slips) == 1
        assert not it.far.paper.strange


@of_port(TicketPrinter)
async def test_a_printer_prints_slips_one_at_a_time_on_its_columns(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as printer:
        assert printer.columns >= 24
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            slips = [tasks.create_task(printer.print_slip(SLIP)) for _ in range(3)]
        assert [slip.result() for slip in slips] == [Outcome.PRINTED] * 3
        assert [read(slip.text) for slip in it.far.paper.slips] == [READ] * 3


@of_port(TicketPrinter)
async def test_a_printer_cancelled_in_the_middle_of_a_slip_lets_go(name: str, build: Build, tmp_path: Path) -> None:
    async def session() -> None:
        async with it.opened() as printer:
            await printer.print_slip(SLIP)

    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        it.far.paper.set(slow=200.0)
        async with asyncio.timeout(GONE_S), asyncio.TaskGroup() as tasks:
            printing = tasks.create_task(session())
            await it.far.paper.half_out()
            printing.cancel()
        await it.far.unplug()  # what is in the printer's own buffer is not ours to take back
        it.far.paper.set(slow=None)
        await it.far.plug()
        await it.is_whole()
        await before.is_back()


# -- displays


@of_port(CallDisplay)
async def test_a_display_shows_the_newest_face_whole_and_the_same_one_again(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as display:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            for number in range(1, 8):
                tasks.create_task(display.show(Face(number=f"A{number:03}", counter=number)))
        await it.far.shows(Face(number="A007", counter=7))
        for _ in range(2):
            it.far.forget()
            await display.show(FACE)
            await it.far.shows(FACE)


@of_port(CallDisplay)
async def test_a_display_that_takes_nothing_is_an_error_in_time_and_lets_go(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        with pytest.raises(DeviceError) as caught:
            async with asyncio.timeout(GONE_S), it.opened() as display:
                await it.prove(display)
                it.far.jam()
                await show_until_gone(display)
        assert caught.value.code == "timeout"
        it.far.release()
        await it.is_whole()
        await before.is_back()


# -- announcers


@of_port(Announcer)
async def test_an_announcer_says_one_sentence_at_a_time_in_order(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as announcer:
        sentences = [f"Loket {word}." for word in ("satu", "dua", "tiga")]
        async with asyncio.TaskGroup() as tasks:
            for sentence in sentences:
                tasks.create_task(announcer.say(sentence))
        played = it.far.recorder.played()
        assert [one.text for one in played] == sentences
        assert all(before.ended <= after.began for before, after in pairwise(played))


@of_port(Announcer)
async def test_an_announcer_takes_a_sentence_without_digits_and_nothing_else(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as announcer:
        for text in ("", "A" * 301, "Nomor A012.", "Loket\nsatu", "caf\u00e9"):
            with pytest.raises(ValueError, match="a voice is given"):
                await announcer.say(text)
        await announcer.say(SENTENCE, chime=True)
        assert it.far.recorder.texts == [SENTENCE]


@of_port(Announcer)
@pytest.mark.parametrize(
    ("words", "code"), [("Device or resource busy", "busy"), ("Permission denied", "permission"), ("Input/output error", "io")]
)
async def test_an_announcer_that_is_not_heard_says_why(name: str, build: Build, tmp_path: Path, words: str, code: str) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as announcer:
        it.far.recorder.set(error=words)
        with pytest.raises(DeviceError) as caught:
            await announcer.say(SENTENCE)
        assert caught.value.code == code
        it.far.recorder.set()
        await it.prove(announcer)


@of_port(Announcer)
async def test_an_announcer_that_is_cancelled_falls_silent(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as announcer:
        await it.prove(announcer)
        before = len(it.far.recorder.lines())
        it.far.recorder.set(hang=True)
        async with asyncio.timeout(GONE_S), asyncio.TaskGroup() as tasks:
            saying = tasks.create_task(announcer.say(SENTENCE))
            await until(lambda: it.far.recorder.lines(before))
            saying.cancel()
        await ended(it.far.recorder.lines(before)[0]["begin"]["pid"])
        it.far.recorder.set()
        await it.prove(announcer)
