"""Keyboard layouts as tables: which character a key types. Key codes are those of linux/input-event-codes.h, which never change.

Which layout counts is decided by the country setting of the scanner, not by this machine: a scanner set to "Germany" presses the keys
with which a German types the code. The tables are the layouts of Windows, which scanners imitate, on keyboards with 102 keys.

A layout has three levels: plain, with Shift, with AltGr. A dead key types nothing until the next key: a space gives its own sign, a
letter the letter with the accent.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

LayoutName = Literal["us", "id", "uk", "de", "fr"]
"""Indonesia types on US keyboards."""
Level = Literal[0, 1, 2]

FIRST_CODES = (2, 16, 30, 43, 86)
"""The first key of each row; the others of a row follow it. Row 3 ends with the key left of the 1, row 4 begins with the one at Enter, and
row 5 is the key between the left Shift and Z."""
EVERYWHERE = {57: " ", **{71 + index: char for index, char in enumerate("789-456+1230.")}, 55: "*", 98: "/"}
"""The space bar and the keypad, whose NumLock a scanner takes to be on."""
ACCENTS = {"^": "\u0302", "`": "\u0300", "\u00b4": "\u0301", "~": "\u0303", "\u00a8": "\u0308"}
"""The sign on a dead key -> the combining character that the tables hold for it; no other key types one."""
SIGNS = {accent: sign for sign, accent in ACCENTS.items()}
DEAD = re.compile(f"([{''.join(SIGNS)}])(.?)")


@dataclass(frozen=True, slots=True)
class Layout:
    """Key code -> character, by level."""

    levels: tuple[dict[int, str], dict[int, str], dict[int, str]]

    @property
    def has_altgr(self) -> bool:
        """Whether the right Alt key is AltGr here, and types characters."""
        return bool(self.levels[2])

    def typed(self, code: int, level: Level) -> str | None:
        """The character of a key, a combining one when the key is dead; None for a key without one."""
        return self.levels[level].get(code)


def composed(text: str) -> str | None:
    """``text`` with each dead key joined to the key after it; None when they do not join."""
    try:
        return DEAD.sub(lambda pair: _joined(*pair.groups()), text)
    except ValueError:
        return None


def _joined(accent: str, char: str) -> str:
    whole = SIGNS[accent] if char == " " else unicodedata.normalize("NFC", char + accent)
    if len(whole) != 1 or whole == accent:
        raise ValueError
    return whole


def _level(rows: tuple[str, ...], dead: str, rest: dict[int, str]) -> dict[int, str]:
    """Rows as they lie on the desk; a space stands for a key that types nothing here."""
    keys = {first + index: char for first, row in zip(FIRST_CODES, rows, strict=True) for index, char in enumerate(row) if char != " "}
    return {code: ACCENTS[char] if char in dead else char for code, char in keys.items()} | rest


def _layout(
    plain: tuple[str, ...],
    shift: tuple[str, ...],
    altgr: tuple[str, ...] = ("",) * 5,
    dead: tuple[str, str, str] = ("", "", ""),
    decimal: str = ".",
) -> Layout:
    """``dead``: the signs on dead keys, by level. ``decimal``: what the keypad has beside its 0."""
    rest = EVERYWHERE | {83: decimal}
    return Layout((_level(plain, dead[0], rest), _level(shift, dead[1], rest), _level(altgr, dead[2], {})))


_US = _layout(
    ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'`", "\\zxcvbnm,./", "\\"),
    ("!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"~', "|ZXCVBNM<>?", "|"),
)
LAYOUTS: dict[LayoutName, Layout] = {
    "us": _US,
    "id": _US,
    "uk": _layout(
        ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'`", "#zxcvbnm,./", "\\"),
        ('!"\u00a3$%^&*()_+', "QWERTYUIOP{}", "ASDFGHJKL:@\u00ac", "~ZXCVBNM<>?", "|"),
        ("   \u20ac", "  \u00e9   \u00fa\u00ed\u00f3", "\u00e1          \u00a6", "", ""),
    ),
    "de": _layout(
        ("1234567890\u00df\u00b4", "qwertzuiop\u00fc+", "asdfghjkl\u00f6\u00e4^", "#yxcvbnm,.-", "<"),
        ('!"\u00a7$%&/()=?`', "QWERTZUIOP\u00dc*", "ASDFGHJKL\u00d6\u00c4\u00b0", "'YXCVBNM;:_", ">"),
        (" \u00b2\u00b3   {[]}\\", "@ \u20ac        ~", "", "       \u00b5", "|"),
        dead=("\u00b4^", "`", ""),
        decimal=",",
    ),
    "fr": _layout(
        ("&\u00e9\"'(-\u00e8_\u00e7\u00e0)=", "azertyuiop^$", "qsdfghjklm\u00f9\u00b2", "*wxcvbn,;:!", "<"),
        ("1234567890\u00b0+", "AZERTYUIOP\u00a8\u00a3", "QSDFGHJKLM%", "\u00b5WXCVBN?./\u00a7", ">"),
        (" ~#{[|`\\^@]}", "  \u20ac        \u00a4", "", "", ""),
        dead=("^", "\u00a8", "~`"),
    ),
}
