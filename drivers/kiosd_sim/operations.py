"""What a printer does with the bytes of a ticket, one thing after the other: lines, codes, pictures, paper that moves, a knife."""

from dataclasses import dataclass, field

LINE_DOTS = 30  # ESC/POS default line spacing, 1/6 inch at 180 dots an inch
FONT_A, FONT_B = (12, 24), (9, 17)  # dots of a character's cell


@dataclass(frozen=True, slots=True)
class Style:
    """How characters look: ``width`` and ``height`` are multiples of the font, 1 to 8; ``small`` is font B."""

    width: int = 1
    height: int = 1
    bold: bool = False
    underline: bool = False
    invert: bool = False
    small: bool = False

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of one character in dots."""
        wide, high = FONT_B if self.small else FONT_A
        return wide * self.width, high * self.height


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line: pieces of text, each with its style; an empty one has no pieces. ``spacing`` dots to the next line at least."""

    runs: tuple[tuple[str, Style], ...] = ()
    align: str = "left"
    spacing: int = LINE_DOTS

    @property
    def text(self) -> str:
        """The characters without their looks."""
        return "".join(text for text, _ in self.runs)


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code that the printer draws itself; ``dots`` a module, ``level`` 0-3 = L, M, Q, H."""

    data: str
    dots: int = 3
    level: int = 0
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Bars:
    """A barcode: ``kind`` as the python-barcode package names it, ``dots`` of its thinnest bar, ``height`` in dots."""

    kind: str
    data: str
    dots: int = 3
    height: int = 162
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture: ``rows`` of packed bits, most significant bit left, 1 is black."""

    width: int
    rows: tuple[bytes, ...] = field(repr=False)
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Feed:
    """The paper moves ``dots`` on."""

    dots: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The knife comes down."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The host asks. In its turn: ``gs_r``, ``gs_h`` (``number`` is the id), ``reports`` (the mask of GS a; ESC @ is a 0).

    At once, whatever the printer does: ``dle_eot``, ``clear``, ``recover``.
    """

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes that this printer has no meaning for."""

    data: bytes


Item = Line | QrCode | Bars | Raster | Feed
Operation = Item | Cut | Ask | Unknown
