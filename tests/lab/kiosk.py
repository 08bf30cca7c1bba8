"""The kiosk in the guest: the real service under systemd, seen by what it tells a central system over MQTT."""

import json
import time
from collections.abc import Callable
from typing import Any

from lab.machine import LabError, Machine

EVENTS = "/run/lab-events"
SETTLE_S = 1.5  # longer than any hold-off of a button
Event = dict[str, Any]


class Kiosk:
    """``seen`` is the sequence up to which events were looked at."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.seen = 0

    def events(self) -> list[Event]:
        """All events that a central system has got since the boot, each once, in order."""
        found: dict[int, Event] = {}
        for line in self.machine.run(f"cat {EVENTS} 2>/dev/null || true").splitlines():
            event = json.loads(line)
            found[int(event["sequence"])] = event
        return [found[number] for number in sorted(found)]

    def event(self, kind: str, subject: str = "", seconds: float = 60.0, fits: Callable[[Event], bool] = lambda _: True) -> Event:
        """The next event of ``kind`` after those already looked at; ``LabError`` when it does not come."""

        def find() -> Event | None:
            for event in self.events():
                new = int(event["sequence"]) > self.seen
                if new and event["type"] == f"kiosd.{kind}.v1" and subject in {"", event.get("subject")} and fits(event):
                    return event
            return None

        try:
            event: Event = self.machine.until(f"{kind} {subject}", find, seconds)
        except LabError as exc:
            came = [f"{one['sequence'].lstrip('0')} {one['type'][6:-3]} {one.get('subject', '')}" for one in self.events()][-12:]
            raise LabError(f"{exc}; the last events: {came}; the log:\n{self.log()}") from None
        self.seen = int(event["sequence"])
        return event

    def look(self) -> None:
        """What has happened so far is known."""
        self.seen = max((int(event["sequence"]) for event in self.events()), default=0)

    def device(self, name: str, state: str, seconds: float = 90.0) -> Event:
        """Wait until ``name`` is ``up``, ``down`` or ``degraded``, by the last event about it."""

        def find() -> Event | None:
            about = [one for one in self.events() if one["type"].startswith("kiosd.device.") and one.get("subject") == name]
            return about[-1] if about and about[-1]["type"] == f"kiosd.device.{state}.v1" else None

        event: Event = self.machine.until(f"{name} {state}", find, seconds)
        return event

    def log(self) -> str:
        return self.machine.run("journalctl -q -u kiosd -n 12 -o cat --no-pager || true")

    def pid(self) -> int:
        return int(self.machine.run("systemctl show -P MainPID kiosd"))


def press(kiosk: Kiosk, pin: int) -> None:
    """A finger on the button at ``pin``, some time after the one before."""
    time.sleep(SETTLE_S)
    kiosk.machine.devices("press", pin)
