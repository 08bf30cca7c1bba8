"""What comes back from an ESC/POS printer, taken apart. Pure: bytes in pieces of any size go in, answers come out.

Everything comes on one line and carries no name; kinds are told apart by their fixed bits (hardware section 1):

    real time   answer to DLE EOT n        (b & 0x93) == 0x12
    report      automatic status, GS a     (b & 0x93) == 0x10, then three with (b & 0x90) == 0
    block       0x37 ... NUL               answers to GS ( H and DLE DC4 8; what is in ours has (b & 0x90) == 0
    sensors     answer to GS r             (b & 0x90) == 0 outside of both
    XON, XOFF   0x11, 0x13                 and everything else: nobody's

Rule 1  A real-time answer or a flow-control byte may stand in the middle of a report or a block, a report in the middle of a block.
Rule 2  What was begun and not ended is dropped by the beginning of the next one of its kind, by its length, or by ``silence``: noise never
        costs more than the answer it hit.
"""

from dataclasses import dataclass

REPORT_BYTES = 4
LONGEST_BLOCK = 8  # six is the longest that we ask for
BLOCK = 0x37


@dataclass(frozen=True, slots=True)
class RealTime:
    """The answer to ``DLE EOT n``; which n is not in it."""

    byte: int


@dataclass(frozen=True, slots=True)
class Sensors:
    """The answer to ``GS r n``."""

    byte: int


@dataclass(frozen=True, slots=True)
class Report:
    """Four bytes of automatic status, sent unasked at every change."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """What stood between 0x37 and NUL: a kind and, for some kinds, what it is about."""

    data: bytes


Answer = RealTime | Sensors | Report | Block


class Demultiplexer:
    """Feed it what was read, in order."""

    def __init__(self) -> None:
        self._report: bytearray | None = None
        self._block: bytearray | None = None

    @property
    def midway(self) -> bool:
        """Whether the rest of an answer is still to come."""
        return self._report is not None or self._block is not None

    def silence(self) -> None:
        """Nothing came for a while: what was begun will not be ended."""
        self._report = self._block = None

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that ``data`` completes, in order."""
        return [answer for byte in data if (answer := self._take(byte)) is not None]

    def _take(self, byte: int) -> Answer | None:
        if byte & 0x93 == 0x12:
            return RealTime(byte)
        if byte & 0x93 == 0x10:
            self._report = bytearray([byte])
        elif byte == BLOCK:
            self._report, self._block = None, bytearray()
        elif byte & 0x90 == 0:
            return self._rest(byte)
        return None

    def _rest(self, byte: int) -> Answer | None:
        if self._report is not None:
            self._report.append(byte)
            return self._reported()
        if self._block is None:
            return Sensors(byte)
        if byte == 0:
            block, self._block = Block(bytes(self._block)), None
            return block
        self._block.append(byte)
        if len(self._block) > LONGEST_BLOCK:
            self._block = None
        return None

    def _reported(self) -> Report | None:
        if self._report is None or len(self._report) < REPORT_BYTES:
            return None
        report, self._report = Report(bytes(self._report)), None
        return report
