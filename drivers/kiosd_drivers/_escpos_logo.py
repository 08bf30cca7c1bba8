"""A picture for the head of every ticket: a PNG file as ``GS v 0`` raster, in slices that fit a small printer's buffer."""

from pathlib import Path
from typing import Any

DOTS_PER_COLUMN = 12  # font A
MOST_BYTES = 262_144
MOST_DOTS = 400  # of height: 50 mm
SLICE_DOTS = 64  # 3 to 4.5 KB
CENTRED = b"\x1ba\x01"
REAL_TIME = (b"\x10\x04", b"\x10\x05", b"\x10\x14")
"""Commands that a printer obeys even inside a picture (hardware section 1, pitfall 10): one dot more, and they are none."""


def load_logo(path: str, columns: int) -> bytes:
    """The picture in the file at ``path`` for paper of ``columns``, ready to be sent; ``ValueError`` says what is wrong with it."""
    width = columns * DOTS_PER_COLUMN
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise ValueError(f"{path}: larger than {MOST_BYTES} bytes")
        ink = _ink(path, width)
    except (OSError, SyntaxError) as error:  # Pillow says SyntaxError for a broken file
        words = error.strerror if isinstance(error, OSError) and error.strerror else "not a PNG picture"
        raise ValueError(f"{path}: {words}") from error
    row = (ink.width + 7) // 8
    data: bytes = ink.tobytes()
    slices = [data[at : at + row * SLICE_DOTS] for at in range(0, len(data), row * SLICE_DOTS)]
    return CENTRED + b"".join(_raster(part, row) for part in slices)


def _ink(path: str, width: int) -> Any:
    """One bit for each dot, 1 is black; what is transparent is paper."""
    from PIL import Image, ImageChops

    with Image.open(path, formats=("PNG",)) as picture:
        if picture.width > width or picture.height > MOST_DOTS:
            size = f"{picture.width} x {picture.height}"
            raise ValueError(f"{path}: {size} dots; allowed on this paper: {width} x {MOST_DOTS}")
        paper = Image.new("RGBA", picture.size, "white")
        seen = Image.alpha_composite(paper, picture.convert("RGBA")).convert("L")
        return ImageChops.invert(seen).convert("1")


def _raster(data: bytes, row: int) -> bytes:
    for command in REAL_TIME:
        data = data.replace(command, bytes((command[0] | 0x08, command[1])))
    height = len(data) // row
    return b"\x1dv0\x00" + row.to_bytes(2, "little") + height.to_bytes(2, "little") + data
