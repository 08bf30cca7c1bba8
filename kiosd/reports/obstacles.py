"""When devices did not work and the site was closed (domain section 10 (d)), from what the sheets noted. Pure.

Rule 1  A device is out from ``down``, from a fault with which it cannot do its work, or from the promise of its repair, until it is up
        again. A promise alone ends with its time at the latest: nobody would say that it was kept.
Rule 2  What was out before the period counts inside it, and minutes count only inside it: months add up. Ends are sought beyond it.
Rule 3  Unknown is not good: time before the first word of a device is in no availability. Each day carries over how devices were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kiosd.ports import CANNOT_PRINT
from kiosd.reports.model import Availability, ClosureItem, Outage
from kiosd.reports.opentime import OpenTime
from kiosd.reports.sheet import ClosureNote, DeviceNote

FALLBACKS = {
    "printer": "shown",
    "buttons": "desk",
    "scanner": "manual",
    "rating": "no_rating",
    "display": "voice",
    "board": "voice",
    "keys": "none",
    "broker": "waits",
    "satellite": "reception",
    "other": "none",
}
"""What people do without a device of a role (domain section 2): the number is shown and spoken, the receptionist gives numbers ...

Of a satellite's own devices (``<node>.<device>``) the hub knows no role but ``satellite``.
"""
UNUSABLE = CANNOT_PRINT
"""Codes of a degraded device that cannot do its work: a printer without paper prints nothing (ports: ``TicketPrinter``)."""
JOURNAL = "journal"
"""The daemon's own words on its journal come as those of a device."""
REPAIR = "repair"
FLUTTER = timedelta(seconds=10)
"""A device that worked for less than this between two outages did not work (``supervisor.GOOD_AFTER_S``)."""


@dataclass(slots=True)
class Out:
    """A stretch in which a device was out. ``promise_only``: nothing but a promised repair says so."""

    device: str
    begin: datetime
    code: str
    detail: str
    end: datetime | None = None
    promised: datetime | None = None
    promise: str = ""
    promise_only: bool = False


@dataclass(slots=True)
class Period:
    """The time that a report is about, ``begin`` to before ``end`` (at most now), with its opening hours."""

    begin: datetime
    end: datetime
    opened: OpenTime

    def open_seconds(self, begin: datetime, end: datetime | None) -> float:
        """Open seconds of a stretch (None: it goes on) inside the period."""
        return self.opened.seconds(max(begin, self.begin), min(end or self.end, self.end))

    def touches(self, begin: datetime, end: datetime | None) -> bool:
        """Whether a stretch reaches into the period."""
        return begin < self.end and (end is None or end > self.begin)


@dataclass(slots=True)
class _Device:
    name: str
    known_since: datetime
    outs: list[Out] = field(default_factory=list)

    @property
    def out(self) -> Out | None:
        """The outage that is going on."""
        return self.outs[-1] if self.outs and self.outs[-1].end is None else None

    def hear(self, note: DeviceNote) -> None:
        self.keep_promise(note.time)
        if note.kind == "repair":
            self._promised(note)
        elif note.kind == "down" or (note.kind == "degraded" and note.code in UNUSABLE):
            self._fell_out(note)
        elif self.out is not None and not (note.kind == "degraded" and self.out.promise_only):
            self.out.end = note.time

    def keep_promise(self, now: datetime) -> None:
        """End an outage that only a promise tells of, if it is over by ``now``."""
        out = self.out
        if out is not None and out.promise_only and out.promised is not None and out.promised <= now:
            out.end = out.promised

    def _fell_out(self, note: DeviceNote) -> None:
        last = self.outs[-1] if self.outs else None
        if last is not None and (last.end is None or note.time - last.end < FLUTTER):
            last.end = None
            if last.promise_only:
                last.code, last.detail, last.promise_only = note.code, note.detail, False
            return
        self.outs.append(Out(self.name, note.time, note.code, note.detail))

    def _promised(self, note: DeviceNote) -> None:
        if self.out is None:
            self.outs.append(Out(self.name, note.time, REPAIR, note.detail, promise_only=True))
        self.outs[-1].promised, self.outs[-1].promise = note.until, note.detail


