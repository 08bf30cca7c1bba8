"""Bad wires: each does what it says, and the printer and the scanner driver never hang on one nor say what is not true."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import BadScan, Outcome, Scan, Scanner
from kiosd_drivers.serial_scanner import DRIVER as SCANNER
from kiosd_drivers.serial_scanner import Config as ScannerConfig
from kiosd_sim.outlets import PtyOutlet, TcpOutlet
from kiosd_sim.printer import sim_printer_pty, sim_printer_tcp
from kiosd_sim.scanner import SimScanner
from kiosd_sim.wires import Clean, Cut, CutAfter, Delayed, Garbled, Jammed, Loose, Lossy, OneByteAtATime, Way, bad_wire
from support.printers import SLIP, opened

DATA = bytes(range(40))


@pytest.mark.parametrize(
    ("way", "arrives"),
    [
        (Clean(), [DATA]),
        (OneByteAtATime(), [bytes([byte]) for byte in DATA]),
        (Delayed(0.001), [DATA]),
        (Lossy(10), [bytes(byte for byte in DATA if byte % 10 != 9)]),
        (CutAfter(7), [DATA[:7]]),
    ],
)
async def test_what_arrives(way: Way, arrives: list[bytes]) -> None:
    assert await way.carry(DATA) == arrives


async def test_a_cut_wire_carries_nothing_more() -> None:
    way = CutAfter(40)
    assert await way.carry(DATA) == [DATA]
    with pytest.raises(Cut):
        await way.carry(DATA)


async def test_lost_bytes_are_counted_over_all_pieces() -> None:
    way = Lossy(3)
    assert [await way.carry(part) for part in (b"ab", b"c", b"def")] == [[b"ab"], [b""], [b"de"]]


async def test_a_garbled_wire_turns_the_same_bits_each_time() -> None:
    first, again = await Garbled(4).carry(DATA), await Garbled(4).carry(DATA)
    assert first == again != [DATA]
    assert all((a ^ b).bit_count() <= 1 for a, b in zip(first[0], DATA, strict=True))


async def test_a_loose_plug_is_bad_for_a_while() -> None:
    way = Loose(Lossy(2), 3, 7)
    assert [b"".join(await way.carry(part)) for part in (b"ab", b"cdef", b"g", b"hij")] == [b"ab", b"cdf", b"", b"hij"]
    assert await Loose(Lossy(2), 1, 3).carry(b"abcde") == [b"a", b"b", b"de"]


async def test_a_jammed_wire_lets_go_when_it_is_freed() -> None:
    way = Jammed()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(way.carry(DATA))
        await asyncio.sleep(0)
        assert not task.done()
        way.free.set()
        assert await task == [DATA]


WAYS: dict[str, Callable[[], tuple[Way, Way]]] = {
    "clean": lambda: (Clean(), Clean()),
    "byte by byte": lambda: (OneByteAtATime(), OneByteAtATime()),
    "late": lambda: (Delayed(0.005), Delayed(0.005)),
    "answers get lost": lambda: (Clean(), Lossy(5)),
    "answers are garbled": lambda: (Clean(), Garbled(6)),
    "cut in the ticket": lambda: (CutAfter(300), Clean()),
    "cut in the answers": lambda: (Clean(), CutAfter(12)),
    "jammed": lambda: (Jammed(), Clean()),
}
GOOD = ("clean", "byte by byte", "late")


@pytest.mark.parametrize("wire", ["pty", "tcp"])
@pytest.mark.parametrize("name", WAYS)
async def test_a_printer_on_a_bad_wire(tmp_path: Path, wire: str, name: str) -> None:
    out, back = WAYS[name]()
    near = partial(PtyOutlet, tmp_path / "near") if wire == "pty" else partial(TcpOutlet, 0)
    async with sim_printer_pty(tmp_path / "clean") as good:
        assert await _printed(good.port) is Outcome.PRINTED
    async with sim_printer_pty(tmp_path / "far") if wire == "pty" else sim_printer_tcp() as paper:
        async with asyncio.timeout(30), bad_wire(near, paper.port, out, back) as port:
            outcome = await _printed(port)
        if outcome is Outcome.PRINTED:
            assert paper.slips == good.slips  # whole, and once
        assert name not in GOOD or outcome is Outcome.PRINTED


async def _printed(port: str) -> Outcome | None:
    """What the driver says of one ticket; None when it could not talk to the printer."""
    try:
        async with opened(port, confirm_s=0.5, answer_s=1.0) as printer:
            return await printer.print_slip(SLIP)
    except DeviceError:
        return None


@pytest.mark.parametrize("way", [Clean(), OneByteAtATime(), Delayed(0.005)])
async def test_a_scanner_on_a_bad_wire(tmp_path: Path, way: Way) -> None:
    far = SimScanner(tmp_path / "far")
    with far.port.plugged():
        async with asyncio.timeout(20), bad_wire(partial(PtyOutlet, tmp_path / "near"), str(far.port.link), to_near=way) as port:
            config = ScannerConfig.model_validate({"port": port})
            async with SCANNER.open(config) as scanner:
                scan = await _scanned(scanner, far)
    assert isinstance(scan, Scan)
    assert scan.payload == "KARTU-1"


async def _scanned(scanner: Scanner, far: SimScanner) -> Scan | BadScan:
    """The first scan; the code is held before the scanner until it was read."""

    async def hold() -> None:
        while True:
            await far.send("KARTU-1")
            await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as group:
        holding = group.create_task(hold())
        scan = await anext(scanner.scans())
        holding.cancel()
        return scan
