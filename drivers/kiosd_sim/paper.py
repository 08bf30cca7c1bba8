"""What comes out of the printer: a slip as a person reads it, as text and as a picture."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kiosd_sim.operations import FONT_A, Bars, Feed, Item, Line, QrCode, Raster, Style

DOTS_PER_MM = 8  # 203 dots an inch
FONT_SIZE = 20 / 24  # of a cell's height: there a usual monospaced font is 12 dots wide
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

    @property
    def mm(self) -> float:
        """How long it is."""
        return sum(map(dots, self.items)) / DOTS_PER_MM

    def _words(self, item: Item) -> str | None:
        if isinstance(item, Feed):
            return None
        if isinstance(item, Line):
            words, wide = item.text, sum(len(text) * style.cell[0] for text, style in item.runs) // FONT_A[0]
        elif isinstance(item, QrCode):
            words = f"[QR {item.data}]"
            wide = len(words)
        elif isinstance(item, Bars):
            words = f"[{item.kind} {item.data}]"
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

        parts = [_draw(item, self.columns * FONT_A[0]) for item in self.items]
        height = sum(part.height for part in parts)
        sheet = Image.new("L", (self.columns * FONT_A[0] + 2 * MARGIN, height + 2 * MARGIN), PAPER)
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
    elif isinstance(item, Bars):
        ink = _draw_bars(item)
    else:
        ink = _draw_raster(item)
    left = {"left": 0, "right": width - ink.width}.get(item.align, (width - ink.width) // 2)
    strip = Image.new("L", (width, ink.height))
    strip.paste(ink, (max(0, left), 0))
    return strip


def _draw_line(line: Line) -> Any:
    from PIL import Image

    tall = max((style.cell[1] for _, style in line.runs), default=0)
    wide = sum(len(text) * style.cell[0] for text, style in line.runs)
    ink = Image.new("L", (max(1, wide), dots(line)))
    left = 0
    for text, style in line.runs:
        for char in text:
            glyph = _glyph(char, style)
            ink.paste(glyph, (left, tall - glyph.height))  # characters of different sizes stand on one base line
            left += glyph.width
    return ink


@cache
def _glyph(char: str, style: Style) -> Any:
    """One character in its cell: every cell has the width of its font, so a wider glyph of another font is squeezed into it."""
    from PIL import Image, ImageChops, ImageDraw

    cell = style.cell
    font, stroke = _font(round(FONT_SIZE * cell[1]), style.bold)
    wide = max(1, round(font.getlength(char)))
    glyph = Image.new("L", (wide, cell[1]))
    ImageDraw.Draw(glyph).text((0, round(cell[1] * BASE_LINE)), char, font=font, fill=255, anchor="ls", stroke_width=stroke)
    natural = round(wide * style.width / style.height)
    fitted = glyph.resize((min(cell[0], natural), cell[1]), Image.Resampling.LANCZOS)
    ink = Image.new("L", cell)
    ink.paste(fitted, ((cell[0] - fitted.width) // 2, 0))
    if style.underline:
        ImageDraw.Draw(ink).line((0, cell[1] - 1, cell[0], cell[1] - 1), fill=255, width=style.height)
    return ImageChops.invert(ink) if style.invert else ink


@cache
def _font(size: int, bold: bool) -> tuple[Any, int]:
    """A font like a printer's where the machine has one, else Pillow's own, which is made bold by a stroke of so many dots."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype("DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf", size), 0
    except OSError:
        return ImageFont.load_default(size), size // 20 if bold else 0


@cache
def _modules(data: str, level: int) -> tuple[tuple[bool, ...], ...]:
    """The squares of a QR code, row by row."""
    import qrcode

    # ESC/POS counts levels L M Q H from 0; the qrcode package numbers them as the standard's format bits do.
    symbol = qrcode.QRCode(error_correction=(1, 0, 3, 2)[level], box_size=1, border=0)
    symbol.add_data(data)
    return tuple(map(tuple, symbol.get_matrix()))


def _draw_qr(code: QrCode) -> Any:
    from PIL import Image

    modules = _modules(code.data, code.level)
    side = len(modules)
    ink = Image.new("L", (side, side))
    ink.putdata([255 if dark else 0 for row in modules for dark in row])
    ink = ink.resize((side * code.dots, side * code.dots), Image.Resampling.NEAREST)
    return _framed(ink)


def _framed(ink: Any) -> Any:
    from PIL import Image

    framed = Image.new("L", (ink.width, ink.height + 2 * QUIET_DOTS))
    framed.paste(ink, (0, QUIET_DOTS))
    return framed


def _draw_bars(bars: Bars) -> Any:
    import barcode  # type: ignore[import-untyped]  # has no type hints
    from PIL import Image

    options: dict[str, Any] = {"add_checksum": False} if bars.kind == "code39" else {}
    pattern = barcode.get_barcode_class(bars.kind)(bars.data, **options).build()[0]
    ink = Image.new("L", (len(pattern), 1))
    ink.putdata([255 if bar == "1" else 0 for bar in pattern])
    return _framed(ink.resize((len(pattern) * bars.dots, bars.height), Image.Resampling.NEAREST))


def _draw_raster(raster: Raster) -> Any:
    from PIL import Image

    picture = Image.frombytes("1", (raster.width, len(raster.rows)), b"".join(raster.rows))
    return picture.convert("L")


def dots(item: Item) -> int:
    """How far the paper moves for it."""
    if isinstance(item, Feed):
        return item.dots
    if isinstance(item, Line):
        return max(item.spacing, *(style.cell[1] for _, style in item.runs), 1)
    if isinstance(item, QrCode):
        return len(_modules(item.data, item.level)) * item.dots + 2 * QUIET_DOTS
    return item.height + 2 * QUIET_DOTS if isinstance(item, Bars) else len(item.rows)
