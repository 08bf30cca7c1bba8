"""A real hub behind a door that fails as it is told, and a satellite's queue in front of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from kiosd.clock import Clock, ManualClock
from kiosd.errors import Unavailable
from kiosd.queue import events as ev
from kiosd.queue.commands import CallNext, Command, Finish, IssueTicket, Rate, Start
from kiosd.queue.events import Record
from kiosd.queue.interface import Reply, Snapshot
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.spooled import Spooled
from support.site import WEDNESDAY, settings

Mode = Literal["there", "away", "dies", "twice", "busy", "stranger"]
PRESSED = (ev.RatingGiven, ev.RatingCorrected, ev.RatingAmbiguous, ev.RatingIgnored, ev.RatingUnattributed, ev.SurveyAnswered)


class Hub:
    """``Queue``: a ``LocalQueue`` that is ``there``, or ``away``: it does nothing and answers nothing.

    ``dies``: it does a command and answers only when it is asked again. ``twice``: the network brings every command two times.
    ``busy`` and ``stranger`` are answers of a hub that has not read the command.
    """

    def __init__(self, queue: LocalQueue) -> None:
        self.queue = queue
        self.mode: Mode = "there"
        self.asked: list[Command] = []
        self.done = 0
        self._changed = asyncio.Condition()

    async def execute(self, command: Command) -> Reply:
        mode = self.mode
        self.asked.append(command)
        try:
            return await self._execute(command, mode)
        finally:
            self.done += 1
            async with self._changed:
                self._changed.notify_all()

    async def _execute(self, command: Command, mode: Mode) -> Reply:
        if mode == "away":
            raise Unavailable("the hub is away")
        if mode in {"busy", "stranger"}:
            return Reply(id="", status="rejected", code="busy" if mode == "busy" else "unknown_command", message="no")
        if mode == "twice":
            await asyncio.gather(self.queue.execute(command), self.queue.execute(command))
        reply = await self.queue.execute(command)
        if mode == "dies" and [asked.id for asked in self.asked].count(command.id) == 1:
            raise Unavailable("the hub died before it answered")
        return reply

    def events(self, since: int) -> AsyncIterator[Record]:
        return self.queue.events(since)

    async def snapshot(self) -> Snapshot:
        if self.mode == "away":
            raise Unavailable("the hub is away")
        return await self.queue.snapshot()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition``, looked at whenever a command has been answered, or not answered."""
        async with asyncio.timeout(10), self._changed:
            while not condition():
                await self._changed.wait()

    async def has(self, *commands: Command | str) -> None:
        """Wait until ``commands``, given themselves or by id, are in the hub's journal."""
        wanted = {command if isinstance(command, str) else command.id for command in commands}
        async with asyncio.timeout(20):
            async for record in self.queue.events(0):
                wanted.discard(record.command)
                if not wanted:
                    return

    async def presses(self) -> list[Record]:
        """What presses have come to, in the hub's order."""
        return [record for record in await self.records() if isinstance(record.event, PRESSED)]

    async def health(self, device: str) -> list[tuple[str, str]]:
        """Type and code of what happened to ``device``."""
        found = [record.event for record in await self.records() if isinstance(record.event, ev.DeviceEvent)]
        return [(event.type, event.code) for event in found if event.device == device]

    async def records(self) -> list[Record]:
        last, found = self.queue.book.seq, list[Record]()
        async for record in self.queue.events(0):
            found.append(record)
            if record.seq == last:
                return found
        return found

    async def visit(self) -> None:
        """A visit at counter 1 that has just ended."""
        for command in (IssueTicket(service="D"), CallNext(counter=1), Start(counter=1), Finish(counter=1)):
            assert (await self.queue.execute(command)).done


@asynccontextmanager
async def hub(state: Path, clock: Clock | None = None) -> AsyncIterator[Hub]:
    """A hub whose journal is in ``state``."""
    state.mkdir(exist_ok=True)
    async with open_local(state, settings(), clock or ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(queue.run())
        yield Hub(queue)
        writer.cancel()


@asynccontextmanager
async def passing(*clocks: ManualClock) -> AsyncIterator[None]:
    """Time goes by, faster than outside."""

    async def go() -> None:
        while True:
            for clock in clocks:
                clock.advance(0.25)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        going = tasks.create_task(go())
        yield
        going.cancel()


@asynccontextmanager
async def satellite(of: Hub, file: Path, clock: Clock) -> AsyncIterator[Spooled]:
    """A satellite that runs; its end is as sudden as a power cut for what it has not written."""
    spooled = Spooled(of, file, clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(spooled.run())
        yield spooled
        running.cancel()


def rate(score: int = 4, counter: int = 1) -> Rate:
    """A press on the rating panel of ``counter``."""
    return Rate(counter=counter, score=score, actor="public")


async def told(spooled: Spooled, command: Command) -> str:
    """The code of the reply, which must be there at once: the hub is not waited for."""
    async with asyncio.timeout(2):
        reply = await spooled.execute(command)
    assert reply.done and reply.id == command.id
    return reply.code


async def arrivals(of: Hub) -> list[str]:
    """The ids of presses in the hub's order."""
    return [record.command for record in await of.presses()]
