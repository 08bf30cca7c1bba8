"""The simulated far sides: a serial port that can be plugged, and a board that can be read."""

import asyncio
import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kiosd_sim.board import Screen, SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.ledmatrix import MatrixScreen
from kiosd_sim.numeralboard import FrameScreen, ModbusScreen
from kiosd_sim.pictures import RED, VFD
from kiosd_sim.serialport import SerialPort

CALL = b"\x1b@\x0c\x1bQANOMOR D005          \r\x1bQBLOKET 4             \r"


def test_what_a_cd5220_screen_does_not_know_is_garbage() -> None:
    screen = CustomerDisplay("cd5220")
    screen.feed(b"\x1bQC?\r" + CALL)
    assert screen.lines == ("NOMOR D005", "LOKET 4")
    assert screen.garbage == b"\x1bQC?\r"


def test_clear_clears() -> None:
    screen = CustomerDisplay("cd5220")
    screen.feed(CALL + b"\x0c")
    assert screen.lines == ("", "")


def test_a_frame_screen_refuses_a_wrong_sum_and_finds_the_next_frame() -> None:
    screen = FrameScreen("{counter:u8} {digits:u16} {sum8}")
    screen.feed(bytes.fromhex("0503E7EE 0503E7EF"))
    assert screen.lines == ("5", "999") and screen.garbage == bytes.fromhex("0503E7EE")


EPSON = b"\x1b@\x0c\x1f\x01\x1fX\x02\x1f$\x01\x01NOMOR D005\x1f$\x07\x02LOKET 4"
DSP800 = b"\x04\x01C\x31\x58\x17\x04\x01P\x31\x17NOMOR D005\x04\x01P\x4b\x17LOKET 4"
SPLIT = {"cd5220": (CALL, ("NOMOR D005", "LOKET 4")), "epson": (EPSON, ("NOMOR D005", "      LOKET 4")),
         "dsp800": (DSP800, ("NOMOR D005", "      LOKET 4"))}  # fmt: skip


@given(name=st.sampled_from(sorted(SPLIT)), cuts=st.lists(st.integers(0, 70), max_size=6))
def test_a_customer_display_reads_commands_however_they_are_split(name: str, cuts: list[int]) -> None:
    sent, shown = SPLIT[name]
    screen = CustomerDisplay(name)
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    for a, b in pairwise(edges):
        screen.feed(sent[a:b])
    assert screen.lines == shown and screen.garbage == b""


@given(name=st.sampled_from(sorted(SPLIT)), noise=st.binary(max_size=60))
def test_noise_is_garbage_and_the_display_goes_on(name: str, noise: bytes) -> None:
    screen = CustomerDisplay(name)
    screen.feed(noise + b"\xff" * 25)
    before = len(screen.garbage)
    screen.feed(SPLIT[name][0])
    assert before >= 1 and screen.lines == (SPLIT[name][1] if name != "dsp800" else screen.lines)


def test_a_dsp800_answers_and_the_others_do_not() -> None:
    assert CustomerDisplay("dsp800").feed(DSP800) == b"\x06" * 3
    assert CustomerDisplay("dsp800").feed(b"\x04\x01Q") == b"\x15" * 2
    assert CustomerDisplay("epson").feed(EPSON) == CustomerDisplay("cd5220").feed(CALL) == b""


def test_text_that_runs_over_the_end_goes_on_at_the_beginning() -> None:
    screen = CustomerDisplay("epson")
    screen.feed(b"\x1f$\x14\x02XYZ")
    assert screen.lines == ("YZ", " " * 19 + "X")


PICTURES: dict[str, tuple[Screen, bytes, tuple[int, int, int], tuple[int, int]]] = {
    "customer": (CustomerDisplay("cd5220"), CALL, VFD, (768, 160)),
    "numerals": (FrameScreen("{digits:4}"), b"A012", RED, (464, 216)),
    "text": (FrameScreen("{message:12}"), b"Antrean No.1", VFD, (480, 104)),
    "modbus": (ModbusScreen(17, 1), bytes.fromhex("1106000100039A9B"), RED, (152, 216)),
    "matrix": (MatrixScreen(1), bytes([0x0C, 1, 0x0B, 7, 1, 0xFF]), RED, (176, 176)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_board_looks_like_one(tmp_path: Path, name: str) -> None:
    screen, sent, colour, size = PICTURES[name]
    screen.forget()
    for dark in (True, False):
        screen.picture().save(tmp_path / "board.png")
        with Image.open(tmp_path / "board.png") as image:
            colours = {found for _, found in image.convert("RGB").getcolors(1 << 20) or ()}
        if name != "modbus":  # which shows 0 at once
            assert (colour in colours) is not dark
        screen.feed(sent)
    assert image.size == size and not screen.garbage


async def test_a_board_remembers_and_draws_what_it_showed(tmp_path: Path) -> None:
    board = SimBoard(tmp_path / "board", CustomerDisplay("cd5220"))
    with board.port.plugged():
        near = os.open(board.port.link, os.O_RDWR | os.O_NOCTTY)
        os.write(near, CALL)
        assert await board.shows(lambda lines: lines[1] == "LOKET 4") == ("NOMOR D005", "LOKET 4")
        os.close(near)
    assert board.history[-1] == ("NOMOR D005", "LOKET 4")
    board.save_png(tmp_path / "board.png")
    with Image.open(tmp_path / "board.png") as image:
        assert image.size == (768, 160)


async def test_waiting_for_what_never_comes_ends(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await SimBoard(tmp_path / "board", CustomerDisplay("cd5220")).shows(lambda lines: lines[0] == "never", timeout_s=0.01)


async def test_a_port_is_at_the_same_name_after_every_plug(tmp_path: Path) -> None:
    port = SerialPort(tmp_path / "port")
    for _ in range(3):
        port.plug()
        port.plug()
        near = os.open(port.link, os.O_RDWR | os.O_NOCTTY)
        await port.write(b"raw \x03\x04\x13\r\n")
        assert os.read(near, 100) == b"raw \x03\x04\x13\r\n"
        port.unplug()
        port.unplug()
        assert not port.link.exists() and os.read(near, 1) == b""
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            os.write(near, b"x")
        os.close(near)


async def test_a_write_that_waits_for_room_fails_when_the_plug_is_pulled(tmp_path: Path) -> None:
    port = SerialPort(tmp_path / "port")
    with port.plugged():
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(_fails(port, bytes(1_000_000)))
            await asyncio.sleep(0)
            assert not writing.done()
            port.unplug()


async def _fails(port: SerialPort, data: bytes) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        await port.write(data)
