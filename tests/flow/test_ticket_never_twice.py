"""Two moody printers, many tickets: whatever they do, no number comes out twice unmarked, and each ends with a word on its paper."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Fault, Outcome, Slip
from kiosd.queue import commands as cmd
from kiosd.queue.model import PrintState
from kiosd.stations.ticket_machine import TicketMachine
from kiosd.stations.ticket_paper import PRINT_WITHIN_S
from support.stationkiosk import kiosk

MOODS = ("printed", "printed", "printed", "unconfirmed", "uncertain", "paper_out", "absent", "breaks")
"""``breaks``: the printer goes away in the middle. ``paper_out`` and ``absent``: surely nothing was printed."""


class Moody:
    """Printers that share one mood after another; ``tried`` has each slip of which bytes left, and what became of it."""

    columns = 32

    def __init__(self, seed: int) -> None:
        self._moods = random.Random(seed)
        self.tried: list[tuple[Slip, str]] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["MoodyPrinter"]:
        if self._moods.random() < 0.3:
            raise DeviceError("not there", "absent")
        yield MoodyPrinter(self)

    def mood(self, slip: Slip) -> str:
        mood = self._moods.choice(MOODS)
        if mood not in {"paper_out", "absent"}:
            self.tried.append((slip, mood))
        return mood


class MoodyPrinter:
    columns = 32

    def __init__(self, moody: Moody) -> None:
        self._moody, self._gone = moody, asyncio.Event()

    async def print_slip(self, slip: Slip) -> Outcome:
        mood = self._moody.mood(slip)
        await asyncio.sleep(0)
        if mood in {"paper_out", "absent"}:
            raise DeviceError(mood, mood)
        if mood == "breaks":
            self._gone.set()
            return Outcome.UNCERTAIN
        return Outcome(mood)

    async def watch(self) -> AsyncIterator[Fault]:
        await self._gone.wait()
        if self._gone.is_set():
            raise DeviceError("gone", "absent")
        yield Fault("", "")


@pytest.mark.parametrize("seed", range(8))
async def test_no_number_comes_out_twice_unmarked_and_each_has_an_end(tmp_path: Path, seed: int) -> None:
    moody = Moody(seed)
    async with kiosk(tmp_path) as it:
        station = TicketMachine(it.queue, it.clock, it.settings, "printer", "spare")
        it.run(station.run())
        for name in ("printer", "spare"):
            it.supervised(name, moody.opened, station.use_printer)
        pauses = random.Random(-seed)
        for _ in range(12):
            await it.do(cmd.IssueTicket(service=pauses.choice("AD")))
            await it.passes(pauses.choice((0, 1, 3)))
        await it.passes(2 * PRINT_WITHIN_S + 10)
        tickets = it.queue.book.tickets
        assert all(ticket.paper not in {PrintState.QUEUED, PrintState.NONE} for ticket in tickets.values())
        originals = Counter(slip.ticket for slip, _ in moody.tried if not slip.copy)
        copies = Counter(slip.ticket for slip, _ in moody.tried if slip.copy)
        doubtful = {slip.ticket for slip, mood in moody.tried if not slip.copy and mood in {"uncertain", "breaks"}}
        assert max(originals.values()) == 1 and max(copies.values(), default=1) == 1
        assert set(copies) <= doubtful, "a copy only after a failure in the middle"
        out = {slip.ticket for slip, mood in moody.tried if mood == "printed"}
        assert {uid for uid, ticket in tickets.items() if ticket.paper is PrintState.PRINTED} == out
        order = [tickets[slip.ticket].order for slip, _ in moody.tried if not slip.copy]
        assert order == sorted(order), "in the order of their numbers"
