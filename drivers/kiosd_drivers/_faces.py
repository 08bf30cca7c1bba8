"""What a call display gets for a face: bytes of the CD5220 dialect, or of a frame that the configuration describes; pure.

A frame is written as words with spaces between them::

    frame = '02 "A" {counter:2} {digits:4} {sum8} 03'

| word | is |
|---|---|
| ``02`` | one byte, two hexadecimal digits |
| ``"A"`` | ASCII text |
| ``{number:5}`` | the ticket's number, D005, so many characters wide, spaces after it |
| ``{digits:4}`` ``{digits:u16}`` | its digits, zeros before them; or as a binary number of two bytes, high byte first |
| ``{counter:2}`` ``{counter:u8}`` ``{counter:u16}`` | the counter, likewise |
| ``{message:20}`` | the message, cut to so many characters, spaces after it |
| ``{sum8}`` ``{xor8}`` ``{sum8@1}`` | checksum of the bytes before it; ``@1`` leaves out the first, ``@2`` the first two ... |

What a face does not have is spaces (binary: 0). What does not fit is dashes (binary: 0): no number is better than another one.
Everything that comes from a face is printable ASCII before it becomes bytes, so that no text can be a control code.
"""

import re
import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

from kiosd.ports import Face

MAX_FRAME = 255  # bytes
COLUMNS = 20  # of a CD5220 display; it has two lines


def plain(text: str) -> str:
    """``text`` as a display can show it: letters without their accents, spaces for control characters, ``?`` for the rest."""
    known = unicodedata.normalize("NFKD", "".join(" " if unicodedata.category(char) == "Cc" else char for char in text))
    shown = "".join(char for char in known if not unicodedata.combining(char))
    return shown.encode("ascii", "replace").decode("ascii")


CD5220_INIT = b"\x1b@\x0c"  # ESC @ initialise, CLR
CD5220_LINES = (b"\x1bQA", b"\x1bQB")  # ESC Q A text CR: upper line, ESC Q B text CR: lower line


def cd5220(face: Face, number_word: str, counter_word: str) -> bytes:
    """Both lines of a 2x20 display, whole: overwriting does not flicker as clearing does."""
    if face.number:
        counter = face.message if face.counter is None else f"{counter_word} {face.counter}"
        lines = [f"{number_word} {face.number}", counter]
    else:
        lines = textwrap.wrap(plain(face.message), COLUMNS, max_lines=len(CD5220_LINES), placeholder="...")
    lines += [""] * (len(CD5220_LINES) - len(lines))
    return b"".join(
        start + plain(line)[:COLUMNS].ljust(COLUMNS).encode("ascii") + b"\r" for start, line in zip(CD5220_LINES, lines, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a face can have. ``align`` lays it out in so many characters; ``bits`` are the binary sizes it may be sent in."""

    value: Callable[[Face], str]
    align: Callable[[str, int], str]
    bits: tuple[int, ...] = ()


def _digits(face: Face) -> str:
    return "".join(char for char in face.number if char in "0123456789")


def _counter(face: Face) -> str:
    return "" if face.counter is None else str(face.counter)


def _cut(text: str, width: int) -> str:
    return text[:width].ljust(width)


FIELDS = {
    "number": Field(lambda face: face.number, str.ljust),
    "digits": Field(_digits, str.zfill, bits=(16,)),
    "counter": Field(_counter, str.zfill, bits=(8, 16)),
    "message": Field(lambda face: face.message, _cut),
}
CHECKS: dict[str, Callable[[bytes], int]] = {
    "sum8": lambda data: sum(data) & 0xFF,
    "xor8": lambda data: reduce(xor, data, 0),
}

Part = Callable[[Face, bytes], bytes]
"""One word of a frame: makes its bytes from the face and the bytes before it."""

WORD = re.compile(r'"[^"]*"|\{[^{}]*\}|[^\s"{}]+|\S')
FIELD = re.compile(r"\{(\w+):(?:u(8|16)|([1-9]\d?))\}", re.ASCII)
CHECK = re.compile(r"\{(\w+)(?:@(\d{1,2}))?\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the configuration describes it; ``parse`` raises ``ValueError`` with a sentence for a person."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> "Frame":
        parts: list[Part] = []
        size, shows = 0, False
        for word in WORD.findall(text):
            part, length = _part(word, size)
            parts.append(part)
            size += length
            shows = shows or FIELD.fullmatch(word) is not None
        if not shows:
            raise ValueError(f"a frame shows something: it needs at least one of {_choices()}")
        if size > MAX_FRAME:
            raise ValueError(f"a frame of {size} bytes: at most {MAX_FRAME} are possible")
        return cls(tuple(parts))

    def encode(self, face: Face) -> bytes:
        """The bytes that show ``face``."""
        data = b""
        for part in self.parts:
            data += part(face, data)
        return data


def _choices() -> str:
    return ", ".join(f"{{{name}:...}}" for name in FIELDS)


def _part(word: str, before: int) -> tuple[Part, int]:
    """The part that ``word`` stands for and its length in bytes; ``before`` is how many bytes are before it."""
    if re.fullmatch("[0-9A-Fa-f]{2}", word):
        return _constant(bytes.fromhex(word)), 1
    if len(word) > 2 and word[0] == word[-1] == '"' and word.isascii() and word.isprintable():
        return _constant(word[1:-1].encode("ascii")), len(word) - 2
    if (found := FIELD.fullmatch(word)) and found[1] in FIELDS:
        return _binary(word, FIELDS[found[1]], int(found[2])) if found[2] else _text(FIELDS[found[1]], int(found[3]))
    if (found := CHECK.fullmatch(word)) and found[1] in CHECKS:
        return _check(word, CHECKS[found[1]], int(found[2] or 0), before), 1
    raise ValueError(
        f"{word!r} is no word of a frame: write a byte as two hexadecimal digits, ASCII text in double quotes, a field with its width "
        f"({_choices()}) or a checksum ({', '.join(f'{{{name}}}' for name in CHECKS)})"
    )


def _constant(data: bytes) -> Part:
    return lambda _face, _before: data


def _text(field: Field, width: int) -> tuple[Part, int]:
    def part(face: Face, _before: bytes) -> bytes:
        value = plain(field.value(face))
        shown = field.align(value, width) if value else " " * width
        return (shown if len(shown) == width else "-" * width).encode("ascii")

    return part, width


def _binary(word: str, field: Field, bits: int) -> tuple[Part, int]:
    if bits not in field.bits:
        allowed = ", ".join(f"u{size}" for size in field.bits) or "none"
        raise ValueError(f"{word!r}: this field cannot be sent in that binary form (possible: {allowed})")

    def part(face: Face, _before: bytes) -> bytes:
        value = int(field.value(face) or 0)
        return (value if 0 <= value < 1 << bits else 0).to_bytes(bits // 8, "big")

    return part, bits // 8


def _check(word: str, check: Callable[[bytes], int], start: int, before: int) -> Part:
    if start >= before:
        raise ValueError(f"{word!r} has nothing before it to sum up: {before} bytes are before it")
    return lambda _face, data: bytes([check(data[start:])])
