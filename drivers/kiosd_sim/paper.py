"""What comes out of the printer: a slip as a person reads it, as text and as a picture."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kiosd_sim.escpos import DOTS_PER_CHARACTER, Feed, Item, Line, QrCode, Raster, Style

LINE_DOTS = 30  # ESC/POS default line spacing, 1/6 inch
CHARACTER_DOTS = 24  # height of font A
GAP_DOTS = LINE_DOTS - CHARACTER_DOTS
FONT_DOTS = 20  # size at which a usual monospaced font is 12 dots wide
BASE_LINE = 0.79  # of the height of a character's cell
QUIET_DOTS = 12  # white above and below a code
MARGIN = 24  # paper left and right of the printed width, in the picture only
PAPER, INK = 253, 24  # shades of grey: thermal paper and its black


@dataclass(frozen=True, slots=True)
class PrintedSlip:
    """One piece of paper between two cuts; ``columns`` is its width in characters of normal size."""

    items: tuple[Item, ...]
    columns: int = 32

    @property
    def text(self) -> str:
        """What a person reads, a line for a line; a code as ``[QR data]``, a picture as ``[picture WxH]``."""
        lines = (self._words(item) for item in self.items)
        return "\n".join(line for line in lines if line is not None)

    def _words(self, item: Item) -> str | None:
        if isinstance(item, Feed):
            return None
        if isinstance(item, Line):
            words, wide = item.text, sum(len(text) * style.width for text, style in item.runs)
        elif isinstance(item, QrCode):
            words = f"[QR {item.data}]"
            wide = len(words)
        else:
            words = f"[picture {item.width}x{len(item.rows)}]"
            wide = len(words)
        # A big line is shown small, in the middle of where it stands.
        left = {"left": 0, "right": self.columns - wide}.get(item.align, (self.columns - wide) // 2)
        return " " * max(0, left + (wide - len(words)) // 2) + words

    def picture(self) -> Any:
        """The slip as a Pillow image, one pixel a dot: 384 dots wide for 32 columns, 576 for 48."""
        from PIL import Image

        parts = [_draw(item, self.columns * DOTS_PER_CHARACTER) for item in self.items]
        height = sum(part.height for part in parts)
        sheet = Image.new("L", (self.columns * DOTS_PER_CHARACTER + 2 * MARGIN, height + 2 * MARGIN), PAPER)
        top = MARGIN
        for part in parts:
            sheet.paste(INK, (MARGIN, top), part)
            top += part.height
        return sheet

    def save(self, path: Path) -> None:
        """Write the picture as a PNG file."""
        self.picture().save(path, format="PNG")


def _draw(item: Item, width: int) -> Any:
    """The ink of one item as a mask of the full width (255 is black)."""
    from PIL import Image

    if isinstance(item, Feed):
        return Image.new("L", (width, item.dots))
    if isinstance(item, Line):
        ink = _draw_line(item)
    elif isinstance(item, QrCode):
        ink = _draw_qr(item)
    else:
        ink = _draw_raster(item)
    left = {"left": 0, "right": width - ink.width}.get(item.align, (width - ink.width) // 2)
    strip = Image.new("L", (width, ink.height))
    strip.paste(ink, (max(0, left), 0))
    return strip


def _draw_line(line: Line) -> Any:
    from PIL import Image

    tall = max((style.height for _, style in line.runs), default=1) * CHARACTER_DOTS
    wide = sum(len(text) * style.width for text, style in line.runs) * DOTS_PER_CHARACTER
    ink = Image.new("L", (max(1, wide), tall + GAP_DOTS))
    left = 0
    for text, style in line.runs:
        for char in text:
            glyph = _glyph(char, style)
            ink.paste(glyph, (left, tall - glyph.height))  # characters of different sizes stand on one base line
            left += glyph.width
    return ink


@cache
def _glyph(char: str, style: Style) -> Any:
    """One character in its cell: every cell of font A has the same width, so a wider glyph of another font is squeezed into it."""
    from PIL import Image, ImageDraw

    cell = (DOTS_PER_CHARACTER * style.width, CHARACTER_DOTS * style.height)
    font, stroke = _font(FONT_DOTS * style.height, style.bold)
    wide = max(1, round(font.getlength(char)))
    glyph = Image.new("L", (wide, cell[1]))
    ImageDraw.Draw(glyph).text((0, round(cell[1] * BASE_LINE)), char, font=font, fill=255, anchor="ls", stroke_width=stroke)
    natural = round(wide * style.width / style.height)
    fitted = glyph.resize((min(cell[0], natural), cell[1]), Image.Resampling.LANCZOS)
    ink = Image.new("L", cell)
    ink.paste(fitted, ((cell[0] - fitted.width) // 2, 0))
    return ink


@cache
def _font(size: int, bold: bool) -> tuple[Any, int]:
    """A font like a printer's where the machine has one, else Pillow's own, which is made bold by a stroke of so many dots."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype("DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf", size), 0
    except OSError:
        return ImageFont.load_default(size), size // 20 if bold else 0


def _draw_qr(code: QrCode) -> Any:
    import qrcode
    from PIL import Image

    # ESC/POS counts levels L M Q H from 0; the qrcode package numbers them as the standard's format bits do.
    symbol = qrcode.QRCode(error_correction=(1, 0, 3, 2)[code.level], box_size=1, border=0)
    symbol.add_data(code.data)
    modules = symbol.get_matrix()
    side = len(modules)
    ink = Image.new("L", (side, side))
    ink.putdata([255 if dark else 0 for row in modules for dark in row])
    ink = ink.resize((side * code.dots, side * code.dots), Image.Resampling.NEAREST)
    framed = Image.new("L", (ink.width, ink.height + 2 * QUIET_DOTS))
    framed.paste(ink, (0, QUIET_DOTS))
    return framed


def _draw_raster(raster: Raster) -> Any:
    from PIL import Image

    picture = Image.frombytes("1", (raster.width, len(raster.rows)), b"".join(raster.rows))
    return picture.convert("L")
