"""Displays and scanners on wires that lose and change bytes: the real drivers never hang, and say no more than they know."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import BadScan, CallDisplay, Face, Scan, Scanner
from kiosd_drivers import modbus_display, serial_display, serial_scanner
from kiosd_drivers._bus import ONE_DISPLAY
from kiosd_drivers._dialects import DIALECTS
from kiosd_drivers._faces import Frame
from kiosd_drivers._modbus import Config as ModbusConfig
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.numeralboard import FrameScreen, ModbusScreen
from kiosd_sim.outlets import PtyOutlet
from kiosd_sim.scanner import SimScanner
from kiosd_sim.wires import CutAfter, Garbled, Jammed, Loose, Lossy, Way, bad_wire
from support.devices import take

WITHIN_S = 60.0  # none of these takes five; a busy machine may
FRAMES = {check: f"02 {{counter:2}} {{digits:4}} {{{check}}} 03" for check in ("sum8", "xor8", "neg8", "crc16")}
NO_CHECK = "02 {counter:2} {digits:4} 03"
CALLS = [Face(number=f"A{number:03}", counter=number % 12 + 1) for number in range(3, 999, 13)]
LAST = Face(number="D999", counter=77)
NOISES: dict[str, Callable[[], Way]] = {
    "a byte of 13 is lost": lambda: Lossy(13),
    "a byte of 23 is lost": lambda: Lossy(23),
    "a byte of 10 is changed": lambda: Garbled(10),
    "a byte of 40 is changed": lambda: Garbled(40),
}
TWO_IN_A_FRAME = "a byte of 10 is changed"
HEARD = [(check, noise) for check in FRAMES for noise in NOISES if check == "crc16" or noise != TWO_IN_A_FRAME]
"""A checksum of eight bits tells one changed bit in a frame for sure; two in the same place can make up for each other."""
noises = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)


def shown(face: Face) -> tuple[str, str]:
    """What a board of numerals shows of ``face``."""
    return f"{face.counter:02}", face.number[1:].zfill(4)


@asynccontextmanager
async def between(directory: Path, far: SimBoard | SimScanner, to_far: Way | None = None, to_near: Way | None = None) -> AsyncIterator[str]:
    """The host's end of a bad serial line to ``far``."""
    with far.port.plugged():
        async with asyncio.timeout(WITHIN_S), bad_wire(partial(PtyOutlet, directory / "near"), str(far.port.link), to_far, to_near) as port:
            yield port


def board_driver(port: str, frame: str, **settings: Any) -> Any:
    config = {"port": port, "protocol": "frame", "frame": frame, "letters": "drop", "gap_s": 0.0, "baudrate": 115200, **settings}
    return serial_display.DRIVER.open(serial_display.Config.model_validate(config))


async def history(directory: Path, frame: str, noise: Way) -> list[tuple[str, ...]]:
    """What a board showed while ``CALLS`` came to it through ``noise`` and ``LAST`` through a good wire."""
    board = SimBoard(directory / "far", FrameScreen(frame))
    loud = len(CALLS) * len(Frame.parse(frame, "drop").encode(LAST))
    async with between(directory, board, Loose(noise, 0, loud)) as port, board_driver(port, frame) as display:
        for face in (*CALLS, LAST, LAST):
            await display.show(face)
        await board.shows(lambda lines: lines == shown(LAST), WITHIN_S)
    return board.history


@pytest.mark.parametrize(("check", "noise"), HEARD, ids=str)
async def test_noise_never_shows_a_wrong_number_on_a_board_with_a_checksum(tmp_path: Path, check: str, noise: str) -> None:
    seen = await history(tmp_path, FRAMES[check], NOISES[noise]())
    assert set(seen) <= set(map(shown, (*CALLS, LAST)))
    assert 1 < len(seen) <= len(CALLS)  # some got through, some did not


async def test_without_a_checksum_noise_does_show_a_wrong_number(tmp_path: Path) -> None:
    """That is what the checksum is for, and why the page of the driver asks for one."""
    assert set(await history(tmp_path, NO_CHECK, Garbled(10))) - set(map(shown, (*CALLS, LAST)))


def damaged(data: bytes) -> Iterator[bytes]:
    """``data`` with one bit turned over, with one byte lost, or cut short: each way there is."""
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + data[at + 1 :]
        yield from (data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for bit in range(8))


@pytest.mark.parametrize("check", FRAMES)
def test_one_fault_in_a_frame_shows_nothing_and_the_next_frame_counts(check: str) -> None:
    frame = Frame.parse(FRAMES[check], "drop")
    before, hit, after = map(frame.encode, (CALLS[0], CALLS[40], CALLS[41]))
    for noise in damaged(hit):
        assert faces(FRAMES[check], before + noise + after) == [shown(CALLS[0]), shown(CALLS[41])]


