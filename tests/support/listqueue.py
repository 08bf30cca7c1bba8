"""A fake queue with a few rules: enough to be asked and to answer, for tests of what stands before a queue."""

from datetime import UTC, datetime
from typing import Any

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.commands import Command
from kiosd.queue.interface import CounterView, DeviceView, Reply, ServiceView, Snapshot
from kiosd.queue.model import CounterState
from support.fakequeue import FakeQueue

TIME = datetime(2026, 7, 1, 1, 5, tzinfo=UTC)


class ListQueue(FakeQueue):
    """Issues A001, A002 ... of services A and D and calls them at counters 1 and 2."""

    def __init__(self) -> None:
        self.clock = ManualClock(TIME)
        super().__init__(self.clock)
        self.answer = self._decide
        self.devices: tuple[DeviceView, ...] = ()
        self.open = True
        self._line: list[str] = []
        self._called: dict[int, str] = {}

    def _decide(self, command: Command) -> Reply:
        match command:
            case cmd.IssueTicket(service=service) if service in {"A", "D"}:
                number = f"{service}{len(self.records) + 1:03d}"
                ticket: dict[str, Any] = {"ticket": f"CTH01-20260701-{number}", "number": number, "service": service}
                ahead = len(self._line)
                self._line.append(number)
                self.add(ev.TicketIssued(**ticket, date="2026-07-01", n=len(self.records) + 1, ahead=ahead), command=command.id)
                return self._done(command, {**ticket, "priority": command.priority, "ahead": ahead})
            case cmd.IssueTicket(service=service):
                return self._no(command, "unknown_service", f"Layanan {service} tidak ada di sini.")
            case cmd.CallNext(counter=counter) if self._line:
                number = self._line.pop(0)
                self._called[counter] = number
                event = ev.TicketCalled(ticket=f"CTH01-20260701-{number}", number=number, service=number[0], counter=counter)
                self.add(event, command=command.id)
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

    async def snapshot(self) -> Snapshot:
        waiting = {letter: sum(number[0] == letter for number in self._line) for letter in "AD"}
        names = {"A": "Pelatihan Vokasi", "D": "Pasar Kerja"}
        return Snapshot(
            sequence=len(self.records), stream="stream", date="2026-07-01", zone="Asia/Jakarta", time=TIME,
            clock="synced" if self.clock.now().synced else "unsynced",
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
