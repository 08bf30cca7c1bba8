"""The keyboard scanner over simulated keyboards in place of the kernel's."""

import asyncio
from pathlib import Path
from typing import Any

import evdev
import pytest
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd_drivers import _codes, _keyboards
from kiosd_drivers._layouts import LAYOUTS
from kiosd_drivers.evdev_scanner import DRIVER, Config
from kiosd_sim.keyboard import KEY_ENTER, KEY_TAB, Info, SimKeyboard, SimKeyboards
from support.devices import take
from support.keystrokes import keys_of, tap


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


async def test_a_german_scanner_with_aim_identifier_and_pattern(machine: Machine) -> None:
    keyboard = machine.add()
    options = {"match": {"name": "Sim*"}, "layout": "de", "aim": True, "allow": "[A-Z]+-[0-9]+", "ends": ["tab"]}
    async with DRIVER.open(Config.model_validate(options)) as scanner:
        for text in ("]C0Z-17", "]Q1x-17", "Z-17"):
            for event in [event for char in text for event in keys_of(LAYOUTS["de"])[char]] + tap(KEY_TAB):
                keyboard.emit(event)
        assert await take(scanner, 3) == ["Z-17", "!pattern", "!aim"]


async def test_accents_are_joined_before_a_code_is_judged(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(Config.model_validate({"match": {"name": "Sim*"}, "layout": "fr"})) as scanner:
        for dead, then in ((26, 18), (26, 3), (26, 57)):
            for event in tap(dead) + tap(then) + tap(KEY_ENTER):
                keyboard.emit(event)
        assert await take(scanner, 3) == ["\u00ea", "!control", "^"]


async def test_a_scanner_that_sends_no_end(machine: Machine) -> None:
    keyboard = machine.add()
    async with DRIVER.open(Config.model_validate({"match": {"name": "Sim*"}, "idle_s": 0.05, "silence_ends": True})) as scanner:
        keyboard.type("CARD-1", end=None)
        assert await take(scanner, 1) == ["CARD-1"]


async def test_a_keyboard_that_scans_without_end_is_out_of_order(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_codes, "PER_S", 0.0)
    keyboard = machine.add()
    async with DRIVER.open(config(name="Sim*")) as scanner:
        with pytest.raises(DeviceError) as caught:
            for _ in range(200):
                keyboard.type("SECRET")
                await take(scanner, 1)
        assert caught.value.code == "jabber" and "SECRET" not in str(caught.value)
    assert not keyboard.is_open


async def test_a_keyboard_that_types_on_and_on_is_out_of_order(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_codes, "ENDLESS", 600)
    keyboard = machine.add()
    async with DRIVER.open(Config.model_validate({"match": {"name": "Sim*"}, "idle_s": 5.0})) as scanner:
        with pytest.raises(DeviceError, match="without the end of a code") as caught:
            for _ in range(601):
                keyboard.type("X", end=None)
                await asyncio.sleep(0)
            await take(scanner, 2)
        assert caught.value.code == "jabber"


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
        {"serial": "SN-2"},
        {"vid_pid": "05F9:221c"},
        {"name": "Scanner*", "serial": "SN-2"},
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
    "match", [{}, {"name": "*"}, {"by_id": "**?"}, {"vid_pid": "5f9:221"}, {"uniq": "1"}, {"path": "event3"}, {"name": ""}]
)
def test_a_rule_that_names_nothing_is_refused(match: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        config(**match)


def test_the_rule_itself_is_required() -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({})
