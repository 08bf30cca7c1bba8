"""Something was plugged in: udev says so, and whoever waits for a device tries at once. Without udev everything works, only later.

``Plugs`` counts what came; ``watch`` makes it count what udev announces. udev's own messages are used, not the kernel's: with those, the
rules have been applied, and names and permissions are there (hardware section 3a).
"""

import asyncio
import logging
import select
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

from kiosd.clock import Clock
from kiosd.threads import Inbox, reader

log = logging.getLogger(__name__)

SUBSYSTEMS = ("tty", "input", "usbmisc", "sound", "gpio")
"""Serial ports, scanners and keypads, printers, sound cards, GPIO chips."""
AGAIN_S = 60.0  # after udev failed: a kernel without it does not get it, a full receive buffer is empty by then


class Plugs:
    """How many devices were plugged in since the start, and who waits for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._came = asyncio.Event()

    def came(self) -> None:
        """Something was plugged in."""
        self.count += 1
        self._came.set()
        self._came = asyncio.Event()

    async def after(self, count: int) -> None:
        """Return when more than ``count`` have come."""
        while self.count <= count:
            await self._came.wait()


Events = Callable[[], AbstractAsyncContextManager[AsyncIterator[str]]]


class Monitor(Protocol):
    """As much of ``pyudev.Monitor`` as is used. ``poll``: a device with ``action`` and ``subsystem``, or None; ``OSError`` as recv(2)."""

    def filter_by(self, subsystem: str) -> None: ...
    def start(self) -> None: ...
    def fileno(self) -> int: ...
    def poll(self, timeout: float | None = None) -> Any: ...


def netlink() -> Monitor:
    """The real one, on the kernel's netlink socket; ``ImportError`` without libudev."""
    import pyudev  # here, because loading libudev may look for it with ldconfig

    monitor: Monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
    return monitor


@asynccontextmanager
async def udev(listen: Callable[[], Monitor] = netlink) -> AsyncIterator[AsyncIterator[str]]:
    """The subsystems of devices as they are plugged in, for the length of a ``with`` block; ``OSError`` or ``ImportError`` without udev.

    ``listen`` makes the monitor, in the reader's thread. Only who may speak for udev (root) can make the real one say something, so tests
    bring one of their own.
    """
    inbox: Inbox[str] = Inbox()
    async with reader("udev", partial(_read, listen, inbox=inbox), inbox):
        yield aiter(inbox)


def _read(listen: Callable[[], Monitor], wake: int, inbox: Inbox[str]) -> None:
    monitor = listen()
    for subsystem in SUBSYSTEMS:
        monitor.filter_by(subsystem)
    monitor.start()
    poll = select.poll()
    for fd in (wake, monitor.fileno()):
        poll.register(fd, select.POLLIN)
    while wake not in {fd for fd, _ in poll.poll()}:
        device = monitor.poll(timeout=0)
        if device is not None and device.action == "add":
            inbox.put_from_thread(str(device.subsystem))


async def watch(plugs: Plugs, clock: Clock, events: Events = udev) -> None:
    """Count what ``events`` announces, for ever. What keeps it from that is told once; devices are then found by trying."""
    said = ""
    while True:
        try:
            async with events() as added:
                async for subsystem in added:
                    log.debug("plugged in: %s", subsystem)
                    plugs.came()
        except (OSError, ImportError) as exc:
            if str(exc) != said:
                said = str(exc)
                log.warning("no news of what is plugged in (%s): devices are found by looking for them", said)
        await clock.sleep(AGAIN_S)
