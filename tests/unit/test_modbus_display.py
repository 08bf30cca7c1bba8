"""The Modbus display: what goes to which register, and the driver over a pty to a display that answers."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import Face
from kiosd_drivers._modbus import Config, registers, runs
from kiosd_drivers.modbus_display import DRIVER
from kiosd_sim.board import SimBoard
from kiosd_sim.numeralboard import ModbusScreen, crc
from support.devices import open_files

CALL = Face(number="A012", counter=4, attention=True)
BASE: dict[str, Any] = {"port": "/dev/x", "address": 7, "number_register": 16, "letters": {"A": 1, "B": 2}}


def config(**changes: Any) -> Config:
    return Config.model_validate(BASE | changes)


@pytest.mark.parametrize(
    ("changes", "face", "written"),
    [
        ({}, CALL, {16: 1012}),
        ({}, Face(), {16: 0}),
        ({"blank": 0xFFFF}, Face(message="TUTUP"), {16: 0xFFFF}),
        ({}, Face(number="C001", counter=1), {16: 0}),  # a letter without a digit
        ({"letters": "drop"}, CALL, {16: 12}),
        ({"number_format": "bcd16"}, CALL, {16: 0x1012}),
        ({"number_format": "u32"}, CALL, {16: 0, 17: 1012}),
        ({"number_format": "u32", "digits": 8, "letters": {"A": 9}}, CALL, {16: 90000012 >> 16, 17: 90000012 & 0xFFFF}),
        ({"number_format": "bcd32", "digits": 6}, CALL, {16: 0x0010, 17: 0x0012}),
        ({"number_format": "bcd32", "digits": 6, "word_order": "low_first"}, CALL, {16: 0x0012, 17: 0x0010}),
        ({"letters": "lamp", "lamp_register": 20}, Face(number="B012"), {16: 12, 20: 2}),
        ({"counter_register": 17, "attention_register": 3}, CALL, {16: 1012, 17: 4, 3: 1}),
        ({"counter_register": 17, "blank": 9}, Face(number="A1000"), {16: 9, 17: 9}),
    ],
)
def test_a_face_is_what_stands_in_the_registers(changes: dict[str, Any], face: Face, written: dict[int, int]) -> None:
    assert registers(config(**changes), face) == written


@given(values=st.dictionaries(st.integers(0, 30), st.integers(0, 0xFFFF), min_size=1), longest=st.integers(1, 6))
def test_neighbouring_registers_are_written_together_and_none_is_lost(values: dict[int, int], longest: int) -> None:
    groups = list(runs(values, longest))
    assert {start + n: value for start, run in groups for n, value in enumerate(run)} == values
    assert sum(len(run) for _, run in groups) == len(values) and max(len(run) for _, run in groups) <= longest


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": 0},
        {"address": 248},
        {"function": 3},
        {"function": 6, "number_format": "u32"},
        {"digits": 5},
        {"number_format": "bcd32", "digits": 9},
        {"counter_register": 16},
        {"number_format": "u32", "counter_register": 17},
        {"number_format": "u32", "number_register": 0xFFFF},
        {"letters": "lamp"},
        {"lamp_register": 5},
        {"letters": None},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


@asynccontextmanager
async def slave(directory: Path, **settings: Any) -> AsyncIterator[SimBoard]:
    board = SimBoard(directory / "display", ModbusScreen(7, 16, **settings))
    with board.port.plugged():
        yield board


def at(board: SimBoard, **changes: Any) -> Config:
    return config(port=str(board.port.link), answer_s=2.0, **changes)


FORMS = [
    ({"function": 6}, {}, "1012"),
    ({"function": 16}, {}, "1012"),
    ({"number_format": "bcd16"}, {"form": "bcd16"}, "1012"),
    ({"number_format": "u32", "digits": 8}, {"form": "u32"}, "10000012"),
    ({"number_format": "bcd32", "digits": 8, "word_order": "low_first"}, {"form": "bcd32", "low_first": True}, "10000012"),
    ({"function": 6, "counter_register": 17}, {"counter": 17}, "4 1012"),
    ({"counter_register": 17, "attention_register": 19}, {"counter": 17}, "4 1012"),
]


@pytest.mark.parametrize(("changes", "settings", "shown"), FORMS, ids=[str(number) for number in range(len(FORMS))])
async def test_a_display_shows_the_number(tmp_path: Path, changes: dict[str, Any], settings: dict[str, Any], shown: str) -> None:
    async with slave(tmp_path, **settings) as board, DRIVER.open(at(board, **changes)) as display:
        await display.show(CALL)
        assert " ".join(board.lines) == shown, "answered, so it stands there already"
        await display.show(Face())
        assert set(" ".join(board.lines)) <= {"0", " "}
    assert not board.screen.garbage


async def test_a_display_that_is_silent_is_not_there_and_comes_when_it_answers(tmp_path: Path) -> None:
    async with slave(tmp_path) as board:
        assert isinstance(board.screen, ModbusScreen)
        before = open_files()
        board.screen.silent = True
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(at(board).model_copy(update={"answer_s": 0.05})):
                pass
        assert caught.value.code == "no_answer" and "address 7" in str(caught.value) and open_files() == before
        board.screen.silent = False
        async with DRIVER.open(at(board)) as display:
            await display.show(CALL)
        assert board.lines == ("1012",)


async def test_an_answer_that_is_wrong_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    async with slave(tmp_path) as board:
        assert isinstance(board.screen, ModbusScreen)
        async with DRIVER.open(at(board)) as display:
            board.screen.wrong = True
            with pytest.raises(DeviceError, match="baudrate") as caught:
                await display.show(CALL)
            assert caught.value.code == "garbled"
            board.screen.wrong = False
            await display.show(CALL)


async def test_a_register_that_the_display_does_not_have_is_refused(tmp_path: Path) -> None:
    async with slave(tmp_path) as board:
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(at(board, number_register=4000)):
                pass
        assert caught.value.code == "refused" and len(str(caught.value)) <= 200


async def test_another_address_is_not_ours(tmp_path: Path) -> None:
    async with slave(tmp_path) as board:
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(at(board, address=8).model_copy(update={"answer_s": 0.05})):
                pass
        assert caught.value.code == "no_answer" and board.lines == ("0",)


def test_the_simulated_display_checks_what_it_gets() -> None:
    """Known frames: "write 3 to register 1" of a manual; one bit wrong; another's frame; a function it does not have."""
    screen = ModbusScreen(17, 1)
    good = bytes.fromhex("1106000100039A9B")
    assert crc(b"123456789") == bytes.fromhex("374B")
    assert screen.feed(good[:3]) == b"" and screen.feed(good[3:]) == good and screen.lines == ("3",)
    assert screen.feed(good[:5] + b"\x07" + good[6:]) == b"" and len(screen.garbage) >= 1 and screen.lines == ("3",)
    screen.forget()
    assert screen.feed(bytes([9]) + good[1:-2] + crc(bytes([9]) + good[1:-2])) == b"" and screen.lines == ("0",)
    read = bytes.fromhex("110300010001")
    assert screen.feed(read + crc(read)) == bytes.fromhex("118301") + crc(bytes.fromhex("118301"))


async def test_a_line_that_takes_nothing_is_down_without_spinning(tmp_path: Path) -> None:
    async with slave(tmp_path) as board:
        settings = at(board, write_timeout_s=1.0)
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(settings) as display:
                await display.show(CALL)
                board.port.jam()
                before = os.times()
                await display.show(Face(number="A013"))
        after = os.times()
        assert caught.value.code == "timeout"
        assert after.user + after.system - before.user - before.system < 0.5, "it waits, it does not spin"
