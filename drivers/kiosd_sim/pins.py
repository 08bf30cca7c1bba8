"""Simulated GPIO pins: the real daemon runs on them, and a finger outside presses them over a Unix socket.

``GPIOZERO_PIN_FACTORY=kiosd_sim`` makes gpiozero use ``SimFactory``; ``KIOSD_SIM_PINS`` names its socket. A request is one line of
words, at most 256 bytes; the answer is one line: ``ok``, ``error: ...`` or, for ``state``, JSON.

    low 17 | high 17    hold the pin at this level until told otherwise, also while the daemon closes and opens it
    press 17 [80]       close the button's contact for so many milliseconds
    bounce 17 [30]      the same with a bad contact: five closings within so many milliseconds, then held for 80
    state               every pin in use: [{"pin": 17, "function": "in", "level": 1}, ...]
"""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

SOCKET_ENV = "KIOSD_SIM_PINS"
LINE_BYTES = 256
REPLY_BYTES = 8192
PRESS_MS = 80
BOUNCE_MS = 30
BOUNCES = 5
LAST_PIN = 27
LONGEST_MS = 60_000


class PinsAbsent(OSError):
    """Nobody answers at the socket: the daemon is not running, or not on simulated pins."""


class _BadRequest(ValueError):
    """A line that cannot be done; the text is the answer."""


@dataclass(frozen=True, slots=True)
class PinState:
    """``function`` is ``in`` or ``out``; ``level`` is true when the pin is high."""

    function: str
    level: bool


class SimPin(MockPin):  # type: ignore[misc]  # gpiozero has no type hints
    """A pin with somebody at the other end: a level held from outside is stronger than the pull resistor, as on a board."""

    def __init__(self, factory: Any, info: Any, **kwargs: Any) -> None:
        self._held: bool | None = None
        super().__init__(factory, info, **kwargs)

    @property
    def rest(self) -> bool:
        """The level of the pin when nobody touches it."""
        return bool(self.pull == "up")

    def hold(self, level: bool) -> None:
        """Hold the pin at ``level`` from outside. Runs the daemon's callback in the calling thread, as lgpio does in its own."""
        if self.function != "input":
            raise _BadRequest(f"{self!r} is an output")
        self._held = None if level == self.rest else level
        self._drive(level)

    def _drive(self, level: bool) -> None:
        if level:
            self.drive_high()
        else:
            self.drive_low()

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self._held is not None:
            self._drive(self._held)


class SimFactory(MockFactory):  # type: ignore[misc]  # gpiozero has no type hints
    """gpiozero's pin factory ``kiosd_sim``."""

    def __init__(self) -> None:
        path = os.environ.get(SOCKET_ENV, "")
        if not path:
            raise ValueError(f"{SOCKET_ENV} is not set: it names the socket that works the simulated pins")
        super().__init__(pin_class=SimPin)
        self._server = _Server(Path(path), self.in_use)

    def in_use(self) -> dict[int, SimPin]:
        """The pins that a device of this process has reserved now."""
        with self._res_lock:
            reserved = {info for info, refs in self._reservations.items() if any(ref() is not None for ref in refs)}
        return {int(info.name.removeprefix("GPIO")): pin for info, pin in list(self.pins.items()) if info in reserved}

    def close(self) -> None:
        super().close()
        self._server.close()


