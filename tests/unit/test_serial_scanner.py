"""The serial scanner: the driver over a pseudo terminal."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import serial
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import BadScan, Scan
from kiosd.threads import Inbox
from kiosd_drivers import _codes
from kiosd_drivers._codes import ScanReader
from kiosd_drivers.serial_scanner import DRIVER, Config
from kiosd_sim.scanner import SimScanner
from support.devices import open_files, take


@pytest.fixture
async def scanner(tmp_path: Path) -> AsyncIterator[SimScanner]:
    scanner = SimScanner(tmp_path / "scanner")
    with scanner.port.plugged():
        yield scanner


def config(sim: SimScanner, idle_s: float = 5.0, **options: Any) -> Config:
    return Config(port=str(sim.port.link), idle_s=idle_s, **options)


async def test_scans_arrive_in_order(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        for number in range(20):
            await scanner.send(f"CARD-{number}", "\r\n" if number % 2 else "\r")
        assert await take(near, 20) == [f"CARD-{number}" for number in range(20)]


async def test_a_tab_at_the_end_an_aim_identifier_and_a_pattern(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner, flow="xonxoff", ends=("tab",), aim=True, allow="[0-9]+")) as near:
        for code in ("]C0123", "123", "]C0x"):
            await scanner.send(code, "\t")
        assert await take(near, 3) == ["123", "!aim", "!pattern"]


@pytest.mark.parametrize(("parity", "letter"), [("none", "N"), ("even", "E"), ("odd", "O"), ("mark", "M"), ("space", "S")])
async def test_the_line_is_set_as_configured(scanner: SimScanner, monkeypatch: pytest.MonkeyPatch, parity: str, letter: str) -> None:
    """By what the library is asked for: a pty has no parity."""
    asked: list[tuple[Any, ...]] = []

    def opens(*line: Any, rtscts: bool, xonxoff: bool, **_: Any) -> None:
        asked.append((*line, rtscts, xonxoff))
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(serial, "Serial", opens)
    with pytest.raises(DeviceError):
        async with DRIVER.open(config(scanner, baudrate=1200, bits=7, parity=parity, stop_bits=2, flow="rtscts")):
            pass
    assert asked == [(str(scanner.port.link), 1200, 7, letter, 2, True, False)]


async def test_a_scanner_that_sends_without_end_is_out_of_order(scanner: SimScanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_codes, "PER_S", 0.0)
    async with DRIVER.open(config(scanner)) as near:
        with pytest.raises(DeviceError) as caught:
            for _ in range(200):
                await scanner.send("SECRET")
                await take(near, 1)
        assert caught.value.code == "jabber" and "SECRET" not in str(caught.value)


async def test_a_scanner_that_types_on_and_on_is_out_of_order(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near, asyncio.TaskGroup() as tasks:
        typing = tasks.create_task(scanner.burst(["X" * 100] * 440, ""))
        assert await take(near, 1) == ["!length"]
        with pytest.raises(DeviceError, match="without the end of a code") as caught:
            await take(near, 1)
        assert caught.value.code == "jabber" and "XX" not in str(caught.value)
        typing.cancel()


async def test_the_longest_codes_at_once_are_codes(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner, baudrate=115200)) as near, asyncio.TaskGroup() as tasks:
        tasks.create_task(scanner.burst([f"{number:02d}" * 256 for number in range(20)]))
        assert await take(near, 20) == [f"{number:02d}" * 256 for number in range(20)]


async def test_a_scan_that_dribbles_in_is_whole(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        for char in "CARD-1":
            await scanner.send(char, "")
        await scanner.send("")
        assert await take(near, 1) == ["CARD-1"]


async def test_a_4_kb_scan_is_one_bad_scan_and_the_next_one_counts(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("9" * 4096)
        await scanner.send("CARD-1")
        assert await take(near, 2) == ["!length", "CARD-1"]


async def test_control_characters_are_refused(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("CARD\x1b@")
        await scanner.send("CARD-1")
        assert await take(near, 2) == ["!control", "CARD-1"]


async def test_half_a_code_is_reported_after_silence(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner, idle_s=0.05)) as near:
        await scanner.send("CARD", "")
        assert await take(near, 1) == ["!incomplete"]
        await scanner.send("CARD-1")
        assert await take(near, 1) == ["CARD-1"]


async def test_codes_that_nobody_took_in_time_are_reported_once() -> None:
    inbox: Inbox[Scan | BadScan] = Inbox(size=2)
    for number in range(5):
        inbox.put_from_thread(Scan(f"CARD-{number}", 1.0))
    await asyncio.sleep(0)  # the loop runs what was handed over
    assert await take(ScanReader(inbox), 3) == ["CARD-0", "!dropped", "CARD-1"]


async def test_unplugging_is_an_absent_device_after_the_scans_before_it(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("CARD-1")
        assert await take(near, 1) == ["CARD-1"]
        await scanner.send("HALF", "")
        scanner.port.unplug()
        with pytest.raises(DeviceError) as caught:
            await take(near, 1)
        assert caught.value.code == "absent"
        assert "HALF" not in str(caught.value)


async def test_a_replugged_scanner_opens_at_the_same_name(scanner: SimScanner) -> None:
    for round_ in range(3):
        async with DRIVER.open(config(scanner)) as near:
            await scanner.send(f"CARD-{round_}")
            assert await take(near, 1) == [f"CARD-{round_}"]
            scanner.port.unplug()
        scanner.port.plug()


async def test_leaving_closes_the_port_and_lets_others_have_it(scanner: SimScanner) -> None:
    before = open_files()
    for _ in range(3):
        async with DRIVER.open(config(scanner)):
            pass
    assert open_files() == before


async def test_a_port_that_is_in_use_is_busy(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)):
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(config(scanner)):
                pass
    assert caught.value.code == "busy"


async def test_a_port_that_is_not_there_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(Config(port=str(tmp_path / "none"))):
            pass
    assert caught.value.code == "absent"


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(Config(port=str(tmp_path / "file"))):
            pass
    assert caught.value.code == "io"


async def test_a_code_is_in_no_log(scanner: SimScanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("SECRET-CARD")
        await scanner.send("SECRET\x1bCARD")
        await take(near, 2)
    assert "SECRET" not in caplog.text
    assert "SECRET" not in repr(Scan("SECRET", 1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": "ttyUSB0"}, {"port": "/dev/x", "baudrate": 1}, {"port": "/dev/x", "speed": 9600}, {},
        {"port": "/dev/x", "match": {"serial": "S1"}}, {"match": {}}, {"match": {"serial": "*"}}, {"port": "/dev/x", "ends": []},
        {"port": "/dev/x", "ends": ["crlf"]}, {"port": "/dev/x", "parity": "E"}, {"port": "/dev/x", "bits": 6},
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(wrong)
