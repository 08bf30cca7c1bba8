"""The ESC/POS driver against the simulated printer, over a pty and over TCP."""

import asyncio
import logging
import os
import pty
import string
import sys
import threading
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import Align, Fault, Outcome, Qr, Slip, Text
from kiosd_drivers import _wires
from kiosd_drivers._escpos_encoder import Paper, encode, safe_text
from kiosd_drivers._escpos_status import QUESTIONS, STATUS_BITS, fault_of, is_mark, is_status
from kiosd_drivers.escpos_printer import DRIVER, Config, EscposPrinter
from kiosd_sim.escpos import Line, Parser, Raster
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp

SLIP = Slip(
    "CTH01-20260701-D005",
    (
        Text("KIOS SIAPkerja", bold=True),
        Text("D005", size=6, bold=True),
        Text("Rabu, 1 Juli 2026", align=Align.LEFT),
        Qr("CTH01-20260701-D005"),
        Text("Terima kasih"),
    ),
)
READ = ["KIOS SIAPkerja", "D005", "Rabu, 1 Juli 2026", "[QR CTH01-20260701-D005]", "", "Terima kasih"]


def read(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n")]


@pytest.fixture(params=["pty", "tcp"])
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimPrinter]:
    async with sim_printer_pty(tmp_path / "printer") if request.param == "pty" else sim_printer_tcp() as it:
        yield it


@asynccontextmanager
async def opened(port: str, **settings: object) -> AsyncIterator[EscposPrinter]:
    """The driver at ``port`` with deadlines for tests; whatever happens ends within ten seconds."""
    config = Config.model_validate({"port": port, "poll_s": 0.02, "answer_s": 0.2, "write_s": 1.0, **settings})
    async with asyncio.timeout(10), DRIVER.open(config) as printer:
        yield printer


async def first(printer: EscposPrinter, code: str) -> Fault:
    """The first fault with ``code``."""
    async for fault in printer.watch():
        if fault.code == code:
            return fault
    raise AssertionError("watch never ends by itself")


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
            while not far.printing:
                await asyncio.sleep(0.01)
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
            while not far.printing:
                await asyncio.sleep(0.01)
            far.set(paper="out")
        assert ticket.result() is Outcome.UNCERTAIN
        with pytest.raises(DeviceError, match="did not say"):
            await printer.print_slip(SLIP)
    assert len(far.slips) == 1


