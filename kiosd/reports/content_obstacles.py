"""Section (d) of a report: what stood in the way."""

from collections.abc import Iterator

from kiosd.reports.model import ClosureItem, DayCount, Outage, Report
from kiosd.reports.numbers import Value
from kiosd.reports.parts import Block, Fact, Facts, Figure, Speaker, Table, counted, free


def obstacles(report: Report, say: Speaker) -> Iterator[Block]:
    """Outages, closures, what the day's close ended, calls out of order, refused presses, the manager's own words."""
    found = report.obstacles
    count = say.head("count", "count")
    yield _outages("outages", found.outages, say)
    yield _outages("broker_outages", found.broker_outages, say)
    yield _closures(found.closures, say)
    yield _days("expired_days", found.expired, say)
    yield _days("by_system_days", found.finished_by_system, say)
    calls = [(say.code("call_reason", item.reason), item.count) for item in found.out_of_order]
    yield counted(say("out_of_order"), (say.head("reason"), count), calls)
    presses = [(say.code("refused", code), n) for code, n in found.refused.items()]
    yield counted(say("refused"), (say.head("reason"), count), presses)
    yield Facts(say("paper_failed"), (Fact(say("paper_failed"), found.paper_failed, "count"),))
    notes = [(say.local(note.time), free(note.text)) for note in found.notes]
    yield counted(say("notes"), (say.head("time", "time"), say.head("note")), notes)
    if report.availability:
        yield _availability(report, say)


def _outages(title: str, outages: tuple[Outage, ...], say: Speaker) -> Table:
    columns = (
        say.head("device"),
        *say.heads(("begin", "end"), "time"),
        say.head("open_minutes", "count"),
        *say.heads(("cause", "fallback")),
        say.head("promised", "time"),
        say.head("promise"),
    )
    return counted(say(title), columns, (_outage(outage, say) for outage in outages))


def _outage(outage: Outage, say: Speaker) -> tuple[Value, ...]:
    return (
        f"{say.code('role', outage.role)} ({free(outage.device)})",
        say.local(outage.begin),
        say.local(outage.end, say("ongoing")),
        outage.open_minutes,
        _cause(outage, say),
        say.code("fallback", outage.fallback),
        say.local(outage.promised),
        free(outage.promise) or None,
    )


def _cause(outage: Outage, say: Speaker) -> str | None:
    """The device's code in words, and what it said itself."""
    code, detail = say.code("device_code", outage.code), free(outage.detail)
    return f"{code}: {detail}" if code and detail else code or detail or None


def _closures(closures: tuple[ClosureItem, ...], say: Speaker) -> Table:
    rows = [(say.local(item.begin), say.local(item.end, say("ongoing")), item.open_minutes, free(item.reason) or None) for item in closures]
    columns = (*say.heads(("begin", "end"), "time"), say.head("open_minutes", "count"), say.head("reason"))
    return counted(say("closures"), columns, rows)


def _days(title: str, days: tuple[DayCount, ...], say: Speaker) -> Table:
    return counted(say(title), (say.head("day", "day"), say.head("count", "count")), ((item.day, item.count) for item in days))


def _availability(report: Report, say: Speaker) -> Figure:
    rows = ((free(item.device), say.code("role", item.role), item.share) for item in report.availability)
    columns = (*say.heads(("device", "use")), say.head("available", "percent"))
    return Figure("availability", say("availability"), say("availability_desc"), counted(say("availability"), columns, rows))
