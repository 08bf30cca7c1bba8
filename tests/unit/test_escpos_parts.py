"""The parts of the ESC/POS driver: its wires, its bytes, and what it makes of the printer's answers."""

import asyncio
import os
import pty
import string
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import CANNOT_PRINT, Outcome, Slip, Text, safe_text
from kiosd_drivers import _match, _wires
from kiosd_drivers._escpos_encoder import Paper, encode
from kiosd_drivers._escpos_states import PRINTS, REAL_TIME, REPORTED, Bits, Port, of_report, told
from kiosd_drivers.escpos_printer import Config
from kiosd_sim.escpos import Line, Parser
from kiosd_sim.printer import sim_printer_pty
from support.printers import READ, SLIP, first, opened, read


@given(st.text(max_size=200))
def test_no_control_byte_reaches_the_printer_from_a_text(text: str) -> None:
    assert set(safe_text(text)) <= set(string.ascii_letters + string.digits + string.punctuation + " ")
    plain = encode(Slip("x", (Text(text, size=2),)), Paper(32, True, None, "native"))
    begin = plain.index(b"\x1bt\x00") + 3  # the code page, then the text
    assert all(byte >= 0x20 for byte in plain[begin : plain.index(b"\n")])
    lines = [item for item in Parser(32).feed(plain) if isinstance(item, Line)]
    assert len(lines) == 1 and len(lines[0].text) <= 16


async def test_nobody_there(tmp_path: Path, unused_tcp_port: int) -> None:
    for port in (str(tmp_path / "lp0"), f"tcp:127.0.0.1:{unused_tcp_port}"):
        with pytest.raises(DeviceError) as error:
            async with opened(port):
                pass
        assert error.value.code == "absent"
        assert port in str(error.value)
    assert not list(tmp_path.iterdir())  # no file was created that would swallow tickets


async def test_a_regular_file_is_not_a_printer(tmp_path: Path) -> None:
    (tmp_path / "lp0").write_bytes(b"")
    with pytest.raises(DeviceError, match="not a character device"):
        async with opened(str(tmp_path / "lp0")):
            pass
    with pytest.raises(DeviceError, match="not a character device"):
        _wires.open_usblp(str(tmp_path / "lp0"))
    assert (tmp_path / "lp0").read_bytes() == b""


def plug(sys: Path, node: str, socket: str, **says: str) -> None:
    """A USB printer in a tree like /sys."""
    usb = sys / "devices/usb1" / socket
    place = usb / f"{socket}:1.0" / "usbmisc" / node
    place.mkdir(parents=True)
    (place / "device").symlink_to(usb / f"{socket}:1.0")
    (place / "uevent").write_text(f"DEVNAME={node}\n")
    for key, text in says.items():
        (usb / key).write_text(text)
    (sys / "class/usbmisc").mkdir(parents=True, exist_ok=True)
    (sys / "class/usbmisc" / node).symlink_to(place)


async def test_two_usb_printers_that_swap_their_names_are_told_apart_by_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_match, "SYSFS", tmp_path / "sys")
    monkeypatch.setattr(_match, "DEV", tmp_path)
    plug(tmp_path / "sys", "lp0", "1-1", idVendor="04b8", idProduct="0e15", serial="J1")
    plug(tmp_path / "sys", "lp1", "1-2", idVendor="04b8", idProduct="0e15", serial="J2")
    async with sim_printer_pty(tmp_path / "lp1") as far:
        for match in ({"serial": "J2"}, {"phys": "1-2:*"}):
            async with opened(None, match=match) as printer:
                assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert len(far.slips) == 2
    for match, code in (({"vid_pid": "04b8:0e15"}, "ambiguous"), ({"serial": "J3"}, "absent")):
        with pytest.raises(DeviceError) as error:
            async with opened(None, match=match):
                pass
        assert error.value.code == code


async def test_a_line_that_another_program_holds(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "printer") as far, opened(far.port):
        with pytest.raises(DeviceError) as error:
            async with opened(far.port):
                pass
        assert error.value.code == "busy"


def test_a_forbidden_device_names_the_group_to_join() -> None:
    error = _wires.device_error("/dev/null", PermissionError(13, "Permission denied"))
    assert error.code == "permission"
    assert "must be in group" in str(error)


async def test_the_usblp_wire_on_a_character_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pty stands in for /dev/usb/lp0: same file operations, no printer ioctl."""
    async with sim_printer_pty(tmp_path / "printer") as far:
        monkeypatch.setattr(_wires, "USBLP_MAJORS", {os.major(Path(far.port).stat().st_rdev)})
        async with opened(far.port) as printer:
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            far.set(paper="out")
            assert (await first(printer, "paper_out")).detail == "the paper is out"
            await far.unplug()
            with pytest.raises(DeviceError) as error:
                await first(printer, "never")
            assert error.value.code == "absent"
    assert [read(slip.text) for slip in far.slips] == [READ]


@asynccontextmanager
async def stuck_line() -> AsyncIterator[str]:
    """A serial line whose far end takes no bytes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


