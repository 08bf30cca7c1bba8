"""From the key events of a US keyboard to scans; pure. Key codes are those of linux/input-event-codes.h, which never change.

Rule 1  Only a key going down counts (value 1): not its release, not its autorepeat.
Rule 2  Shift is the only modifier. Any other modifier, and any key that is no character (function keys, arrows, Esc), spoils the scan:
        barcodes can hold control characters, which a scanner types as key combinations (hardware section 3a, "BadBarcode").
Rule 3  Enter, keypad Enter and Tab end a code.
Rule 4  When the kernel lost events (SYN_DROPPED) everything is skipped until the scanner is silent.
"""

from kiosd.ports import BadScan, Scan
from kiosd_drivers._codes import Assembler, Skip

EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
DOWN, UP = 1, 0

# Keys that lie side by side have consecutive codes: (first code, plain, with Shift).
ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
    (71, "789-456+1230.", "789-456+1230."),  # keypad
    (55, "*", "*"),  # keypad
    (98, "/", "/"),  # keypad
)
PLAIN = {first + index: char for first, plain, _ in ROWS for index, char in enumerate(plain)}
SHIFTED = {first + index: char for first, _, shifted in ROWS for index, char in enumerate(shifted)}
KEY_1, KEY_ENTER = 2, 28
ENDS = frozenset({15, KEY_ENTER, 96})  # Tab, Enter, keypad Enter
SHIFTS = frozenset({42, 54})
MODIFIERS = frozenset({29, 97, 56, 100, 125, 126})  # Ctrl, Alt, Meta; left and right


class KeyDecoder:
    """Input events in, scans out. ``codes`` is the assembler the characters go to; its ``tick`` measures the silence."""

    def __init__(self, idle_s: float) -> None:
        self.codes = Assembler(idle_s)
        self._shift: set[int] = set()
        self._spoilers: set[int] = set()

    def feed(self, kind: int, code: int, value: int, at: float) -> list[Scan | BadScan]:
        """What is complete, or spoiled, with one event read at ``at`` (seconds since boot)."""
        if kind == EV_SYN and code == SYN_DROPPED:
            self._shift.clear()
            self._spoilers.clear()
            return self.codes.reject("dropped", at, Skip.UNTIL_SILENCE)
        if kind != EV_KEY:
            return []
        for held, keys in ((self._shift, SHIFTS), (self._spoilers, MODIFIERS)):
            if code in keys and value == DOWN:
                held.add(code)
            elif value == UP:
                held.discard(code)
        return self._down(code, at) if value == DOWN else []

    def _down(self, code: int, at: float) -> list[Scan | BadScan]:
        if self._spoilers:
            return self.codes.reject("control", at)
        if code in SHIFTS:
            return []
        if code in ENDS:
            return self.codes.feed(b"\r", at)
        char = (SHIFTED if self._shift else PLAIN).get(code)
        return self.codes.reject("control", at) if char is None else self.codes.feed(char.encode(), at)
