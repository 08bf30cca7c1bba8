"""How simulated boards look: characters of a vacuum-fluorescent display, seven segments, dots of a matrix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
GLASS: Colour = (8, 14, 12)
VFD, VFD_DARK = (90, 255, 190), (12, 26, 22)
RED, RED_DARK = (255, 48, 32), (42, 10, 8)
SCALE = 4
CELL_W, CELL_H, BORDER = 9, 14, 6

SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg", "6": "acdefg", "7": "abc", "8": "abcdefg",
    "9": "abcdfg", "A": "abcefg", "B": "cdefg", "C": "adef", "D": "bcdeg", "E": "adefg", "F": "aefg", "G": "acdef", "H": "bcefg",
    "-": "g", " ": "",
}  # fmt: skip
"""Character -> lit segments: a is the top one, then clockwise b to f, g is the middle."""
STROKES = {
    "a": (3, 0, 15, 3), "b": (15, 3, 18, 15), "c": (15, 18, 18, 30), "d": (3, 30, 15, 33), "e": (0, 18, 3, 30), "f": (0, 3, 3, 15),
    "g": (3, 15, 15, 18),
}  # fmt: skip
DIGIT_W, DIGIT_H = 26, 42


def characters(lines: Sequence[str], columns: int) -> "Image.Image":
    """Lines of text on a display of ``columns`` characters."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (columns * CELL_W + 2 * BORDER, len(lines) * CELL_H + 2 * BORDER), GLASS)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"  # dots are lit or not
    for row, line in enumerate(lines):
        for column, char in enumerate(line[:columns].ljust(columns)):
            left, top = BORDER + column * CELL_W, BORDER + row * CELL_H
            draw.rectangle((left, top, left + CELL_W - 2, top + CELL_H - 2), fill=VFD_DARK)
            draw.text((left, top), char, fill=VFD)
    return _enlarged(image)


def segments(lines: Sequence[str]) -> "Image.Image":
    """Lines of numerals, one below the other; characters that seven segments cannot show stay dark."""
    from PIL import Image, ImageDraw

    columns = max((len(line) for line in lines), default=1)
    image = Image.new("RGB", (columns * DIGIT_W + 2 * BORDER, max(1, len(lines)) * DIGIT_H + 2 * BORDER), GLASS)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        for column, char in enumerate(line.ljust(columns)):
            _digit(draw, BORDER + column * DIGIT_W + 4, BORDER + row * DIGIT_H + 4, SEGMENTS.get(char.upper(), ""))
    return _enlarged(image)


def _digit(draw: "ImageDraw.ImageDraw", left: int, top: int, lit: str) -> None:
    for name, (x1, y1, x2, y2) in STROKES.items():
        draw.rectangle((left + x1, top + y1, left + x2, top + y2), fill=RED if name in lit else RED_DARK)


def dots(rows: Sequence[str]) -> "Image.Image":
    """A matrix: ``#`` is a lit dot."""
    from PIL import Image, ImageDraw

    pitch = 4  # a dot and the dark between two
    image = Image.new("RGB", (max(map(len, rows), default=1) * pitch + 2 * BORDER, len(rows) * pitch + 2 * BORDER), GLASS)
    draw = ImageDraw.Draw(image)
    for y, row in enumerate(rows):
        for x, dot in enumerate(row):
            left, top = BORDER + x * pitch, BORDER + y * pitch
            draw.rectangle((left, top, left + pitch - 2, top + pitch - 2), fill=RED if dot == "#" else RED_DARK)
    return _enlarged(image)


def _enlarged(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    return image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.NEAREST)
