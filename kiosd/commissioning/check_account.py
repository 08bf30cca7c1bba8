"""The user, its groups, systemd and udev's rules: what the installation must have put there."""

import re
from collections.abc import Iterator

from kiosd.commissioning.account import USER, unit_values
from kiosd.commissioning.patient import ON_PINS, ON_SERIAL, ON_SPI, PRINTING, SPEAKING, TYPING, Patient
from kiosd.commissioning.shipped import shipped
from kiosd.findings import Finding, failed, note, ok, skipped

RULES = "60-kiosd.rules"
RULE_FOLDERS = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d")
LEAST_SYSTEMD = 252

GROUPS = (
    ("gpio", ON_PINS, "buttons and lamps on pins"),
    ("dialout", ON_SERIAL | PRINTING, "serial ports"),
    ("input", TYPING, "scanners and key pads that type"),
    ("lp", PRINTING, "USB printers"),
    ("audio", SPEAKING, "the voice"),
    ("spi", ON_SPI, "LED matrices"),
)
"""Group, the drivers that need it, and what it opens (Debian's 50-udev-default.rules, Raspberry Pi OS's 99-com.rules)."""
RULES_MUST = (
    (r'^SUBSYSTEM=="gpio".*GROUP="gpio"', "plain Debian leaves GPIO chips to root"),
    (r'ENV\{ID_MM_DEVICE_IGNORE\}="1"', "ModemManager sends AT commands to every new serial port"),
    (r'ATTR\{power/control\}="on"', "a scanner that was put to sleep loses the first code of the morning"),
)
"""What the rules must hold, and what happens without it."""


def user(patient: Patient) -> Iterator[Finding]:
    """Whether the unit's user exists."""
    if patient.account is None:
        name = (unit_values(patient.machine, "User") or [USER])[-1]
        remedy = f"sudo install -m 644 {shipped('kiosd.sysusers')} /usr/lib/sysusers.d/kiosd.conf && sudo systemd-sysusers"
        yield failed("user", f"there is no user {name}", "kiosd.sysusers was not installed", remedy)
        return
    yield ok("user", f"{patient.account.name}, number {patient.account.uid}")


def memberships(patient: Patient) -> Iterator[Finding]:
    """Whether that user is in the groups that own the configured devices; without a configuration, in all but the rarest."""
    if patient.account is None:
        yield skipped("groups", "there is no user")
        return
    needed = [row for row in GROUPS if patient.of(row[1]) or (patient.settings is None and row[1] is not ON_SPI)]
    missing = [(group, what) for group, _, what in needed if group not in patient.account.groups]
    for group, what in missing:
        yield failed(
            "groups",
            f"{patient.account.name} is not in group {group}",
            f"it may not open {what}",
            f"sudo usermod -aG {group} {patient.account.name}, or SupplementaryGroups={group} in the unit; then restart kiosd",
        )
    if not missing:
        yield ok("groups", ", ".join(sorted(patient.account.groups)))


def systemd(patient: Patient) -> Iterator[Finding]:
    """Whether systemd is new enough for the unit."""
    found = re.match(r"systemd (\d+)", patient.machine.printed(("systemctl", "--version")))
    if found is None:
        yield note("systemd", "it does not run here, or does not answer", "", "start kiosd in another way: `kiosd run`")
    elif int(found[1]) < LEAST_SYSTEMD:
        yield failed("systemd", f"version {found[1]}", f"the unit is written for {LEAST_SYSTEMD} and newer", "update to Debian 12 or newer")
    else:
        yield ok("systemd", f"version {found[1]}")


def udev_rules(patient: Patient) -> Iterator[Finding]:
    """Whether our rules are installed, hold what matters, and are those of this version."""
    machine = patient.machine
    path = next((path for folder in RULE_FOLDERS if (path := machine.path(f"{folder}/{RULES}")).is_file()), None)
    install = f"sudo install -m 644 {shipped(RULES)} /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger"
    if path is None:
        yield failed("udev rules", f"{RULES} is not installed", "; ".join(why for _, why in RULES_MUST), install)
        return
    text = machine.text(path)
    lacking = [why for pattern, why in RULES_MUST if not re.search(pattern, text, re.MULTILINE)]
    if lacking:
        yield failed("udev rules", f"{machine.name(path)} lacks a rule of ours", "; ".join(lacking), install)
    elif text != machine.text(shipped(RULES)):
        yield note("udev rules", f"{machine.name(path)} is not the one of this version", "it is older, or was changed by hand", install)
    else:
        yield ok("udev rules", machine.name(path))
