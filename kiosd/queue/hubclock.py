"""The hub's time on a satellite, reckoned from this board's seconds since boot. A satellite has no better clock than its hub has.

Rule 1  The hub's clock is asked at every contact and then every minute; in between this board's seconds run on from there, so that a
        step of this board's own clock changes nothing.
Rule 2  A command says by the hub's clock until when it is meant. Without contact there is no such time, so there is no command.
"""

import logging
import math
from dataclasses import dataclass, replace
from datetime import timedelta

from kiosd.clock import Clock, Moment, whole_ms
from kiosd.errors import Unavailable
from kiosd.queue.commands import Command
from kiosd.queue.wire import LASTING, UNTIL, until_text

log = logging.getLogger(__name__)

MEANT_FOR_S = 1.5
"""How long a command is meant: with the half second that a key may spend asking for the state, what is not done in 2 s is not done."""
TELL_FROM_S = 0.5  # a smaller difference is what asking takes
WRONG_FROM_S = 2.0


@dataclass(frozen=True, slots=True)
class _Reckoning:
    """``hub`` was the hub's moment when this board was ``here`` seconds after its boot, with a clock ``behind_s`` behind the hub's."""

    hub: Moment
    here: float
    behind_s: float


class HubClock:
    """The hub's wall time with this board's seconds since boot; a ``Clock`` for stations. Before the first contact: this board's own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: _Reckoning | None = None
        self._in_touch = False
        self._said = 0.0

    def measured(self, before: Moment, hub: Moment, after: Moment) -> None:
        """The hub said ``hub`` between ``before`` and ``after`` of this board."""
        passed = (after.monotonic - before.monotonic) / 2
        behind = (hub.time - before.time).total_seconds() - passed
        self._known = _Reckoning(hub, before.monotonic + passed, behind)
        self._in_touch = True
        if abs(behind - self._said) >= TELL_FROM_S:
            self._said = behind
            log.info("this board's clock is %.1f s %s the hub's; the hub's time is used", abs(behind), _word(behind))

    def out_of_touch(self) -> None:
        """There is no contact: commands cannot be given."""
        self._in_touch = False

    @property
    def fault(self) -> str:
        """A sentence when this board's own clock is too wrong to be silent about."""
        behind = self._known.behind_s if self._known is not None else 0.0
        return f"this board's clock is {abs(behind):.0f} s {_word(behind)} the hub's" if abs(behind) > WRONG_FROM_S else ""

    def now(self) -> Moment:
        """See ``Clock``."""
        own = self._clock.now()
        if self._known is None:
            return own
        passed = timedelta(seconds=own.monotonic - self._known.here)
        return replace(own, time=whole_ms(self._known.hub.time + passed), synced=self._known.hub.synced)

    async def sleep(self, seconds: float) -> None:
        """See ``Clock``."""
        await self._clock.sleep(seconds)

    def stamp(self, command: Command) -> tuple[int | None, tuple[tuple[str, str], ...]]:
        """See ``remote.Stamp``."""
        if command.name in LASTING:
            return None, ()
        if self._known is None or not self._in_touch:
            raise Unavailable("the hub is not reached")
        until = self._known.hub.monotonic + self._clock.now().monotonic - self._known.here + MEANT_FOR_S
        return math.ceil(MEANT_FOR_S), ((UNTIL, until_text(self._known.hub.boot, until)),)


def _word(behind: float) -> str:
    return "behind" if behind > 0 else "ahead of"
