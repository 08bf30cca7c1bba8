"""The unit: whether systemd starts kiosd, watches it, and does not blind it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kiosd.commissioning.account import groups, unit_file, unit_values
from kiosd.commissioning.patient import ON_PINS, Patient
from kiosd.commissioning.shipped import shipped
from kiosd.findings import Finding, failed, note, ok

WANTED = "/etc/systemd/system/multi-user.target.wants/kiosd.service"
YES = frozenset({"yes", "true", "on", "1"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A key of the unit: ``bad`` judges its values, those of drop-ins last; ``so`` is what follows, ``better`` what to write."""

    key: str
    bad: Callable[[list[str]], bool]
    so: str
    better: str
    of_pins: bool = False


def _on(values: list[str]) -> bool:
    return bool(values) and values[-1].lower() in YES


def _listed(values: list[str]) -> list[str]:
    """Of a key whose values add up: those after the last empty one, which takes back what stands before it (systemd.exec(5))."""
    return values[len(values) - values[::-1].index("") :] if "" in values else values


def _lacks(word: str) -> Callable[[list[str]], bool]:
    return lambda values: not any(word in value for value in _listed(values))


RULES = (
    Rule("WatchdogSec", lambda values: (values or ["0"])[-1] in {"", "0", "infinity"}, "a hanging daemon is not noticed", "WatchdogSec=30"),
    Rule("Type", lambda values: values[-1:] not in (["notify"], ["notify-reload"]), "it counts as started before it is", "Type=notify"),
    Rule("ProtectClock", _on, "the clock never counts as synchronised; systemd 252 also closes all devices", "ProtectClock=no"),
    Rule("PrivateDevices", _on, "no device can be seen", "PrivateDevices=no"),
    Rule("ProcSubset", lambda values: values[-1:] == ["pid"], "gpiozero cannot read the model of the board", "ProcSubset=all"),
    Rule("DevicePolicy", lambda values: values[-1:] in (["closed"], ["strict"]), "a device whose module is loaded later is shut out",
         "DevicePolicy=auto"),
    Rule("RestrictAddressFamilies", lambda values: bool(_listed(values)) and _lacks("AF_NETLINK")(values), "plugging in is noticed late",
         "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    Rule("BindsTo", lambda values: any(".device" in value for value in values), "a pulled device stops the queue", "no BindsTo="),
    Rule("Environment", _lacks("GPIOZERO_PIN_FACTORY="), "a missing pin library would not be noticed",
         "Environment=GPIOZERO_PIN_FACTORY=lgpio", of_pins=True),
    Rule("WorkingDirectory", lambda values: not values, "lgpio makes a file there, and dies where it cannot", "WorkingDirectory=%t/kiosd",
         of_pins=True),
)  # fmt: skip
"""What hardware needs of a unit; the first two let systemd do its part."""


def unit(patient: Patient) -> Iterator[Finding]:
    """Whether the unit is there, starts with the board, can be started at all, and holds what ``RULES`` ask for."""
    machine = patient.machine
    path = unit_file(machine)
    if path is None:
        remedy = f"sudo install -m 644 {shipped('kiosd.service')} /etc/systemd/system/ && sudo systemctl enable --now kiosd"
        yield failed("unit", "kiosd.service is not installed", "nothing starts kiosd with the board", remedy)
        return
    found = [*_missing_groups(patient), *_rules(patient)]
    if not machine.path(WANTED).is_symlink():
        found.append(note("unit", "it is not enabled", "it does not start with the board", "sudo systemctl enable kiosd"))
    yield from found or [ok("unit", f"{machine.name(path)} is enabled, with a watchdog")]


def _missing_groups(patient: Patient) -> Iterator[Finding]:
    named = {group for value in unit_values(patient.machine, "SupplementaryGroups") for group in value.split()}
    for group in sorted(named - groups(patient.machine).keys()):
        cause = "a unit with a group that does not exist is not started (216/GROUP)"
        remedy = f"sudo groupadd --system {group}, or systemd-sysusers with kiosd.sysusers"
        yield failed("unit", f"it names group {group}, which there is not", cause, remedy)


def _rules(patient: Patient) -> Iterator[Finding]:
    for rule in RULES:
        values = unit_values(patient.machine, rule.key)
        if rule.bad(values) and (not rule.of_pins or patient.of(ON_PINS)):
            shown = f"{rule.key}={values[-1]}" if values else f"there is no {rule.key}="
            yield note("unit", shown, rule.so, f"{rule.better}, as in {shipped('kiosd.service')}")
