"""What a keyboard sends when somebody types: key events, without the kernel's reports between them."""

from kiosd_drivers._layouts import ACCENTS, Layout
from kiosd_sim.keyboard import DOWN, EV_KEY, KEY_ENTER, KEYS, UP

ALTGR, SHIFT, SPACE = 100, 42, 57
Events = list[tuple[int, int, int]]
HELD: tuple[tuple[int, ...], ...] = ((), (SHIFT,), (ALTGR,))
"""What is held for each level of a layout."""


def tap(code: int, *held: int) -> Events:
    """A key pressed and released while others are held."""
    downs = [(EV_KEY, key, DOWN) for key in (*held, code)]
    return downs + [(EV_KEY, key, UP) for key in (code, *held)]


def typed(text: str, end: int = KEY_ENTER) -> Events:
    """``text`` on a keyboard of the United States, and the key that ends it."""
    events: Events = []
    for char in text:
        code, shift = KEYS[char]
        events += tap(code, SHIFT) if shift else tap(code)
    return events + tap(end)


def keys_of(layout: Layout) -> dict[str, Events]:
    """How each character is typed; a dead key is followed by a space."""
    found: dict[str, Events] = {}
    signs = {accent: sign for sign, accent in ACCENTS.items()}
    for level, held in reversed(list(zip(layout.levels, HELD, strict=True))):
        for code, char in level.items():
            found[signs.get(char, char)] = tap(code, *held) + (tap(SPACE) if char in signs else [])
    return found
