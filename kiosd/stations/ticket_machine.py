"""The ticket machine: buttons in, paper out.

Rule 1  The ticket is durable before any byte goes to the printer; paper follows the event, whoever asked for the ticket.
Rule 2  A slip that surely did not print is tried again while its visitor may still stand there; then, or at once when the printer has
        been gone for a while, the boards tell the number.
Rule 3  A slip that may have printed is printed again only as a marked copy (the daemon died between the event and the printer's answer).
Rule 4  Somebody who asks gets another one, marked as such, whatever became of the first.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from kiosd.clock import Clock
from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, Fault, LampState, Outcome, Slip, TicketPrinter
from kiosd.queue.commands import IssueTicket, ReportPaper
from kiosd.queue.events import Record, TicketIssued, TicketReprintAsked
from kiosd.queue.interface import Queue, Snapshot, TicketView
from kiosd.queue.model import NUMBERS_BEFORE_WARNING, PrintState, TicketState
from kiosd.queue.settings import QueueSettings
from kiosd.stations.pace import changed_or
from kiosd.stations.slip import ticket_slip
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

PRINT_WITHIN_S = 30.0  # how long a visitor waits for paper before the number on the board has to do
BACK_SOON_S = 5.0  # a printer that went this short ago may only have been replugged; later it prints nothing for this visitor
NOT_READY = frozenset({"paper_out", "cover_open", "offline"})  # the printer is there and says why it cannot: no need to open it again
NOT_READY_S = 2.0
LAMP = "ready"
LAMP_CHECK_S = 10.0  # hours change by time alone, which is no event
REFUSED_BLINK_S = 2.0
PRIORITY = "_priority"  # a button named A_priority gives a priority ticket of service A


@dataclass(frozen=True, slots=True)
class Job:
    """A slip that is owed. ``until``: seconds since boot after which nobody waits for it; ``copy``: an original may exist;
    ``reprint``: somebody asked for another one."""

    view: TicketView
    synced: bool
    until: float
    copy: bool = False
    reprint: bool = False


class TicketMachine:
    """One ticket machine: a button panel and a printer that each come and go."""

    def __init__(self, queue: Queue, clock: Clock, settings: QueueSettings, printer: str) -> None:
        self._queue, self._clock, self._settings, self._printer = queue, clock, settings, printer
        self._jobs: deque[Job] = deque()
        self._more = asyncio.Event()
        self._refused = asyncio.Event()
        self._printing = asyncio.Lock()
        self._gone_since: float | None = clock.now().monotonic
        self._warned: set[tuple[str, str]] = set()

    async def use_buttons(self, panel: ButtonPanel, health: Health) -> None:
        """Each press asks for a ticket; the lamp says whether the machine gives any."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._presses(panel, health))
            tasks.create_task(self._lamp(panel))

    async def _presses(self, panel: ButtonPanel, health: Health) -> None:
        async for press in panel.presses():
            if isinstance(press, Fault):
                await health.fault(press)
            else:
                await self._press(press.button, press.at)

    async def _press(self, button: str, at: float) -> None:
        age = round(max(0.0, self._clock.now().monotonic - at), 3)
        priority = button.endswith(PRIORITY)
        service, place = button.removesuffix(PRIORITY), f"button/{button}"
        reply = await self._queue.execute(IssueTicket(service=service, priority=priority, actor="public", place=place, age_s=age))
        if not reply.done:
            log.info("button %s: %s", button, reply.message)
            self._refused.set()

    async def _lamp(self, panel: ButtonPanel) -> None:
        while True:
            snapshot = await self._queue.snapshot()
            await panel.lamp(LAMP, LampState.ON if snapshot.open or snapshot.training else LampState.OFF)
            if await changed_or(self._clock, self._refused, LAMP_CHECK_S):
                self._refused.clear()
                await panel.lamp(LAMP, LampState.BLINK)
                await self._clock.sleep(REFUSED_BLINK_S)

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
        self._more.set()

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
        dead = self._gone_since is not None and now - self._gone_since > BACK_SOON_S
        return now if dead else now + PRINT_WITHIN_S

    async def _owe_again(self, snapshot: Snapshot) -> None:
        """What a daemon before us owed: it may have come out, so it comes as a copy, and only if the visitor may still wait for it."""
        now = self._clock.now()
        for view in snapshot.tickets:
            if view.paper is not PrintState.QUEUED:
                continue
            left = PRINT_WITHIN_S - (now.time - view.issued_at).total_seconds()
            job = Job(view, now.synced, now.monotonic + left, copy=True)
            if left > 0 and view.state is TicketState.WAITING:
                self._owe(job)
            else:
                await self._report(job, "uncertain", "the daemon ended before the printer said what became of it")

    async def use_printer(self, printer: TicketPrinter, health: Health) -> None:
        """Print what is owed, oldest first, and report what became of it."""
        self._gone_since = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(printer, health))
                while True:
                    await self._print_next(printer)
        finally:
            self._gone_since = self._clock.now().monotonic

    async def _watch(self, printer: TicketPrinter, health: Health) -> None:
        try:
            async for fault in printer.watch():
                await health.fault(fault)
        except DeviceError:
            async with self._printing:  # only the slip under way knows what became of it: do not cancel it
                raise

    async def _print_next(self, printer: TicketPrinter) -> None:
        while not self._jobs:
            self._more.clear()
            await self._more.wait()
        async with self._printing:
            job = self._jobs.popleft()
            ready = await self._print(job, printer)
        if not ready:
            await self._clock.sleep(NOT_READY_S)

    async def _print(self, job: Job, printer: TicketPrinter) -> bool:
        """Print ``job`` and report it, or put it back: False when the printer says why it cannot print now."""
        try:
            outcome = await printer.print_slip(self._slip(job, printer.columns))
        except DeviceError as exc:
            self._jobs.appendleft(job)
            self._more.set()
            if exc.code not in NOT_READY:
                raise
            return False
        except BaseException:
            await self._report(job, "uncertain", "printing was interrupted")
            raise
        await self._report(job, "printed" if outcome is Outcome.PRINTED else "uncertain", "")
        return True

    async def _report(self, job: Job, outcome: str, detail: str) -> None:
        second = job.copy or job.reprint
        report = {"ticket": job.view.ticket, "outcome": outcome, "device": self._printer, "detail": detail, "reprint": second}
        await self._queue.execute(ReportPaper.model_validate(report))

    def _slip(self, job: Job, columns: int) -> Slip:
        site, service = self._settings.site, self._settings.services[job.view.service]
        most = self._settings.rules.max_calls
        return ticket_slip(
            site, service.name, job.view, columns=columns, synced=job.synced, copy=job.copy, reprint=job.reprint, card=site.card,
            max_calls=most,
        )  # fmt: skip

    async def _give_up(self) -> None:
        while True:
            if not self._jobs:
                self._more.clear()
                await self._more.wait()
            await self._clock.sleep(max(0.1, self._jobs[0].until - self._clock.now().monotonic) if self._jobs else 0.1)
            now = self._clock.now().monotonic
            while self._jobs and self._jobs[0].until <= now:
                job = self._jobs.popleft()
                await self._report(job, "failed", "no printer could print it in time")
