"""The ready configurations in config/ are right, complete, and true to the decree's kiosk types."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from kiosd.config import DeviceSettings, Settings, load
from kiosd.queue.settings import HoursSettings
from kiosd.registry import find
from support.site import NAMES

CONFIG = Path(__file__).parents[2] / "config"
TYPES = {1: "ABCDEFG", 2: "ABCDE", 3: "FG", 4: "FG"}
FREE_PINS = set(range(2, 28))  # BCM numbers on the header of a Pi; 0 and 1 are the HAT's EEPROM


def preset(kind: int) -> Settings:
    return load(CONFIG / f"tipe-{kind}.toml")


def beside(folder: Path) -> Path:
    """The place for a changed preset: a folder with the calendars that it names."""
    shutil.copytree(CONFIG / "calendar", folder / "calendar")
    return folder / "kiosd.toml"


def pins(device: DeviceSettings) -> list[int]:
    return [pin for kind in ("buttons", "lamps") for pin in getattr(device.config, kind, {}).values()]


def test_there_is_one_for_each_type() -> None:
    assert {path.name for path in CONFIG.glob("tipe-*.toml")} == {f"tipe-{kind}.toml" for kind in TYPES}


@pytest.mark.parametrize("kind", TYPES)
def test_has_the_services_of_its_type_by_their_names(kind: int) -> None:
    settings = preset(kind)
    assert settings.site.type == kind
    assert {letter: (service.name, service.short) for letter, service in settings.services.items()} == {
        letter: NAMES[letter] for letter in TYPES[kind]
    }


@pytest.mark.parametrize("kind", TYPES)
def test_is_a_whole_kiosk(kind: int) -> None:
    settings = preset(kind)
    assert settings.ticket_machine and settings.ticket_machine.buttons and settings.ticket_machine.printer
    assert settings.call_board
    assert all(counter.keys and counter.scanner and counter.rating for counter in settings.counters.values())
    assert settings.mqtt["central"].host == "127.0.0.1"
    assert settings.hours == HoursSettings(calendars=("calendar/id-2026.toml", "calendar/id-2027.toml"))
    assert sorted(settings.queue.calendar.years) == [2026, 2027]


@pytest.mark.parametrize("kind", TYPES)
def test_every_service_has_a_ticket_button(kind: int) -> None:
    settings = preset(kind)
    assert settings.ticket_machine and settings.ticket_machine.buttons
    panel = settings.devices[settings.ticket_machine.buttons].config
    assert set(TYPES[kind]) <= set(getattr(panel, "buttons", {}))


@pytest.mark.parametrize("kind", TYPES)
def test_fits_the_header_of_a_board_and_says_what_is_free(kind: int) -> None:
    used = [pin for device in preset(kind).devices.values() for pin in pins(device)]
    assert len(used) == len(set(used)) and set(used) <= FREE_PINS
    told = re.search(r"Free here: ([\d, ]+)\.", (CONFIG / f"tipe-{kind}.toml").read_text())
    assert FREE_PINS - set(used) == {int(pin) for pin in (told[1].split(", ") if told else ())}


def test_the_presets_show_every_driver_and_way_to_connect() -> None:
    devices = [device for kind in TYPES for device in preset(kind).devices.values()]
    printers = {getattr(device.config, "port", "").split("/")[0] for device in devices if device.driver == "escpos_printer"}
    assert {"tcp:192.168.1.50:9100", ""} == printers
    assert {getattr(device.config, "protocol", None) for device in devices} >= {"cd5220", "frame"}
    assert all(find(device.driver).port for device in devices)


def test_the_keyboard_scanner_that_a_preset_offers_works_too(tmp_path: Path) -> None:
    text = (CONFIG / "tipe-2.toml").read_text()
    serial = re.search(r"^\[devices\.scanner_1\]\n(?:[^\n]+\n)+", text, re.MULTILINE)
    shown = re.search(r"^# \[devices\.scanner_1\]\n(?:# [^\n]+\n)+", text, re.MULTILINE)
    assert serial and shown
    path = beside(tmp_path)
    path.write_text(text.replace(serial[0], re.sub("^# ", "", shown[0], flags=re.MULTILINE)))
    assert load(path).devices["scanner_1"].driver == "evdev_scanner"


def test_type_4_with_one_service(tmp_path: Path) -> None:
    text = (CONFIG / "tipe-4.toml").read_text()
    for piece in (re.search(r"\[services\.G\]\n.*\n.*\n", text), re.search(r", G = \d+", text), re.search(r", G_priority = \d+", text)):
        assert piece
        text = text.replace(piece[0], "")
    path = beside(tmp_path)
    path.write_text(text.replace('["F", "G"]', '["F"]'))
    assert list(load(path).services) == ["F"]


@pytest.mark.parametrize("kind", TYPES)
def test_holds_no_secret_and_no_line_too_long_to_read(kind: int) -> None:
    text = (CONFIG / f"tipe-{kind}.toml").read_text()
    assert max(map(len, text.splitlines())) <= 140
    assert not re.search(r"password|secret|token", "\n".join(map(str, tomllib.loads(text).items())), re.IGNORECASE)
