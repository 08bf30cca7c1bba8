"""Everybody in a scenario, in the order of their time, on a clock that jumps from one to the next.

Rule 1  The queue is the hub's own ``LocalQueue`` over the journal's own file: rules, refusals, replies, hashes are what they always are.
Rule 2  Nobody waits for a scenario's paper, so many commands share a commit (``Gathered``), and no other thread is needed (``Here``).
Rule 3  Two runs of one file are the same events: ids come from the file's name and who asks, and actors are asked in one order.
"""

import heapq
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid5

from kiosd.clock import ManualClock
from kiosd.journal.chain import Change
from kiosd.journal.journal import NO_CURSORS, Entry, Journal
from kiosd.journal.marks import Mark
from kiosd.queue.commands import Command
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue
from kiosd.threads import Lane

T = TypeVar("T")

COMMIT_EVENTS = 1000
NAMES = UUID("6f1c3a52-7c0e-5d7b-9a53-0a1b6c8f2d44")
"""What ids of scenarios are made in (UUID version 5)."""
BOOT = str(uuid5(NAMES, "boot"))
"""The boot that all events of all scenarios say they are of: no board ever had it."""

Act = Generator[float | Command, Any, None]
"""Somebody: yields seconds to wait or a command to ask, and is sent the command's ``Reply``."""


class Gathered(Journal):
    """A journal that writes when enough has gathered: the same rows in fewer commits. What a crash loses can be played again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._gathered: list[Entry] = []

    def append(self, entries: Sequence[Entry], cursors: Mapping[str, int] = NO_CURSORS, changes: Sequence[Change | Mark] = ()) -> None:
        """Keep ``entries`` for the next commit; what comes with cursors or changes of old rows is written now."""
        self._gathered += entries
        if cursors or changes or len(self._gathered) >= COMMIT_EVENTS:
            self._write(cursors, changes)

    def _write(self, cursors: Mapping[str, int] = NO_CURSORS, changes: Sequence[Change | Mark] = ()) -> None:
        entries, self._gathered = self._gathered, []
        if entries:
            super().append(entries, cursors, changes)

    def close(self) -> None:
        """Write what has gathered and close."""
        try:
            self._write()
        finally:
            super().close()


class Here(Lane):
    """A lane without a thread of its own: nothing else is on this loop that a commit could hold up."""

    def __init__(self) -> None:
        self.hung = False

    async def run(self, call: Callable[[], T], timeout: float, discard: Callable[[T], None] | None = None) -> T:
        """``call()``'s value."""
        del timeout, discard
        return call()

    def close(self) -> None:
        """Nothing to end."""


@dataclass(slots=True)
class _Actor:
    name: str
    act: Act
    asked: int = 0


class Timeline:
    """``add`` somebody, then ``run``. ``now`` is in milliseconds since the scenario's start."""

    def __init__(self, queue: LocalQueue, clock: ManualClock, scenario: str) -> None:
        self.now = 0
        self.tell: tuple[Callable[[Command, Reply], None], ...] = ()
        """Who is told every command and its reply."""
        self._queue, self._clock, self._scenario = queue, clock, scenario
        self._actors: list[tuple[int, int, _Actor]] = []
        self._added = 0

    def add(self, wait_s: float, name: str, act: Act) -> None:
        """Let ``act`` begin in ``wait_s`` seconds. ``name`` is unique in the scenario, its commands' ids come from it."""
        self._push(wait_s, _Actor(name, act))

    def _push(self, wait_s: float, actor: _Actor) -> None:
        self._added += 1
        heapq.heappush(self._actors, (self.now + max(0, round(wait_s * 1000)), self._added, actor))

    async def run(self, until: int) -> None:
        """Let everybody act up to the moment ``until``; who wants to act later does not."""
        while self._actors and self._actors[0][0] <= until:
            at, _, actor = heapq.heappop(self._actors)
            self._to(at)
            await self._turn(actor)
        self._to(until)

    def _to(self, at: int) -> None:
        self._clock.advance((at - self.now) / 1000)
        self.now = at

    async def _turn(self, actor: _Actor) -> None:
        """Ask for ``actor`` what it wants until it waits or is done."""
        wish = next(actor.act, None)
        while isinstance(wish, Command):
            reply = await self._ask(actor, wish)
            try:
                wish = actor.act.send(reply)
            except StopIteration:
                return
        if wish is not None:
            self._push(wish, actor)

    async def _ask(self, actor: _Actor, wish: Command) -> Reply:
        actor.asked += 1
        command = wish.model_copy(update={"id": str(uuid5(NAMES, f"{self._scenario}/{actor.name}/{actor.asked}"))})
        reply = await self._queue.execute(command)
        for tell in self.tell:
            tell(command, reply)
        return reply
