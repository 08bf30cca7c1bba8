"""Officers of a made-up day, and what their visitors do at the counter: come or not, have a card or not, rate or not."""

from datetime import datetime, timedelta

from kiosd.queue import commands as cmd
from kiosd.queue.interface import Reply
from kiosd.queue.model import TicketState
from kiosd.scenario.scene import SHORTEST_S, Scene
from kiosd.scenario.syntax import SCAN_KEY
from kiosd.scenario.timeline import Act
from kiosd.stations.counter import token

SCORES = {4: 55, 3: 33, 2: 8, 1: 4}
CARD, CARDS = 0.7, 20_000
"""Share of visitors who have a card, and how many cards there are."""
ABSENT, COMES_BACK = 0.03, 0.5
TRANSFERRED, REFERRED, IMPLICIT = 0.03, 0.04, 0.3
"""How services end; ``IMPLICIT``: by the next call. The others by the officer's key."""
RATES, CORRECTS = 0.65, 0.02
TIDY_S = 300.0
"""An officer leaves this long before the day closes by itself, whoever still waits."""


class Officer:
    """One officer at one counter for a day."""

    def __init__(self, scene: Scene, counter: int) -> None:
        self._scene, self._counter, self._name = scene, counter, f"officer/{counter}"
        self._dice, self._services = scene.dice(self._name), scene.counters[counter]
        self._desk = scene.desks[counter]
        self._mean, self._others = scene.mean_service_s, 0

    def day(self) -> Act:
        """Sit down, call and serve, have a break, go on until nobody waits, go home."""
        sessions = self._scene.sessions
        for begin, end in sessions:
            last = (begin, end) == sessions[-1]
            yield self._scene.until(begin) + self._dice.uniform(0, 60)
            yield cmd.OpenCounter(counter=self._counter)
            home = end + timedelta(minutes=self._scene.settings.hours.grace_min) - timedelta(seconds=TIDY_S)
            while self._goes_on(end, home if last else end):
                yield from self._turn()
            yield from self._finish()
            if not self._scene.book().closed:
                yield cmd.CloseCounter(counter=self._counter) if last else cmd.PauseCounter(counter=self._counter, reason="istirahat")

    def _goes_on(self, end: datetime, home: datetime) -> bool:
        now = self._scene.local()
        return now < end or (now < home and self._anybody())

    def _anybody(self) -> bool:
        book = self._scene.book()
        return any(book.line(letter).waiting for letter in self._services)

    def _turn(self) -> Act:
        """The next visitor, or a moment of waiting for one."""
        if not self._anybody():
            yield from self._finish()
            yield self._dice.uniform(5, 15)
            return
        reply: Reply = yield cmd.CallNext(counter=self._counter)
        if "finished" in reply.result:
            self._other("rating", self._rating())
        if not reply.result.get("ticket"):
            yield self._dice.uniform(5, 15)
        elif self._dice.random() < ABSENT:
            yield from self._absent(reply.result["ticket"])
        else:
            yield self._dice.uniform(7, 16)
            yield from self._serve()

    def _finish(self) -> Act:
        ticket = self._scene.book().at(self._counter)
        if ticket is not None and ticket.state is TicketState.SERVING:
            yield cmd.Finish(counter=self._counter)
            self._other("rating", self._rating())

    def _absent(self, uid: str) -> Act:
        rules = self._scene.settings.rules
        for _ in range(rules.max_calls - 1):
            yield rules.recall_gap_s + self._dice.uniform(3, 12)
            yield cmd.Recall(counter=self._counter)
        yield self._dice.uniform(8, 15)
        yield cmd.MarkAbsent(counter=self._counter)
        if self._dice.random() < COMES_BACK:
            self._other("late", self._late(uid, self._dice.uniform(60, 900)))

    def _late(self, uid: str, seconds: float) -> Act:
        yield seconds
        if ticket := self._scene.in_state(uid, TicketState.NO_SHOW):
            yield cmd.Readmit(ticket=ticket.number)

    def _serve(self) -> Act:
        if self._dice.random() < CARD and self._scene.works(self._desk.scanner):
            card = token(SCAN_KEY, f"card {self._dice.randrange(CARDS)}")
            yield cmd.AttachScan(counter=self._counter, token=card)
        else:
            yield cmd.Start(counter=self._counter)
        yield max(SHORTEST_S - 3, self._dice.gammavariate(3, self._mean / 3))
        fate = self._dice.random()
        others = [letter for letter in self._elsewhere() if fate < TRANSFERRED]
        if others:
            yield cmd.Transfer(counter=self._counter, service=self._dice.choice(others))
        elif fate < TRANSFERRED + REFERRED:
            reason = self._dice.choice(self._scene.settings.rules.refer_reasons)
            yield cmd.Refer(counter=self._counter, destination=self._dice.choice(cmd.DESTINATIONS), reason=reason)
            self._other("rating", self._rating())
        elif fate > TRANSFERRED + REFERRED + IMPLICIT:
            yield from self._finish()
        yield self._dice.uniform(2, 9)

    def _elsewhere(self) -> list[str]:
        """Services to which the visitor who is here can be sent on."""
        ticket = self._scene.book().at(self._counter)
        served = {letter for letters in self._scene.counters.values() for letter in letters}
        return sorted(served - {ticket.service if ticket else ""})

    def _rating(self) -> Act:
        """The visitor who leaves presses a button, or does not."""
        dice = self._scene.dice(f"{self._name}/rating/{self._others}")
        if dice.random() >= RATES:
            return
        score = dice.choices(list(SCORES), list(SCORES.values()))[0]
        yield dice.uniform(1, 7)
        if not self._scene.works(self._desk.rating):
            return
        yield cmd.Rate(counter=self._counter, score=score)
        if dice.random() < CORRECTS:
            yield dice.uniform(1, 2.5)
            yield cmd.Rate(counter=self._counter, score=score % 4 + 1)

    def _other(self, what: str, act: Act) -> None:
        self._others += 1
        self._scene.spawn(f"{self._name}/{what}/{self._others}", act)
