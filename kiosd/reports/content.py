"""A report in its order: head, sections (a) to (e) of domain section 10, what is not complete."""

from collections.abc import Iterator

from kiosd.queue.settings import Language
from kiosd.reports.ask import month, year
from kiosd.reports.content_obstacles import obstacles
from kiosd.reports.content_satisfaction import satisfaction
from kiosd.reports.model import Head, Identity, Report, ServiceLine
from kiosd.reports.numbers import Value, long_date, measured, month_year, weekday
from kiosd.reports.parts import Alert, Block, Column, Document, Fact, Facts, Figure, Remark, Section, Speaker, Table, counted, free

COUNTS = (
    "issued", "transferred_in", "processed", "finished", "referred", "transferred_out", "no_show", "expired", "cancelled", "open", "void",
)  # fmt: skip
DOTS = "." * 32


def document(report: Report, language: Language) -> Document:
    """``report`` in words of ``language``."""
    say = Speaker(language, report.head.zone)
    whole_month = (report.head.first, report.head.last) == month(f"{report.head.first:%Y-%m}")
    return Document(
        title=say("title_month" if whole_month else "title"),
        subtitle=f"{free(report.head.name)}, {period(report.head, say)}",
        running=f"{free(report.head.site)}, {period(report.head, say)}",
        language=language,
        sections=(
            Section("", tuple(_head(report, say))),
            Section(say("a"), tuple(_users(report, say))),
            Section(say("b"), tuple(_services(report, say))),
            Section(say("c"), tuple(_completed(report, say))),
            Section(say("d"), tuple(obstacles(report, say))),
            Section(say("e"), tuple(satisfaction(report, say))),
            Section(say("f"), tuple(_gaps(report, say))),
        ),
        signature=(say("place_date", dots=DOTS), free(report.head.signer), f"({DOTS}{DOTS[:20]})", say("signer_number", dots=DOTS)),
    )


def period(head: Head, say: Speaker) -> str:
    """``Juli 2026`` for a whole month, ``Tahun 2026``, else the dates."""
    days = (head.first, head.last)
    if days == month(f"{head.first:%Y-%m}"):
        return month_year(head.first, say.language)
    if days == year(f"{head.first:%Y}"):
        return say("year", year=head.first.year)
    first, last = (long_date(day, say.language) for day in days)
    return first if first == last else say("span", first=first, last=last)


def _head(report: Report, say: Speaker) -> Iterator[Block]:
    head = report.head
    own = {"office": head.office, "address": head.address, "complaints": head.complaints}
    yield Facts(
        say("title"),
        (
            Fact(say("site"), f"{free(head.name)} ({free(head.site)})"),
            *(Fact(say(key), free(value)) for key, value in own.items() if value),
            Fact(say("type"), say("type_n", n=head.kiosk_type)),
            Fact(say("decree"), free(head.decree)),
            Fact(say("period"), period(head, say)),
            Fact(say("service_days"), head.service_days, "count"),
            Fact(say("open_hours"), head.open_seconds, "hours"),
            Fact(say("week"), "; ".join(map(free, head.hours)) or None),
            Fact(say("letters"), ", ".join(head.services)),
            Fact(say("made_at", zone=say.zone_short), say.local(head.made_at), "time"),
            Fact(say("source"), say("source_is", version=free(head.version), events=measured(head.events, "count", say.language))),
        ),
    )
    if head.partial:
        yield Remark(say("partial", services=", ".join(head.services)))
    yield _sums(report.identities, say)
    if report.gaps:
        yield Remark(say("gaps_below", n=len(report.gaps)))


def _sums(identities: tuple[Identity, ...], say: Speaker) -> Block:
    wrong = [identity for identity in identities if not identity.holds]
    if not wrong:
        return Remark(say("sums_agree", n=len(identities)))
    return Alert(say("sums_differ"), tuple(_difference(identity, say) for identity in wrong))


def _difference(identity: Identity, say: Speaker) -> str:
    where = say("of_service", service=identity.service) if identity.service else say("all_services")
    left, right = (measured(side, "count", say.language) for side in (identity.left, identity.right))
    return say("sum_differs", sum=say.code("sum", identity.name), service=where, left=left, right=right)


