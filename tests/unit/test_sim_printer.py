"""The simulated printer: what it makes of bytes, and how it behaves on its two wires."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd_sim.escpos import Ask, Cut, Feed, Line, Operation, Parser, QrCode, Raster, Style, Unknown
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp

QR = b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k\x08\x001P0A-001\x1d(k\x03\x001Q0"
TICKET = (
    b"\x1b@\x1ba\x01\x1bE\x01\x1d!\x33A001\n\x1bE\x00\x1d!\x00Produktivitas\n"
    + QR
    + b"\x1dv0\x00\x02\x00\x02\x00\xff\x00\x0f\xf0\n\x1dV\x42\x03"
)
OPERATIONS: list[Operation] = [
    Ask("reports", 0),
    Line((("A001", Style(4, 4, bold=True)),), "center"),
    Line((("Produktivitas", Style()),), "center"),
    QrCode("A-001", 6, 1, "center"),
    Raster(16, (b"\xff\x00", b"\x0f\xf0"), "center"),
    Line((), "center"),
    Feed(3),
    Cut(),
]


def test_bytes_become_operations() -> None:
    assert Parser().feed(TICKET) == OPERATIONS


@given(st.lists(st.integers(1, len(TICKET) - 1), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_split(cuts: list[int]) -> None:
    parser = Parser()
    edges = [0, *sorted(cuts), len(TICKET)]
    done = [operation for begin, end in pairwise(edges) for operation in parser.feed(TICKET[begin:end])]
    assert done == OPERATIONS


commands = st.sampled_from([b"\x1b", b"\x1d", b"\x10", b"\x1b*", b"\x1d(k\x03\x001", b"\x1dv0", b"\x1dV", b"\n", b"\x00\x00", b"1", b"A"])


@given(st.lists(commands | st.binary(max_size=20), max_size=30))
def test_no_bytes_break_the_parser_or_the_paper(parts: list[bytes]) -> None:
    operations = Parser().feed(b"".join(parts))
    slip = PrintedSlip(tuple(item for item in operations if isinstance(item, Line | QrCode | Raster | Feed)))
    assert isinstance(slip.text, str)
    slip.picture()


def test_a_line_that_is_too_long_is_broken_by_the_printer() -> None:
    lines = Parser(columns=24).feed(b"\x1d!\x11" + b"ABCDEFGHIJKLMN\n")
    assert [line.text for line in lines if isinstance(line, Line)] == ["ABCDEFGHIJKL", "MN"]


def test_columns_of_dots_become_a_picture() -> None:
    operations = Parser().feed(b"\x1b*\x00\x03\x00\x80\x40\x01\nx\n")
    assert operations == [
        Raster(3, (b"\x80", b"\x40", b"\x00", b"\x00", b"\x00", b"\x00", b"\x00", b"\x20"), "left"),
        Line((("x", Style()),), "left"),
    ]


def test_what_it_does_not_know_is_shown_not_swallowed() -> None:
    assert Parser().feed(b"\x07\x1b\x01A\n") == [Unknown(b"\x07"), Unknown(b"\x1b\x01"), Line((("A", Style()),), "left")]


def test_a_slip_as_text_and_as_a_picture(tmp_path: Path) -> None:
    slip = PrintedSlip(tuple(item for item in OPERATIONS if isinstance(item, Line | QrCode | Raster | Feed)))
    assert slip.text.splitlines() == [
        "              A001",
        "         Produktivitas",
        "           [QR A-001]",
        "         [picture 16x2]",
        " " * 16,
    ]
    slip.save(tmp_path / "slip.png")
    picture = slip.picture()
    assert picture.width == 384 + 2 * 24
    assert (tmp_path / "slip.png").read_bytes().startswith(b"\x89PNG")
    dark = picture.point(lambda shade: 255 if shade < 128 else 0).getbbox()
    assert dark is not None and dark[0] > 24 and dark[2] < 24 + 384


def test_the_picture_of_a_code_is_the_code() -> None:
    import qrcode

    symbol = qrcode.QRCode(error_correction=0, box_size=1, border=0)
    symbol.add_data("A-001")
    picture = PrintedSlip((QrCode("A-001", 6, 1, "left"),), 32).picture()
    for y, row in enumerate(symbol.get_matrix()):
        for x, dark in enumerate(row):
            assert (picture.getpixel((24 + x * 6 + 3, 24 + 12 + y * 6 + 3)) < 128) == dark


@dataclass
class Host:
    """The near end of the wire, without the driver."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter | int

    def write(self, data: bytes) -> None:
        if isinstance(self.writer, int):
            os.write(self.writer, data)
        else:
            self.writer.write(data)

    async def ask(self, data: bytes) -> bytes:
        self.write(data)
        async with asyncio.timeout(5):
            return await self.reader.readexactly(1)


