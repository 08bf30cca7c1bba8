"""Simulated GPIO pins: the real daemon runs on them, and a finger outside presses them over a Unix socket.

``GPIOZERO_PIN_FACTORY=kiosd_sim`` makes gpiozero use ``SimFactory``; ``KIOSD_SIM_PINS`` names its socket. A request is one line of
words, at most 256 bytes; the answer is one line: ``ok``, ``error: ...`` or, for ``state``, JSON.

    low 17 | high 17    hold the pin at this level until told otherwise, also while the daemon closes and opens it
    press 17 [80]       close the button's contact for so many milliseconds
    bounce 17 [30]      the same with a bad contact: five closings within so many milliseconds, then held for 80
    stick 17            close the contact and leave it closed: a button that hangs, until ``free 17``
    two 17 27 [5]       press two buttons within so many milliseconds
    jabber 17 500 [200] so many edges a second from a loose wire, for so many milliseconds
    state               every pin in use: [{"pin": 17, "function": "in", "level": 1, "changes": 3}, ...]; ``changes`` counts those of the
                        level, so that a flash between two looks is not missed
"""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from kiosd_sim.finger import BOUNCE_MS, JABBER_MS, PRESS_MS, TWO_MS, Pins, PinsAbsent, PinState

__all__ = ["PinState", "Pins", "PinsAbsent", "SimFactory", "SimPin"]

SOCKET_ENV = "KIOSD_SIM_PINS"
LINE_BYTES = 256
BOUNCES = 5
LAST_PIN = 27
LONGEST_MS = 60_000


class _BadRequest(ValueError):
    """A line that cannot be done; the text is the answer."""


class SimPin(MockPin):  # type: ignore[misc]  # gpiozero has no type hints
    """A pin with somebody at the other end: a level held from outside is stronger than the pull resistor, as on a board."""

    def __init__(self, factory: Any, info: Any, **kwargs: Any) -> None:
        self._held: bool | None = None
        self.changes = 0
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

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        if changed:
            self.changes += 1
            self.clear_states()  # gpiozero remembers every change; lamps blink for days
        return changed

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
            "stick": (self._stick, 1, 1),
            "free": (self._free, 1, 1),
            "two": (self._two, 2, 3),
            "jabber": (self._jabber, 2, 3),
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

    def _stick(self, number: int) -> str:
        pin = self._pin(number)
        self._hold(pin, not pin.rest)
        return "ok"

    def _free(self, number: int) -> str:
        pin = self._pin(number)
        self._hold(pin, pin.rest)
        return "ok"

    def _two(self, first: int, second: int, milliseconds: int = TWO_MS) -> str:
        pins = self._pin(first), self._pin(second)
        try:
            for pin, wait in zip(pins, (milliseconds, PRESS_MS), strict=True):
                self._hold(pin, not pin.rest)
                _sleep(wait)
        finally:
            for pin in pins:
                self._hold(pin, pin.rest)
        return "ok"

    def _jabber(self, number: int, rate: int, milliseconds: int = JABBER_MS) -> str:
        if not rate:
            raise _BadRequest("a rate is edges a second, 1 or more")
        pin = self._pin(number)
        level, rest = pin.rest, pin.rest
        try:
            for _ in range(rate * milliseconds // 1000):
                level = not level
                self._hold(pin, level)
                _sleep(1000 / rate)
        finally:
            self._hold(pin, rest)
        return "ok"

    def _state(self) -> str:
        return json.dumps([_row(number, pin) for number, pin in sorted(self._pins().items())])

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


def _row(number: int, pin: SimPin) -> dict[str, Any]:
    return {"pin": number, "function": "in" if pin.function == "input" else "out", "level": int(pin.state), "changes": pin.changes}


def _number(word: str) -> int:
    if not word.isdecimal() or int(word) > LONGEST_MS:
        raise _BadRequest(f"{word[:16]!r} is not a number from 0 to {LONGEST_MS}")
    return int(word)


def _sleep(milliseconds: float) -> None:
    """A finger holds a button for so long: real time, for what is pressed is debounced by the real clock."""
    time.sleep(milliseconds / 1000)
