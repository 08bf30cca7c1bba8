"""Build the guest, start it, prove everything, tell what was proven.

``LAB_CUTS``: how often the power is cut (3).
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.kiosk import Kiosk
from lab.machine import WORK, Machine
from lab.powercut import power_cuts, teeth
from lab.proofs import desk, pins, printer
from lab.scanners import comes_and_goes, keyboard
from lab.service import systemd

Proof = Callable[[Kiosk], str]
PROOFS: dict[str, Proof] = {
    "pins": pins,
    "desk": desk,
    "printer": printer,
    "keyboard": keyboard,
    "hotplug": comes_and_goes,
    "systemd": systemd,
    "powercut": power_cuts,
    "teeth": teeth,  # last: it spoils the guest
}
LOG = WORK / "log.txt"


def main(names: list[str]) -> int:
    """Run the proofs called ``names``, or all; the exit status."""
    if unknown := sorted(set(names) - set(PROOFS)):
        print(f"no such proof: {', '.join(unknown)}; there are: {', '.join(PROOFS)}")
        return 2
    subprocess.run(["bash", str(Path(__file__).with_name("build.sh"))], check=True)
    lines: list[str] = []

    def say(text: str) -> None:
        print(text, flush=True)
        lines.append(text)

    machine = Machine()
    machine.fresh()
    failed = 0
    try:
        machine.power_on()
        versions = machine.run("uname -r; systemctl --version | head -1").strip().replace("\n", ", ")
        say(f"Debian 13, {versions}; started in {machine.boot_s:.0f} s")
        for name in names or PROOFS:
            failed += not _prove(name, Kiosk(machine), say)
    finally:
        machine.cut_power()
    say(f"{len(names or PROOFS) - failed} proven, {failed} failed")
    LOG.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _prove(name: str, kiosk: Kiosk, say: Callable[[str], None]) -> bool:
    began = time.monotonic()
    try:
        said = PROOFS[name](kiosk)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told, and the other proofs go on
        say(f"FAILED  {name} ({time.monotonic() - began:.0f} s): {exc!r}")
        return False
    say(f"ok      {name} ({time.monotonic() - began:.0f} s): {said}")
    return True
