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

from kiosd_sim.board import Cd5220Screen, FrameScreen, SimBoard
from kiosd_sim.serialport import SerialPort

CALL = b"\x1b@\x0c\x1bQANOMOR D005          \r\x1bQBLOKET 4             \r"


@given(cuts=st.lists(st.integers(0, len(CALL)), max_size=6))
def test_a_cd5220_screen_reads_commands_however_they_are_split(cuts: list[int]) -> None:
    screen = Cd5220Screen()
    edges = [0, *sorted(cuts), len(CALL)]
    for a, b in pairwise(edges):
        screen.feed(CALL[a:b])
    assert screen.lines == ("NOMOR D005", "LOKET 4") and screen.garbage == b""


def test_what_a_cd5220_screen_does_not_know_is_garbage() -> None:
    screen = Cd5220Screen()
    screen.feed(b"\x1bQC?\r" + CALL)
    assert screen.lines == ("NOMOR D005", "LOKET 4")
    assert screen.garbage == b"\x1bQC?\r"


def test_clear_clears() -> None:
    screen = Cd5220Screen()
    screen.feed(CALL + b"\x0c")
    assert screen.lines == ("", "")


def test_a_frame_screen_refuses_a_wrong_sum_and_finds_the_next_frame() -> None:
    screen = FrameScreen("{counter:u8} {digits:u16} {sum8}")
    screen.feed(bytes.fromhex("0503E7EE 0503E7EF"))
    assert screen.lines == ("5", "999") and screen.garbage == bytes.fromhex("0503E7EE")


async def test_a_board_remembers_and_draws_what_it_showed(tmp_path: Path) -> None:
    board = SimBoard(tmp_path / "board", Cd5220Screen())
    with board.port.plugged():
        near = os.open(board.port.link, os.O_RDWR | os.O_NOCTTY)
        os.write(near, CALL)
        assert await board.shows(lambda lines: lines[1] == "LOKET 4") == ("NOMOR D005", "LOKET 4")
        os.close(near)
    assert board.history[-1] == ("NOMOR D005", "LOKET 4")
    board.save_png(tmp_path / "board.png")
    with Image.open(tmp_path / "board.png") as image:
        colours = image.convert("RGB").getcolors(1 << 20)
    assert colours is not None and (90, 255, 190) in {colour for _, colour in colours}


async def test_waiting_for_what_never_comes_ends(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await SimBoard(tmp_path / "board", Cd5220Screen()).shows(lambda lines: lines[0] == "never", timeout_s=0.01)


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
