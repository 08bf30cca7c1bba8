"""A call display on a serial line: it shows what it is sent and never answers.

[devices.display_1]
driver = "serial_display"
port = "/dev/serial/by-id/usb-Example_Display-if00"
protocol = "cd5220"

``protocol`` is one of the languages of customer displays with two lines of 20 characters (``_dialects.py``). Counter boards have no
standard: ``protocol = "frame"`` sends what ``frame`` describes, for example ``frame = '02 {counter:2} {digits:4} {sum8} 03'`` (the words
are in ``_faces.py``). Boards on one RS-485 line have the same ``port`` and frames with different addresses.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.ports import CallDisplay, DriverConfig, Face, SharedLine, safe_text
from kiosd_drivers._bus import Display, Gap, Line, Message, Rs485, WriteTimeout, join, shared
from kiosd_drivers._dialects import DIALECTS, TwoLines
from kiosd_drivers._faces import Frame
from kiosd_drivers._letters import Letters
from kiosd_drivers._serial import Baudrate, Flow, PortPath, send

if TYPE_CHECKING:
    import serial

Word = Annotated[str, StringConstraints(min_length=1, max_length=14), AfterValidator(safe_text)]
"""A word before a number; 14 characters leave room for " A1000" on a line of 20."""


class Config(DriverConfig):
    """A line of 8 data bits, no parity, one stop bit, and the language that the display speaks."""

    port: PortPath = Field(description="The serial port; several frame boards may be on one.")
    baudrate: Baudrate = Field(default=9600, description="Bits per second, as the display is set.")
    flow: Flow = Field(default="none", description="Flow control; most displays have none.")
    protocol: Literal["cd5220", "epson", "dsp800", "frame"] = Field(description="The display's language; frame: as frame says.")
    frame: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description='The board\'s frame, word by word; with protocol = "frame" only.'
    )
    letters: Letters | None = Field(
        default=None, description='What becomes of the letter of A012 in {digits}: "drop", "lamp" or a table { A = 1, B = 2 }.'
    )
    number_word: Word = Field(default="NOMOR", description="The word before a ticket's number, on displays with two lines.")
    counter_word: Word = Field(default="LOKET", description="The word before a counter's number, on displays with two lines.")
    brightness: Annotated[int, Field(ge=1, le=4)] | None = Field(
        default=None, description="1 (dim) to 4 (bright), for cd5220 and epson; as the display is set when it is left out."
    )
    write_timeout_s: WriteTimeout = 1.0
    gap_s: Gap = 0.03
    rs485: Rs485 = False

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        if (self.protocol == "frame") != (self.frame is not None):
            raise ValueError('"frame" is given with protocol = "frame", and only with it')
        if self.frame is not None:
            Frame.parse(self.frame, self.letters)
        elif self.letters is not None:
            raise ValueError('"letters" is for protocol = "frame"; the other displays show letters')
        if self.brightness is not None and (self.frame is not None or DIALECTS[self.protocol].dim is None):
            raise ValueError("this protocol has no command for the brightness: leave it out")
        return self

    def shared_line(self) -> SharedLine | None:
        """Boards with frames of their own can be on one line; customer displays have no addresses."""
        return None if self.frame is None else shared(self, "frame")


def _language(config: Config) -> tuple[bytes, Callable[[Face], bytes]]:
    """What prepares the display, and what turns a face into its bytes."""
    if config.frame is not None:
        return b"", Frame.parse(config.frame, config.letters).encode
    two_lines = TwoLines(DIALECTS[config.protocol], config.number_word, config.counter_word, config.brightness)
    return two_lines.init, two_lines.encode


def _message(data: bytes) -> Message:
    def write(port: "serial.Serial") -> int:
        send(port, data)
        return len(data)

    return write


class SerialDisplayDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = CallDisplay

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[Display]:
        """Join the line and prepare the display; ``DeviceError`` when the port is not there."""
        frame_s = 3 * config.write_timeout_s  # ``send`` ends in so long
        init, encode = _language(config)
        async with join(Line.of(config, alone=config.frame is None)) as bus:
            if init:
                await bus.send(partial(_messages, init), frame_s)
            yield Display(bus, lambda face: _messages(encode(face)), frame_s)


def _messages(data: bytes) -> Sequence[Message]:
    return (_message(data),)


DRIVER = SerialDisplayDriver()
