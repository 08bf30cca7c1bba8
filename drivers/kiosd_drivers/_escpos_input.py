"""What one printer says on its wire: read in time, and in measure. Blocking.

Rule 1  Everything read counts against what was asked for: who sends much more is no printer that can be talked to (``jabber``).
Rule 2  What came while this thread was kept from running counts as in time: the last look is after the deadline.
"""

import time
from collections.abc import Callable

from kiosd.errors import DeviceError
from kiosd.ports import Fault
from kiosd_drivers._escpos_answers import Answer, Demultiplexer, Report
from kiosd_drivers._escpos_states import of_report
from kiosd_drivers._wires import Wire

REST_S = 0.05  # for the rest of an answer whose beginning is here: four bytes take 33 ms at 1200 baud
ANSWER_BYTES = 16  # the longest answer is a block of 7, and a chatty clone puts a report and two more bytes around it
JABBER_BYTES = 2048  # more than were asked for; changes of state come unasked, in four bytes each
JABBER_S, STREAM_BYTES = 1.0, 64  # without a pause; at 1200 baud a second brings 120 bytes


class Input:
    """``reported`` is the last state that the printer said by itself, which ``tell`` gets at each change."""

    def __init__(self, wire: Wire, tell: Callable[[Fault], None]) -> None:
        self._wire, self._tell = wire, tell
        self._parts = Demultiplexer()
        self._surplus = 0  # bytes that nobody asked for
        self.reported: Fault | None = None

    def expect(self) -> None:
        """One more answer may come."""
        self._surplus = max(0, self._surplus - ANSWER_BYTES)

    def wait(self, fits: Callable[[Answer], bool], wait_s: float) -> Answer | None:
        """The first answer that ``fits``; None when none came within ``wait_s`` seconds."""
        deadline = time.monotonic() + wait_s
        while True:
            left = deadline - time.monotonic()
            answer = next(filter(fits, self._taken(self._wire.read(max(0.0, left)))), None)
            if answer is not None or left <= 0:
                return answer

    def empty(self) -> None:
        """Read what waits in the line; an answer whose beginning is here is waited for, for its rest would look like others."""
        began, count = time.monotonic(), 0
        while data := self._wire.read(REST_S if self._parts.midway else 0.0):
            self._taken(data)
            count += len(data)
            if count > STREAM_BYTES and time.monotonic() - began > JABBER_S:
                raise _jabber()
        self._parts.silence()

    def _taken(self, data: bytes) -> list[Answer]:
        self._surplus += len(data)
        if self._surplus > JABBER_BYTES:
            raise _jabber()
        answers = self._parts.feed(data)
        for answer in answers:
            if isinstance(answer, Report) and (fault := of_report(answer.data)) != self.reported:
                self.reported = fault
                self._tell(fault)
        return answers


def _jabber() -> DeviceError:
    return DeviceError("the printer sends without end what nobody asked for: a loose cable, another speed, or it is no printer", "jabber")
