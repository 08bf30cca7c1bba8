"""What an ESC/POS printer says about itself: real-time status (``DLE EOT n``) and the mark after a ticket (``GS r 1``).

Rule 1  Input is drained before each question: answers carry no name, and old ones wait in the line (hardware section 1, pitfall 12).
Rule 2  Bytes that do not have the form of the answer are skipped: automatic status, XON/XOFF, echoes of raster data.
Rule 3  A printer may be silent. That is remembered; a printer that answered before and now does not is a fault.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from kiosd.errors import DeviceError
from kiosd.ports import Fault
from kiosd_drivers._wires import Wire

QUESTIONS = (1, 2, 3, 4)
ASK_S = 2.0  # for three bytes to be taken: a line that takes none is blocked
WARNINGS = frozenset({"", "paper_near_end"})
"""Fault codes with which a ticket may still be printed."""


@dataclass(frozen=True, slots=True)
class StatusBit:
    """Any bit of ``mask`` in the answer to ``DLE EOT question`` means ``code``."""

    question: int
    mask: int
    code: str
    words: str


STATUS_BITS: tuple[StatusBit, ...] = (
    StatusBit(4, 0x60, "paper_out", "the paper is out"),  # any of the pair: clones set only one
    StatusBit(2, 0x20, "paper_out", "printing stopped, the paper is out"),
    StatusBit(2, 0x04, "cover_open", "the cover is open"),
    StatusBit(3, 0x08, "offline", "the cutter is stuck"),
    StatusBit(3, 0x20, "offline", "an error that needs the printer switched off and on"),
    StatusBit(3, 0x40, "offline", "the print head is too hot and carries on by itself"),
    StatusBit(2, 0x40, "offline", "an error stopped the printer"),
    StatusBit(2, 0x08, "offline", "somebody holds the feed button"),
    StatusBit(1, 0x08, "offline", "the printer is offline"),
    StatusBit(4, 0x0C, "paper_near_end", "the paper is near its end"),
)
"""The first row that fits is what is said: from what a person must do at once to what can wait (bits: hardware section 1)."""


def fault_of(answers: dict[int, int]) -> Fault:
    """The fault that the answers to ``QUESTIONS`` tell of; code ``""`` when all is well."""
    for bit in STATUS_BITS:
        if answers[bit.question] & bit.mask:
            return Fault(bit.code, bit.words)
    return Fault("", "")


def is_status(byte: int) -> bool:
    """Whether ``byte`` has the form of an answer to ``DLE EOT``: fixed bits 1 and 4 set, 0 and 7 clear."""
    return byte & 0x93 == 0x12


def is_mark(byte: int) -> bool:
    """Whether ``byte`` has the form of an answer to ``GS r``: bits 4 and 7 clear."""
    return byte & 0x90 == 0


MARK = b"\x1dr\x01"  # GS r 1: answered in order, after the bytes before it were processed


class Status:
    """The conversation with one printer over one wire; blocking, so it belongs in the printer's lane.

    ``answers`` and ``marks`` say whether the printer answers ``DLE EOT`` and ``GS r``; None as long as that is not known.
    """

    def __init__(self, wire: Wire, answer_s: float, ask: bool, mark: bool) -> None:
        self.wire = wire
        self._answer_s = answer_s
        self._may_ask, self._may_mark = ask, mark
        self.answers: bool | None = None if ask else False
        self.marks: bool | None = None if mark else False

    def now(self) -> Fault:
        """The printer's state; all is well where the printer is silent. Raises ``DeviceError`` when it is gone or blocked."""
        self.wire.discard_input()
        if self.wire.paper_empty():
            return Fault("paper_out", "the paper is out")
        fault = self._asked() if self.answers is not False else Fault("", "")
        if fault.code in WARNINGS and self.marks is None:
            self.marks = self._ask(MARK, is_mark) is not None
        return fault

    def _asked(self) -> Fault:
        answers = self._round() or self._round()  # one byte may get lost on a serial line
        if answers is None and self.answers:
            raise DeviceError("the printer stopped answering", "timeout")
        self.answers = answers is not None
        return fault_of(answers) if answers else Fault("", "")

    def _round(self) -> dict[int, int] | None:
        answers: dict[int, int] = {}
        for question in QUESTIONS:
            answer = self._ask(bytes((0x10, 0x04, question)), is_status)
            if answer is None:
                return None
            answers[question] = answer
        return answers

    def _ask(self, question: bytes, fits: Callable[[int], bool]) -> int | None:
        self.wire.discard_input()
        self.wire.write(question, ASK_S)
        return self._answer(fits, self._answer_s)

    def _answer(self, fits: Callable[[int], bool], wait_s: float) -> int | None:
        deadline = time.monotonic() + wait_s
        rest_of_report = 0
        while (left := deadline - time.monotonic()) > 0:
            for byte in self.wire.read(left):
                if rest_of_report:
                    rest_of_report -= 1
                elif byte & 0x93 == 0x10:  # an automatic status report nobody asked for: three more bytes that look like marks
                    rest_of_report = 3
                elif fits(byte):
                    return byte
        return None

    def marked(self, wait_s: float) -> bool:
        """Whether the printer answers, within ``wait_s`` seconds, the ``MARK`` that was sent behind a ticket."""
        return self._answer(is_mark, wait_s) is not None

    def doubt_silence(self) -> None:
        """Ask a silent printer anew at the next ``now``: it may have been busy, or switched on only later."""
        if self._may_ask:
            self.answers = self.answers or None
        if self._may_mark:
            self.marks = self.marks or None
