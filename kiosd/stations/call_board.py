"""A call board: shows the newest call of all counters, or of one, and between calls what visitors should know.

Displays forget when their power goes and never answer, so the whole face is sent again every 30 s.
"""

import asyncio
from datetime import datetime

from kiosd.clock import Clock
from kiosd.ports import CallDisplay, Face
from kiosd.queue import events as ev
from kiosd.queue.events import Event
from kiosd.queue.interface import Queue, Snapshot
from kiosd.queue.model import CounterState
from kiosd.queue.settings import Language
from kiosd.queue.texts import official_date
from kiosd.stations.pace import changed_or
from kiosd.supervisor import Health

RESEND_S = 30.0  # hardware notes section 4: "resend full state every 30-60 s"
MESSAGE_S = 8.0  # long enough to read two lines twice

IDLE: dict[Language, str] = {"id": "Silakan ambil nomor", "en": "Please take a number"}
CLOSED: dict[Language, str] = {"id": "Layanan tutup", "en": "Closed"}
OPENS: dict[Language, str] = {"id": "Tutup. Buka {when}", "en": "Closed. Opens {when}"}
"""Why no ticket is given and when it will be, for two lines of 20 characters: the whole sentence would lose its end, the time."""
NOT_NOW = frozenset({"closed", "break", "day_closed"})
NOTE_NUMBER: dict[Language, str] = {"id": "Nomor Anda {number} mohon dicatat", "en": "Your number: {number} please note it"}


class CallBoard:
    """One place where calls are shown; ``counter`` limits it to one counter's display."""

    def __init__(self, queue: Queue, clock: Clock, language: Language, counter: int | None = None) -> None:
        self._queue, self._clock, self._counter = queue, clock, counter
        self._language: Language = language
        self._changed = asyncio.Event()
        self._calls: list[Face] = []
        self._message = ""
        self._message_until = 0.0

    async def use(self, display: CallDisplay, health: Health) -> None:
        """Follow the queue and keep the display right, until it is gone."""
        del health
        snapshot = await self._queue.snapshot()
        self._calls = _running_calls(snapshot, self._counter)
        self._changed.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(snapshot.sequence))
            while True:
                face = await self._face()
                await display.show(face)
                self._seen(face)
                await changed_or(self._clock, self._changed, self._pause())
                self._changed.clear()

    def _pause(self) -> float:
        left = self._message_until - self._clock.now().monotonic
        return min(RESEND_S, left) if left > 0 else RESEND_S

    async def _face(self) -> Face:
        if self._clock.now().monotonic < self._message_until:
            return Face(message=self._message)
        if self._calls:
            return self._calls[-1]
        snapshot = await self._queue.snapshot()
        return Face(message=IDLE[self._language] if snapshot.open else self._closed(snapshot.opens_at, snapshot.time))

    def _closed(self, opens_at: str | None, now: datetime) -> str:
        if opens_at is None:
            return CLOSED[self._language]
        opens = datetime.fromisoformat(opens_at)
        weekday = official_date(opens.date(), self._language).partition(",")[0]
        day = "" if opens.date() == now.astimezone(opens.tzinfo).date() else f"{weekday} "
        return OPENS[self._language].format(when=f"{day}{opens:%H.%M}")

    def _seen(self, face: Face) -> None:
        """A call draws attention once; afterwards it stands still."""
        self._calls = [Face(call.number, call.counter) if call is face else call for call in self._calls]

    async def _follow(self, since: int) -> None:
        async for record in self._queue.events(since):
            if self._take(record.event):
                self._changed.set()

    def _take(self, event: Event) -> bool:
        match event:
            case ev.TicketCalled() | ev.TicketRecalled() if self._counter in {None, event.counter}:
                self._forget(event.counter)
                self._calls.append(Face(event.number, event.counter, attention=True))
                self._message_until = 0.0
            case ev.TicketNoShow() | ev.TicketFinished() if self._counter in {None, event.counter}:
                self._forget(event.counter)
            case ev.TicketCancelled() | ev.TicketExpired():
                self._calls = [face for face in self._calls if face.number != event.number]
            case ev.TicketRefused() if self._counter is None:
                self._say(self._closed(event.opens_at, self._clock.now().time) if event.code in NOT_NOW else event.message)
            case ev.TicketPrintFailed() if self._counter is None:
                self._say(NOTE_NUMBER[self._language].format(number=event.number))
            case ev.CounterRefused() if self._counter == event.counter:
                self._say(event.message)
            case ev.DayOpened() | ev.DayClosed():
                self._calls = []
            case _:
                return False
        return True

    def _forget(self, counter: int) -> None:
        self._calls = [face for face in self._calls if face.counter != counter]

    def _say(self, message: str) -> None:
        self._message, self._message_until = message, self._clock.now().monotonic + MESSAGE_S


def _running_calls(snapshot: Snapshot, counter: int | None) -> list[Face]:
    """Calls that stood when we came, the one to show last: a board that is plugged in again shows who has to come now."""
    active = {CounterState.CALLING, CounterState.SERVING}
    views = [view for view in snapshot.counters if view.state in active and counter in {None, view.counter}]
    views.sort(key=lambda view: (view.state is CounterState.CALLING, view.since or snapshot.time))
    return [Face(view.number, view.counter) for view in views]
