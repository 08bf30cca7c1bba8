"""A finger on the keys of a simulated keypad, in real time: what is pressed is debounced by the real clock. The codes are Linux's."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from kiosd_sim.finger import BOUNCE_MS, HOLD_MS, PRESS_MS, TWO_MS
from kiosd_sim.keyboard import DOWN, REPEAT, UP, SimKeyboard

PAD_KEYS = {
    **{f"KP{digit}": code for digit, code in enumerate((82, 79, 80, 81, 75, 76, 77, 71, 72, 73))},
    "KPENTER": 96, "KPPLUS": 78, "KPMINUS": 74, "KPASTERISK": 55, "KPSLASH": 98, "KPDOT": 83, "KPCOMMA": 121, "KPEQUAL": 117,
    "NUMLOCK": 69, "BACKSPACE": 14, "TAB": 15, "ESC": 1, "SPACE": 57, "ENTER": 28,
    **{str(digit): code for digit, code in enumerate((11, 2, 3, 4, 5, 6, 7, 8, 9, 10))},
}  # fmt: skip
"""A key's name, as linux/input-event-codes.h has it without KEY_, and its code."""
PAD_LAMPS = {"numlock": 0, "capslock": 1, "scrolllock": 2}
"""A keypad's lamp and its number, as linux/input-event-codes.h has them (LED_NUML ...)."""
REPEAT_AFTER_MS, REPEAT_MS = 250, 33  # the kernel's own (drivers/input/input.c)
BOUNCES = 5


def name_of(code: int) -> str:
    """What the key with this code is called."""
    return next(name for name, number in PAD_KEYS.items() if number == code)


async def _sleep(milliseconds: float) -> None:
    await asyncio.sleep(milliseconds / 1000)


async def press(keyboard: SimKeyboard, codes: Collection[int]) -> None:
    """Press a key, or several at once: the next one a moment after the one before, all up together."""
    try:
        for code in codes:
            keyboard.key(code, DOWN)
            await _sleep(TWO_MS)
        await _sleep(PRESS_MS)
    finally:
        for code in codes:
            keyboard.key(code, UP)


async def hold(keyboard: SimKeyboard, codes: Collection[int]) -> None:
    """Press and do not let go for a second; the kernel repeats the key that went down last."""
    last = list(codes)[-1]
    try:
        for code in codes:
            keyboard.key(code, DOWN)
        await _sleep(REPEAT_AFTER_MS)
        for _ in range((HOLD_MS - REPEAT_AFTER_MS) // REPEAT_MS):
            keyboard.key(last, REPEAT)
            await _sleep(REPEAT_MS)
    finally:
        for code in codes:
            keyboard.key(code, UP)


async def bounce(keyboard: SimKeyboard, codes: Collection[int]) -> None:
    """One press of a key whose worn contact closes five times."""
    for _ in range(BOUNCES - 1):
        for value in (DOWN, UP):
            for code in codes:
                keyboard.key(code, value)
            await _sleep(BOUNCE_MS / (2 * BOUNCES - 2))
    await press(keyboard, codes)


async def stick(keyboard: SimKeyboard, codes: Collection[int]) -> None:
    """Press a key and leave it down, as under a book that lies on it."""
    for code in codes:
        keyboard.key(code, DOWN)


async def free(keyboard: SimKeyboard, codes: Collection[int]) -> None:
    """Let a key go."""
    for code in codes:
        keyboard.key(code, UP)


WAYS: dict[str, Callable[[SimKeyboard, Collection[int]], Awaitable[None]]] = {
    "press": press,
    "hold": hold,
    "bounce": bounce,
    "stick": stick,
    "free": free,
}
"""What a finger can do to keys."""
