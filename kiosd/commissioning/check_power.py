"""Power and time: what the board's firmware and clock say of themselves."""

from collections.abc import Iterator

from kiosd.commissioning.patient import Patient
from kiosd.findings import Finding, failed, note, ok, skipped
from kiosd.journal.journal import FILE

THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
THROTTLED_ANYWHERE = "/sys/devices/platform"
VOLTAGE = "rpi_volt"
NOW, SINCE_BOOT = "now", "since the start"
BITS = (
    (0, NOW, "the voltage is too low"),
    (1, NOW, "the processor is held back"),
    (2, NOW, "the processor is throttled"),
    (3, NOW, "it is too hot"),
    (16, SINCE_BOOT, "the voltage was too low"),
    (17, SINCE_BOOT, "the processor was held back"),
    (18, SINCE_BOOT, "the processor was throttled"),
    (19, SINCE_BOOT, "it was too hot"),
)
"""Bits of get_throttled (the documentation of vcgencmd)."""
WEAK = {0, 16}
CAUSE = "a weak supply or a long thin cable; it makes USB devices drop out and damages SD cards"
REMEDY = "the supply of the board's maker (5 V, 3 A; a Pi 5: 5 A), the printer on a supply of its own, scanners on a powered hub"
BORN = 2025
"""This program is not older: a clock before it is wrong. A later one may be wrong as well: systemd begins at its own build's day."""
BEHIND_S = 120.0


def power(patient: Patient) -> Iterator[Finding]:
    """Undervoltage and throttling, in words."""
    raw = _throttled(patient)
    if raw is None:
        yield from _volt(patient)
        return
    said = [(bit, when, words) for bit, when, words in BITS if raw >> bit & 1]
    if not said:
        yield ok("power", "neither undervoltage nor throttling since the start")
    for bit, when, words in said:
        weak = bit in WEAK
        cause, remedy = (CAUSE, REMEDY) if weak else ("it is hot or short of power", "see that air passes, and the supply")
        yield (failed if weak and when == NOW else note)("power", f"{when}: {words}", cause, remedy)


def _throttled(patient: Patient) -> int | None:
    machine = patient.machine
    places = [
        machine.path(THROTTLED),
        *machine.inside(THROTTLED_ANYWHERE, "*/get_throttled"),
        *machine.inside(THROTTLED_ANYWHERE, "*/*/get_throttled"),
    ]
    text = next(filter(None, map(machine.text, places)), "")
    try:
        return int(text, 16)
    except ValueError:
        return None


def _volt(patient: Patient) -> Iterator[Finding]:
    """The kernel's voltage sensor: it only says that the voltage is, or was, too low."""
    machine = patient.machine
    sensor = next((one for one in machine.inside("/sys/class/hwmon") if machine.text(one / "name") == VOLTAGE), None)
    if sensor is None:
        yield skipped("power", "this board does not tell")
    elif machine.text(sensor / "in0_lcrit_alarm") == "1":
        yield failed("power", "the voltage is too low", CAUSE, REMEDY)
    else:
        yield ok("power", "no undervoltage")


def clock(patient: Patient) -> Iterator[Finding]:
    """Whether the time is right, and what happens to it in a power cut."""
    now = patient.clock.now()
    shown = f"{now.time:%Y-%m-%d %H:%M:%S} UTC"
    try:
        written = (patient.state / FILE).stat().st_mtime
    except OSError:
        written = 0.0
    remedy = "timedatectl; a time server on the network, or a clock chip with its battery"
    if now.time.year < BORN or now.time.timestamp() < written - BEHIND_S:
        yield failed("clock", f"{shown} is in the past", "the board has no clock battery, and no time server was reached", remedy)
        return
    chip = bool(patient.machine.inside("/sys/class/rtc", "rtc*"))
    trusts = patient.settings is not None and patient.settings.clock.trust_rtc
    if trusts and not chip:
        cause = "[clock] trust_rtc = true, and there is no clock chip: after a power cut a wrong time would be taken for right"
        yield failed("clock", f"{shown}, without a clock chip", cause, "trust_rtc = false, or a clock chip with its battery")
    elif patient.machine.there("/run/systemd/timesync/synchronized") or now.synced:
        yield ok("clock", f"{shown}, {'kept by a clock chip' if trusts else 'synchronised'}")
    else:
        yield note(
            "clock", f"{shown}, not synchronised", "no time server was reached since the start; kiosd serves people all the same", remedy
        )
