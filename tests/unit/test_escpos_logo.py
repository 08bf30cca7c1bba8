"""A logo on the ticket: what comes out is the picture, and a bad file costs the picture only."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from kiosd.ports import Outcome
from kiosd_drivers._escpos_encoder import Paper, encode
from kiosd_drivers._escpos_logo import MOST_BYTES, load_logo
from kiosd_sim.escpos import Parser, Raster
from kiosd_sim.printer import sim_printer_pty
from support.printers import READ, SLIP, first, opened, read


def picture(path: Path, width: int, height: int) -> Image.Image:
    """A black frame with a white middle, and a transparent corner."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    image.paste((255, 255, 255, 255), (2, 2, width - 2, height - 2))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(path)
    return image


def printed(data: bytes, columns: int = 32) -> list[str]:
    """The picture's rows as a printer draws them, slices put together."""
    rows = [row for item in Parser(columns).feed(data) if isinstance(item, Raster) for row in item.rows]
    return ["".join(f"{byte:08b}" for byte in row) for row in rows]


@pytest.mark.parametrize(("width", "height"), [(384, 200), (5, 5), (13, 65), (100, 64)])
def test_the_picture_is_what_comes_out_dot_for_dot(tmp_path: Path, width: int, height: int) -> None:
    picture(tmp_path / "logo.png", width, height)
    rows = printed(load_logo(str(tmp_path / "logo.png"), 32))
    assert len(rows) == height
    inside = "11" + "0" * (width - 4) + "11"
    assert [row[:width] for row in rows] == ["0" + "1" * (width - 1), "1" * width, *[inside] * (height - 4), "1" * width, "1" * width]
    assert all(set(row[width:]) <= {"0"} for row in rows), "nothing beside the picture"


def test_no_slice_is_larger_than_a_small_printer_s_buffer(tmp_path: Path) -> None:
    picture(tmp_path / "logo.png", 576, 400)
    pictures = [item for item in Parser(48).feed(load_logo(str(tmp_path / "logo.png"), 48)) if isinstance(item, Raster)]
    assert sum(len(item.rows) for item in pictures) == 400
    assert max(len(item.rows) * item.width // 8 for item in pictures) <= 4608


@pytest.mark.parametrize("command", [b"\x10\x04", b"\x10\x05", b"\x10\x14"])
def test_no_real_time_command_hides_in_a_picture(tmp_path: Path, command: bytes) -> None:
    ink = bytes(0xFF ^ byte for byte in command * 2)
    Image.frombytes("1", (32, 3), ink * 3).save(tmp_path / "logo.png")
    assert command not in load_logo(str(tmp_path / "logo.png"), 32)


def _broken(path: Path) -> None:
    picture(path, 300, 200)
    path.write_bytes(path.read_bytes()[:60])


def _claims(path: Path, width: int, height: int) -> None:
    """A small file whose head says that it is huge; its checksum is right."""
    picture(path, 8, 8)
    data = path.read_bytes()
    head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    path.write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])


def _many_words(path: Path) -> None:
    """A text in it that is unpacked to more than Pillow takes: an error of a kind that no file should cause."""
    picture(path, 8, 8)
    data, text = path.read_bytes(), b"zTXt" + b"a\0\0" + zlib.compress(bytes(8_000_000))
    path.write_bytes(data[:33] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + data[33:])


BAD: dict[str, Callable[[Path], object]] = {
    "absent": lambda path: None,
    "no picture": lambda path: path.write_text("logo"),
    "cut off": _broken,
    "too wide": lambda path: picture(path, 385, 10),
    "too high": lambda path: picture(path, 10, 401),
    "another format": lambda path: Image.new("L", (8, 8)).save(path, format="BMP"),
    "says that it has 60000 x 60000 dots": lambda path: _claims(path, 60_000, 60_000),
    "says that it has 12000 x 12000 dots": lambda path: _claims(path, 12_000, 12_000),
    "has no dots": lambda path: _claims(path, 0, 0),
    "its text bursts": _many_words,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "too large": lambda path: path.write_bytes(b"\x89PNG" + bytes(MOST_BYTES)),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_picture_is_a_fault_and_no_reason_to_print_nothing(tmp_path: Path, what: str) -> None:
    BAD[what](tmp_path / "logo.png")
    with pytest.raises(ValueError, match=r"logo\.png: "):
        load_logo(str(tmp_path / "logo.png"), 32)
    async with sim_printer_pty(tmp_path / "lp") as far, opened(far.port, logo=str(tmp_path / "logo.png")) as printer:
        assert "tickets have no logo" in (await first(printer, "logo")).detail
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert read(far.slips[0].text) == READ


async def test_the_logo_stands_above_each_ticket(tmp_path: Path) -> None:
    picture(tmp_path / "logo.png", 96, 48)
    async with sim_printer_pty(tmp_path / "lp") as far, opened(far.port, logo=str(tmp_path / "logo.png")) as printer:
        for _ in range(2):
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert [read(slip.text) for slip in far.slips] == [["[picture 96x48]", *READ]] * 2
    assert encode(SLIP, Paper(32, True, None, "native")).startswith(b"\x1b@"), "without one nothing is in its place"
