"""The keyboard scanner: its decoder by itself, and the driver over simulated keyboards in place of the kernel's."""

import string
from pathlib import Path
from typing import Any

import evdev
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd_drivers import _keyboards, _keys
from kiosd_drivers._keys import KeyDecoder
from kiosd_drivers.evdev_scanner import DRIVER, Config
from kiosd_sim.keyboard import DOWN, EV_KEY, EV_SYN, KEY_ENTER, KEY_TAB, KEYS, REPEAT, SYN_DROPPED, UP, Info, SimKeyboard, SimKeyboards
from support.devices import brief, take

CTRL, ALT, META, SHIFT, ESC, F1, LEFT, CAPS = 29, 56, 125, 42, 1, 59, 105, 58
Events = list[tuple[int, int, int]]


def tap(code: int, *held: int) -> Events:
    downs = [(EV_KEY, key, DOWN) for key in (*held, code)]
    return downs + [(EV_KEY, key, UP) for key in (code, *held)]


def typed(text: str, end: int = KEY_ENTER) -> Events:
    events: Events = []
    for char in text:
        code, shift = KEYS[char]
        events += tap(code, SHIFT) if shift else tap(code)
    return events + tap(end)


def decoded(events: Events, decoder: KeyDecoder | None = None, at: float = 1.0) -> list[str]:
    decoder = decoder or KeyDecoder(idle_s=0.3)
    return [brief(code) for event in events for code in decoder.feed(*event, at)]


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
    assert plain | keypad == _keys.PLAIN
    assert {code: _keys.SHIFTED[code] for code in keypad} == keypad
    assert {KEYS[_keys.SHIFTED[code]] for code in plain if code != code_of("SPACE")} == {(code, 1) for code in plain} - {
        (code_of("SPACE"), 1)
    }


def test_the_other_key_codes_are_those_of_the_kernel() -> None:
    assert {code_of(name) for name in ("ENTER", "KPENTER", "TAB")} == _keys.ENDS
    assert {code_of(name) for name in ("LEFTSHIFT", "RIGHTSHIFT")} == _keys.SHIFTS
    assert {code_of(f"{side}{name}") for side in ("LEFT", "RIGHT") for name in ("CTRL", "ALT", "META")} == _keys.MODIFIERS
    codes = evdev.ecodes.ecodes
    assert (codes["EV_SYN"], codes["EV_KEY"], codes["SYN_DROPPED"]) == (_keys.EV_SYN, _keys.EV_KEY, _keys.SYN_DROPPED)


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
    decoder = KeyDecoder(idle_s=0.3)
    events = [*typed("AB")[:-2], (EV_SYN, SYN_DROPPED, 0), *typed("CD"), *typed("EF")]
    assert decoded(events, decoder, 1.0) == ["!dropped"]
    assert decoder.codes.tick(1.2) == []
    assert decoded(typed("GH"), decoder, 1.25) == []
    assert decoder.codes.tick(1.6) == []
    assert decoded(typed("IJ"), decoder, 2.0) == ["IJ"]


def test_a_shift_whose_release_was_lost_is_not_held() -> None:
    decoder = KeyDecoder(idle_s=0.3)
    decoded([(EV_KEY, SHIFT, DOWN), (EV_SYN, SYN_DROPPED, 0)], decoder)
    decoder.codes.tick(2.0)
    assert decoded(typed("a1"), decoder, 3.0) == ["a1"]


@pytest.fixture
def dev_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in place of /dev/input."""
    links = {"by_id": tmp_path / "by-id", "by_path": tmp_path / "by-path"}
    for directory in links.values():
        directory.mkdir()
    monkeypatch.setattr(_keyboards, "LINKS", links)
    return tmp_path


class Machine:
    """The simulated keyboards of one test, plugged in."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        self._keyboards: list[SimKeyboard] = []

    def add(self, **traits: Any) -> SimKeyboard:
        keyboard = SimKeyboard(self._directory / f"event{len(self._keyboards)}", **traits)
        keyboard.plug()
        self._keyboards.append(keyboard)
        machine = SimKeyboards(*self._keyboards)
        self._monkeypatch.setattr(evdev, "list_devices", machine.list_devices)
        self._monkeypatch.setattr(evdev, "InputDevice", machine.open_device)
        return keyboard


