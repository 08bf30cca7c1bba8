"""A scenario from start to end: one kiosk, its days, everybody who acts on them; a journal is what is left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from kiosd.clock import ManualClock
from kiosd.config import Settings
from kiosd.errors import KiosdError, Refused
from kiosd.journal.journal import FILE
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue
from kiosd.scenario.kiosk import NOTE, Kiosk
from kiosd.scenario.officers import Officer
from kiosd.scenario.parse import Script, Step
from kiosd.scenario.plan import Day
from kiosd.scenario.scene import Scene
from kiosd.scenario.timeline import BOOT, Act, Gathered, Here, Timeline
from kiosd.scenario.visitors import visitors

DAY_S = 86_400
DAY_MS = DAY_S * 1000
ENDS_MS = 1000
"""The daemon ends so long before midnight of the last day: at midnight another day would open."""


@dataclass
class Played:
    """What a scenario came to. ``days`` are those of the file, ``refused`` counts commands that were."""

    days: int
    events: int = 0
    commands: int = 0
    tickets: int = 0
    refused: int = 0

    def count(self, command: Command, reply: Reply) -> None:
        self.commands += 1
        self.refused += not reply.done
        given = isinstance(command, cmd.IssueTicket | cmd.EnterTicket) and reply.done
        self.tickets += given and not reply.result.get("training")


def play(script: Script, days: Sequence[Day], settings: Settings, state: Path, begun: Callable[[date], None]) -> Played:
    """Play ``days`` into a new journal in ``state``; ``begun`` is told each day.

    ``Refused`` with the file, line and sentence of a command that was refused and may not be, or the other way round;
    ``JournalError`` when the journal cannot be written. What happened until then is in the journal.
    """
    try:
        return asyncio.run(_play(script, days, settings, state, begun))
    except BaseExceptionGroup as several:
        raise _first(several) from None


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that people are told: one of ours, if there is one."""
    errors = several.exceptions
    one = next((error for error in errors if isinstance(error, KiosdError)), errors[0])
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


@asynccontextmanager
async def _queue(state: Path, settings: Settings, clock: ManualClock) -> AsyncIterator[LocalQueue]:
    """A queue over a new journal that runs, until the end of the block."""
    queue = LocalQueue(Gathered(state / FILE), Here(), settings.queue, clock)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(queue.run())
            yield queue
            running.cancel()
    finally:
        await queue.close()


async def _play(script: Script, days: Sequence[Day], settings: Settings, state: Path, begun: Callable[[date], None]) -> Played:
    first, last = days[0].date, days[-1].date
    clock = ManualClock(datetime.combine(first, time(), settings.site.zone), boot=BOOT)
    played = Played(len(days))
    async with _queue(state, settings, clock) as queue:
        timeline = Timeline(queue, clock, script.name)
        kiosk = Kiosk(queue, clock, settings, timeline)
        timeline.tell = (played.count, kiosk.after)
        timeline.add(0, "start", kiosk.start())
        timeline.add(0, "ticks", kiosk.ticks())
        cast = _Cast(script, settings, queue, clock, timeline, begun)
        for day in days:
            timeline.add((day.date - first).days * DAY_S, f"{day.date}", cast.day(day))
        await timeline.run(((last - first).days + 1) * DAY_MS - ENDS_MS)
        timeline.add(0, "stop", kiosk.stop())
        await timeline.run(timeline.now)
        played.events = queue.book.seq
    return played


@dataclass
class _Cast:
    """Brings everybody of a day on at its midnight."""

    script: Script
    settings: Settings
    queue: LocalQueue
    clock: ManualClock
    timeline: Timeline
    begun: Callable[[date], None]
    month: tuple[int, int] = (0, 0)

    def day(self, day: Day) -> Act:
        """The day begins; the first one of a month with the note that nothing of it is real."""
        self.begun(day.date)
        if self.month != (day.date.year, day.date.month):
            self.month = (day.date.year, day.date.month)
            yield cmd.Note(text=NOTE[self.settings.site.language].format(name=self.script.name[:60]), place="scenario")
        for step in day.steps:
            self.timeline.add(step.second, f"{day.date}/line {step.line}", self._step(step))
        if day.crowd is not None:
            site, spawn = self.settings, self._spawner(day.date)
            scene = Scene(site.queue, site.counters, day.date, day.crowd, lambda: self.queue.book, self._local, spawn)
            for number in scene.counters:
                self.timeline.add(0, f"{day.date}/officer/{number}", Officer(scene, number).day())
            for name, act in visitors(scene):
                self.timeline.add(0, f"{day.date}/{name}", act)

    def _local(self) -> datetime:
        return self.clock.now().time.astimezone(self.settings.site.zone)

    def _spawner(self, day: date) -> Callable[[str, Act], None]:
        return lambda name, act: self.timeline.add(0, f"{day}/{name}", act)

    def _step(self, step: Step) -> Act:
        reply: Reply = yield step.command
        where, name = self.script.where(step.line), step.command.name
        if not reply.done and step.expect == "done":
            raise Refused(reply.code, {"message": f"{where}: {name}: {reply.message or reply.code}"})
        if reply.done and step.expect == "refused":
            raise Refused("granted", {"message": f"{where}: {name} was granted, but its line says with ! that it must be refused"})
