"""The voice: says each call after a chime, twice, and the numbers of those who got no paper, once.

Rule 1  One announcement at a time, in the order of the calls; of each counter only the newest call is said. Whatever else is told waits
        for the calls: whoever drew a number stands before a board that shows it, and many may draw one at once.
Rule 2  A call that is over (the visitor came, or does not count any more) is not said, and not said again. Events that come late, one
        by one, do not tell that in time, so the state is asked as well.
Rule 3  What has waited for ``max_age_s`` is not said: it would send people to a counter that has gone on.
Rule 4  A voice that comes back says the calls that stand and were not heard yet, if they are no older.
Rule 5  Numbers are spelled: a synthesiser never sees a digit (domain section 11).
Rule 6  In quiet hours nothing is said, and not afterwards either: calls stand on the boards. A clock that is not trusted makes no hour
        quiet, for a voice too many is a smaller evil than a waiting room that hears nothing.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from kiosd.clock import Clock, Moment
from kiosd.ports import Announcer
from kiosd.queue import events as ev
from kiosd.queue.events import Event, Record
from kiosd.queue.fields import Session
from kiosd.queue.interface import CounterView, Queue, Snapshot
from kiosd.queue.model import CounterState
from kiosd.queue.settings import Language
from kiosd.queue.words import announcement, spell
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

PAUSE_S = 1.0  # between an announcement and its repetition
LATE_S = 2.0  # no event takes so long on its way, unless there was no way
Numbers = Literal["never", "without_paper", "always"]
NOTE_NUMBER: dict[Language, str] = {"id": "Nomor Anda, {number}. Mohon dicatat.", "en": "Your number is {number}. Please note it down."}
YOUR_NUMBER: dict[Language, str] = {"id": "Nomor Anda, {number}.", "en": "Your number is {number}."}
NO_PAPER: dict[str, dict[Language, str]] = {
    "no_paper": {
        "id": "Kertas habis. Silakan ambil nomor di resepsionis.",
        "en": "The machine is out of paper. Please ask for a number at the reception.",
    },
    "by_hand": {
        "id": "Kertas habis. Silakan minta nomor tertulis di resepsionis.",
        "en": "The machine is out of paper. Please ask at the reception for a written number.",
    },
}
"""Refusals that are told to the person at the machine; the others tell a time, which is for reading."""
TRAINING: dict[Language, str] = {"id": "Latihan. ", "en": "Training. "}


@dataclass(frozen=True, slots=True)
class Announcement:
    """``key``: the counter that calls, or what else is told. ``at``: when it became due, seconds since boot. ``call``: the first is 1.

    ``sequence``: the event that it is from; a state older than that does not know of it.
    """

    key: int | str
    text: str
    at: float
    sequence: int
    ticket: str = ""
    call: int = 0


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Times of day in the site's time zone."""

    sessions: tuple[Session, ...]
    zone: ZoneInfo

    def hold(self, now: Moment) -> bool:
        """Whether one of them is now, by the clock as it stands."""
        local = now.time.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(quiet.begin <= minute < quiet.end for quiet in self.sessions)


ALWAYS_LOUD = QuietHours((), ZoneInfo("UTC"))


