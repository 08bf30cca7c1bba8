"""ESC/POS ticket printers: USB (usblp), serial line, or TCP port 9100.

[devices.printer]
driver = "escpos_printer"
port = "/dev/usb/lp0"        # or "/dev/ttyUSB0" (serial), or "tcp:192.168.1.50:9100"
columns = 32                 # characters of normal size on a line: 32 on 58 mm paper, 48 on 80 mm
# baudrate = 19200           # serial lines only, like the two below
# rtscts = false
# xonxoff = false
# cut = true                 # false: no cutter; the paper is fed to the tear bar instead
# feed_dots = 0              # fed before the cut; without a cutter 120 (15 mm)
# qr = "native"              # "raster": for printers that print the data of a native code as text, or nothing
# status = true              # false: never ask for paper and cover: for printers that print the question
# confirm = true             # false: a ticket counts as printed once the printer took all its bytes
# poll_s = 3.0               # seconds between two questions for paper and cover

What ``print_slip`` says: with ``confirm = true`` a ticket is ``PRINTED`` when the printer itself said so after the last byte, and
``UNCERTAIN`` on a printer that cannot say it. With ``confirm = false`` the bytes that the printer took count as printed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, StringConstraints

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig, Fault, Outcome, Slip, TicketPrinter
from kiosd.threads import Lane, lane
from kiosd_drivers._escpos_encoder import Paper, encode, load
from kiosd_drivers._escpos_status import MARK, WARNINGS, Status
from kiosd_drivers._wires import SerialSettings, open_wire

T = TypeVar("T")
LOAD_S = 30.0  # importing python-escpos from a slow SD card
CALL_S = 120.0  # for a whole ticket; the deadlines of its parts come long before
CLOSE_S = 1.0
DOUBT_POLLS = 20  # a silent printer is asked anew at every 20th poll

Port = Annotated[str, StringConstraints(pattern=r"^(/[!-~]+|tcp:[!-~]+:[0-9]{1,5})$", max_length=200)]


class Config(DriverConfig):
    """``[devices.NAME]`` with ``driver = "escpos_printer"``; seconds where a name ends in ``_s``."""

    port: Port
    columns: int = Field(default=32, ge=24, le=64)
    baudrate: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 19200
    rtscts: bool = False
    xonxoff: bool = False
    cut: bool = True
    feed_dots: int | None = Field(default=None, ge=0, le=255)
    qr: Literal["native", "raster"] = "native"
    status: bool = True
    confirm: bool = True
    poll_s: float = Field(default=3.0, gt=0, le=60)
    connect_s: float = Field(default=3.0, gt=0, le=30)
    write_s: float = Field(default=5.0, gt=0, le=30)
    answer_s: float = Field(default=0.5, gt=0, le=5)
    confirm_s: float = Field(default=15.0, gt=0, le=60)


class EscposPrinter:
    """One printer. Methods whose name ends in ``_blocking`` run in the lane's thread, and only they touch the wire."""

    def __init__(self, config: Config, the_lane: Lane) -> None:
        self._config = config
        self._lane = the_lane
        self._paper = Paper(config.columns, config.cut, config.feed_dots, config.qr)
        self._status: Status | None = None
        self._gone: DeviceError | None = None
        self._lost = asyncio.Event()
        self._polls = 0

    @property
    def columns(self) -> int:
        """Characters of normal size on a line."""
        return self._config.columns

    async def open(self) -> None:
        """Find the printer; ``DeviceError`` when it is not there."""
        await self._run(load, LOAD_S)
        await self._run(self._open_blocking, self._config.connect_s + CLOSE_S)

    def _open_blocking(self) -> None:
        config = self._config
        serial = SerialSettings(config.baudrate, config.rtscts, config.xonxoff)
        wire = open_wire(config.port, serial, config.connect_s)
        self._status = Status(wire, config.answer_s, config.status, config.confirm)

    async def print_slip(self, slip: Slip) -> Outcome:
        """See ``TicketPrinter``. After ``UNCERTAIN`` by a failure the wire is closed, so that the rest cannot come out later."""
        if self._gone:
            raise self._gone
        try:
            return await self._run(partial(self._print_blocking, slip), CALL_S)
        except DeviceError:
            if self._lane.hung:
                return Outcome.UNCERTAIN
            raise

    def _print_blocking(self, slip: Slip) -> Outcome:
        data = encode(slip, self._paper)
        status, fault = self._ask_blocking()
        if fault.code not in WARNINGS:
            raise DeviceError(f"{self._config.port}: {fault.detail}", fault.code)
        before = status.wire.sent
        try:
            return self._send_blocking(status, data)
        except DeviceError as error:
            self._lose_blocking(status, error)
            if status.wire.sent == before:
                raise
            return Outcome.UNCERTAIN

    def _send_blocking(self, status: Status, data: bytes) -> Outcome:
        config = self._config
        status.wire.write(data + MARK if status.marks else data, config.write_s)
        status.wire.drain(config.write_s)
        if status.marks and not status.marked(config.confirm_s):
            raise DeviceError(f"{config.port}: did not say in {config.confirm_s:g} s that the ticket is printed", "timeout")
        return Outcome.PRINTED if status.marks or not config.confirm else Outcome.UNCERTAIN

    async def watch(self) -> AsyncIterator[Fault]:
        """See ``TicketPrinter``; the first question goes out at once."""
        last = Fault("", "")
        while True:
            if self._gone:
                raise self._gone
            fault = await self._run(self._poll_blocking, CALL_S)
            if fault != last:
                last = fault
                yield fault
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.poll_s):
                    await self._lost.wait()

    def _poll_blocking(self) -> Fault:
        self._polls += 1
        if self._status and self._polls % DOUBT_POLLS == 0:
            self._status.doubt_silence()
        return self._ask_blocking()[1]

    def _ask_blocking(self) -> tuple[Status, Fault]:
        status = self._status
        if self._gone or status is None:
            raise self._gone or DeviceError(f"{self._config.port}: not open", "absent")
        try:
            return status, status.now()
        except DeviceError as error:
            self._lose_blocking(status, error)
            raise

    def _lose_blocking(self, status: Status, error: DeviceError) -> None:
        self._gone = error
        status.wire.close()

    async def _run(self, call: Callable[[], T], timeout: float) -> T:
        def job() -> T:
            try:
                return call()
            finally:  # the printer was given up while this call was under way: nobody else will close the wire
                if self._gone and self._status:
                    self._status.wire.close()

        try:
            return await self._lane.run(job, timeout)
        except DeviceError as error:
            if self._lane.hung:
                self.give_up(error)
            raise
        finally:
            if self._gone:
                self._lost.set()

    def give_up(self, why: DeviceError) -> None:
        """Every call from now on raises ``why``; a call that waits in the lane ends within 0.1 s."""
        self._gone = self._gone or why
        if self._status:
            self._status.wire.cancel()

    async def close(self) -> None:
        """Let go of the printer; what has not left yet is thrown away."""
        self.give_up(DeviceError(f"{self._config.port}: closed", "absent"))
        with suppress(DeviceError):
            await self._run(lambda: None, CLOSE_S)


class EscposPrinterDriver:
    """Finds and opens the printer."""

    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = TicketPrinter

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[EscposPrinter]:
        async with lane(f"printer {config.port}") as printer_lane:
            printer = EscposPrinter(config, printer_lane)
            try:
                await printer.open()
                yield printer
            finally:
                await printer.close()


DRIVER = EscposPrinterDriver()
