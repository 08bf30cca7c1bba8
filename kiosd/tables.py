"""What the CLI prints for a person: pure functions from what was answered to text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kiosd.logs import clean
from kiosd.queue.events import Record
from kiosd.queue.interface import Reply, ServiceView, Snapshot
from kiosd.queue.settings import ZONE_SHORT

if TYPE_CHECKING:
    from kiosd.config import Settings

__all__ = ["clean", "config", "config_facts", "event_line", "said", "status", "verified"]

SAID = {
    "issue": "{number} is issued; {ahead} waiting before it",
    "next": "{number} is called to counter {counter}",
    "recall": "{number} is called again to counter {counter} (call {calls})",
    "start": "{number} is being served at counter {counter}",
    "absent": "{number} did not come to counter {counter}",
    "finish": "{number} is finished at counter {counter}",
    "cancel": "{number} is cancelled",
    "open": "counter {counter} is open",
    "pause": "counter {counter} is paused",
    "close": "counter {counter} is closed",
    "rate": "rating {score} at counter {counter}: {outcome}",
}
"""What a command that was done says, from its reply's result."""
HIDDEN = {"ticket", "number", "service", "token", "device", "date", "n", "slip", "pressed_at"}
"""Fields of an event that its line does not show: what the subject tells already, scan tokens, and what only programs need."""


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    from tabulate import tabulate  # only where a table is drawn

    cells = [[clean(str(cell)) for cell in row] for row in rows]
    return f"{title}\n{tabulate(cells, heads, tablefmt='simple', disable_numparse=True)}" if cells else f"{title}: none"


DAY_TIME, TIME = "%Y-%m-%d %H:%M:%S", "%H:%M:%S"


def _local(time: datetime | None, zone: str, shape: str) -> str:
    """``time`` in the site's zone."""
    return "" if time is None else time.astimezone(ZoneInfo(zone)).strftime(shape)


def said(name: str, reply: Reply) -> str:
    """One sentence on a command that was done."""
    if reply.message:  # the queue has something to say itself: nobody is waiting
        return clean(reply.message)
    facts = defaultdict(lambda: "?", reply.result)
    return clean(SAID[name].format_map(facts)) if name in SAID else "done"


def status(snapshot: Snapshot) -> str:
    """The day: open or why not, lines, counters, devices."""
    time = f"{_local(snapshot.time, snapshot.zone, TIME)} {ZONE_SHORT[snapshot.zone]}"
    head = [
        f"Day {snapshot.date or '(none yet)'}, {time}, event {snapshot.sequence}",
        _opening(snapshot),
        "Clock: synchronised" if snapshot.clock == "synced" else "Clock: NOT synchronised; the time and date may be wrong",
    ]
    parts = [
        "\n".join(head),
        _table("Services", ("service", "name", "waiting", "issued", "last called"), map(_service, snapshot.services)),
        _table("Counters", ("counter", "state", "number", "calls", "since", "services"), _counters(snapshot)),
        _table("Devices", ("device", "state", "since", "why"), _devices(snapshot)),
    ]
    return "\n\n".join(parts)


def _opening(snapshot: Snapshot) -> str:
    if snapshot.open:
        return "Open: tickets are given"
    opens = datetime.fromisoformat(snapshot.opens_at).strftime("%Y-%m-%d %H:%M") if snapshot.opens_at else ""
    return clean(f"Closed: {snapshot.message or 'no reason known'}" + (f" (opens {opens})" if opens else ""))


def _service(view: ServiceView) -> Sequence[object]:
    return view.service, view.name + ("" if view.enabled else " (off)"), view.waiting, view.issued, view.last_called


def _counters(snapshot: Snapshot) -> Iterator[Sequence[object]]:
    for view in snapshot.counters:
        since = _local(view.since, snapshot.zone, TIME)
        yield view.counter, view.state.value, view.number, view.calls or "", since, " ".join(view.services)


def _devices(snapshot: Snapshot) -> Iterator[Sequence[object]]:
    for view in snapshot.devices:
        why = f"{view.detail} ({view.code})" if view.detail and view.code else view.detail or view.code
        yield view.device, view.state, _local(view.since, snapshot.zone, DAY_TIME), why


def event_line(record: Record, zone: str) -> str:
    """``2026-07-01 08:05:01      12 ticket.called      D005       counter=4 call=1``; ``?`` after a time that is not trusted."""
    event = record.event
    time = _local(record.moment.time, zone, DAY_TIME) + (" " if record.moment.synced else "?")
    shown = event.model_dump(mode="json", exclude=HIDDEN)
    told = [f"{name}={value}" for name, value in shown.items() if _tells(name, value, event.subject)]
    return clean(f"{time} {record.seq:>7} {event.type:<22} {event.subject:<12} {' '.join(told)}".rstrip())


def _tells(name: str, value: object, subject: str) -> bool:
    """Whether a field says more than nothing, no, unknown, or the subject once again."""
    return value is not None and value is not False and value not in ("", "tidak_dicatat") and subject != f"{name}-{value}"


def verified(found: dict[str, Any]) -> str:
    """A journal that passed its check."""
    more = [f"{name}: {value}" for name, value in found.items() if name not in {"ok", "events"}]
    return clean(
        f"The journal is whole: {found.get('events', '?')} events, file and chain of hashes checked." + "".join(f" {m}." for m in more)
    )


def config_facts(settings: "Settings") -> dict[str, Any]:
    """What a checked configuration holds, for programs."""
    return {
        "site": settings.site.id,
        "name": settings.site.name,
        "type": settings.site.type,
        "node": settings.node.id,
        "hash": settings.hash,
        "services": {letter: service.name for letter, service in settings.services.items()},
        "counters": {str(number): list(counter.services) for number, counter in sorted(settings.counters.items())},
        "devices": {name: device.driver for name, device in settings.devices.items()},
        "mqtt": sorted(settings.mqtt),
    }


def config(settings: "Settings") -> str:
    """What a checked configuration holds, for people."""
    facts = config_facts(settings)
    parts = [
        clean(f"{facts['site']} {facts['name']}, type {facts['type']}, node {facts['node']}: the configuration is good."),
        _table("Services", ("service", "name"), facts["services"].items()),
        _table("Counters", ("counter", "services"), [(number, " ".join(letters)) for number, letters in facts["counters"].items()]),
        _table("Devices", ("device", "driver"), facts["devices"].items()),
    ]
    return "\n\n".join(parts)
