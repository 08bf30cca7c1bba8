"""The report's sums over random days: identities hold, and an independent recount from events and books agrees (domain section 10)."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import hours
from kiosd.queue.book import Book
from kiosd.queue.commands import Command
from kiosd.queue.events import Event, Record
from kiosd.queue.model import Ticket, TicketState
from kiosd.reports.model import Report, ServiceLine
from support.reportdays import CARD, JULY, ReportDays, finish, issue, next_at, report, start, written
from support.site import settings as site

SITE = site(counters=2, services="AB", recall_gap_s=0.0, undo_call_s=300, undo_start_s=300, undo_finish_s=900, hold_off_s=0.0)
Step = tuple[int, int, int, float]
STEP = st.tuples(st.integers(0, 19), st.integers(0, 99), st.integers(0, 99), st.sampled_from([0.0, 0.1, 2.0, 6.0, 10.0, 100.0, 900.0]))
STEPS = st.lists(STEP, min_size=40, max_size=120)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A hundred steps shrink for minutes; a failing day is short enough to read."""
CARDS = (CARD, CARD.replace("0", "1"))


def at_counter(day: ReportDays, number: int, which: int) -> Command:
    """Something that can be done at a counter as it stands."""
    ticket = day.book.at(number)
    pressed = cmd.Rate(counter=number, score=which % 4 + 1)
    if ticket is None:
        idle = (cmd.UndoFinish(counter=number), cmd.CloseCounter(counter=number), cmd.PauseCounter(counter=number), pressed,
                cmd.Survey(counter=number, answers={"waktu": which % 4 + 1}), pressed)  # fmt: skip
        return next_at(number) if which % 2 else idle[which // 2 % len(idle)]
    scan = cmd.AttachScan(counter=number, token=CARDS[which % 2])
    if ticket.state is TicketState.CALLED:
        called = (scan, cmd.MarkAbsent(counter=number, force="pergi"), cmd.UndoCall(counter=number), cmd.Recall(counter=number))
        return start(number) if which % 2 else called[which // 2 % len(called)]
    other = "B" if ticket.service == "A" else "A"
    to = cmd.Transfer.model_validate({"counter": number, "service": other, "position": ("time", "head", "tail")[which % 3]})
    served = (to, to, cmd.Refer(counter=number, destination=("back_office", "CTH02")[which % 2], reason="lainnya"), next_at(number),
              cmd.UndoStart(counter=number), cmd.Invite(counter=number), pressed, scan)  # fmt: skip
    return finish(number) if which % 3 == 0 else served[which // 3 % len(served)]


def with_ticket(day: ReportDays, nth: int, which: int) -> Command:
    """Something that can be done with one of today's tickets."""
    mine = [one for one in day.book.tickets.values() if one.training == day.book.training]
    if not mine:
        return issue()
    ticket = mine[nth % len(mine)]
    number = ticket.number
    if ticket.state is TicketState.NO_SHOW:
        return cmd.Readmit(ticket=number) if which % 4 else cmd.CancelTicket(ticket=number)
    if ticket.state is TicketState.WAITING and which % 3 == 0:
        if ticket.paper.value == "failed":
            return cmd.VoidTicket(ticket=number)
        return cmd.ReportPaper(ticket=ticket.uid, outcome="failed", device="printer")
    return (
        cmd.CallTicket(counter=which % 2 + 1, ticket=number, reason="lainnya"),
        cmd.SetPriority(ticket=number, priority=not ticket.priority),
        cmd.SetCategory(ticket=number, category="pekerja_buruh"), cmd.CancelTicket(ticket=number),
    )[which % 4]  # fmt: skip


def rarely(which: int) -> Command:
    """What happens to the site as a whole, and numbers written by hand."""
    return (
        cmd.Suspend(reason="rapat", until="15:00"), cmd.Suspend(reason="banjir"), cmd.Resume(), cmd.Resume(), cmd.Training(on=True),
        cmd.Training(on=True), cmd.Training(on=False), cmd.ReserveNumbers(service="A", count=1), cmd.EnterTicket(ticket="A002"),
        cmd.EnterTicket(ticket="A003"), cmd.Tick(), cmd.CloseDay() if which > 90 else cmd.Tick(),
    )[which % 12]  # fmt: skip


def command(day: ReportDays, kind: int, one: int, two: int) -> Command:
    if kind < 5:
        return issue("AB"[one % 2], priority=two % 4 == 0, category="masyarakat" if two % 3 else "tidak_dicatat")
    if kind < 14:
        return at_counter(day, one % 2 + 1, two)
    return with_ticket(day, one, two) if kind < 19 else rarely(two)


def played(steps: list[Step]) -> ReportDays:
    """The steps from 08:05 on, and then the next morning, so that the day is over."""
    day = ReportDays(settings=SITE)
    day.ask(cmd.Tick())
    for kind, one, two, seconds in steps:
        day.later(seconds, command(day, kind, one, two))
    day.later(86_400, cmd.Tick())
    return day


@contextmanager
def reported(records: list[Record]) -> Iterator[Report]:
    """The report on the first of July; hypothesis runs many examples in one test's directory."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        yield report(written(folder / "journal.db", records), settings=SITE)
    finally:
        shutil.rmtree(folder)


def effective(log: list[Record], ticket: Ticket) -> list[tuple[datetime, Any]]:
    """A ticket's events without what was undone."""
    kept: list[tuple[datetime, Any]] = []
    undoes: dict[type[Event], type[Event]] = {
        ev.TicketCallUndone: ev.TicketCalled,
        ev.TicketStartUndone: ev.TicketStarted,
        ev.TicketFinishUndone: ev.TicketFinished,
    }
    for record in log:
        event: Any = record.event
        if getattr(event, "ticket", None) != ticket.uid:
            continue
        undone = undoes.get(type(event))
        if undone is None:
            kept.append((record.moment.time, event))
        else:
            del kept[next(n for n in range(len(kept) - 1, -1, -1) if isinstance(kept[n][1], undone))]
    return kept


def closures(log: list[Record]) -> list[tuple[datetime, datetime]]:
    """When the site was closed by command on the first day."""
    spans: list[tuple[datetime, datetime]] = []
    end = log[-1].moment.time
    for record in log:
        if isinstance(record.event, ev.SiteSuspended | ev.SiteResumed) and spans:
            spans[-1] = (spans[-1][0], min(spans[-1][1], record.moment.time))
        if isinstance(record.event, ev.SiteSuspended):
            spans.append((record.moment.time, record.event.until or end))
    return spans


def recount(day: ReportDays) -> dict[str, Counter[str]]:
    """What the first day's report must say of each service, from the book at its end and the log, one ticket after the other."""
    book: Book = day.ended[JULY.isoformat()]
    found: dict[str, Counter[str]] = {"A": Counter(), "B": Counter()}
    shut = closures(day.log)
    for ticket in book.tickets.values():
        story = effective(day.log, ticket)
        starts = [(at, event) for at, event in story if isinstance(event, ev.TicketStarted)]
        if ticket.training or (ticket.state is TicketState.VOID and not starts):
            found[ticket.service]["void"] += not ticket.training
            continue
        drawn = found[ticket.number[0]]
        drawn.update(issued=1, priority=ticket.priority, card=any(isinstance(event, ev.ScanRead) for _, event in story))
        found[ticket.service]["cancelled" if ticket.state is TicketState.VOID else ticket.state.value] += 1
        for n, (at, event) in enumerate(story):
            if isinstance(event, ev.TicketTransferred):
                found[event.service]["out"] += 1
                found[event.to]["in"] += 1
            if isinstance(event, ev.TicketStarted):
                found[event.service]["processed"] += 1
                ends = (ev.TicketFinished, ev.TicketReferred, ev.TicketTransferred)
                over, end = next((moment, one) for moment, one in story[n:] if isinstance(one, ends))
                took = (over - at).total_seconds()
                if took >= 10 and not getattr(end, "by_system", False):
                    found[event.service].update(timed=1, seconds=int(took + 0.5))
        if ticket.waited_until is not None:
            first = next(event for _, event in story if isinstance(event, ev.TicketCalled))
            wait = hours.open_seconds(SITE, ticket.issued_at, ticket.waited_until, shut)
            found[first.service].update(waits=1, waited=int(wait + 0.5))
        if ticket.rating is not None and ticket.rating.score is not None:
            found[starts[-1][1].service].update(ratings=1, scores=ticket.rating.score)
    return found


def told(line: ServiceLine) -> dict[str, int]:
    """The same figures from the report."""
    return {
        "issued": line.issued, "void": line.void, "in": line.transferred_in, "out": line.transferred_out, "processed": line.processed,
        "finished": line.finished, "referred": line.referred, "no_show": line.no_show, "expired": line.expired,
        "cancelled": line.cancelled, "waits": line.waits, "timed": line.services, "ratings": line.ratings,
    }  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=NO_SHRINKING)
@given(STEPS)
def test_identities_hold_and_an_independent_recount_agrees(steps: list[Step]) -> None:
    day = played(steps)
    with reported(day.log) as found:
        assert [one for one in found.identities if not one.holds] == []
        assert not [gap for gap in found.gaps if gap.code in {"damaged", "still_open", "no_data"}]
        want = recount(day)
        for line in found.services:
            mine = want[line.service]
            assert told(line) == {name: mine[name] for name in told(line)}
            assert round((line.wait_mean_s or 0) * line.waits) == round(round(mine["waited"] / (line.waits or 1), 1) * line.waits)
            assert round((line.service_mean_s or 0), 1) == round(mine["seconds"] / (line.services or 1), 1)
        total = sum(want.values(), Counter())
        assert found.users.visits == total["issued"]
        assert (found.users.priority, found.users.card) == (total["priority"], total["card"])
        assert sum(score * n for score, n in found.satisfaction.counts.items()) == total["scores"]
        assert sum(map(sum, found.arrivals)) == total["issued"]


LOSABLE = (ev.TicketIssued, ev.TicketStarted, ev.TicketFinished, ev.TicketReferred, ev.TicketTransferred, ev.TicketExpired)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=NO_SHRINKING)
@given(STEPS, st.integers(0, 999))
def test_a_lost_event_never_goes_unseen(steps: list[Step], which: int) -> None:
    """Of visits in which nothing was undone: else the loss may be made up for."""
    day = played([(0, 0, 1, 0.0), *steps])
    undone = {one.event.subject for one in day.log if one.event.type.endswith("undone") or one.event.type == "ticket.voided"}
    real = [one for one in day.log if isinstance(one.event, LOSABLE) and not one.event.training and one.event.subject not in undone]
    assume(real)
    lost = real[which % len(real)]
    with reported([one for one in day.log if one is not lost]) as found:
        assert [one for one in found.identities if not one.holds], lost