async def test_a_slow_printer_is_waited_for(far: SimPrinter) -> None:
    far.set(slow=2000.0)
    async with opened(far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED


@pytest.mark.parametrize(("confirm", "outcome"), [(True, Outcome.UNCERTAIN), (False, Outcome.PRINTED)])
async def test_a_silent_clone_prints_and_is_asked_once(far: SimPrinter, confirm: bool, outcome: Outcome) -> None:
    far.set(silent=True)
    async with opened(far.port, confirm=confirm, answer_s=0.3) as printer:
        assert await printer.print_slip(SLIP) is outcome
        began = asyncio.get_running_loop().time()
        assert await printer.print_slip(SLIP) is outcome
        assert asyncio.get_running_loop().time() - began < 0.3
        for _ in range(2):
            assert read((await far.next_slip()).text) == READ


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


@given(st.text(max_size=200))
def test_no_control_byte_reaches_the_printer_from_a_text(text: str) -> None:
    assert set(safe_text(text)) <= set(string.ascii_letters + string.digits + string.punctuation + " ")
    plain = encode(Slip("x", (Text(text, size=2),)), Paper(32, True, None, "native"))
    begin = plain.index(b"\x1bt\x00") + 3  # the code page, then the text
    assert all(byte >= 0x20 for byte in plain[begin : plain.index(b"\n")])
    lines = [item for item in Parser(32).feed(plain) if isinstance(item, Line)]
    assert len(lines) == 1 and len(lines[0].text) <= 16


async def test_nobody_there(tmp_path: Path, unused_tcp_port: int) -> None:
    for port in (str(tmp_path / "lp0"), f"tcp:127.0.0.1:{unused_tcp_port}"):
        with pytest.raises(DeviceError) as error:
            async with opened(port):
                pass
        assert error.value.code == "absent"
        assert port in str(error.value)
    assert not list(tmp_path.iterdir())  # no file was created that would swallow tickets


async def test_a_regular_file_is_not_a_printer(tmp_path: Path) -> None:
    (tmp_path / "lp0").write_bytes(b"")
    with pytest.raises(DeviceError, match="not a character device"):
        async with opened(str(tmp_path / "lp0")):
            pass
    with pytest.raises(DeviceError, match="not a character device"):
        _wires.open_usblp(str(tmp_path / "lp0"))
    assert (tmp_path / "lp0").read_bytes() == b""


async def test_a_line_that_another_program_holds(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "printer") as far, opened(far.port):
        with pytest.raises(DeviceError) as error:
            async with opened(far.port):
                pass
        assert error.value.code == "busy"


def test_a_forbidden_device_names_the_group_to_join() -> None:
    error = _wires.device_error("/dev/null", PermissionError(13, "Permission denied"))
    assert error.code == "permission"
    assert "must be in group" in str(error)


async def test_the_usblp_wire_on_a_character_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pty stands in for /dev/usb/lp0: same file operations, no printer ioctl."""
    async with sim_printer_pty(tmp_path / "printer") as far:
        monkeypatch.setattr(_wires, "USBLP_MAJORS", {os.major(Path(far.port).stat().st_rdev)})
        async with opened(far.port) as printer:
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            far.set(paper="out")
            assert (await first(printer, "paper_out")).detail == "the paper is out"
            await far.unplug()
            with pytest.raises(DeviceError) as error:
                await first(printer, "never")
            assert error.value.code == "absent"
    assert [read(slip.text) for slip in far.slips] == [READ]


@asynccontextmanager
async def stuck_line() -> AsyncIterator[str]:
    """A serial line whose far end takes no bytes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


async def test_a_line_that_takes_no_bytes_ends_in_uncertain_not_in_a_hang() -> None:
    long = Slip("x", tuple(Text("0123456789" * 3) for _ in range(2000)))
    async with stuck_line() as port, opened(port, status=False, confirm=False, write_s=0.3) as printer:
        assert await printer.print_slip(long) is Outcome.UNCERTAIN
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(long)
        assert error.value.code == "timeout"


async def test_closing_does_not_wait_for_a_stuck_ticket() -> None:
    long = Slip("x", tuple(Text("0123456789" * 3) for _ in range(2000)))
    loop = asyncio.get_running_loop()
    async with stuck_line() as port:
        with pytest.raises(TimeoutError):
            async with opened(port, status=False, confirm=False, write_s=30.0) as printer:
                async with asyncio.timeout(0.3):
                    await printer.print_slip(long)
        began = loop.time()
        async with opened(port, status=False):  # the line is free again: nothing still holds it
            pass
        assert loop.time() - began < 2.0


def test_the_status_bits_in_order_of_what_a_person_must_do() -> None:
    well = dict.fromkeys(QUESTIONS, 0x12)
    assert fault_of(well).code == ""
    for bit in STATUS_BITS:
        for single in (1 << n for n in range(8) if bit.mask >> n & 1):  # any bit of the mask: clones set only one of a pair
            assert fault_of({**well, bit.question: 0x12 | single}).code == bit.code
    assert fault_of({1: 0x1A, 2: 0x36, 3: 0x1A, 4: 0x7E}).code == "paper_out"


def test_answers_are_told_apart_by_their_fixed_bits() -> None:
    assert all(is_status(byte) and not is_mark(byte) for byte in (0x12, 0x16, 0x1A, 0x32, 0x7E))
    assert all(is_mark(byte) and not is_status(byte) for byte in (0x00, 0x03, 0x0C))
    assert not any(is_mark(byte) or is_status(byte) for byte in (0x11, 0x13))  # XON, XOFF


@asynccontextmanager
async def chatty_printer(answers: list[bytes]) -> AsyncIterator[str]:
    """A printer on TCP that gives these answers, one for each question, whatever the question."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while left and await reader.read(4096):
            writer.write(left.pop(0))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield "tcp:127.0.0.1:%d" % server.sockets[0].getsockname()[1]


async def test_an_automatic_report_is_not_taken_for_printed() -> None:
    report = b"\x18\x00\x0c\x0f"  # offline, paper out: what a printer says by itself when the paper ends in a ticket
    well = [b"\x12", b"\x11\x12", b"\x12", b"\x13\x12", b"\x00"]
    async with chatty_printer([*well, report]) as port, opened(port, confirm_s=0.3) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": "lp0"},
        {"port": "tcp:host"},
        {"port": "/dev/lp0\n"},
        {"port": "/dev/lp0", "columns": 2},
        {"port": "/dev/lp0", "speed": 9600},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(wrong)


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
