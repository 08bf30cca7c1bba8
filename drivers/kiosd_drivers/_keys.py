"""From the key events of a keyboard to scans; pure. Key codes are those of linux/input-event-codes.h, which never change.

Rule 1  Only a key going down counts (value 1): not its release, not its autorepeat.
Rule 2  Shift is the only modifier, and AltGr in a layout that types characters with it. Any other modifier, and any key that is no
        character (function keys, arrows, Esc, CapsLock), spoils the scan: barcodes can hold control characters, which a scanner types as
        key combinations (hardware section 3a, "BadBarcode").
Rule 3  Enter (also the keypad's) or Tab ends a code, as configured; else it spoils it.
Rule 4  When the kernel lost events (SYN_DROPPED) everything is skipped until the scanner is silent.
Rule 5  With ``alt_codes``, digits on the keypad under the left Alt are the number of a character: Alt+65 and Alt+065 are an A. A control
        character spoils the scan however it is typed.
"""

from collections.abc import Sequence
from typing import Literal

from kiosd.ports import BadScan, Scan
from kiosd_drivers._codes import Assembler, Skip
from kiosd_drivers._layouts import EVERYWHERE, LAYOUTS, LayoutName, Level

EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
DOWN, UP = 1, 0
KEY_1, KEY_ENTER, KEY_LEFTALT, KEY_NUMLOCK, KEY_RIGHTALT = 2, 28, 56, 69, 100

End = Literal["enter", "tab"]
ENDS: dict[End, frozenset[int]] = {"enter": frozenset({KEY_ENTER, 96}), "tab": frozenset({15})}
"""Name of an end -> its keys; 96 is the keypad's Enter."""
SHIFTS = frozenset({42, 54})
MODIFIERS = frozenset({29, 97, KEY_LEFTALT, KEY_RIGHTALT, 125, 126})  # Ctrl, Alt, Meta; left and right
DIGITS = {code: char for code, char in EVERYWHERE.items() if char.isdigit()}
MOST_DIGITS = 4  # 0255


def alt_character(digits: str) -> str | None:
    """What Alt and ``digits`` type on Windows: a character of cp1252 after a 0, else of cp437; None for a control character or none."""
    number = int(digits or "0")
    try:
        char = bytes([number]).decode("cp1252" if digits.startswith("0") else "cp437")
    except ValueError:
        return None
    return char if char.isprintable() else None


class KeyDecoder:
    """Input events in, scans out. ``codes`` is the assembler the characters go to; its ``tick`` measures the silence."""

    def __init__(
        self, codes: Assembler, layout: LayoutName = "us", ends: Sequence[End] = ("enter", "tab"), alt_codes: bool = False
    ) -> None:
        self.codes = codes
        self._layout = LAYOUTS[layout]
        self._ends = frozenset[int]().union(*(ENDS[end] for end in ends))
        self._alt_codes = alt_codes
        self._altgr = frozenset({KEY_RIGHTALT}) if self._layout.has_altgr else frozenset[int]()
        self._held: set[int] = set()
        self._bad: set[int] = set()
        self._number: str | None = None  # what was typed under Alt so far

    def feed(self, kind: int, code: int, value: int, at: float) -> list[Scan | BadScan]:
        """What is complete, or spoiled, with one event read at ``at`` (seconds since boot)."""
        if kind == EV_SYN and code == SYN_DROPPED:
            self._held.clear()
            self._bad.clear()
            self._number = None
            return self.codes.reject("dropped", at, Skip.UNTIL_SILENCE)
        if kind != EV_KEY or value not in {DOWN, UP}:
            return []
        return self._down(code, at) if value == DOWN else self._up(code, at)

    def _up(self, code: int, at: float) -> list[Scan | BadScan]:
        self._held.discard(code)
        self._bad.discard(code)
        if code != KEY_LEFTALT or self._number is None:
            return []
        digits, self._number = self._number, None
        return self._character(alt_character(digits), at)

    def _down(self, code: int, at: float) -> list[Scan | BadScan]:
        if code in SHIFTS or code in self._altgr:
            self._held.add(code)
        elif self._alt_codes and code == KEY_LEFTALT:
            self._number = ""
        elif code in MODIFIERS:
            self._bad.add(code)
        if self._bad:
            return self.codes.reject("control", at)
        if self._number is not None:
            return self._under_alt(code, at)
        if code in self._held or (self._alt_codes and code == KEY_NUMLOCK):
            return []
        if code in self._ends:
            return self.codes.feed(self.codes.ends[:1], at)
        return self._character(self._layout.typed(code, self._level()), at)

    def _under_alt(self, code: int, at: float) -> list[Scan | BadScan]:
        if code in {KEY_LEFTALT, KEY_NUMLOCK}:
            return []
        digit = DIGITS.get(code)
        if digit is None or self._number is None or len(self._number) == MOST_DIGITS:
            self._number = None
            self._bad.add(KEY_LEFTALT)  # it is no number: Alt is a key combination, and spoils whatever comes before its release
            return self.codes.reject("control", at)
        self._number += digit
        return []

    def _level(self) -> Level:
        if self._held & self._altgr:
            return 2
        return 1 if self._held else 0

    def _character(self, char: str | None, at: float) -> list[Scan | BadScan]:
        return self.codes.reject("control", at) if char is None else self.codes.feed(char.encode(), at)
