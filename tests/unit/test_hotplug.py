"""News of what is plugged in: counted, and got from udev's monitor.

Whoever may not speak for udev brings a monitor of his own; for root the same tests also run with the real library on the kernel's netlink
socket. That the real library starts and stops is tested for everybody.
"""

import asyncio
import errno
import logging
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from types import SimpleNamespace

import pytest

from kiosd.clock import ManualClock
from kiosd.hotplug import AGAIN_S, Monitor, Plugs, netlink, udev, watch
from support.devices import open_files
from support.site import WEDNESDAY

LIMIT_S = 20.0
NETLINK_KOBJECT_UEVENT, UDEV_GROUP = 15, 2


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_whoever_waits_is_told_of_what_came_since_he_looked() -> None:
    plugs = Plugs()
    plugs.came()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        await plugs.after(0)
        waiting = [tasks.create_task(plugs.after(plugs.count)) for _ in range(3)]
        await turns()
        assert not any(task.done() for task in waiting)
        plugs.came()
    assert plugs.count == 2


async def test_news_are_counted_and_what_keeps_them_away_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, plugs, tries = ManualClock(WEDNESDAY), Plugs(), 0

    async def added() -> AsyncIterator[str]:
        for subsystem in ("tty", "input"):
            yield subsystem
        raise OSError("No buffer space available")

    @asynccontextmanager
    async def events() -> AsyncIterator[AsyncIterator[str]]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ImportError("No library named udev")
        yield added()

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(plugs, clock, events))
        for expected in (1, 2, 3):
            await turns()
            assert (tries, plugs.count) == (expected, 2 if expected == 3 else 0)
            clock.advance(AGAIN_S)
        watching.cancel()
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "No library named udev" in warnings[0] and "No buffer space" in warnings[1]


def murmur(data: bytes) -> int:
    """MurmurHash2 with seed 0: how udev's messages say their subsystem to the kernel's filter."""
    factor, mask, mixed = 0x5BD1E995, 0xFFFFFFFF, len(data)
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], sys.byteorder) * factor & mask
        mixed = mixed * factor & mask ^ (word ^ word >> 24) * factor & mask
    if rest := data[whole:]:
        mixed = (mixed ^ int.from_bytes(rest, "little")) * factor & mask
    mixed = (mixed ^ mixed >> 13) * factor & mask
    return mixed ^ mixed >> 15


class Netlink:
    """udev's own voice in the kernel's group; ``OSError`` for whoever may not speak for it."""

    monitor = staticmethod(netlink)

    def announce(self, subsystem: str, action: str = "add") -> None:
        """What udev tells everybody when it is done with a device."""
        says = {"ACTION": action, "DEVPATH": f"/devices/virtual/{subsystem}/kiosd", "SUBSYSTEM": subsystem, "SEQNUM": "1"}
        properties = b"".join(f"{key}={value}\0".encode() for key, value in says.items())
        head = b"libudev\0" + struct.pack(">I", 0xFEEDCAFE) + struct.pack("=III", 40, 40, len(properties))
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as speaker:
            speaker.sendto(head + struct.pack(">IIII", murmur(subsystem.encode()), 0, 0, 0) + properties, (0, UDEV_GROUP))


class Fed:
    """A monitor on a socket of the test's, with the rules of udev's: nothing before its start, nothing of other subsystems."""

    def __init__(self) -> None:
        self._voice, self._ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.setblocking(False)
        self._wanted: set[str] = set()
        self._started = False

    def announce(self, subsystem: str, action: str = "add") -> None:
        self._voice.send(f"{action} {subsystem}".encode())

    def fail(self) -> None:
        """The next look at the socket is answered as the kernel does when nobody has read it for long."""
        self._voice.send(b"")

    def monitor(self) -> Monitor:
        return self

    def filter_by(self, subsystem: str) -> None:
        self._wanted.add(subsystem)

    def start(self) -> None:
        self._started = True

    def fileno(self) -> int:
        return self._ear.fileno()

    def poll(self, timeout: float | None = None) -> SimpleNamespace | None:
        assert self._started and timeout == 0
        try:
            said = self._ear.recv(100)
        except BlockingIOError:
            return None
        if not said:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        action, subsystem = said.decode().split()
        return SimpleNamespace(action=action, subsystem=subsystem) if subsystem in self._wanted else None

    def close(self) -> None:
        self._voice.close()
        self._ear.close()


def may_speak() -> bool:
    """Whether the kernel lets this user speak for udev."""
    try:
        Netlink().announce("kiosd-test")
    except OSError:
        return False
    return True


@pytest.fixture
def fed() -> Iterator[Fed]:
    with closing(Fed()) as it:
        yield it


@pytest.fixture(params=["fed", "netlink"] if may_speak() else ["fed"])
def voice(request: pytest.FixtureRequest, fed: Fed) -> Fed | Netlink:
    return fed if request.param == "fed" else Netlink()


async def test_what_is_plugged_in_of_our_kinds_is_told_and_nothing_else(voice: Fed | Netlink) -> None:
    before = open_files()
    seen: list[str] = []
    came = asyncio.Event()

    async def collect() -> None:
        async with udev(voice.monitor) as added:
            async for subsystem in added:
                seen.append(subsystem)
                came.set()

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        collecting = tasks.create_task(collect())
        while not seen:  # the reader may not listen yet
            voice.announce("tty")
            await asyncio.sleep(0.01)
        for subsystem, action in (("input", "remove"), ("block", "add"), ("input", "change"), ("sound", "add")):
            voice.announce(subsystem, action)
        while "sound" not in seen:
            came.clear()
            await came.wait()
        collecting.cancel()
    assert set(seen) == {"tty", "sound"}
    assert open_files() <= before + 1  # the library keeps its own until the collector comes


async def test_it_is_counted_and_a_monitor_that_fails_is_opened_again(fed: Fed, caplog: pytest.LogCaptureFixture) -> None:
    clock, plugs = ManualClock(WEDNESDAY), Plugs()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(plugs, clock, partial(udev, fed.monitor)))
        fed.announce("input")
        await plugs.after(0)
        fed.fail()
        while "No buffer space available" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0.01)
        fed.announce("usbmisc")
        clock.advance(AGAIN_S)
        await plugs.after(1)
        watching.cancel()
    assert plugs.count == 2


async def test_it_starts_and_stops_without_a_word_from_udev() -> None:
    before = open_files()
    async with asyncio.timeout(LIMIT_S):
        for _ in range(3):
            async with udev():
                pass
    assert open_files() <= before + 1
