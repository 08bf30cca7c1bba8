"""A barcode scanner on a serial line: RS-232, or USB in its "virtual COM port" mode.

[devices.scanner_1]
driver = "serial_scanner"
port = "/dev/serial/by-id/usb-Example_Scanner-if00"
baudrate = 9600

The scanner ends each code with CR, LF or CRLF; STX before and ETX after it are accepted. Serial mode is safer than keyboard mode:
nothing it sends can be a key of this machine.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kiosd.ports import BadScan, DriverConfig, Scan, Scanner
from kiosd.threads import lane
from kiosd_drivers._codes import Assembler, ScanReader, reading
from kiosd_drivers._serial import OPEN_S, Baudrate, PortPath, close_port, open_port, translated

if TYPE_CHECKING:
    import serial

CHUNK = 4096  # bytes; the line discipline holds no more


class Config(DriverConfig):
    """``idle_s``: a code without its end is thrown away after so many seconds of silence (a character at 1200 baud takes 0.01)."""

    port: PortPath
    baudrate: Baudrate = 9600
    idle_s: float = Field(default=0.5, ge=0.05, le=5.0)


class SerialSource:
    """An open port as the reader thread uses it."""

    def __init__(self, port: "serial.Serial", path: str, idle_s: float) -> None:
        self._port = port
        self._path = path
        self.codes = Assembler(idle_s)

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
        async with lane(f"open {config.port}") as it:
            port = await it.run(partial(open_port, config.port, config.baudrate), OPEN_S, lambda late: late.close())
        async with reading(config.port, SerialSource(port, config.port, config.idle_s)) as scanner:
            yield scanner


DRIVER = SerialScannerDriver()
