"""A slip to print, how it reads, and the ESC/POS driver with deadlines for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiosd.ports import Align, Fault, Qr, Slip, Text
from kiosd_drivers.escpos_printer import DRIVER, Config, EscposPrinter

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


@asynccontextmanager
async def opened(port: str, **settings: object) -> AsyncIterator[EscposPrinter]:
    """The driver at ``port`` with deadlines for tests; whatever happens ends within ten seconds."""
    config = Config.model_validate({"port": port, "poll_s": 0.02, "answer_s": 0.2, "write_s": 1.0, **settings})
    async with asyncio.timeout(10), DRIVER.open(config) as printer:
        yield printer


async def first(printer: EscposPrinter, code: str) -> Fault:
    """The first fault with ``code``."""
    async for fault in printer.watch():
        if fault.code == code:
            return fault
    raise AssertionError("watch never ends by itself")
