"""When a link tries again, and whether somebody else uses its client id. Any thread may ask; only the loop's tells."""

import random

QUICK_DROP_S, QUICK_DROPS = 5.0, 3  # more than 3 drops, each within 5 s of its connect: another client uses this id
CROWDED = 4  # times the longest pause, while another client uses this id


class Backoff:
    """Pauses of ``first`` to ``longest`` seconds, drawn anew every time."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._quick_drops = 0
        self.crowded = False

    def dropped(self, after_s: float, taken_over: bool) -> None:
        """A connection was over ``after_s`` seconds after it began; ``taken_over``: the broker says that another client has come."""
        self._quick_drops = self._quick_drops + 1 if after_s < QUICK_DROP_S else 0
        self.crowded = taken_over or self._quick_drops >= QUICK_DROPS

    def draw(self, crowded: bool = False) -> tuple[float, float]:
        """First and longest pause. Without jitter every kiosk of the country comes back in the same second after a broker restart."""
        first, longest = (CROWDED * self._longest,) * 2 if crowded or self.crowded else (self._first, self._longest)
        low, high = random.uniform(first, 2 * first), random.uniform(longest * 2 / 3, longest)  # noqa: S311 - spreads load, guards nothing
        return low, max(low, high)
