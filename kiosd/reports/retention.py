"""How long events are kept, and what is erased before that (domain section 9): decides, and does it when nobody waits for a number.

Rule 1  Days go one at a time, the oldest first, when they are older than ``keep_days``, over, and delivered to every broker.
Rule 2  Reading and adding up happen beside the journal, in a lane of their own; only the change itself is in the journal's.
Rule 3  It waits until no tickets are given and nobody is in the queue. At a site where that never comes it takes one day now and then,
        once it is a week late.
Rule 4  Why a day stays is said once in the log and as the health of ``retention``; nothing is lost by waiting.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from kiosd.clock import Clock
from kiosd.errors import JournalError, Refused
from kiosd.journal.chain import Seal
from kiosd.journal.past import Past
from kiosd.journal.reader import Day
from kiosd.mqtt.interface import told
from kiosd.queue.commands import EraseTokens, ReportDevice
from kiosd.queue.interface import Snapshot
from kiosd.queue.local import LocalQueue
from kiosd.queue.model import TicketState
from kiosd.reports.erasure import Outcome, count, pages
from kiosd.reports.sealing import MakeSheet, command, next_day, next_seal, raw_from
from kiosd.threads import Lane, lane

log = logging.getLogger(__name__)

FIRST_S = 120.0  # after a start: the audit reads the same file first
EVERY_S = 600.0
BETWEEN_DAYS_S = 5.0
LATE_DAYS = 7
READ_DEADLINE_S = 120.0  # the tokens of 400 days on a slow card, or one day's rows
REST_S = 0.02  # between two pages of an erasure: whoever presses a button goes first
WAL_TRIES, WAL_REST_S = 40, 0.25
DEVICE = "retention"
_IN_QUEUE = frozenset({TicketState.WAITING, TicketState.CALLED, TicketState.SERVING})


class Retention:
    """Seals and erases in the journal at ``path``, which ``queue`` writes. ``uplinks``: names of the brokers that must have everything."""

    def __init__(self, queue: LocalQueue, path: Path, make_sheet: MakeSheet, keep_days: int, uplinks: Sequence[str], clock: Clock) -> None:
        self._queue, self._path, self._make_sheet, self._keep_days, self._uplinks = queue, path, make_sheet, keep_days, uplinks
        self._clock = clock
        self._one = asyncio.Lock()  # a plan holds until it is carried out
        self._wal_owed = False
        self._hindrance: str | None = None

    async def run(self) -> None:
        """Seal what is due, for ever."""
        await self._clock.sleep(FIRST_S)
        while True:
            await self.seal_due()
            await self._clock.sleep(EVERY_S)

    async def seal_due(self) -> int:
        """Seal the days that are due, while it disturbs nobody; how many."""
        sealed = 0
        while (days := self._allowed(await self._queue.snapshot(), sealed)) is not None:
            if not await self._seal_next(days):
                break
            sealed += 1
            await self._clock.sleep(BETWEEN_DAYS_S)
        if sealed or self._wal_owed:
            await self._empty_wal()
        return sealed

    def _allowed(self, snapshot: Snapshot, sealed: int) -> str | None:
        """The business date before which a day may be sealed now; None when this is not the time."""
        if not snapshot.date:
            return None
        if _quiet(snapshot):
            return raw_from(snapshot.date, self._keep_days)
        return None if sealed else raw_from(snapshot.date, self._keep_days + LATE_DAYS)

    async def _seal_next(self, before: str) -> bool:
        async with self._one:
            seal, code, why = await self._plan(before)
            if seal is None:
                await self._say(code, why)
                return False
            begun = time.perf_counter()
            await self._queue.execute(command(seal), seal)
        took, sheet = time.perf_counter() - begun, seal.sheet
        log.info(
            "sealed %s: events %d to %d are now a sheet of %d bytes; %.0f ms of the journal's time",
            sheet.date, sheet.first, sheet.last, len(sheet.data), took * 1000,
        )  # fmt: skip
        await self._say("", "")
        return True

    async def _plan(self, before: str) -> tuple[Seal | None, str, str]:
        """The next seal; or why there is none, as code and sentence, both empty when none is due."""
        try:
            async with self._reading() as (side, past):
                day = await side.run(partial(next_day, past, before), READ_DEADLINE_S)
                if day is None:
                    return None, "", ""
                if why := self._undelivered(day):
                    return None, "undelivered", why
                return await side.run(partial(next_seal, past, day, self._make_sheet), READ_DEADLINE_S), "", ""
        except Exception as exc:  # noqa: BLE001 - a day that cannot be read or added up stays; visitors have nothing to do with it
            kind = "" if isinstance(exc, JournalError) else f"{type(exc).__name__}: "
            return None, "unreadable", f"the oldest day is kept: {kind}{exc}"

    def _undelivered(self, day: Day) -> str:
        """Which brokers are not told all of ``day`` yet; ``""`` when every one is."""
        at = {name: min(told(self._queue.cursors, name).values()) for name in self._uplinks}
        behind = [f"{name} (has {seq})" for name, seq in at.items() if seq < day.last]
        return f"{day.date} is kept: its events up to {day.last} were not delivered to {', '.join(behind)}" if behind else ""

    async def _say(self, code: str, why: str) -> None:
        if why == self._hindrance:
            return
        if why:
            log.warning("%s", why)
        if why or self._hindrance or await self._was_told():
            await self._queue.execute(ReportDevice(device=DEVICE, state="degraded" if why else "ok", code=code, detail=why[:200]))
        self._hindrance = why

    async def _was_told(self) -> bool:
        """Whether an earlier start told of a hindrance."""
        return any(one.device == DEVICE and one.state != "ok" for one in (await self._queue.snapshot()).devices)

    async def erase(self, before: str, count_only: bool) -> dict[str, Any]:
        """Erase the tokens of all days before ``before``; what was done. ``count_only``: how many scans that would be.

        ``Refused`` when that day has not come. An erasure that is cut short has erased what it proved: ask again.
        """
        today = (await self._queue.snapshot()).date
        if before > today:
            raise Refused("not_over", {"message": f"{before} has not come: the newest day that can be named is today, {today}"})
        async with self._one:
            async with self._reading() as (side, past):
                if count_only:
                    return {"before": before, "scans": await side.run(partial(count, past, before), READ_DEADLINE_S)}
                done = await self._erase(side, past, before)
            if done.scans:
                done.emptied = await self._empty_wal()
                log.info("erased the tokens of %d scans before %s; %d proofs, the last is event %d", *_figures(done))
        return done.told()

    async def _erase(self, side: Lane, past: Past, before: str) -> Outcome:
        done, plan = Outcome(before), pages(past, before)
        while (page := await side.run(partial(next, plan, None), READ_DEADLINE_S)) is not None:
            self._wal_owed = True
            reply = await self._queue.execute(EraseTokens(**page.told), page.change)
            done.add(page, reply.sequence)
            await asyncio.sleep(REST_S)
        return done

    async def _empty_wal(self) -> bool:
        """Try for some seconds; a reader that is still at it is asked again by the next round."""
        for _ in range(WAL_TRIES):
            if await self._queue.truncate():
                self._wal_owed = False
                return True
            await asyncio.sleep(WAL_REST_S)
        self._wal_owed = True
        log.warning("what was deleted is still in the write-ahead log, because somebody reads the journal; it is emptied later")
        return False

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[tuple[Lane, Past]]:
        async with lane("retention", JournalError) as side:
            past = await side.run(partial(Past, self._path), READ_DEADLINE_S)
            try:
                yield side, past
            finally:
                past.interrupt()
                await side.run(past.close, READ_DEADLINE_S)


def _figures(done: Outcome) -> tuple[int, str, int, int]:
    return done.scans, done.before, done.proofs, done.last_proof


def _quiet(snapshot: Snapshot) -> bool:
    """Nobody draws a number now, and nobody waits or is served."""
    in_queue = any(ticket.state in _IN_QUEUE for ticket in snapshot.tickets)
    return not snapshot.open and not in_queue
