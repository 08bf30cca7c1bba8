"""A simulated barcode scanner on a serial line."""

from collections.abc import Iterable
from pathlib import Path

from kiosd_sim.serialport import SerialPort


class SimScanner:
    """Scans what it is told. ``port`` is plugged and unplugged by its owner."""

    def __init__(self, link: Path) -> None:
        self.port = SerialPort(link)

    async def send(self, text: str | bytes, terminator: str | bytes = "\r") -> None:
        """Send one code and its end as the scanner's electronics would: no check, no filter."""
        data = b"".join(part.encode() if isinstance(part, str) else part for part in (text, terminator))
        await self.port.write(data)

    async def burst(self, texts: Iterable[str | bytes], terminator: str | bytes = "\r") -> None:
        """Codes one after the other without a pause."""
        for text in texts:
            await self.send(text, terminator)

    async def half(self, text: str) -> None:
        """The first half of a code and no end: the scanner's cable came loose, or its battery is empty."""
        await self.send(text[: len(text) // 2], "")

    async def framed(self, text: str, aim: str = "") -> None:
        """A code between STX and ETX, with the AIM prefix that names its kind, such as ``]Q1``."""
        await self.send(f"\x02{aim}{text}", "\x03")
