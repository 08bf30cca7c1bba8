"""A finger on simulated pins: for programs that may wait for it, and for an event loop. The language is that of ``pins``."""

import asyncio
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

REPLY_BYTES = 8192
PRESS_MS = 80
HOLD_MS = 1000
BOUNCE_MS = 30
TWO_MS = 5
JABBER_MS = 200
JABBER_RATE = 500  # edges a second
PRESS_S = 5.0  # a press takes 0.08 s; a daemon that does not answer for so long hangs


class PinsAbsent(OSError):
    """Nobody answers at the socket: the daemon is not running, or not on simulated pins."""


@dataclass(frozen=True, slots=True)
class PinState:
    """``function`` is ``in`` or ``out``; ``level`` is true when the pin is high, ``changes`` is how often it has changed.

    Two that are the same now are equal, however they came there.
    """

    function: str
    level: bool
    changes: int = field(default=0, compare=False)


class Pins:
    """A finger on the buttons of a daemon that runs on ``SimFactory``. Blocking; raises ``PinsAbsent``, or ``ValueError`` for a refusal."""

    def __init__(self, path: str | Path) -> None:
        self._path = os.fspath(path)

    def press(self, pin: int, seconds: float = PRESS_MS / 1000) -> None:
        """Close the contact for ``seconds``; returns when it is open again."""
        self._ask(f"press {pin} {round(seconds * 1000)}", wait_s=seconds)

    def bounce(self, pin: int, seconds: float = BOUNCE_MS / 1000) -> None:
        """One press through a bad contact that closes five times within ``seconds``."""
        self._ask(f"bounce {pin} {round(seconds * 1000)}", wait_s=seconds)

    def hold(self, pin: int) -> None:
        """Press and do not let go for a second."""
        self.press(pin, HOLD_MS / 1000)

    def stick(self, pin: int) -> None:
        """Close the contact and leave it closed, until ``free``."""
        self._ask(f"stick {pin}")

    def free(self, pin: int) -> None:
        """Open the contact of a button that hangs."""
        self._ask(f"free {pin}")

    def two(self, first: int, second: int, seconds: float = TWO_MS / 1000) -> None:
        """Press two buttons, the second so much later; returns when both are open again."""
        self._ask(f"two {first} {second} {round(seconds * 1000)}", wait_s=seconds)

    def jabber(self, pin: int, rate: int = JABBER_RATE, seconds: float = JABBER_MS / 1000) -> None:
        """A loose wire: ``rate`` edges a second for ``seconds``."""
        self._ask(f"jabber {pin} {rate} {round(seconds * 1000)}", wait_s=seconds)

    def low(self, pin: int) -> None:
        """Hold the pin low until ``high``."""
        self._ask(f"low {pin}")

    def high(self, pin: int) -> None:
        """Hold the pin high until ``low``."""
        self._ask(f"high {pin}")

    def state(self) -> dict[int, PinState]:
        """Every pin that the daemon uses, lamps included, by number."""
        return {row["pin"]: PinState(row["function"], bool(row["level"]), row["changes"]) for row in json.loads(self._ask("state"))}

    def _ask(self, request: str, wait_s: float = 0.0) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(wait_s + 5.0)
                connection.connect(self._path)
                connection.sendall(f"{request}\n".encode("ascii"))
                with connection.makefile("rb") as lines:
                    reply = lines.readline(REPLY_BYTES).decode()
        except OSError as exc:
            raise PinsAbsent(f"no simulated pins at {self._path}: is the daemon running? ({exc})") from exc
        if not reply.endswith("\n"):
            raise PinsAbsent(f"the simulated pins at {self._path} went away in the middle of {request!r}")
        if reply.startswith("error: "):
            raise ValueError(reply.removeprefix("error: ").strip())
        return reply.strip()


async def press_pin(path: Path, pin: int) -> None:
    """Press the button on ``pin`` once; ``OSError`` when nobody answers, ``ValueError`` when it cannot be pressed."""
    async with asyncio.timeout(PRESS_S):
        reader, writer = await asyncio.open_unix_connection(path, limit=REPLY_BYTES)
        try:
            writer.write(f"press {pin}\n".encode())
            reply = (await reader.readline()).decode(errors="replace").strip()
        finally:
            writer.close()
    if reply != "ok":
        raise ValueError(reply.removeprefix("error: ") or "the daemon went away")
