"""One ESC/POS printer as one thread uses it: load, open, print, poll. Everything here blocks, and only that thread touches the wire."""

from collections.abc import Callable
from dataclasses import replace

from kiosd.errors import DeviceError
from kiosd.ports import CANNOT_PRINT, Fault, Outcome, Slip
from kiosd_drivers._escpos_config import Config
from kiosd_drivers._escpos_encoder import Paper, encode, length_mm, load
from kiosd_drivers._escpos_logo import load_logo
from kiosd_drivers._escpos_states import PRINTS
from kiosd_drivers._escpos_status import CLEAR_S, Conversation, Known, Marker, asking_s
from kiosd_drivers._wires import SerialSettings, open_wire

SLIP_BYTES = 8192  # more than any slip has, its logo left out; a code as a picture is the largest part
BITS_PER_BYTE = 10  # on a serial line: start, 8, stop
DOUBT_POLLS = 20  # a silent printer is asked anew at every 20th poll
UNCONFIRMED = Fault("unconfirmed", "it cannot say that a ticket came out: none counts as printed (confirm = false: they do)")


class BlockingPrinter:
    """``gone`` is why it cannot be used any more: whoever sets it calls ``cancel``, and ``close`` is called in the thread.

    ``tell`` gets the states that the printer says by itself while it prints; ``known`` is what was learned of it before. ``found``:
    why it could not print when it was opened.
    """

    def __init__(self, config: Config, known: Known, tell: Callable[[Fault], None]) -> None:
        self.gone: DeviceError | None = None
        self.found: Fault | None = None
        self._known = known
        self._tell = tell
        self._config = config
        self._paper = Paper(config.columns, config.cut, config.feed_dots, config.qr)
        self._talk: Conversation | None = None
        self._lasting: list[Fault] = []
        self._polls = 0

    def load(self) -> None:
        """Import the encoder and read the logo; ``DeviceError`` when there is no room for what the import needs."""
        try:
            load()
        except OSError as error:
            raise DeviceError(f"{self._config.place}: the encoder cannot be loaded: {error}", "io") from error
        try:
            if self._config.logo is not None:
                self._paper = replace(self._paper, logo=load_logo(self._config.logo, self._config.columns))
        except ValueError as error:  # better a ticket without a picture than none
            self._lasting.append(Fault("logo", f"tickets have no logo: {error}"))

    def open(self) -> None:
        """Find the printer; ``DeviceError`` when it is not there. One that failed is asked how it is at once: it may be there as it was."""
        config = self._config
        serial = SerialSettings(config.baudrate, config.rtscts, config.xonxoff)
        wire = open_wire(config.find(), serial, config.connect_s)
        self._talk = Conversation(wire, config.answer_s, config.status, config.confirm, self._heard, self._known)
        if self._known.failed:
            state = self.poll()
            self.found = state if state.code in CANNOT_PRINT else None

    @property
    def asking_s(self) -> float:
        """The longest that ``poll`` takes."""
        return asking_s(self._config.answer_s)

    @property
    def printing_s(self) -> float:
        """The longest that ``print`` takes on a slow line, with everything going wrong in its last moment."""
        config = self._config
        line = (SLIP_BYTES + len(self._paper.logo)) * BITS_PER_BYTE / config.baudrate
        return 2 * self.asking_s + 2 * config.write_s + line + config.confirm_s + CLEAR_S

    def print(self, slip: Slip) -> Outcome:
        """See ``TicketPrinter.print_slip``."""
        data = encode(slip, self._paper)
        talk, fault = self._ask()
        if fault.code not in PRINTS:
            raise self._error(fault)
        before = talk.wire.sent
        try:
            return self._send(talk, data, slip)
        except DeviceError as error:
            began = talk.wire.sent != before
            if not (began and talk.clear()):
                self._lose(talk, error)
            if not began:
                raise
            return Outcome.UNCERTAIN

    def _send(self, talk: Conversation, data: bytes, slip: Slip) -> Outcome:
        config = self._config
        talk.send(data, config.write_s)
        if not config.confirm:
            return Outcome.PRINTED
        if talk.marker is not Marker.NONE:
            if not talk.printed(config.confirm_s):
                raise self._why(talk)
            return Outcome.PRINTED
        if talk.answers:  # nothing says that it is printed; what stopped it is told at least
            talk.listen(length_mm(slip, self._paper) / config.speed_mm_s)
            fault = talk.now()
            if fault.code not in PRINTS:
                raise self._error(fault)
        return Outcome.UNCONFIRMED

    def _why(self, talk: Conversation) -> DeviceError:
        """Why the printer did not say that a ticket is printed."""
        fault = talk.now()
        if fault.code not in PRINTS:
            return self._error(fault)
        talk.distrust_mark()
        return DeviceError(f"{self._config.place}: did not say in {self._config.confirm_s:g} s that the ticket is printed", "timeout")

    def _error(self, fault: Fault) -> DeviceError:
        return DeviceError(f"{self._config.place}: {fault.detail}", fault.code)

    def poll(self) -> Fault:
        """How the printer is now, and what it lives with."""
        self._polls += 1
        if self._talk and self._polls % DOUBT_POLLS == 0:
            self._talk.doubt_silence()
        return self._whole(self._ask()[1])

    def _heard(self, fault: Fault) -> None:
        self._tell(self._whole(fault))

    def _whole(self, fault: Fault) -> Fault:
        """``fault`` first, and then what the printer lives with: it hides nothing that is worse."""
        unmarked = self._talk is not None and self._talk.unmarked
        unconfirmed = [UNCONFIRMED] if self._config.confirm and unmarked else []
        faults = [*([fault] if fault.code else []), *self._lasting, *unconfirmed]
        return Fault(faults[0].code, "; ".join(one.detail for one in faults)) if faults else fault

    def _ask(self) -> tuple[Conversation, Fault]:
        talk = self._talk
        if self.gone or talk is None:
            raise self.gone or DeviceError(f"{self._config.place}: not open", "absent")
        try:
            fault = talk.now()
        except DeviceError as error:
            self._lose(talk, error)
            raise
        self._known.failed = False
        return talk, fault

    def _lose(self, talk: Conversation, error: DeviceError) -> None:
        self.gone, self._known.failed = error, True
        talk.wire.close()

    def cancel(self) -> None:
        """Make a call that waits end within 0.1 s. From any thread."""
        if self._talk:
            self._talk.wire.cancel()

    def close(self) -> None:
        """Let go of the wire, once it is given up."""
        if self._talk:
            self._talk.wire.close()
