"""A ``Queue`` in a list: enough rules to be asked and to answer, for tests of what stands before a queue."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from kiosd.clock import Moment
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.commands import Command
from kiosd.queue.events import Event, Record
from kiosd.queue.interface import CounterView, DeviceView, Reply, ServiceView, Snapshot
from kiosd.queue.model import CounterState

TIME = datetime(2026, 7, 1, 1, 5, tzinfo=UTC)


class ListQueue:
    """Issues A001, A002 ... of services A and D, calls them at counters 1 and 2, rates; ``hold`` keeps answers back."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.replies: dict[str, Reply] = {}
        self.asked: list[Command] = []
        self.waiting: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.cancelled = 0
        self.devices: tuple[DeviceView, ...] = ()
        self.open = True
        self.synced = True
        self._called: dict[int, str] = {}
        self._changed = asyncio.Condition()

    async def execute(self, command: Command) -> Reply:
        self.asked.append(command)
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if command.id not in self.replies:
            self.replies[command.id] = await self._decide(command)
        return self.replies[command.id]

    async def _decide(self, command: Command) -> Reply:
        match command:
            case cmd.IssueTicket(service=service) if service in {"A", "D"}:
                number = f"{service}{len(self.records) + 1:03d}"
                ticket: dict[str, Any] = {"ticket": f"CTH01-20260701-{number}", "number": number, "service": service}
                ahead = len(self.waiting)
                self.waiting.append(number)
                await self.add(ev.TicketIssued(**ticket, date="2026-07-01", n=len(self.records) + 1, ahead=ahead), command)
                return self._done(command, {**ticket, "priority": command.priority, "ahead": ahead})
            case cmd.IssueTicket(service=service):
                return self._no(command, "unknown_service", f"Layanan {service} tidak ada di sini.")
            case cmd.CallNext(counter=counter) if self.waiting:
                number = self.waiting.pop(0)
                self._called[counter] = number
                event = ev.TicketCalled(ticket=f"CTH01-20260701-{number}", number=number, service=number[0], counter=counter)
                await self.add(event, command)
                return self._done(command, {"number": number, "service": number[0], "counter": counter})
            case cmd.CallNext():
                return self._no(command, "empty", "Tidak ada antrean.")
            case _:
                return self._done(command, {"counter": getattr(command, "counter", None)})

    def _done(self, command: Command, result: dict[str, object]) -> Reply:
        return Reply(id=command.id, status="done", sequence=len(self.records), result=result)

    @staticmethod
    def _no(command: Command, code: str, message: str) -> Reply:
        return Reply(id=command.id, status="rejected", code=code, message=message)

    async def add(self, event: Event, command: Command | None = None) -> None:
        """Record ``event`` and tell the followers."""
        moment = Moment(TIME, 100.0 + len(self.records), self.synced, "boot")
        self.records.append(Record(len(self.records) + 1, moment, event, command.id if command else ""))
        async with self._changed:
            self._changed.notify_all()

    async def events(self, since: int) -> AsyncIterator[Record]:
        position = since
        while True:
            async with self._changed:
                while len(self.records) <= position:
                    await self._changed.wait()
            for record in self.records[position:]:
                yield record
                position = record.seq

    async def snapshot(self) -> Snapshot:
        waiting = {letter: sum(number[0] == letter for number in self.waiting) for letter in "AD"}
        names = {"A": "Pelatihan Vokasi", "D": "Pasar Kerja"}
        return Snapshot(
            sequence=len(self.records), stream="stream", date="2026-07-01", zone="Asia/Jakarta", time=TIME,
            clock="synced" if self.synced else "unsynced",
            open=self.open, message="" if self.open else "Istirahat. Buka kembali pukul 13.00 WIB.",
            opens_at=None if self.open else "2026-07-01T13:00:00+07:00",
            services=tuple(
                ServiceView(service=key, name=name, short=name, enabled=True, waiting=waiting[key], issued=0, last_called="")
                for key, name in names.items()
            ),
            counters=tuple(self._counter(number) for number in (1, 2)),
            tickets=(), devices=self.devices,
        )  # fmt: skip

    def _counter(self, counter: int) -> CounterView:
        number = self._called.get(counter, "")
        state = CounterState.CALLING if number else CounterState.READY
        return CounterView(counter=counter, state=state, services=("A", "D"), number=number, service=number[:1], calls=int(bool(number)))
