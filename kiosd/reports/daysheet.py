"""From a day's rows to its sheet. Pure.

A row that cannot be read, or lacks what its type must have, is skipped and its number noted in the sheet: the report says so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from kiosd.journal.reader import Day, Row
from kiosd.queue.fold import SHORTEST_S
from kiosd.queue.settings import QueueSettings
from kiosd.reports.counting import COUNTED, ServiceCount, Tally, Visit
from kiosd.reports.opentime import OpenTime, ms
from kiosd.reports.sheet import ServiceSheet, Sheet

SHORTEST_MS = round(SHORTEST_S * 1000)
_COUNTED = frozenset(COUNTED)
OVER = frozenset({"finished", "referred", "no_show", "cancelled", "expired"})
NOT_A_ROW = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a damaged row raises; a pydantic ``ValidationError`` is a ``ValueError``."""


def sheet_of(day: Day, rows: Iterable[Row], settings: QueueSettings) -> Sheet:
    """The sheet of ``day`` from its ``rows``: ``reader.rows(day.first, day.last, COUNTED)``, or all of them."""
    tally = Tally()
    damaged: list[int] = []
    unsynced = 0
    for seq, time, clock, kind, data in rows:
        if kind and kind not in _COUNTED:
            continue
        try:
            tally.take(datetime.fromisoformat(time), kind, from_json(data))
        except NOT_A_ROW:
            damaged.append(seq)
        else:
            unsynced += not clock
    _add_visits(tally, settings)
    return Sheet(
        date=date.fromisoformat(day.date), first=day.first, last=day.last, closed=tally.closed, unsynced=unsynced, damaged=tuple(damaged),
        services={letter: _service(tally.services[letter]) for letter in sorted(tally.services)},
        counters=_counters(tally), devices=tuple(tally.devices), closures=tuple(tally.closures), notes=tuple(tally.notes),
        ignored=tally.pressed["ignored"], unattributed=tally.pressed["unattributed"],
        forms_unattributed=tally.pressed["forms_unattributed"],
    )  # fmt: skip


def _add_visits(tally: Tally, settings: QueueSettings) -> None:
    """What is known of a visit only when its day is read: who came, how long they waited, and what they said."""
    zone, opened = settings.site.zone, _open_time(tally, settings)
    for visit in tally.visits.values():
        if visit.state == "void":
            continue
        drawn = tally.services[visit.service]
        _add_user(visit, drawn, zone)
        if visit.state not in OVER:
            at = tally.services[visit.line].n
            at["open"] += 1
            at["serving"] += visit.state == "serving"
        if visit.issued is not None and visit.first_call is not None:
            tally.services[visit.first_service].waits.append(opened.between(ms(visit.issued), ms(visit.first_call)))
        last = tally.services[_last_handling(visit)[0]]
        if visit.took is not None:
            last.served.append(visit.took)
        if visit.score is not None:
            last.by["ratings"][visit.score] += 1
        if visit.form is not None:
            last.forms.append(visit.form)


def _add_user(visit: Visit, drawn: ServiceCount, zone: ZoneInfo) -> None:
    drawn.n["visits"] += 1
    drawn.n["priority"] += visit.priority
    drawn.n["card"] += visit.card
    drawn.n["handwritten"] += visit.handwritten
    drawn.n["manual"] += bool(visit.handlings) and visit.handlings[0][2] == "manual"
    drawn.by["by_category"][visit.category] += 1
    if visit.issued is not None:
        drawn.by["hours"][visit.issued.astimezone(zone).hour] += 1


def _last_handling(visit: Visit) -> tuple[str, int]:
    """Service and counter that served the visit last; where it was rated, if its starts were lost."""
    if visit.handlings:
        return visit.handlings[-1][:2]
    return visit.pressed if visit.pressed[0] else (visit.line, 0)


def _open_time(tally: Tally, settings: QueueSettings) -> OpenTime:
    """Open time of the days in which somebody waited: one, unless the clock was not trusted over midnight."""
    zone = settings.site.zone
    times = [time for visit in tally.visits.values() for time in (visit.issued, visit.first_call) if time is not None]
    if not times:
        return OpenTime(settings, date.min, date.min)
    last = max(times)
    shut = [(one.begin, last if one.end is None else one.end) for one in tally.closures]
    return OpenTime(settings, min(times).astimezone(zone).date(), last.astimezone(zone).date(), shut)


def _counters(tally: Tally) -> Mapping[int, Mapping[int, int]]:
    rated: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for visit in tally.visits.values():
        if visit.score is not None:
            rated[_last_handling(visit)[1]][visit.score] += 1
    return {number: rated[number] for number in sorted(rated)}


def _service(count: ServiceCount) -> ServiceSheet:
    counted: dict[str, Any] = {name: n for name, n in count.n.items() if name != "numbers"}
    forms = sorted(count.forms, key=lambda form: sorted(form.items()))
    counted |= {name: {key: n for key, n in sorted(by.items()) if n} for name, by in count.by.items()}
    return ServiceSheet(
        **counted, issued=count.n["numbers"] - count.n["void"], waits=_seconds(count.waits),
        served=_seconds(took for took in count.served if took >= SHORTEST_MS), forms=tuple(forms),
        distinct=len(count.tokens), tokens=frozenset(count.tokens),
    )  # fmt: skip


def _seconds(spans_ms: Iterable[int]) -> tuple[int, ...]:
    """Milliseconds to whole seconds, to the nearest; sorted, so that nobody's visit is known by its place."""
    return tuple(sorted((span + 500) // 1000 for span in spans_ms))
