"""A barcode scanner on a serial line: RS-232, or USB in its "virtual COM port" mode.

[devices.scanner_1]
driver = "serial_scanner"
port = "/dev/serial/by-id/usb-Example_Scanner-if00"
baudrate = 9600

Instead of ``port``, ``match = { vid_pid = "05f9:4204", serial = "S1234" }`` finds a USB scanner by what it tells of itself; every key given
must fit, and when two scanners do the driver takes neither and names both.

The scanner ends each code with CR, LF or CRLF, unless ``ends`` says otherwise; STX before and ETX after it are accepted. Serial mode is
safer than keyboard mode: nothing it sends can be a key of this machine.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kiosd.ports import BadScan, DriverConfig, Scan, Scanner
from kiosd.threads import lane
from kiosd_drivers._codes import Assembler, ScanReader, reading
from kiosd_drivers._judge import CodeRules
from kiosd_drivers._match import Match
from kiosd_drivers._serial import (
    OPEN_S,
    Baudrate,
    Bits,
    Flow,
    Parity,
    PortPath,
    StopBits,
    close_port,
    find_port,
    one_of,
    open_port,
    place,
    translated,
)

if TYPE_CHECKING:
    import serial

CHUNK = 4096  # bytes; the line discipline holds no more
ENDS = {"cr": 0x0D, "lf": 0x0A, "tab": 0x09, "etx": 0x03}


class Config(CodeRules):
    """A scanner on a serial line."""

    port: PortPath | None = Field(default=None, description="the serial port, by a name that stays: /dev/serial/by-id/... or by-path/...")
    match: Match | None = Field(
        default=None, description="Instead of port: rules that find a USB one by vid_pid, serial, name, phys, by_id or by_path."
    )
    baudrate: Baudrate = Field(default=9600, description="Bits a second, as the scanner is set; a USB scanner takes any.")
    bits: Bits = Field(default=8, description="Data bits of a character.")
    parity: Parity = Field(default="none", description="Parity bit: none, even, odd, mark or space.")
    stop_bits: StopBits = Field(default=1, description="Stop bits.")
    flow: Flow = Field(default="none", description="Flow control: none, rtscts or xonxoff.")
    ends: Annotated[tuple[Literal["cr", "lf", "tab", "etx"], ...], Field(min_length=1, strict=False)] = Field(
        default=("cr", "lf"), description="What ends a code, each of them alone; cr and lf together are also CRLF."
    )
    idle_s: float = Field(
        default=0.5, ge=0.05, le=5.0, description="Seconds of silence in a code that discard it; a character at 1200 baud takes 0.01."
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Config":
        one_of(self.port, self.match)
        return self


class SerialSource:
    """An open port as the reader thread uses it."""

    def __init__(self, port: "serial.Serial", config: Config) -> None:
        self._port = port
        self._path = str(port.port)
        self.codes = Assembler(config.idle_s, bytes(ENDS[end] for end in config.ends), config.silence_ends, config.judge)

    def fileno(self) -> int:
        fd: int = self._port.fileno()
        return fd

    def take(self, at: float) -> list[Scan | BadScan]:
        with translated(self._path):
            return self.codes.feed(self._port.read(CHUNK), at)

    def close(self) -> None:
        close_port(self._port)


class SerialScannerDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = Scanner

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[ScanReader]:
        """Open the port and read it until the block ends; what came before was typed at nobody and is discarded."""

        def found() -> "serial.Serial":
            path = find_port(config.port, config.match)
            return open_port(path, config.baudrate, flow=config.flow, bits=config.bits, parity=config.parity, stop_bits=config.stop_bits)

        async with lane(f"open {place(config.port, config.match)}") as it:
            port = await it.run(found, OPEN_S, close_port)
        async with reading(str(port.port), SerialSource(port, config)) as scanner:
            yield scanner


DRIVER = SerialScannerDriver()
