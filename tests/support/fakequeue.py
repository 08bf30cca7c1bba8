"""A ``Queue`` in memory for tests of what stands around the queue: records are put in by hand, answers are canned."""

import asyncio
from collections.abc import AsyncIterator, Callable

from kiosd.clock import Clock, Moment
from kiosd.queue.commands import Command, ReportRefusal
from kiosd.queue.events import CounterOpened, Event, Record, TicketCalled, TicketIssued
from kiosd.queue.interface import CounterView, DeviceView, Queue, Reply, ServiceView, Snapshot
from kiosd.queue.model import CounterState

STREAM = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


def issued(n: int) -> TicketIssued:
    """Ticket number ``n`` of service A was given."""
    return TicketIssued(ticket=f"CTH01-20260701-A{n:03d}", number=f"A{n:03d}", service="A", date="2026-07-01", n=n)


def called(n: int, counter: int = 1) -> TicketCalled:
    """Ticket number ``n`` of service A was called."""
    return TicketCalled(ticket=f"CTH01-20260701-A{n:03d}", number=f"A{n:03d}", service="A", counter=counter)


def opened(counter: int = 1) -> CounterOpened:
    """Counter ``counter`` was opened."""
    return CounterOpened(counter=counter)


class FakeQueue:
    """``answer`` makes the reply to a command; the same id gets the same reply, as from a real queue. ``executed`` are the commands.

    While ``free`` is not set, answers are held back, but to records of refusals. Events before number ``oldest`` are gone, as those of
    sealed days are.
    """

    def __init__(self, clock: Clock) -> None:
        self.records: list[Record] = []
        self.executed: list[Command] = []
        self.answer: Callable[[Command], Reply] = lambda command: Reply(id=command.id, status="done", sequence=len(self.records))
        self.counter = CounterView(counter=1, state=CounterState.READY, services=("A",))
        self.device = DeviceView(device="printer", state="ok", code="", detail="", since=clock.now().time, rev=1)
        self.waiting, self.oldest = 0, 1
        self.replies: dict[str, Reply] = {}
        self.free = asyncio.Event()
        self.free.set()
        self._clock = clock
        self._changed = asyncio.Event()

    def add(self, *events: Event, moment: Moment | None = None, command: str = "test") -> None:
        """These happened (at ``moment``), by ``command``'s id."""
        for event in events:
            self.records.append(Record(len(self.records) + 1, moment or self._clock.now(), event, command))
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def commands(self) -> list[Command]:
        """What was asked, records of refusals left out."""
        return [command for command in self.executed if not isinstance(command, ReportRefusal)]

    @property
    def refusals(self) -> list[ReportRefusal]:
        """What was recorded as never having become a command."""
        return [command for command in self.executed if isinstance(command, ReportRefusal)]

    async def execute(self, command: Command) -> Reply:
        self.executed.append(command)
        if not isinstance(command, ReportRefusal):
            await self.free.wait()
        if command.id not in self.replies:
            self.replies[command.id] = self.answer(command)
        return self.replies[command.id]

    async def events(self, since: int) -> AsyncIterator[Record]:
        while True:
            changed = self._changed
            for record in self.records[max(since, self.oldest - 1) :]:
                yield record
                since = record.seq
            if since >= len(self.records):
                await changed.wait()

    async def snapshot(self) -> Snapshot:
        now = self._clock.now()
        service = ServiceView(service="A", name="Pelatihan", short="A", enabled=True, waiting=self.waiting, issued=0, last_called="")
        return Snapshot(
            sequence=len(self.records),
            stream=STREAM,
            date="2026-07-01",
            zone="Asia/Jakarta",
            time=now.time,
            clock="synced",
            open=True,
            message="",
            opens_at=None,
            services=(service,),
            counters=(self.counter,),
            tickets=(),
            devices=(self.device,),
        )


def as_queue(fake: FakeQueue) -> Queue:
    """``fake``, checked by the type checker to be a queue."""
    return fake


class MemoryCursors:
    """What an uplink remembers, for as long as the object lasts."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.topics: set[tuple[str, str]] = set()
        self.left_out: dict[tuple[str, int], tuple[str, str]] = {}

    def get(self, name: str) -> int:
        return self.positions.get(name, 0)

    def set(self, name: str, seq: int) -> None:
        self.positions[name] = seq

    def kept(self, broker: str) -> frozenset[str]:
        return frozenset(topic for name, topic in self.topics if name == broker)

    def keep(self, broker: str, topic: str, kept: bool = True) -> None:
        (self.topics.add if kept else self.topics.discard)((broker, topic))

    def quarantined(self, broker: str) -> dict[int, tuple[str, str]]:
        return {seq: what for (name, seq), what in self.left_out.items() if name == broker}

    def quarantine(self, broker: str, seq: int, kind: str, code: str, time: str) -> None:
        self.left_out[broker, seq] = code, time
