"""Events that one broker is not told, because it does not take them or dies of them. Each is remembered, recorded and an alarm."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from kiosd.clock import Clock, utc_text
from kiosd.errors import Unavailable
from kiosd.mqtt.interface import Memory
from kiosd.mqtt.suspects import Suspects
from kiosd.mqtt.troubles import Troubles
from kiosd.queue.commands import ReportQuarantine
from kiosd.queue.events import Record
from kiosd.queue.interface import Queue

log = logging.getLogger(__name__)

RETRY_S = 1.0
KILLS = "kills_connection"


class Quarantine:
    """What broker ``name`` is not told. ``run`` records it."""

    def __init__(self, queue: Queue, memory: Memory, name: str, clock: Clock, troubles: Troubles) -> None:
        self._queue, self._memory, self._name, self._clock, self._troubles = queue, memory, name, clock, troubles
        self._events = dict(memory.quarantined(name))
        self._to_report: deque[ReportQuarantine] = deque()
        self._some = asyncio.Event()
        self.suspects = Suspects()
        troubles.left_out(self._events)

    def __contains__(self, seq: object) -> bool:
        return seq in self._events

    def put(self, record: Record, code: str) -> None:
        """From now on ``record`` is not told."""
        if record.seq in self._events:
            return
        kind, time = record.event.type, utc_text(self._clock.now().time)
        log.error("uplink %s: event %d (%s) is left out: %s", self._name, record.seq, kind, code)
        self._events[record.seq] = code, time
        self._memory.quarantine(self._name, record.seq, kind, code, time)
        self._troubles.left_out(self._events)
        once = f"quarantine-{self._name}-{record.seq}"
        self._to_report.append(ReportQuarantine(id=once, broker=self._name, sequence=record.seq, kind=kind, code=code))
        self._some.set()

    def connection_ended(self, under_way: Mapping[int, Record], sudden: bool) -> None:
        """``under_way`` are the events that were sent and not answered: the one that kills every connection is put here."""
        guilty = self.suspects.ended(under_way, sudden)
        if guilty is not None:
            self.put(under_way[guilty], KILLS)

    async def run(self) -> None:
        """Record in the journal what is put here, for ever."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._to_report:
                try:
                    await self._queue.execute(self._to_report[0])
                except Unavailable:
                    await self._clock.sleep(RETRY_S)
                else:
                    self._to_report.popleft()
