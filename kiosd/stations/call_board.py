"""A call board: shows the newest call of all counters, or of one, and between calls what visitors should know.

Displays forget when their power goes and never answer, so the whole face is sent again every 30 s. A fresh call blinks and then stands
still; the blinking is ours, for few displays can, and one that forgot to stop would blink for ever. While a device is out of use with a
promised end, and in a training, boards that show all calls tell that in turn with the rest: also with a call, once it has stood for a
while, for a busy office has always one. The call comes back after each message, and a new one does not wait for its turn.

``next`` ends a visit and calls in one breath, but a satellite hears of it in two messages. A face between them would hold a line of 9600
baud for 80 ms and keep the call waiting, so a board that is cleared waits for ``BREATH_S`` whether a call follows.
"""

import asyncio

from kiosd.clock import Clock
from kiosd.ports import CallDisplay, Face
from kiosd.queue import events as ev
from kiosd.queue.events import Event
from kiosd.queue.interface import Queue, Snapshot
from kiosd.queue.model import CounterState
from kiosd.queue.settings import Language
from kiosd.stations.board_texts import NOTE_NUMBER, idle, refused, repairs, standing
from kiosd.stations.pace import changed_or
from kiosd.supervisor import Health

TICK_S = 0.001  # less is no time to wait: rounding leaves it over
RESEND_S = 30.0  # hardware notes section 4: "resend full state every 30-60 s"
MESSAGE_S = 8.0  # long enough to read two lines twice
BLINKS = 3  # hardware notes section 4: "blink = call (3x) then steady"
BLINK_S = 0.5  # lit, and as long dark
BREATH_S = 0.05  # the events of one command are some milliseconds apart on a satellite; nobody sees that a board is cleared so much later
ALONE_S = 15.0  # a call has the board for itself: as long as a voice takes to say it twice
DARK = Face()
NOTICES = (ev.TrainingStarted, ev.TrainingEnded, ev.SiteSuspended, ev.SiteResumed, ev.RepairPromised, ev.DeviceWentUp)
"""What is shown between calls, or in turn with them, may be another after these."""


