"""What stations, uplinks and people use: one interface, whether the queue is in this process or behind a link."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field

from kiosd.queue.commands import Command
from kiosd.queue.events import Record
from kiosd.queue.model import CounterState, PrintState, TicketState


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Reply(_View):
    """The answer to a command; the same for the same id, also after a restart.

    ``status`` ``done``: it happened, ``sequence`` is its last event (0 when nothing had to be recorded) and ``result`` says what;
    ``rejected``: it did not, ``code`` says why for programs and ``message`` for people.
    """

    id: str
    status: Literal["done", "rejected"]
    code: str = ""
    message: str = ""
    sequence: int = 0
    result: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.status == "done"


class ServiceView(_View):
    service: str
    name: str
    short: str
    enabled: bool
    waiting: int
    issued: int
    last_called: str
    quota: int | None = None
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    unlikely: bool = False
    """What a ticket drawn now would have to expect, in minutes (domain section 7); None while no counter is open for the service."""


class CounterView(_View):
    counter: int
    state: CounterState
    services: tuple[str, ...]
    ticket: str = ""
    number: str = ""
    service: str = ""
    calls: int = 0
    since: datetime | None = None
    rateable: str = ""
    """Number of the visit that a press on the rating panel would count for, if its window is open."""
    undo: str = ""
    """The command that takes back the last step here, while its window is open: ``undo_call``, ``undo_start`` or ``undo_finish``."""
    spoken: str = ""
    """The call in words, for whoever speaks or shows it; ``""`` when nobody is called."""


class TicketView(_View):
    """A ticket that is not final, or whose paper is still owed."""

    ticket: str
    number: str
    service: str
    state: TicketState
    issued_at: datetime
    priority: bool
    counter: int | None
    paper: PrintState
    ahead: int
    training: bool = False
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    unlikely: bool = False


class DeviceView(_View):
    device: str
    state: Literal["ok", "degraded", "down"]
    code: str
    detail: str
    since: datetime
    rev: int
    repair_until: datetime | None = None
    repair_reason: str = ""


class Snapshot(_View):
    """The day as it stands after event ``sequence``. ``open``/``message``/``opens_at`` tell whether tickets are given now, and when."""

    sequence: int
    stream: str
    date: str
    zone: str
    """The site's time zone: what times mean to its people."""
    time: datetime
    clock: Literal["synced", "unsynced"]
    open: bool
    message: str
    opens_at: str | None
    why: str = ""
    """The code of ``message``, for who has less room for it; ``""`` while tickets are given."""
    max_calls: int = 3
    """Calls of one ticket before it can be marked absent: what a key that does the next step needs to know."""
    training: bool = False
    """Tickets are given for training only."""
    calendar_missing: tuple[int, ...] = ()
    """Years without a calendar file: their holidays are taken for ordinary weekdays."""
    services: tuple[ServiceView, ...]
    counters: tuple[CounterView, ...]
    tickets: tuple[TicketView, ...]
    devices: tuple[DeviceView, ...]

    def counter(self, number: int) -> CounterView | None:
        """The view of one counter."""
        return next((view for view in self.counters if view.counter == number), None)


class PlaceView(_View):
    """One of those who are next: ``position`` from 1, and why in words."""

    position: int
    number: str
    service: str
    priority: bool
    issued_at: datetime
    codes: tuple[str, ...]
    why: str


class Forecast(_View):
    """The order in which those who wait would be called now: at a counter, or in one service's line."""

    counter: int | None = None
    service: str = ""
    waiting: int
    places: tuple[PlaceView, ...]


class Queue(Protocol):
    """The queue, near or far.

    ``execute`` returns when the command's events are durable (or were refused durably); raises ``Unavailable`` when the answer did
    not come in time: asking again with the same command object is safe. ``events`` yields every record after ``since`` in order
    without a gap, then the new ones as they happen. ``snapshot`` is the state after some recent event.
    """

    async def execute(self, command: Command) -> Reply: ...
    def events(self, since: int) -> AsyncIterator[Record]: ...
    async def snapshot(self) -> Snapshot: ...


@asynccontextmanager
async def closing(records: AsyncIterator[Record]) -> AsyncIterator[AsyncIterator[Record]]:
    """Close a queue's iterator when we are done with it, if it is a generator."""
    if hasattr(records, "aclose"):
        async with aclosing(cast("Any", records)):
            yield records
    else:
        yield records
