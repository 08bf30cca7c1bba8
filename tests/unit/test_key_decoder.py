"""From keys to codes: layouts, accents, Alt codes, and what spoils a scan."""

import string
from typing import Any

import evdev
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd_drivers import _keys
from kiosd_drivers._codes import Assembler
from kiosd_drivers._keys import KeyDecoder
from kiosd_drivers._layouts import EVERYWHERE, LAYOUTS, LayoutName, composed
from kiosd_sim.keyboard import DOWN, EV_KEY, EV_SYN, KEY_ENTER, KEY_TAB, KEYS, REPEAT, SYN_DROPPED, UP
from support.devices import brief
from support.keystrokes import ALTGR, SHIFT, Events, keys_of, tap, typed

CTRL, ALT, META, ESC, F1, LEFT, CAPS, NUMLOCK = 29, 56, 125, 1, 59, 105, 58, 69


def decoder(layout: LayoutName = "us", **options: Any) -> KeyDecoder:
    return KeyDecoder(Assembler(idle_s=0.3), layout, **options)


def decoded(events: Events, with_: KeyDecoder | None = None, at: float = 1.0) -> list[str]:
    with_ = with_ or decoder()
    return [brief(code) for event in events for code in with_.feed(*event, at)]


NAMES = {
    "-": "MINUS", "=": "EQUAL", "[": "LEFTBRACE", "]": "RIGHTBRACE", ";": "SEMICOLON", "'": "APOSTROPHE", "`": "GRAVE",
    "\\": "BACKSLASH", ",": "COMMA", ".": "DOT", "/": "SLASH", " ": "SPACE",
}  # fmt: skip
KEYPAD = {
    **{digit: f"KP{digit}" for digit in string.digits},
    "-": "KPMINUS",
    "+": "KPPLUS",
    ".": "KPDOT",
    "*": "KPASTERISK",
    "/": "KPSLASH",
}


def code_of(name: str) -> int:
    code: int = evdev.ecodes.ecodes[f"KEY_{name}"]
    return code


def test_the_key_table_is_that_of_the_kernel() -> None:
    plain = {code_of(NAMES.get(char, char.upper())): char for char in string.ascii_lowercase + string.digits + "".join(NAMES)}
    keypad = {code_of(name): char for char, name in KEYPAD.items()}
    levels = LAYOUTS["us"].levels
    assert plain | keypad | {code_of("102ND"): "\\"} == levels[0]
    assert {code: levels[1][code] for code in keypad} == keypad
    assert {KEYS[levels[1][code]] for code in plain if code != code_of("SPACE")} == {(code, 1) for code in plain} - {(code_of("SPACE"), 1)}


def test_the_other_key_codes_are_those_of_the_kernel() -> None:
    assert {end: {code_of(name) for name in names} for end, names in {"enter": ("ENTER", "KPENTER"), "tab": ("TAB",)}.items()} == _keys.ENDS
    assert {code_of(name) for name in ("LEFTSHIFT", "RIGHTSHIFT")} == _keys.SHIFTS
    assert {code_of(f"{side}{name}") for side in ("LEFT", "RIGHT") for name in ("CTRL", "ALT", "META")} == _keys.MODIFIERS
    assert (code_of("LEFTALT"), code_of("RIGHTALT"), code_of("NUMLOCK")) == (_keys.KEY_LEFTALT, _keys.KEY_RIGHTALT, _keys.KEY_NUMLOCK)
    codes = evdev.ecodes.ecodes
    assert (codes["EV_SYN"], codes["EV_KEY"], codes["SYN_DROPPED"]) == (_keys.EV_SYN, _keys.EV_KEY, _keys.SYN_DROPPED)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_types_all_of_ascii(layout: LayoutName) -> None:
    keys = keys_of(LAYOUTS[layout])
    assert set(map(chr, range(0x20, 0x7F))) <= keys.keys()
    for char, events in keys.items():
        (raw,) = decoded(tap(2) + events + tap(3) + tap(KEY_ENTER), decoder(layout))
        typed_ = composed(raw)
        assert typed_ is not None and typed_[1:-1] == char


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_key_of_a_layout_is_the_keypad_or_a_modifier(layout: LayoutName) -> None:
    own = set().union(*LAYOUTS[layout].levels) - EVERYWHERE.keys()
    assert not own & (_keys.MODIFIERS | _keys.SHIFTS | _keys.ENDS["enter"] | _keys.ENDS["tab"])
    assert own <= {*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), 86}


