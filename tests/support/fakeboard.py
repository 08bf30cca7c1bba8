"""A board as files in a folder: sysfs, udev's names, /proc and /etc, as Debian and Raspberry Pi OS have them."""

import os
from collections.abc import Mapping
from pathlib import Path

from kiosd.commissioning.chips import Chip
from kiosd.commissioning.machine import Machine

SYSTEMD = Path(__file__).parents[2] / "systemd"
HEADER = Chip("pinctrl-bcm2711", 58, {14: "serial", 42: "led0"})
SCANNER_KEYS = "1000000000007 ff800000000007ff febeffdff3cfffff fffffffffffffffe"
PAD_KEYS = "10000 0 0 3 c000000000000000 0"
"""KEY= bitmaps: a keyboard's; a pad's is made by ``bitmap``."""
VERSIONS = {
    "gpiozero": "2.0.1.post3", "lgpio": "0.2.2.0", "evdev": "1.9.1", "pyserial": "3.5", "python-escpos": "3.1", "minimalmodbus": "2.1.1",
    "luma.led_matrix": "1.9.0", "paho-mqtt": "2.2.0", "pydantic": "2.9.0", "pyudev": "0.24.5",
}  # fmt: skip
USER = "kiosd"
UID = 990
"""Not the number of whoever runs the tests."""


def bitmap(*keys: int) -> str:
    """Keys as the kernel prints them, in words of 64 bits."""
    number = sum(1 << key for key in set(keys))
    words = []
    while number:
        words.append(f"{number & 0xFFFFFFFFFFFFFFFF:x}")
        number >>= 64
    return " ".join(reversed(words)) or "0"


