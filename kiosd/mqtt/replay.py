"""``cmd/replay``: what was told before is told again, for a consumer that misses something.

Rule 1  The answer says how many events will come and which will not: days that were sealed, events that this broker is not told.
Rule 2  One replay per broker at a time, at most ``MOST`` events, paced, few under way: what happens now never waits for it.
Rule 3  It moves no cursor. It ends when the connection ends or nobody takes its events: ask again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Container
from dataclasses import dataclass

from kiosd.clock import Clock
from kiosd.errors import Refused, Unavailable
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.interface import BrokerLink
from kiosd.mqtt.topics import Topics
from kiosd.queue.events import Record
from kiosd.queue.interface import Queue, closing

log = logging.getLogger(__name__)

MOST = 100_000
FEW = 5  # events under way
ANSWERS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Task:
    """Events ``first`` to ``last`` again, because ``command`` asked for them."""

    command: str
    stream: str
    first: int
    last: int


class Replay:
    """Replays to one broker. ``run`` must run; ``hidden`` are the events that this broker is not told."""

    def __init__(self, queue: Queue, link: BrokerLink, topics: Topics, clock: Clock, hidden: Container[int], pace_per_s: float) -> None:
        self._queue, self._link, self._topics, self._clock, self._hidden = queue, link, topics, clock, hidden
        self._gap_s = 1 / pace_per_s if pace_per_s else 0.0
        self._task: Task | None = None
        self._asked = asyncio.Event()
        self._answers: dict[str, dict[str, object]] = {}

    async def ask(self, command: str, first: int, last: int) -> dict[str, object]:
        """Begin to tell events ``first`` to ``last`` again; what will come.

        ``from``, ``to`` and ``events`` say so, ``gone`` lists first and last number of what does not come. The same ``command`` gets the
        same answer and no second replay. ``Refused``: ``bad_range``, ``too_many``, ``not_there`` (nothing of it has happened yet),
        ``busy``. A range of which nothing is left is granted with no event: who asked need not ask again. Who answers at once, before
        anything else, answers before the first event.
        """
        if command in self._answers:
            return self._answers[command]
        if not 1 <= first <= last:
            raise Refused("bad_range", {"message": "from is 1 or more, and to is not below it"})
        if last - first >= MOST:
            raise Refused("too_many", {"message": f"at most {MOST} events at once"})
        if self._task is not None:
            raise Refused("busy", {"message": "a replay is under way already; ask again when it is over"})
        self._task = Task(command, "", first, last)
        try:
            answer = await self._prepared(self._task)
        except BaseException:
            self._task = None
            raise
        self._answers[command] = answer
        if len(self._answers) > ANSWERS_KEPT:
            del self._answers[next(iter(self._answers))]
        self._asked.set()
        return answer

    async def _prepared(self, asked: Task) -> dict[str, object]:
        snapshot = await self._queue.snapshot()
        if asked.first > snapshot.sequence:
            raise Refused("not_there", {"message": f"the newest event is {snapshot.sequence}"})
        first, last = await self._oldest(asked.first), min(asked.last, snapshot.sequence)
        hidden = [seq for seq in range(first, last + 1) if seq in self._hidden]
        gone = [[asked.first, min(first - 1, last)]] if first > asked.first else []
        gone += [[seq, seq] for seq in hidden]
        self._task = Task(asked.command, snapshot.stream, first, last)
        return {"from": first, "to": last, "events": max(0, last - first + 1 - len(hidden)), "gone": gone}

    async def _oldest(self, wanted: int) -> int:
        """The first event from ``wanted`` on that is left."""
        async with closing(self._queue.events(wanted - 1)) as records:
            async for record in records:
                return record.seq
        raise Unavailable("the queue has ended")

    async def run(self) -> None:
        """Tell what was asked for, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._task is None:
                continue
            try:
                await self._tell(self._task)
            except (Refused, Unavailable) as no:
                log.warning("mqtt: replay of %d to %d ends: %s", self._task.first, self._task.last, no)
            finally:
                self._task = None

    async def _tell(self, task: Task) -> None:
        under_way: deque[asyncio.Future[None]] = deque()
        due = self._clock.now().monotonic
        try:
            async with closing(self._queue.events(task.first - 1)) as records:
                async for record in records:
                    if record.seq > task.last:
                        break
                    if record.seq not in self._hidden:
                        under_way.append(self._send(record, task))
                    while len(under_way) >= FEW:
                        await under_way.popleft()
                    due = max(due + self._gap_s, self._clock.now().monotonic)
                    await self._clock.sleep(due - self._clock.now().monotonic)
                    if record.seq == task.last:
                        break
            while under_way:
                await under_way.popleft()
        finally:
            for future in under_way:  # the first failure says it for all of them
                future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _send(self, record: Record, task: Task) -> asyncio.Future[None]:
        return self._link.send(event_message(record, self._topics, task.stream, self._clock.now(), task.command))
