"""The serial display: the driver over a pty to a board that decodes what it is sent."""

import asyncio
import operator
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import serial
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, Face
from kiosd_drivers.serial_display import DRIVER, Config
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.numeralboard import FrameScreen
from support.devices import open_files

TEMPLATE = "02 {counter:2} {digits:4} {sum8} 03"
CALL = Face(number="D005", counter=4, attention=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"protocol": "noritake"},
        {"protocol": "frame"},
        {"protocol": "cd5220", "frame": TEMPLATE},
        {"protocol": "cd5220", "letters": "drop"},
        {"protocol": "cd5220", "brightness": 5},
        {"protocol": "dsp800", "brightness": 3},
        {"protocol": "frame", "frame": TEMPLATE, "letters": "drop", "brightness": 3},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"port": "/dev/x", **wrong})


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[SimBoard]:
    board = SimBoard(tmp_path / "board", CustomerDisplay("cd5220"))
    with board.port.plugged():
        yield board


def config(board: SimBoard, write_timeout_s: float = 1.0) -> Config:
    return Config(port=str(board.port.link), protocol="cd5220", write_timeout_s=write_timeout_s)


async def test_a_call_is_two_lines(board: SimBoard) -> None:
    async with DRIVER.open(config(board)) as display:
        await display.show(CALL)
        await board.shows(lambda lines: lines == ("NOMOR D005", "LOKET 4"))
        await display.show(Face(number="A1000"))
        await board.shows(lambda lines: lines == ("NOMOR A1000", ""))
    assert board.screen.garbage == b""


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("Istirahat. Buka kembali pukul 13.00 WITA.", ("Istirahat. Buka", "kembali pukul...")),
        ("Tidak ada antrean.", ("Tidak ada antrean.", "")),
        ("X" * 30, ("X" * 20, "X" * 10)),
        ("", ("", "")),
    ],
)
async def test_a_message_is_wrapped_over_both_lines(board: SimBoard, message: str, lines: tuple[str, str]) -> None:
    async with DRIVER.open(config(board)) as display:
        await display.show(CALL)
        await display.show(Face(message=message))
        await board.shows(lambda shown: shown == lines)


async def test_a_frame_board_shows_the_digits_and_the_counter(tmp_path: Path) -> None:
    board = SimBoard(tmp_path / "board", FrameScreen(TEMPLATE))
    with board.port.plugged():
        async with DRIVER.open(Config(port=str(board.port.link), protocol="frame", frame=TEMPLATE, letters="drop")) as display:
            await display.show(CALL)
            await board.shows(lambda lines: lines == ("04", "0005"))
    assert board.screen.garbage == b""


async def test_faces_that_waited_give_way_to_the_newest(board: SimBoard) -> None:
    async with DRIVER.open(config(board, write_timeout_s=5.0)) as display:
        board.port.jam()
        async with asyncio.TaskGroup() as tasks:
            for number in range(1, 21):
                tasks.create_task(display.show(Face(number=f"A{number:03}", counter=1)))
            await asyncio.sleep(0)
            board.port.release()
        await board.shows(lambda lines: lines[0] == "NOMOR A020")
    numbers = [lines[0] for lines in board.history if lines[0]]
    assert numbers[-1] == "NOMOR A020" and len(set(numbers)) <= 2


async def test_an_unplugged_display_is_absent_and_works_when_it_is_back(board: SimBoard) -> None:
    for number in ("A001", "A002"):
        expected = (f"NOMOR {number}", "LOKET 1")
        async with DRIVER.open(config(board)) as display:
            await display.show(Face(number=number, counter=1))
            await board.shows(partial(operator.eq, expected))
            board.port.unplug()
            with pytest.raises(DeviceError) as caught:
                await display.show(CALL)
            assert caught.value.code == "absent"
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(config(board)):
                pass
        assert caught.value.code == "absent"
        board.port.plug()


async def test_a_jammed_display_is_an_error_in_bounded_time_and_the_loop_goes_on(board: SimBoard) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        ticking = tasks.create_task(tick())
        async with DRIVER.open(config(board, write_timeout_s=0.1)) as display:
            board.port.jam()
            with pytest.raises(DeviceError) as caught:
                await display.show(CALL)
        ticking.cancel()
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 2.0 and ticks > 5


async def show_for_ever(display: CallDisplay) -> None:
    async with asyncio.timeout(20):
        while True:
            await display.show(Face(message="X" * 40))


async def test_a_display_whose_buffer_is_full_is_an_error_in_bounded_time(tmp_path: Path) -> None:
    """Nobody reads the far side: the kernel takes some faces, and then no more."""
    far, near = os.openpty()
    try:
        display_config = Config(port=os.ttyname(near), protocol="cd5220", write_timeout_s=0.1, baudrate=115200, gap_s=0.0)
        async with DRIVER.open(display_config) as display:
            with pytest.raises(DeviceError) as caught:
                await show_for_ever(display)
        assert caught.value.code == "timeout"
    finally:
        os.close(far)
        os.close(near)


async def test_a_port_that_is_in_use_is_busy(board: SimBoard) -> None:
    with serial.Serial(str(board.port.link), exclusive=True), pytest.raises(DeviceError) as foreign:
        async with DRIVER.open(config(board)):
            pass
    async with DRIVER.open(config(board)):
        with pytest.raises(DeviceError) as ours:
            async with DRIVER.open(config(board)):
                pass
    assert foreign.value.code == ours.value.code == "busy"


async def test_leaving_closes_the_port(board: SimBoard) -> None:
    before = open_files()
    for _ in range(3):
        async with DRIVER.open(config(board)) as display:
            await display.show(CALL)
    assert open_files() == before


@pytest.mark.parametrize("protocol", ["cd5220", "epson"])
async def test_a_display_is_as_bright_as_the_configuration_says(tmp_path: Path, protocol: str) -> None:
    screen = CustomerDisplay(protocol)
    board = SimBoard(tmp_path / "board", screen)
    with board.port.plugged():
        settings = Config.model_validate({"port": str(board.port.link), "protocol": protocol, "brightness": 2})
        async with DRIVER.open(settings) as display:
            await display.show(CALL)
            await board.shows(lambda lines: lines == ("NOMOR D005", "LOKET 4"))
    assert screen.brightness == 2 and not screen.garbage


async def test_a_port_without_an_rs485_mode_is_told_so(board: SimBoard) -> None:
    before = open_files()
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(config(board).model_copy(update={"rs485": True})):
            pass
    assert caught.value.code == "unsupported" and "rs485 = false" in str(caught.value)
    assert open_files() == before
