"""Count the events of one business date. Pure, and fast: no model per event, for a year has two million.

Rule 1  What the book's fold says an event means is what is counted here; a test compares the two over random days.
Rule 2  Both sides of an identity are counted from different events, so that a lost one is seen: outcomes from the events that end,
        places in a line from those that begin, handlings from starts. Nothing is inferred from what should have happened.
Rule 3  An event of an unknown ticket (its issue was lost) is counted like any other; the identities then tell.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kiosd.reports.opentime import ms
from kiosd.reports.sheet import ClosureNote, DeviceNote, WrittenNote

Data = dict[str, Any]


@dataclass(slots=True)
class Visit:
    """A ticket while its day is read; ``line`` is the service it is in now, ``took`` the milliseconds of the service that ended it.

    ``calls`` counts the calls that were not undone, without recalls; the wait ends at the first of them.
    ``handlings``: service, counter and identity of each start that was not undone.
    """

    service: str
    issued: datetime | None = None
    priority: bool = False
    category: str = "tidak_dicatat"
    handwritten: bool = False
    state: str = "waiting"
    line: str = ""
    calls: int = 0
    first_call: datetime | None = None
    first_service: str = ""
    out_of_order: str | None = None
    started: datetime | None = None
    handlings: list[tuple[str, int, str]] = field(default_factory=list)
    took: int | None = None
    card: bool = False
    score: int | None = None
    pressed: tuple[str, int] = ("", 0)
    form: dict[str, int] | None = None


@dataclass(slots=True)
class ServiceCount:
    """One service's counts while its day is read; ``waits`` and ``served`` in milliseconds."""

    n: Counter[str] = field(default_factory=Counter)
    waits: list[int] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    forms: list[dict[str, int]] = field(default_factory=list)
    tokens: set[bytes] = field(default_factory=set)
    by: defaultdict[str, Counter[Any]] = field(default_factory=lambda: defaultdict(Counter))


