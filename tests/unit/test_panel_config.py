"""Panels in a configuration: pins and keys against the places that use them."""

from pathlib import Path

from kiosd.config import load
from support.small_config import changed, errors

KEYPAD = """[devices.keys]
driver = "evdev_keypad"
match = { name = "Pad" }
keys = { KPENTER = "advance", KP0 = "repeat" }
lamps = { ready = "numlock" }
"""
KEYS = '[devices.keys]\ndriver = "gpio_buttons"\nbuttons = { advance = 5, repeat = 6 }\n'
TICKETS = "buttons = { F = 4 }"


def test_a_button_may_have_several_pins_and_a_keypad_stands_for_call_keys(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(changed((TICKETS, "buttons = { F = [4, 17] }"), (KEYS, KEYPAD)))
    load(path)


def test_a_pin_in_a_list_is_used_too(tmp_path: Path) -> None:
    (line,) = errors(tmp_path / "kiosd.toml", changed((TICKETS, "buttons = { F = [4, 5] }")))
    assert line == "[devices.keys] buttons.advance: GPIO pin 5 is used by [devices.tickets] buttons.F already; allowed: one that is free"


def test_a_wrong_pin_in_a_list_is_shown(tmp_path: Path) -> None:
    (line,) = errors(tmp_path / "kiosd.toml", changed((TICKETS, "buttons = { F = [4, 40] }")))
    assert line.startswith("[devices.tickets] buttons.F, item 2: found 40; allowed: ")
    (line,) = errors(tmp_path / "kiosd.toml", changed((TICKETS, 'buttons = { F = "4" }')))
    assert line.startswith("[devices.tickets] buttons.F: found '4'; allowed: ")


def test_what_a_key_does_must_be_known_at_its_place(tmp_path: Path) -> None:
    wrong = KEYPAD.replace('"repeat"', '"repaet"').replace("ready", "redy")
    lines = errors(tmp_path / "kiosd.toml", changed((KEYS, wrong)))
    assert lines[0].startswith("[devices.keys] keys.KP0: unknown name for [counters.1] keys; did you mean 'repeat'?")
    assert lines[1].startswith("[devices.keys] lamps.redy: unknown name for [counters.1] keys; did you mean 'ready'?")


def test_a_keypad_as_a_rating_panel_needs_all_four(tmp_path: Path) -> None:
    rating = '[devices.rating]\ndriver = "gpio_buttons"\nbuttons = { 4 = 7, 3 = 8, 2 = 9, 1 = 10 }\n'
    pad = '[devices.rating]\ndriver = "evdev_keypad"\nmatch = { name = "Pad" }\nkeys = { KP4 = "4", KP3 = "3", KP2 = "2" }\n'
    (line,) = errors(tmp_path / "kiosd.toml", changed((rating, pad)))
    assert line == "[devices.rating] keys: 1 missing; [counters.1] rating needs all of 1, 2, 3, 4"


def test_two_keypads_may_have_a_lamp_each(tmp_path: Path) -> None:
    rating = '[devices.rating]\ndriver = "gpio_buttons"\nbuttons = { 4 = 7, 3 = 8, 2 = 9, 1 = 10 }\n'
    pad = '[devices.rating]\ndriver = "evdev_keypad"\nmatch = { name = "Other" }\nkeys = { KP4 = "4", KP3 = "3", KP2 = "2", KP1 = "1" }\n'
    path = tmp_path / "kiosd.toml"
    path.write_text(changed((KEYS, KEYPAD), (rating, pad + 'lamps = { rate = "numlock" }\n')))
    load(path)
