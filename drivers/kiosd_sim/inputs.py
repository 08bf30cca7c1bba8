"""Simulated keyboards for another process: ``SimKeyboards`` at a socket, and what stands there in the library's place.

``stand_in`` writes a module called evdev for a directory that comes first in PYTHONPATH; the driver knows nothing of it. The socket
(``KIOSD_SIM_KEYBOARDS`` names it) takes messages: a question is a JSON list of words, its answer ``{"value": ...}`` or ``{"errno": n}``.
A connection has one keyboard open; the answer to ``open`` brings the pipe that its keys come out of.
"""

import asyncio
import errno
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from kiosd_sim.control import listening
from kiosd_sim.keyboard import Event, Info, SimInputDevice, SimKeyboards, read_events

SOCKET_ENV = "KIOSD_SIM_KEYBOARDS"
MESSAGE_BYTES = 16 * 1024  # what a keyboard can type is told in 2 KB
ANSWER_S = 5.0
MODULE = '"""Simulated keyboards in place of the library."""\n\nfrom kiosd_sim.inputs import InputDevice, list_devices\n'
"""All of evdev that drivers use."""


def stand_in(directory: Path) -> Path:
    """``directory`` with the module; whoever has it first in PYTHONPATH has the keyboards of ``KIOSD_SIM_KEYBOARDS`` and no others."""
    directory.mkdir(exist_ok=True)
    (directory / "evdev.py").write_text(MODULE, encoding="utf-8")
    return directory


@asynccontextmanager
async def served(path: Path, machine: SimKeyboards) -> AsyncIterator[None]:
    """Let other processes of this user have ``machine``'s keyboards over the socket ``path``, for the length of the block."""
    loop, clients = asyncio.get_running_loop(), set[_Client]()

    def come() -> None:
        with suppress(OSError):  # it has gone already
            _Client(listener.accept()[0], machine, clients)

    with listening(path, socket.SOCK_SEQPACKET) as listener:
        listener.listen()
        listener.setblocking(False)
        loop.add_reader(listener, come)
        try:
            yield
        finally:
            loop.remove_reader(listener)
            for client in list(clients):
                client.close()


class _Client:
    """One connection, and the keyboard that it has open."""

    def __init__(self, line: socket.socket, machine: SimKeyboards, clients: "set[_Client]") -> None:
        self._line, self._machine, self._clients = line, machine, clients
        self._device: SimInputDevice | None = None
        line.setblocking(False)
        clients.add(self)
        asyncio.get_running_loop().add_reader(line, self._asked)

    def _asked(self) -> None:
        fds: list[int] = []
        try:
            if not (data := self._line.recv(MESSAGE_BYTES)):
                self.close()
                return
            answer = self._answer(data, fds)
            socket.send_fds(self._line, [json.dumps(answer).encode()], fds)
        except OSError:  # it left in the middle
            self.close()

    def _answer(self, data: bytes, fds: list[int]) -> dict[str, Any]:
        try:
            match json.loads(data):
                case ["list"]:
                    return {"value": self._machine.list_devices()}
                case ["open", str(path)] if self._device is None and path in self._machine.list_devices():
                    self._device = self._machine.open_device(path)
                    fds.append(self._device.fd)
                    return {"value": _about(self._device)}
                case [str(name), *numbers] if self._device is not None and name in CALLS and all(type(one) is int for one in numbers):
                    return {"value": getattr(self._device, name)(*numbers)}
        except OSError as exc:
            return {"errno": exc.errno or errno.EIO}
        except (ValueError, TypeError, RecursionError):
            return {"errno": errno.EINVAL}
        return {"errno": errno.ENOENT}

    def close(self) -> None:
        """Let go of the keyboard, which ends its grab."""
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
        self._clients.discard(self)
        if self._device is not None:
            self._device.close()


CALLS = frozenset({"active_keys", "leds", "set_led", "grab", "ungrab"})
"""Methods of an open keyboard that may be called from outside."""


def _about(device: SimInputDevice) -> dict[str, Any]:
    said = {key: getattr(device, key) for key in ("name", "phys", "uniq", "info")}
    return said | {"capabilities": list(device.capabilities().items())}


def _line() -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(ANSWER_S)
    try:
        line.connect(os.environ[SOCKET_ENV])
    except OSError:
        line.close()
        raise
    return line


def _ask(line: socket.socket, *words: object) -> tuple[Any, list[int]]:
    line.sendall(json.dumps(words).encode())
    data, fds, _, _ = socket.recv_fds(line, MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    if not data:
        raise OSError(errno.ENODEV, "the simulation has ended")
    answer = json.loads(data)
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    return answer["value"], fds


def list_devices() -> list[str]:
    """In place of ``evdev.list_devices``."""
    with _line() as line:
        found: list[str] = _ask(line, "list")[0]
    return found


class InputDevice:
    """In place of ``evdev.InputDevice``: one open keyboard. May be used from several threads."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._line = _line()
        try:
            about, (self.fd,) = _ask(self._line, "open", path)
        except OSError:
            self._line.close()
            raise
        self.name, self.phys, self.uniq, self.info = about["name"], about["phys"], about["uniq"], Info(*about["info"])
        self._capabilities: dict[int, list[int]] = dict(about["capabilities"])

    def _call(self, name: str, *numbers: int) -> Any:
        with self._turn:
            return _ask(self._line, name, *numbers)[0]

    def capabilities(self) -> dict[int, list[int]]:
        return self._capabilities

    def active_keys(self) -> list[int]:
        down: list[int] = self._call("active_keys")
        return down

    def leds(self) -> list[int]:
        lit: list[int] = self._call("leds")
        return lit

    def set_led(self, led: int, value: int) -> None:
        self._call("set_led", led, value)

    def grab(self) -> None:
        self._call("grab")

    def ungrab(self) -> None:
        self._call("ungrab")

    def read(self) -> Iterator[Event]:
        return read_events(self.fd)

    def close(self) -> None:
        if self.fd >= 0:
            self._line.close()
            os.close(self.fd)
            self.fd = -1
