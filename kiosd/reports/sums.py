"""Sheets of many days added up, exactly, in little memory: waits as how often each second came, tokens as a set. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from kiosd.reports.model import DayCount
from kiosd.reports.sheet import ServiceSheet, Sheet, WrittenNote

HOURS = range(24)
_COUNTS = (
    "issued", "transferred_in", "handlings", "finished", "by_system", "referred", "transferred_out", "no_show", "expired", "cancelled",
    "void", "ambiguous", "paper_failed", "visits", "priority", "card", "manual", "handwritten",
)  # fmt: skip
_KEYED = ("ratings", "out_of_order", "destinations", "reasons", "refused", "by_category")


@dataclass(slots=True)
class ServiceSum:
    """One service's days, or those of all services. ``waits`` and ``served``: whole seconds -> how often."""

    n: Counter[str] = field(default_factory=Counter)
    by: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ratings: Counter[int] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    served: Counter[int] = field(default_factory=Counter)
    forms: list[Mapping[str, int]] = field(default_factory=list)

    def add(self, sheet: ServiceSheet, over: bool) -> None:
        """Another day. Of a day that is ``over`` nothing is open: what has no outcome then is an event that was lost."""
        self.n.update({name: getattr(sheet, name) for name in _COUNTS})
        if not over:
            self.n.update(open=sheet.open, serving=sheet.serving)
        for name in _KEYED:
            self.by[name].update(getattr(sheet, name))
        self.ratings.update(sheet.ratings)
        self.waits.update(sheet.waits)
        self.served.update(sheet.served)
        self.forms.extend(sheet.forms)


@dataclass(slots=True)
class Sums:
    """A period being added up, of ``wanted`` services or of all.

    ``total`` is over the services. Presses that belong to no visit belong to no service: they are the site's.
    """

    wanted: Collection[str] = ()
    services: defaultdict[str, ServiceSum] = field(default_factory=lambda: defaultdict(ServiceSum))
    total: ServiceSum = field(default_factory=ServiceSum)
    tokens: set[bytes] = field(default_factory=set)
    arrivals: list[Counter[int]] = field(default_factory=lambda: [Counter() for _ in range(7)])
    expired: list[DayCount] = field(default_factory=list)
    by_system: list[DayCount] = field(default_factory=list)
    notes: list[WrittenNote] = field(default_factory=list)
    events: int = 0
    ignored: int = 0
    unattributed: int = 0
    forms_unattributed: int = 0
    sealed: list[date] = field(default_factory=list)
    erased: list[date] = field(default_factory=list)
    unsynced: list[date] = field(default_factory=list)
    damaged: list[tuple[date, tuple[int, ...]]] = field(default_factory=list)
    open_day: date | None = None

    def add(self, sheet: Sheet, over: bool) -> None:
        """Another day, later than those before. ``over``: nothing more will happen on it."""
        services = {letter: one for letter, one in sheet.services.items() if not self.wanted or letter in self.wanted}
        for letter, one in services.items():
            self.services[letter].add(one, over)
            self.total.add(one, over)
            self.tokens.update(one.tokens or ())
            self.arrivals[sheet.date.weekday()].update(one.hours)
        _note(self.expired, sheet.date, sum(one.expired for one in services.values()))
        _note(self.by_system, sheet.date, sum(one.by_system for one in services.values()))
        self.notes.extend(sheet.notes)
        self.events += sheet.events
        self.ignored += sheet.ignored
        self.unattributed += sheet.unattributed
        self.forms_unattributed += sheet.forms_unattributed
        self._note_gaps(sheet, services, over)

    def _note_gaps(self, sheet: Sheet, services: Mapping[str, ServiceSheet], over: bool) -> None:
        if any(one.distinct and one.tokens is None for one in services.values()):
            self.sealed.append(sheet.date)
        if any(one.erased for one in services.values()):
            self.erased.append(sheet.date)
        if sheet.unsynced:
            self.unsynced.append(sheet.date)
        if sheet.damaged:
            self.damaged.append((sheet.date, sheet.damaged))
        if not over:
            self.open_day = sheet.date

    @property
    def distinct(self) -> int | None:
        """Different cards; None when some tokens are gone."""
        return None if self.sealed or self.erased else len(self.tokens)


def _note(days: list[DayCount], day: date, count: int) -> None:
    if count:
        days.append(DayCount(day=day, count=count))