class _Server:
    """Listens in a daemon thread, and has one for each client. Callbacks run one at a time, as in lgpio's only thread."""

    def __init__(self, path: Path, pins: Callable[[], dict[int, SimPin]]) -> None:
        self._path = path
        self._pins = pins
        self._turn = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._commands: dict[str, tuple[Callable[..., str], int, int]] = {  # with fewest and most arguments
            "low": (self._low, 1, 1),
            "high": (self._high, 1, 1),
            "press": (self._press, 1, 2),
            "bounce": (self._bounce, 1, 2),
            "state": (self._state, 0, 0),
        }
        self._listener = _listen(path)
        threading.Thread(target=self._accept, name="sim-pins", daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._clients.add(client)
                threading.Thread(target=self._serve, args=(client,), name="sim-pins-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rb") as lines:  # OSError: the client left
            while line := lines.readline(LINE_BYTES + 1):
                if len(line) > LINE_BYTES:
                    client.sendall(f"error: a line has at most {LINE_BYTES} bytes\n".encode())
                    break
                client.sendall(f"{self._answer(line)}\n".encode())
        self._clients.discard(client)

    def _answer(self, line: bytes) -> str:
        try:
            return self._run(*line.decode("ascii").split() or [""])
        except (_BadRequest, UnicodeDecodeError) as exc:
            return f"error: {exc}"
        except Exception as exc:  # noqa: BLE001 - the daemon's callback failed, which in lgpio's thread would end every button: say so
            return f"error: the daemon's callback failed: {exc!r}"

    def _run(self, name: str, *arguments: str) -> str:
        if name not in self._commands:
            raise _BadRequest(f"no such request {name[:16]!r}; there are: {', '.join(self._commands)}")
        command, fewest, most = self._commands[name]
        if not fewest <= len(arguments) <= most:
            raise _BadRequest(f"{name} takes {fewest} to {most} numbers")
        return command(*map(_number, arguments))

    def _pin(self, number: int) -> SimPin:
        if number > LAST_PIN:
            raise _BadRequest(f"a pin is 0 to {LAST_PIN}")
        pin = self._pins().get(number)
        if pin is None:
            raise _BadRequest(f"pin {number} is not in use")
        return pin

    def _hold(self, pin: SimPin, level: bool) -> None:
        with self._turn:
            pin.hold(level)

    def _low(self, number: int) -> str:
        self._hold(self._pin(number), False)
        return "ok"

    def _high(self, number: int) -> str:
        self._hold(self._pin(number), True)
        return "ok"

    def _press(self, number: int, milliseconds: int = PRESS_MS) -> str:
        pin = self._pin(number)
        rest = pin.rest
        self._hold(pin, not rest)
        try:
            _sleep(milliseconds)
        finally:
            self._hold(pin, rest)
        return "ok"

    def _bounce(self, number: int, milliseconds: int = BOUNCE_MS) -> str:
        pin = self._pin(number)
        rest = pin.rest
        for _ in range(BOUNCES - 1):
            for level in (not rest, rest):
                self._hold(pin, level)
                _sleep(milliseconds / (2 * BOUNCES - 2))
        return self._press(number)

    def _state(self) -> str:
        pins = sorted(self._pins().items())
        return json.dumps([{"pin": n, "function": "in" if p.function == "input" else "out", "level": int(p.state)} for n, p in pins])

    def close(self) -> None:
        """Stop listening, part from every client and remove the socket's file."""
        for connection in (self._listener, *self._clients):
            with suppress(OSError):  # it may have gone by itself
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it; closing alone would not
        self._listener.close()
        self._path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    """A listening socket for this user only. The file of a daemon that is gone is replaced; one in use is not, nor is another file."""
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(f"{path} is there and is not a socket")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(os.fspath(path)) == 0:
                raise FileExistsError(f"{path} is in use by another daemon")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _number(word: str) -> int:
    if not word.isdecimal() or int(word) > LONGEST_MS:
        raise _BadRequest(f"{word[:16]!r} is not a number from 0 to {LONGEST_MS}")
    return int(word)


def _sleep(milliseconds: float) -> None:
    """A finger holds a button for so long: real time, for what is pressed is debounced by the real clock."""
    time.sleep(milliseconds / 1000)


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

    def low(self, pin: int) -> None:
        """Hold the pin low until ``high``."""
        self._ask(f"low {pin}")

    def high(self, pin: int) -> None:
        """Hold the pin high until ``low``."""
        self._ask(f"high {pin}")

    def state(self) -> dict[int, PinState]:
        """Every pin that the daemon uses, lamps included, by number."""
        return {row["pin"]: PinState(row["function"], bool(row["level"])) for row in json.loads(self._ask("state"))}

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
