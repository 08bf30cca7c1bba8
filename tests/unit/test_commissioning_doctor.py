"""``kiosd doctor``: each check on a board where all is well and on one where it is not. Every board is files in a folder."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosd.clock import ManualClock
from kiosd.commissioning import doctor
from kiosd.commissioning.check_libraries import lgpio_remedy
from kiosd.commissioning.chips import Chip
from kiosd.commissioning.doctor import CHECKS, Check, examine
from kiosd.commissioning.machine import printed
from kiosd.commissioning.patient import Patient
from kiosd.commissioning.shipped import shipped
from kiosd.config import load
from kiosd.errors import ConfigError
from kiosd.findings import Finding, good
from kiosd.journal.place import lock
from support.fakeboard import FakeBoard
from support.kiosk import write_config

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
DEVICES = """
[ticket_machine]
buttons = "tickets"
printer = "printer"
[call_board]
displays = ["board"]
[devices.tickets]
driver = "gpio_buttons"
buttons = { F = 4, G = 17 }
[devices.printer]
driver = "escpos_printer"
port = "/dev/usb/lp0"
[devices.board]
driver = "serial_display"
port = "/dev/serial/by-id/usb-board"
protocol = "cd5220"
[devices.card]
driver = "evdev_scanner"
match = { by_id = "usb-Example_S1-event-kbd" }
"""


class Case:
    """A board, its configuration and its state, good at first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.board = FakeBoard(folder / "board")
        self.board.installed()
        self.board.printer(0, "1-1.2")
        self.board.port("ttyUSB0", "1-1.3", identity="067b:2303", by_id="usb-board")
        self.board.keyboard("event0", "1-1.1", serial="S1", by_id="usb-Example_S1-event-kbd")
        self.board.file("/usr/bin/setserial")
        self.config = write_config(folder, more=DEVICES)
        self.config.write_text(
            self.config.read_text().replace("[counters.1]", '[counters.1]\nscanner = "card"').replace("trust_rtc = true", "")
        )
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self.board.file("/etc/passwd", f"kiosd:x:{os.getuid()}:990::/var/lib/kiosd:/bin/false\n")
        self.clock = ManualClock(NOW)
        self.patch = monkeypatch
        self.disk("ext4")
        self.free(20_000)

    def disk(self, kind: str, options: str = "rw") -> None:
        device = self.state.stat().st_dev
        self.board.file(
            "/proc/self/mountinfo", f"1 1 {os.major(device)}:{os.minor(device)} / / rw,noatime shared:1 - {kind} /dev/x {options}\n"
        )

    def free(self, megabytes: int) -> None:
        self.patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=megabytes * 1_000_000))

    def settings(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def patient(self) -> Patient:
        try:
            settings, trouble = load(self.config), ""
        except ConfigError as exc:
            settings, trouble = None, str(exc)
        return Patient(self.board.machine, self.config, self.state, self.clock, settings, trouble)

    def look(self, name: str) -> list[Finding]:
        check = next(check for check in CHECKS if check.name == name)
        found = list(check.look(self.patient()))
        assert found, "a check says something"
        assert all(finding.check == name for finding in found)
        assert all(finding.verdict != "failed" or (finding.cause and finding.remedy) for finding in found)
        return found


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(tmp_path, monkeypatch)


def test_a_board_as_the_readme_says_is_well(case: Case) -> None:
    found = list(examine(case.patient()))
    assert [(one.check, one.result) for one in found if one.verdict not in {"ok", "skipped"}] == []
    assert {one.check for one in found} == {check.name for check in CHECKS}


def test_a_bare_board_fails_and_says_what_to_do(tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "bare")
    board.versions, board.programs = {}, {}
    found = list(examine(Patient(board.machine, tmp_path / "none.toml", tmp_path / "state", ManualClock(NOW), None, "no such file")))
    assert not good(found)
    assert not [one for one in found if "crashed" in one.result]
    assert all(one.remedy for one in found if one.verdict == "failed")


# One bad state for each check: what is done to the board, and the word that the finding must hold.


def roots_alone(case: Case) -> None:
    """The printer belongs to whoever runs the tests, and kiosd is somebody else."""
    case.board.file("/etc/passwd", f"kiosd:x:{os.getuid() + 1}:990::/:/bin/false")
    case.board.root.joinpath("dev/usb/lp0").chmod(0o600)


def forget(case: Case, name: str) -> None:
    case.board.root.joinpath(name).unlink()


def edit(case: Case, name: str, old: str, new: str) -> None:
    path = case.board.root / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


UNIT = "etc/systemd/system/kiosd.service"
RULES = "etc/udev/rules.d/60-kiosd.rules"
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
NO_PANEL = ('buttons = "tickets"\n', "")


def brltty(case: Case) -> None:
    case.board.file("/usr/bin/brltty")
    case.board.usb("1-1.4", "10c4:ea60")


def modem_manager(case: Case) -> None:
    case.board.process(7, "ModemManager")
    forget(case, RULES)


def matrix(case: Case) -> None:
    case.settings('displays = ["board"]', 'displays = ["board", "strip"]')
    case.config.write_text(case.config.read_text() + '[devices.strip]\ndriver = "max7219_display"\nport = "/dev/spidev0.0"\n')


def late_clock(case: Case) -> None:
    """The clock lags behind what is written already."""
    (case.state / "journal.db").touch()
    os.utime(case.state / "journal.db", (NOW.timestamp() + 500,) * 2)


def serial_console(case: Case) -> None:
    edit(case, "proc/cmdline", "console=tty1", "console=serial0,115200 console=tty1")
    case.settings("F = 4", "F = 14")


def spi(case: Case) -> None:
    case.settings("F = 4", "F = 9")
    case.board.file("/boot/config.txt", "dtparam=audio=on,spi=on\n")


def no_voltage(case: Case) -> None:
    forget(case, THROTTLED.lstrip("/"))
    case.board.file("/sys/class/hwmon/hwmon0/name", "rpi_volt\n")
    case.board.file("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")


def two_scanners(case: Case) -> None:
    case.settings('by_id = "usb-Example_S1-event-kbd"', 'name = "Example*"')
    case.board.keyboard("event1", "1-1.4", serial="S2")


def moving_name(case: Case) -> None:
    case.settings("/dev/serial/by-id/usb-board", "/dev/ttyUSB0")


BAD: list[tuple[str, Callable[[Case], object], str, str]] = [
    ("configuration", lambda c: c.settings("[site]", "[sight]"), "failed", "sight"),
    ("user", lambda c: c.board.file("/etc/passwd", "root:x:0:0::/:/bin/sh"), "failed", "no user kiosd"),
    ("groups", lambda c: edit(c, UNIT, "gpio dialout input lp audio spi", "gpio dialout lp spi"), "failed", "group input"),
    ("unit", lambda c: forget(c, UNIT), "failed", "not installed"),
    ("unit", lambda c: edit(c, UNIT, "WatchdogSec=30", "WatchdogSec=0"), "note", "WatchdogSec=0"),
    ("unit", lambda c: edit(c, UNIT, "WatchdogSec=30", ""), "note", "no WatchdogSec="),
    ("unit", lambda c: edit(c, UNIT, "Type=notify", "Type=simple"), "note", "Type=simple"),
    ("unit", lambda c: edit(c, UNIT, "Environment=GPIOZERO_PIN_FACTORY", "# "), "note", "Environment="),
    ("unit", lambda c: edit(c, UNIT, "WorkingDirectory=", "# "), "note", "no WorkingDirectory="),
    *(
        ("unit", lambda c, line=line: c.board.file(f"/{UNIT}.d/hard.conf", f"[Service]\n{line}\n"), "note", line.splitlines()[-1])
        for line in (
            "ProtectClock=yes",
            "PrivateDevices=true",
            "ProcSubset=pid",
            "DevicePolicy=closed",
            "RestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX AF_INET",
            "BindsTo=dev-usb-lp0.device",
        )
    ),
    ("unit", lambda c: edit(c, UNIT, "AF_INET6 AF_NETLINK", "AF_INET6"), "note", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"),
    ("unit", lambda c: edit(c, UNIT, "SupplementaryGroups=gpio", "SupplementaryGroups=i2c gpio"), "failed", "group i2c"),
    ("unit", lambda c: forget(c, "etc/systemd/system/multi-user.target.wants/kiosd.service"), "note", "not enabled"),
    ("systemd", lambda c: c.board.programs.update(systemctl="systemd 247 (247.3-7)"), "failed", "247"),
    ("systemd", lambda c: c.board.programs.clear(), "note", "does not run"),
    ("udev rules", lambda c: forget(c, RULES), "failed", "not installed"),
    ("udev rules", lambda c: edit(c, RULES, "ID_MM_DEVICE_IGNORE", "ID_MM_CANDIDATE"), "failed", "lacks"),
    ("udev rules", lambda c: edit(c, RULES, "# Devices of a kiosk.", "# Of last year."), "note", "this version"),
    ("libraries", lambda c: c.board.versions.update(lgpio="0.0.0.2"), "failed", "lgpio is 0.0.0.2"),
    ("libraries", lambda c: c.board.versions.pop("evdev"), "failed", "evdev is missing"),
    ("libraries", lambda c: c.board.versions.update(gpiozero="1.6.2"), "failed", "gpiozero is 1.6.2"),
    ("libraries", lambda c: c.board.versions.update({"paho-mqtt": "1.6.1"}), "failed", "paho-mqtt is 1.6.1"),
    ("libraries", lambda c: c.board.versions.pop("pyudev"), "note", "pyudev is missing"),
    ("programs", lambda c: forget(c, "usr/bin/setserial"), "note", "setserial is missing"),
    ("kernel modules", lambda c: c.board.file("/lib/modules/6.12.47+rpt-rpi-v8/modules.dep"), "failed", "no cdc_acm"),
    ("kernel modules", lambda c: c.board.file("/etc/modprobe.d/cups.conf", "blacklist usblp\n"), "failed", "cups.conf"),
    ("gpio", lambda c: forget(c, "dev/gpiochip0"), "failed", "no /dev/gpiochip"),
    ("gpio", lambda c: c.board.gpio(Chip("raspberrypi-exp-gpio", 8)), "failed", "no chip of a header"),
    ("gpio", lambda c: c.board.gpio(None), "skipped", "root"),
    ("gpio", lambda c: c.board.gpio(Chip("pinctrl-rp1", 54, {17: "spi0 CS1"})), "failed", "pin 17 of [devices.tickets] is held by spi0"),
    ("gpio", lambda c: c.board.file("/boot/firmware/config.txt", "# x\ndtoverlay=w1-gpio\n"), "failed", "1-wire is there"),
    ("gpio", spi, "failed", "SPI is there"),
    ("gpio", serial_console, "failed", "pin 14 of [devices.tickets]"),
    ("devices", lambda c: forget(c, "dev/serial/by-id/usb-board"), "failed", "[devices.board] is not plugged in"),
    ("devices", lambda c: c.board.file("/proc/bus/input/devices"), "failed", "[devices.card] is not plugged in"),
    ("devices", matrix, "failed", "[devices.strip] is not plugged in"),
    ("devices", roots_alone, "failed", "may not open /dev/usb/lp0"),
    ("devices", two_scanners, "failed", "/dev/input/event0, /dev/input/event1"),
    ("devices", moving_name, "note", "goes by /dev/ttyUSB0"),
    ("ModemManager", modem_manager, "failed", "no rule"),
    ("brltty", brltty, "failed", "CP210x"),
    ("brltty", lambda c: c.board.process(7, "brltty"), "note", "installed"),
    ("print system", lambda c: c.board.process(7, "cupsd", "-l"), "failed", "cupsd"),
    ("console", lambda c: c.board.process(7, "agetty", "--noclear", "tty1", "linux"), "note", "tty1"),
    ("console", lambda c: c.board.process(7, "agetty", "115200", "ttyUSB0"), "failed", "ttyUSB0 of [devices.board]"),
    ("console", lambda c: edit(c, "proc/cmdline", "console=tty1", "console=ttyUSB0"), "failed", "ttyUSB0 of [devices.board]"),
    ("console keys", lambda c: c.board.file("/proc/sys/kernel/sysrq", "438"), "note", "SysRq"),
    ("console keys", lambda c: forget(c, "etc/systemd/system/ctrl-alt-del.target"), "note", "Ctrl-Alt-Del"),
    ("power", lambda c: c.board.file(THROTTLED, "50005\n"), "failed", "now: the voltage is too low"),
    ("power", lambda c: c.board.file(THROTTLED, "50000\n"), "note", "since the start: the voltage was too low"),
    ("power", no_voltage, "failed", "too low"),
    ("clock", lambda c: c.clock.step_to(NOW, synced=False), "note", "not synchronised"),
    ("clock", lambda c: c.clock.step_to(datetime(1970, 1, 1, tzinfo=UTC)), "failed", "in the past"),
    ("clock", late_clock, "failed", "in the past"),
    ("clock", lambda c: c.settings("[clock]", "[clock]\ntrust_rtc = true"), "failed", "without a clock chip"),
    ("state", lambda c: c.disk("overlay"), "failed", "overlay"),
    ("state", lambda c: c.disk("tmpfs"), "failed", "memory"),
    ("state", lambda c: c.disk("ext4", "rw,nobarrier"), "failed", "nobarrier"),
    ("state", lambda c: c.disk("ext4", "ro"), "failed", "read-only"),
    ("state", lambda c: c.free(10), "failed", "10 MB"),
    ("state", lambda c: c.free(200), "note", "200 MB"),
    ("state", lambda c: c.state.chmod(0o755), "failed", "mode 755"),
    ("state", lambda c: c.board.file("/etc/passwd", f"kiosd:x:{os.getuid() + 1}:990::/:/bin/false"), "failed", "does not belong to kiosd"),
    ("state", lambda c: c.state.rmdir(), "note", "not there yet"),
]


@pytest.mark.parametrize(("name", "spoil", "verdict", "word"), BAD, ids=[f"{name}: {word}" for name, _, _, word in BAD])
def test_a_bad_state_is_found_and_was_good_before(case: Case, name: str, spoil: Callable[[Case], object], verdict: str, word: str) -> None:
    assert all(one.verdict in {"ok", "skipped"} for one in case.look(name))
    spoil(case)
    found = [one for one in case.look(name) if one.verdict == verdict]
    assert any(word in one.result for one in found), case.look(name)


def test_every_check_has_its_bad_state() -> None:
    no_fault = {"daemon", "mqtt"}  # they only tell
    assert {name for name, *_ in BAD} | no_fault == {check.name for check in CHECKS}


def test_good_things_that_look_bad(case: Case) -> None:
    """What is like a fault and is none."""
    case.board.process(7, "ModemManager")
    assert case.look("ModemManager")[0].verdict == "ok"
    case.board.gpio(Chip("pinctrl-rp1", 54, {4: "lg", 18: "pwm"}))
    assert case.look("gpio")[0].verdict == "ok"
    case.clock.step_to(NOW, synced=False)
    case.board.file("/run/systemd/timesync/synchronized")
    assert case.look("clock")[0].verdict == "ok"
    case.board.file("/lib/modules/6.12.47+rpt-rpi-v8/modules.dep")
    case.board.file("/lib/modules/6.12.47+rpt-rpi-v8/modules.builtin", "kernel/usblp.ko\nkernel/cdc-acm.ko\nkernel/usbhid.ko\n")
    assert case.look("kernel modules")[0].verdict == "ok"
    case.board.file("/etc/modprobe.d/comment.conf", "# blacklist usblp\nblacklist usblp_other\n")
    assert case.look("kernel modules")[0].verdict == "ok"
    case.board.file("/boot/firmware/config.txt", "#dtparam=spi=on\ndtoverlay=w1-gpio,gpiopin=24\ndtparam=i2c_arm=on\n")
    assert case.look("gpio")[0].verdict == "ok"
    case.board.versions.pop("lgpio")
    case.board.versions |= {"adafruit-lgpio": "0.2.2.0", "paho-mqtt": "2.10.0", "pydantic": "2.7b1"}
    assert {finding.verdict for finding in case.look("libraries")} == {"ok"}


@pytest.mark.parametrize(
    ("python", "package"),
    [((3, 11), "'lgpio>=0.2.2'"), ((3, 12), "'lgpio>=0.2.2'"), ((3, 13), "adafruit-lgpio"), ((3, 14), "adafruit-lgpio")],
)
def test_pip_is_told_the_lgpio_that_this_python_can_have(python: tuple[int, int], package: str) -> None:
    assert lgpio_remedy(python).endswith(f"else pip install {package}")


def test_what_nothing_here_needs_is_no_fault(case: Case) -> None:
    """A satellite without pins needs no lgpio, and a kiosk without a printer no usblp."""
    text = case.config.read_text()
    case.config.write_text(text.partition("[ticket_machine]")[0].replace('scanner = "card"\n', ""))
    case.board.versions.pop("lgpio")
    case.board.file("/lib/modules/6.12.47+rpt-rpi-v8/modules.dep")
    case.board.process(7, "agetty", "tty1")
    case.board.file("/proc/sys/kernel/sysrq", "438")
    names = ("libraries", "kernel modules", "gpio", "devices", "groups", "console", "console keys")
    assert {one.verdict for name in names for one in case.look(name)} <= {"ok", "skipped"}


def test_a_voice_needs_its_programs(case: Case) -> None:
    voice = '[voice]\nannouncer = "voice"\n[devices.voice]\ndriver = "aplay_voice"\ncard = "plughw:CARD=vc4hdmi0"\n'
    case.config.write_text(case.config.read_text() + voice)
    assert [(one.verdict, one.result) for one in case.look("programs")] == [
        ("failed", "aplay is missing"),
        ("failed", "espeak-ng is missing"),
        ("ok", "setserial"),
    ]
    case.board.file("/usr/bin/aplay")
    case.settings('card = "plughw', 'clips = "/etc/kiosd/clips"\ncard = "plughw')
    first = case.look("programs")[0]
    assert (first.verdict, first.result) == ("note", "espeak-ng is missing")
    case.board.file("/usr/bin/espeak-ng")
    assert case.look("programs")[0].verdict == "ok"


def test_a_matrix_needs_its_group_and_a_voice_its_card(case: Case) -> None:
    matrix(case)
    edit(case, UNIT, "audio spi", "audio")
    assert any("group spi" in one.result for one in case.look("groups"))
    case.board.node("/dev/spidev0.0")
    assert case.look("devices")[0].verdict == "ok"
    voice = '[voice]\nannouncer = "voice"\n[devices.voice]\ndriver = "aplay_voice"\ncard = "plughw:CARD=vc4hdmi0"\n'
    case.config.write_text(case.config.read_text() + voice)
    assert "[devices.voice] is not plugged in" in case.look("devices")[0].result
    case.board.file("/proc/asound/cards", " 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0\n")
    assert case.look("devices")[0].verdict == "ok"


def test_a_daemon_that_runs_is_told(case: Case) -> None:
    assert case.look("daemon")[0].result == "none runs"
    with lock(case.state):
        assert f"process {os.getpid()}" in case.look("daemon")[0].result
    assert case.look("daemon")[0].result == "none runs"


def test_brokers_have_their_own_doctor(case: Case) -> None:
    case.config.write_text(case.config.read_text() + '[mqtt.central]\nhost = "127.0.0.1"\n')
    (finding,) = case.look("mqtt")
    assert "kiosd mqtt doctor --broker central" in finding.result


def test_one_check_that_crashes_is_a_finding_and_the_others_go_on(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: Patient) -> object:
        raise ZeroDivisionError("by nought")

    checks = (Check("first", "", crash, ""), *CHECKS)  # type: ignore[arg-type] # not what a check is: that is the point
    monkeypatch.setattr(doctor, "CHECKS", checks)
    found = list(examine(case.patient()))
    assert found[0].verdict == "failed" and "ZeroDivisionError: by nought" in found[0].result
    assert {one.check for one in found} == {check.name for check in checks}


def test_nothing_is_changed(case: Case) -> None:
    def stand() -> set[tuple[str, int, int]]:
        files = [*case.board.root.rglob("*"), *case.state.rglob("*"), case.state, case.config]
        return {(str(path), path.lstat().st_mtime_ns, path.lstat().st_mode) for path in files}

    before = stand()
    list(examine(case.patient()))
    assert stand() == before


def test_a_program_that_hangs_or_fails_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.commissioning.machine.PROGRAM_S", 0.05)
    assert printed(("sleep", "30")) == ""
    assert printed(("false",)) == printed(("kiosd-no-such-program",)) == ""
    assert printed(("echo", "yes")) == "yes\n"


def test_the_files_for_a_board_are_those_of_the_checkout() -> None:
    assert "ID_MM_DEVICE_IGNORE" in shipped("60-kiosd.rules").read_text()
    assert shipped("no-such-file").name == "no-such-file"


def test_the_page_has_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs/commissioning.md").read_text()
    rows = [f"| {check.name} | {check.sure} | {check.remedy} |" for check in CHECKS]
    assert [row for row in rows if row not in page] == []
