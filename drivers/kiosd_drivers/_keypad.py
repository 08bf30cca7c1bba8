"""From a keypad's events to the edges of its keys; pure. Codes are those of linux/input-event-codes.h, which never change.

Rule 1  A key goes down (value 1) and up (0); its autorepeat (2) is neither. Keys without a meaning are passed over, NumLock among them:
        Linux tells the key and not what it types, so its state does not matter.
Rule 2  When the kernel lost events (SYN_DROPPED) the rest of that report means nothing; then the keys are asked how they are.
"""

from collections.abc import Callable, Collection

EV_SYN, EV_KEY = 0x00, 0x01
SYN_REPORT, SYN_DROPPED = 0, 3
UP, DOWN = 0, 1

KEYS = {
    **{f"KP{digit}": code for digit, code in enumerate((82, 79, 80, 81, 75, 76, 77, 71, 72, 73))},
    **{str(digit): code for digit, code in enumerate((11, 2, 3, 4, 5, 6, 7, 8, 9, 10))},
    "KPENTER": 96, "KPPLUS": 78, "KPMINUS": 74, "KPASTERISK": 55, "KPSLASH": 98, "KPDOT": 83, "KPCOMMA": 121, "KPEQUAL": 117,
    "ENTER": 28, "BACKSPACE": 14, "TAB": 15, "ESC": 1, "SPACE": 57,
}  # fmt: skip
"""A key's name, as Linux has it without KEY_, and its code."""


class KeyEdges:
    """Which of the keys ``codes`` are down, and what changes; ``active`` asks the keypad for the keys that are down now."""

    def __init__(self, codes: Collection[int], down: Collection[int], active: Callable[[], Collection[int]]) -> None:
        self._codes, self._active = frozenset(codes), active
        self.down = self._codes & frozenset(down)
        self._dropping = False

    def feed(self, kind: int, code: int, value: int) -> list[tuple[int, bool]]:
        """The keys that went down (True) or up (False) with this event."""
        if kind == EV_SYN and code == SYN_DROPPED:
            self._dropping = True
        elif kind == EV_SYN and code == SYN_REPORT and self._dropping:
            self._dropping = False
            return self._become(self._codes & frozenset(self._active()))
        elif kind == EV_KEY and code in self._codes and value in {UP, DOWN} and not self._dropping:
            return self._become(self.down | {code} if value == DOWN else self.down - {code})
        return []

    def _become(self, down: frozenset[int]) -> list[tuple[int, bool]]:
        before, self.down = self.down, down
        return [(code, code in down) for code in sorted(before ^ down)]
