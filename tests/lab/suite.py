"""Build the guest, start it, prove everything, tell what was proven.

Two guests at a time, for two cores: one whose devices are used, which goes on from a snapshot of a booted machine, and one whose power is
cut. ``LAB_CUTS``: how often the power is cut (3).
"""

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock, Thread
from time import monotonic

from lab.commissioning import commissioning
from lab.disks import Overlay, Volatile
from lab.kiosk import Kiosk
from lab.machine import WORK, Machine
from lab.powercut import power_cuts, teeth
from lab.printing import printer
from lab.proofs import desk, pins
from lab.scanners import comes_and_goes, keyboard
from lab.service import systemd

Proof = Callable[[Kiosk], str]
ON_DEVICES: dict[str, Proof] = {
    "pins": pins,
    "desk": desk,
    "printer": printer,
    "keyboard": keyboard,
    "hotplug": comes_and_goes,
    "commissioning": commissioning,
    "systemd": systemd,
}
ON_POWER: dict[str, Proof] = {
    "powercut": power_cuts,
    "teeth": teeth,  # last: it spoils the guest
}
LOG = WORK / "log.txt"
IMAGE = WORK / "root.img"
BOOTED = WORK / "booted.qcow2"


class Told:
    """What is told, as it happens and in the log. Both guests tell."""

    def __init__(self) -> None:
        self._turn = Lock()
        self.lines: list[str] = []
        self.proven = 0

    def __call__(self, text: str) -> None:
        with self._turn:
            print(text, flush=True)
            self.lines.append(text)


def main(names: Sequence[str]) -> int:
    """Run the proofs called ``names``, or all; the exit status."""
    there = ON_DEVICES | ON_POWER
    if unknown := sorted(set(names) - set(there)):
        print(f"no such proof: {', '.join(unknown)}; there are: {', '.join(there)}")
        return 2
    subprocess.run(["bash", str(Path(__file__).with_name("build.sh"))], check=True)
    began, tell, wanted = monotonic(), Told(), set(names or there)
    guests = [Thread(target=_used, args=(wanted & set(ON_DEVICES), tell)), Thread(target=_cut, args=(wanted & set(ON_POWER), tell))]
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.join()
    failed = len(wanted) - tell.proven
    tell(f"{tell.proven} proven, {failed} failed, in {monotonic() - began:.0f} s")
    LOG.write_text("\n".join(tell.lines) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _used(names: set[str], tell: Told) -> None:
    """Proofs on devices."""
    if not names:
        return
    disk = Overlay(WORK / "run" / "used", IMAGE)
    machine = Machine(WORK / "run" / "used", disk)
    try:
        _booted(machine, disk, tell)
        versions = machine.run("uname -r; systemctl --version | head -1").strip().replace("\n", ", ")
        tell(f"Debian 13, {versions}")
        _prove(ON_DEVICES, names, machine, tell)
    finally:
        machine.cut_power()


def _booted(machine: Machine, disk: Overlay, tell: Told) -> None:
    """Go on from the snapshot; make it where there is none of this image and this machine."""
    stamp, made_of = BOOTED.with_suffix(".stamp"), _made_of(machine)
    if not BOOTED.exists() or not stamp.exists() or stamp.read_text(encoding="ascii") != made_of:
        stamp.unlink(missing_ok=True)
        disk.fresh()
        tell(f"started in {machine.power_on():.0f} s")
        machine.save()
        machine.cut_power()
        disk.path.replace(BOOTED)
        stamp.write_text(made_of, encoding="ascii")
    disk.copied(BOOTED)
    tell(f"went on from the snapshot in {machine.resume():.1f} s")


def _made_of(machine: Machine) -> str:
    image = (WORK / "image.stamp").read_text(encoding="ascii")
    return hashlib.sha256("\n".join([image, *machine.command()]).encode()).hexdigest()


def _cut(names: set[str], tell: Told) -> None:
    """Proofs about power."""
    if not names:
        return
    disk = Volatile(WORK / "run" / "cut", IMAGE)
    machine = Machine(WORK / "run" / "cut", disk)
    try:
        disk.fresh()
        machine.power_on()
        _prove(ON_POWER, names, machine, tell)
    finally:
        machine.cut_power()


def _prove(proofs: dict[str, Proof], names: set[str], machine: Machine, tell: Told) -> None:
    for name, proof in proofs.items():
        if name not in names:
            continue
        began = monotonic()
        try:
            said = proof(Kiosk(machine))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is told, and the other proofs go on
            tell(f"FAILED  {name} ({monotonic() - began:.0f} s): {exc!r}")
        else:
            tell.proven += 1
            tell(f"ok      {name} ({monotonic() - began:.0f} s): {said}")
