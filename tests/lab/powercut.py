"""The power goes while tickets are given: what was promised to the outside before is in the journal afterwards, no number is given twice.

The disk has a cache that is lost with the power (``disks.Volatile``): only what kiosd had flushed is there.
"""

import json
import os
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

from lab.kiosk import Kiosk
from lab.machine import LabError, Machine

CUTS = int(os.environ.get("LAB_CUTS", "3"))
FIRST_ACKS = 5
LONGEST_S = 4.0  # between the first acknowledgement and the cut
ISSUER = "systemd-run -q -p Restart=on-failure -p RestartSec=1 --unit lab-issuer /opt/kiosd/bin/python /opt/lab/issuer.py"
ISSUER_LOG = (
    "systemctl status --no-pager -n 20 lab-issuer; systemctl show -p NRestarts kiosd; journalctl -q -u kiosd -n 5 -o cat --no-pager; true"
)
ISSUED = "/usr/bin/python3 -I -S /opt/lab/issued.py"
WEAKEN = "sed -i 's/synchronous = FULL/synchronous = OFF/' $(ls /opt/kiosd/lib/python3*/site-packages/kiosd/journal/journal.py)"


@dataclass(frozen=True)
class Found:
    """After a cut: the tickets that had been acknowledged, how many are in the journal, and which acknowledged ones are not."""

    acknowledged: tuple[str, ...]
    kept: int
    lost: tuple[str, ...]

    @property
    def pressed(self) -> int:
        """How many of them a finger had asked for."""
        return _of_a_press(self.acknowledged)


def _of_a_press(acknowledged: Iterable[str]) -> int:
    """How many tickets a finger had asked for: the issuer gives all others of service F."""
    return sum(ticket.startswith("G") for ticket in acknowledged)


def cut(machine: Machine, seconds: float) -> Found:
    """Let tickets be issued, cut the power ``seconds`` after the first few, start again, and compare."""
    machine.acks.clear()
    machine.run(ISSUER)
    try:
        machine.until("acknowledged tickets", lambda: len(machine.acks) >= FIRST_ACKS and _of_a_press(machine.acks), 120)
    except LabError as exc:
        raise LabError(f"{exc}; the issuer says: {machine.run(ISSUER_LOG)}") from None
    time.sleep(seconds)
    machine.cut_power()
    acknowledged = [tuple(line.split()) for line in machine.acks]
    machine.power_on()
    kept = [(number, str(seq)) for seq, number in json.loads(machine.run(ISSUED, 90))]
    _consecutive([number for number, _ in kept])
    there = set(kept)
    numbers = tuple(number for number, _ in acknowledged)
    return Found(numbers, len(kept), tuple(number for number, seq in acknowledged if (number, seq) not in there))


def _consecutive(numbers: list[str]) -> None:
    """Every service's numbers are 1, 2, 3 in the journal's order, over all cuts: none twice, none left out."""
    for service in {number[0] for number in numbers}:
        given = [int(number[1:]) for number in numbers if number[0] == service]
        assert given == list(range(1, len(given) + 1)), f"{service}: not one after the other: {given[-20:]}"


def power_cuts(kiosk: Kiosk) -> str:
    """``CUTS`` cuts; the journal's chain is checked after the last."""
    chance = random.Random(7)
    found = [cut(kiosk.machine, chance.uniform(0.2, LONGEST_S)) for _ in range(CUTS)]
    assert not any(one.lost for one in found), found
    verified = kiosk.machine.run("runuser -u kiosd -- /opt/kiosd/bin/kiosd journal verify --state /var/lib/kiosd", 120).strip()
    tickets, pressed = sum(len(one.acknowledged) for one in found), sum(one.pressed for one in found)
    return f"{CUTS} cuts, {tickets} tickets acknowledged, {pressed} of them pressed, none lost, no number twice; {verified}"


def teeth(kiosk: Kiosk) -> str:
    """The same with a journal that does not wait for the disk, which must lose tickets: else this proof could not fail."""
    kiosk.machine.run(f"{WEAKEN} && systemctl restart kiosd", 120)
    found = cut(kiosk.machine, 1.0)
    assert found.lost, f"nothing was lost without fsync: {found}"
    return f"without fsync {len(found.lost)} of {len(found.acknowledged)} acknowledged tickets are lost, as they should be"
