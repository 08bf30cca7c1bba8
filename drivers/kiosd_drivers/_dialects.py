"""Languages of customer displays with two lines of 20 characters, as a table; pure.

Where the bytes come from: CD5220 and Epson stand so in a dozen manuals of makers that sell the same displays; DSP800 as in the manual
of a maker that has it as one of its modes (positions 31 to 58 hexadecimal; the display answers 06 or 15, which nobody reads).
"""

import textwrap
from dataclasses import dataclass

from kiosd.ports import Face, safe_text

COLUMNS = 20
ROWS = 2


@dataclass(frozen=True, slots=True)
class Dialect:
    """Bytes of one language.

    ``init`` once, after opening; it clears. ``setup`` before every face, for a display that lost its power meanwhile. A row is its
    ``starts``, 20 characters and ``end``: overwriting does not flicker as clearing does. ``dim`` sets a brightness of 1 to 4 and is sent
    with ``init`` or, where the language allows it in between, with ``setup``.
    """

    init: bytes
    starts: tuple[bytes, bytes]
    end: bytes = b""
    setup: bytes = b""
    dim: bytes | None = None
    dims_always: bool = False


DIALECTS = {
    # ESC @ initialise, CLR. ESC Q A text CR writes the upper line, ESC Q B the lower one; between these two no other command counts, so
    # ESC * n (brightness) goes before them.
    "cd5220": Dialect(b"\x1b@\x0c", (b"\x1bQA", b"\x1bQB"), b"\r", dim=b"\x1b*"),
    # ESC @, CLR. US MD1 overwrite mode, US C 0 no cursor, US E 0 no blinking. US $ column row. US X n brightness.
    "epson": Dialect(
        b"\x1b@\x0c", (b"\x1f$\x01\x01", b"\x1f$\x01\x02"), setup=b"\x1f\x01\x1fC\x00\x1fE\x00", dim=b"\x1fX", dims_always=True
    ),
    # EOT SOH C first last ETB clears positions 1 (31h) to 40 (58h); EOT SOH P position ETB moves the cursor.
    "dsp800": Dialect(b"\x04\x01C\x31\x58\x17", (b"\x04\x01P\x31\x17", b"\x04\x01P\x45\x17")),
}


@dataclass(frozen=True, slots=True)
class TwoLines:
    """A display of one dialect and the words on it."""

    dialect: Dialect
    number_word: str
    counter_word: str
    brightness: int | None = None

    @property
    def init(self) -> bytes:
        """What prepares the display."""
        return self.dialect.init + self._dim

    @property
    def _dim(self) -> bytes:
        return b"" if self.brightness is None or self.dialect.dim is None else self.dialect.dim + bytes([self.brightness])

    def encode(self, face: Face) -> bytes:
        """The bytes that show ``face``, both lines whole."""
        setup = self.dialect.setup + (self._dim if self.dialect.dims_always else b"")
        lines = zip(self.dialect.starts, rows(face, self.number_word, self.counter_word), strict=True)
        return setup + b"".join(start + row.encode("ascii") + self.dialect.end for start, row in lines)


def rows(face: Face, number_word: str, counter_word: str) -> list[str]:
    """Both lines of ``face``, each of exactly 20 printable ASCII characters."""
    if face.number:
        counter = face.message if face.counter is None else f"{counter_word} {face.counter}"
        lines = [f"{number_word} {face.number}", counter]
    else:
        lines = textwrap.wrap(safe_text(face.message), COLUMNS, max_lines=ROWS, placeholder="...")
    lines += [""] * (ROWS - len(lines))
    return [safe_text(line)[:COLUMNS].ljust(COLUMNS) for line in lines]
