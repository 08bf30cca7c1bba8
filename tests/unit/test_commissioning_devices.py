"""``kiosd devices``: what is plugged in goes by the name that stays, and its lines are accepted by a configuration."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from kiosd import registry
from kiosd.commissioning import keyboards, plugged
from kiosd.commissioning.chips import CHIP, CHIP_INFO, LINE, LINE_INFO, Chip, read_chip
from kiosd.commissioning.listing import device_text, shown
from kiosd.commissioning.machine import Machine
from kiosd.commissioning.paste import TEMPLATES, fresh, plain, quoted
from kiosd.config import load
from kiosd.ports import Scanner
from support.fakeboard import SCANNER_KEYS, FakeBoard, bitmap
from support.kiosk import write_config

PAD = bitmap(*range(71, 84), 96, 98)


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    board = FakeBoard(tmp_path / "board")
    board.installed()
    return board


def listed(board: FakeBoard, devices: dict[str, Any] | None = None, kind: str = "") -> list[dict[str, Any]]:
    found = [one for one in shown(board.machine, devices or {}) if kind in {"", one["kind"]}]
    assert all(device_text(one).splitlines()[0] for one in found)
    return found


# Names.


def test_a_bare_board_has_its_pins_and_nothing_else(board: FakeBoard) -> None:
    (chip,) = listed(board)
    assert (chip["kind"], chip["what"], chip["node"]) == ("gpio", "pinctrl-bcm2711, 58 lines", "/dev/gpiochip0")
    assert chip["paste"][:2] == ["[devices.ticket_buttons]", 'driver = "gpio_buttons"']


def test_a_usb_printer_says_who_it_is(board: FakeBoard) -> None:
    board.printer(0, "1-1.2", "MANUFACTURER:EPSON;COMMAND SET:ESC/POS;MODEL:TM-T82X;CLASS:PRINTER;", "X5B1")
    (printer,) = listed(board, kind="printer")
    assert (printer["what"], printer["vid_pid"], printer["serial"], printer["socket"]) == ("EPSON TM-T82X", "04b8:0e15", "X5B1", "1-1.2")
    assert (printer["driver"], printer["port"], printer["notes"]) == ("usblp", "/dev/usb/lp0", ())


def test_two_usb_printers_may_change_places_and_one_of_another_language_is_none_of_ours(board: FakeBoard) -> None:
    board.printer(0, "1-1.2")
    board.printer(1, "1-1.3", "MFG:Office;CMD:PCL,PJL;MDL:Laser;")
    first, second = listed(board, kind="printer")
    assert first["notes"] == (plugged.MOVES,)
    assert "PCL" in second["notes"][1]
    board.link("/dev/kiosd/printer-2", "/dev/usb/lp1")
    assert listed(board, kind="printer")[1]["port"] == "/dev/kiosd/printer-2"


SERIAL_NAMES = [
    # serial numbers, by-id names, what is chosen
    (("A1",), ("usb-A1",), ("by-id",), ((),)),
    (("",), ("usb-QinHeng",), ("by-id",), ((plugged.NO_SERIAL,),)),
    (("", ""), ("usb-QinHeng", ""), ("by-path", "by-path"), ((plugged.SOCKET,),) * 2),
    (("0001", "0001"), ("usb-0001", ""), ("by-path", "by-path"), ((plugged.SOCKET,),) * 2),
    (("A1", "A2"), ("usb-A1", "usb-A2"), ("by-id", "by-id"), ((), ())),
]


@pytest.mark.parametrize(("serials", "ids", "folders", "notes"), SERIAL_NAMES)
def test_a_serial_port_goes_by_the_name_that_stays(
    board: FakeBoard, serials: tuple[str, ...], ids: tuple[str, ...], folders: tuple[str, ...], notes: tuple[tuple[str, ...], ...]
) -> None:
    for number, (serial, by_id) in enumerate(zip(serials, ids, strict=True)):
        board.port(f"ttyUSB{number}", f"1-1.{number + 2}", serial=serial, by_id=by_id)
    found = listed(board, kind="serial")
    assert tuple(one["port"].split("/")[-2] for one in found) == folders
    assert tuple(one["notes"] for one in found) == notes


def test_without_udev_a_usb_port_has_a_name_that_moves(board: FakeBoard) -> None:
    board.port("ttyUSB0", "1-1.2")
    (board.root / "dev/serial/by-path/platform-usb-0:1-1.2:1.0-port0").unlink()
    (one,) = listed(board, kind="serial")
    assert (one["port"], one["notes"]) == ("/dev/ttyUSB0", (plugged.MOVES,))


def test_a_port_of_the_board_is_listed_and_a_place_without_a_port_is_not(board: FakeBoard) -> None:
    board.uart("ttyAMA0")
    board.uart("ttyS0", kind="0")
    (one,) = listed(board, kind="serial")
    assert (one["node"], one["notes"]) == ("/dev/ttyAMA0", (plugged.ON_BOARD,))


def test_keyboards_by_what_they_can_type(board: FakeBoard) -> None:
    board.keyboard("event0", "1-1.1", "Example Scanner", serial="S1", by_id="usb-Example_Scanner_S1-event-kbd")
    board.keyboard("event1", "1-1.2", "Pad", {"KEY": PAD})
    board.keyboard("event2", "1-1.3", "Mouse with keys", {"KEY": SCANNER_KEYS, "REL": "143"})
    board.keyboard("event3", "1-1.4", "Power Button", {"KEY": bitmap(116)})
    scanner, pad = [one for one in listed(board) if one["kind"] in {"scanner", "keypad"}]
    assert (scanner["what"], scanner["port"]) == ("Example Scanner", "/dev/input/by-id/usb-Example_Scanner_S1-event-kbd")
    assert 'match = { by_id = "usb-Example_Scanner_S1-event-kbd" }' in scanner["paste"]
    assert (pad["kind"], pad["what"]) == ("keypad", "Pad")


def test_two_keyboards_that_are_alike_go_by_their_sockets(board: FakeBoard) -> None:
    for number in (0, 1):
        board.keyboard(f"event{number}", f"1-1.{number + 1}", by_id="" if number else "usb-Example-event-kbd")
    assert [one["port"].split("/")[-2] for one in listed(board, kind="scanner")] == ["by-path", "by-path"]


def test_a_keyboard_without_links_goes_by_its_name_and_identity(board: FakeBoard) -> None:
    board.keyboard("event0", "1-1.1", "Scanner [2]")
    (board.root / "dev/input/by-path/platform-usb-0:1-1.1:1.0-event-kbd").unlink()
    (one,) = listed(board, kind="scanner")
    assert 'match = { name = "Scanner [[]2]", vid_pid = "05e0:1200" }' in one["paste"]
    (again,) = listed(board, {"s": {"match": {"name": "Scanner [[]2]", "vid_pid": "05E0:1200"}}}, kind="scanner")
    assert again["configured"] == ["s"]


def test_sound_cards_by_name(board: FakeBoard) -> None:
    board.file("/proc/asound/cards", " 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0\n                      vc4-hdmi-0\n")
    (card,) = listed(board, kind="sound")
    assert (card["what"], card["port"], card["node"]) == ("vc4-hdmi-0", "plughw:CARD=vc4hdmi0", "/dev/snd/controlC0")


def test_a_chip_that_may_not_be_opened_is_listed_as_such(board: FakeBoard) -> None:
    board.gpio(None)
    assert "root" in listed(board, kind="gpio")[0]["notes"][0]


# Who may open it.


def test_who_may_open_it(board: FakeBoard) -> None:
    board.printer(0, "1-1.2")
    assert listed(board, kind="printer")[0]["may_open"] is True
    (board.root / "dev/usb/lp0").chmod(0o600)
    assert listed(board, kind="printer")[0]["may_open"] is False
    assert "NOT open it" in device_text(listed(board, kind="printer")[0])
    board.file("/etc/passwd", "")
    assert listed(board, kind="printer")[0]["may_open"] is None


def test_a_group_that_only_the_unit_gives_counts(board: FakeBoard) -> None:
    board.printer(0, "1-1.2")
    unit = board.root / "etc/systemd/system/kiosd.service"
    unit.write_text(unit.read_text().replace("SupplementaryGroups=gpio dialout input lp audio", ""))
    assert listed(board, kind="printer")[0]["may_open"] is False
    board.file("/etc/systemd/system/kiosd.service.d/groups.conf", "[Service]\nSupplementaryGroups=lp\n")
    assert listed(board, kind="printer")[0]["may_open"] is True


# What the configuration has already.


@pytest.mark.parametrize(
    ("device", "node"),
    [
        ({"driver": "escpos_printer", "port": "/dev/usb/lp0"}, "/dev/usb/lp0"),
        ({"driver": "serial_scanner", "port": "/dev/ttyUSB0"}, "/dev/ttyUSB0"),
        ({"driver": "serial_scanner", "port": "/dev/serial/by-path/platform-usb-0:1-1.3:1.0-port0"}, "/dev/ttyUSB0"),
        ({"driver": "serial_scanner", "match": {"vid_pid": "1A86:7523", "serial": "A?"}}, "/dev/ttyUSB0"),
        ({"driver": "serial_scanner", "match": {"phys": "1-1.3:1.0"}}, "/dev/ttyUSB0"),
        ({"driver": "evdev_scanner", "match": {"by_id": "usb-*-event-kbd"}}, "/dev/input/event0"),
        ({"driver": "evdev_scanner", "match": {"path": "/dev/input/event0", "name": "Example*"}}, "/dev/input/event0"),
        ({"driver": "gpio_buttons", "buttons": {"A": 4}}, "/dev/gpiochip0"),
        ({"driver": "aplay_voice", "card": "plughw:CARD=Device"}, "/dev/snd/controlC1"),
        ({"driver": "evdev_scanner", "match": {"by_id": "usb-Other*"}}, ""),
        ({"driver": "evdev_scanner", "match": {"colour": "*"}}, ""),
        ({"driver": "escpos_printer", "port": "tcp:192.168.1.5:9100"}, ""),
        ({"driver": "escpos_printer", "match": {}}, ""),
        ("no table", ""),
    ],
)
def test_what_is_configured_is_known_by_all_its_names(board: FakeBoard, device: Any, node: str) -> None:
    board.printer(0, "1-1.2")
    board.port("ttyUSB0", "1-1.3", serial="A1", by_id="usb-A1")
    board.keyboard("event0", "1-1.1", serial="S1", by_id="usb-Example_S1-event-kbd")
    board.file("/proc/asound/cards", " 1 [Device         ]: USB-Audio - USB Audio Device\n")
    found = {one["node"]: one["configured"] for one in listed(board, {"mine": device})}
    assert [name for name, names in found.items() if names] == ([node] if node else [])


# Lines to paste.


def crowded(board: FakeBoard) -> None:
    """One of everything that can be plugged in, two of some."""
    board.printer(0, "1-1.2")
    board.port("ttyUSB0", "1-1.3", serial="A1", by_id="usb-A1")
    board.port("ttyACM0", "1-1.4", identity="05e0:1701", driver="cdc_acm")
    board.keyboard("event0", "1-1.1", 'Scanner "with" quotes', serial="S1", by_id="usb-Example_S1-event-kbd")
    board.keyboard("event1", "1-1.5", "Pad", {"KEY": PAD})
    board.file("/proc/asound/cards", " 1 [Device         ]: USB-Audio - USB Audio Device\n")


def tables(board: FakeBoard) -> dict[str, dict[str, Any]]:
    """Everything that is to be pasted, by name."""
    found: dict[str, dict[str, Any]] = tomllib.loads("\n".join(line for one in listed(board) for line in one["paste"]))["devices"]
    return found


def test_every_line_to_paste_is_right_for_its_driver(board: FakeBoard) -> None:
    crowded(board)
    found = tables(board)
    for table in found.values():
        registry.find(table["driver"]).config.model_validate({key: value for key, value in table.items() if key != "driver"})
    assert {table["driver"] for table in found.values()} == {template.driver for template in TEMPLATES.values()}


def test_pasted_lines_are_accepted_by_check_config(board: FakeBoard, tmp_path: Path) -> None:
    crowded(board)
    document = tomllib.loads(write_config(tmp_path).read_text()) | {"devices": tables(board)}
    document["devices"]["ticket_buttons"]["buttons"] = {"F": 4}  # the services of this kiosk
    document["ticket_machine"] = {"buttons": "ticket_buttons", "printer": "printer"}
    document["voice"] = {"announcer": "voice"}
    scanners = [name for name, table in document["devices"].items() if registry.find(table["driver"]).port is Scanner]
    counters = {str(number): {"services": ["F", "G"], "scanner": name} for number, name in enumerate(scanners, start=1)}
    document["counters"] = counters | {"1": counters["1"] | {"keys": "keys"}}
    path = tmp_path / "kiosd.toml"
    path.write_text(tomli_w.dumps(document))
    assert set(load(path).devices) == set(document["devices"])


def test_names_that_are_taken_are_left_alone(board: FakeBoard) -> None:
    crowded(board)
    heads = [one["paste"][0] for one in listed(board, {"scanner": {"driver": "serial_scanner", "port": "/dev/elsewhere"}})]
    assert "[devices.scanner]" not in heads and "[devices.scanner_2]" in heads
    assert len(heads) == len(set(heads))


def test_pins_that_somebody_has_are_not_offered(board: FakeBoard) -> None:
    board.gpio(Chip("pinctrl-rp1", 54, {4: "spi0 CS0", 27: "?"}))
    (one,) = listed(board, {"rating": {"driver": "evdev_keypad", "buttons": {"4": [17, 22]}}}, kind="gpio")
    assert "A = 5, B = 6" in one["paste"][2]


def test_chips_without_pins_for_us_get_no_lines(board: FakeBoard) -> None:
    board.gpio(Chip("raspberrypi-exp-gpio", 8))
    assert listed(board, kind="gpio")[0]["paste"] == []


@given(st.text(max_size=40))
def test_any_name_is_one_toml_text_and_one_pattern(name: str) -> None:
    name = name.encode(errors="replace").decode()
    assert tomllib.loads(f"x = {quoted(name)}") == {"x": name}
    assert fnmatchcase(name, plain(name)) or "\n" in name


@given(st.sets(st.integers(min_value=0, max_value=767)))
def test_a_bitmap_reads_back(numbers: set[int]) -> None:
    assert keyboards.keys(bitmap(*numbers)) == numbers


@given(st.text(max_size=400))
def test_no_list_of_devices_breaks_the_reader(text: str) -> None:
    list(keyboards.listed(text))


def test_free_names() -> None:
    assert fresh("keys", set()) == "keys"
    assert fresh("keys", {"keys", "keys_2", "keys_4"}) == "keys_3"


# The chip's own words: the kernel's structures, answered here in its place.


def test_a_chip_is_asked_as_the_kernel_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (CHIP.size, LINE.size) == (CHIP_INFO >> 16 & 0x3FFF, LINE_INFO >> 16 & 0x3FFF)  # _IOC: bits 16 to 29 are the size

    def kernel(_: int, number: int, asked: bytes) -> bytes:
        if number == CHIP_INFO:
            return CHIP.pack(b"gpiochip0", b"pinctrl-bcm2835", 3)
        offset = LINE.unpack(asked)[2]
        return LINE.pack(b"GPIO", (b"lg", b"", b"")[offset], offset, 0, (1, 1, 0)[offset], b"", b"")

    monkeypatch.setattr("fcntl.ioctl", kernel)
    node = tmp_path / "gpiochip0"
    assert read_chip(node) is None
    node.touch()
    assert read_chip(node) == Chip("pinctrl-bcm2835", 3, {0: "lg", 1: "?"})
    monkeypatch.undo()
    assert read_chip(node) is None  # a file is no chip


def test_the_machine_that_runs_this_can_be_looked_at() -> None:
    """Whatever is here: it is listed without a complaint."""
    assert all(one["node"].startswith("/") for one in shown(Machine(), {}))
