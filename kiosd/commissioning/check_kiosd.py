"""kiosd's own things: its configuration, the configured devices, its state directory, its journal, its brokers."""

import shutil
import stat
from collections.abc import Iterator

from kiosd.commissioning.paste import configured
from kiosd.commissioning.patient import Patient
from kiosd.findings import Finding, failed, note, ok, skipped
from kiosd.journal.place import FLEETING, holder, mounted

LITTLE_MB, TOO_LITTLE_MB = 500, 50
"""Free space: a year of a busy site is about 300 MB of journal; SQLite needs room for its write-ahead log at once."""
MB = 1_000_000
ELSEWHERE = ("it is off, elsewhere, or has another name than the configuration says", "kiosd devices")
SPI = ("SPI is switched off", "dtparam=spi=on in /boot/firmware/config.txt, then restart")
"""Cause and remedy of a device that is not there."""
NO_FLUSH = frozenset({"nobarrier", "barrier=0"})
"""Options of ext4 that break the promise of fsync."""


def configuration(patient: Patient) -> Iterator[Finding]:
    """What ``kiosd check-config`` says of it."""
    if patient.settings is None:
        for line in patient.trouble.splitlines():
            yield failed("configuration", line, "the configuration is wrong", f"kiosd check-config {patient.config}")
        return
    yield ok("configuration", f"{patient.config}: {patient.settings.site.id}, {len(patient.settings.devices)} devices")


def devices(patient: Patient) -> Iterator[Finding]:
    """Each configured device: there, by a name that stays, and open to kiosd."""
    if not patient.devices:
        yield skipped("devices", "none is configured")
        return
    found = [finding for name in patient.devices for finding in _device(patient, name)]
    yield from found or [ok("devices", f"all {len(patient.devices)} are plugged in and may be opened")]


def _device(patient: Patient, name: str) -> Iterator[Finding]:
    """What is wrong with one device; what is on the network or on pins is looked at elsewhere."""
    here = [one for one in patient.plugged if name in configured(one, patient.devices) and one.kind != "gpio"]
    device, label = patient.devices[name], f"[devices.{name}]"
    port = str(device.get("port", ""))
    nodes = [one.node for one in here] or ([port] if port.startswith("/") and patient.machine.there(port) else [])
    if not nodes and (port.startswith("/") or device.get("match") or device.get("card")):
        yield failed("devices", f"{label} is not plugged in", *(SPI if port.startswith("/dev/spidev") else ELSEWHERE))
    if len(here) > 1 and device.get("match"):
        cause = "the rules of match fit several"
        yield failed("devices", f"{label} may be any of {', '.join(nodes)}", cause, "kiosd devices prints rules that fit one")
    for node in nodes:
        yield from _may_open(patient, label, node)
    if port.startswith("/dev/tty") and any(one.identity for one in here):
        cause = "USB ports are numbered in the order of plugging in"
        yield note("devices", f"{label} goes by {port}", cause, f'port = "{here[0].port}"')


def _may_open(patient: Patient, label: str, node: str) -> Iterator[Finding]:
    path = patient.machine.path(node)
    if patient.account is None or not path.exists():
        return
    if not patient.account.may_open(path):
        status = path.stat()
        cause = f"its mode is {stat.S_IMODE(status.st_mode):o}, its group has the number {status.st_gid}"
        yield failed("devices", f"{patient.account.name} may not open {node} of {label}", cause, "see groups and udev rules above")


def state(patient: Patient) -> Iterator[Finding]:
    """Whether the state directory keeps what is acknowledged."""
    path = patient.state
    if not path.is_dir():
        yield note("state", f"{path} is not there yet", "kiosd has never run here", "systemd makes it (StateDirectory=)")
        return
    found = [*_storage(patient), *_room(patient), *_owner(patient)]
    yield from found or [ok("state", f"{path}, {shutil.disk_usage(path).free // MB} MB free")]


def _storage(patient: Patient) -> Iterator[Finding]:
    """What a power cut leaves of it."""
    kind, options = mounted(patient.state, patient.machine.path("/proc/self/mountinfo"))
    if why := FLEETING.get(kind):
        yield failed("state", f"{patient.state} is on {why}", "every ticket of the day would be gone", "a partition of its own for it")
    if reckless := sorted(options & NO_FLUSH):
        cause = "what was acknowledged is not on the disk yet, and a power cut loses it"
        yield failed("state", f"{patient.state} is mounted with {', '.join(reckless)}", cause, "remove that option from /etc/fstab")
    if "ro" in options:
        yield failed("state", f"{patient.state} is mounted read-only", "no ticket can be committed", "a partition of its own for it")


def _room(patient: Patient) -> Iterator[Finding]:
    free = shutil.disk_usage(patient.state).free // MB
    if free < LITTLE_MB:
        cause = (
            "without room no ticket can be committed, so none is given" if free < TOO_LITTLE_MB else "the journal grows by about 1 MB a day"
        )
        make = failed if free < TOO_LITTLE_MB else note
        yield make(
            "state",
            f"{free} MB are free in {patient.state}",
            cause,
            "remove what fills it (journalctl --vacuum-size=50M), or a larger card",
        )


def _owner(patient: Patient) -> Iterator[Finding]:
    status = patient.state.stat()
    if status.st_mode & stat.S_IRWXO:
        cause = "everybody on this board may look into it"
        yield failed("state", f"{patient.state} has mode {stat.S_IMODE(status.st_mode):o}", cause, f"sudo chmod o= {patient.state}")
    if patient.account is not None and status.st_uid != patient.account.uid:
        name = patient.account.name
        yield failed(
            "state",
            f"{patient.state} does not belong to {name}",
            "kiosd cannot write its journal",
            f"sudo chown -R {name}: {patient.state}",
        )


def daemon(patient: Patient) -> Iterator[Finding]:
    """Who has the journal; no fault, but tests of devices need it free."""
    try:
        who = holder(patient.state)
    except PermissionError:
        yield skipped("daemon", f"{patient.state} may not be read here: run this as root")
        return
    yield ok("daemon", f"the journal is held by {who}" if who else "none runs")


def mqtt(patient: Patient) -> Iterator[Finding]:
    """Brokers have a doctor of their own."""
    brokers = {} if patient.settings is None else patient.settings.mqtt
    for name, broker in brokers.items():
        yield skipped("mqtt", f"[mqtt.{name}] {broker.host}: kiosd mqtt doctor --broker {name} --config {patient.config}")
    if not brokers:
        yield skipped("mqtt", "no broker is configured")
