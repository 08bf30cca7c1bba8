"""Rules that find one device of several: over a tree like /sys, and through the serial driver over a pty."""

import fcntl
import termios
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd_drivers import _match, _serial
from kiosd_drivers._match import Links, Match, usb_node, usb_nodes
from kiosd_drivers.serial_scanner import DRIVER, Config
from kiosd_sim.scanner import SimScanner
from support.devices import take


class Tree:
    """A /sys and a /dev in which USB devices are plugged in and out; the layout is that of Linux 6.1."""

    def __init__(self, root: Path) -> None:
        self.sys, self.dev = root / "sys", root / "dev"
        self.links: Links = {"by_id": self.dev / "serial/by-id", "by_path": self.dev / "serial/by-path"}
        for folder in (self.sys / "class/tty", self.sys / "class/usbmisc", *self.links.values()):
            folder.mkdir(parents=True)
        virtual = self.sys / "devices/virtual/tty/tty0"
        virtual.mkdir(parents=True)
        (self.sys / "class/tty/tty0").symlink_to(virtual)

    def plug(self, node: str, socket: str, interface: str = "1.0", kind: str = "tty", deep: bool = False, **says: str) -> None:
        """A device at USB socket ``socket``; ``deep`` as a USB-to-serial converter, whose port is a device of its own."""
        usb = self.sys / "devices/platform/xhci/usb1" / socket
        device = usb / f"{socket}:{interface}" / (node if deep else "")
        place = device / kind / Path(node).name
        place.mkdir(parents=True)
        (place / "device").symlink_to(device)
        (place / "uevent").write_text(f"MAJOR=166\nMINOR=0\nDEVNAME={node}\n")
        for key, text in says.items():
            (usb / key).write_text(f"{text}\n")
        (self.sys / "class" / kind / Path(node).name).symlink_to(place)
        (self.dev / node).parent.mkdir(exist_ok=True)
        (self.dev / node).touch()

    def unplug(self, node: str, kind: str = "tty") -> None:
        (self.sys / "class" / kind / node).unlink()
        (self.dev / node).unlink()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    tree = Tree(tmp_path)
    monkeypatch.setattr(_match, "SYSFS", tree.sys)
    monkeypatch.setattr(_match, "DEV", tree.dev)
    monkeypatch.setattr(_serial, "SERIAL_LINKS", tree.links)
    tree.plug("ttyUSB0", "1-1.1", deep=True, idVendor="1a86", idProduct="7523", product="USB Serial")
    tree.plug("ttyACM0", "1-1.2", idVendor="05f9", idProduct="4204", manufacturer="Datalogic", product="Scanner", serial="S1234")
    tree.plug("ttyACM1", "1-1.3", idVendor="05F9", idProduct="4204", manufacturer="Datalogic", product="Scanner", serial="S9999")
    tree.plug("usb/lp0", "1-1.4", kind="usbmisc", idVendor="04b8", idProduct="0e15", manufacturer="EPSON", product="TM-T20", serial="J1")
    (tree.links["by_id"] / "usb-Datalogic_Scanner_S1234-if00").symlink_to("../../ttyACM0")
    (tree.links["by_path"] / "platform-xhci-usb-0:1.1:1.0-port0").symlink_to("../../ttyUSB0")
    return tree


def find(tree: Tree, **rules: str) -> str:
    return Path(usb_node("tty", Match.model_validate(rules), tree.links)).name


def why(tree: Tree, **rules: str) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        find(tree, **rules)
    return caught.value


@pytest.mark.parametrize(
    ("rules", "node"),
    [
        ({"vid_pid": "1a86:7523"}, "ttyUSB0"),
        ({"vid_pid": "1A86:7523"}, "ttyUSB0"),
        ({"vid_pid": "05f9:4204", "serial": "S1234"}, "ttyACM0"),
        ({"serial": "S9*"}, "ttyACM1"),
        ({"name": "Datalogic*", "phys": "1-1.3:*"}, "ttyACM1"),
        ({"phys": "1-1.1:1.0"}, "ttyUSB0"),
        ({"by_id": "usb-Datalogic_*S1234-if00"}, "ttyACM0"),
        ({"by_path": "*usb-0:1.1:*"}, "ttyUSB0"),
    ],
)
def test_each_rule_finds_its_port(tree: Tree, rules: dict[str, str], node: str) -> None:
    assert find(tree, **rules) == node


def test_nothing_that_fits_is_absent_and_the_rule_is_named(tree: Tree) -> None:
    error = why(tree, vid_pid="1a86:7523", serial="S1234")
    assert error.code == "absent" and "1a86:7523" in str(error) and "S1234" in str(error)