@pytest.mark.parametrize(
    ("layout", "name", "held", "char"),
    [
        ("id", "2", SHIFT, "@"), ("uk", "2", SHIFT, '"'), ("uk", "3", SHIFT, "\u00a3"), ("uk", "APOSTROPHE", SHIFT, "@"),
        ("uk", "BACKSLASH", 0, "#"), ("uk", "BACKSLASH", SHIFT, "~"), ("uk", "102ND", 0, "\\"), ("uk", "GRAVE", ALTGR, "\u00a6"),
        ("uk", "4", ALTGR, "\u20ac"), ("de", "Y", 0, "z"), ("de", "Z", SHIFT, "Y"), ("de", "SLASH", 0, "-"), ("de", "7", SHIFT, "/"),
        ("de", "MINUS", 0, "\u00df"), ("de", "Q", ALTGR, "@"), ("de", "7", ALTGR, "{"), ("de", "MINUS", ALTGR, "\\"),
        ("de", "RIGHTBRACE", ALTGR, "~"), ("de", "102ND", ALTGR, "|"), ("de", "LEFTBRACE", 0, "\u00fc"), ("de", "M", ALTGR, "\u00b5"),
        ("de", "KPDOT", 0, ","), ("de", "BACKSLASH", 0, "#"), ("fr", "1", 0, "&"), ("fr", "1", SHIFT, "1"), ("fr", "Q", 0, "a"),
        ("fr", "A", 0, "q"), ("fr", "SEMICOLON", 0, "m"), ("fr", "M", 0, ","), ("fr", "0", ALTGR, "@"), ("fr", "8", 0, "_"),
        ("fr", "6", 0, "-"), ("fr", "COMMA", SHIFT, "."), ("fr", "DOT", SHIFT, "/"), ("fr", "9", ALTGR, "^"), ("fr", "EQUAL", ALTGR, "}"),
        ("fr", "RIGHTBRACE", SHIFT, "\u00a3"), ("fr", "KPDOT", 0, "."),
    ],
)  # fmt: skip
def test_keys_that_differ_between_countries(layout: LayoutName, name: str, held: int, char: str) -> None:
    """As they are printed on keyboards of these countries."""
    assert decoded(tap(code_of(name), *([held] if held else [])) + tap(KEY_ENTER), decoder(layout)) == [char]


@pytest.mark.parametrize(
    ("layout", "dead", "held", "then", "text"),
    [
        ("de", "GRAVE", 0, "SPACE", "^"), ("de", "EQUAL", SHIFT, "SPACE", "`"), ("de", "EQUAL", 0, "E", "\u00e9"),
        ("fr", "LEFTBRACE", 0, "E", "\u00ea"), ("fr", "LEFTBRACE", SHIFT, "SPACE", "\u00a8"), ("fr", "2", ALTGR, "SPACE", "~"),
        ("fr", "7", ALTGR, "SPACE", "`"),
        ("de", "GRAVE", 0, "7", None), ("de", "GRAVE", 0, "GRAVE", None), ("de", "GRAVE", 0, "ENTER", None),
    ],
)  # fmt: skip
def test_a_dead_key_joins_the_key_after_it(layout: LayoutName, dead: str, held: int, then: str, text: str | None) -> None:
    events = tap(code_of(dead), *([held] if held else [])) + tap(code_of(then)) + ([] if then == "ENTER" else tap(KEY_ENTER))
    found = [composed(one) for one in decoded(events, decoder(layout))]
    assert found == [text]


def test_altgr_is_a_modifier_like_others_where_it_types_nothing() -> None:
    assert decoded(tap(code_of("Q"), ALTGR) + tap(KEY_ENTER)) == ["!control"]
    assert decoded(tap(code_of("W"), ALTGR) + tap(KEY_ENTER), decoder("de")) == ["!control"]
    assert decoded(tap(ALTGR) + tap(code_of("W")) + tap(KEY_ENTER), decoder("de")) == ["w"]


def alt(digits: str) -> Events:
    taps = [event for digit in digits for event in tap(code_of(KEYPAD[digit]))]
    return [(EV_KEY, ALT, DOWN), *taps, (EV_KEY, ALT, UP)]


@given(st.text(alphabet=[chr(code) for code in range(0x20, 0x7F)], min_size=1, max_size=30), st.booleans(), st.sampled_from(["", "0"]))
def test_alt_and_a_number_are_a_character(text: str, numlock: bool, zero: str) -> None:
    events = [event for char in text for event in alt(f"{zero}{ord(char)}") + (tap(NUMLOCK) if numlock else [])]
    assert decoded(events + tap(KEY_ENTER), decoder(alt_codes=True)) == [text]


