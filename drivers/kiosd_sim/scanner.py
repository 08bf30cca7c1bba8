"""A simulated barcode scanner on a serial line, and what scanners do wrong."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosd_sim.serialport import SerialPort

ENDS: dict[str, str | bytes] = {"cr": "\r", "lf": "\n", "crlf": "\r\n", "tab": "\t", "etx": "\x03", "garbled": b"\x8d", "none": ""}
"""What a scanner may send behind a code; ``garbled`` is a CR as a line with another parity has it."""
PARTS: dict[str, Callable[[str], str]] = {
    "whole": lambda text: text,
    "half": lambda text: text[: len(text) // 2],
    "rest": lambda text: text[len(text) // 2 :],
}
"""How much of a code is sent; behind ``half`` comes no end."""
STX, ETX = "\x02", "\x03"
AIM = "]C0"  # Code 128 (ISO/IEC 15424): what a card of letters and digits has
KEY_ENDS = {"enter": "cr"}
"""An end as the configuration of a scanner that types names it, where that is another name than in ``ENDS``."""
NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Manner:
    """What a scanner sends around a code: STX and ETX when it is ``framed``, an ``aim`` identifier or ``""``, one of ``ENDS``."""

    framed: bool = False
    aim: str = ""
    end: str = "cr"

    def but(self, framed: bool = False, aim: str = "", end: str = "") -> "Manner":
        """With what a person wants otherwise: a frame, an AIM identifier or ``NOTHING``, another end than its own or its frame's."""
        its_end = self.end if not (framed or end) else end or NOTHING
        return Manner(framed or (self.framed and not end), {"": self.aim, NOTHING: ""}.get(aim, aim), its_end)

    def around(self, text: str, part: str) -> tuple[str, str | bytes]:
        """The code ``text``, or the ``part`` of it (``PARTS``), as it is sent, and its end."""
        sent = PARTS[part](text)
        if part != "rest":
            sent = STX * self.framed + self.aim + sent
        if part == "half":
            return sent, ""
        return sent + ETX * self.framed, ENDS[self.end]


USUAL = Manner()


def set_for(config: Mapping[str, Any]) -> Manner:
    """How a scanner is set that fits its section in a configuration, as the drivers' pages say: ETX comes with STX before the code."""
    ends: list[str] = config.get("ends", [NOTHING if config.get("silence_ends") else "cr"])
    end: str = KEY_ENDS.get(ends[0], ends[0])
    aim = AIM if config.get("aim") else ""
    return Manner(True, aim, NOTHING) if end == "etx" else Manner(False, aim, end)


class SimScanner:
    """Scans what it is told. ``port`` is plugged and unplugged by its owner; ``manner`` is what it is set to send around a code."""

    def __init__(self, link: Path, manner: Manner = USUAL) -> None:
        self.port = SerialPort(link)
        self.manner = manner

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
        await self.send(f"{STX}{aim}{text}", ETX)
