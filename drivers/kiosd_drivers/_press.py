"""From the edges of contacts to presses, by their times alone; pure. The same for pins and for keys.

Rule 1  A press is a closing after ``debounce_s`` without any edge, so that neither the bounces of a press nor those of a release count.
Rule 2  After a press the button is deaf for ``hold_off_s``: a double tap is one wish. What comes later is for the queue's own rules, which
        refuse it for all to see.
Rule 3  Two buttons within ``together_s`` are pressed at once: the first one counts, none, or both, as ``two`` says. Three times in a row
        the same two, and none of them alone, is a fault of their wires.
Rule 4  A contact held longer than ``stuck_s`` is a fault; bounces in between do not start that time again.
Rule 5  A contact with more than ``JABBER`` edges in ``JABBER_S`` is a fault, and muted until it was quiet for ``QUIET_S``.
"""

import logging
from collections import deque
from typing import Literal, Self

from pydantic import Field, model_validator

from kiosd.ports import DriverConfig, Fault, Press

log = logging.getLogger(__name__)

JABBER, JABBER_S = 30, 1.0  # a bad contact makes 10 edges at a press, and the quickest finger presses 8 times a second
QUIET_S = 5.0
CROSSED_AFTER = 3
NEVER = float("-inf")

Two = Literal["first", "none", "both"]


PLACES: dict[str, Two] = {
    "ticket": "first",  # an elbow gives one ticket, not two
    "keys": "both",  # an officer may well finish and call in one movement
    "rating": "none",  # domain section 8: nobody knows which one was meant
}
"""Place -> what ``two`` is there when it was left open."""


class PressRules(DriverConfig):
    """The settings of every panel."""

    debounce_s: float = Field(default=0.05, ge=0.005, le=1, description="Seconds without bounces before a closing counts.")
    hold_off_s: float = Field(
        default=0.3, ge=0, le=60, description="Seconds for which a button is deaf after its press: a double tap is one wish."
    )
    together_s: float = Field(default=0.15, gt=0, le=1, description="Seconds within which two buttons are pressed at once.")
    two: Two | None = Field(
        default=None,
        description="Which of two buttons at once counts; unset: first at a ticket machine, both for call keys, none for ratings.",
    )
    stuck_s: float = Field(default=10.0, gt=0, le=600, description="Seconds after which a button that is held down is a fault.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.debounce_s >= self.stuck_s:
            raise ValueError("debounce_s must be shorter than stuck_s")
        return self

    def at_place(self, role: str) -> Self:
        """See ``DriverConfig``."""
        return self if self.two is not None else self.model_copy(update={"two": PLACES[role]})


class Contact:
    """What one contact's edges mean (rules 1, 4 and 5). ``down``: whether it is closed at ``at``, when it is first seen."""

    def __init__(self, debounce_s: float, stuck_s: float, down: bool, at: float) -> None:
        self._debounce_s = debounce_s
        self._stuck_s = stuck_s
        self._down = down
        self._edges: deque[float] = deque(maxlen=JABBER + 1)
        self._held_since = at if down else None
        self.heard_at = NEVER
        self.stuck = self.muted = False

    def edge(self, down: bool, at: float) -> bool:
        """Whether this edge is a press."""
        self._edges.append(at)
        if self.muted or (len(self._edges) > JABBER and at - self._edges[0] < JABBER_S):
            self.muted, self.heard_at = True, at
            return False
        press = down and not self._down and at - self.heard_at >= self._debounce_s
        if press or (down and self._held_since is None):
            self._held_since = at
        self._down, self.heard_at = down, at
        return press

    def check(self, down: bool, at: float) -> bool:
        """Whether ``stuck`` or ``muted`` changed, told the level now. The level also makes good an opening edge that was lost."""
        if self.muted:
            return self._hear_again(down, at)
        if not down:
            self._down = False
            if at - self.heard_at >= self._debounce_s:
                self._held_since = None
        elif self._held_since is None:
            self._held_since = at  # not ``_down``: the edge of this press may still be on its way
        before, self.stuck = self.stuck, self._held_since is not None and at - self._held_since >= self._stuck_s
        return self.stuck != before

    def _hear_again(self, down: bool, at: float) -> bool:
        if at - self.heard_at < QUIET_S:
            return False
        self.muted = self.stuck = False
        self._edges.clear()
        self._down, self._held_since = down, at if down else None
        return True


class Presses:
    """What the presses of one panel mean together (rules 2 and 3). Of the times that it is told none may be older than the one before."""

    def __init__(self, rules: PressRules) -> None:
        self._hold_off_s, self._together_s, self._two = rules.hold_off_s, rules.together_s, rules.two or "both"
        self._taken: dict[str, float] = {}
        self._first: Press | None = None  # the press that this moment began with
        self._until = NEVER  # the end of the moment
        self._others: set[str] = set()  # pressed in it too
        self._pair, self._times = frozenset[str](), 0

    @property
    def due(self) -> float | None:
        """When ``settle`` has something to say."""
        return self._until if self._first is not None else None

    def press(self, button: str, at: float) -> list[Press | Fault]:
        """What is known now that ``button`` was pressed."""
        known = self.settle(at)
        if at - self._taken.get(button, NEVER) < self._hold_off_s:
            return known
        if self._two == "both":
            self._taken[button] = at
            return [*known, Press(button, at)]
        if self._first is not None:
            self._at_once(button, at)
            return known
        self._first, self._until, self._taken[button] = Press(button, at), at + self._together_s, at
        return [*known, self._first] if self._two == "first" else known

    def _at_once(self, button: str, at: float) -> None:
        if self._two == "none":
            self._until = at + self._together_s
        if self._first is None or button == self._first.button:
            return
        self._others.add(button)
        log.info("buttons %s and %s were pressed at once", self._first.button, button)
        if self._two == "none":
            self._taken.pop(self._first.button, None)  # who pressed both may press one of them now

    def settle(self, now: float) -> list[Press | Fault]:
        """What is known because ``now`` has come: a moment is over, and who pressed alone in it counts."""
        if self._first is None or now < self._until:
            return []
        first, others, self._first, self._others = self._first, self._others, None, set()
        said: list[Press | Fault] = [*self._wires(first.button, others)]
        return [*said, first] if self._two == "none" and not others else said

    def _wires(self, first: str, others: set[str]) -> list[Fault]:
        """Whether the wires of two buttons touch."""
        pair, crossed = frozenset({first, *others}), self._times >= CROSSED_AFTER
        if not others and first in self._pair:
            was, self._pair, self._times = self._pair, frozenset[str](), 0
            return [Fault("", f"button {first} comes alone again", "+".join(sorted(was)))] if crossed else []
        if crossed or len(others) != 1:
            return []
        self._times = self._times + 1 if pair == self._pair else 1
        self._pair = pair
        if self._times < CROSSED_AFTER:
            return []
        a, b = sorted(pair)
        return [Fault("together", f"buttons {a} and {b} always come at once: their wires may touch", f"{a}+{b}")]