@pytest.mark.parametrize(("digits", "char"), [("0228", "\u00e4"), ("132", "\u00e4"), ("0128", "\u20ac")])
def test_a_leading_zero_chooses_the_code_page(digits: str, char: str) -> None:
    assert decoded(alt(digits) + tap(KEY_ENTER), decoder(alt_codes=True)) == [char]


@pytest.mark.parametrize("digits", ["", "0", "13", "013", "027", "127", "0129", "256", "999", "00065", "65+"])
def test_a_number_of_no_character_spoils_the_scan_and_only_it(digits: str) -> None:
    events = tap(30) + alt(digits) + tap(KEY_ENTER) + typed("NEXT")
    assert decoded(events, decoder(alt_codes=True)) == ["!control", "NEXT"]


def test_without_alt_mode_a_number_under_alt_is_a_key_combination() -> None:
    assert decoded(alt("065") + tap(KEY_ENTER) + typed("NEXT")) == ["!control", "NEXT"]


def test_alt_with_another_key_is_a_key_combination_until_it_is_released() -> None:
    events = [(EV_KEY, ALT, DOWN), *tap(30), *tap(KEY_ENTER), *typed("A"), (EV_KEY, ALT, UP), *tap(KEY_ENTER), *typed("NEXT")]
    assert decoded(events, decoder(alt_codes=True)) == ["!control", "NEXT"]


def test_a_key_that_is_no_end_here_spoils_the_scan() -> None:
    assert decoded(typed("A", KEY_TAB) + tap(KEY_ENTER) + typed("B"), decoder(ends=["enter"])) == ["!control", "B"]
    assert decoded(typed("A", KEY_TAB) + typed("B", KEY_TAB), decoder(ends=["tab"])) == ["A", "B"]


@given(codes=st.lists(st.text(alphabet=sorted(KEYS), min_size=1, max_size=40), max_size=6), end=st.sampled_from([KEY_ENTER, KEY_TAB, 96]))
def test_what_was_typed_is_what_was_scanned(codes: list[str], end: int) -> None:
    assert decoded([event for code in codes for event in typed(code, end)]) == codes


@given(
    text=st.text(alphabet=sorted(KEYS), max_size=10),
    where=st.integers(0, 80),
    bad=st.sampled_from([CTRL, ALT, META, ESC, F1, LEFT, CAPS, 97, 100, 126]),
)
def test_any_key_that_is_no_character_spoils_the_scan_and_only_it(text: str, where: int, bad: int) -> None:
    events = typed(text)
    before_end = events[: len(events) - 2]
    where = min(where, len(before_end))
    spoiled = before_end[:where] + tap(bad) + before_end[where:] + tap(KEY_ENTER)
    assert decoded(spoiled + typed("NEXT")) == ["!control", "NEXT"]


def test_a_key_combination_is_no_character() -> None:
    assert decoded([*typed("AB")[:-2], *tap(KEYS["r"][0], META), *typed("cmd"), *typed("NEXT")]) == ["!control", "NEXT"]


def test_keys_under_a_held_modifier_spoil_the_next_scan_too() -> None:
    assert decoded([(EV_KEY, CTRL, DOWN), *typed("A"), *typed("B"), (EV_KEY, CTRL, UP), *tap(KEY_ENTER), *typed("C")]) == ["!control", "C"]


def test_autorepeat_is_no_key() -> None:
    code = KEYS["7"][0]
    assert decoded([(EV_KEY, code, DOWN), *[(EV_KEY, code, REPEAT)] * 14, (EV_KEY, code, UP), *tap(KEY_ENTER)]) == ["7"]


def test_keypad_digits_are_digits() -> None:
    assert decoded([event for digit in "0123456789" for event in tap(code_of(KEYPAD[digit]))] + tap(96)) == ["0123456789"]


def test_lost_events_spoil_everything_until_silence() -> None:
    keys = decoder()
    events = [*typed("AB")[:-2], (EV_SYN, SYN_DROPPED, 0), *typed("CD"), *typed("EF")]
    assert decoded(events, keys, 1.0) == ["!dropped"]
    assert keys.codes.tick(1.2) == []
    assert decoded(typed("GH"), keys, 1.25) == []
    assert keys.codes.tick(1.6) == []
    assert decoded(typed("IJ"), keys, 2.0) == ["IJ"]


def test_a_shift_whose_release_was_lost_is_not_held() -> None:
    keys = decoder()
    decoded([(EV_KEY, SHIFT, DOWN), (EV_SYN, SYN_DROPPED, 0)], keys)
    keys.codes.tick(2.0)
    assert decoded(typed("a1"), keys, 3.0) == ["a1"]