class FakeBoard:
    """What is on it is written by its methods; ``machine`` is how kiosd sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions: dict[str, str] = dict(VERSIONS)
        self.chips: dict[str, Chip | None] = {}
        self.programs = {"systemctl": "systemd 257 (257.7-1)\n+PAM"}
        self.inputs: list[str] = []

    @property
    def machine(self) -> Machine:
        return Machine(
            self.root,
            self.versions.get,
            lambda words: self.programs.get(words[0], ""),
            lambda node: self.chips.get(node.name),
        )

    def file(self, name: str, text: str = "", mode: int = 0o644) -> Path:
        """A file; folders as needed."""
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def link(self, name: str, to: str) -> None:
        """A link to ``to`` (absolute on the board); written as a relative one, for the board is a folder."""
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(self.root / to.lstrip("/"), path.parent))

    def node(self, name: str, mode: int = 0o660) -> None:
        """A device node: a file here, in a group of whoever runs the tests."""
        self.file(name, "", mode)

    def installed(self) -> None:
        """A board on which everything is as the README says."""
        gid = os.getgid()
        self.file("/etc/passwd", f"root:x:0:0:root:/root:/bin/bash\n{USER}:x:{UID}:{UID}::/var/lib/kiosd:/usr/sbin/nologin\n")
        groups = [f"{name}:x:{gid}:" for name in ("gpio", "dialout", "input", "lp", "audio", "spi")]
        self.file("/etc/group", "\n".join(["root:x:0:", f"{USER}:x:{UID}:", *groups]))
        self.file("/etc/systemd/system/kiosd.service", (SYSTEMD / "kiosd.service").read_text())
        self.link("/etc/systemd/system/multi-user.target.wants/kiosd.service", "/etc/systemd/system/kiosd.service")
        self.file("/etc/udev/rules.d/60-kiosd.rules", (SYSTEMD / "60-kiosd.rules").read_text())
        (self.root / "etc/systemd/system/ctrl-alt-del.target").symlink_to("/dev/null")
        self.file("/proc/sys/kernel/sysrq", "0\n")
        self.file("/proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8\n")
        self.file("/proc/cmdline", "console=tty1 root=PARTUUID=1 rootwait\n")
        names = ("usb/class/usblp", "usb/class/cdc-acm", "hid/usbhid/usbhid")
        self.file("/lib/modules/6.12.47+rpt-rpi-v8/modules.dep", "".join(f"kernel/drivers/{name}.ko.xz:\n" for name in names))
        self.file("/sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
        self.gpio()

    def gpio(self, chip: Chip | None = HEADER) -> None:
        """The chip of the header."""
        self.node("/dev/gpiochip0")
        self.chips["gpiochip0"] = chip

    def usb(self, socket: str, identity: str, serial: str = "", product: str = "") -> str:
        """A USB device in ``socket`` (``1-1.2``); where its first interface is."""
        device = f"/sys/devices/platform/soc/usb1/{socket}"
        vendor, _, model = identity.partition(":")
        for name, value in (("idVendor", vendor), ("idProduct", model), ("product", product), ("serial", serial)):
            if value:
                self.file(f"{device}/{name}", value + "\n")
        self.file(f"{device}/{socket}:1.0/bInterfaceNumber", "00\n")
        if not (self.root / f"sys/bus/usb/devices/{socket}").is_symlink():
            self.link(f"/sys/bus/usb/devices/{socket}", device)
        return f"{device}/{socket}:1.0"

    def printer(self, number: int, socket: str, ieee1284: str = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;", serial: str = "") -> None:
        """A USB printer at usblp."""
        interface = self.usb(socket, "04b8:0e15", serial)
        self.file(f"{interface}/ieee1284_id", ieee1284)
        self._class("usbmisc", f"lp{number}", interface, "/sys/bus/usb/drivers/usblp")
        self.node(f"/dev/usb/lp{number}")

    def port(self, name: str, socket: str, identity: str = "1a86:7523", serial: str = "", by_id: str = "", driver: str = "ch341") -> None:
        """A USB serial port; by-id has its name only when it is given, for udev leaves one link where two are alike."""
        interface = self.usb(socket, identity, serial, "USB Serial")
        self._class("tty", name, interface, f"/sys/bus/usb-serial/drivers/{driver}")
        self.node(f"/dev/{name}")
        self.link(f"/dev/serial/by-path/platform-usb-0:{socket}:1.0-port0", f"/dev/{name}")
        if by_id:
            self.link(f"/dev/serial/by-id/{by_id}", f"/dev/{name}")

    def uart(self, name: str, kind: str = "5") -> None:
        """A serial port of the board; ``kind`` 0 is a place without a port."""
        device = "/sys/devices/platform/soc/serial"
        self.file(f"{device}/uevent")
        self._class("tty", name, device, "/sys/bus/platform/drivers/uart-pl011")
        self.file(f"/sys/class/tty/{name}/type", kind + "\n")
        self.node(f"/dev/{name}")

    def keyboard(
        self,
        event: str,
        socket: str,
        name: str = "Example Scanner",
        bits: Mapping[str, str] | None = None,
        serial: str = "",
        by_id: str = "",
    ) -> None:
        """Something that types."""
        interface = self.usb(socket, "05e0:1200", serial)
        sysfs = f"{interface}/input/input{event}"
        self.file(f"{sysfs}/name", name)
        lines = [
            "I: Bus=0003 Vendor=05e0 Product=1200 Version=0110", f'N: Name="{name}"', f"P: Phys=usb-0000:01:00.0-{socket}/input0",
            f"S: Sysfs={sysfs.removeprefix('/sys')}", f"U: Uniq={serial}", f"H: Handlers=sysrq kbd {event} leds ", "B: PROP=0",
            *(f"B: {key}={value}" for key, value in (bits or {"EV": "120013", "KEY": SCANNER_KEYS}).items()),
        ]  # fmt: skip
        self.inputs.append("\n".join(lines))
        self.file("/proc/bus/input/devices", "\n\n".join(self.inputs) + "\n\n")
        self.node(f"/dev/input/{event}")
        self.link(f"/dev/input/by-path/platform-usb-0:{socket}:1.0-event-kbd", f"/dev/input/{event}")
        if by_id:
            self.link(f"/dev/input/by-id/{by_id}", f"/dev/input/{event}")

    def process(self, number: int, name: str, *words: str) -> None:
        """A running program."""
        self.file(f"/proc/{number}/comm", name + "\n")
        self.file(f"/proc/{number}/cmdline", "\0".join((name, *words)) + "\0")

    def _class(self, kind: str, name: str, device: str, driver: str) -> None:
        self.file(f"{device}/{kind}/{name}/dev", "0:0\n")
        (self.root / driver.lstrip("/")).mkdir(parents=True, exist_ok=True)
        if not (self.root / device.lstrip("/") / "driver").is_symlink():
            self.link(f"{device}/driver", driver)
        self.link(f"{device}/{kind}/{name}/device", device)
        self.link(f"/sys/class/{kind}/{name}", f"{device}/{kind}/{name}")
