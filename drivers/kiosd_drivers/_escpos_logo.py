"""A picture for the head of every ticket: a PNG file as ``GS v 0`` raster, in slices that fit a small printer's buffer."""

import io
import stat
import struct
from pathlib import Path
from typing import Any

DOTS_PER_COLUMN = 12  # font A
MOST_BYTES = 262_144
MOST_DOTS = 400  # of height: 50 mm
PNG, PNG_SIZE = b"\x89PNG\r\n\x1a\n", slice(16, 24)  # width and height in the first chunk, IHDR (PNG specification 11.2.2)
SLICE_DOTS = 64  # 3 to 4.5 KB
CENTRED = b"\x1ba\x01"
REAL_TIME = (b"\x10\x04", b"\x10\x05", b"\x10\x14")
"""Commands that a printer obeys even inside a picture (hardware section 1, pitfall 10): one dot more, and they are none."""


def load_logo(path: str, columns: int) -> bytes:
    """The picture in the file at ``path`` for paper of ``columns``, ready to be sent; ``ValueError`` says what is wrong with it."""
    width = columns * DOTS_PER_COLUMN
    try:
        ink = _ink(_small_png(Path(path), width))
    except _Unfit as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # Pillow has no base of its errors, and no picture is worth a printer
        words = error.strerror if isinstance(error, OSError) and error.strerror else "not a PNG picture"
        raise ValueError(f"{path}: {words}") from error
    row = (ink.width + 7) // 8
    data: bytes = ink.tobytes()
    slices = [data[at : at + row * SLICE_DOTS] for at in range(0, len(data), row * SLICE_DOTS)]
    return CENTRED + b"".join(_raster(part, row) for part in slices)


class _Unfit(Exception):
    """What is wrong with a file, in words."""


def _small_png(path: Path, width: int) -> bytes:
    """The file at ``path``, if its size and the dots that its first chunk claims are small: a few bytes may claim gigabytes."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # opening a pipe waits for whoever writes into it
        raise _Unfit("not a file")
    if about.st_size > MOST_BYTES:
        raise _Unfit(f"larger than {MOST_BYTES} bytes")
    data = path.read_bytes()
    if not data.startswith(PNG) or len(data) < PNG_SIZE.stop:
        raise _Unfit("not a PNG picture")
    claimed = struct.unpack(">II", data[PNG_SIZE])
    if claimed[0] > width or claimed[1] > MOST_DOTS:
        raise _Unfit(f"{claimed[0]} x {claimed[1]} dots; allowed on this paper: {width} x {MOST_DOTS}")
    return data


def _ink(data: bytes) -> Any:
    """One bit for each dot, 1 is black; what is transparent is paper."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        paper = Image.new("RGBA", picture.size, "white")
        seen = Image.alpha_composite(paper, picture.convert("RGBA")).convert("L")
        return ImageChops.invert(seen).convert("1")


def _raster(data: bytes, row: int) -> bytes:
    for command in REAL_TIME:
        data = data.replace(command, bytes((command[0] | 0x08, command[1])))
    height = len(data) // row
    return b"\x1dv0\x00" + row.to_bytes(2, "little") + height.to_bytes(2, "little") + data
