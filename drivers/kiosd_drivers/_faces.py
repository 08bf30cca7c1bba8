"""Frames of counter boards, as a configuration describes them: from a face to its bytes; pure.

A frame is written as words with spaces between them::

    frame = '02 "A" {counter:2} {digits:4} {sum8} 03'

| word | is |
|---|---|
| ``02`` | one byte, two hexadecimal digits |
| ``"A"`` | ASCII text |
| ``{number:5}`` | the ticket's number, D005, so many characters wide, spaces after it |
| ``{digits:4}`` ``{digits:u16}`` | the number in digits, zeros before them; or as a binary number of two bytes, high byte first |
| ``{letter:1}`` ``{lamp:u8}`` | its letter; or a byte with one bit for it, A is bit 0, H bit 7 |
| ``{counter:2}`` ``{counter:u8}`` ``{counter:u16}`` | the counter, likewise |
| ``{message:20}`` | the message, cut to so many characters, spaces after it |
| ``{attention:u8}`` | 1 while a call is fresh, then 0 |
| ``{sum8}`` ``{xor8}`` ``{neg8}`` | checksum of the bytes before it: sum, exclusive or, two's complement of the sum |
| ``{crc16}`` | CRC-16 of Modbus, low byte first |
| ``{sum8@1}`` ``{sum8@1-6}`` | a checksum without the first byte; of the second byte to the sixth |
| ``{xor8@6:hex}`` | a checksum as hexadecimal digits of text |

What a face does not have is spaces (binary: 0). What does not fit is dashes (binary: 0): no number is better than another one.
``_letters.py`` says what becomes of a letter where there are digits only. Everything that comes from a face is printable ASCII before it
becomes bytes, so that no text can be a control code.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

from kiosd.ports import Face, safe_text
from kiosd_drivers._letters import Letters, digits, lamp, letter

MAX_FRAME = 255  # bytes
U16_DIGITS = 4  # of a number whose letter is a digit, in two bytes: five would not fit


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a face can have: as text of a width, ``""`` for nothing; and as a number, in ``bits`` bits."""

    text: Callable[[Face, int, Letters | None], str] | None = None
    value: Callable[[Face, Letters | None], int] | None = None
    bits: tuple[int, ...] = ()


def _value(face: Face, letters: Letters | None) -> int:
    shown = digits(face.number, U16_DIGITS if isinstance(letters, dict) else 5, letters)
    return int(shown) if shown.isdecimal() else 0


FIELDS = {
    "number": Field(lambda face, width, _: face.number.ljust(width)),
    "digits": Field(lambda face, width, letters: digits(face.number, width, letters), _value, (16,)),
    "letter": Field(lambda face, width, _: letter(face.number).ljust(width)),
    "lamp": Field(value=lambda face, _: lamp(face.number), bits=(8,)),
    "counter": Field(
        lambda face, width, _: " " * width if face.counter is None else str(face.counter).zfill(width),
        lambda face, _: face.counter or 0,
        (8, 16),
    ),
    "message": Field(lambda face, width, _: face.message[:width].ljust(width)),
    "attention": Field(value=lambda face, _: int(face.attention), bits=(8,)),
}


