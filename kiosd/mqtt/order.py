"""What a consumer can tell from ``stream`` and ``sequence`` alone: what is missing, what came twice, what came late. Pure.

The contract promises each event at least once, and in order on its topic; what a consumer must do about it is here in a few lines.
"""

from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["next", "gap", "late", "duplicate"]
"""``gap``: events before it did not come (yet); ``late``: it fills a gap; ``duplicate``: it came before."""


@dataclass
class Order:
    """The sequence numbers of one stream, as they come. ``highest`` is the last one before the first that will be taken."""

    highest: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    """First and last number of each gap, in order."""

    def take(self, sequence: int) -> Mark:
        """Note that ``sequence`` came; how that stands to what came before."""
        if sequence > self.highest:
            gap = sequence > self.highest + 1
            if gap:
                self.missing.append((self.highest + 1, sequence - 1))
            self.highest = sequence
            return "gap" if gap else "next"
        for index, (first, last) in enumerate(self.missing):
            if first <= sequence <= last:
                rest = ((first, sequence - 1), (sequence + 1, last))
                self.missing[index : index + 1] = [(low, high) for low, high in rest if low <= high]
                return "late"
        return "duplicate"

    def missed(self, last: int) -> int:
        """How many numbers up to ``last`` did not come."""
        return sum(high - low + 1 for low, high in self.missing) + max(0, last - self.highest)

    def lacks(self, sequence: int) -> bool:
        """Whether ``sequence`` did not come."""
        return sequence > self.highest or any(first <= sequence <= last for first, last in self.missing)
