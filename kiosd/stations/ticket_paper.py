"""A ticket machine's paper: which slips are owed, whose turn it is to print them, and what became of each.

Rule 1  Paper follows the event, whoever asked for the ticket; slips come out in the order of their numbers, by one printer at a time.
Rule 2  A slip that surely did not print is tried again while its visitor may still stand there; then the boards tell the number. They tell
        it at once when no printer could print it as it was owed.
Rule 3  A slip that may have printed is printed again once, as a marked copy: after a failure in the middle of it, and when the daemon died
        between the event and the printer's answer. What becomes of the copy is its end, and the journal knows of it before its first byte:
        there is never a second one. A printer that can never confirm is no failure.
Rule 4  Somebody who asks gets another one, marked as such, whatever became of the first.
Rule 5  A spare printer prints only while the first one cannot.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from kiosd.clock import Clock
from kiosd.errors import DeviceError
from kiosd.ports import CANNOT_PRINT, Outcome, Slip, TicketPrinter
from kiosd.queue.commands import ReportPaper
from kiosd.queue.events import Record, TicketIssued, TicketReprintAsked
from kiosd.queue.interface import Queue, Snapshot, TicketView
from kiosd.queue.model import NUMBERS_BEFORE_WARNING, PrintState, TicketState
from kiosd.queue.settings import QueueSettings
from kiosd.stations.pace import changed_or
from kiosd.stations.slip import ticket_slip
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

PRINT_WITHIN_S = 30.0  # how long a visitor waits for paper before the number on the board has to do
COPY_WITHIN_S = 10.0  # the same for a copy whose original failed late: a printer opened anew needs 3 s, and the visitor waited already
BACK_SOON_S = 5.0  # a printer that went this short ago may only have been replugged; later it prints nothing for this visitor
NOT_READY_S = 2.0  # until a printer that just refused a slip is tried again
NOBODY = "no printer could print it in time"
UNCONFIRMED = "the printer cannot say whether it came out"
FAILED = "printing failed in the middle; a marked copy follows"
ENDED = "the daemon ended before the printer said what became of it"


@dataclass(frozen=True, slots=True)
class Job:
    """A slip that is owed. ``until``: seconds since boot after which nobody waits for it; ``copy``: an original may exist;
    ``reprint``: somebody asked for another one."""

    view: TicketView
    synced: bool
    until: float
    copy: bool = False
    reprint: bool = False


@dataclass(slots=True)
class Printing:
    """A printer and what is known of it. ``told`` is the code of its last fault, None while it is not there; ``refused``: it just said
    why it cannot print a slip, which ``watch`` may not have noticed yet."""

    name: str
    told: str | None = None
    refused: bool = False

    @property
    def able(self) -> bool:
        """Whether it prints."""
        return self.told is not None and self.told not in CANNOT_PRINT and not self.refused


class TicketPaper:
    """The slips of one ticket machine, and its printers, which come and go. ``changed`` is set when slips or printers are others
    than before."""

    def __init__(self, queue: Queue, clock: Clock, settings: QueueSettings, printer: str, spare: str | None = None) -> None:
        self._queue, self._clock, self._settings = queue, clock, settings
        self._printers = {name: Printing(name) for name in (printer, spare) if name is not None}
        self._first = self._printers[printer]
        self._jobs: deque[Job] = deque()
        self._turn = asyncio.Lock()
        self.changed = asyncio.Event()
        self._unable_since: float | None = clock.now().monotonic
        self._warned: set[tuple[str, str]] = set()

    @property
    def codes(self) -> frozenset[str | None]:
        """What the printers say of themselves: codes of their faults, None for one that is not there."""
        return frozenset(one.told for one in self._printers.values())

    @property
    def hopeless(self) -> bool:
        """Whether a slip that is owed from now on will not come out in time: no printer prints, and none may be back in a moment."""
        if self._unable_since is None:
            return False
        return None not in self.codes or self._clock.now().monotonic - self._unable_since > BACK_SOON_S

    def _stir(self) -> None:
        """Wake everybody who waits for slips or printers."""
        if any(one.able for one in self._printers.values()):
            self._unable_since = None
        elif self._unable_since is None:
            self._unable_since = self._clock.now().monotonic
        self.changed.set()
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Gather the slips that are owed, for ever; give up those that nobody waits for any more."""
        snapshot = await self._queue.snapshot()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._give_up())
            await self._owe_again(snapshot)
            async for record in self._queue.events(snapshot.sequence):
                match record.event:
                    case TicketIssued():
                        self._take(record, record.event)
                    case TicketReprintAsked():
                        await self._again(record, record.event)

    def _take(self, record: Record, event: TicketIssued) -> None:
        if event.n >= NUMBERS_BEFORE_WARNING and (event.service, event.date) not in self._warned:
            self._warned = {(event.service, event.date)} | {one for one in self._warned if one[1] == event.date}
            log.warning("service %s has given %d numbers today: after 999 they have four digits", event.service, event.n)
        if event.slip:
            self._owe(self._job(record, event))

    async def _again(self, record: Record, event: TicketReprintAsked) -> None:
        view = next((view for view in (await self._queue.snapshot()).tickets if view.ticket == event.ticket), None)
        if view is None:
            log.info("ticket %s is not printed again: it is over", event.number)
        else:
            self._owe(Job(view, record.moment.synced, self._until(), reprint=True))

    def _owe(self, job: Job) -> None:
        self._jobs.append(job)
        self._stir()

    def _job(self, record: Record, event: TicketIssued) -> Job:
        view = TicketView(
            ticket=event.ticket, number=event.number, service=event.service, state=TicketState.WAITING, issued_at=record.moment.time,
            priority=event.priority, counter=None, paper=PrintState.QUEUED, ahead=event.ahead, training=event.training,
            wait_low_min=event.wait_low_min, wait_high_min=event.wait_high_min, unlikely=event.unlikely,
        )  # fmt: skip
        return Job(view, record.moment.synced, self._until())

    def _until(self) -> float:
        """When nobody waits any more for a slip that is owed from now on."""
        now = self._clock.now().monotonic
        return now if self.hopeless else now + PRINT_WITHIN_S

    async def _owe_again(self, snapshot: Snapshot) -> None:
        """What a daemon before us owed: it may have come out, so it comes as a copy, and only if the visitor may still wait for it. If we
        die as well, the next one owes nothing any more."""
        now = self._clock.now()
        for view in snapshot.tickets:
            if view.paper is not PrintState.QUEUED:
                continue
            left = PRINT_WITHIN_S - (now.time - view.issued_at).total_seconds()
            job = Job(view, now.synced, now.monotonic + left, copy=True)
            follows = left > 0 and view.state is TicketState.WAITING
            await self._report(job, "uncertain", f"{ENDED}; a marked copy follows" if follows else ENDED)
            if follows:
                self._owe(job)

    async def use(self, printer: TicketPrinter, health: Health) -> None:
        """Print with this printer what is owed while it is its turn, oldest first, and report what became of it."""
        it = self._printers.setdefault(health.device, Printing(health.device))
        it.told, it.refused = "", False
        self._stir()
        busy = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(it, printer, health, busy))
                while True:
                    await self._print_next(it, printer, busy)
        finally:
            it.told = None
            self._stir()

    async def _watch(self, it: Printing, printer: TicketPrinter, health: Health, busy: asyncio.Lock) -> None:
        try:
            async for fault in printer.watch():
                it.told, it.refused = fault.code, False
                self._stir()
                await health.fault(fault)
        except DeviceError:
            it.told = None  # no slip is begun any more
            async with busy:  # only the slip under way knows what became of it: do not cancel it
                raise

    def _due(self, it: Printing) -> bool:
        """Whether there is a slip and it is this printer's turn."""
        return bool(self._jobs) and it.able and (it is self._first or not self._first.able)

    async def _print_next(self, it: Printing, printer: TicketPrinter, busy: asyncio.Lock) -> None:
        while not self._due(it):
            await self.changed.wait()
        async with self._turn, busy:
            if self._due(it):
                await self._print(self._jobs.popleft(), it, printer)
        if it.refused:
            self._stir()
            await self._clock.sleep(NOT_READY_S)
            it.refused = False
            self._stir()

    async def _print(self, job: Job, it: Printing, printer: TicketPrinter) -> None:
        """Print ``job`` and report it, or put it back when surely nothing of it was printed."""
        try:
            outcome = await printer.print_slip(self._slip(job, printer.columns))
        except DeviceError as exc:
            self._jobs.appendleft(job)
            if exc.code not in CANNOT_PRINT:
                raise
            it.refused = True
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError) and not (job.copy or job.reprint):
                self._jobs.appendleft(replace(job, copy=True))  # the journal still owes it: after a restart it comes as a copy
            else:
                await self._became(job, Outcome.UNCERTAIN, it.name)
            raise
        else:
            await self._became(job, outcome, it.name)

    async def _became(self, job: Job, outcome: Outcome, printer: str) -> None:
        if outcome is Outcome.PRINTED:
            await self._report(job, "printed", "", printer)
        elif outcome is Outcome.UNCONFIRMED:
            await self._report(job, "unconfirmed", UNCONFIRMED, printer)
        elif job.copy or job.reprint:
            await self._report(job, "failed", "printing failed in the middle, and it was a copy already", printer)
        else:
            await self._report(job, "uncertain", FAILED, printer)
            self._jobs.appendleft(replace(job, until=max(job.until, self._clock.now().monotonic + COPY_WITHIN_S), copy=True))

    async def _report(
        self, job: Job, outcome: Literal["printed", "failed", "uncertain", "unconfirmed"], detail: str, printer: str = ""
    ) -> None:
        name = printer or self._first.name
        second = job.copy or job.reprint
        await self._queue.execute(ReportPaper(ticket=job.view.ticket, outcome=outcome, device=name, detail=detail, reprint=second))

    def _slip(self, job: Job, columns: int) -> Slip:
        site, service = self._settings.site, self._settings.services[job.view.service]
        most = self._settings.rules.max_calls
        return ticket_slip(
            site, service.name, job.view, columns=columns, synced=job.synced, copy=job.copy, reprint=job.reprint, card=site.card,
            max_calls=most,
        )  # fmt: skip

    async def _give_up(self) -> None:
        while True:
            while not self._jobs:
                await self.changed.wait()
            left = min(job.until for job in self._jobs) - self._clock.now().monotonic
            if left > 0 and await changed_or(self._clock, self.changed, left):
                continue
            now = self._clock.now().monotonic
            late = [job for job in self._jobs if job.until <= now]
            self._jobs = deque(job for job in self._jobs if job.until > now)
            for job in late:
                await self._report(job, "failed", NOBODY)
