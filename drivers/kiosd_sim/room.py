"""What visitors and officers see: lines, counters, which device works. A fold of the daemon's own events."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

AT_COUNTER = {
    "ticket.called": "calling",
    "ticket.recalled": "calling",
    "ticket.started": "serving",
    "ticket.finished": "ready",
    "ticket.no_show": "ready",
    "counter.opened": "ready",
    "counter.paused": "paused",
    "counter.closed": "closed",
}
"""Event -> state of its counter afterwards."""
REFUSED = "counter.refused"


@dataclass
class Place:
    """A counter: state, number and how often it was called. ``event`` is the last event that an officer there noticed."""

    state: str = "closed"
    number: str = ""
    calls: int = 0
    event: int = 0


class Room:
    """Begins with a snapshot (``kiosd status --json``), goes on with events (``kiosd events --json``)."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.sequence: int = snapshot["sequence"]
        self.waiting = Counter({view["service"]: view["waiting"] for view in snapshot["services"]})
        self.places = {view["counter"]: Place(view["state"], view["number"], view["calls"]) for view in snapshot["counters"]}
        self._absent = {view["number"] for view in snapshot["tickets"] if view["state"] == "no_show"}
        self._up: dict[str, bool] = {view["device"]: view["state"] != "down" for view in snapshot["devices"]}
        self._changed = asyncio.Event()

    def works(self, device: str) -> bool:
        """Whether the daemon can use it now."""
        return self._up.get(device, False)

    def take(self, record: dict[str, Any]) -> None:
        """One event."""
        kind, data = record["type"], record["data"]
        self.sequence = record["seq"]
        self._line(kind, data)
        if kind in AT_COUNTER or kind == REFUSED:
            if place := self.places.get(data["counter"]):  # else of a counter that an earlier configuration had
                self._counter(kind, data, place)
        elif kind in {"device.up", "device.degraded", "device.down"}:
            self._up[data["device"]] = kind != "device.down"
        self._changed.set()
        self._changed = asyncio.Event()

    def _line(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "ticket.issued":
                self.waiting[data["service"]] += 1
            case "ticket.called":
                self.waiting[data["service"]] -= 1
            case "ticket.no_show":
                self._absent.add(data["number"])
            case "ticket.cancelled" | "ticket.expired":
                self._left(data["number"], data["service"])
            case "system.day_opened":
                self.waiting.clear()
                self._absent.clear()

    def _left(self, number: str, service: str) -> None:
        """A ticket that is waiting, called or absent is no more."""
        for place in self.places.values():
            if place.state == "calling" and place.number == number:
                place.state, place.event = "ready", self.sequence
                return
        if number in self._absent:
            self._absent.discard(number)
        else:
            self.waiting[service] -= 1

    def _counter(self, kind: str, data: dict[str, Any], place: Place) -> None:
        place.event = self.sequence
        place.state = AT_COUNTER.get(kind, place.state)
        if place.state == "calling" and kind != REFUSED:
            place.number, place.calls = data["number"], data["call"]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when ``condition`` holds; it is asked again after each event."""
        while not condition():
            await self._changed.wait()
