"""What the CLI prints for a person: pure functions from what was answered to text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kiosd.logs import clean
from kiosd.queue.events import Event, Record
from kiosd.queue.interface import DeviceView, Forecast, PlaceView, Reply, ServiceView, Snapshot
from kiosd.queue.settings import ZONE_SHORT

if TYPE_CHECKING:
    from kiosd.config import SatelliteSettings, Settings
    from kiosd.mqtt.outbox import BrokerView, OutboxView

__all__ = [
    "clean", "config", "config_facts", "event_line", "forecasts", "owed", "said", "satellite", "satellite_facts", "status", "verified"
]  # fmt: skip

SAID = {
    "issue": "{number} is issued; {ahead} waiting before it",
    "next": "{number} is called to counter {counter}",
    "call": "{number} is called to counter {counter} out of its order ({out_of_order})",
    "recall": "{number} is called again to counter {counter} (call {calls})",
    "start": "{number} is being served at counter {counter}",
    "absent": "{number} did not come to counter {counter}",
    "readmit": "{number} waits again, behind {behind} more calls",
    "undo_call": "{number} waits again: its call to counter {counter} is taken back",
    "undo_start": "{number} is called again: its start at counter {counter} is taken back",
    "undo_finish": "{number} is being served again: its end at counter {counter} is taken back",
    "finish": "{number} is finished at counter {counter}",
    "transfer": "{number} waits for service {to}",
    "refer": "{number} is referred to {destination}",
    "cancel": "{number} is cancelled",
    "void": "{number} is void",
    "priority": "{number} has priority",
    "priority off": "{number} has no priority any more",
    "category": "{number} is noted as {category}",
    "reserve": "{first} to {last} are booked for writing by hand",
    "enter": "{number} is entered; {ahead} waiting before it",
    "reprint": "{number} is printed again",
    "rate": "rating {score} at counter {counter}: {outcome}",
    "invite": "{number} is asked to rate at counter {counter}",
    "survey": "{answers} answers are recorded at counter {counter}",
    "open": "counter {counter} is open",
    "pause": "counter {counter} is paused",
    "close": "counter {counter} is closed",
    "suspend": "the site is closed until {until}: {reason}",
    "resume": "the site follows its hours again",
    "training": "TRAINING has begun: tickets are marked and count nowhere",
    "training off": "the training is over",
    "repair": "{device} is promised to work again by {until}",
    "note": "noted",
    "close_day": "the day {date} is closed; {expired} still waited and expired",
}
"""What a command that was done says, from its reply's result."""
HIDDEN = {"ticket", "number", "service", "token", "device", "date", "n", "slip", "pressed_at", "carried", "actor", "place"}
"""Fields of an event that its line does not list: what the subject tells already, scan tokens, what only programs need, and who asked,
which stands at the end."""


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    from tabulate import tabulate  # only where a table is drawn

    cells = [["\n".join(wrap(clean(str(cell)), WIDEST)) for cell in row] for row in rows]
    return f"{title}\n{tabulate(cells, heads, tablefmt='simple', disable_numparse=True)}" if cells else f"{title}: none"


WIDEST = 80
"""Characters of a cell in one line: a reason may be long, and half of it would wrap under the first column."""
DAY_TIME, DAY_MINUTE, TIME = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%H:%M:%S"
AGES = (("d", 86_400), ("h", 3600), ("min", 60))


def _local(time: datetime | None, zone: str, shape: str) -> str:
    """``time`` in the site's zone."""
    return "" if time is None else time.astimezone(ZoneInfo(zone)).strftime(shape)


def said(name: str, reply: Reply) -> str:
    """One sentence on a command that was done."""
    if reply.message:  # the queue has something to say itself: nobody is waiting
        return clean(reply.message)
    facts = defaultdict(lambda: "?", reply.result)
    if "until" in facts:
        facts["until"] = _minute(facts["until"]) or "further notice"
    off = f"{name} off" if reply.result.get(name) is False else name
    return clean(SAID[off].format_map(facts) + _expected(reply.result))


