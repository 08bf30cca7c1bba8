"""The simulated printer as a partner in talk: commands in real time, status unasked, marks, a small buffer, clones, and its own pace."""

import asyncio
import json
import os
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import Refused
from kiosd_sim.door import tcp
from kiosd_sim.escpos import Bars, Line, Operation, Parser, Raster, Style
from kiosd_sim.moods import CLONES, SWITCHES, Mood, changed
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import SimPrinter, sim_printer_gadget, sim_printer_tcp

CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
MARK, MARKED = b"\x1d(H\x06\x0000ABCD", b"\x37\x22ABCD\x00"


class Line9100:
    """The host's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def ask(self, data: bytes, count: int) -> bytes:
        self.writer.write(data)
        return await self._reader.readexactly(count)


@asynccontextmanager
async def talk(**settings: Any) -> AsyncIterator[tuple[SimPrinter, Line9100]]:
    async with asyncio.timeout(10), sim_printer_tcp(**settings) as printer:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(printer.port.rpartition(":")[2]))
        try:
            yield printer, Line9100(reader, writer)
        finally:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("mood", "answers"),
    [
        ({"cutter": True}, b"\x1a\x52\x1a\x12"),
        ({"overheated": True}, b"\x1a\x52\x52\x12"),
        ({"broken": True}, b"\x1a\x52\x32\x12"),
        ({"feed": True}, b"\x1a\x1a\x12\x12"),
    ],
)
async def test_what_is_the_matter(mood: dict[str, Any], answers: bytes) -> None:
    async with talk() as (printer, host):
        printer.set(**mood)
        assert await host.ask(b"".join(bytes((0x10, 4, n)) for n in (1, 2, 3, 4)), 4) == answers


async def test_status_is_pushed_at_each_change_until_it_is_switched_off() -> None:
    async with talk() as (printer, host):
        assert await host.ask(b"\x1da\xff", 4) == b"\x10\x00\x00\x0f"
        printer.set(cover=True)
        assert await host.ask(b"", 4) == b"\x38\x00\x00\x0f"
        printer.set(cover=False, paper="near")
        assert await host.ask(b"", 4) == b"\x10\x00\x03\x0f"
        await host.ask(b"\x1b@\x1dr\x01", 1)  # ESC @ ends it
        printer.set(paper="ok")
        assert await host.ask(b"\x10\x04\x01", 1) == b"\x12"


async def test_a_mark_is_answered_when_everything_before_it_is_printed() -> None:
    async with talk() as (printer, host):
        printer.set(paper="out")
        assert await host.ask(b"A001\n\x1dV\x00" + MARK + b"\x10\x04\x04", 1) == b"\x7e"
        assert not printer.slips
        printer.set(paper="ok")
        assert await host.ask(b"", len(MARKED)) == MARKED
        assert len(printer.slips) == 1


async def test_a_command_among_the_dots_of_a_picture_is_obeyed() -> None:
    async with talk() as (printer, host):
        assert await host.ask(b"\x1dv0\x00\x01\x00\x04\x00" + b"\x10\x04\x01\xff\x1dV\x00", 1) == b"\x12"
        await printer.next_slip()
        assert printer.slips[0].items == (Raster(8, (b"\x10", b"\x04", b"\x01", b"\xff")),)


async def test_clearing_forgets_what_was_not_printed_even_in_mid_picture() -> None:
    async with talk() as (printer, host):
        assert await host.ask(b"half\n\x1dv0\x00\x30\x00\xff\x00" + b"\xaa" * 99 + CLEAR, 3) == b"\x37\x25\x00"
        await host.ask(b"A002\n\x1dV\x00\x1dr\x01", 1)
        assert [slip.text for slip in printer.slips] == ["A002"]
        assert [slip.text for slip in printer.torn] == ["half"]


async def test_it_reads_no_more_than_it_can_hold() -> None:
    async with talk(buffer=100) as (printer, host):
        printer.set(paper="out")
        assert await host.ask(b"x" * 90 + b"\x10\x04\x04", 1) == b"\x7e"
        host.writer.write(b"x" * 500 + b"\n\x1dV\x00\x1dr\x01")
        while printer.waiting < 100:  # noqa: ASYNC110 - nobody tells when a socket's bytes have come
            await asyncio.sleep(0.01)
        assert printer.waiting == 100
        printer.set(paper="ok")
        await printer.next_slip()
        assert "".join(printer.slips[0].text.split()).count("x") == 590


@pytest.mark.parametrize(
    ("clone", "answer"),
    [
        ("epson", b"\x1a\x32\x12\x7e"),
        ("simple", b"\x1a\x32\x12\x7e"),
        ("half", b"\x1a\x12"),
        ("silent", b""),
        ("yes-man", b"\x12\x12\x12\x12"),
    ],
)
async def test_what_a_clone_says_of_paper_that_is_out(clone: str, answer: bytes) -> None:
    async with talk() as (printer, host):
        printer.set(clone=clone, paper="out")
        host.writer.write(b"".join(bytes((0x10, 4, n)) for n in (1, 2, 3, 4)))
        while printer.waiting < 12:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        printer.set(clone="epson")
        assert await host.ask(b"\x10\x04\x02", len(answer) + 1) == answer + b"\x32"


async def test_garbage_is_the_same_nonsense_each_time() -> None:
    heard = []
    for _ in range(2):
        async with talk() as (printer, host):
            printer.set(clone="garbage")
            heard.append(await host.ask(b"\x10\x04\x01" * 8, 8))
    assert heard[0] == heard[1] != b"\x12" * 8


async def test_paper_moves_at_its_own_pace() -> None:
    waits: list[float] = []
    loop = asyncio.get_running_loop()

    def later(seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        waits.append(seconds)
        return loop.call_later(0, do)

    async with talk(later=later) as (printer, host):
        printer.set(mm_per_s=150.0)
        await host.ask(b"A\n\x1bJ\xc8B\n\x1dV\x00" + MARK, len(MARKED))
        assert printer.slips[0].mm == (30 + 200 + 30) / 8
        assert sum(waits) == pytest.approx(printer.slips[0].mm / 150.0)


def test_the_looks_of_characters() -> None:
    styles = [style for item in Parser().feed(b"\x1b-\x01a\x1b-\x00\x1dB\x01b\x1dB\x00\x1bM\x01c\n") if isinstance(item, Line)
              for _, style in item.runs]  # fmt: skip
    assert styles == [Style(underline=True), Style(invert=True), Style(small=True)]


@pytest.mark.parametrize(("page", "byte"), [(0, b"\x82"), (2, b"\x82"), (16, b"\xe9"), (19, b"\x82")])
def test_code_pages(page: int, byte: bytes) -> None:
    assert [item.text for item in Parser().feed(bytes((0x1B, 0x74, page)) + byte + b"\n") if isinstance(item, Line)] == ["\u00e9"]


@pytest.mark.parametrize("head", [b"\x1d(L\x0b\x00", b"\x1d8L\x0b\x00\x00\x00"])
def test_graphics_are_kept_and_then_printed(head: bytes) -> None:
    stored = head + b"0p0\x01\x011\x08\x00\x01\x00\xf0"
    expected: list[Operation] = [Raster(8, (b"\xf0",))]
    assert Parser().feed(stored) == []
    assert Parser().feed(stored + b"\x1d(L\x02\x0002") == expected


@pytest.mark.parametrize("command", [b"\x1dkI\x06{BA001", b"\x1dk\x04A001\x00"])
def test_a_barcode_is_drawn(command: bytes) -> None:
    (bars,) = Parser().feed(command)
    assert isinstance(bars, Bars) and bars.data == "A001"
    assert PrintedSlip((bars,)).picture().height == 162 + 2 * 12 + 2 * 24


def test_every_word_of_a_person_is_a_mood() -> None:
    for thing, words in SWITCHES.items():
        for word in words:
            assert isinstance(changed(Mood(), (thing, word)), Mood)
    assert changed(Mood(), ("speed", "150")).mm_per_s == 150.0
    assert set(SWITCHES["clone"]) == set(CLONES)


@pytest.mark.parametrize("words", [("paper", "gone"), ("slow", "-1"), ("slow", "nan"), ("door", "open"), ("paper",), ()])
def test_other_words_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        changed(Mood(), words)


async def test_as_a_program_for_other_software(tmp_path: Path) -> None:
    control, slips = tmp_path / "control", tmp_path / "slips"
    line = ("-m", "kiosd_sim.printer", "--tcp", "0", "--slips", str(slips), "--control", str(control))
    program = await asyncio.create_subprocess_exec(sys.executable, *line, stdout=asyncio.subprocess.PIPE)
    assert program.stdout is not None
    async with asyncio.timeout(30):
        port = (await program.stdout.readline()).decode().split()[-1]
        while not control.exists():  # noqa: ASYNC110 - another program makes it
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(control)
        writer.write(b"paper near\npaper gone\nstate\n")
        assert await reader.readline() == b"ok\n"
        assert (await reader.readline()).startswith(b"error: ")
        assert json.loads(await reader.readline())["paper"] == "near"
        host = Line9100(*await asyncio.open_connection("127.0.0.1", int(port.rpartition(":")[2])))
        assert await host.ask(b"A001\n\x1dV\x00" + b"\x10\x04\x04", 1) == b"\x1e"
        assert (await program.stdout.readline()).startswith(b"slip 1: ")
        assert (slips / "00001.txt").read_text(encoding="utf-8") == "A001\n"
        assert (slips / "00001.png").stat().st_size > 0
        writer.close()
        host.writer.close()
        program.terminate()
        assert await program.wait() == 0


@pytest.mark.parametrize(
    ("wire", "status", "why"),
    [
        (("--tcp", "{taken}"), 1, "Address already in use"),
        (("--tcp", "65536"), 2, "0 to 65535"),
        (("--tcp", "00655369"), 2, "0 to 65535"),
        (("--gadget", "/nowhere/g_printer0"), 1, "No such file or directory: '/nowhere/g_printer0'"),
        (("--pty", "/nowhere/printer"), 1, "No such file or directory"),
        (("--tcp", "0", "--control", "/nowhere/control"), 1, "No such file or directory"),
    ],
)
def test_a_program_that_cannot_be_where_it_was_told_to_be_says_why(wire: tuple[str, ...], status: int, why: str, tmp_path: Path) -> None:
    with tcp() as taken:
        line = [word.format(taken=taken.getsockname()[1]) for word in wire]
        command = (sys.executable, "-m", "kiosd_sim.printer", *line, "--slips", str(tmp_path))
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, why in done.stderr, "Traceback" in done.stderr) == (status, True, False)


async def test_behind_a_usb_gadget() -> None:
    """A pty stands for the gadget's file: it has the same two directions and waits in the same way."""
    near, far = os.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    try:
        async with asyncio.timeout(10), sim_printer_gadget(Path(os.ttyname(far))) as printer:
            os.write(near, b"A001\n\x1dV\x00\x10\x04\x04")
            assert (await printer.next_slip()).text == "A001"
            assert os.read(near, 10) == b"\x12"
            await printer.unplug()
            await printer.plug()
            os.write(near, b"A002\n\x1dV\x00")
            assert (await printer.next_slip()).text == "A002"
    finally:
        os.close(near)
        os.close(far)
