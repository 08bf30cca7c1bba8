"""What an installer does with kiosd alone: doctor, devices, and a walk through each kind of device, with the lab's fingers."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from lab.kiosk import Kiosk, press
from lab.machine import Machine
from lab.pins import F, G

KIOSD = "/opt/kiosd/bin/kiosd"
WALKED = "/run/lab-walk"
WALK_S = 90.0
PLUGGED = (
    "/dev/usb/lp0",
    "usb-kiosd_lab_Lab_barcode_scanner_LABHID0001",
    "usb-kiosd_lab_Lab_serial_scanner_LABACM0001",
    "/dev/ttyS1",
    "pinctrl-bcm2835",
)
"""What `kiosd devices` must find, by the names that it gives."""


def commissioning(kiosk: Kiosk) -> str:
    """Everything is found and named, nothing is wrong but what is the lab's own, and each device walks."""
    lab = kiosk.machine
    listed = lab.run(f"{KIOSD} devices", WALK_S)
    assert not [name for name in PLUGGED if name not in listed], listed
    findings = json.loads(lab.run(f"{KIOSD} doctor --json || true", WALK_S))["findings"]
    failed = [finding for finding in findings if finding["verdict"] == "failed"]
    assert not failed, failed
    lab.run("systemctl stop kiosd", WALK_S)
    try:
        said = _walks(lab, kiosk)
    finally:
        lab.run("systemctl start kiosd", 180)
    return f"{len(findings)} findings of the doctor, none of them bad; {said}"


def _walks(lab: Machine, kiosk: Kiosk) -> str:
    printed = lab.run(f"{KIOSD} test printer --yes", WALK_S)
    assert "confirmed" in printed, printed
    lab.run(f"{KIOSD} test display board --yes", WALK_S)
    _walk(lab, "buttons tickets", {"Press F": partial(press, kiosk, F), "Press G": partial(press, kiosk, G)}, "button G")
    scan = partial(lab.devices, "type", "hid", "CARD-7")
    _walk(lab, "scanner hid", {"Scan a code": scan, "Scan the same": scan}, "same code")
    return "test printer confirmed, display shown, each button counted once, a code read the same twice"


def _walk(lab: Machine, words: str, steps: dict[str, Callable[[], Any]], last: str) -> None:
    """``kiosd test`` at a terminal, doing what it asks for; all that it finds must be good."""
    lab.run(f"rm -f {WALKED}; systemd-run -q --unit lab-walk sh -c 'sleep 300 | script -qfec \"{KIOSD} test {words}\" {WALKED}'")
    for asked, do in steps.items():
        lab.until(f"kiosd test {words}: {asked}", partial(_says, lab, asked), WALK_S)
        do()
    said = str(lab.until(f"kiosd test {words}: {last}", partial(_says, lab, last), WALK_S))
    lab.run("systemctl stop lab-walk")
    assert "FAILED" not in said, said


def _says(lab: Machine, what: str) -> str:
    """All that stands on the terminal, if ``what`` does."""
    said = lab.run(f"cat {WALKED} 2>/dev/null || true")
    return said if what in said else ""