def _expected(result: Mapping[str, Any]) -> str:
    """What a new ticket's visitor has to expect."""
    wait = _wait(result.get("wait_low_min"), result.get("wait_high_min"), bool(result.get("unlikely")))
    return (f"; expected wait: {wait}" if wait else "") + ("; FOR TRAINING" if result.get("training") and "ahead" in result else "")


def _wait(low: int | None, high: int | None, unlikely: bool) -> str:
    if unlikely:
        return "not today"
    return "" if low is None else f"{low}-{high} min"


def _minute(iso: str | None) -> str:
    """A local time as people write it, from ISO text."""
    return datetime.fromisoformat(iso).strftime(DAY_MINUTE) if iso else ""


def status(snapshot: Snapshot) -> str:
    """The day: open or why not, a training, a calendar that lacks, lines, counters, devices."""
    time = f"{_local(snapshot.time, snapshot.zone, TIME)} {ZONE_SHORT[snapshot.zone]}"
    head = [
        f"Day {snapshot.date or '(none yet)'}, {time}, event {snapshot.sequence}",
        *(("*** TRAINING: tickets are marked LATIHAN and count nowhere ***",) if snapshot.training else ()),
        _opening(snapshot),
        "Clock: synchronised" if snapshot.clock == "synced" else "Clock: NOT synchronised; the time and date may be wrong",
        *(f"Calendar: no calendar for {year}: holidays are taken for ordinary weekdays" for year in snapshot.calendar_missing),
    ]
    parts = [
        "\n".join(head),
        _table("Services", ("service", "name", "waiting", "expected wait", "issued", "last called"), map(_service, snapshot.services)),
        _table("Counters", ("counter", "state", "number", "calls", "since", "services"), _counters(snapshot)),
        _table("Devices", ("device", "state", "since", "why"), _devices(snapshot)),
    ]
    return "\n\n".join(parts)


def _opening(snapshot: Snapshot) -> str:
    if snapshot.open:
        return "Open: tickets are given"
    opens = _minute(snapshot.opens_at)
    return clean(f"Closed: {snapshot.message or 'no reason known'}" + (f" (opens {opens})" if opens else ""))


def _service(view: ServiceView) -> Sequence[object]:
    issued = view.issued if view.quota is None else f"{view.issued} of {view.quota}"
    wait = _wait(view.wait_low_min, view.wait_high_min, view.unlikely)
    return view.service, view.name + ("" if view.enabled else " (off)"), view.waiting, wait, issued, view.last_called


def _counters(snapshot: Snapshot) -> Iterator[Sequence[object]]:
    for view in snapshot.counters:
        since = _local(view.since, snapshot.zone, TIME)
        yield view.counter, view.state.value, view.number, view.calls or "", since, " ".join(view.services)


def _devices(snapshot: Snapshot) -> Iterator[Sequence[object]]:
    for view in snapshot.devices:
        why = f"{view.detail} ({view.code})" if view.detail and view.code else view.detail or view.code
        yield view.device, view.state, _local(view.since, snapshot.zone, DAY_TIME), "; ".join(filter(None, (why, _repair(view, snapshot))))


def _repair(view: DeviceView, snapshot: Snapshot) -> str:
    if view.repair_until is None:
        return ""
    late = " (that is over)" if view.repair_until <= snapshot.time else ""
    return f"repair promised until {_local(view.repair_until, snapshot.zone, DAY_MINUTE)}{late}: {view.repair_reason}"


def forecasts(found: Iterable[Forecast], zone: str, explain: bool) -> str:
    """Who is next, and why."""
    heads = ("", "number", "service", "issued", *(("why",) if explain else ("",)))
    parts = []
    for one in found:
        title = f"Counter {one.counter}" if one.counter is not None else f"Service {one.service}"
        rows = [
            (place.position, place.number, place.service, _local(place.issued_at, zone, TIME), place.why if explain else _mark(place))
            for place in one.places
        ]
        parts.append(_table(f"{title}: {one.waiting} waiting", heads, rows) if rows else f"{title}: nobody waits")
    return "\n\n".join(parts)


def _mark(place: PlaceView) -> str:
    return "priority" if place.priority else ""


