"""A kiosk to test with: the real queue on a real journal, real drivers under real supervision, and time that the test moves.

Simulated pins take their times from the same clock, so that a press is as old as the test says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.queue.commands import Command, ReportDevice
from kiosd.queue.events import Record
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue, open_local
from kiosd.registry import find
from kiosd.supervisor import Health, State, supervise
from kiosd_drivers import _lamps, _panel
from kiosd_sim.pins import Pins
from support.sim_pins import simulated_pins
from support.site import WEDNESDAY, settings

LIMIT_S = 20.0  # no flow takes longer, whatever hangs
STOP_S = 3.0
TURN_S = 0.002  # what real devices get of real time for each step of the test's clock
PRINTER = {"poll_s": 0.02, "answer_s": 2.0}
"""What a printer's driver may take in tests: asked often, and patient, for its far side shares a busy machine."""


Use = Callable[[Any, Health], Coroutine[Any, Any, None]]


class Kiosk:
    """A running queue and the devices around it."""

    def __init__(self, queue: LocalQueue, clock: ManualClock, pins: Pins, edge: list[asyncio.Task[None]], group: asyncio.TaskGroup) -> None:
        self.queue, self.clock, self.pins = queue, clock, pins
        self.settings = queue._settings
        self.log: list[Record] = []
        self._came = asyncio.Event()
        self._opening: set[str] = set()
        self._edge, self._group = edge, group

    async def follow(self) -> None:
        """Keep the log of all events."""
        async for record in self.queue.events(0):
            self.log.append(record)
            self._came.set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let a station work until the kiosk stops."""
        task = self._group.create_task(work)
        self._edge.append(task)
        return task

    def device(self, name: str, driver: str, config: dict[str, Any], use: Use) -> asyncio.Task[None]:
        """Supervise a device of a real driver, as the daemon does."""
        it = find(driver)
        return self.supervised(name, partial(it.open, it.config.model_validate(config)), use)

    def supervised(self, name: str, open_: Callable[[], AbstractAsyncContextManager[Any]], use: Use) -> asyncio.Task[None]:
        """Supervise whatever ``open_`` opens; its health goes to the queue."""

        async def report(device: str, health: State, code: str, detail: str) -> None:
            await self.queue.execute(ReportDevice(device=device, state=health, code=code[:32], detail=detail))

        @asynccontextmanager
        async def noticed() -> AsyncIterator[Any]:
            self._opening.add(name)
            try:
                async with open_() as opened:
                    self._opening.discard(name)
                    yield opened
            finally:
                self._opening.discard(name)

        return self.run(supervise(noticed, use, Health(name, report), self.clock))

    async def do(self, *commands: Command) -> Reply:
        """Execute each; the last one's reply."""
        replies = [await self.queue.execute(command) for command in commands]
        return replies[-1]

    def press(self, *pins: int) -> None:
        """Press these buttons at the same moment, a while after whatever was before."""
        self.clock.advance(0.5)
        for pin in pins:
            self.pins.press(pin, 0)

    async def record(self, kind: str, *, tick: float = 0.0, since: int = 0, **fields: Any) -> Record:
        """The first event of this kind after ``since``; while it does not come, ``tick`` seconds pass at each turn.

        Time stands still while a device is being opened: that takes real time, and on a busy machine much of it.
        """
        while (found := next(self._found(kind, since, fields), None)) is None:
            if tick:
                self.clock.advance(0.0 if self._opening else tick)
                await asyncio.sleep(TURN_S)
            else:
                self._came.clear()
                await self._came.wait()
        return found

    def _found(self, kind: str, since: int, fields: dict[str, Any]) -> Iterator[Record]:
        for record in self.log[since:]:
            if record.event.type == kind and all(getattr(record.event, name) == value for name, value in fields.items()):
                yield record

    async def event(self, kind: str, *, tick: float = 0.0, since: int = 0, **fields: Any) -> Any:
        """The event of ``record``."""
        return (await self.record(kind, tick=tick, since=since, **fields)).event

    async def kinds(self, since: int = 0) -> list[str]:
        """The types of all events after ``since``, devices left out."""
        while len(self.log) < self.queue.book.seq:
            self._came.clear()
            await self._came.wait()
        return [record.event.type for record in self.log[since:] if not record.event.type.startswith(("device.", "system."))]

    async def up(self, *devices: str) -> None:
        """Wait until these devices are up."""
        for device in devices:
            await self.event("device.up", device=device)

    async def passes(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass in steps, and let everybody do what is due."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            await asyncio.sleep(TURN_S)

    async def lit(self, pin: int, level: bool, tick: float = 0.0) -> None:
        """Wait until the lamp at ``pin`` is lit, or is not; while it is otherwise, ``tick`` seconds pass at each turn."""
        while (state := self.pins.state().get(pin)) is None or state.level is not level:
            self.clock.advance(tick)
            await asyncio.sleep(TURN_S)

    async def blinks(self, pin: int, tick: float = 0.0) -> None:
        """Wait until the lamp at ``pin`` goes on, off and on by itself."""
        for level in (True, False, True):
            await self.lit(pin, level, tick)


@contextmanager
def _pins(directory: Path, clock: ManualClock) -> Iterator[Pins]:
    """Simulated pins whose times come from ``clock``; lamps blink fast."""
    with simulated_pins(directory) as pins, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_panel, "boottime", lambda: clock.now().monotonic)
        patch.setattr(_lamps, "BLINKS", dict.fromkeys(_lamps.BLINKS, (-0.01, 0.01)))
        yield pins


@asynccontextmanager
async def kiosk(state: Path, clock: ManualClock | None = None, **rules: Any) -> AsyncIterator[Kiosk]:
    """A kiosk on the journal in ``state``. At the end its devices stop first, as in the daemon."""
    clock = clock or ManualClock(WEDNESDAY)
    edge: list[asyncio.Task[None]] = []
    with _pins(state, clock) as pins:
        async with asyncio.timeout(LIMIT_S), open_local(state, settings(**rules), clock) as queue, asyncio.TaskGroup() as core:
            async with asyncio.TaskGroup() as group:
                it = Kiosk(queue, clock, pins, edge, group)
                running = [core.create_task(queue.run()), core.create_task(it.follow())]
                yield it
                for task in edge:
                    task.cancel()
                if edge:
                    _, hanging = await asyncio.wait(edge, timeout=STOP_S)
                    assert not hanging, "a device does not let go"
            for task in running:
                task.cancel()
