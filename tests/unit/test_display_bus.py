"""Several displays on one line: one writer, pauses between frames, only the newest face of each, and each may fail alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import serial
from PIL import Image

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, Face
from kiosd_drivers import modbus_display, serial_display
from kiosd_drivers._modbus import Config
from kiosd_sim.board import Screen, SimBus
from kiosd_sim.numeralboard import FrameScreen, ModbusScreen
from support.driverbench import Footprint


class Tap:
    """Somebody on the line who only listens."""

    lines = ()

    def __init__(self) -> None:
        self.garbage, self.heard = bytearray(), bytearray()

    def feed(self, data: bytes) -> bytes:
        self.heard += data
        return b""

    def forget(self) -> None:
        raise NotImplementedError

    def picture(self) -> Image.Image:
        raise NotImplementedError


GAP_S = 0.03
ADDRESSES = (1, 2, 3)


def frame(address: int) -> str:
    return f"02 {address:02X} {{number:5}} {{counter:2}} {{crc16}} 03"


def calls(n: int) -> Face:
    return Face(number=f"A{n:03}", counter=n % 10)


@asynccontextmanager
async def frame_bus(directory: Path, *more: Screen) -> AsyncIterator[SimBus]:
    bus = SimBus(directory / "bus", *(FrameScreen(frame(address)) for address in ADDRESSES), *more)
    with bus.port.plugged():
        yield bus


def opened(bus: SimBus, address: int, **changes: Any) -> Any:
    settings = {"port": str(bus.port.link), "protocol": "frame", "frame": frame(address), "gap_s": GAP_S, "write_timeout_s": 0.2}
    return serial_display.DRIVER.open(serial_display.Config.model_validate(settings | changes))


async def test_each_display_on_the_line_shows_its_own(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus, AsyncExitStack() as stack:
        displays = [await stack.enter_async_context(opened(bus, address)) for address in ADDRESSES]
        async with asyncio.TaskGroup() as tasks:
            for n, display in enumerate(displays, 1):
                tasks.create_task(display.show(calls(n)))
        for n, board in enumerate(bus.boards, 1):
            assert await board.shows(lambda lines, n=n: lines == (f"A{n:03}", f"{n:02}"))  # type: ignore[misc]


async def test_frames_are_whole_and_a_pause_is_between_them(tmp_path: Path) -> None:
    async with frame_bus(tmp_path, tap := Tap()) as bus, AsyncExitStack() as stack:
        displays = [await stack.enter_async_context(opened(bus, address)) for address in ADDRESSES]
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for display in displays:
                for n in range(1, 4):
                    tasks.create_task(display.show(calls(n)))
        took = time.monotonic() - started
        for board in bus.boards[:3]:
            await board.shows(lambda lines: lines == ("A003", "03"))
        frames = [bytes(tap.heard[at : at + 12]) for at in range(0, len(tap.heard), 12)]
        assert all(sent[0] == 2 and sent[-1] == 3 and len(sent) == 12 for sent in frames)
        # The very first face found the line free; all others waited while a newer one came, and were left out.
        assert [(sent[1], sent[2:6]) for sent in frames] == [(1, b"A001"), (1, b"A003"), (2, b"A003"), (3, b"A003")]
        line_s = 12 * 10 / 9600
        assert took >= 3 * (GAP_S + line_s), "four frames, and three pauses after what the line needs for a frame"


async def test_the_port_is_open_while_somebody_uses_it(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus:
        before = Footprint()
        for _ in range(2):
            async with opened(bus, 1) as first:
                async with opened(bus, 2) as second:
                    await second.show(calls(2))
                await first.show(calls(1))
                await bus.boards[0].shows(lambda lines: lines[:1] == ("A001",))
            await before.is_back()


async def test_a_line_that_is_gone_is_gone_for_all_and_back_for_each(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus:
        before = Footprint()
        async with AsyncExitStack() as stack:
            displays = [await stack.enter_async_context(opened(bus, address)) for address in (1, 2)]
            bus.port.unplug()
            for display in displays:
                with pytest.raises(DeviceError) as caught:
                    await display.show(calls(1))
                assert caught.value.code == "absent"
            bus.port.plug()
            async with opened(bus, 1) as again:  # while the other one has not let go of the old line yet
                await again.show(calls(5))
                await bus.boards[0].shows(lambda lines: lines == ("A005", "05"))
                async with opened(bus, 2) as both:
                    await both.show(calls(6))
                    await bus.boards[1].shows(lambda lines: lines == ("A006", "06"))
        await before.is_back()


async def test_a_jammed_line_is_an_error_in_time_for_each_and_works_later(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus, AsyncExitStack() as stack:
        displays = [await stack.enter_async_context(opened(bus, address)) for address in (1, 2)]
        bus.port.jam()
        async with asyncio.timeout(5):
            for display in displays:
                with pytest.raises(DeviceError) as caught:
                    while True:
                        await display.show(calls(1))
                assert caught.value.code == "timeout"
        bus.port.release()
        async with opened(bus, 1) as again:
            await again.show(calls(7))
            await bus.boards[0].shows(lambda lines: lines == ("A007", "07"))


async def test_one_who_gives_up_in_the_queue_for_the_line_does_not_stop_the_others(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus, opened(bus, 1, gap_s=0.1) as first, opened(bus, 2, gap_s=0.1) as second:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first.show(calls(1)))
            waiting = tasks.create_task(second.show(calls(1)))
            await asyncio.sleep(0)
            waiting.cancel()
            tasks.create_task(second.show(calls(2)))
        await bus.boards[1].shows(lambda lines: lines == ("A002", "02"))
        await bus.boards[0].shows(lambda lines: lines == ("A001", "01"))


async def test_other_settings_on_a_line_in_use_are_refused(tmp_path: Path) -> None:
    async with frame_bus(tmp_path) as bus, opened(bus, 1):
        with pytest.raises(DeviceError) as caught:
            async with opened(bus, 2, baudrate=19200):
                pass
        assert caught.value.code == "busy"


# -- Modbus: each display answers for itself


def modbus(bus: SimBus, address: int) -> Any:
    settings = {"port": str(bus.port.link), "address": address, "number_register": 0, "letters": {"A": 1}, "answer_s": 0.3}
    return modbus_display.DRIVER.open(Config.model_validate(settings))


async def test_a_modbus_display_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    screens = [ModbusScreen(address, 0) for address in ADDRESSES]
    bus = SimBus(tmp_path / "bus", *screens)

    async def shows(display: CallDisplay, n: int) -> None:
        for _ in range(20):
            with suppress(DeviceError):  # on a busy machine an answer may be late
                return await display.show(calls(n))
        raise AssertionError("it does not answer")

    with bus.port.plugged():
        async with modbus(bus, 1) as first, modbus(bus, 2) as second, modbus(bus, 3) as third:
            screens[1].silent = True
            with pytest.raises(DeviceError) as caught:
                await second.show(calls(2))
            assert caught.value.code == "no_answer" and "address 2" in str(caught.value)
            await shows(first, 1)
            await shows(third, 3)
            assert (screens[0].lines, screens[2].lines) == (("1001",), ("1003",))
            screens[1].silent = False
            await shows(second, 2)
            assert screens[1].lines == ("1002",)


# -- what the port is told


@pytest.mark.parametrize(("driver", "given", "told"), [
    (serial_display, {"protocol": "cd5220", "flow": "rtscts"}, {"rtscts": True}),
    (serial_display, {"protocol": "cd5220", "flow": "xonxoff", "baudrate": 2400}, {"xonxoff": True, "baudrate": 2400}),
    (serial_display, {"protocol": "frame", "frame": frame(1), "write_timeout_s": 4.0}, {"write_timeout": 4.0}),
    (modbus_display, {"parity": "even", "baudrate": 19200}, {"parity": "E", "baudrate": 19200}),
    (modbus_display, {"stop_bits": 2, "write_timeout_s": 4.0}, {"stopbits": 2, "write_timeout": 4.0}),
])  # fmt: skip
async def test_the_port_is_opened_as_the_display_is_set(
    driver: Any, given: dict[str, Any], told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}
    names = ("port", "baudrate", "bytesize", "parity", "stopbits")

    def heard(*settings: Any, **more: Any) -> None:
        opened.update(zip(names, settings, strict=True), **more)
        raise serial.SerialException("not there")

    monkeypatch.setattr(serial, "Serial", heard)
    needed = {"address": 1, "number_register": 0, "letters": "drop"} if driver is modbus_display else {}
    config = driver.DRIVER.config.model_validate({"port": "/dev/board", **needed, **given})
    with pytest.raises(DeviceError):
        async with driver.DRIVER.open(config):
            pass
    usual = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1, "write_timeout": 1.0, "rtscts": False, "xonxoff": False}
    assert {key: opened[key] for key in usual} == {**usual, **told}
    assert opened["port"] == "/dev/board"
