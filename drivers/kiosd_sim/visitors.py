"""The people of a simulated kiosk: visitors who press buttons, officers at their keys. Seeded, so that a day can be had again.

They touch the hardware's far side only and learn what happened from events, as people do from paper, boards and each other. Somebody
else may take part at any time, so everybody looks again before acting.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from kiosd.errors import KiosdError, Refused
from kiosd_sim.floor import Desk, Floor, Panel
from kiosd_sim.room import Place, Room

ARRIVAL_S = (2.0, 5.0)
WALK_S = (1.5, 4.0)
SERVICE_S = (3.0, 8.0)
THINK_S = (0.7, 2.5)
REST_S = (0.5, 2.0)
DOUBT_S = (0.4, 1.5)
ANSWER_S = 2.0  # an officer who sees nothing happen looks again
FULL = 6  # so many waiting in one line, and the next visitor comes back another day
DOUBLE_SHARE, CARD_SHARE, RATING_SHARE, CHANGE_SHARE = 0.08, 0.75, 0.8, 0.07
COMES_AT_CALL = {1: 86, 2: 6, 0: 8}
"""At which call a visitor comes, and how many of 100; 0: never."""
SCORES = {"4": 52, "3": 31, "2": 11, "1": 6}
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"

CALL = ("advance", "next")
START = ("advance", "start")
AGAIN = ("repeat", "recall")
GONE = ("repeat", "absent")
DONE = ("finish", *CALL)
"""Keys that do a thing, the best first: a desk has some of them."""

Press = Callable[[Panel, int], Awaitable[None]]
"""Presses the button of a panel on a pin or key; ``OSError``, ``ValueError`` or ``Refused`` when it is not there."""
Scan = Callable[[str, str], Awaitable[None]]
"""Holds a code (second) before a scanner (first)."""
Deed = tuple[float, Callable[[], Awaitable[None]]]
"""How many seconds it takes to come to it, and what is done then."""


def card(dice: random.Random) -> str:
    """An invented card: nothing like an identity number, and never 16 digits."""
    return f"KARTU-{''.join(dice.choices(LETTERS, k=5))}-{dice.randrange(1000):03d}"


def key(desk: Desk, names: tuple[str, ...]) -> int | None:
    """The pin or key of the first of ``names`` that the desk has."""
    return next((desk.keys.buttons[name] for name in names if name in desk.keys.buttons), None)


def _one_of(shares: dict[Any, int], dice: random.Random) -> Any:
    return dice.choices(list(shares), list(shares.values()))[0]


class People:
    """Everybody. ``pace`` 2 is twice as fast; rules that count seconds are kept. ``tell`` hears what somebody could not do."""

    def __init__(
        self, plan: Floor, room: Room, press: Press, scan: Scan, tell: Callable[[str], None], dice: random.Random, pace: float
    ) -> None:
        self._plan, self._room, self._dice, self._pace = plan, room, dice, pace
        self._press_pin, self._scan_code, self._tell = press, scan, tell
        self._called: dict[int, tuple[str, int]] = {}
        self._raters: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Live, for ever."""
        async with asyncio.TaskGroup() as group:
            self._raters = group
            group.create_task(self._arrive())
            for desk in self._plan.desks.values():
                if key(desk, CALL) is not None:
                    group.create_task(self._work(desk))

    def take(self, record: dict[str, Any]) -> None:
        """An event has happened: whoever leaves a counter may rate."""
        data = record["data"]
        if record["type"] == "ticket.finished" and not data["by_system"] and self._raters is not None:
            desk = self._plan.desks.get(str(data["counter"]))
            if desk and desk.rating.buttons and self._dice.random() < RATING_SHARE:
                self._raters.create_task(self._rate(desk))

    def _time(self, seconds: tuple[float, float]) -> float:
        return self._dice.uniform(*seconds) / self._pace

    async def _press(self, panel: Panel, pin: int) -> None:
        """Press once the panel works; one that fails under the finger is told."""
        await self._room.until(lambda: self._room.works(panel.device))
        try:
            await self._press_pin(panel, pin)
        except (OSError, ValueError, Refused) as exc:
            self._tell(f"{panel.contact(pin)} cannot be pressed: {exc}")

    async def _arrive(self) -> None:
        panel, dice = self._plan.tickets, self._dice
        shares = {name: 15 if name.endswith("_priority") else 85 for name in panel.buttons}
        while shares:
            await asyncio.sleep(self._time(ARRIVAL_S))
            name = _one_of(shares, dice)
            presses = 2 if dice.random() < DOUBLE_SHARE else 1
            if self._room.waiting[name[0]] < FULL:
                for _ in range(presses):
                    await self._press(panel, panel.buttons[name])

    async def _work(self, desk: Desk) -> None:
        """An officer's day."""
        place = self._room.places[desk.number]
        while True:
            await self._room.until(lambda: place.state in {"calling", "serving"} or (place.state != "paused" and self._is_wanted(desk)))
            seen = place.event
            seconds, act = self._deed(desk, place)
            await asyncio.sleep(seconds)
            if place.event == seen:
                await act()
                await self._answer(place, seen)

    def _is_wanted(self, desk: Desk) -> bool:
        return any(self._room.waiting[letter] > 0 for letter in desk.services)

    async def _answer(self, place: Place, seen: int) -> None:
        """Wait until something happens at the counter, but not for ever."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._room.until(lambda: place.event > seen)
        except TimeoutError:
            return

    def _deed(self, desk: Desk, place: Place) -> Deed:
        match place.state:
            case "calling":
                return self._receive(desk, place)
            case "serving":
                return self._time(SERVICE_S), partial(self._key, desk, DONE)
        return self._time(REST_S), partial(self._key, desk, CALL)

    def _receive(self, desk: Desk, place: Place) -> Deed:
        """Somebody is called; they come, are called again, or are given up."""
        comes = self._comes_at(desk, place)
        if 0 < comes <= place.calls or key(desk, AGAIN) is None or key(desk, GONE) is None:
            return self._time(WALK_S), partial(self._begin, desk)
        if place.calls < self._plan.max_calls:
            return self._plan.recall_gap_s + self._time(REST_S), partial(self._key, desk, AGAIN)
        return self._time(WALK_S), partial(self._key, desk, GONE)

    def _comes_at(self, desk: Desk, place: Place) -> int:
        number, comes = self._called.get(desk.number, ("", 0))
        if number != place.number:
            comes = _one_of(COMES_AT_CALL, self._dice)
            self._called[desk.number] = place.number, comes
        return comes

    async def _key(self, desk: Desk, names: tuple[str, ...]) -> None:
        if (pin := key(desk, names)) is not None:
            await self._press(desk.keys, pin)

    async def _begin(self, desk: Desk) -> None:
        """With a card, where there is a scanner; else by the key."""
        has_key = key(desk, START) is not None
        if not self._room.works(desk.scanner) or (has_key and self._dice.random() > CARD_SHARE):
            await self._key(desk, START)
            return
        try:
            await self._scan_code(desk.scanner, card(self._dice))
        except (KiosdError, OSError) as exc:
            self._tell(f"nothing can be scanned at counter {desk.number}: {exc}")

    async def _rate(self, desk: Desk) -> None:
        """A visitor on the way out; some press another button a moment later."""
        await asyncio.sleep(self._time(THINK_S))
        score, other = _one_of(SCORES, self._dice), _one_of(SCORES, self._dice)
        await self._press(desk.rating, desk.rating.buttons[score])
        if other != score and self._dice.random() < CHANGE_SHARE:
            await asyncio.sleep(self._time(DOUBT_S))
            await self._press(desk.rating, desk.rating.buttons[other])