def _users(report: Report, say: Speaker) -> Iterator[Block]:
    users = report.users
    facts = {key: getattr(users, key) for key in ("visits", "priority", "card", "distinct", "manual", "handwritten")}
    yield Facts(say("a"), tuple(Fact(say(key), value, "count") for key, value in facts.items()))
    yield Remark(say("distinct_note"))
    categories = [(say.code("category", code), count) for code, count in users.by_category.items()]
    yield counted(say("by_category"), (say.head("category"), say.head("count", "count")), categories)
    if any(map(any, report.arrivals)):
        yield Figure("arrivals", say("arrivals"), say("arrivals_desc"), _arrivals(report, say))


def busy_hours(report: Report) -> range:
    """Local hours from the first to the last in which anybody came."""
    hours = [hour for day in report.arrivals for hour, count in enumerate(day) if count]
    return range(min(hours), max(hours) + 1)


def _arrivals(report: Report, say: Speaker) -> Table:
    """Hours down and weekdays across: seven columns fit everywhere."""
    days = tuple(Column(weekday(index, say.language), "count") for index in range(len(report.arrivals)))
    rows: list[tuple[Value, ...]] = [(f"{hour:02d}", *(day[hour] for day in report.arrivals)) for hour in busy_hours(report)]
    return counted(say("arrivals"), (say.head("hour"), *days), rows)


def _services(report: Report, say: Speaker) -> Iterator[Block]:
    who = say.heads(("letter", "service"))
    counts = (*who, *say.heads(COUNTS, "count"))
    yield Table(say("b_counts"), counts, tuple(_counts(line, say) for line in report.services), _counts(report.total, say), coded=True)
    yield Remark(say("b_counts_note"))
    times = (
        *who,
        say.head("waits", "count"),
        *say.heads(("wait_mean", "wait_p50", "wait_p90"), "minutes"),
        say.head("timed", "count"),
        say.head("service_mean", "minutes"),
        say.head("ratings", "count"),
        say.head("index", "two"),
        say.head("band"),
        say.head("response", "percent"),
    )
    yield Table(say("b_times"), times, tuple(_times(line, say) for line in report.services), _times(report.total, say), coded=True)
    yield Remark(say("b_times_note"))
    if any(line.wait_p50_s is not None or line.wait_p90_s is not None for line in report.services):
        yield Figure("waits", say("waits_chart"), say("waits_desc"), _waits(report, say), repeats=True)


def _who(line: ServiceLine, say: Speaker) -> tuple[str, str]:
    return line.service, free(line.name) if line.service else say("total")


def _counts(line: ServiceLine, say: Speaker) -> tuple[str | int, ...]:
    return (*_who(line, say), *(getattr(line, key) for key in COUNTS))


def _times(line: ServiceLine, say: Speaker) -> tuple[Value, ...]:
    return (
        *_who(line, say), line.waits, line.wait_mean_s, line.wait_p50_s, line.wait_p90_s, line.services, line.service_mean_s,
        line.ratings, line.index, line.band or None, line.response,
    )  # fmt: skip


def _waits(report: Report, say: Speaker) -> Table:
    columns = (*say.heads(("letter", "service")), *say.heads(("wait_p50", "wait_p90"), "minutes"))
    rows = tuple((*_who(line, say), line.wait_p50_s, line.wait_p90_s) for line in report.services)
    return Table(say("waits_chart"), columns, rows, coded=True)


def _completed(report: Report, say: Speaker) -> Iterator[Block]:
    done = report.completed
    yield Facts(
        say("c"),
        (
            Fact(say("finished"), done.finished, "count"),
            Fact(say("referred"), done.referred, "count"),
            Fact(say("same_day"), done.same_day_share, "percent"),
        ),
    )
    count = say.head("count", "count")
    places = [(say.code("destination", code), n) for code, n in done.by_destination.items()]
    yield counted(say("by_destination"), (say.head("destination"), count), places)
    reasons = [(say.code("refer_reason", code), n) for code, n in done.by_reason.items()]
    yield counted(say("by_reason"), (say.head("reason"), count), reasons)


def _gaps(report: Report, say: Speaker) -> Iterator[Block]:
    if not report.gaps:
        yield Remark(say("no_gaps"))
        return
    rows = [(gap.first, gap.last, say.code("gap", gap.code), free(gap.detail) or None) for gap in report.gaps]
    columns = (*say.heads(("first", "last"), "day"), *say.heads(("cause", "detail")))
    yield counted(say("gaps"), columns, rows)