@pytest.fixture
def machine(dev_input: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(dev_input, monkeypatch)


def config(**match: str) -> Config:
    return Config.model_validate({"match": match})


async def error_of(config: Config) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(config):
            pass
    return caught.value


async def test_scans_of_a_grabbed_keyboard(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(config(name="Sim *")) as scanner:
        assert keyboard.holder is not None
        for number in range(20):
            keyboard.type(f"Card-{number}!")
        assert await take(scanner, 20) == [f"Card-{number}!" for number in range(20)]
    assert not keyboard.is_open and keyboard.holder is None


async def test_half_a_code_is_reported_after_silence(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(Config.model_validate({"match": {"name": "Sim*"}, "idle_s": 0.05})) as scanner:
        keyboard.type("CARD", end=None)
        assert await take(scanner, 1) == ["!incomplete"]
        keyboard.type("CARD-1")
        assert await take(scanner, 1) == ["CARD-1"]


async def test_lost_events_are_one_bad_scan_until_silence(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(Config.model_validate({"match": {"name": "Sim*"}, "idle_s": 5.0})) as scanner:
        keyboard.type("LOST", end=None)
        keyboard.overrun()
        keyboard.type("TAIL")
        assert await take(scanner, 1) == ["!dropped"]


async def test_a_long_code_is_one_bad_scan(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(config(name="Sim*")) as scanner:
        keyboard.type("9" * 600)
        keyboard.type("CARD-1")
        assert await take(scanner, 2) == ["!length", "CARD-1"]


async def test_unplugging_is_an_absent_device_and_replugging_works(machine: Machine) -> None:
    keyboard = machine.add()
    for round_ in range(2):
        async with DRIVER.open(config(name="Sim*")) as scanner:
            keyboard.type(f"CARD-{round_}")
            assert await take(scanner, 1) == [f"CARD-{round_}"]
            keyboard.unplug()
            with pytest.raises(DeviceError) as caught:
                await take(scanner, 1)
            assert caught.value.code == "absent"
        assert (await error_of(config(name="Sim*"))).code == "absent"
        keyboard.plug()


async def test_a_keyboard_that_somebody_else_grabbed_is_busy(machine: Machine) -> None:
    keyboard = machine.add()
    other = keyboard.open()
    other.grab()
    assert (await error_of(config(name="Sim*"))).code == "busy"
    assert keyboard.holder is other
    other.close()
    assert not keyboard.is_open


async def test_two_keyboards_that_fit_are_both_named_and_neither_is_taken(machine: Machine) -> None:
    keyboards = [machine.add(name="Scanner A"), machine.add(name="Scanner B")]
    error = await error_of(config(name="Scanner*"))
    assert error.code == "ambiguous"
    assert all(keyboard.name in str(error) and str(keyboard.path) in str(error) for keyboard in keyboards)
    assert not any(keyboard.is_open for keyboard in keyboards)


@pytest.mark.parametrize(
    "match",
    [
        {"name": "Scanner B"},
        {"phys": "usb-1.2/*"},
        {"uniq": "SN-2"},
        {"vid_pid": "05F9:221c"},
        {"name": "Scanner*", "uniq": "SN-2"},
        {"by_id": "usb-B_*-event-kbd"},
        {"by_path": "platform-*usb-0:1.2*"},
        {"path": "event1"},
        {"path": "scanner-1"},
    ],
)
async def test_each_rule_finds_its_keyboard_and_touches_no_other(machine: Machine, dev_input: Path, match: dict[str, str]) -> None:
    keyboard = machine.add(name="Scanner A", phys="usb-1.1/input0", uniq="SN-1")
    scanner = machine.add(name="Scanner B", phys="usb-1.2/input0", uniq="SN-2", info=Info(3, 0x05F9, 0x221C, 1))
    (dev_input / "by-id" / "usb-A_Scanner-event-kbd").symlink_to("../event0")
    (dev_input / "by-id" / "usb-B_Scanner-event-kbd").symlink_to("../event1")
    (dev_input / "by-path" / "platform-xhci-usb-0:1.2:1.0-event-kbd").symlink_to("../event1")
    (dev_input / "scanner-1").symlink_to("event1")
    if "path" in match:
        match = {"path": str(dev_input / match["path"])}
    async with DRIVER.open(config(**match)):
        assert scanner.holder is not None
        assert not keyboard.is_open


async def test_an_interface_that_cannot_type_is_no_scanner(machine: Machine) -> None:
    machine.add(keys=(113, 114, 115))  # mute and volume: a second interface of the same device
    keyboard = machine.add()
    async with DRIVER.open(config(name="Sim*")):
        assert keyboard.holder is not None


async def test_no_keyboard_is_absent_and_the_rule_is_named(machine: Machine) -> None:
    machine.add(name="Office Keyboard")
    error = await error_of(config(by_id="usb-Scanner*"))
    assert error.code == "absent" and "usb-Scanner*" in str(error)


@pytest.mark.parametrize(
    "match", [{}, {"name": "*"}, {"by_id": "**?"}, {"vid_pid": "5f9:221"}, {"serial": "1"}, {"path": "event3"}, {"name": ""}]
)
def test_a_rule_that_names_nothing_is_refused(match: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        config(**match)


def test_the_rule_itself_is_required() -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({})
