"""The serial display: its two languages by themselves, and the driver over a pty to a board that decodes them."""

import asyncio
import operator
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, Face
from kiosd_drivers._faces import Frame, cd5220, plain
from kiosd_drivers.serial_display import DRIVER, Config
from kiosd_sim.board import Cd5220Screen, FrameScreen, SimBoard
from support.devices import open_files

TEMPLATE = "02 {counter:2} {digits:4} {sum8} 03"
CALL = Face(number="D005", counter=4, attention=True)


def frame(template: str, face: Face = CALL) -> bytes:
    return Frame.parse(template).encode(face)


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        (TEMPLATE, b"\x02040005" + bytes([(2 + sum(b"040005")) & 0xFF]) + b"\x03"),
        ("{counter:u8} {digits:u16} {sum8}", bytes([4, 0, 5, 9])),
        ('"#" {number:5} "N"', b"#D005 N"),
        ("02 {digits:3} {xor8@1} 03", b"\x02005" + bytes([0x30 ^ 0x30 ^ 0x35]) + b"\x03"),
        ("fe FF {counter:u16} {number:2}", b"\xfe\xff\x00\x04--"),
        ("{message:4} {digits:4}", b"    0005"),
    ],
)
def test_a_frame_is_what_its_template_says(template: str, sent: bytes) -> None:
    assert frame(template) == sent


def test_the_example_of_a_known_board() -> None:
    """Hardware section 4: "05 03 E7 EF" shows 999 on board 5."""
    assert frame("{counter:u8} {digits:u16} {sum8}", Face(number="A999", counter=5)) == bytes.fromhex("0503E7EF")


@pytest.mark.parametrize(
    ("face", "sent"),
    [
        (Face(number="A1000", counter=12), b"121000"),
        (Face(number="A012"), b"  0012"),
        (Face(message="TUTUP"), b"      "),
        (Face(number="A12345", counter=100), b"------"),
    ],
)
def test_nothing_and_too_much_are_never_another_number(face: Face, sent: bytes) -> None:
    assert frame("{counter:2} {digits:4}", face) == sent
    assert frame("{counter:u8}", Face(counter=256)) == b"\0"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("02 03", "shows something"),
        ("", "shows something"),
        ("2 {digits:4}", "'2' is no word"),
        ("0203 {digits:4}", "'0203' is no word"),
        ("{digits}", "'{digits}' is no word"),
        ("{digits:0}", "is no word"),
        ("{colour:4}", "is no word"),
        ("{digits:u8}", "binary form"),
        ("{message:u16}", "possible: none"),
        ("{sum8} {digits:4}", "nothing before it"),
        ("02 {sum8@1} {digits:4}", "nothing before it"),
        ("{crc99} {digits:4}", "is no word"),
        ('"A {digits:4}', "is no word"),
        ('"" {digits:4}', "is no word"),
        ('"\u00e9" {digits:4}', "is no word"),
        ("{digits:4", "is no word"),
        ("{message:99} {message:99} {message:99}", "at most 255"),
    ],
)
def test_a_wrong_template_is_refused_when_the_configuration_is_read(template: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(port="/dev/x", protocol="frame", frame=template)
    assert says in str(caught.value)


@pytest.mark.parametrize("wrong", [{"protocol": "frame"}, {"protocol": "cd5220", "frame": TEMPLATE}, {"protocol": "dsp800"}, {}])
def test_a_wrong_configuration_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"port": "/dev/x", **wrong})


FACES = st.builds(Face, number=st.text(max_size=8), counter=st.none() | st.integers(0, 999), message=st.text(max_size=60))


@given(face=FACES)
def test_no_text_of_a_face_can_be_a_control_code(face: Face) -> None:
    screen = Cd5220Screen()
    screen.feed(cd5220(face, "NOMOR", "LOKET"))
    assert screen.garbage == b"" and len(cd5220(face, "NOMOR", "LOKET")) == 48
    board = FrameScreen('"<" {number:6} {counter:2} {message:20} {digits:u16} {xor8} ">"')
    board.feed(frame('"<" {number:6} {counter:2} {message:20} {digits:u16} {xor8} ">"', face))
    assert board.garbage == b"" and len(board.lines) == 4


def test_accents_go_and_what_no_display_has_is_a_question_mark() -> None:
    assert plain("Caf\u00e9 \u20ac5\x1b@\n") == "Cafe ?5 @ "


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[SimBoard]:
    board = SimBoard(tmp_path / "board", Cd5220Screen())
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
        async with DRIVER.open(Config(port=str(board.port.link), protocol="frame", frame=TEMPLATE)) as display:
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
        display_config = Config(port=os.ttyname(near), protocol="cd5220", write_timeout_s=0.1)
        async with DRIVER.open(display_config) as display:
            with pytest.raises(DeviceError) as caught:
                await show_for_ever(display)
        assert caught.value.code == "timeout"
    finally:
        os.close(far)
        os.close(near)


async def test_a_port_that_is_in_use_is_busy(board: SimBoard) -> None:
    async with DRIVER.open(config(board)):
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(config(board)):
                pass
    assert caught.value.code == "busy"


async def test_leaving_closes_the_port(board: SimBoard) -> None:
    before = open_files()
    for _ in range(3):
        async with DRIVER.open(config(board)) as display:
            await display.show(CALL)
    assert open_files() == before