def test_two_that_fit_are_both_named_and_none_is_taken(tree: Tree) -> None:
    error = why(tree, vid_pid="05f9:4204")
    assert error.code == "ambiguous"
    assert all(text in str(error) for text in ("ttyACM0", "ttyACM1", "S1234", "S9999", "1-1.2:1.0", "1-1.3:1.0"))


def test_two_ports_of_one_device_are_told_apart_by_their_interface(tree: Tree) -> None:
    for number in (0, 2):
        tree.plug(f"ttyACM{7 + number}", "1-2", interface=f"1.{number}", idVendor="aaaa", idProduct="bbbb")
    assert why(tree, vid_pid="aaaa:bbbb").code == "ambiguous"
    assert find(tree, vid_pid="aaaa:bbbb", phys="*:1.2") == "ttyACM9"


def test_what_is_plugged_in_is_listed_and_ports_without_usb_are_not(tree: Tree) -> None:
    assert [Path(node.path).name for node in usb_nodes("tty")] == ["ttyACM0", "ttyACM1", "ttyUSB0"]
    (printer,) = usb_nodes("usbmisc")
    assert printer == _match.UsbNode(str(tree.dev / "usb/lp0"), "04b8:0e15", "J1", "EPSON TM-T20", "1-1.4:1.0")


def test_a_machine_without_usb_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_match, "SYSFS", tmp_path / "none")
    assert usb_nodes("usbmisc") == []


def test_a_device_that_is_unplugged_while_it_is_looked_at_tells_nothing(tree: Tree) -> None:
    (tree.sys / "class/tty/ttyS9").symlink_to(tree.sys / "gone")
    assert len(usb_nodes("tty")) == 3


async def test_a_scanner_replugged_under_another_name_is_found_and_another_one_in_its_place_is_not(tree: Tree, tmp_path: Path) -> None:
    config = Config.model_validate({"match": {"vid_pid": "05f9:4204", "serial": "S1234"}})
    sim = SimScanner(tmp_path / "line")

    async def scans() -> None:
        async with DRIVER.open(config) as near:
            await sim.send("CARD-1")
            assert await take(near, 1) == ["CARD-1"]

    with sim.port.plugged():
        for node, socket in (("ttyACM0", ""), ("ttyACM5", "1-3")):
            if socket:
                tree.plug(node, socket, idVendor="05f9", idProduct="4204", serial="S1234")
            (tree.dev / node).unlink()
            (tree.dev / node).symlink_to(sim.port.link)
            await scans()
            tree.unplug(node)
            with pytest.raises(DeviceError) as caught:
                await scans()
            assert caught.value.code == "absent"
        tree.plug("ttyACM6", "1-4", idVendor="05f9", idProduct="4204", serial="S5555")
        with pytest.raises(DeviceError) as caught:
            await scans()
        assert caught.value.code == "absent"


@pytest.mark.parametrize("rules", [{}, {"vid_pid": "1a86"}, {"vid_pid": "1a86:*"}, {"serial": ""}, {"name": "?*"}, {"node": "ttyUSB0"}])
def test_a_rule_that_names_nothing_is_refused(rules: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Match.model_validate(rules)


# -- a close that does not wait

STRUCT = bytes(range(72))


class Tty:
    """The two requests of the kernel's serial drivers about a port's settings."""

    def __init__(self, refuses: int | None = None) -> None:
        self.refuses = refuses
        self.settings: bytes | None = None

    def ioctl(self, _: int, request: int, state: Any) -> int:
        if request == self.refuses:
            raise PermissionError(1, "Operation not permitted")
        if request == termios.TIOCGSERIAL:
            state[: len(STRUCT)] = STRUCT
        else:
            self.settings = bytes(state)
        return 0


def test_a_port_is_told_not_to_wait_for_its_output_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = Tty()
    monkeypatch.setattr(fcntl, "ioctl", tty.ioctl)
    _serial._forget_output_when_closed(0)
    assert tty.settings is not None
    assert tty.settings[40:42] == b"\xff\xff"
    assert tty.settings[:40] == STRUCT[:40] and tty.settings[42:72] == STRUCT[42:]


@pytest.mark.parametrize("refuses", [termios.TIOCGSERIAL, termios.TIOCSSERIAL])
def test_a_port_that_cannot_be_told_is_used_all_the_same(monkeypatch: pytest.MonkeyPatch, refuses: int) -> None:
    tty = Tty(refuses)
    monkeypatch.setattr(fcntl, "ioctl", tty.ioctl)
    _serial._forget_output_when_closed(0)
    assert tty.settings is None