class Tally:
    """A day being read: ``take`` every event, then see what was counted."""

    def __init__(self) -> None:
        self.visits: dict[str, Visit] = {}
        self.services: defaultdict[str, ServiceCount] = defaultdict(ServiceCount)
        self.pressed: Counter[str] = Counter()
        self.devices: list[DeviceNote] = []
        self.closures: list[ClosureNote] = []
        self.notes: list[WrittenNote] = []
        self.closed = self.training = False

    def take(self, at: datetime, kind: str, data: Data) -> None:
        """Count an event of one of the types ``COUNTED``; ``KeyError`` and the like when something that it must have is not there."""
        if not data.get("training"):
            _TAKES[kind](self, at, data)

    def _visit(self, data: Data) -> Visit:
        visit = self.visits.get(data["ticket"])
        if visit is None:
            visit = self.visits[data["ticket"]] = Visit(data["service"], line=data["service"])
        return visit

    def issued(self, at: datetime, data: Data) -> None:
        written = data.get("issued_at")
        visit = self._visit(data)
        visit.issued = datetime.fromisoformat(written) if written else at
        visit.priority, visit.category = data["priority"], data["category"]
        visit.handwritten = bool(data.get("manual"))
        self.services[data["service"]].n["numbers"] += 1

    def called(self, at: datetime, data: Data) -> None:
        visit, reason = self._visit(data), data["out_of_order"]
        visit.state, visit.calls, visit.out_of_order = "called", visit.calls + 1, reason
        if visit.calls == 1:
            visit.first_call, visit.first_service = at, data["service"]
        if reason is not None:
            self.services[data["service"]].by["out_of_order"][reason] += 1

    def call_undone(self, _: datetime, data: Data) -> None:
        visit = self._visit(data)
        visit.state, visit.calls = "waiting", visit.calls - 1
        if visit.calls == 0:
            visit.first_call = None
        if visit.out_of_order is not None:
            self.services[data["service"]].by["out_of_order"][visit.out_of_order] -= 1
        visit.out_of_order = None

    def started(self, at: datetime, data: Data) -> None:
        visit = self._visit(data)
        visit.state, visit.started = "serving", at
        visit.handlings.append((data["service"], data["counter"], data["identity"]))
        self.services[data["service"]].n["handlings"] += 1

    def start_undone(self, _: datetime, data: Data) -> None:
        visit = self._visit(data)
        visit.state, visit.started = "called", None
        if visit.handlings:
            visit.handlings.pop()
        self.services[data["service"]].n["handlings"] -= 1

    def finished(self, at: datetime, data: Data) -> None:
        visit, service = self._visit(data), self.services[data["service"]]
        visit.state = "finished"
        service.n["finished"] += 1
        if data["by_system"]:
            service.n["by_system"] += 1
        elif visit.started is not None:
            visit.took = ms(at) - ms(visit.started)

    def finish_undone(self, _: datetime, data: Data) -> None:
        visit = self._visit(data)
        visit.state, visit.took = "serving", None
        self.services[data["service"]].n["finished"] -= 1

    def transferred(self, at: datetime, data: Data) -> None:
        visit, service = self._left_counter(at, data, "waiting"), self.services[data["service"]]
        visit.line, visit.started = data["to"], None
        service.n["transferred_out"] += 1
        service.by["to"][data["to"]] += 1
        self.services[data["to"]].n["transferred_in"] += 1

    def referred(self, at: datetime, data: Data) -> None:
        self._left_counter(at, data, "referred")
        service = self.services[data["service"]]
        service.n["referred"] += 1
        service.by["destinations"][data["destination"]] += 1
        service.by["reasons"][data["reason"]] += 1

    def _left_counter(self, at: datetime, data: Data, state: str) -> Visit:
        visit = self._visit(data)
        visit.state = state
        if visit.started is not None:
            self.services[data["service"]].served.append(ms(at) - ms(visit.started))
        return visit

    def ended(self, name: str, data: Data) -> None:
        """Its place in the line has the outcome ``name``."""
        self._visit(data).state = name
        self.services[data["service"]].n[name] += 1

    def readmitted(self, _: datetime, data: Data) -> None:
        self._visit(data).state = "waiting"
        self.services[data["service"]].n["no_show"] -= 1

    def cancelled(self, _: datetime, data: Data) -> None:
        if self._visit(data).state == "no_show":
            self.services[data["service"]].n["no_show"] -= 1
        self.ended("cancelled", data)

    def voided(self, _: datetime, data: Data) -> None:
        """One that was served and sent on was a visit, whatever became of its paper."""
        self.ended("cancelled" if self._visit(data).handlings else "void", data)

    def priority(self, _: datetime, data: Data) -> None:
        self._visit(data).priority = data["priority"]

    def category(self, _: datetime, data: Data) -> None:
        self._visit(data).category = data["category"]

    def paper(self, name: str, data: Data) -> None:
        self.services[data["service"]].n[name] += 1

    def refused(self, _: datetime, data: Data) -> None:
        if not self.training:
            self.services[data["service"]].by["refused"][data["code"]] += 1

    def scan(self, _: datetime, data: Data) -> None:
        visit, token = self._visit(data), data.get("token")
        visit.card = True
        service = self.services[visit.service]
        if token:
            service.tokens.add(bytes.fromhex(token.replace("-", "")))
        else:
            service.n["erased"] += 1

    def rated(self, _: datetime, data: Data) -> None:
        visit = self._visit(data)
        visit.score, visit.pressed = data["score"], (data["service"], data["counter"])

    def ambiguous(self, _: datetime, data: Data) -> None:
        self._visit(data).score = None
        self.services[data["service"]].n["ambiguous"] += 1

    def press(self, name: str) -> None:
        """A press or form that belongs to no visit."""
        if not self.training:
            self.pressed[name] += 1

    def surveyed(self, _: datetime, data: Data) -> None:
        if data["ticket"] is None:
            self.press("forms_unattributed")
        else:
            self.visits[data["ticket"]].form = data["answers"]

    def device(self, at: datetime | str, kind: str, data: Data) -> None:
        self.devices.append(DeviceNote.model_validate({"time": at, "kind": kind, **data}))

    def repair(self, at: datetime, data: Data) -> None:
        self.device(at, "repair", {"device": data["device"], "detail": data["reason"], "until": data["until"]})

    def opened(self, at: datetime, data: Data) -> None:
        """What was carried over from the day before: devices, repairs, a closure."""
        carried = data.get("carried") or {}
        for device, (state, code, detail, since, _) in carried.get("devices", {}).items():
            kind = "up" if state == "ok" else state
            self.device(since, kind, {"device": device, "code": code, "detail": detail, "carried": True})
        for device, (until, reason) in carried.get("repairs", {}).items():
            self.device(at, "repair", {"device": device, "detail": reason, "until": until, "carried": True})
        if carried.get("suspended_since"):
            self._shut(carried["suspended_since"], carried["suspended_until"], carried["suspended_reason"])

    def suspended(self, at: datetime, data: Data) -> None:
        self.resumed(at, data)
        self._shut(at, data["until"], data["reason"])

    def _shut(self, since: datetime | str, until: str | None, reason: str) -> None:
        self.closures.append(ClosureNote.model_validate({"begin": since, "end": until, "reason": reason}))

    def resumed(self, at: datetime, _: Data) -> None:
        """The closure that holds ends; one that is over stays as it was."""
        if self.closures and (self.closures[-1].end is None or self.closures[-1].end > at):
            self.closures[-1] = self.closures[-1].model_copy(update={"end": at})

    def noted(self, at: datetime, data: Data) -> None:
        self.notes.append(WrittenNote(time=at, text=data["text"]))

    def stands(self, **how: bool) -> None:
        """``closed`` or ``training``, from now on."""
        self.closed, self.training = how.get("closed", self.closed), how.get("training", self.training)


