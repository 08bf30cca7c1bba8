"""The LED matrix: what luma writes to the SPI device, as chips see it."""

import asyncio
import builtins
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from luma.core.legacy import text as luma_text
from luma.core.legacy.font import LCD_FONT, proportional
from PIL import Image, ImageDraw

from kiosd.errors import DeviceError
from kiosd.ports import Face
from kiosd_drivers import max7219_display
from kiosd_drivers._matrix import drawn, window
from kiosd_drivers.max7219_display import DRIVER, Config, text
from kiosd_sim.board import SimBoard
from kiosd_sim.ledmatrix import MatrixScreen
from support.driverbench import Footprint

CALL = Face(number="A012", counter=3)


def rows(shown: str, width: int = 32, left: int = 0) -> tuple[str, ...]:
    """``shown`` in luma's letters as rows of dots, without the driver."""
    image = Image.new("1", (width, 8))
    luma_text(ImageDraw.Draw(image), (-left, 0), shown, fill="white", font=proportional(LCD_FONT))
    return tuple("".join("#" if image.getpixel((x, y)) else " " for x in range(width)).rstrip() for y in range(8))


@asynccontextmanager
async def strip(directory: Path, chips: int = 4, *wiring: Any) -> AsyncIterator[SimBoard]:
    board = SimBoard(directory / "spidev", MatrixScreen(chips, *(wiring or (-90,))))
    with board.port.plugged():
        yield board


def at(board: SimBoard, **changes: Any) -> Config:
    return Config.model_validate({"port": str(board.port.link), **changes})


@pytest.mark.parametrize("orientation", [0, 90, -90, 180])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("upside_down", [False, True])
async def test_a_number_can_be_read_however_the_strip_is_made(tmp_path: Path, orientation: int, reverse: bool, upside_down: bool) -> None:
    turned = {"orientation": orientation, "reverse": reverse, "upside_down": upside_down}
    async with strip(tmp_path, 4, orientation, reverse, upside_down) as board, DRIVER.open(at(board, **turned)) as display:
        await display.show(CALL)
        await board.shows(lambda lines: lines == rows("A012"))
    assert not board.screen.garbage


async def test_brightness_and_counter_are_as_configured(tmp_path: Path) -> None:
    async with strip(tmp_path, 6) as board, DRIVER.open(at(board, chips=6, brightness=9, show_counter=True)) as display:
        await display.show(CALL)
        await board.shows(lambda lines: lines == rows("A012 3", 48))
        assert isinstance(board.screen, MatrixScreen) and board.screen.brightness == {9}


async def test_a_message_that_is_too_wide_moves_and_a_number_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(max7219_display, "REST_S", 0.01)
    monkeypatch.setattr(max7219_display, "STEP_S", 0.001)
    async with strip(tmp_path) as board, DRIVER.open(at(board)) as display:
        await display.show(Face(message="Silakan ambil nomor"))
        wide = drawn("Silakan ambil nomor").width
        for left in (0, 5, wide - 20, -20, 0):  # begins, moves, ends, comes in again
            await board.shows(lambda lines, left=left: lines == rows("Silakan ambil nomor", left=left))  # type: ignore[misc]
        await display.show(CALL)
        await board.shows(lambda lines: lines == rows("A012"))
        board.history.clear()
        await display.show(CALL)
        assert not board.history
    assert not board.screen.garbage


async def test_a_message_that_is_told_again_goes_on_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(max7219_display, "REST_S", 0.01)
    monkeypatch.setattr(max7219_display, "STEP_S", 0.01)
    async with strip(tmp_path) as board, DRIVER.open(at(board)) as display:
        await display.show(Face(message="Silakan ambil nomor"))
        await board.shows(lambda lines: lines == rows("Silakan ambil nomor", left=10))
        board.history.clear()
        await display.show(Face(message="Silakan ambil nomor"))
        await board.shows(lambda lines: lines == rows("Silakan ambil nomor", left=14))
        assert rows("Silakan ambil nomor") not in board.history


async def test_chips_that_lost_their_power_are_woken(tmp_path: Path) -> None:
    async with strip(tmp_path) as board, DRIVER.open(at(board)) as display:
        for _ in range(2):
            board.screen.forget()
            assert not any(board.lines)
            await display.show(CALL)
            await board.shows(lambda lines: lines == rows("A012"))


async def test_what_is_no_spi_device_is_told_so(tmp_path: Path) -> None:
    before = Footprint()
    far, near = os.openpty()
    for path, code in ((os.ttyname(near), "unsupported"), (str(tmp_path / "none"), "absent"), (str(tmp_path), "io")):
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(Config(port=path)):
                pass
        assert caught.value.code == code, path
    os.close(far)
    os.close(near)
    await before.is_back()


async def test_without_luma_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_luma(name: str, *rest: Any) -> Any:
        if name.startswith("luma"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    async with strip(tmp_path) as board:
        monkeypatch.setattr(builtins, "__import__", without_luma)
        with pytest.raises(DeviceError, match=r"kiosd\[matrix\]") as caught:
            async with DRIVER.open(at(board)):
                pass
        monkeypatch.undo()
    assert caught.value.code == "missing"


async def test_a_strip_that_goes_while_a_message_moves_is_told_to_the_next_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(max7219_display, "REST_S", 0.01)
    before = Footprint()
    async with strip(tmp_path) as board:
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(at(board)) as display:
                await display.show(Face(message="Silakan ambil nomor"))
                board.port.unplug()
                async with asyncio.timeout(10):
                    while True:  # it is on its way, so nothing is drawn for it
                        await display.show(Face(message="Silakan ambil nomor"))
                        await asyncio.sleep(0.001)
        assert caught.value.code == "absent"
        board.port.plug()
        async with DRIVER.open(at(board)) as display:
            await display.show(CALL)
            await board.shows(lambda lines: lines == rows("A012"))
    await before.is_back()


@given(message=st.text(max_size=30), number=st.sampled_from(["", "A001", "C1000"]), counter=st.none() | st.integers(1, 99))
def test_any_face_can_be_drawn(message: str, number: str, counter: int | None) -> None:
    shown = text(Face(number, counter, message), show_counter=True)
    assert shown.isascii() and (not shown or shown.isprintable())
    assert window(drawn(shown), 32, -5).size == (32, 8)
    assert not number or shown == (number if counter is None else f"{number} {counter}")


@pytest.mark.parametrize("wrong", [{"chips": 0}, {"chips": 17}, {"orientation": 45}, {"brightness": 16}, {"speed_hz": 20_000_000}])
def test_a_wrong_configuration_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config.model_validate({"port": "/dev/spidev0.0", **wrong})
