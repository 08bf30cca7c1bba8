"""The ticket machine: buttons in, paper out (``ticket_paper``), and what becomes of a press while there is no paper.

Rule 1  The ticket is durable before any byte goes to the printer.
Rule 2  A press gives a number or is refused by the queue, which records it and says why; nothing is dropped in silence.
Rule 3  While no printer can print, ``show`` gives the number and the boards tell it; ``refuse`` and ``block`` have the queue refuse the
        press. With ``block`` numbers of that service are booked for hand-written tickets, once in each outage and day.
"""

import asyncio
import logging
from typing import Literal

from kiosd.clock import Clock
from kiosd.ports import CANNOT_PRINT, ButtonPanel, Fault, LampState, TicketPrinter
from kiosd.queue.commands import IssueTicket, ReserveNumbers
from kiosd.queue.interface import Queue
from kiosd.queue.settings import QueueSettings
from kiosd.stations.pace import changed_or
from kiosd.stations.ticket_paper import TicketPaper
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

WithoutPaper = Literal["show", "refuse", "block"]
LAMP, PAPER_LAMP = "ready", "paper"
LAMP_CHECK_S = 10.0  # hours change by time alone, which is no event
REFUSED_BLINK_S = 2.0
PRIORITY = "_priority"  # a button named A_priority gives a priority ticket of service A


class TicketMachine:
    """One ticket machine: a button panel and one or two printers that each come and go. ``block``: numbers booked at once."""

    def __init__(
        self, queue: Queue, clock: Clock, settings: QueueSettings, printer: str, spare: str | None = None,
        without_paper: WithoutPaper = "show", block: int = 20,
    ) -> None:  # fmt: skip
        self._queue, self._clock = queue, clock
        self._without_paper: WithoutPaper = without_paper
        self._block = block
        self._paper = TicketPaper(queue, clock, settings, printer, spare)
        self._refused = asyncio.Event()

    async def run(self) -> None:
        """Gather the slips that are owed, for ever; give up those that nobody waits for any more."""
        await self._paper.run()

    async def use_printer(self, printer: TicketPrinter, health: Health) -> None:
        """Print what is owed, oldest first, and report what became of it."""
        await self._paper.use(printer, health)

    async def use_buttons(self, panel: ButtonPanel, health: Health) -> None:
        """Each press asks for a ticket; the lamps say whether the machine gives any, and whether it wants paper."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._presses(panel, health))
            tasks.create_task(self._lamp(panel))
            tasks.create_task(self._paper_lamp(panel))

    async def _presses(self, panel: ButtonPanel, health: Health) -> None:
        async for press in panel.presses():
            if isinstance(press, Fault):
                await health.fault(press)
            else:
                await self._press(press.button, press.at)

    async def _press(self, button: str, at: float) -> None:
        age = round(max(0.0, self._clock.now().monotonic - at), 3)
        service, priority, place = button.removesuffix(PRIORITY), button.endswith(PRIORITY), f"button/{button}"
        asked = IssueTicket(service=service, priority=priority, actor="public", place=place, age_s=age, no_paper=self._no_paper())
        reply = await self._queue.execute(asked)
        if not reply.done:
            log.info("button %s: %s", button, reply.message)
            self._refused.set()
        if reply.code == "by_hand":
            await self._book(service)

    def _no_paper(self) -> Literal["", "refuse", "block"]:
        """What becomes of a press now for want of paper."""
        return "" if self._without_paper == "show" or not self._paper.hopeless else self._without_paper

    async def _book(self, service: str) -> None:
        """Book numbers that the receptionist writes by hand, if that was not done since a slip last came out: the journal knows."""
        reply = await self._queue.execute(ReserveNumbers(service=service, count=self._block, actor="system"))
        if reply.result:
            log.warning("no paper: numbers %s to %s are booked for tickets by hand", reply.result["first"], reply.result["last"])

    async def _lamp(self, panel: ButtonPanel) -> None:
        while True:
            snapshot = await self._queue.snapshot()
            works = LampState.FAULT if self._no_paper() else LampState.ON
            await panel.lamp(LAMP, works if snapshot.open or snapshot.training else LampState.OFF)
            if await changed_or(self._clock, self._refused, LAMP_CHECK_S):
                self._refused.clear()
                await panel.lamp(LAMP, LampState.REFUSED)
                await self._clock.sleep(REFUSED_BLINK_S)

    async def _paper_lamp(self, panel: ButtonPanel) -> None:
        """For those who change the roll: lit while the paper is near its end, flashing while a printer that is there cannot print."""
        while True:
            changed, codes = self._paper.changed, self._paper.codes
            state = LampState.FAULT if codes & CANNOT_PRINT else LampState.ON if "paper_near_end" in codes else LampState.OFF
            await panel.lamp(PAPER_LAMP, state)
            await changed.wait()
