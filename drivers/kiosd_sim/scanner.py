"""A simulated barcode scanner on a serial line, and what scanners do wrong."""

from collections.abc import Callable, Iterable
from pathlib import Path

from kiosd_sim.serialport import SerialPort

ENDS = {"cr": "\r", "lf": "\n", "crlf": "\r\n", "tab": "\t", "etx": "\x03", "garbled": b"\x8d", "none": ""}
"""What a scanner may send behind a code; ``garbled`` is a CR as a line with another parity has it."""
PARTS: dict[str, Callable[[str], str]] = {
    "whole": lambda text: text,
    "half": lambda text: text[: len(text) // 2],
    "rest": lambda text: text[len(text) // 2 :],
}
"""How much of a code is sent; behind ``half`` comes no end."""


class SimScanner:
    """Scans what it is told. ``port`` is plugged and unplugged by its owner; ``end`` is what it is set to send behind a code."""

    def __init__(self, link: Path, end: str = "cr") -> None:
        self.port = SerialPort(link)
        self.end = end

    async def send(self, text: str | bytes, terminator: str | bytes = "\r") -> None:
        """Send one code and its end as the scanner's electronics would: no check, no filter."""
        data = b"".join(part.encode(errors="surrogateescape") if isinstance(part, str) else part for part in (text, terminator))
        await self.port.write(data)

    async def burst(self, texts: Iterable[str | bytes], terminator: str | bytes = "\r") -> None:
        """Codes one after the other without a pause."""
        for text in texts:
            await self.send(text, terminator)

    async def half(self, text: str) -> None:
        """The first half of a code and no end: the scanner's cable came loose, or its battery is empty."""
        await self.send(PARTS["half"](text), "")

    async def framed(self, text: str, aim: str = "") -> None:
        """A code between STX and ETX, with the AIM prefix that names its kind, such as ``]Q1``."""
        await self.send(f"\x02{aim}{text}", "\x03")