def faces(frame: str, data: bytes) -> list[tuple[str, ...]]:
    """Each face that ``data`` makes on a board, in order."""
    screen, seen = FrameScreen(frame), list[tuple[str, ...]]()
    for byte in data:
        screen.feed(bytes([byte]))
        if screen.lines and screen.lines not in seen[-1:]:
            seen.append(screen.lines)
    return seen


@noises
@pytest.mark.parametrize("protocol", DIALECTS)
async def test_a_customer_display_shows_the_truth_again_when_the_noise_is_over(
    tmp_path: Path, protocol: str, noise: Callable[[], Way]
) -> None:
    """Its language has no checksum: in the noise it may show anything, for each face comes once."""
    board = SimBoard(tmp_path / "far", CustomerDisplay(protocol))
    async with between(tmp_path, board, Loose(noise(), 40, 800)) as port:
        config = serial_display.Config.model_validate({"port": port, "protocol": protocol, "gap_s": 0.0, "baudrate": 115200})
        async with serial_display.DRIVER.open(config) as display:
            for face in (*CALLS[:20], LAST):  # 40 bytes a face or more
                await display.show(face)
            await board.shows(lambda lines: lines == ("NOMOR D999", "LOKET 77"), WITHIN_S)


async def show_for_ever(display: CallDisplay) -> None:
    while True:
        await display.show(Face(number="A012", counter=4, message="X" * 99))


async def test_a_display_on_a_jammed_wire_is_a_timeout_and_works_when_the_wire_is_free(tmp_path: Path) -> None:
    frame, jam = "02 {counter:2} {digits:4} {message:99} {crc16} 03", Jammed()
    board = SimBoard(tmp_path / "far", FrameScreen(frame))
    async with between(tmp_path, board, jam) as port:
        async with board_driver(port, frame, write_timeout_s=0.1) as display:
            with pytest.raises(DeviceError) as caught:
                await show_for_ever(display)
        assert caught.value.code == "timeout" and not board.history
        jam.free.set()
        async with board_driver(port, frame) as display:
            await display.show(LAST)
            await display.show(LAST)  # the first one ends what was cut off when the port was closed
            await board.shows(lambda lines: lines[:2] == shown(LAST), WITHIN_S)
    assert {lines[:2] for lines in board.history} <= {("04", "0012"), shown(LAST)}


@noises
async def test_a_modbus_display_shows_what_it_was_told_or_the_driver_says_so(tmp_path: Path, noise: Callable[[], Way]) -> None:
    screen = ModbusScreen(1, 0, counter=1)
    board = SimBoard(tmp_path / "far", screen)
    calls, begin, end = [*CALLS[:9], LAST], 30, 110  # opening is in the clear
    settings = {"address": 1, "number_register": 0, "counter_register": 1, "letters": "drop", "answer_s": 0.3, "gap_s": 0.0}
    async with between(tmp_path, board, Loose(noise(), begin, end), Loose(noise(), begin, end)) as port:
        config = ModbusConfig.model_validate({"port": port, "baudrate": 115200, **settings})
        async with modbus_display.DRIVER.open(config) as display:
            results = [await result(display, face, board) for face in calls]
    assert "" in results and set(results) <= {""} | ONE_DISPLAY
    assert any(results) or noise is NOISES["a byte of 40 is changed"]  # that one may miss it all
    assert set(board.history) <= {modbus(face) for face in calls} | {("0", "0")}


async def result(display: CallDisplay, face: Face, board: SimBoard) -> str:
    """Why the driver could not show ``face``; ``""`` when it says that it did, and then it is shown."""
    try:
        await display.show(face)
    except DeviceError as error:
        return error.code
    assert board.lines == modbus(face)
    return ""


def modbus(face: Face) -> tuple[str, str]:
    return str(face.counter), face.number[1:].lstrip("0")


