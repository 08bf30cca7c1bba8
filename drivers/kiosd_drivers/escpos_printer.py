"""ESC/POS ticket printers: USB (usblp), serial line, or TCP port 9100.

[devices.printer]
driver = "escpos_printer"
port = "/dev/usb/lp0"        # or "/dev/ttyUSB0" (serial), or "tcp:192.168.1.50:9100"
columns = 32                 # 58 mm paper; 48 on 80 mm
# logo = "/etc/kiosd/logo.png"

What ``print_slip`` says: ``PRINTED`` when the printer itself said so after the last byte, by ``GS ( H`` or else ``GS r``. One that can say
neither is ``UNCONFIRMED``, which ``watch`` tells once, as long as nothing worse is the matter. After a failure past the first byte the
printer is told to forget the rest, or the wire is closed, and the slip is ``UNCERTAIN``. docs/drivers/escpos_printer.md has the rest.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import ClassVar, TypeVar

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig, Fault, Outcome, Slip, TicketPrinter
from kiosd.threads import Inbox, Lane, lane
from kiosd_drivers._escpos_blocking import BlockingPrinter
from kiosd_drivers._escpos_config import Config
from kiosd_drivers._escpos_status import Known

__all__ = ["DRIVER", "Config", "EscposPrinter", "EscposPrinterDriver"]

T = TypeVar("T")
LOAD_S = 30.0  # importing python-escpos from a slow SD card
SPARE_S = 3.0  # for a call that comes back: its parts have deadlines of their own
CLOSE_S = 1.0


class EscposPrinter:
    """One printer in its lane."""

    def __init__(self, config: Config, the_lane: Lane, known: Known) -> None:
        self._config = config
        self._lane = the_lane
        self._news: Inbox[Fault | None] = Inbox()
        self._printer = BlockingPrinter(config, known, self._news.put_from_thread)
        self._printing = 0

    @property
    def columns(self) -> int:
        """Characters of normal size on a line."""
        return self._config.columns

    async def open(self) -> None:
        """Find the printer; ``DeviceError`` when it is not there, or nobody can talk to it."""
        await self._run(self._printer.load, LOAD_S)
        await self._run(self._printer.open, self._config.connect_s + self._printer.asking_s + SPARE_S)

    async def print_slip(self, slip: Slip) -> Outcome:
        """See ``TicketPrinter``."""
        if self._printer.gone:
            raise self._printer.gone
        self._printing += 1
        try:
            return await self._run(partial(self._printer.print, slip), self._printer.printing_s + SPARE_S)
        except DeviceError:
            if self._lane.hung:
                return Outcome.UNCERTAIN
            raise
        finally:
            self._printing -= 1
            self._news.put_from_thread(None)

    async def watch(self) -> AsyncIterator[Fault]:
        """See ``TicketPrinter``; the first question goes out at once. While a slip is printed none does: the printer may tell by itself."""
        last = Fault("", "")
        news = self._printer.found
        if news:  # nobody should believe that it prints while it is asked again
            last = news
            yield news
        while True:
            if self._printer.gone:
                raise self._printer.gone
            fault = (news or last) if self._printing else await self._run(self._printer.poll, self._printer.asking_s + SPARE_S)
            if fault != last:
                last = fault
                yield fault
            news = None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.poll_s):
                    news = await self._news.get()

    async def _run(self, call: Callable[[], T], timeout: float) -> T:
        def job() -> T:
            try:
                return call()
            finally:  # the printer was given up while this call was under way: nobody else will close the wire
                if self._printer.gone:
                    self._printer.close()

        try:
            return await self._lane.run(job, timeout)
        except DeviceError as error:
            if self._lane.hung:
                self.give_up(error)
            raise
        finally:
            if self._printer.gone:
                self._news.put_from_thread(None)

    def give_up(self, why: DeviceError) -> None:
        """Every call from now on raises ``why``; a call that waits in the lane ends within 0.1 s."""
        self._printer.gone = self._printer.gone or why
        self._printer.cancel()

    async def close(self) -> None:
        """Let go of the printer; what has not left yet is thrown away."""
        self.give_up(DeviceError(f"{self._config.place}: closed", "absent"))
        with suppress(DeviceError):
            await self._run(lambda: None, CLOSE_S)


class EscposPrinterDriver:
    """Finds and opens the printer. What it learns of each one lasts as long as the process: one that answered once does not pass for one
    that cannot answer when it is opened anew."""

    def __init__(self) -> None:
        self._known: defaultdict[str, Known] = defaultdict(Known)

    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = TicketPrinter

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[EscposPrinter]:
        async with lane(config.place) as printer_lane:
            printer = EscposPrinter(config, printer_lane, self._known_of(config))
            try:
                await printer.open()
                yield printer
            finally:
                await printer.close()

    def _known_of(self, config: Config) -> Known:
        """What is known of this printer: what it was heard to say, and what its ``answers`` says of it before it was heard."""
        known = self._known[config.place]
        if config.answers and config.status:
            known.answers = True
        elif config.answers:
            known.marks = True
        return known


DRIVER = EscposPrinterDriver()