class Voice:
    """One place where calls are heard. ``numbers``: whose numbers are said when they are drawn; ``quiet``: when nothing is said."""

    def __init__(
        self, queue: Queue, clock: Clock, language: Language, repeat: int = 2, max_age_s: float = 60.0, numbers: Numbers = "without_paper",
        quiet: QuietHours = ALWAYS_LOUD,
    ) -> None:  # fmt: skip
        self._queue, self._clock, self._quiet = queue, clock, quiet
        self._language: Language = language
        self._repeat, self._max_age_s, self._numbers = repeat, max_age_s, numbers
        self._waiting: dict[int | str, Announcement] = {}
        self._saying: Announcement | None = None
        self._heard: dict[int, tuple[str, int]] = {}
        self._changed = asyncio.Event()

    async def use(self, announcer: Announcer, health: Health) -> None:
        """Follow the queue and say what is due, until the announcer is gone."""
        del health
        snapshot = await self._queue.snapshot()
        self._begin(snapshot)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(snapshot.sequence))
            while True:
                await self._say_next(announcer)

    # What is due, by counter number; what the machine says, by another name.

    def _begin(self, snapshot: Snapshot) -> None:
        """Calls that stand and that nobody heard yet."""
        for counter in [key for key in self._waiting if isinstance(key, int)]:
            del self._waiting[counter]
        self._saying = None
        views = [view for view in snapshot.counters if view.state is CounterState.CALLING]
        for view in sorted(views, key=lambda view: view.since or snapshot.time):
            if self._heard.get(view.counter) != (view.ticket, view.calls):
                self._waiting[view.counter] = self._standing(view, snapshot)
        self._changed.set()

    def _standing(self, view: CounterView, snapshot: Snapshot) -> Announcement:
        now = self._clock.now()
        newest = max(snapshot.time, now.time)  # out of touch with the hub, the state is an old one; a clock set back is older still
        age = (newest - (view.since or newest)).total_seconds()
        training = any(ticket.training for ticket in snapshot.tickets if ticket.ticket == view.ticket)
        text = self._call_text(view.number, view.counter, training)
        return Announcement(view.counter, text, now.monotonic - age, snapshot.sequence, view.ticket, view.calls)

    def _call_text(self, number: str, counter: int, training: bool) -> str:
        return self._flagged(announcement(number, counter, self._language), training)

    def _flagged(self, text: str, training: bool) -> str:
        return TRAINING[self._language] + text if training else text

    async def _follow(self, since: int) -> None:
        async for record in self._queue.events(since):
            self._take(record)

    def _take(self, record: Record) -> None:
        match event := record.event:
            case ev.TicketCalled() | ev.TicketRecalled():
                self._called(event, record)
            case (
                ev.TicketStarted()
                | ev.TicketNoShow()
                | ev.TicketCallUndone()
                | ev.TicketFinished()
                | ev.TicketTransferred()
                | ev.TicketReferred()
            ):
                self._over(event.counter)
            case ev.TicketCancelled() | ev.TicketExpired() | ev.TicketVoided():
                self._gone(event.ticket)
            case ev.DayOpened() | ev.DayClosed():
                self._waiting, self._saying = {}, None
            case _:
                self._at_the_machine(event, record)

    def _since(self, then: Moment) -> float:
        """``then`` in seconds since this board's boot. An event may be late, from a hub with a boot of its own: then its time counts."""
        now = self._clock.now()
        same = then.boot == now.boot
        return then.monotonic if same else now.monotonic - max(0.0, (now.time - then.time).total_seconds())

    def _called(self, event: ev.TicketCalled | ev.TicketRecalled, record: Record) -> None:
        text = self._call_text(event.number, event.counter, event.training)
        fresh = Announcement(event.counter, text, self._since(record.moment), record.seq, event.ticket, event.call)
        waiting = self._waiting.get(event.counter)
        if waiting is not None and waiting.ticket == event.ticket:
            self._waiting[event.counter] = fresh  # one call of two, at the turn of the first
        else:
            self._over(event.counter)
            self._due(fresh)

    def _at_the_machine(self, event: Event, record: Record) -> None:
        """What is said to those who draw a number."""
        if self._numbers == "never":
            return
        match event:
            case ev.TicketIssued() if self._numbers == "always" and event.actor == "public":
                self._due(self._number(YOUR_NUMBER, event, record))
            case ev.TicketPrintFailed():
                self._due(self._number(NOTE_NUMBER, event, record))
            case ev.TicketRefused() if event.code in NO_PAPER:
                self._due(Announcement(event.code, NO_PAPER[event.code][self._language], self._since(record.moment), record.seq))

    def _number(self, sentence: dict[Language, str], event: ev.TicketEvent, record: Record) -> Announcement:
        text = self._flagged(sentence[self._language].format(number=spell(event.number, self._language)), event.training)
        return Announcement(event.ticket, text, self._since(record.moment), record.seq, event.ticket)

    def _due(self, it: Announcement) -> None:
        self._waiting.pop(it.key, None)
        self._waiting[it.key] = it
        self._changed.set()

    def _over(self, key: int | str) -> None:
        self._waiting.pop(key, None)
        if self._saying is not None and self._saying.key == key:
            self._saying = None

    def _gone(self, ticket: str) -> None:
        for it in [*self._waiting.values(), *filter(None, [self._saying])]:
            if it.ticket == ticket:
                self._over(it.key)

    # Saying it.

    async def _say_next(self, announcer: Announcer) -> None:
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        it = self._waiting.pop(min(self._waiting, key=lambda key: not isinstance(key, int)))  # the first call, else what came first
        if (age := self._clock.now().monotonic - it.at) > self._max_age_s:
            log.warning("not said, for it is %d s old: %s", age, it.text)
            return
        self._saying = it
        if age > LATE_S and not await self._stands(it):
            self._saying = None
            return
        for turn in range(self._repeat if isinstance(it.key, int) else 1):
            if turn:
                await self._clock.sleep(PAUSE_S)
            if self._saying is not it:
                return
            if self._hushed(it):
                break
            await announcer.say(it.text, chime=turn == 0)
            self._is_told(it)
        self._saying = None

    async def _stands(self, it: Announcement) -> bool:
        """Whether a call is not over, as far as the state knows of it."""
        if not isinstance(it.key, int) or (state := await self._queue.snapshot()).sequence < it.sequence:
            return True
        views = (view for view in state.counters if view.counter == it.key)
        return any(view.state is CounterState.CALLING and (view.ticket, view.calls) == (it.ticket, it.call) for view in views)

    def _hushed(self, it: Announcement) -> bool:
        """Whether a quiet hour takes the turn of ``it``."""
        now = self._clock.now()
        if not self._quiet.hold(now):
            return False
        if not now.synced:
            log.warning("said although the clock says that it is a quiet hour, for the clock is not trusted: %s", it.text)
            return False
        log.info("not said, for it is a quiet hour: %s", it.text)
        self._is_told(it)
        return True

    def _is_told(self, it: Announcement) -> None:
        """A voice that comes back does not say this call again."""
        if isinstance(it.key, int):
            self._heard[it.key] = (it.ticket, it.call)
