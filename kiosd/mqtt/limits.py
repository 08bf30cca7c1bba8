"""What keeps whoever commands from taking more than its share: of the queue (``Pace``) and of the journal (``Refusals``)."""

import asyncio
import logging
import re
from collections import Counter, deque

from kiosd.clock import Clock
from kiosd.errors import Unavailable
from kiosd.queue.commands import ReportRefusal
from kiosd.queue.interface import Queue

log = logging.getLogger(__name__)

TOGETHER = 5  # times what one client may: all clients of a broker, so that a new name for every command gains nothing
CLIENTS = 64  # names remembered; whoever comes above shares the bucket of those who give none
RECORDS, RECORDS_IN_S = 10, 10.0
SHOWN = re.compile(r"[a-z_]{1,32}")


class _Bucket:
    """Holds up to ``size`` commands and fills by as many a second."""

    def __init__(self, size: int, now: float) -> None:
        self._size, self._level, self._at = size, float(size), now

    def fill(self, now: float) -> float:
        """How many commands may come at ``now``, seconds since boot."""
        self._level, self._at = min(self._size, self._level + (now - self._at) * self._size), now
        return self._level

    def full(self, now: float) -> bool:
        return self.fill(now) >= self._size

    def take(self) -> None:
        self._level -= 1


class Pace:
    """Each client may send ``per_s`` commands a second, as many at once after a silence; all of them together ``TOGETHER`` times that."""

    def __init__(self, per_s: int, now: float) -> None:
        self._per_s = per_s
        self._all, self._unnamed = _Bucket(per_s * TOGETHER, now), _Bucket(per_s, now)
        self._clients: dict[str, _Bucket] = {}

    def allows(self, client: str | None, now: float) -> bool:
        """Whether ``client``, None for one without a name, may send one more at ``now``, seconds since boot; if so it is counted."""
        mine = self._bucket(client, now)
        if mine.fill(now) < 1 or self._all.fill(now) < 1:
            return False
        mine.take()
        self._all.take()
        return True

    def _bucket(self, client: str | None, now: float) -> _Bucket:
        if client is None:
            return self._unnamed
        if client not in self._clients and len(self._clients) >= CLIENTS:
            self._clients = {name: bucket for name, bucket in self._clients.items() if not bucket.full(now)}
        if client not in self._clients and len(self._clients) >= CLIENTS:
            return self._unnamed
        return self._clients.setdefault(client, _Bucket(self._per_s, now))


class Refusals:
    """Records what was refused at the border: 10 in 10 seconds one by one, of more than that only how many. ``run`` must run."""

    def __init__(self, queue: Queue, clock: Clock, source: str) -> None:
        self._queue, self._clock, self._source = queue, clock, source
        self._recorded: deque[float] = deque(maxlen=RECORDS)
        self._more: Counter[str] = Counter()
        self._some_more = asyncio.Event()

    async def record(self, command: str, code: str, message: str) -> int:
        """The sequence of the event that tells this refusal, 0 when it is one of a flood, which must not fill the journal."""
        now = self._clock.now().monotonic
        if len(self._recorded) == RECORDS and now - self._recorded[0] < RECORDS_IN_S:
            self.count(code)
            return 0
        self._recorded.append(now)
        shown = command if SHOWN.fullmatch(command) else "?"
        sequence = await self._report(ReportRefusal(source=self._source, command=shown, code=code, message=message[:300]))
        return sequence or 0

    def count(self, code: str) -> None:
        """One more that is told only in the next sum."""
        if not self._more:
            log.warning("%s: so many commands are refused that they are not all recorded one by one", self._source)
        self._more[code] += 1
        self._some_more.set()

    async def run(self) -> None:
        """Tell the sum of what was not recorded one by one, every 10 seconds while there is any."""
        while True:
            await self._some_more.wait()
            await self._clock.sleep(RECORDS_IN_S)
            self._some_more.clear()
            await self._sum()

    async def _sum(self) -> None:
        counted, self._more = self._more, Counter()
        total, codes = counted.total(), ", ".join(f"{code} {times}" for code, times in counted.most_common())
        message = f"{total} more commands were refused: {codes}"
        log.warning("%s: %s", self._source, message)
        told = await self._report(ReportRefusal(source=self._source, command="?", code="flood", message=message[:300], count=total))
        if told is None:
            self._more.update(counted)
            self._some_more.set()

    async def _report(self, refusal: ReportRefusal) -> int | None:
        try:
            reply = await self._queue.execute(refusal)
        except Unavailable as gone:
            log.warning("%s: a refused command (%s) could not be recorded: %s", self._source, refusal.code, gone)
            return None
        return reply.sequence
