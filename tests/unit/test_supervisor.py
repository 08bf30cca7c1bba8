"""One device's trouble: opened again with growing waits, told in words, never anybody else's."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from kiosd import supervisor
from kiosd.clock import ManualClock
from kiosd.errors import DeviceError, JournalError
from kiosd.hotplug import Plugs
from kiosd.ports import Fault
from kiosd.supervisor import CHANGE_EVERY_S, CHANGES, FIRST_WAIT_S, SETTLE_S, Health, supervise
from kiosd.threads import MOST_HUNG, lane
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


async def test_an_absent_device_is_looked_for_every_5_seconds_and_another_trouble_ever_more_seldom() -> None:
    for code, waits in (("absent", (1, 2, 4, 5, 5, 5)), ("busy", (1, 2, 4, 8, 16, 32, 60, 60))):
        clock, reports = ManualClock(WEDNESDAY), Reports()
        opens = device(*[DeviceError("no", code)] * 20)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(supervise(opens, never_used, Health("printer", reports), clock))
            for count, wait in enumerate(waits, start=1):
                await reports.wait(count)
                await settle()
                clock.advance(wait - 0.01)
                await settle()
                assert len(reports.told) == count, f"{code}: not before its time"
                clock.advance(0.01)
            await reports.wait(len(waits) + 1)
            task.cancel()


async def never_used(_: str, __: Health) -> None:
    raise AssertionError("it is not there")


async def test_what_is_plugged_in_is_tried_as_soon_as_it_has_settled_and_the_waits_begin_anew() -> None:
    clock, reports, plugs = ManualClock(WEDNESDAY), Reports(), Plugs()
    opens = device(*[DeviceError("no", "busy")] * 20)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(opens, never_used, Health("printer", reports), clock, plugs))
        for count, wait in enumerate((1, 2, 4), start=1):
            await reports.wait(count)
            await settle()
            clock.advance(wait)
        await reports.wait(4)
        await settle()
        plugs.came()
        await settle()
        clock.advance(SETTLE_S - 0.01)
        await settle()
        assert len(reports.told) == 4, "udev is not done with it"
        clock.advance(0.01)
        await reports.wait(5)
        await settle()
        clock.advance(FIRST_WAIT_S)
        await reports.wait(6)
        task.cancel()


async def test_what_is_plugged_in_while_it_is_looked_for_is_not_missed() -> None:
    clock, reports, plugs = ManualClock(WEDNESDAY), Reports(), Plugs()

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        plugs.came()
        raise DeviceError("not yet", "absent")
        yield ""

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(opened, never_used, Health("printer", reports), clock, plugs))
        for count in range(1, 4):
            await reports.wait(count)
            await settle()
            clock.advance(SETTLE_S)
        task.cancel()


async def test_a_library_that_is_missing_is_told_by_its_name() -> None:
    clock, reports = ManualClock(WEDNESDAY), Reports()
    async with asyncio.TaskGroup() as tasks:
        opens = device(ModuleNotFoundError("No module named 'evdev'", name="evdev"))
        task = tasks.create_task(supervise(opens, never_used, Health("printer", reports), clock))
        await reports.wait(1)
        task.cancel()
    assert reports.told[0][:2] == ("down", "library") and "evdev" in reports.told[0][2]


def stuck(where: str) -> Callable[[], AbstractAsyncContextManager[str]]:
    """An ``open`` whose opening or closing never ends by itself."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        if where == "opening":
            await asyncio.Event().wait()
        try:
            yield "device"
        finally:
            await asyncio.Event().wait()

    return opened


@pytest.mark.parametrize("where", ["opening", "closing"])
async def test_a_driver_that_never_comes_back_is_told_and_tried_again(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPEN_S", "CLOSE_S"):
        monkeypatch.setattr(supervisor, name, 0.01)
    clock, reports = ManualClock(WEDNESDAY), Reports()

    async def use(_: str, __: Health) -> None:
        raise DeviceError("unplugged", "absent")

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(stuck(where), use, Health("printer", reports), clock))
        downs = 0
        while downs < 2:
            await reports.wait(len(reports.told) + 1)
            downs = sum(told[:2] == ("down", "timeout") and where in told[2] for told in reports.told)
            await settle()
            clock.advance(5)
        task.cancel()


async def test_a_driver_that_does_not_close_does_not_keep_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LEAVE_S", 0.01)
    reports = Reports()

    async def use(_: str, __: Health) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(stuck("closing"), use, Health("printer", reports), ManualClock(WEDNESDAY)))
        await reports.wait(1)
        task.cancel()
    assert task.cancelled() and reports.told == [("ok", "", "")]


async def test_a_device_that_hangs_again_and_again_does_not_leave_a_thread_each_time() -> None:
    free = queue.SimpleQueue[None]()
    before = threading.active_count()
    errors = []
    for _ in range(MOST_HUNG + 3):
        async with lane("open the stuck device") as it:
            with pytest.raises(DeviceError) as caught:
                await it.run(free.get, 0.01)
            errors.append(str(caught.value))
    assert [("no answer" in error) for error in errors] == [True] * MOST_HUNG + [False] * 3
    async with lane("open another device") as it:
        assert await it.run(lambda: 7, 5.0) == 7
    async with asyncio.timeout(5):
        while threading.active_count() > before + MOST_HUNG:  # noqa: ASYNC110 - a thread that ends tells nobody
            await asyncio.sleep(0.001)
        for _ in range(MOST_HUNG):
            free.put(None)
        while threading.active_count() > before:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    async with lane("open the stuck device") as it:
        assert await it.run(lambda: 7, 5.0) == 7


async def test_a_device_that_changes_its_mind_all_the_time_is_told_at_a_pace_and_its_last_word_always() -> None:
    clock, reports, ended = ManualClock(WEDNESDAY), Reports(), asyncio.Event()

    async def use(_: str, health: Health) -> None:
        for turn in range(6000):  # ten a second, for ten minutes
            await health.fault(Fault("paper_out", "the paper is out") if turn % 2 else Fault("", ""))
            clock.advance(0.1)
            await asyncio.sleep(0)
        await health.fault(Fault("cover_open", "the cover is open"))
        ended.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(device(), use, Health("printer", reports), clock))
        await ended.wait()
        assert len(reports.told) <= CHANGES + 1 + 600 / CHANGE_EVERY_S
        clock.advance(CHANGE_EVERY_S)
        await settle()
        assert reports.told[-1] == ("degraded", "cover_open", "the cover is open")
        count = len(reports.told)
        clock.advance(600)
        await settle()
        assert len(reports.told) == count, "told once"
        task.cancel()


async def test_changes_of_a_quiet_device_are_told_as_they_come_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, reports = ManualClock(WEDNESDAY), Reports()
    caplog.set_level("INFO", "kiosd.supervisor")

    async def use(_: str, health: Health) -> None:
        for code in ("paper_near_end", "paper_out", "cover_open", "paper_out", ""):
            await health.fault(Fault(code, code))
            await health.fault(Fault(code, code))
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise(device(), use, Health("printer", reports), clock))
        await reports.wait(6)
        await settle()
        task.cancel()
    said = [record.getMessage() for record in caplog.records]
    assert said[1:] == [
        "printer: paper_near_end",
        "printer: paper_out",
        "printer: cover_open",
        "printer: paper_out",
        "printer: all is well again",
    ]