class Tapped:
    """A way, and what came out of it."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.came = bytearray()
        self.entered = asyncio.Event()

    async def carry(self, data: bytes) -> list[bytes]:
        self.entered.set()
        pieces = await self._way.carry(data)
        self.came += b"".join(pieces)
        return pieces


CODES = [f"KARTU-{number:04}" for number in range(60)]  # fewer than a scanner that is out of order sends


@asynccontextmanager
async def scanning(directory: Path, far: SimScanner, way: Way, **settings: Any) -> AsyncIterator[Scanner]:
    async with between(directory, far, to_near=way) as port:
        config = serial_scanner.Config.model_validate({"port": port, "idle_s": 5.0, **settings})
        async with serial_scanner.DRIVER.open(config) as scanner:
            yield scanner


async def until(scanner: Scanner, last: str) -> list[Scan | BadScan]:
    """Every code up to ``last``."""
    found: list[Scan | BadScan] = []
    scans: Any = scanner.scans()
    async with aclosing(scans):
        async for code in scans:
            found.append(code)
            if isinstance(code, Scan) and code.payload == last:
                break
    return found


def readable(came: bytes) -> list[str | None]:
    """What a person would make of the bytes that came: each code, or None where it is none."""
    lines = (line.lstrip(b"\x02").removesuffix(b"\x03") for line in re.split(rb"[\r\n]", came))
    return [text if text.isprintable() else None for line in lines if (text := decoded(line))]


def decoded(line: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return line.decode()
    return line.decode("latin-1")


@noises
async def test_a_scanner_on_a_noisy_wire_reads_what_came_and_invents_nothing(tmp_path: Path, noise: Callable[[], Way]) -> None:
    far = SimScanner(tmp_path / "far")
    wire = Tapped(Loose(noise(), 0, sum(len(code) + 1 for code in CODES)))
    async with scanning(tmp_path, far, wire) as scanner:
        await far.burst([*CODES, "END", "END"])  # the first one may be the rest of a code whose end was lost
        found = await until(scanner, "END")
    expected = readable(bytes(wire.came))
    assert [code.payload if isinstance(code, Scan) else None for code in found] == expected[: expected.index("END") + 1]
    assert all(code.reason == "control" for code in found if isinstance(code, BadScan))


async def test_a_changed_code_is_told_from_a_good_one_by_the_allowed_pattern_only(tmp_path: Path) -> None:
    """A serial scan has no checksum: the pattern refuses most of what noise makes, and a digit that became another one is a good code."""
    codes, loud = [*CODES, "KARTU-9999"], sum(len(code) + 1 for code in CODES)
    found: dict[str, list[Scan | BadScan]] = {}
    for name, allow in {"any": {}, "pattern": {"allow": "KARTU-[0-9]{4}"}}.items():
        directory = tmp_path / name
        directory.mkdir()
        far = SimScanner(directory / "far")
        async with scanning(directory, far, Loose(Garbled(10), 0, loud), **allow) as scanner:
            await far.burst([*codes, codes[-1]])
            found[name] = await until(scanner, codes[-1])
    wrong = {name: {code.payload for code in some if isinstance(code, Scan)} - set(codes) for name, some in found.items()}
    assert wrong["pattern"] < wrong["any"]
    assert all(re.fullmatch("KARTU-[0-9]{4}", payload) for payload in wrong["pattern"])
    assert {code.reason for code in found["pattern"] if isinstance(code, BadScan)} == {"control", "pattern"}


@pytest.mark.parametrize("passed", range(1, 7))
async def test_half_a_code_before_a_cut_is_no_scan(tmp_path: Path, passed: int) -> None:
    far = SimScanner(tmp_path / "far")
    async with scanning(tmp_path, far, CutAfter(8 + passed), idle_s=0.05) as scanner:
        await far.send("KARTU-1")
        assert await take(scanner, 1, WITHIN_S) == ["KARTU-1"]
        await far.send("KARTU-2")
        assert await take(scanner, 1, WITHIN_S) == ["!incomplete"]
        await far.send("KARTU-3")
        with pytest.raises(DeviceError) as caught:
            await take(scanner, 1, WITHIN_S)
    assert caught.value.code == "absent"


async def test_a_scan_waits_before_a_jam_and_comes_when_it_is_free(tmp_path: Path) -> None:
    far, jam = SimScanner(tmp_path / "far"), Jammed()
    wire = Tapped(jam)
    async with scanning(tmp_path, far, wire) as scanner, asyncio.TaskGroup() as tasks:
        scan = tasks.create_task(take(scanner, 1, WITHIN_S))
        await far.send("KARTU-1")
        await wire.entered.wait()
        assert not scan.done()
        jam.free.set()
        assert await scan == ["KARTU-1"]


async def test_a_scanner_behind_a_jam_is_let_go_without_waiting_for_it(tmp_path: Path) -> None:
    far, wire = SimScanner(tmp_path / "far"), Tapped(Jammed())
    async with scanning(tmp_path, far, wire, idle_s=0.05):
        await far.send("KARTU-1")
        await wire.entered.wait()
    assert not wire.came