async def test_a_line_that_takes_no_bytes_ends_in_uncertain_not_in_a_hang() -> None:
    long = Slip("x", tuple(Text("0123456789" * 3) for _ in range(2000)))
    async with stuck_line() as port, opened(port, status=False, confirm=False, write_s=0.3) as printer:
        assert await printer.print_slip(long) is Outcome.UNCERTAIN
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(long)
        assert error.value.code == "timeout"


async def test_closing_does_not_wait_for_a_stuck_ticket() -> None:
    long = Slip("x", tuple(Text("0123456789" * 3) for _ in range(2000)))
    loop = asyncio.get_running_loop()
    async with stuck_line() as port:
        async with opened(port, status=False, confirm=False, write_s=30.0) as printer:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    assert await printer.print_slip(long) is None  # it is given up before it says anything
        began = loop.time()
        async with opened(port, status=False):  # the line is free again: nothing still holds it
            pass
        assert loop.time() - began < 2.0


@pytest.mark.parametrize("table", [REAL_TIME, REPORTED])
def test_each_bit_of_a_mask_counts_for_clones_set_only_one_of_a_pair(table: tuple[Bits, ...]) -> None:
    assert told(table, {}).code == ""
    for place, mask, fault in table:
        for single in (1 << n for n in range(8) if mask >> n & 1):
            assert told(table, {place: single}) == fault


def test_what_a_person_must_do_at_once_is_said_first() -> None:
    assert told(REAL_TIME, {1: 0x1A, 2: 0x36, 3: 0x1A, 4: 0x7E}).code == "paper_out"
    assert told(REAL_TIME, {1: 0x1A, 2: 0x16, 3: 0x12, 4: 0x1E}).code == "cover_open"
    assert told(REAL_TIME, dict.fromkeys((1, 2, 3, 4), 0x12)).code == ""
    assert of_report(b"\x18\x00\x0c\x0f").code == "paper_out"
    assert of_report(b"\x10\x00\x03\x0f").code == "paper_near_end"
    assert {fault.code for _, _, fault in (*REAL_TIME, *REPORTED)} - PRINTS <= CANNOT_PRINT


@pytest.mark.parametrize(
    ("byte", "trusted", "code"),
    [(0x18, True, ""), (0x38, True, "paper_out"), (0x20, False, "paper_out"), (0x10, True, "error"), (0x08, True, "offline"),
     (0x00, False, ""), (0x00, True, "offline")],
)  # fmt: skip
def test_the_usb_port_s_word_counts_once_it_has_said_that_all_is_well(byte: int, trusted: bool, code: str) -> None:
    assert Port(byte, trusted).fault.code == code


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"port": "/dev/usb/lp0", "match": {"serial": "J1"}},
        {"match": {"by_path": "*usb-0:1.1:*"}},
        {"port": "lp0"},
        {"port": "tcp:host"},
        {"port": "tcp:host:0"},
        {"port": "tcp:host:99999"},
        {"port": "tcp:..:9100"},
        {"port": "tcp:-host:9100"},
        {"port": f"tcp:{'a' * 64}.lan:9100"},
        {"port": "tcp:[::1:9100"},
        {"port": "tcp:[192.168.1.50]:9100"},
        {"port": "tcp:192.168.1.500:9100"},
        {"port": "/dev/lp0\n"},
        {"port": "/dev/lp0", "columns": 2},
        {"port": "/dev/lp0", "speed": 9600},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(wrong)


@pytest.mark.parametrize("host", ["192.168.1.50", "printer", "lp_1.office.lan", "lp.", "a" * 63, "[::1]", "::1", "[fe80::1%eth0]"])
def test_every_way_to_write_a_host_is_taken(host: str) -> None:
    assert Config.model_validate({"port": f"tcp:{host}:9100"}).place == f"tcp:{host}:9100"


@pytest.mark.parametrize("port", ["tcp:..:91", f"tcp:{'a' * 64}:9100", "tcp:127.0.0.1:70000", "/dev/null", "/dev/zero", "/", "/dev/log"])
def test_what_cannot_be_a_printer_is_a_device_error_in_words(port: str) -> None:
    with pytest.raises(DeviceError) as error:
        _wires.open_wire(port, _wires.SerialSettings(), 1.0)
    assert str(error.value).startswith(f"{port}: ")
