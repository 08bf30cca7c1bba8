"""A satellite's queue: what must not be lost while the hub is away is kept on this disk and delivered once, the rest passes through.

Rule 1  A press or a device's health is on disk before it is sent, so a power cut between the press and the hub's answer loses nothing.
        The reply comes at once, with the code ``spooled``; what the hub said to it is in the hub's journal.
Rule 2  One at a time and in order, each with its own id until the hub has answered: the hub does an id once and knows it for 24 h.
Rule 3  So nobody is rated by a press of yesterday: a press older than 23 h, the 24 less an hour for clocks that differ, is dropped and
        counted. ``age_s`` tells the hub when it was. Where a power cut has made that unknowable it is told 24 h, which is no visit's.
Rule 4  A disk that fails is the health of the device ``spool`` and keeps nobody waiting: then the same is done from memory, and what
        the disk still holds comes when it can be read again, the only exception from the order.
Rule 5  Everything else is asked of the hub now or fails now (``Unavailable``); it is never kept and so never done late.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from kiosd.clock import Clock
from kiosd.errors import DeviceError, Refused, Unavailable
from kiosd.journal.spool import KINDS, Kept, OpenSpool, Spool, open_spool
from kiosd.ports import Fault
from kiosd.queue.commands import Command, ReportDevice
from kiosd.queue.events import Record
from kiosd.queue.interface import Queue, Reply, Snapshot, closing
from kiosd.supervisor import Health, State, supervise

log = logging.getLogger(__name__)
T = TypeVar("T")
DEVICE = "spool"
FIRST_WAIT_S, LAST_WAIT_S = 1.0, 15.0  # between tries while the hub does not answer
IDLE_S = 3600.0
KNOWN_S = 23 * 3600.0
OLDEST_S = 86_400.0  # the most that ``Command.age_s`` can say
TRUSTED_WITHIN_S = 120.0  # after a boot: how long presses of an earlier boot wait for a clock that can date them
HELD = 256  # commands in memory while the disk fails
NOTE_S = 86_400.0  # how long the device ``spool`` shows that something was lost
AGAIN = frozenset({"busy", "unavailable"})  # replies that settle nothing
WHY = {
    "old": "older than 23 h",
    "full": "pushed out by newer ones",
    "memory": "pushed out while the disk failed",
    "unreadable": "damaged on the disk",
    "refused": "not understood by the hub",
}
"""Why a press is lost, for the health of the device ``spool``."""


class Spooled:
    """``Queue`` in front of ``queue``, the hub's, with a spool in ``file``. ``run`` must run for anything to be kept or delivered."""

    def __init__(self, queue: Queue, file: Path, clock: Clock) -> None:
        self._queue, self._file, self._clock = queue, file, clock
        self._health = Health(DEVICE, self._report)
        self._disk: OpenSpool | None = None
        self._failure: DeviceError | None = None
        self._tried, self._failed, self._wake = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._held: list[Kept] = []
        self._lost: Counter[str] = Counter()
        self._noted_at: float | None = None
        self._answered: list[int] = []
        """Rows that the hub has answered and the disk does not forget: they must not be sent again, nor keep others waiting."""
        self._away = False

    async def run(self) -> None:
        """Keep the spool open and deliver what is in it, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervise(self._open, self._use, self._health, self._clock))
            tasks.create_task(self._deliver())

    # The queue.

    async def execute(self, command: Command) -> Reply:
        """See ``Queue``. A kind of ``KINDS`` is always taken, and answered before the hub knows of it."""
        if command.name in KINDS:
            return await self._keep(command)
        reply = await self._queue.execute(command)
        self._in_touch()
        return reply

    async def events(self, since: int) -> AsyncIterator[Record]:
        """See ``Queue``."""
        async with closing(self._queue.events(since)) as records:
            async for record in records:
                self._in_touch()
                yield record

    async def snapshot(self) -> Snapshot:
        """See ``Queue``."""
        snapshot = await self._queue.snapshot()
        self._in_touch()
        return snapshot

    def _in_touch(self) -> None:
        """The hub has answered something else: deliver now, before the next visit begins at the counter that was rated."""
        if self._away:
            self._wake.set()

    async def _keep(self, command: Command) -> Reply:
        now = self._clock.now()
        await self._tried.wait()
        try:
            _, kept = await self._ask_disk(lambda spool: spool.put(command, now))
        finally:
            self._wake.set()  # also when nobody waits for this any more: the disk may have it all the same
        if not kept:
            self._hold(Kept(0, command, now))
        return Reply(id=command.id, status="done", code="spooled" if kept else "held")

    def _hold(self, kept: Kept) -> None:
        """Keep it in memory: of a device's health the newest, of presses as many as there is room for."""
        if isinstance(kept.command, ReportDevice):
            device = kept.command.device
            self._held = [one for one in self._held if not (isinstance(one.command, ReportDevice) and one.command.device == device)]
        self._held.append(kept)
        if len(self._held) > HELD:
            self._held.remove(next((one for one in self._held if not isinstance(one.command, ReportDevice)), self._held[0]))
            self._lost["memory"] += 1

    # The disk.

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[OpenSpool]:
        try:
            async with open_spool(self._file) as disk:
                self._failed.clear()
                self._disk = disk
                self._tried.set()
                yield disk
        finally:
            self._disk = None
            self._tried.set()

    async def _use(self, disk: OpenSpool, health: Health) -> None:
        """Until the disk fails: supervise then opens it anew."""
        if disk.set_aside:
            self._answered.clear()
            await self._note("set_aside", f"the file was damaged ({disk.set_aside}) and set aside; what was in it is not delivered")
        self._wake.set()
        await self._failed.wait()
        if self._failure is not None:
            raise self._failure

    async def _ask_disk(self, call: Callable[[Spool], T]) -> tuple[T | None, bool]:
        """The value of ``call`` and whether the disk did it."""
        disk = self._disk
        if disk is None:
            return None, False
        try:
            return await disk.do(call), True
        except DeviceError as exc:
            if self._disk is disk:
                self._disk, self._failure = None, exc
                self._failed.set()
            return None, False

    async def _report(self, device: str, health: State, code: str, detail: str) -> None:
        await self._keep(ReportDevice(device=device, state=health, code=code[:32], detail=detail))

    # Delivery.

    async def _deliver(self) -> None:
        wait = FIRST_WAIT_S
        while True:
            self._wake.clear()
            kept = await self._first()
            if kept is None:
                wait = FIRST_WAIT_S
                await self._tell_lost()
                await self._pause(IDLE_S)
            elif await self._settle(kept):
                wait = FIRST_WAIT_S
            else:
                await self._pause(wait)
                wait = min(wait * 2, LAST_WAIT_S)

    async def _pause(self, seconds: float) -> None:
        """Until something happens here, or ``seconds`` have passed."""
        async with asyncio.TaskGroup() as tasks:
            waits = {tasks.create_task(self._wake.wait()), tasks.create_task(self._clock.sleep(seconds))}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()

    async def _first(self) -> Kept | None:
        """The oldest of what is on the disk and in memory."""
        answered = max(self._answered, default=0)
        kept, _ = await self._ask_disk(lambda spool: spool.first(answered))
        held = self._held[0] if self._held else None
        if kept is None or held is None:
            return kept or held
        return held if kept.moment.boot == held.moment.boot and held.moment.monotonic < kept.moment.monotonic else kept

    async def _settle(self, kept: Kept) -> bool:
        """Deliver ``kept``, or drop it when that is too late; False when it has to wait."""
        now = self._clock.now()
        command, age = kept.command, kept.age_s(now)
        if command is None:
            await self._drop(kept, "unreadable")
        elif isinstance(command, ReportDevice):
            return await self._send(kept, command, min(age or 0.0, OLDEST_S))
        elif age is None and kept.moment.synced and now.monotonic < TRUSTED_WITHIN_S:
            return False
        elif age is not None and age > KNOWN_S:
            await self._drop(kept, "old")
        else:
            return await self._send(kept, command, OLDEST_S if age is None else age)
        return True

    async def _send(self, kept: Kept, command: Command, age: float) -> bool:
        """Whether the hub has answered ``command``; then it is not ours any more."""
        reply = await self._ask_hub(command.model_copy(update={"age_s": round(age, 3)}))
        if reply is None:
            return False
        if reply.id == command.id:
            await self._remove(kept)
            return True
        log.error("the hub refuses a spooled %s: %s", command.name, reply.message)  # it cannot read it: it is of another version
        if isinstance(command, ReportDevice):  # to tell of that would be refused too, and so on
            await self._remove(kept)
        else:
            await self._drop(kept, "refused")
        return True

    async def _ask_hub(self, command: Command) -> Reply | None:
        """The hub's answer; None when there is none yet."""
        try:
            reply = await self._queue.execute(command)
        except (Refused, Unavailable) as exc:
            if not self._away:
                log.warning("the hub does not answer (%s): what is pressed here is kept", exc)
            self._away = True
            return None
        self._away = False
        return None if reply.code in AGAIN else reply

    async def _remove(self, kept: Kept) -> None:
        if kept.seq:
            self._answered.append(kept.seq)
            _, forgotten = await self._ask_disk(lambda spool: spool.remove(self._answered))
            if forgotten:
                self._answered.clear()
        else:
            self._held = [one for one in self._held if one is not kept]

    async def _drop(self, kept: Kept, why: str) -> None:
        """It will not be delivered: count it, and with one that is too old all that are. A disk that fails now counts it later."""
        now = self._clock.now()
        if not kept.seq:
            await self._remove(kept)
            self._lost[why] += 1
        elif why == "old":
            await self._ask_disk(lambda spool: spool.remove(spool.too_old(now, KNOWN_S), why))
        else:
            await self._ask_disk(lambda spool: spool.remove([kept.seq], why))

    async def _tell_lost(self) -> None:
        """Everything is delivered, so the hub is there: tell it what was not."""
        on_disk, _ = await self._ask_disk(lambda spool: dict(spool.lost))
        lost = self._lost + Counter(on_disk or {})
        if lost:
            reasons = ", ".join(f"{count} {WHY.get(why, why)}" for why, count in sorted(lost.items()))
            log.error("not delivered: %s", reasons)
            await self._note("lost", f"not delivered: {reasons}")
            await self._ask_disk(lambda spool: spool.forget_lost())
            self._lost.clear()
        elif self._noted_at is not None and self._clock.now().monotonic - self._noted_at >= NOTE_S:
            self._noted_at = None
            await self._health.fault(Fault("", "", "note"))

    async def _note(self, code: str, detail: str) -> None:
        """Show in the health of the device ``spool``, for a day, what a person should know."""
        self._noted_at = self._clock.now().monotonic
        await self._health.fault(Fault(code, detail, "note"))
