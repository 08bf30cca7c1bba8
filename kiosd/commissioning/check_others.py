"""Other programs that get in the way: they talk to new devices, take them, or read what a scanner types."""

import re
from collections.abc import Iterator

from kiosd.commissioning.check_account import RULE_FOLDERS
from kiosd.commissioning.patient import PRINTING, TYPING, Patient
from kiosd.findings import Finding, failed, note, ok, skipped

BRAILLE = {"1a86:7523": "CH340", "10c4:ea60": "CP210x", "0403:6001": "FT232"}
"""USB serial adapters whose identity brltty takes for a Braille display's."""
PRINT_SYSTEMS = {"cupsd": "cups", "ipp-usb": "ipp-usb", "lpd": "lpr"}
"""Program -> Debian package."""
LOGINS = ("agetty", "getty")
SCANNED_KEYS = "a scanner that types can send any key: codes that are made for it restart a board (BadBarcode)"


def modem_manager(patient: Patient) -> Iterator[Finding]:
    """It greets every new serial port with AT commands, unless a rule tells it not to."""
    machine = patient.machine
    if not machine.runs("ModemManager"):
        yield ok("ModemManager", "it does not run")
        return
    ruled = any("ID_MM_DEVICE_IGNORE" in machine.text(path) for folder in RULE_FOLDERS for path in machine.inside(folder, "*kiosd*.rules"))
    if ruled:
        yield ok("ModemManager", "it runs, and our udev rule keeps it from serial ports")
        return
    cause = "it sends AT commands to every serial port for 10 s after plugging in; a board shows them, a scanner takes them for settings"
    yield failed(
        "ModemManager", "it runs, and no rule keeps it from serial ports", cause, "sudo apt remove modemmanager, or install 60-kiosd.rules"
    )


def brltty(patient: Patient) -> Iterator[Finding]:
    """It takes common serial adapters for Braille displays, and their port is gone."""
    machine = patient.machine
    installed = machine.program("brltty") is not None or machine.runs("brltty")
    if not installed:
        yield ok("brltty", "it is not installed")
        return
    adapters = sorted({BRAILLE[identity] for identity in _identities(patient) & BRAILLE.keys()})
    cause, remedy = "it takes CH340, CP210x and FT232 adapters for Braille displays; their /dev/ttyUSB disappears", "sudo apt remove brltty"
    if adapters:
        yield failed("brltty", f"it is installed, and {', '.join(adapters)} is plugged in", cause, remedy)
    else:
        yield note("brltty", "it is installed", cause, remedy)


def _identities(patient: Patient) -> set[str]:
    """Every USB device, those without a driver of their own included: a port that brltty has taken is no serial port any more."""
    machine = patient.machine
    return {f"{machine.text(one / 'idVendor')}:{machine.text(one / 'idProduct')}" for one in machine.inside("/sys/bus/usb/devices")}


def print_system(patient: Patient) -> Iterator[Finding]:
    """A print system opens the printer for itself, or takes it from the kernel's usblp."""
    found = patient.machine.runs(*PRINT_SYSTEMS)
    if not found:
        yield ok("print system", "none runs")
        return
    cause = "a print system takes USB printers away from /dev/usb/lp*, and its queue stays stopped after the paper ran out"
    usb = [name for name in patient.of(PRINTING) if str(patient.devices[name].get("port", "")).startswith("/dev/usb/")]
    make = failed if usb else note
    yield make("print system", f"{found} runs", cause, f"sudo apt remove {PRINT_SYSTEMS[found]}")


def console(patient: Patient) -> Iterator[Finding]:
    """Logins and kernel consoles: on the screen that a scanner would type at, and on configured serial ports."""
    machine = patient.machine
    terminals = {
        word for process in machine.processes() if process.name in LOGINS for word in process.words if re.fullmatch(r"tty\w+", word)
    }
    kernels = set(re.findall(r"\bconsole=(tty\w+)", machine.text("/proc/cmdline")))
    taken = [(name, tty) for name, port in patient.ports() if (tty := machine.path(port).resolve().name) in terminals | kernels]
    for name, tty in taken:
        remedy = f"sudo systemctl disable --now serial-getty@{tty}, and no console={tty} in /boot/firmware/cmdline.txt"
        yield failed("console", f"{tty} of [devices.{name}] is a console", "a login or the kernel reads and writes there", remedy)
    screens = sorted(tty for tty in terminals if re.fullmatch(r"tty\d+", tty))
    if screens and patient.of(TYPING):
        cause = "until kiosd has grabbed a scanner, and whenever it does not run, what is scanned is typed at that login"
        yield note(
            "console",
            f"a login waits on {', '.join(screens)}",
            cause,
            f"sudo systemctl mask getty@{screens[0]}, or scanners in serial mode",
        )
    elif not taken:
        yield ok("console", "no login waits on a device of this kiosk")


def console_keys(patient: Patient) -> Iterator[Finding]:
    """What a key press can do to the whole board."""
    if not patient.of(TYPING):
        yield skipped("console keys", "no device that types is configured")
        return
    machine = patient.machine
    found = False
    if machine.text("/proc/sys/kernel/sysrq") not in {"", "0"}:
        found = True
        yield note(
            "console keys",
            "SysRq is on",
            SCANNED_KEYS,
            "echo kernel.sysrq=0 | sudo tee /etc/sysctl.d/60-kiosd.conf && sudo sysctl --system",
        )
    masked = machine.path("/etc/systemd/system/ctrl-alt-del.target")
    if not masked.is_symlink() or masked.readlink().name != "null":
        found = True
        yield note("console keys", "Ctrl-Alt-Del restarts the board", SCANNED_KEYS, "sudo systemctl mask ctrl-alt-del.target")
    if not found:
        yield ok("console keys", "SysRq is off, Ctrl-Alt-Del does nothing")
