"""A satellite's disk that is damaged, missing, full or cannot forget: a health of the device ``spool``, and nobody waits for it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosd.clock import ManualClock, SystemClock
from kiosd.journal.spool import FILE, SET_ASIDE, Spool
from kiosd.queue import spooled as module
from kiosd.queue.commands import Command, Rate, ReportDevice
from support.site import WEDNESDAY
from support.spooling import arrivals, hub, passing, rate, satellite, told


async def test_a_damaged_spool_is_set_aside_and_nobody_waits_for_that(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xa5" * 8192)
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        press = rate()
        assert await told(queue, press) == "spooled"
        await it.has(press)
        await it.until(lambda: "set_aside" in {command.code for command in it.asked if isinstance(command, ReportDevice)})
        assert await it.health("spool") == [("device.up", ""), ("device.degraded", "set_aside")]
    assert (tmp_path / SET_ASIDE).exists()


async def test_without_a_disk_presses_are_held_in_memory_and_the_disk_is_tried_again(tmp_path: Path) -> None:
    clock, file = ManualClock(WEDNESDAY), tmp_path / "mounted later" / FILE
    async with hub(tmp_path / "hub", clock) as it, satellite(it, file, clock) as queue:
        it.mode = "away"
        presses = [rate(score) for score in (4, 3)]
        assert [await told(queue, press) for press in presses] == ["held", "held"]
        it.mode = "there"
        async with passing(clock):
            await it.has(*presses)
            file.parent.mkdir()
            codes = ["held"]
            while codes[-1] == "held":  # the disk is tried again after 1, 2, 4 ... 60 s
                presses.append(rate(1))
                codes.append(await told(queue, presses[-1]))
                await it.has(presses[-1])
        assert codes[-1] == "spooled" and await arrivals(it) == [press.id for press in presses]
        assert (await it.health("spool"))[0] == ("device.down", "io")


async def test_what_is_held_in_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", 4)
    clock = ManualClock(WEDNESDAY)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / "nowhere" / FILE, clock) as queue:
        it.mode = "away"
        presses = [rate(score) for score in (4, 3, 2, 1, 4)]
        last = ReportDevice(device="printer", state="ok")
        for command in (ReportDevice(device="printer", state="down"), *presses, last):
            await told(queue, command)
        it.mode = "there"
        async with passing(clock):
            await it.has(presses[-1], last)
        assert await it.health("printer") == [("device.up", "")]
        assert await arrivals(it) == [press.id for press in presses[-2:]], "with the health of two devices that makes four"


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file of this process grows beyond ``limit`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_fills_up_keeps_nobody_waiting_and_loses_nothing(tmp_path: Path) -> None:
    clock = SystemClock(trust_rtc=True)
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue:
        it.mode = "away"
        presses: list[Command] = []
        codes: list[str] = []
        with full_disk(96 * 1024):
            while codes.count("held") < 3:
                presses.append(rate(len(presses) % 4 + 1))
                codes.append(await told(queue, presses[-1]))
        assert codes[0] == "spooled"
        it.mode = "there"
        await told(queue, last := rate())
        presses.append(last)
        await it.has(*presses)
        assert sorted(await arrivals(it)) == sorted(press.id for press in presses)


async def test_a_disk_that_cannot_forget_does_not_make_us_send_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(WEDNESDAY)
    broken = True
    remove = Spool.remove

    def fail(self: Spool, rows: list[int], why_lost: str = "") -> None:
        if broken:
            self._db.execute("PRAGMA query_only = ON")
        remove(self, rows, why_lost)

    monkeypatch.setattr(Spool, "remove", fail)
    presses: list[Command] = [rate(score) for score in (4, 3, 2, 1)]
    async with hub(tmp_path / "hub", clock) as it, satellite(it, tmp_path / FILE, clock) as queue, passing(clock):
        for press in presses:
            await told(queue, press)
            await it.has(press)
        broken = False
        presses.append(rate(4))
        await told(queue, presses[-1])
        await it.has(*presses)
        asked = [command.id for command in it.asked if isinstance(command, Rate)]
        assert asked == [press.id for press in presses]
