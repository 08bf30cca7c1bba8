"""One writer for each serial line, shared by the displays on it: RS-485 has one pair of wires for all boards.

The first display that joins opens the port, the last one that leaves closes it. Messages go out one after the other with a pause between
them. What is wrong with the line is wrong for everybody on it: it is closed at once, and whoever comes next opens it anew. What is wrong
with one display (``ONE_DISPLAY``) is its own affair.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig, Face, SharedLine
from kiosd.threads import Lane
from kiosd_drivers._serial import CLOSE_S, OPEN_S, Flow, Parity, StopBits, close_port, open_port, translated

if TYPE_CHECKING:
    import serial

BITS = 10  # of a character on the line: start, 8, stop
ONE_DISPLAY = frozenset({"no_answer", "refused", "garbled"})
"""Codes of errors after which the line is as good as before."""

Message = Callable[["serial.Serial"], int]
"""Sends one frame; blocks. Its value: how many of its bytes may still be on their way out of the adapter when it comes back."""

Gap = Annotated[float, Field(ge=0.0, le=1.0, description="Pause between two frames on the line, in seconds; boards want 0.02 to 0.05.")]
WriteTimeout = Annotated[float, Field(ge=0.1, le=10.0, description="A line that takes nothing for so many seconds is not working.")]
Rs485 = Annotated[
    bool, Field(description="The kernel switches the direction of an RS-485 UART; USB adapters do it themselves and need false.")
]


@dataclass(frozen=True, slots=True)
class Line:
    """A port and how it is used; the same for all displays on it. ``answer_s``: how long reads wait, in seconds.

    ``alone``: for a display without an address, which would show what others are sent.
    """

    port: str
    baudrate: int
    flow: Flow = "none"
    parity: Parity = "none"
    stop_bits: StopBits = 1
    write_timeout_s: float = 1.0
    answer_s: float = 0.0
    gap_s: float = 0.03
    rs485: bool = False
    alone: bool = False

    @classmethod
    def of(cls, config: DriverConfig, alone: bool = False) -> "Line":
        """The line that ``config`` describes: its settings that are named as a line's are; of what it does not have, the defaults."""
        return cls(**_settings(config), alone=alone)

    def open(self) -> "serial.Serial":
        """The open port; blocks."""
        port = open_port(self.port, self.baudrate, self.write_timeout_s, self.flow, 8, self.parity, self.stop_bits)
        try:
            with translated(self.port):
                port.timeout = self.answer_s
            if self.rs485:
                _direction_by_the_kernel(port)
        except BaseException:
            close_port(port)
            raise
        return port


def _settings(config: DriverConfig) -> dict[str, Any]:
    return {one.name: getattr(config, one.name) for one in fields(Line) if one.name in type(config).model_fields}


def shared(config: DriverConfig, key: str) -> SharedLine:
    """How ``config``'s display shares its line: all that describes the line is the same for everybody, ``key`` is its own."""
    same = {name: value for name, value in _settings(config).items() if name != "port"}
    return SharedLine(same, key, getattr(config, key))


def _direction_by_the_kernel(port: "serial.Serial") -> None:
    import serial.rs485

    try:
        port.rs485_mode = serial.rs485.RS485Settings()
    except (OSError, ValueError) as exc:
        raise DeviceError(f"{port.port}: this port has no RS-485 mode; with a USB adapter use rs485 = false", "unsupported") from exc


def has_room(port: "serial.Serial") -> None:
    """Wait until ``port`` takes something: where it does not, pyserial would spin at full speed for the whole of its timeout."""
    import serial

    with translated(str(port.port)):
        if not select.select([], [port.fileno()], [], port.write_timeout)[1]:
            raise serial.SerialTimeoutException


class Bus:
    """A line that is open while somebody uses it."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.users = 0
        self._lane = Lane(f"display {line.port}")
        self._turn = asyncio.Lock()
        self._port: serial.Serial | None = None
        self._broken: DeviceError | None = None
        self._free_at = 0.0  # when the next frame may begin; used in the lane's thread only

    async def ready(self) -> None:
        """Open the port if that was not done yet."""
        async with self._turn:
            self._check()
            if self._port is None:
                try:
                    self._port = await self._lane.run(self.line.open, OPEN_S, close_port)
                except DeviceError as exc:
                    self._broken = exc
                    _forget(self)
                    raise

    def _check(self) -> None:
        if self._broken is not None:
            raise DeviceError(str(self._broken), self._broken.code)

    async def send(self, messages: Callable[[], Sequence[Message]], seconds: float) -> None:
        """Send ``messages()``, asked for when it is our turn, each in at most ``seconds``; ``DeviceError`` says whose fault it was."""
        async with self._turn:
            self._check()
            port, due = self._port, messages()
            if not due or port is None:
                return
            try:
                # twice, because the call of a cancelled display may still be at work in the lane
                await self._lane.run(partial(self._work, port, due), 2 * len(due) * (seconds + self.line.gap_s))
            except DeviceError as exc:
                if exc.code not in ONE_DISPLAY:
                    self._broken = exc
                    _forget(self)
                    await self.close()
                raise

    def _work(self, port: "serial.Serial", messages: Sequence[Message]) -> None:
        for message in messages:
            time.sleep(max(0.0, self._free_at - time.monotonic()))  # in the line's own lane: boards need a pause between frames
            begun = time.monotonic()
            left = 0
            try:
                left = message(port)
            finally:
                self._free_at = max(time.monotonic(), begun + left * BITS / self.line.baudrate) + self.line.gap_s

    async def close(self) -> None:
        """Close the port and let the lane's thread end; a port that cannot be closed stays busy until the kernel lets go of it."""
        port, self._port = self._port, None
        if port is not None:
            with suppress(DeviceError):
                await self._lane.run(partial(close_port, port), CLOSE_S)
        self._lane.close()


_buses: dict[str, Bus] = {}
"""The lines that are in use, by their ports."""


def _forget(bus: Bus) -> None:
    if _buses.get(bus.line.port) is bus:
        del _buses[bus.line.port]


@asynccontextmanager
async def join(line: Line) -> AsyncIterator[Bus]:
    """The bus on ``line``, for the length of the block; ``DeviceError`` when it cannot be opened or is used otherwise already."""
    bus = _buses.get(line.port)
    if bus is None:
        bus = _buses[line.port] = Bus(line)
    elif line.alone or bus.line != line:
        raise DeviceError(f"{line.port} is in use by another display", "busy")
    bus.users += 1
    try:
        await bus.ready()
        yield bus
    finally:
        bus.users -= 1
        if not bus.users:
            _forget(bus)
            await bus.close()


class Display:
    """The ``CallDisplay`` port on a bus: every face whole, the newest one only."""

    def __init__(self, bus: Bus, messages: Callable[[Face], Sequence[Message]], seconds: float) -> None:
        self._bus, self._messages, self._seconds = bus, messages, seconds
        self._newest: Face | None = None

    async def show(self, face: Face) -> None:
        """Show ``face``; one that waited while a newer one came is left out. ``DeviceError``: ``absent``, ``timeout``, ``io`` ..."""
        self._newest = face
        await self._bus.send(lambda: self._messages(face) if face is self._newest else (), self._seconds)
