"""Time, passed in. Nothing else in kiosd asks the machine what time it is.

Rule 1  A moment has three parts: wall time (UTC, ms), seconds since boot (CLOCK_BOOTTIME), and whether the wall time is trusted.
Rule 2  Durations and deadlines use seconds since boot; wall time only names moments for people and other systems.
Rule 3  A Pi has no clock battery: after a power cut its clock is in the past until the network tells the time (domain section 4).
        ``steady`` keeps the order: a clock more than 2 minutes behind the last event is not believed, and time runs on from there.
"""

import asyncio
import ctypes
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

BACKWARD_TOLERANCE_S = 120.0  # domain section 4: "earlier than the last event by > 2 min is untrusted"
STA_UNSYNC = 0x40  # include/uapi/linux/timex.h
TIME_ERROR = 5  # adjtimex(2): clock not synchronised


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant, to the millisecond. ``boot`` names the boot that ``monotonic`` counts from."""

    time: datetime
    monotonic: float
    synced: bool
    boot: str


class Clock(Protocol):
    """``now`` never goes back in ``monotonic``; ``sleep`` returns after that many seconds of it."""

    def now(self) -> Moment: ...
    async def sleep(self, seconds: float) -> None: ...


def whole_ms(value: datetime) -> datetime:
    """``value`` with microseconds cut to milliseconds, as the journal stores it."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def utc_text(value: datetime) -> str:
    """``2026-07-01T01:05:00.123Z``: the form of the journal and of the MQTT contract."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def boot_id() -> str:
    """The kernel's random id of this boot, a UUID."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class _Timex(ctypes.Structure):
    _fields_ = (("modes", ctypes.c_uint), ("_1", ctypes.c_long * 4), ("status", ctypes.c_int), ("_rest", ctypes.c_char * 256))


def kernel_synced() -> bool:
    """What adjtimex(2) says: read only, needs no privilege. False also where the call is forbidden (systemd's ProtectClock)."""
    libc = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state: int = libc.adjtimex(ctypes.byref(timex))
    return state not in {-1, TIME_ERROR} and not timex.status & STA_UNSYNC


class SystemClock:
    """The machine's clock. ``trust_rtc``: the board has a battery-backed clock, so its time is trusted without a network."""

    SYNC_CACHE_S = 1.0  # asking the kernel at every event would cost more than the answer is worth

    def __init__(self, trust_rtc: bool = False, synced: Callable[[], bool] = kernel_synced) -> None:
        self._boot = boot_id()
        self._trust_rtc = trust_rtc
        self._ask = synced
        self._asked_at = float("-inf")
        self._synced = trust_rtc

    def now(self) -> Moment:
        monotonic = round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
        if not self._trust_rtc and monotonic - self._asked_at >= self.SYNC_CACHE_S:
            self._synced, self._asked_at = self._ask(), monotonic
        return Moment(whole_ms(datetime.now(UTC)), monotonic, self._synced, self._boot)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until ``advance`` moves it: for tests and scenarios."""

    def __init__(self, start: datetime, synced: bool = True, boot: str = str(UUID(int=0)), monotonic: float = 1000.0) -> None:
        self._moment = Moment(whole_ms(start.astimezone(UTC)), monotonic, synced, boot)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> Moment:
        return self._moment

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._moment.monotonic + seconds, self._count, future))
        await future

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; sleepers whose time has come wake at the next turn of the loop."""
        later = self._moment.time + timedelta(seconds=seconds)
        self._moment = replace(self._moment, time=whole_ms(later), monotonic=round(self._moment.monotonic + seconds, 3))
        while self._sleepers and self._sleepers[0][0] <= self._moment.monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def step_to(self, wall: datetime, synced: bool | None = None) -> None:
        """Set the wall clock as NTP or a person does: no time passes."""
        synced = self._moment.synced if synced is None else synced
        self._moment = replace(self._moment, time=whole_ms(wall.astimezone(UTC)), synced=synced)

    def reboot(self, wall: datetime, synced: bool) -> None:
        """Another boot: seconds since boot start again."""
        boot = str(UUID(int=UUID(self._moment.boot).int + 1))
        self._moment = Moment(whole_ms(wall.astimezone(UTC)), 5.0, synced, boot)


def steady(raw: Moment, last: Moment | None, anchor: Moment | None) -> Moment:
    """``raw`` as the queue may use it, never before ``last`` (the last event's moment).

    ``anchor`` is the first raw moment this process saw. A small step back (<= 2 min) stands still at ``last``; a bigger one is not
    believed: time runs on from ``last`` by the seconds since boot, and the moment says that it is not trusted (domain section 4).
    """
    if last is None or raw.time >= last.time:
        return raw
    if (last.time - raw.time).total_seconds() <= BACKWARD_TOLERANCE_S:
        return replace(raw, time=last.time)
    since = last if last.boot == raw.boot else anchor
    passed = max(0.0, raw.monotonic - since.monotonic) if since is not None else 0.0
    return replace(raw, time=whole_ms(last.time + timedelta(seconds=passed)), synced=False)


def ran_on(raw: Moment, last: Moment) -> bool:
    """Whether ``raw`` is where the clock should be after ``last`` by the seconds since boot: it ran on, nobody stepped it."""
    if raw.boot != last.boot:
        return False
    expected = last.time + timedelta(seconds=raw.monotonic - last.monotonic)
    return abs((raw.time - expected).total_seconds()) <= BACKWARD_TOLERANCE_S