def event_line(record: Record, zone: str) -> str:
    """``2026-07-01 08:05:01      12 ticket.called      D005       counter=4 call=1 (officer, cli)``; ``?``: the time is not trusted."""
    event = record.event
    time = _local(record.moment.time, zone, DAY_TIME) + (" " if record.moment.synced else "?")
    shown = event.model_dump(exclude=HIDDEN)
    told = [f"{name}={_value(value, zone)}" for name, value in shown.items() if _tells(event, name, value)]
    asked = ", ".join(filter(None, (event.actor, event.place)))
    if asked:
        told.append(f"({asked})")
    return clean(f"{time} {record.seq:>7} {event.type:<24} {event.subject:<12} {' '.join(told)}".rstrip())


def _value(value: object, zone: str) -> str:
    if isinstance(value, datetime):
        return _local(value, zone, "%Y-%m-%dT%H:%M:%S")
    return ",".join(f"{name}:{one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


def _tells(event: Event, name: str, value: object) -> bool:
    """Whether a field says more than nothing, no (unless that is what happened), unknown, or the subject once again."""
    if value is None or value in ("", "tidak_dicatat") or event.subject == f"{name}-{value}":
        return False
    return value is not False or type(event).model_fields[name].is_required()


def verified(found: dict[str, Any]) -> str:
    """A journal that passed its check."""
    more = [f"{name}: {value}" for name, value in found.items() if name not in {"ok", "events"}]
    return clean(
        f"The journal is whole: {found.get('events', '?')} events, file and chain of hashes checked." + "".join(f" {m}." for m in more)
    )


def owed(view: "OutboxView", broker: "BrokerView") -> str:
    """What one broker is owed, family by family, and what it is not told."""
    state = "connected" if broker.connection is not None else f"not connected: {broker.reason}"
    rows = [
        (one.family, one.cursor, one.owed or "", one.oldest or "", _age(view.time, one.since), one.held)
        if one.told
        else (one.family, "", "", "", "", "this broker is not told")
        for one in broker.families
    ]
    title = clean(f"{broker.broker}: {state}; newest event {view.newest}; an event is told when the {broker.confirm} has it")
    text = _table(title, ("family", "told up to", "owed", "oldest", "age", "held"), rows)
    if not broker.left_out:
        return text
    shown = ", ".join(f"{one.sequence} ({one.code}, {_local(one.time, view.zone, DAY_TIME)})" for one in broker.quarantined)
    return f"{text}\n{clean(f'Left out, {broker.left_out} in all: {shown}')}"


def _age(now: datetime, since: datetime | None) -> str:
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    return next((f"{seconds // length} {unit}" for unit, length in AGES if seconds >= 2 * length), f"{seconds} s")


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
        "satellites": {node: list(satellite.counters) for node, satellite in sorted(settings.satellites.items())},
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
    if facts["satellites"]:
        rows = [(node, " ".join(map(str, counters))) for node, counters in facts["satellites"].items()]
        parts.append(_table("Satellites", ("node", "counters"), rows))
    return "\n\n".join(parts)


def satellite_facts(settings: "SatelliteSettings") -> dict[str, Any]:
    """What a checked configuration of a satellite holds, for programs."""
    return {
        "site": settings.site.id,
        "node": settings.node.id,
        "hub": settings.node.hub,
        "hash": settings.hash,
        "counters": {str(number): desk.model_dump(exclude_none=True) for number, desk in sorted(settings.counters.items())},
        "call_board": list(settings.call_board.displays) if settings.call_board is not None else [],
        "devices": {name: device.driver for name, device in settings.devices.items()},
        "broker": f"{settings.broker.host}:{settings.broker.port}",
    }


def satellite(settings: "SatelliteSettings") -> str:
    """What a checked configuration of a satellite holds, for people."""
    facts = satellite_facts(settings)
    head = f"{facts['site']}, satellite {facts['node']} of {facts['hub']} through {facts['broker']}: the configuration is good."
    desks = [(number, place, device) for number, desk in facts["counters"].items() for place, device in desk.items()]
    parts = [
        clean(head),
        _table("Counters", ("counter", "place", "device"), desks),
        _table("Call board", ("device",), [(device,) for device in facts["call_board"]]),
        _table("Devices", ("device", "driver"), facts["devices"].items()),
    ]
    return "\n\n".join(parts)
