"""Displays that share a serial line: what the configuration must say of them."""

from pathlib import Path

import pytest

from kiosd.config import load
from support.small_config import SMALL, errors

FRAME = """
[devices.{name}]
driver = "serial_display"
port = "/dev/bus"
protocol = "frame"
frame = '02 {address} {{number:5}} {{sum8}} 03'
"""
MODBUS = """
[devices.{name}]
driver = "modbus_display"
port = "/dev/bus"
address = {address}
number_register = 0
letters = {{ F = 1 }}
"""
THREE = ("b1", "b2", "b3")


def document(*devices: str) -> str:
    """The small configuration with these displays on the hall's board."""
    return SMALL.replace('displays = ["board"]', f"displays = {['board', *THREE[: len(devices)]]}".replace("'", '"')) + "".join(devices)


@pytest.mark.parametrize("kind", [FRAME, MODBUS], ids=["frame", "modbus"])
def test_displays_with_different_addresses_may_share_a_port(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(document(*(kind.format(name=name, address=f"1{n}") for n, name in enumerate(THREE))))
    assert load(path).call_board is not None


@pytest.mark.parametrize("kind", [FRAME, MODBUS], ids=["frame", "modbus"])
def test_the_same_address_twice_is_an_error(tmp_path: Path, kind: str) -> None:
    devices = (kind.format(name=name, address=address) for name, address in zip(THREE, ("11", "12", "12"), strict=True))
    lines = errors(tmp_path / "kiosd.toml", document(*devices))
    key = "frame" if kind is FRAME else "address"
    assert lines == [f"[devices.b3] {key}: [devices.b2] on the same port has the same; allowed: another one"]


@pytest.mark.parametrize("port", ["/dev/../dev/bus", "/dev//bus", "/dev/./bus"])
def test_a_port_is_the_same_however_it_is_written(tmp_path: Path, port: str) -> None:
    first, second = (MODBUS.format(name=name, address=1) for name in THREE[:2])
    lines = errors(tmp_path / "kiosd.toml", document(first, second.replace("/dev/bus", port)))
    assert lines == ["[devices.b2] address: [devices.b1] on the same port has the same; allowed: another one"]
    path = tmp_path / "kiosd.toml"
    path.write_text(document(first, second.replace("/dev/bus", port).replace("address = 1", "address = 2")))
    assert [load(path).devices[name].config.model_dump()["port"] for name in THREE[:2]] == ["/dev/bus"] * 2


@pytest.mark.parametrize("setting", ["baudrate = 19200", "gap_s = 0.05", "write_timeout_s = 2.0"])
def test_one_line_has_one_speed(tmp_path: Path, setting: str) -> None:
    first, second = (MODBUS.format(name=name, address=n) for n, name in enumerate(THREE[:2], 1))
    lines = errors(tmp_path / "kiosd.toml", document(first, second + setting))
    key, _, value = setting.partition(" = ")
    assert len(lines) == 1
    assert lines[0].startswith(f"[devices.b2] {key}: found {value}; allowed: ") and "[devices.b1] has it" in lines[0]


CUSTOMER = '[devices.b1]\ndriver = "serial_display"\nport = "/dev/bus"\nprotocol = "cd5220"\n'
TAKEN = {
    "a scanner": (SMALL.replace('"/dev/scanner"', '"/dev/bus"'), FRAME.format(name="b1", address="11"), ""),
    "a display without an address": (SMALL, CUSTOMER, FRAME.format(name="b2", address="11")),
    "another kind of frames": (SMALL, MODBUS.format(name="b1", address=1), FRAME.format(name="b2", address="11")),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_cannot_share_is_refused(tmp_path: Path, case: str) -> None:
    base, *devices = TAKEN[case]
    devices = [device for device in devices if device]
    text = document(*devices).replace(SMALL.split("[devices.scanner]")[1].split("[devices.printer]")[0],
                                      base.split("[devices.scanner]")[1].split("[devices.printer]")[0])  # fmt: skip
    lines = errors(tmp_path / "kiosd.toml", text)
    assert len(lines) == 1 and "port '/dev/bus' is used by" in lines[0]


@pytest.mark.parametrize(
    ("letters", "says"),
    [
        ('"keep"', "allowed: "),
        ("{ F = 1, G = 1 }", "same digit"),
        ("{ F = 10 }", "allowed: "),
        ("{ f = 1 }", "allowed: "),
        ("{}", "allowed: "),
    ],
)
def test_a_wrong_table_of_letters_is_told_in_words(tmp_path: Path, letters: str, says: str) -> None:
    lines = errors(tmp_path / "kiosd.toml", document(MODBUS.format(name="b1", address=1).replace("{ F = 1 }", letters)))
    assert len(lines) == 1 and lines[0].startswith("[devices.b1] letters: ") and says in lines[0]