def crc16(data: bytes) -> int:
    """CRC-16 of Modbus: polynomial A001h (8005h mirrored), from FFFFh."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


CHECKS: dict[str, Callable[[bytes], bytes]] = {
    "sum8": lambda data: bytes([sum(data) & 0xFF]),
    "xor8": lambda data: bytes([reduce(xor, data, 0)]),
    "neg8": lambda data: bytes([-sum(data) & 0xFF]),
    "crc16": lambda data: crc16(data).to_bytes(2, "little"),
}

Part = Callable[[Face, bytes], bytes]
"""One word of a frame: makes its bytes from the face and the bytes before it."""

WORD = re.compile(r'"[^"]*"|\{[^{}]*\}|[^\s"{}]+|\S')
FIELD = re.compile(r"\{(\w+):(?:u(8|16)|([1-9]\d?))\}", re.ASCII)
CHECK = re.compile(r"\{(\w+)(?:@(\d{1,3})(?:-(\d{1,3}))?)?(:hex)?\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the configuration describes it; ``parse`` raises ``ValueError`` with a sentence for a person."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str, letters: Letters | None = None) -> "Frame":
        parts: list[Part] = []
        size, shown = 0, set[str]()
        for word in WORD.findall(text):
            part, length = _part(word, size, letters)
            parts.append(part)
            size += length
            if found := FIELD.fullmatch(word):
                shown.add(found[1])
        if not shown:
            raise ValueError(f"a frame shows something: it needs at least one of {_choices()}")
        if size > MAX_FRAME:
            raise ValueError(f"a frame of {size} bytes: at most {MAX_FRAME} are possible")
        _check_letters(shown, letters)
        return cls(tuple(parts))

    def encode(self, face: Face) -> bytes:
        """The bytes that show ``face``."""
        data = b""
        for part in self.parts:
            data += part(face, data)
        return data


def _check_letters(shown: set[str], letters: Letters | None) -> None:
    """A board must not show A012 and B012 as the same, unless somebody said so."""
    if letters is not None and "digits" not in shown:
        raise ValueError('"letters" is for frames with {digits:...}')
    if (letters == "lamp") != ("lamp" in shown):
        raise ValueError('letters = "lamp" and {lamp:u8} in the frame belong together')
    if letters is None and "digits" in shown and not shown & {"number", "letter"}:
        raise ValueError(
            'the frame has digits only, so A012 and B012 would look the same: give "letters": a table like { A = 1, B = 2 }, '
            '"lamp" with {lamp:u8} in the frame, or "drop" when the letter does not matter'
        )


def _choices() -> str:
    return ", ".join(f"{{{name}:...}}" for name in FIELDS)


def _part(word: str, before: int, letters: Letters | None) -> tuple[Part, int]:
    """The part that ``word`` stands for and its length in bytes; ``before`` is how many bytes are before it."""
    if re.fullmatch("[0-9A-Fa-f]{2}", word):
        return _constant(bytes.fromhex(word)), 1
    if len(word) > 2 and word[0] == word[-1] == '"' and word.isascii() and word.isprintable():
        return _constant(word[1:-1].encode("ascii")), len(word) - 2
    if (found := FIELD.fullmatch(word)) and found[1] in FIELDS:
        return _binary(word, int(found[2]), letters) if found[2] else _text(word, int(found[3]), letters)
    if (found := CHECK.fullmatch(word)) and found[1] in CHECKS:
        return _check(word, found, before)
    raise ValueError(
        f"{word!r} is no word of a frame: write a byte as two hexadecimal digits, ASCII text in double quotes, a field with its width "
        f"({_choices()}) or a checksum ({', '.join(f'{{{name}}}' for name in CHECKS)})"
    )


def _constant(data: bytes) -> Part:
    return lambda _face, _before: data


def _field(word: str) -> Field:
    return FIELDS[word[1:].partition(":")[0]]


def _text(word: str, width: int, letters: Letters | None) -> tuple[Part, int]:
    text = _field(word).text
    if text is None:
        raise ValueError(f"{word!r}: this field can be sent in binary form only (u8)")

    def part(face: Face, _before: bytes) -> bytes:
        shown = safe_text(text(face, width, letters))
        return (shown if len(shown) == width else "-" * width).encode("ascii")

    return part, width


def _binary(word: str, bits: int, letters: Letters | None) -> tuple[Part, int]:
    field = _field(word)
    value = field.value
    if value is None or bits not in field.bits:
        allowed = ", ".join(f"u{size}" for size in field.bits) or "none"
        raise ValueError(f"{word!r}: this field cannot be sent in that binary form (possible: {allowed})")

    def part(face: Face, _before: bytes) -> bytes:
        number = value(face, letters)
        return (number if 0 <= number < 1 << bits else 0).to_bytes(bits // 8, "big")

    return part, bits // 8


def _check(word: str, found: re.Match[str], before: int) -> tuple[Part, int]:
    start, end = int(found[2] or 0), int(found[3] or before)
    if not start < end <= before:
        raise ValueError(f"{word!r} has nothing before it to sum up: {before} bytes are before it")
    check, as_text = CHECKS[found[1]], bool(found[4])

    def part(_face: Face, data: bytes) -> bytes:
        made = check(data[start:end])
        return made.hex().upper().encode("ascii") if as_text else made

    return part, len(part(Face(), bytes(before)))
