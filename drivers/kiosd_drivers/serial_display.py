"""A call display on a serial line: it shows what it is sent and never answers.

[devices.display_1]
driver = "serial_display"
port = "/dev/serial/by-id/usb-Example_Display-if00"
protocol = "cd5220"

``protocol = "cd5220"`` is the usual 2x20 customer display. Counter boards have no standard: ``protocol = "frame"`` sends what ``frame``
describes, for example ``frame = '02 {counter:2} {digits:4} {sum8} 03'`` (the words are in ``_faces.py``).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, DriverConfig, Face
from kiosd.threads import Lane, lane
from kiosd_drivers._faces import CD5220_INIT, Frame, cd5220, plain
from kiosd_drivers._serial import CLOSE_S, OPEN_S, Baudrate, Flow, PortPath, close_port, open_port, send

if TYPE_CHECKING:
    import serial


def _parses(text: str) -> str:
    Frame.parse(text)
    return text


Word = Annotated[str, StringConstraints(min_length=1, max_length=14), AfterValidator(plain)]
"""A word before a number; 14 characters leave room for " A1000" on a line of 20."""


class Config(DriverConfig):
    """``write_timeout_s``: a display that takes nothing for so long is not working. ``flow``: most displays have none."""

    port: PortPath
    baudrate: Baudrate = 9600
    flow: Flow = "none"
    protocol: Literal["cd5220", "frame"]
    frame: Annotated[str, StringConstraints(max_length=1000), AfterValidator(_parses)] | None = None
    number_word: Word = "NOMOR"
    counter_word: Word = "LOKET"
    write_timeout_s: float = Field(default=1.0, ge=0.1, le=10.0)

    @model_validator(mode="after")
    def _one_protocol(self) -> "Config":
        if (self.protocol == "frame") != (self.frame is not None):
            raise ValueError('"frame" is given with protocol = "frame", and only with it')
        return self

    def encoder(self) -> Callable[[Face], bytes]:
        """What turns a face into the bytes of this display."""
        if self.frame is not None:
            return Frame.parse(self.frame).encode
        return partial(cd5220, number_word=self.number_word, counter_word=self.counter_word)


class SerialDisplay:
    """The ``CallDisplay`` port: every face whole, the newest one only."""

    def __init__(self, port: "serial.Serial", lane_: Lane, encode: Callable[[Face], bytes], deadline_s: float) -> None:
        self._port = port
        self._lane = lane_
        self._encode = encode
        self._deadline_s = deadline_s
        self._turn = asyncio.Lock()
        self._newest: Face | None = None

    async def show(self, face: Face) -> None:
        """Show ``face``; a face that waited while a newer one came is left out. ``DeviceError``: ``absent``, ``timeout`` or ``io``."""
        self._newest = face
        async with self._turn:
            if face is self._newest:
                await self._lane.run(partial(send, self._port, self._encode(face)), self._deadline_s)


class SerialDisplayDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = CallDisplay

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[SerialDisplay]:
        """Open the port and prepare the display; all blocking calls are in one lane, closing too."""
        async with lane(f"display {config.port}") as it:
            port = await it.run(partial(open_port, config.port, config.baudrate, config.write_timeout_s, config.flow), OPEN_S, close_port)
            try:
                deadline_s = 6 * config.write_timeout_s  # ``send`` ends in half of it; the rest is for one whose caller was cancelled
                if config.protocol == "cd5220":
                    await it.run(partial(send, port, CD5220_INIT), deadline_s)
                yield SerialDisplay(port, it, config.encoder(), deadline_s)
            finally:
                await _close(it, port)


async def _close(it: Lane, port: "serial.Serial") -> None:
    try:
        await it.run(partial(close_port, port), CLOSE_S)
    except DeviceError:
        return  # the kernel keeps the port: its thread is left behind, and opening it again says "busy" until it lets go


DRIVER = SerialDisplayDriver()
