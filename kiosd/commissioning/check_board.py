"""Kernel modules and GPIO: whether the kernel can drive the configured devices, and the pins are free."""

import re
from collections.abc import Iterator
from pathlib import Path

from kiosd.commissioning.chips import Chip
from kiosd.commissioning.paste import HEADER, pins
from kiosd.commissioning.patient import ON_PINS, ON_SERIAL, PRINTING, TYPING, Patient
from kiosd.findings import Finding, failed, note, ok, skipped

MODULES = (
    ("usblp", PRINTING, "USB printers"),
    ("cdc_acm", ON_SERIAL, "USB scanners and displays with a virtual COM port"),
    ("usbhid", TYPING, "USB scanners and key pads that type"),
)
"""Module, the drivers whose devices it drives, and what those are."""
BLACKLISTS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d")
OUR_LINES = ("lg", "gpiozero", "kiosd")
"""How lines are labelled that lgpio holds, so kiosd itself."""
SERIAL_CONSOLE_PINS = {14, 15}
BOOT_FILES = ("/boot/firmware/config.txt", "/boot/config.txt")
OVERLAYS = (
    (r"^dtparam=(?:.*,)?i2c(?:_arm)?=on", {2, 3}, "I2C"),
    (r"^dtparam=(?:.*,)?spi=on", {7, 8, 9, 10, 11}, "SPI"),
    (r"^dtparam=(?:.*,)?i2s=on", {18, 19, 20, 21}, "I2S sound"),
    (r"^dtoverlay=w1-gpio(?!.*gpiopin)", {4}, "1-wire"),
    (r"^enable_uart=1", SERIAL_CONSOLE_PINS, "the serial port"),
)
"""Lines of config.txt that give pins to something else (the firmware's overlays/README). The chip does not tell: such a pin is not in use
as a GPIO line, it is switched to another function."""


def modules(patient: Patient) -> Iterator[Finding]:
    """Each module that is needed: loaded, built in, or there to be loaded; and not forbidden."""
    needed = [row for row in MODULES if patient.settings is None or patient.of(row[1])]
    wrong, good = failed if patient.settings is not None else note, []
    for module, _, what in needed:
        forbidden = _blacklisted(patient, module)
        if forbidden:
            yield wrong(
                "kernel modules",
                f"{module} is on a blacklist in {forbidden}",
                f"{what} get no device",
                f"remove that line, then: sudo modprobe {module}",
            )
        elif _loaded(patient, module) or _there(patient, module):
            good.append(module)
        else:
            kernel = patient.machine.release() or "this kernel"
            yield wrong(
                "kernel modules",
                f"{kernel} has no {module}",
                f"{what} get no device",
                "install the whole kernel package of this board (not a -cloud one), then restart",
            )
    if good or not needed:
        yield ok("kernel modules", ", ".join(good) or "none is needed")


def _loaded(patient: Patient, module: str) -> bool:
    return patient.machine.there(f"/sys/module/{module}") or patient.machine.there(f"/sys/bus/usb/drivers/{module}")


def _there(patient: Patient, module: str) -> bool:
    """Whether the kernel can load it, or has it built in; a module's file may be compressed, and be written with - for _."""
    wanted = re.compile(rf"/{module.replace('_', '[-_]')}\.ko(\.\w+)?(:|$)", re.MULTILINE)
    folder = f"/lib/modules/{patient.machine.release()}"
    return any(wanted.search(_whole(patient.machine.path(f"{folder}/{name}"))) for name in ("modules.dep", "modules.builtin"))


def _whole(path: Path) -> str:
    """All of a file of the kernel package, which may be longer than what is read of other files."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _blacklisted(patient: Patient, module: str) -> str:
    line = re.compile(rf"^\s*(blacklist\s+{module}\s*|install\s+{module}\s+(/usr)?/bin/(true|false)\s*)$", re.MULTILINE)
    files = [path for folder in BLACKLISTS for path in patient.machine.inside(folder, "*.conf")]
    return next((patient.machine.name(path) for path in files if line.search(patient.machine.text(path))), "")


def gpio(patient: Patient) -> Iterator[Finding]:
    """The chip of the header, and each configured pin."""
    panels = patient.of(ON_PINS)
    if patient.settings is not None and not panels:
        yield skipped("gpio", "no device on pins is configured")
        return
    nodes = patient.machine.inside("/dev", "gpiochip*")
    chips = {patient.machine.name(node): patient.machine.chip(node) for node in nodes}
    header = next(((name, chip) for name, chip in chips.items() if chip is not None and chip.label.startswith(HEADER)), None)
    if header is None:
        yield _no_header(chips, bool(panels))
        return
    name, chip = header
    found = [*_busy(patient, chip), *_console_pins(patient), *_overlays(patient)]
    yield from found or [ok("gpio", f"{name} is {chip.label} with {chip.lines} lines; no configured pin is held by another")]


def _no_header(chips: dict[str, Chip | None], wanted: bool) -> Finding:
    if not chips:
        result, remedy = "there is no /dev/gpiochip", "a Raspberry Pi with its own kernel; buttons on USB work on any board"
    elif None in chips.values():
        return skipped(
            "gpio", f"{', '.join(name for name, chip in chips.items() if chip is None)} may not be opened here: run this as root"
        )
    else:
        result, remedy = f"no chip of a header among {', '.join(chips)}", "a kernel that knows this board's pins"
    return (failed if wanted else note)("gpio", result, "this kernel drives no pins of a header", remedy)


def _busy(patient: Patient, chip: Chip) -> Iterator[Finding]:
    for pin, device in sorted(pins(patient.devices).items()):
        holder = chip.used.get(pin, "")
        if holder and holder not in OUR_LINES:
            remedy = "switch that off in /boot/firmware/config.txt (dtparam, dtoverlay), or take another pin"
            yield failed("gpio", f"pin {pin} of [devices.{device}] is held by {holder}", "a pin has one user", remedy)


def _console_pins(patient: Patient) -> Iterator[Finding]:
    console = re.search(r"\bconsole=(serial0|ttyAMA0|ttyS0)\b", patient.machine.text("/proc/cmdline"))
    mine = {pin: device for pin, device in pins(patient.devices).items() if pin in SERIAL_CONSOLE_PINS}
    if console and mine:
        shown = ", ".join(f"pin {pin} of [devices.{device}]" for pin, device in sorted(mine.items()))
        remedy = f"remove console={console[1]},... from /boot/firmware/cmdline.txt and set enable_uart=0, then restart"
        yield failed("gpio", f"{shown}: the serial console is there", f"the kernel was started with console={console[1]}", remedy)


def _overlays(patient: Patient) -> Iterator[Finding]:
    name = next((name for name in BOOT_FILES if patient.machine.there(name)), BOOT_FILES[0])
    text = patient.machine.text(name)
    for pattern, taken, what in OVERLAYS:
        mine = {pin: device for pin, device in pins(patient.devices).items() if pin in taken}
        if mine and (line := re.search(pattern, text, re.MULTILINE)):
            shown = ", ".join(f"pin {pin} of [devices.{device}]" for pin, device in sorted(mine.items()))
            remedy = f"remove the line {line[0]}... from {name} and restart, or take other pins"
            yield failed("gpio", f"{shown}: {what} is there", "a pin has one function", remedy)