class Devices:
    """All devices over the days: ``hear`` every note in order, then ask."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        """``roles``: what each configured device is used for, a key of ``FALLBACKS``."""
        self._roles = {JOURNAL: "other", **roles}
        self._devices: dict[str, _Device] = {}

    def hear(self, notes: Iterable[DeviceNote]) -> None:
        """What happened on the next day. What a day carried over from the one before is news only of a device not heard of yet.

        Of a device that is not configured any more it is none: it is carried for ever.
        """
        known = set(self._devices)
        for note in notes:
            if note.kind == "started":
                self._restarted(note.time)
            elif not note.carried or (note.device not in known and self._configured(note.device)):
                self._devices.setdefault(note.device, _Device(note.device, note.time)).hear(note)

    def _restarted(self, now: datetime) -> None:
        """A device that is not configured any more was taken out at a restart: at the first one after its last word, for all we know."""
        for device in self._devices.values():
            if device.out is not None and not self._configured(device.name):
                device.out.end = now

    def settle(self, now: datetime) -> None:
        """Nothing more will be heard: promises that are over by ``now`` end."""
        for device in self._devices.values():
            device.keep_promise(now)

    @property
    def anybody_out(self) -> bool:
        return any(device.out for device in self._devices.values())

    def _configured(self, device: str) -> bool:
        """Whether there is that device; a satellite's come and go with it."""
        return device in self._roles or device.partition(".")[0] in self._roles

    def role(self, device: str) -> str:
        role = self._roles.get(device) or self._roles.get(device.partition(".")[0], "other")
        return role if role in FALLBACKS else "other"

    def outages(self, period: Period) -> list[Outage]:
        """Every outage that reaches into ``period``, by begin."""
        outs = [out for device in self._devices.values() for out in device.outs if period.touches(out.begin, out.end)]
        return [self._outage(out, period) for out in sorted(outs, key=lambda one: (one.begin, one.device))]

    def _outage(self, out: Out, period: Period) -> Outage:
        role = self.role(out.device)
        return Outage(
            device=out.device, role=role, begin=out.begin, end=out.end, open_minutes=minutes(period.open_seconds(out.begin, out.end)),
            code=out.code, detail=out.detail, fallback=FALLBACKS[role], promised=out.promised, promise=out.promise,
        )  # fmt: skip

    def availability(self, period: Period) -> list[Availability]:
        """Of every device that is configured or was heard of in ``period``, by name; None where nothing is known."""
        names = self._roles.keys() | {name for name, device in self._devices.items() if self._concerns(device, period)}
        names.discard(JOURNAL)  # a damaged journal is an obstacle, but it is no device
        return [Availability(device=name, role=self.role(name), share=self._share(name, period)) for name in sorted(names)]

    @staticmethod
    def _concerns(device: _Device, period: Period) -> bool:
        return period.begin <= device.known_since < period.end or any(period.touches(out.begin, out.end) for out in device.outs)

    def _share(self, name: str, period: Period) -> float | None:
        device = self._devices.get(name)
        known = period.open_seconds(device.known_since, None) if device else 0.0
        if device is None or known <= 0:
            return None
        return round(1 - sum(period.open_seconds(out.begin, out.end) for out in device.outs) / known, 4)


def minutes(seconds: float) -> int:
    """Whole minutes, to the nearest, halves up."""
    return int((seconds + 30) // 60)


def merged(notes: Iterable[ClosureNote]) -> list[ClosureNote]:
    """Each closure once: days tell of it again while it lasts, and the last word on its end counts."""
    by_begin = {note.begin: note for note in notes}
    return [by_begin[begin] for begin in sorted(by_begin)]


def closure_items(closures: Iterable[ClosureNote], period: Period, hours: OpenTime) -> list[ClosureItem]:
    """Closures that reach into ``period``; their minutes are of ``hours``, which know of no closure."""
    whole = Period(period.begin, period.end, hours)
    return [
        ClosureItem(begin=one.begin, end=one.end, open_minutes=minutes(whole.open_seconds(one.begin, one.end)), reason=one.reason)
        for one in closures
        if period.touches(one.begin, one.end)
    ]
