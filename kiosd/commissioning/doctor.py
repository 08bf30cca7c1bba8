"""``kiosd doctor``: everything about a board that is known to make a kiosk fail, looked at one by one.

``CHECKS`` is the whole of it, and the table in docs/commissioning.md is its copy. A check looks and changes nothing; it yields what it
found, with cause and remedy. One that crashes is a finding itself, and the others go on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kiosd.commissioning import check_account, check_board, check_kiosd, check_libraries, check_others, check_power, check_unit
from kiosd.commissioning.patient import Patient
from kiosd.findings import Finding, failed


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it is called, what it makes sure of, how it looks, and the way out when it fails."""

    name: str
    sure: str
    look: Callable[[Patient], Iterator[Finding]]
    remedy: str


CHECKS = (
    Check("configuration", "the configuration is there and right", check_kiosd.configuration, "correct what `kiosd check-config` names"),
    Check("user", "the user of the unit exists", check_account.user, "install kiosd.sysusers, run systemd-sysusers"),
    Check("groups", "that user is in the groups that own the devices", check_account.memberships, "the unit's SupplementaryGroups="),
    Check("unit", "the unit is installed and enabled, has its watchdog, hides no device, and every group that it names exists",
          check_unit.unit, "install kiosd.service and kiosd.sysusers"),
    Check("systemd", "systemd is 252 or newer", check_account.systemd, "Debian 12 or newer"),
    Check("udev rules", "60-kiosd.rules is installed and holds what kiosd needs", check_account.udev_rules, "install 60-kiosd.rules"),
    Check("libraries", "the Python libraries that the configured devices need are there, and none is a dead or an old one",
          check_libraries.libraries, "the apt or pip line that is printed"),
    Check("programs", "espeak-ng and aplay are there where a voice is configured, setserial where a serial port is",
          check_libraries.programs, "apt install espeak-ng alsa-utils setserial"),
    Check("kernel modules", "usblp, cdc_acm and others are there for the configured devices, and not on a blacklist", check_board.modules,
          "apt install the kernel's extra modules, remove the blacklist line"),
    Check("gpio", "the header's GPIO chip is there, and no configured pin is another's (I2C, SPI, serial console ...)", check_board.gpio,
          "switch off what has the pin in config.txt"),
    Check("devices", "each configured device is plugged in, has a name that stays, and the user may open it", check_kiosd.devices,
          "`kiosd devices` prints the right lines"),
    Check("ModemManager", "it leaves serial ports alone", check_others.modem_manager, "install 60-kiosd.rules, or remove ModemManager"),
    Check("brltty", "it does not take CH340 and CP210x adapters away", check_others.brltty, "apt remove brltty"),
    Check("print system", "CUPS and ipp-usb do not take the printer away", check_others.print_system, "apt remove cups ipp-usb"),
    Check("console", "no login waits where a scanner types or a serial device is", check_others.console, "disable that getty"),
    Check("console keys", "a scanned code can be no SysRq and no Ctrl-Alt-Del", check_others.console_keys,
          "kernel.sysrq=0, mask ctrl-alt-del.target"),
    Check("power", "the supply is strong enough", check_power.power, "a supply of the board's maker, the printer on its own"),
    Check("clock", "the clock is synchronised, or a clock chip keeps it", check_power.clock, "a time server or a battery for the clock"),
    Check("state", "the state directory is on a disk that keeps it, has room, and is its user's alone", check_kiosd.state,
          "a partition of its own for /var/lib/kiosd"),
    Check("daemon", "who holds the journal", check_kiosd.daemon, ""),
    Check("mqtt", "where brokers are configured: who checks them", check_kiosd.mqtt, "kiosd mqtt doctor"),
)  # fmt: skip


def examine(patient: Patient) -> Iterator[Finding]:
    """Every check in turn, as soon as it is done."""
    for check in CHECKS:
        try:
            yield from check.look(patient)
        except Exception as exc:  # noqa: BLE001 - one check that crashes must not hide what the others find
            why = f"{type(exc).__name__}: {exc}"
            yield failed(
                check.name, f"this check crashed: {why}", "a bug in kiosd, or a file that nobody expected", "report it, with this line"
            )
