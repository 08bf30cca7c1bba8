"""The conversation with one ESC/POS printer over one wire: how it is, whether a ticket came out, and how to take one back. Blocking.

Rule 1  Input is read to its end before each question: answers carry no name, and old ones wait in the line (hardware section 1,
        pitfall 12).
Rule 2  What a printer can say is learned, not configured: ``DLE EOT`` by asking, the mark behind a ticket by a probe. A printer may be
        silent; one that answered before and now does not is a fault, also when it was opened anew in the meantime (``Known``). An
        installer who has seen it answer can say so (``answers``): it is known from the start then.
Rule 3  A mark with an id of its own (``GS ( H``) is answered when the ticket before it is printed, and only that id counts. ``GS r 1`` is
        the second best: it is answered in its turn, after the bytes before it were processed.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from kiosd.errors import DeviceError
from kiosd.ports import Fault
from kiosd_drivers._escpos_answers import Answer, Block, RealTime, Sensors
from kiosd_drivers._escpos_input import Input
from kiosd_drivers._escpos_states import BUSY, PORT_WELL, PRINTS, REAL_TIME, SILENT, WELL, Port, told
from kiosd_drivers._wires import Wire

QUESTIONS = (1, 2, 3, 4)
ASK_S = 2.0  # for a few bytes to be taken: a line that takes none is blocked
ASKS = 4  # times the time for an answer, until a question counts as not answered: bytes get lost, and a slow board is late
CERTAIN = 4  # answers on one wire, which no noise gives: from then on the printer is known to answer
CLEAR_S = 1.0
ROOM_BYTES = 1024  # of questions in the buffer of a printer that stands still; a small one holds 4 KB
BUSY_S = 30.0  # how long a printer may answer nothing while something says why; then it is opened anew

INITIALISE = b"\x1b@"  # ESC @: also takes back what a printer that does not know the probe wrote into its line buffer
REPORTS_ON = b"\x1da\xff"  # GS a: automatic status for everything; ESC @ turns it off again
PROCESS_ID = b"\x1d(H\x06\x0000"  # GS ( H, function 48; four characters of an id follow
ASK_SENSORS = b"\x1dr\x01"  # GS r 1
CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"  # DLE DC4 8: clear the receive buffer and the print buffer
CLEARED = Block(b"\x25")
RECOVER = b"\x10\x05\x02"  # DLE ENQ 2: the same for printers that do not know DLE DC4 8; without an answer


class Marker(Enum):
    """What is sent behind a ticket so that the printer says when it is printed."""

    PROCESS_ID = "GS ( H"
    SENSORS = "GS r"
    NONE = "none"


@dataclass(slots=True)
class Known:
    """What a printer is known for, whichever wire it was on: that it answers ``DLE EOT``, that it says when a ticket is printed.
    ``failed``: nobody could talk to it in the end."""

    answers: bool = False
    marks: bool = False
    failed: bool = False


def asking_s(answer_s: float) -> float:
    """The longest that ``now`` takes: a question that is given up, late answers to others, a probe, and a line that takes no bytes."""
    return ASK_S + (ASKS + len(QUESTIONS) * ASKS / 2 + 3) * answer_s


class Conversation:
    """``ask``: whether paper and cover may be asked for; ``mark``: whether a ticket's end may be. ``marker`` is None while unknown.

    ``tell`` gets each new state that the printer says by itself, also while a ticket is waited for. ``known`` outlives the conversation.
    """

    def __init__(
        self, wire: Wire, answer_s: float, ask: bool, mark: bool, tell: Callable[[Fault], None], known: Known | None = None
    ) -> None:
        self.wire = wire
        self.marker: Marker | None = None if mark else Marker.NONE
        self._answer_s, self._ask, self._mark = answer_s, ask, mark
        self._patience_s = answer_s
        self._input = Input(wire, tell)
        self._known = known or Known()
        self._heard = 0  # answers on this wire
        self._probe_again = False
        self._answered: frozenset[int] | None = None if ask else frozenset()
        self._reports_on = self._forgotten = False
        self._unread = 0  # bytes of questions that a printer that stands still may have kept
        self._untold = False  # whether nobody said that the last ticket is printed
        self._port_was_well = False
        self._answered_last = WELL
        self._unheard_since: float | None = None
        self._id = int.from_bytes(os.urandom(2), "big")  # so that an answer to whoever was here before is not taken for ours
        self._expected: Answer | None = None

    @property
    def answers(self) -> bool:
        """Whether it answers ``DLE EOT``."""
        return bool(self._answered)

    @property
    def unmarked(self) -> bool:
        """Whether it cannot say that a ticket is printed."""
        return self.marker is Marker.NONE and not self._missed

    @property
    def _missed(self) -> bool:
        """Whether it is known to answer, and did not yet on this wire."""
        return not self._heard and ((self._known.answers and self._ask) or (self._known.marks and self._mark))

    def now(self) -> Fault:
        """The printer's state; all is well where the printer is silent. Raises ``DeviceError`` when it is gone or blocked."""
        self._input.expect()  # what a printer may say by itself, in the long run
        self._input.empty()
        port = self._port()
        if port.code == "paper_out":  # told even while the data pipe is stuck, where no question gets through
            return port
        try:
            answers = self._round()
        except DeviceError as error:
            if error.code != "timeout":
                raise
            return self._unheard(port, error)
        if answers is None:
            return self._unheard(port, DeviceError("the printer stopped answering", "timeout"))
        if self._missed and self._known.answers and self._ask:
            self._answered = None
            return self._unheard(port, DeviceError("the printer does not answer", "timeout"))
        self._unheard_since = None
        self._forget_before()
        fault = self._state(answers, port)
        if fault.code not in PRINTS:
            self._make_room()
            return fault
        self._introduce()
        self._unread = 0
        return SILENT if self._missed else fault

    def _make_room(self) -> None:
        """A question is answered at once, and yet it may stay in the buffer until the printer goes on: take those back before they fill it,
        for then it would answer nothing. A ticket whose end is not told may stand among them, and is left there."""
        if self._unread >= ROOM_BYTES and not self._untold:
            self._asked(CLEAR, lambda answer: answer == CLEARED)
            self._unread = 0

    def _forget_before(self) -> None:
        """What was sent before this wire was opened is not printed any more: it would be the tail of a ticket that has its copy by now, and
        a picture that was cut short would take the beginning of the next ticket for its rest."""
        if not self._forgotten and self._answered:
            self._forgotten = True
            self._asked(CLEAR, lambda answer: answer == CLEARED)

    def _state(self, answers: dict[int, int], port: Fault) -> Fault:
        fault = self._answered_last = told(REAL_TIME, answers)
        if not fault.code and len(answers) < len(QUESTIONS):
            fault = self._input.reported or WELL
        return port if port.code and fault.code in PRINTS else fault

    def _port(self) -> Fault:
        byte = self.wire.port_status()
        if byte is None:
            return WELL
        self._port_was_well = self._port_was_well or byte & PORT_WELL == PORT_WELL
        return Port(byte, self._port_was_well).fault

    def _unheard(self, port: Fault, error: DeviceError) -> Fault:
        """The state of a printer that took no question, or answered none, as far as something else tells it; else raises ``error``.

        One that stood still by its last answer still does: its buffer may be full of questions, and it answers when it goes on. Opened anew
        it would pass for one that never answers, and prints.
        """
        if self._answered_last.code not in PRINTS:
            return self._answered_last
        said = next((fault for fault in (self._input.reported, port) if fault and fault.code not in PRINTS), None)
        if self._missed:
            return said or SILENT
        now = time.monotonic()
        self._unheard_since = self._unheard_since or now
        if said is None and self.wire.port_status() is not None and self._port_was_well:
            said = BUSY
        if said is None or now - self._unheard_since > BUSY_S:
            raise error
        return said

    def _round(self) -> dict[int, int] | None:
        """The answers by question; None when one is missing that came before. A printer that leaves out the first one is silent."""
        answers: dict[int, int] = {}
        for question in QUESTIONS if self._answered is None else sorted(self._answered):
            answer = self._real_time(question)
            if answer is not None:
                answers[question] = answer.byte
            elif self._answered:
                return None
            elif question == QUESTIONS[0]:
                break
        self._answered = frozenset(answers)
        self._heard += len(answers)
        self._known.answers = self._known.answers or self._heard >= CERTAIN
        return answers

    def _real_time(self, question: int) -> RealTime | None:
        """The answer to ``DLE EOT question``, which is asked again for a while: one byte may get lost on a serial line.

        After a late answer, those to the repetitions are still to come and would pass for answers to the next question: they are waited
        for. From then on answers are given more time.
        """
        began, asked = time.monotonic(), 0
        while (left := began + ASKS * self._answer_s - time.monotonic()) > 0:
            answer = self._asked(bytes((0x10, 0x04, question)), _is_real_time, min(self._patience_s, left))
            if isinstance(answer, RealTime):
                if asked:
                    took = time.monotonic() - began
                    self._patience_s = min(max(self._patience_s, 1.5 * took), ASKS / 2 * self._answer_s)
                while asked and self._input.wait(_is_real_time, self._patience_s) is not None:
                    asked -= 1
                return answer
            asked += 1
        return None

    def _introduce(self) -> None:
        """Learn how this printer says that a ticket is printed, and let it tell its state by itself."""
        if self.marker is None or self._probe_again:
            self.marker = next((one for one in (Marker.PROCESS_ID, Marker.SENSORS) if self._probe(one)), Marker.NONE)
            self._probe_again = self.marker is Marker.NONE and self._known.marks  # it may be only just back
            self._heard += self.marker is not Marker.NONE
            self._known.marks = self._known.marks or self.marker is Marker.PROCESS_ID  # any noise passes for the other
        if self._ask and not self._reports_on and (self._answered or self.marker is not Marker.NONE):
            self.wire.write(REPORTS_ON, ASK_S)
            self._reports_on = True

    def _probe(self, marker: Marker) -> bool:
        return self._asked(self._marked(marker) + INITIALISE, self._is_mark) is not None

    def _marked(self, marker: Marker) -> bytes:
        """The bytes of a new mark. Its id has only characters that are told apart from other answers (``_escpos_answers``)."""
        if marker is Marker.NONE:
            return b""
        if marker is Marker.SENSORS:
            self._expected = None
            return ASK_SENSORS
        self._id = (self._id + 1) & 0xFFFF
        name = bytes(0x40 | self._id >> shift & 0x0F for shift in (12, 8, 4, 0))
        self._expected = Block(b"\x22" + name)
        return PROCESS_ID + name

    def _is_mark(self, answer: Answer) -> bool:
        return isinstance(answer, Sensors) if self._expected is None else answer == self._expected

    def send(self, data: bytes, progress_s: float) -> None:
        """Send a ticket and its mark; returns when everything left this machine."""
        self._input.empty()
        marker = self.marker or Marker.NONE
        self._untold = marker is Marker.NONE
        self.wire.write(self._reporting(data) + self._marked(marker), progress_s)
        self.wire.drain(progress_s)

    def _reporting(self, data: bytes) -> bytes:
        """A ticket with automatic status: its ``ESC @`` turns that off, and what stops it in the middle should be told at once."""
        return INITIALISE + REPORTS_ON + data.removeprefix(INITIALISE) + REPORTS_ON if self._reports_on else data

    def printed(self, wait_s: float) -> bool:
        """Whether the printer answers, within ``wait_s`` seconds, the mark that was sent behind a ticket."""
        answered = self._input.wait(self._is_mark, wait_s) is not None
        self._known.marks = self._known.marks or answered
        return answered

    def distrust_mark(self) -> None:
        """The mark was not answered though nothing is the matter: the next ticket has the next best one."""
        self.marker = Marker.SENSORS if self.marker is Marker.PROCESS_ID and self._probe(Marker.SENSORS) else Marker.NONE
        self._probe_again = False

    def listen(self, seconds: float) -> None:
        """Let time pass; raises ``DeviceError`` as soon as the printer is gone."""
        self._input.wait(lambda _: False, seconds)

    def clear(self) -> bool:
        """Take back what the printer has not printed yet; whether it said so."""
        try:
            if self._asked(CLEAR, lambda answer: answer == CLEARED, CLEAR_S) is not None:
                return True
            self.wire.write(RECOVER, ASK_S)
            self.wire.drain(ASK_S)
        except DeviceError:
            pass  # it is gone or takes nothing: closing the wire takes back what is on this side
        return False

    def doubt_silence(self) -> None:
        """Ask a silent printer anew at the next ``now``: it may have been busy, or switched on only later."""
        if self._ask and not self._answered:
            self._answered = None
        if self._mark and self.marker is Marker.NONE:
            self.marker = None

    def _asked(self, question: bytes, fits: Callable[[Answer], bool], wait_s: float | None = None) -> Answer | None:
        self._input.empty()
        self.wire.write(question, ASK_S)
        self._input.expect()
        self._unread += len(question)
        return self._input.wait(fits, self._answer_s if wait_s is None else wait_s)


def _is_real_time(answer: Answer) -> bool:
    return isinstance(answer, RealTime)
