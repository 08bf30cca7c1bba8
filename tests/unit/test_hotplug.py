"""News of what is plugged in: counted, and got from the real udev library over the kernel's netlink socket."""

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kiosd.clock import ManualClock
from kiosd.hotplug import AGAIN_S, Plugs, udev, watch
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


def announce(subsystem: str, action: str = "add") -> None:
    """What udev tells everybody when it is done with a device; ``OSError`` for whoever may not speak for it."""
    says = {"ACTION": action, "DEVPATH": f"/devices/virtual/{subsystem}/kiosd", "SUBSYSTEM": subsystem, "SEQNUM": "1"}
    properties = b"".join(f"{key}={value}\0".encode() for key, value in says.items())
    head = b"libudev\0" + struct.pack(">I", 0xFEEDCAFE) + struct.pack("=III", 40, 40, len(properties))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as speaker:
        speaker.sendto(head + struct.pack(">IIII", murmur(subsystem.encode()), 0, 0, 0) + properties, (0, UDEV_GROUP))


@pytest.fixture
def may_speak() -> None:
    try:
        announce("kiosd-test")
    except OSError as exc:
        pytest.skip(f"this user may not speak for udev: {exc}")


@pytest.mark.usefixtures("may_speak")
async def test_the_real_library_tells_what_is_plugged_in_of_our_kinds_and_nothing_else() -> None:
    before = open_files()
    seen: list[str] = []
    came = asyncio.Event()

    async def collect() -> None:
        async with udev() as added:
            async for subsystem in added:
                seen.append(subsystem)
                came.set()

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        collecting = tasks.create_task(collect())
        while not seen:  # the reader may not listen yet
            announce("tty")
            await asyncio.sleep(0.01)
        for subsystem, action in (("input", "remove"), ("block", "add"), ("input", "change"), ("sound", "add")):
            announce(subsystem, action)
        while "sound" not in seen:
            came.clear()
            await came.wait()
        collecting.cancel()
    assert set(seen) == {"tty", "sound"}
    assert open_files() <= before + 1  # the library keeps its own until the collector comes


async def test_it_starts_and_stops_without_a_word_from_udev() -> None:
    before = open_files()
    async with asyncio.timeout(LIMIT_S):
        for _ in range(3):
            async with udev():
                pass
    assert open_files() <= before + 1
