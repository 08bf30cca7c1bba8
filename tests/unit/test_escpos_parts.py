"""The parts of the ESC/POS driver: its wires, its bytes, and what it makes of the printer's answers."""

import asyncio
import os
import pty
import string
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import Outcome, Slip, Text, safe_text
from kiosd_drivers import _wires
from kiosd_drivers._escpos_encoder import Paper, encode
from kiosd_drivers._escpos_status import QUESTIONS, STATUS_BITS, fault_of, is_mark, is_status
from kiosd_drivers.escpos_printer import Config
from kiosd_sim.escpos import Line, Parser
from kiosd_sim.printer import sim_printer_pty
from support.printers import READ, SLIP, first, opened, read


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
        async with opened(port, status=False, confirm=False, write_s=30.0) as printer:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    assert await printer.print_slip(long) is None  # it is given up before it says anything
        began = loop.time()
        async with opened(port, status=False):  # the line is free again: nothing still holds it
            pass
        assert loop.time() - began < 2.0


def test_the_status_bits_in_order_of_what_a_person_must_do() -> None:
    well: dict[int, int] = dict.fromkeys(QUESTIONS, 0x12)
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
        yield f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"


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
