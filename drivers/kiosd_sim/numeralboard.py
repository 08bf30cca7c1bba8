"""The inside of boards with numerals: frames of a template, or registers of Modbus-RTU. It shares no code with ``kiosd_drivers``."""

import re
import struct
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

from kiosd_sim.pictures import SEGMENTS, characters, segments

if TYPE_CHECKING:
    from PIL import Image

Lines = tuple[str, ...]
WRITE_ONE, WRITE_MANY = 6, 16  # function codes of Modbus
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
REGISTERS = 256


def _crc_table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value % 2 else value >> 1
        return value

    return tuple(map(entry, range(256)))


CRC_TABLE = _crc_table()


def crc(data: bytes) -> bytes:
    """The two bytes that end a Modbus-RTU frame."""
    return struct.pack("<H", reduce(lambda value, byte: (value >> 8) ^ CRC_TABLE[(value ^ byte) & 0xFF], data, 0xFFFF))


def _picture(lines: Lines) -> "Image.Image":
    """Seven segments, or characters where there is more to show."""
    if all(char.upper() in SEGMENTS for line in lines for char in line):
        return segments(lines)
    return characters(lines, max(map(len, lines)))


class FrameScreen:
    """A board that understands frames of one template, its fields as lines. Anything else, a wrong sum too, is garbage."""

    WORDS = re.compile(
        r'(?P<byte>[0-9A-Fa-f]{2})(?!\S)|"(?P<text>[^"]+)"'
        r"|\{(?P<name>\w+)(?::(?P<form>\w+))?(?:@(?P<start>\d+)(?:-(?P<end>\d+))?(?P<hex>:hex)?)?\}"
    )
    SUMS = {  # noqa: RUF012 - a constant table
        "sum8": lambda data: bytes([sum(data) % 256]),
        "xor8": lambda data: bytes([reduce(xor, data, 0)]),
        "neg8": lambda data: bytes([(256 - sum(data) % 256) % 256]),
        "crc16": crc,
    }

    def __init__(self, template: str) -> None:
        self.garbage = bytearray()
        self._fields: list[tuple[int, int, bool]] = []  # from, to, binary
        self._fixed: list[tuple[int, bytes]] = []
        self._sums: list[tuple[int, int, int, int, str, bool]] = []  # at, to, of the bytes from, to, kind, as text
        self._size = 0
        self._rest = b""
        self.lines: Lines = ()
        for word in self.WORDS.finditer(template):
            self._size += self._learn(word)

    def _learn(self, word: re.Match[str]) -> int:
        at, form = self._size, word["form"] or ""
        if fixed := bytes.fromhex(word["byte"] or "") or (word["text"] or "").encode("ascii"):
            self._fixed.append((at, fixed))
            return len(fixed)
        if word["name"] in self.SUMS:
            as_text = form == "hex" or bool(word["hex"])
            size = (2 if word["name"] == "crc16" else 1) * (2 if as_text else 1)
            self._sums.append((at, at + size, int(word["start"] or 0), int(word["end"] or at), word["name"], as_text))
            return size
        size = int(form[1:]) // 8 if form.startswith("u") else int(form)
        self._fields.append((at, at + size, form.startswith("u")))
        return size

    def feed(self, data: bytes) -> bytes:
        """Take what comes on the line; such boards say nothing."""
        self._rest += data
        while len(self._rest) >= self._size:
            frame = self._rest[: self._size]
            if self._is_whole(frame):
                self.lines = tuple(
                    str(int.from_bytes(frame[a:b], "big")) if binary else frame[a:b].decode("ascii").rstrip()
                    for a, b, binary in self._fields
                )
                self._rest = self._rest[self._size :]
            else:
                self.garbage.append(self._rest[0])
                self._rest = self._rest[1:]
        return b""

    def _is_whole(self, frame: bytes) -> bool:
        return (
            all(frame.startswith(fixed, at) for at, fixed in self._fixed)
            and all(self._sum(kind, frame[start:end], as_text) == frame[at:to] for at, to, start, end, kind, as_text in self._sums)
            and all(binary or (frame[a:b].isascii() and frame[a:b].decode().isprintable()) for a, b, binary in self._fields)
        )

    def _sum(self, kind: str, data: bytes, as_text: bool) -> bytes:
        made = self.SUMS[kind](data)
        return made.hex().upper().encode() if as_text else made

    def forget(self) -> None:
        """Lose the power for a moment."""
        self.lines, self._rest = (), b""

    def picture(self) -> "Image.Image":
        """What is shown now."""
        return _picture(self.lines or ("",))


class ModbusScreen:
    """A display with ``address`` whose number is in one register or two; ``lines`` are the counter, if it has one, and the number.

    ``silent``: it answers nothing. ``wrong``: its answers have a wrong checksum.
    """

    def __init__(self, address: int, number: int, form: str = "u16", low_first: bool = False, counter: int | None = None) -> None:
        self.garbage = bytearray()
        self.registers = [0] * REGISTERS
        self.silent = self.wrong = False
        self._address, self._number, self._form, self._low_first, self._counter = address, number, form, low_first, counter
        self._rest = b""

    @property
    def lines(self) -> Lines:
        words = 2 if self._form.endswith("32") else 1
        halves = self.registers[self._number : self._number + words]
        if self._low_first:
            halves.reverse()
        number = reduce(lambda value, half: value << 16 | half, halves, 0)
        shown = f"{number:x}" if self._form.startswith("bcd") else str(number)
        return (shown,) if self._counter is None else (str(self.registers[self._counter]), shown)

    def feed(self, data: bytes) -> bytes:
        """Take what comes on the line; the value is the answer."""
        self._rest += data
        answer = b""
        while (size := self._frame_size()) is not None and len(self._rest) >= size:
            frame = self._rest[:size]
            if crc(frame[:-2]) == frame[-2:]:
                answer += self._obey(frame[0], frame[1:-2])
                self._rest = self._rest[size:]
            else:
                self.garbage.append(self._rest[0])
                self._rest = self._rest[1:]
        return answer

    def _frame_size(self) -> int | None:
        if len(self._rest) < 2 or (self._rest[1] == WRITE_MANY and len(self._rest) < 7):
            return None
        return 9 + self._rest[6] if self._rest[1] == WRITE_MANY else 8

    def _obey(self, address: int, request: bytes) -> bytes:
        if address != self._address or self.silent:
            return b""
        function, start = request[0], int.from_bytes(request[1:3], "big")
        values = [int.from_bytes(request[3:5], "big")] if function == WRITE_ONE else self._values(request[6:])
        if function not in {WRITE_ONE, WRITE_MANY}:
            return self._signed(bytes([address, function | 0x80, ILLEGAL_FUNCTION]))
        if start + len(values) > REGISTERS:
            return self._signed(bytes([address, function | 0x80, ILLEGAL_ADDRESS]))
        self.registers[start : start + len(values)] = values
        return self._signed(bytes([address]) + request[:5])

    @staticmethod
    def _values(data: bytes) -> list[int]:
        return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]

    def _signed(self, answer: bytes) -> bytes:
        return answer + (b"??" if self.wrong else crc(answer))

    def forget(self) -> None:
        """Lose the power for a moment."""
        self.registers, self._rest = [0] * REGISTERS, b""

    def picture(self) -> "Image.Image":
        """What is shown now."""
        return _picture(self.lines)