_TAKES: dict[str, Callable[[Tally, datetime, Data], None]] = {
    "ticket.issued": Tally.issued,
    "ticket.called": Tally.called,
    "ticket.call_undone": Tally.call_undone,
    "ticket.started": Tally.started,
    "ticket.start_undone": Tally.start_undone,
    "ticket.finished": Tally.finished,
    "ticket.finish_undone": Tally.finish_undone,
    "ticket.transferred": Tally.transferred,
    "ticket.referred": Tally.referred,
    "ticket.no_show": lambda tally, _, data: tally.ended("no_show", data),
    "ticket.readmitted": Tally.readmitted,
    "ticket.cancelled": Tally.cancelled,
    "ticket.expired": lambda tally, _, data: tally.ended("expired", data),
    "ticket.voided": Tally.voided,
    "ticket.priority_changed": Tally.priority,
    "ticket.categorised": Tally.category,
    "ticket.print_failed": lambda tally, _, data: tally.paper("paper_failed", data),
    "ticket.print_uncertain": lambda tally, _, data: tally.paper("paper_uncertain", data),
    "ticket.refused": Tally.refused,
    "scan.read": Tally.scan,
    "rating.given": Tally.rated,
    "rating.corrected": Tally.rated,
    "rating.ambiguous": Tally.ambiguous,
    "rating.ignored": lambda tally, _, __: tally.press("ignored"),
    "rating.unattributed": lambda tally, _, __: tally.press("unattributed"),
    "rating.survey": Tally.surveyed,
    "device.up": lambda tally, at, data: tally.device(at, "up", data),
    "device.degraded": lambda tally, at, data: tally.device(at, "degraded", data),
    "device.down": lambda tally, at, data: tally.device(at, "down", data),
    "device.repair_promised": Tally.repair,
    "system.started": lambda tally, at, data: tally.device(at, "started", data),
    "system.day_opened": Tally.opened,
    "system.day_closed": lambda tally, _, __: tally.stands(closed=True),
    "system.suspended": Tally.suspended,
    "system.resumed": Tally.resumed,
    "system.note": Tally.noted,
    "system.training_started": lambda tally, _, __: tally.stands(training=True),
    "system.training_ended": lambda tally, _, __: tally.stands(training=False),
}
COUNTED = tuple(_TAKES)
"""The types of events that a sheet is made of; the others are not even read."""
OBSTACLES = (
    "device.up", "device.degraded", "device.down", "device.repair_promised", "system.started", "system.day_opened", "system.suspended",
    "system.resumed",
)  # fmt: skip
"""Of these, what tells how devices and the site stood: for the days around a period."""