@asynccontextmanager
async def host_of(printer: SimPrinter) -> AsyncIterator[Host]:
    if printer.port.startswith("tcp:"):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(printer.port.rpartition(":")[2]))
        try:
            yield Host(reader, writer)
        finally:
            writer.transport.abort()
        return
    line = os.open(printer.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(line, "rb", buffering=0)
    )
    try:
        yield Host(reader, line)
    finally:
        transport.close()


@pytest.fixture(params=["pty", "tcp"])
async def printer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimPrinter]:
    async with sim_printer_pty(tmp_path / "printer") if request.param == "pty" else sim_printer_tcp() as it:
        yield it


async def test_it_prints_and_answers(printer: SimPrinter) -> None:
    async with asyncio.timeout(5), host_of(printer) as host:
        assert await host.ask(TICKET + b"\x1dr\x01") == b"\x00"
        assert (await printer.next_slip()).text.split() == ["A001", "Produktivitas", "[QR", "A-001]", "[picture", "16x2]"]
        assert len(printer.slips) == 1


@pytest.mark.parametrize(
    ("mood", "answers"),
    [
        ({}, b"\x12\x12\x12\x12"),
        ({"paper": "near"}, b"\x12\x12\x12\x1e"),
        ({"paper": "out"}, b"\x1a\x32\x12\x7e"),
        ({"cover": True}, b"\x1a\x16\x12\x12"),
        ({"offline": True}, b"\x1a\x12\x12\x12"),
    ],
)
async def test_it_tells_its_state(printer: SimPrinter, mood: dict[str, object], answers: bytes) -> None:
    printer.set(**mood)
    async with host_of(printer) as host:
        assert b"".join([await host.ask(bytes((0x10, 4, n))) for n in (1, 2, 3, 4)]) == answers


async def test_without_paper_nothing_comes_out_until_it_is_back(printer: SimPrinter) -> None:
    async with asyncio.timeout(5), host_of(printer) as host:
        printer.set(paper="out")
        host.write(TICKET + b"\x1dr\x01")
        assert await host.ask(b"\x10\x04\x04") == b"\x7e"
        assert not printer.slips
        printer.set(paper="ok")
        assert await host.reader.readexactly(1) == b"\x00"
        assert (await printer.next_slip()).text


async def test_unplugged_it_forgets_and_is_found_again_at_the_same_place(printer: SimPrinter) -> None:
    port = printer.port
    async with asyncio.timeout(5):
        async with host_of(printer) as host:
            await host.ask(b"half a ticket\n\x1dr\x01")
            await printer.unplug()
            assert await host.reader.read(1) == b""
        await printer.plug()
        assert printer.port == port
        async with host_of(printer) as host:
            await host.ask(TICKET + b"\x1dr\x01")
    assert "half" not in printer.slips[0].text
    assert [slip.text for slip in printer.torn] == ["half a ticket"]


async def test_a_printer_without_a_knife_ends_a_slip_where_it_is_torn_off(tmp_path: Path) -> None:
    async with asyncio.timeout(5), sim_printer_pty(tmp_path / "printer", cutter=False) as printer, host_of(printer) as host:
        await host.ask(b"one\n\x1bJ\x78two\n\x1dV\x00\x1dr\x01")
        assert [slip.text for slip in printer.slips] == ["one"]


async def test_one_connection_at_a_time() -> None:
    async with asyncio.timeout(5), sim_printer_tcp() as printer, host_of(printer) as first:
        await first.ask(b"\x10\x04\x01")
        async with host_of(printer) as second:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await second.ask(b"\x10\x04\x01")
        assert await first.ask(b"\x10\x04\x01") == b"\x12"


async def test_a_silent_printer_prints_and_says_nothing(printer: SimPrinter) -> None:
    printer.set(silent=True)
    async with asyncio.timeout(5), host_of(printer) as host:
        host.write(b"\x10\x04\x01" + TICKET + b"\x1dr\x01")
        await printer.next_slip()
        printer.set(silent=False)
        assert await host.ask(b"\x10\x04\x04") == b"\x12"


async def test_slips_are_handed_to_a_callback(tmp_path: Path) -> None:
    seen: list[str] = []
    far = sim_printer_pty(tmp_path / "p", on_slip=lambda slip: seen.append(slip.text))
    async with asyncio.timeout(5), far as printer, host_of(printer) as host:
        await host.ask(b"hello\n\x1dV\x00\x1dr\x01")
    assert seen == ["hello"]


def test_an_unknown_mood_is_an_error() -> None:
    printer = SimPrinter(outlet=None)  # type: ignore[arg-type] # a printer that is nowhere
    with pytest.raises(TypeError):
        printer.set(colour="red")
