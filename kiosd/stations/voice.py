"""The voice: says each call after a chime, twice, and the numbers of those who got no paper.

Rule 1  One announcement at a time, in the order of the calls; of each counter only the newest call is said.
Rule 2  A call that is over (the visitor came, or does not count any more) is not said, and not said again.
Rule 3  What has waited for ``max_age_s`` is not said: it would send people to a counter that has gone on.
Rule 4  A voice that comes back says the calls that stand and were not heard yet, if they are no older.
Rule 5  Numbers are spelled: a synthesiser never sees a digit (domain section 11).
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

from kiosd.clock import Clock
from kiosd.ports import Announcer
from kiosd.queue import events as ev
from kiosd.queue.events import Event
from kiosd.queue.interface import CounterView, Queue, Snapshot
from kiosd.queue.model import CounterState
from kiosd.queue.settings import Language
from kiosd.queue.words import announcement, spell
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

PAUSE_S = 1.0  # between an announcement and its repetition
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
    """``key``: the counter that calls, or what else is told. ``at``: when it became due, seconds since boot. ``call``: the first is 1."""

    key: int | str
    text: str
    at: float
    ticket: str = ""
    call: int = 0


class Voice:
    """One place where calls are heard. ``numbers``: whose numbers are said when they are drawn."""

    def __init__(
        self, queue: Queue, clock: Clock, language: Language, repeat: int = 2, max_age_s: float = 60.0, numbers: Numbers = "without_paper"
    ) -> None:  # fmt: skip
        self._queue, self._clock = queue, clock
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
        now = self._clock.now().monotonic
        views = [view for view in snapshot.counters if view.state is CounterState.CALLING]
        for view in sorted(views, key=lambda view: view.since or snapshot.time):
            if self._heard.get(view.counter) != (view.ticket, view.calls):
                self._waiting[view.counter] = self._standing(view, snapshot, now)
        self._changed.set()

    def _standing(self, view: CounterView, snapshot: Snapshot, now: float) -> Announcement:
        age = (snapshot.time - (view.since or snapshot.time)).total_seconds()
        training = any(ticket.training for ticket in snapshot.tickets if ticket.ticket == view.ticket)
        return Announcement(view.counter, self._call_text(view.number, view.counter, training), now - age, view.ticket, view.calls)

    def _call_text(self, number: str, counter: int, training: bool) -> str:
        return self._flagged(announcement(number, counter, self._language), training)

    def _flagged(self, text: str, training: bool) -> str:
        return TRAINING[self._language] + text if training else text

    async def _follow(self, since: int) -> None:
        async for record in self._queue.events(since):
            self._take(record.event)

    def _take(self, event: Event) -> None:
        match event:
            case ev.TicketCalled() | ev.TicketRecalled():
                self._called(event)
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
                self._at_the_machine(event)

    def _called(self, event: ev.TicketCalled | ev.TicketRecalled) -> None:
        text = self._call_text(event.number, event.counter, event.training)
        fresh = Announcement(event.counter, text, self._clock.now().monotonic, event.ticket, event.call)
        waiting = self._waiting.get(event.counter)
        if waiting is not None and waiting.ticket == event.ticket:
            self._waiting[event.counter] = fresh  # one call of two, at the turn of the first
        else:
            self._over(event.counter)
            self._due(fresh)

    def _at_the_machine(self, event: Event) -> None:
        """What is said to those who draw a number."""
        if self._numbers == "never":
            return
        now = self._clock.now().monotonic
        match event:
            case ev.TicketIssued() if self._numbers == "always" and event.actor == "public":
                self._due(self._number(YOUR_NUMBER, event, now))
            case ev.TicketPrintFailed():
                self._due(self._number(NOTE_NUMBER, event, now))
            case ev.TicketRefused() if event.code in NO_PAPER:
                self._due(Announcement(event.code, NO_PAPER[event.code][self._language], now))

    def _number(self, sentence: dict[Language, str], event: ev.TicketEvent, now: float) -> Announcement:
        text = sentence[self._language].format(number=spell(event.number, self._language))
        return Announcement(event.ticket, self._flagged(text, event.training), now, event.ticket)

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
        it = self._waiting.pop(next(iter(self._waiting)))
        if (age := self._clock.now().monotonic - it.at) > self._max_age_s:
            log.warning("not said, for it is %d s old: %s", age, it.text)
            return
        self._saying = it
        for turn in range(self._repeat):
            if turn:
                await self._clock.sleep(PAUSE_S)
            if self._saying is not it:
                return
            await announcer.say(it.text, chime=turn == 0)
            if isinstance(it.key, int):
                self._heard[it.key] = (it.ticket, it.call)
        self._saying = None
