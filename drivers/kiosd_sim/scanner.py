"""A simulated barcode scanner on a serial line."""

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
