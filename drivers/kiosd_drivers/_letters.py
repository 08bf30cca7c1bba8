"""Ticket numbers on boards that have digits only: what becomes of the letter of ``A012``, so that no two numbers look the same. Pure.

| ``letters`` | A012 on four digits | C1000 on four digits | told apart by |
|---|---|---|---|
| ``{ A = 1, C = 3 }`` | 1012 | ---- | the first digit, which is the letter's |
| ``"lamp"`` | 0012, lamp A | 1000, lamp C | a lamp for each letter |
| ``"drop"`` | 0012 | 1000 | nothing: for places with one service, or boards that show one service each |

What does not fit, or has a letter without a digit, is dashes: no number is better than another one.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

Letter = Annotated[str, Field(pattern=r"^[A-HJ-NP-Z]$")]
Digit = Annotated[int, Field(ge=0, le=9)]


def _in_one_sentence(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A union tells what is wrong once for each of its members; a person wants it once."""
    try:
        checked = check(value)
    except ValidationError:
        raise ValueError('allowed: "drop", "lamp" or a table of letters and digits, for example { A = 1, B = 2 }') from None
    if isinstance(checked, dict) and len(set(checked.values())) < len(checked):
        raise ValueError("two letters have the same digit: their tickets would look the same")
    return checked


Letters = Annotated[Literal["drop", "lamp"] | Annotated[dict[Letter, Digit], Field(min_length=1)], WrapValidator(_in_one_sentence)]
"""What becomes of a number's letter."""

LAMPS = "ABCDEFGH"
"""The letters of lamps: bit 0 is the lamp of A."""
NUMBER = re.compile(r"([A-Z]?)([0-9]{1,6})", re.ASCII)
UNKNOWN = "-"


def digits(number: str, width: int, letters: Letters | None) -> str:
    """``number`` in exactly ``width`` digits, zeros before it; spaces for no number, dashes for one that cannot be shown."""
    if not number:
        return " " * width
    found = NUMBER.fullmatch(number)
    if found is None:
        return UNKNOWN * width
    first, rest = "", found[2]
    if isinstance(letters, dict):
        if found[1] not in letters:
            return UNKNOWN * width
        first = str(letters[found[1]])
    elif letters == "lamp" and not lamp(number):
        return UNKNOWN * width
    shown = first + rest.zfill(width - len(first))
    return shown if len(shown) == width else UNKNOWN * width


def letter(number: str) -> str:
    """The letter of ``number``, or nothing."""
    found = NUMBER.fullmatch(number)
    return found[1] if found else ""


def lamp(number: str) -> int:
    """The lamp of ``number``'s letter as one bit of eight; 0 for none."""
    return 1 << LAMPS.index(one) if (one := letter(number)) and one in LAMPS else 0
