"""The far ends in the guest: USB devices made by configfs on dummy_hcd, GPIO lines made by gpio-sim. Started with ``-I -S``.

up                       all of them
plug NAME | unplug NAME  one USB device: printer, hid, acm, stranger
press LINE [MS]          close a button's contact (to ground) for so long
bounce LINE              the same with a bad contact
get LINE                 0 or 1: whether a lamp is lit
type NAME TEXT...        type each text and Enter without a pause, as a scanner of the keyboard kind does; NAME is hid or stranger
keys NAME HEX            send one raw report of eight bytes and release
"""

import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

USB = Path("/sys/kernel/config/usb_gadget")
PANEL = Path("/sys/kernel/config/gpio-sim/panel")
CHIP_LABEL, LINES = "pinctrl-bcm2835", 54  # as on a Raspberry Pi
PI_3B = "Hardware\t: BCM2835\nRevision\t: a02082\nModel\t\t: Raspberry Pi 3 Model B Rev 1.2\n"
BUTTONS = (4, 17, 26, 21, 5, 6, 13, 19)
BOOT_KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507190029658100c0"
)
"""HID 1.11, appendix B.1: a keyboard's report of eight bytes."""
REPORT_S = 0.008  # between two reports: what a full-speed keyboard's descriptor asks for at the least
SCAN_S = 0.0
ENTER = 40
SHIFT = 0x02
KEYS = {char: (4 + at, 0) for at, char in enumerate("abcdefghijklmnopqrstuvwxyz")} | {
    char: (30 + at, 0) for at, char in enumerate("1234567890")
}
KEYS |= {char.upper(): (code, SHIFT) for char, (code, _) in KEYS.items() if char.isalpha()} | {"-": (45, 0), " ": (44, 0)}


@dataclass(frozen=True)
class Device:
    """A USB device: numbers and texts of its descriptor, the gadget function that it is, and that function's attributes."""

    vendor: int
    product: int
    name: str
    serial: str
    function: str
    attributes: dict[str, bytes] = field(default_factory=dict)


KEYBOARD = {"protocol": b"1", "subclass": b"1", "report_length": b"8", "report_desc": BOOT_KEYBOARD}
DEVICES = {
    "printer": Device(0x04B8, 0x0202, "Lab printer", "LABPRN0001", "printer.0",
                      {"pnp_string": b"MFG:EPSON;CMD:ESC/POS;MDL:LAB;CLS:PRINTER;DES:Lab printer;  ", "q_len": b"10"}),
    "hid": Device(0x05E0, 0x1200, "Lab barcode scanner", "LABHID0001", "hid.usb0", KEYBOARD),
    "acm": Device(0x05E0, 0x1701, "Lab serial scanner", "LABACM0001", "acm.usb0"),
    "stranger": Device(0x046D, 0xC31C, "Somebody's keyboard", "", "hid.usb1", KEYBOARD),
}  # fmt: skip


def write(path: Path, value: bytes | str) -> None:
    path.write_bytes(value.encode() if isinstance(value, str) else value)


def make(name: str) -> None:
    """Describe a USB device; it is not plugged in yet."""
    device, place = DEVICES[name], USB / name
    for directory in ("strings/0x409", "configs/c.1/strings/0x409", f"functions/{device.function}"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    write(place / "idVendor", hex(device.vendor))
    write(place / "idProduct", hex(device.product))
    write(place / "bcdUSB", "0x0200")
    for key, text in (("manufacturer", "kiosd lab"), ("product", device.name), ("serialnumber", device.serial)):
        if text:
            write(place / "strings/0x409" / key, text)
    for key, value in device.attributes.items():
        write(place / "functions" / device.function / key, value)
    (place / "configs/c.1" / device.function).symlink_to(place / "functions" / device.function)


def plug(name: str) -> None:
    """In. Each device has a port of its own, so that each can go alone."""
    write(USB / name / "UDC", f"dummy_udc.{list(DEVICES).index(name)}")


def unplug(name: str) -> None:
    """Out. Whoever holds /dev/g_printer0 must have closed it: the kernel locks up otherwise when it is plugged in again."""
    write(USB / name / "UDC", "\n")


def up() -> None:
    """The board: a Pi by its looks, its pins with buttons at rest, and every USB device but the stranger."""
    (PANEL / "bank0").mkdir(parents=True, exist_ok=True)
    write(PANEL / "bank0/num_lines", str(LINES))
    write(PANEL / "bank0/label", CHIP_LABEL)
    write(PANEL / "live", "1")
    for line in BUTTONS:
        pull(line, True)
    looks = Path("/run/lab-cpuinfo")
    looks.write_text(Path("/proc/cpuinfo").read_text(encoding="ascii") + PI_3B, encoding="ascii")
    subprocess.run(["/usr/bin/mount", "--bind", looks, "/proc/cpuinfo"], check=True)  # gpiozero asks there what board this is
    for name in DEVICES:
        make(name)
    for name in ("printer", "hid", "acm"):
        plug(name)


def line_directory(line: int) -> Path:
    device, chip = (PANEL / "dev_name").read_text().strip(), (PANEL / "bank0/chip_name").read_text().strip()
    return Path(f"/sys/devices/platform/{device}/{chip}/sim_gpio{line}")


def pull(line: int, high: bool) -> None:
    write(line_directory(line) / "pull", "pull-up" if high else "pull-down")


def press(line: int, milliseconds: int = 120) -> None:
    """Close the contact and open it again."""
    pull(line, False)
    time.sleep(milliseconds / 1000)
    pull(line, True)


def bounce(line: int) -> None:
    """Five closings within 15 ms, then held."""
    for _ in range(4):
        for level in (False, True):
            pull(line, level)
            time.sleep(0.002)
    press(line)


def report(name: str, *reports: bytes) -> None:
    with Path(f"/dev/hidg{0 if name == 'hid' else 1}").open("r+b", buffering=0) as it:
        for one in reports:
            for each in (one, bytes(8)):
                it.write(each)
                time.sleep(REPORT_S)


def type_(name: str, *texts: str) -> None:
    """Each text and Enter, one code after the other."""
    for text in texts:
        report(name, *(bytes([shift, 0, key, 0, 0, 0, 0, 0]) for key, shift in (*(KEYS[char] for char in text), (ENTER, 0))))


def printer(line: str) -> str:
    """What the simulated printer answers."""
    with socket.socket(socket.AF_UNIX) as it:
        it.connect("/run/lab/printer.sock")
        it.sendall(line.encode() + b"\n")
        return it.recv(4096).decode()


def main(word: str, *rest: str) -> None:
    match word:
        case "up":
            up()
        case "plug":
            plug(*rest)
        case "unplug":
            with suppress(OSError):  # it is out already
                unplug(*rest)
        case "press":
            press(*map(int, rest))
        case "bounce":
            bounce(int(rest[0]))
        case "get":
            print((line_directory(int(rest[0])) / "value").read_text().strip())
        case "type":
            type_(*rest)
        case "keys":
            report(rest[0], bytes.fromhex(rest[1]))
        case "printer":
            print(printer(" ".join(rest)))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