class CallBoard:
    """One place where calls are shown; ``counter`` limits it to one counter's display. ``machine`` names the ticket machine's devices."""

    def __init__(
        self, queue: Queue, clock: Clock, language: Language, counter: int | None = None, machine: frozenset[str] = frozenset()
    ) -> None:  # fmt: skip
        self._queue, self._clock, self._counter, self._machine = queue, clock, counter, machine
        self._language: Language = language
        self._changed = asyncio.Event()
        self._cleared = False  # a call went, and none came after it yet
        self._calls: list[Face] = []
        self._message = ""
        self._message_until = 0.0
        self._page = 1
        self._turning = False
        self._fresh: Face | None = None
        self._fresh_since = 0.0

    async def use(self, display: CallDisplay, health: Health) -> None:
        """Follow the queue and keep the display right, until it is gone."""
        del health
        snapshot = await self._queue.snapshot()
        self._calls, self._message_until, self._fresh = _running_calls(snapshot, self._counter), 0.0, None
        self._fresh_since = self._clock.now().monotonic  # a board that comes back shows who has to come, before all else
        self._changed.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(snapshot.sequence))
            while True:
                face = await self._face()
                await display.show(face)
                self._seen(face)
                changed = await changed_or(self._clock, self._changed, self._pause())
                self._changed.clear()
                if self._cleared:
                    await self._breath()
                if self._turning and not changed:
                    self._page += 1

    async def _breath(self) -> None:
        """Wait a moment for a call to follow."""
        await changed_or(self._clock, self._changed, BREATH_S)
        self._cleared = False
        self._changed.clear()

    def _pause(self) -> float:
        now = self._clock.now().monotonic
        if (left := self._message_until - now) > 0:
            return min(RESEND_S, left)
        if self._fresh is not None:
            return BLINK_S - (now - self._fresh_since) % BLINK_S
        if self._turning:
            return self._alone() or MESSAGE_S
        return RESEND_S

    def _alone(self) -> float:
        """Seconds for which the newest call still has the board for itself."""
        left = self._fresh_since + ALONE_S - self._clock.now().monotonic
        return left if self._calls and left > TICK_S else 0.0

    async def _face(self) -> Face:
        self._turning = False
        if self._clock.now().monotonic < self._message_until:
            return Face(message=self._message)
        call = self._blinking(self._calls[-1]) if self._calls else None
        if call is None:
            self._fresh = None
        elif call.attention or self._fresh is not None:
            return call
        return self._turn(call, await self._queue.snapshot())

    def _turn(self, call: Face | None, snapshot: Snapshot) -> Face:
        """The one of the faces in turn that is due; what is new begins with its first one. A call stands between any two messages."""
        all_calls = self._counter is None
        if call is not None:
            notices = standing(snapshot, self._language, self._machine) if all_calls else ()
            pages = tuple(face for text in notices for face in (call, Face(message=text))) or (call,)
        else:
            notices = repairs(snapshot, self._language, self._machine) if all_calls else ()
            pages = tuple(Face(message=text) for text in (idle(snapshot, self._language), *notices))
        self._turning = len(pages) > 1
        if not self._turning:
            self._page = 1
        elif self._alone():
            self._page -= self._page % 2  # the call before the message that is due
        return pages[self._page % len(pages)]

    def _blinking(self, newest: Face) -> Face:
        """``newest``, or darkness while it blinks; it does so once, from the moment when it was first seen."""
        if self._fresh is None:
            return newest
        phase = int((self._clock.now().monotonic - self._fresh_since) / BLINK_S)
        if self._fresh is newest and phase < 2 * BLINKS:
            return DARK if phase % 2 else newest
        self._calls = [Face(call.number, call.counter) if call is self._fresh else call for call in self._calls]
        self._fresh = None
        return self._calls[-1]

    def _seen(self, face: Face) -> None:
        if face.attention and self._fresh is None:
            self._fresh, self._fresh_since = face, self._clock.now().monotonic

    async def _follow(self, since: int) -> None:
        async for record in self._queue.events(since):
            if self._take(record.event):
                self._changed.set()

    def _take(self, event: Event) -> bool:
        match event:
            case ev.TicketCalled() | ev.TicketRecalled() | ev.TicketStartUndone() if self._counter in {None, event.counter}:
                self._forget(event.counter)
                self._calls.append(Face(event.number, event.counter, attention=True))
                self._cleared, self._message_until = False, 0.0
            case ev.TicketFinishUndone() if self._counter in {None, event.counter}:
                self._calls.insert(0, Face(event.number, event.counter))  # behind every call: nobody has to come for it
            case (
                ev.TicketNoShow() | ev.TicketCallUndone() | ev.TicketFinished() | ev.TicketTransferred() | ev.TicketReferred()
            ) if self._counter in {None, event.counter}:  # fmt: skip
                self._forget(event.counter)
                self._cleared = True
            case ev.TicketCancelled() | ev.TicketExpired() | ev.TicketVoided():
                self._calls = [face for face in self._calls if face.number != event.number]
            case ev.TicketRefused() if self._counter is None:
                self._say(refused(event, self._clock.now().time, self._language))
            case ev.TicketPrintFailed() if self._counter is None:
                self._say(NOTE_NUMBER[self._language].format(number=event.number))
            case ev.CounterRefused() if self._counter == event.counter:
                self._say(event.message)
            case ev.DayOpened() | ev.DayClosed():
                self._calls = []
            case _:
                return isinstance(event, NOTICES)
        return True

    def _forget(self, counter: int) -> None:
        self._calls = [face for face in self._calls if face.counter != counter]

    def _say(self, message: str) -> None:
        """Show ``message`` for a while; an empty one ends what is shown."""
        self._message, self._message_until = message, self._clock.now().monotonic + MESSAGE_S if message else 0.0


def _running_calls(snapshot: Snapshot, counter: int | None) -> list[Face]:
    """Calls that stood when we came, the one to show last: a board that is plugged in again shows who has to come now."""
    active = {CounterState.CALLING, CounterState.SERVING}
    views = [view for view in snapshot.counters if view.state in active and counter in {None, view.counter}]
    views.sort(key=lambda view: (view.state is CounterState.CALLING, view.since or snapshot.time))
    return [Face(view.number, view.counter) for view in views]
