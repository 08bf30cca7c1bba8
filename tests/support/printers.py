"""A slip to print, how it reads, the ESC/POS driver with deadlines for tests, and a printer that answers as a test tells it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from kiosd.ports import Align, Fault, Qr, Slip, Text
from kiosd_drivers.escpos_printer import Config, EscposPrinter, EscposPrinterDriver
from kiosd_sim.door import door, tcp

SLIP = Slip(
    "CTH01-20260701-D005",
    (
        Text("KIOS SIAPkerja", bold=True),
        Text("D005", size=6, bold=True),
        Text("Rabu, 1 Juli 2026", align=Align.LEFT),
        Qr("CTH01-20260701-D005"),
        Text("Terima kasih"),
    ),
)
READ = ["KIOS SIAPkerja", "D005", "Rabu, 1 Juli 2026", "[QR CTH01-20260701-D005]", "", "Terima kasih"]


def read(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n")]


def opened(port: str | None, **settings: object) -> AbstractAsyncContextManager[EscposPrinter]:
    """The driver, which knows no printer yet, at ``port`` with deadlines for tests; whatever happens ends within ten seconds."""
    return opened_by(EscposPrinterDriver(), port, **settings)


@asynccontextmanager
async def opened_by(driver: EscposPrinterDriver, port: str | None, **settings: object) -> AsyncIterator[EscposPrinter]:
    """``opened`` by a driver that may know the printer."""
    config = Config.model_validate({**({"port": port} if port else {}), "poll_s": 0.02, "answer_s": 0.2, "write_s": 1.0, **settings})
    async with asyncio.timeout(10), driver.open(config) as printer:
        yield printer


async def first(printer: EscposPrinter, code: str) -> Fault:
    """The first fault with ``code``."""
    async for fault in printer.watch():
        if fault.code == code:
            return fault
    raise AssertionError("watch never ends by itself")


QUESTION = re.compile(
    rb"\x10\x04(?P<status>[\x01-\x04])|\x1d\(H\x06\x0000(?P<id>.{4})|(?P<sensors>\x1dr\x01)|(?P<reports>\x1da\xff)"
    rb"|(?P<clear>\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08)|(?P<recover>\x10\x05\x02)",
    re.DOTALL,
)
"""What the driver asks a printer, by kind."""
Says = Callable[[bytes], bytes]
WELL: dict[str, Says] = {
    "status": lambda _: b"\x12",
    "id": lambda name: b"\x37\x22" + name + b"\x00",
    "sensors": lambda _: b"\x00",
    "reports": lambda _: b"\x10\x00\x00\x0f",
    "clear": lambda _: b"\x37\x25\x00",
}
"""The answers of a printer that knows everything and has no trouble; what is left out is not answered."""


class Scripted:
    """A printer on TCP that answers as it is told, and does nothing else. ``asked``: the kinds of questions, in order; ``names``: the ids
    behind tickets."""

    def __init__(self, says: Mapping[str, Says]) -> None:
        self.says = dict(says)
        self.asked: list[str] = []
        self.names: list[bytes] = []
        self.got = bytearray()
        self.port = ""
        self.greeting = b""
        self._line: asyncio.StreamWriter | None = None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the bytes that are under way have made ``condition`` true."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what a socket brings tells nobody
                await asyncio.sleep(0.005)

    def push(self, data: bytes) -> None:
        """Say something unasked."""
        assert self._line is not None
        self._line.write(data)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._line, rest = writer, b""
        writer.write(self.greeting)
        while data := await reader.read(4096):
            self.got += data
            rest += data
            end = 0
            for question in QUESTION.finditer(rest):
                end, kind = question.end(), str(question.lastgroup)
                self.asked.append(kind)
                self.names += [question[kind]] if kind == "id" else []
                if kind in self.says:
                    writer.write(self.says[kind](question[kind]))
            rest = rest[max(end, len(rest) - 16) :]


@asynccontextmanager
async def scripted(says: Mapping[str, Says] = WELL, greeting: bytes = b"", **changes: Says | None) -> AsyncIterator[Scripted]:
    """A printer that answers like ``says`` but for ``changes``; None: not at all."""
    merged = {**says, **changes}
    it = Scripted({kind: answer for kind, answer in merged.items() if answer is not None})
    it.greeting = greeting
    listener = tcp()
    it.port = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    async with door(it.talk, listener):
        yield it
