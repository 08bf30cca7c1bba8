"""One device's trouble: opened again with growing waits, told in words, never anybody else's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import DeviceError, JournalError
from kiosd.ports import Fault
from kiosd.supervisor import Health, supervise
from support.site import WEDNESDAY

Told = tuple[str, str, str]


class Reports:
    """Where health goes in these tests; ``wait`` returns when as many reports came."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._came = asyncio.Event()

    async def __call__(self, device: str, state: str, code: str, detail: str) -> None:
        assert device == "printer"
        self.told.append((state, code, detail))
        self._came.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.told) < count:
                self._came.clear()
                await self._came.wait()


def device(*problems: Exception | None) -> Callable[[], AbstractAsyncContextManager[str]]:
    """An ``open`` that fails with each problem in turn, None for success."""
    left = list(problems)

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        problem = left.pop(0) if left else None
        if problem is not None:
            raise problem
        yield "device"

    return opened


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_device_that_is_absent_is_tried_after_1_2_4_seconds_and_then_used() -> None:
    clock, reports, used = ManualClock(WEDNESDAY), Reports(), asyncio.Event()
    gone = [DeviceError("/dev/x: no such file", "absent") for _ in range(3)]

    async def use(_: str, __: Health) -> None:
        used.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(device(*gone, None), use, Health("printer", reports), clock))
        for count, wait in enumerate((1, 2, 4), start=1):
            await reports.wait(count)
            await settle()
            clock.advance(wait - 0.01)
            await settle()
            assert len(reports.told) == count, "not before its time"
            clock.advance(0.01)
        await used.wait()
        task.cancel()
    assert reports.told == [("down", "absent", "/dev/x: no such file")] * 3 + [("ok", "", "")]


@pytest.mark.parametrize(
    ("problem", "code"), [(DeviceError("unplugged", "absent"), "absent"), (ValueError("oops"), "bug"), (None, "ended")]
)
async def test_whatever_ends_a_device_it_is_told_and_opened_again(problem: Exception | None, code: str) -> None:
    clock, reports = ManualClock(WEDNESDAY), Reports()

    async def use(_: str, __: Health) -> None:
        async with asyncio.TaskGroup():
            if problem is not None:
                raise problem

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(device(), use, Health("printer", reports), clock))
        await reports.wait(2)
        await settle()
        clock.advance(1)
        await reports.wait(4)
        task.cancel()
    assert [told[:2] for told in reports.told] == [("ok", ""), ("down", code)] * 2


async def test_a_journal_error_is_nobodys_device_and_passes_through() -> None:
    async def use(_: str, __: Health) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())

    async def fails() -> None:
        raise JournalError("disk I/O error")

    with pytest.raises(ExceptionGroup) as caught:
        await supervise(device(), use, Health("printer", Reports()), ManualClock(WEDNESDAY))
    assert caught.group_contains(JournalError)


async def test_faults_come_and_go_by_what_they_are_about() -> None:
    reports = Reports()
    health = Health("printer", reports)
    await health.fault(Fault("stuck", "button A is held", "A"))
    await health.fault(Fault("stuck", "button B is held", "B"))
    await health.fault(Fault("", "", "A"))
    await health.fault(Fault("", "", "B"))
    assert reports.told == [
        ("degraded", "stuck", "button A is held"),
        ("degraded", "stuck", "button A is held; button B is held"),
        ("degraded", "stuck", "button B is held"),
        ("ok", "", ""),
    ]
