"""What simulated scanners can do, at the real drivers: bursts, halves and frames on a serial line; held keys and Ctrl on a keyboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import evdev
import pytest

from kiosd.ports import Scanner
from kiosd_drivers import _keyboards, evdev_scanner, serial_scanner
from kiosd_sim.keyboard import KEY_ENTER, KEYS, SimKeyboard, SimKeyboards
from kiosd_sim.scanner import SimScanner, set_for
from support.devices import take


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimScanner]:
    sim = SimScanner(tmp_path / "scanner")
    with sim.port.plugged():
        yield sim


@asynccontextmanager
async def serial_driver(sim: SimScanner, **settings: Any) -> AsyncIterator[Scanner]:
    config = serial_scanner.Config.model_validate({"port": str(sim.port.link), "idle_s": 5.0, **settings})
    async with serial_scanner.DRIVER.open(config) as scanner:
        yield scanner


@pytest.mark.parametrize(("terminator", "ends"), [("\r", ["cr"]), ("\r\n", ["cr", "lf"]), ("\t", ["tab"])])
async def test_a_burst_is_every_code_in_order(sim: SimScanner, terminator: str, ends: list[str]) -> None:
    codes = [f"KARTU-{number}" for number in range(50)]
    async with serial_driver(sim, ends=ends) as scanner:
        await sim.burst(codes, terminator)
        assert await take(scanner, 50) == codes


async def test_half_a_code_is_no_scan_and_the_next_one_counts(sim: SimScanner) -> None:
    async with serial_driver(sim, idle_s=0.05) as scanner:
        await sim.half("KARTU-12")
        assert await take(scanner, 1) == ["!incomplete"]
        await sim.send("KARTU-13")
        assert await take(scanner, 1) == ["KARTU-13"]


async def test_half_a_code_passes_for_a_whole_one_where_silence_ends_a_code(sim: SimScanner) -> None:
    async with serial_driver(sim, idle_s=0.05, silence_ends=True) as scanner:
        await sim.half("KARTU-12")
        assert await take(scanner, 1) == ["KART"]


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({"ends": ["etx"], "aim": True}, ["KARTU-1", "!aim", "KARTU-3"]),
        ({"ends": ["etx"]}, ["]Q1KARTU-1", "KARTU-2", "]C0KARTU-3"]),
    ],
)
async def test_frames_are_codes_with_and_without_their_aim_identifier(sim: SimScanner, settings: dict[str, Any], read: list[str]) -> None:
    async with serial_driver(sim, **settings) as scanner:
        for text, aim in (("KARTU-1", "]Q1"), ("KARTU-2", ""), ("KARTU-3", "]C0")):
            await sim.framed(text, aim)
        assert await take(scanner, 3) == read


@pytest.mark.parametrize(
    ("config", "whole", "half", "rest"),
    [
        ({}, "AB12\r", "AB", "12\r"),
        ({"ends": ["enter", "tab"]}, "AB12\r", "AB", "12\r"),
        ({"ends": ["tab"], "aim": True}, "]C0AB12\t", "]C0AB", "12\t"),
        ({"ends": ["etx"], "aim": True}, "\x02]C0AB12\x03", "\x02]C0AB", "12\x03"),
        ({"silence_ends": True}, "AB12", "AB", "12"),
        ({"silence_ends": True, "ends": ["lf"]}, "AB12\n", "AB", "12\n"),
    ],
)
def test_what_a_scanner_sends_around_a_code_as_its_section_wants_it(config: dict[str, Any], whole: str, half: str, rest: str) -> None:
    sent = {part: "".join(map(str, set_for(config).around("AB12", part))) for part in ("whole", "half", "rest")}
    assert sent == {"whole": whole, "half": half, "rest": rest}


@pytest.fixture
def keyboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimKeyboard:
    keyboard = SimKeyboard(tmp_path / "event0")
    keyboard.plug()
    machine = SimKeyboards(keyboard)
    monkeypatch.setattr(evdev, "list_devices", machine.list_devices)
    monkeypatch.setattr(evdev, "InputDevice", machine.open_device)
    monkeypatch.setattr(_keyboards, "LINKS", {"by_id": tmp_path / "by-id", "by_path": tmp_path / "by-path"})
    return keyboard


@asynccontextmanager
async def keyboard_driver(**settings: Any) -> AsyncIterator[Scanner]:
    config = evdev_scanner.Config.model_validate({"match": {"name": "Sim*"}, "idle_s": 5.0, **settings})
    async with evdev_scanner.DRIVER.open(config) as scanner:
        yield scanner


async def test_a_held_key_is_typed_once(keyboard: SimKeyboard) -> None:
    async with keyboard_driver() as scanner:
        keyboard.type("KARTU-", end=None)
        keyboard.hold(KEYS["7"][0], 20)
        keyboard.hold(KEY_ENTER, 20)
        keyboard.type("KARTU-8")
        assert await take(scanner, 2) == ["KARTU-7", "KARTU-8"]


@pytest.mark.parametrize("letter", ["m", "c", "j"])
async def test_ctrl_and_a_letter_spoil_a_code_and_only_it(keyboard: SimKeyboard, letter: str) -> None:
    async with keyboard_driver() as scanner:
        keyboard.type("KARTU", end=None)
        keyboard.control(letter)
        keyboard.type("-1")
        keyboard.type("KARTU-2")
        assert await take(scanner, 2) == ["!control", "KARTU-2"]
    assert not keyboard.down
