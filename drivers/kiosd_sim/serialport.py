"""The far side of a serial line: a pty behind a symlink, as udev keeps a stable name for a port that comes and goes."""

import asyncio
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

READ_SIZE = 65_536


class Pluggable(Protocol):
    """A device on a cable."""

    def plug(self) -> None: ...
    def unplug(self) -> None: ...


P = TypeVar("P", bound=Pluggable)


@contextmanager
def plugged_in(device: P) -> Iterator[P]:
    """``device``, plugged in for the length of a ``with`` block."""
    device.plug()
    try:
        yield device
    finally:
        device.unplug()


def hand_on(fd: int, on_data: Callable[[bytes], None]) -> None:
    """Give ``on_data`` what there is to read, if there is anything."""
    try:
        data = os.read(fd, READ_SIZE)
    except BlockingIOError:
        return
    on_data(data)


class SerialPort:
    """A serial device at ``link``; what the near side writes goes to ``on_data``. Used in one event loop.

    ``unplug`` takes the name away first and then hangs the line up, as the kernel and udev do with a USB adapter.
    """

    def __init__(self, link: Path, on_data: Callable[[bytes], None] = lambda _: None) -> None:
        self.link = link
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        self._far = -1
        self._writable = asyncio.Event()
        self._near = -1  # kept open, so that a near side that closes its own does not hang up ours

    @property
    def is_plugged(self) -> bool:
        return self._far >= 0

    def plug(self) -> None:
        """Make the device, and then its name: whoever finds the name finds a line in raw mode."""
        if self.is_plugged:
            return
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self._far, False)
        self._loop.add_reader(self._far, self._read)
        fresh = self.link.with_name(f".{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._near))
        fresh.replace(self.link)

    def unplug(self) -> None:
        """Pull the plug: the near side's reads end and its writes fail."""
        if not self.is_plugged:
            return
        self.link.unlink(missing_ok=True)
        self._loop.remove_reader(self._far)
        self._loop.remove_writer(self._far)
        for fd in (self._far, self._near):
            os.close(fd)
        self._far = self._near = -1
        self._writable.set()  # a write that waited fails now

    def plugged(self) -> AbstractContextManager["SerialPort"]:
        """Plugged in for the length of a ``with`` block."""
        return plugged_in(self)

    def jam(self) -> None:
        """Hold the line, as a display does with XOFF or CTS: the near side's writes wait from now on."""
        termios.tcflow(self._near, termios.TCOOFF)

    def release(self) -> None:
        """Let the line go again."""
        termios.tcflow(self._near, termios.TCOON)

    async def write(self, data: bytes) -> None:
        """Send ``data``; waits while the line is full. ``OSError`` when it is not plugged in."""
        while data:
            try:
                data = data[os.write(self._far, data) :]
            except BlockingIOError:
                self._writable.clear()
                self._loop.add_writer(self._far, self._can_write)
                await self._writable.wait()

    def say(self, data: bytes) -> None:
        """Send a few bytes without waiting: what finds no room is lost, as on a real line."""
        if self.is_plugged:
            with suppress(BlockingIOError):
                os.write(self._far, data)

    def _can_write(self) -> None:
        self._loop.remove_writer(self._far)
        self._writable.set()

    def _read(self) -> None:
        hand_on(self._far, self._on_data)
