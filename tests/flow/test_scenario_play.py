"""Scenarios against the real rules and journal: what a day comes to, the same each time, and how fast."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from kiosd.errors import Refused
from kiosd.journal.journal import FILE, Audit
from kiosd.journal.reader import Reader
from kiosd.queue import events as ev
from kiosd.queue.events import Event, Record
from kiosd.queue.model import CounterState, Ticket, TicketState
from kiosd.redact import PLAIN
from kiosd.reports.ask import AskReport
from kiosd.reports.make import make_report
from kiosd.reports.model import Report
from kiosd.scenario.kiosk import VERSION
from kiosd.scenario.timeline import BOOT
from support.scenarios import EXAMPLES, HEAD, TYPE_2, book, played, records

F, N = TicketState.FINISHED, TicketState.NO_SHOW


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of commands on a loop of their own: asyncio's debug mode would cost twice what they do."""
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)


def of(events: list[Record], kind: type[Event]) -> list[Any]:
    return [record.event for record in events if isinstance(record.event, kind)]


def told(events: list[Record], kind: type[Event]) -> list[str]:
    """Site time and subject of each event of a kind."""
    zone = TYPE_2.site.zone
    return [f"{record.moment.time.astimezone(zone):%H:%M:%S} {record.event.subject}" for record in events if isinstance(record.event, kind)]


def ended(ticket: Ticket) -> tuple[Any, ...]:
    score = ticket.rating.score if ticket.rating else None
    return ticket.service, ticket.state, ticket.identity, score, ticket.paper.value


EXAMPLE_DAY = {
    "A001": ("A", F, "card", 4, "printed"),
    "A002": ("A", F, "manual", 3, "printed"),
    "A003": ("A", F, "manual", 4, "printed"),
    "A004": ("A", F, "card", 4, "printed"),
    "B001": ("B", F, "manual", None, "printed"),
    "B002": ("B", F, "manual", None, "none"),
    "B007": ("B", TicketState.EXPIRED, None, None, "printed"),
    "C001": ("C", TicketState.VOID, None, None, "failed"),
    "C002": ("C", F, "manual", 3, "none"),
    "D001": ("D", F, "card", 4, "printed"),
    "D002": ("D", F, "card", 4, "printed"),
    "D003": ("D", F, "manual", 4, "printed"),
    "D004": ("A", F, "manual", 4, "printed"),
    "D005": ("D", F, "card", 4, "printed"),
    "D006": ("D", F, "manual", None, "failed"),
    "D007": ("D", F, "manual", 1, "printed"),
    "D008": ("D", F, "manual", None, "printed"),
    "D009": ("D", F, "card", None, "printed"),
    "D010": ("D", TicketState.CANCELLED, None, None, "printed"),
    "D011": ("D", F, "manual", None, "printed"),
    "E001": ("E", TicketState.REFERRED, "manual", 2, "printed"),
    "E002": ("E", N, None, None, "printed"),
}
"""By hand from the file: service at the end, state, how the visit began, rating, paper."""


def test_the_example_day_ends_as_its_remarks_say(tmp_path: Path) -> None:
    counts, events = played((EXAMPLES / "hari-contoh.txt").read_text(), tmp_path)
    day = book(events)
    real = {ticket.number: ticket for ticket in day.tickets.values() if not ticket.training}
    assert {number: ended(ticket) for number, ticket in real.items()} == EXAMPLE_DAY
    assert (counts.tickets, counts.refused, counts.events) == (len(EXAMPLE_DAY), 5, len(events))
    assert {number for number, ticket in real.items() if ticket.priority} == {"A003", "D002"}
    assert (real["D001"].readmissions, real["D004"].came_from, real["D011"].by_system) == (1, "D", True)
    assert real["B002"].manual and f"{real['B002'].issued_at.astimezone(TYPE_2.site.zone):%H:%M}" == "09:18"
    assert real["D003"].rating is not None and real["D003"].rating.corrected
    trained = [ticket for ticket in day.tickets.values() if ticket.training]
    assert [(ticket.number, ticket.by_system) for ticket in trained] == [("D001", True)]
    assert day.closed and not day.training and day.counter(1).state is CounterState.CLOSED


def test_the_example_day_has_its_order_and_its_obstacles(tmp_path: Path) -> None:
    _, events = played((EXAMPLES / "hari-contoh.txt").read_text(), tmp_path)
    at_2 = [event.number for event in of(events, ev.TicketCalled) if event.counter == 2]
    assert at_2 == ["D002", "D001", "D003", "D004", "E001", "D005", "D006", "D001", "D008", "D007", "D008", "D009", "E002", "D011", "D001"]
    assert told(events, ev.DayOpened) == ["00:00:00 2026-07-01"] and told(events, ev.DayClosed) == ["17:30:00 2026-07-01"]
    assert told(events, ev.TicketPrintFailed) == ["09:20:00 D006", "09:21:00 D007", "09:22:00 C001"]
    assert told(events, ev.TicketPrinted)[0] == "08:01:02 D001" and "09:41:02 D007" in told(events, ev.TicketPrinted)
    assert [event.reprint for event in of(events, ev.TicketPrinted) if event.number == "D007"] == [True]
    assert len(of(events, ev.ScanUnattached)) == 1 and len(of(events, ev.SurveyAnswered)) == 1
    assert [event.code for event in of(events, ev.TicketRefused)] == ["suspended", "break", "closed"]


def test_a_made_up_journal_says_so_and_is_whole(tmp_path: Path) -> None:
    _, events = played('day 2026-06-30\n08:00 open 1\nday 2026-07-02\n08:00 scan 1 "3201123456789012"\n', tmp_path)
    assert VERSION.endswith("+scenario") and [event.version for event in of(events, ev.SystemStarted)] == [VERSION]
    assert {record.moment.boot for record in events} == {BOOT}
    notes = told(events, ev.NoteWritten)
    assert len(notes) == 2 and all("SKENARIO contoh" in event.text for event in of(events, ev.NoteWritten)), "one in each month"
    assert [event.date for event in of(events, ev.DayOpened)] == ["2026-06-30", "2026-07-01", "2026-07-02"]
    assert events[-1].event.type == "system.stopped"
    audit = Audit(tmp_path / FILE)
    assert audit.whole() == len(events)
    audit.close()
    assert not PLAIN.search((tmp_path / FILE).read_bytes().decode("latin-1"))


def test_a_refusal_ends_it_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        played(HEAD + "08:00 open 1\n08:01 issue A\n08:02 finish 1\n08:03 issue A\n", tmp_path)
    assert refused.value.facts["message"] == "contoh.txt: line 4: finish: Tidak ada yang dilayani di loket 1."
    assert [event.number for event in of(records(tmp_path), ev.TicketIssued)] == ["A001"], "what happened until then is in the journal"


def test_what_must_be_refused_and_what_may(tmp_path: Path) -> None:
    counts, _ = played(HEAD + "!07:59 issue A\n?08:00 next 1\n?08:00 open 1\n08:01 issue A\n", tmp_path)
    assert (counts.refused, counts.tickets) == (2, 1)


def test_what_must_be_refused_and_is_not(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        played(HEAD + "08:00 open 1\n!08:01 issue A\n", tmp_path)
    assert "line 3: issue was granted, but" in str(refused.value.facts["message"])


@pytest.mark.parametrize(("lines", "paper"), [
    ("08:00 issue A", "08:00:02 printed"),
    ("08:00:00 device printer down absent\n08:00:03 issue A\n08:00:09 device printer ok", "08:00:11 printed"),
    ("08:00:00 device printer down absent\n08:00:03 issue A", "08:00:33 failed"),
    ("08:00:00 device printer down absent\n08:00:06 issue A\n08:00:09 device printer ok", "08:00:06 failed"),
    ("08:00:00 device printer degraded paper_out\n08:01 issue A\n08:01:20 device printer ok", "08:01:00 failed"),
    ("08:00:00 device printer degraded paper_low\n08:01 issue A", "08:01:02 printed"),
    ("08:00 issue A no_slip", ""),
])  # fmt: skip
def test_paper_follows_as_from_the_ticket_machine(lines: str, paper: str, tmp_path: Path) -> None:
    _, events = played(HEAD + lines + "\n", tmp_path)
    zone = TYPE_2.site.zone
    outcomes = {ev.TicketPrinted: "printed", ev.TicketPrintFailed: "failed"}
    found = [f"{r.moment.time.astimezone(zone):%H:%M:%S} {outcomes[type(r.event)]}" for r in events if type(r.event) in outcomes]
    assert found == ([paper] if paper else [])


def test_a_site_without_a_printer_or_a_machine(tmp_path: Path) -> None:
    for n, (machine, failed) in enumerate(((None, 0), (TYPE_2.ticket_machine, 1))):
        settings = TYPE_2.model_copy(update={"ticket_machine": machine and machine.model_copy(update={"printer": None})})
        (tmp_path / str(n)).mkdir()
        _, events = played(HEAD + "08:00 issue A\n", tmp_path / str(n), settings)
        assert len(of(events, ev.TicketPrintFailed)) == failed and not of(events, ev.TicketPrinted)


CROWD = "day 2026-07-01\nvisitors 600 seed 7\n"


def test_two_runs_are_the_same_events(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        runs.append(played(CROWD.replace("600", "60") + "10:00 note halo\n", tmp_path / name)[1])
    assert runs[0] == runs[1]
    (tmp_path / "c").mkdir()
    other = played(CROWD.replace("600 seed 7", "60 seed 8"), tmp_path / "c")[1]
    assert [record.event for record in other] != [record.event for record in runs[0]]


def test_a_full_day_takes_a_moment_and_looks_like_one(tmp_path: Path) -> None:
    begun = process_time()
    counts, events = played(CROWD, tmp_path)
    assert process_time() - begun < 2.0
    kinds = Counter(record.event.type for record in events)
    day = book(events)
    states = Counter(ticket.state for ticket in day.tickets.values())
    assert counts.tickets == kinds["ticket.issued"] == kinds["ticket.printed"] == 600
    assert states[F] > 540 and states[TicketState.REFERRED] and states[N] and kinds["ticket.transferred"] and kinds["ticket.readmitted"]
    assert not states[TicketState.WAITING] and states[TicketState.EXPIRED] < 15 and kinds["counter.refused"] == 0
    assert 300 < kinds["rating.given"] < 480 and kinds["rating.unattributed"] < 10 and 350 < kinds["scan.read"] < 500
    assert kinds["ticket.refused"] == 6, "presses in the noon break"
    hours = Counter((ticket.issued_at + timedelta(hours=7)).hour for ticket in day.tickets.values())
    assert hours[9] > hours[15] and not hours[12]


def test_nobody_uses_what_is_down(tmp_path: Path) -> None:
    down = "00:00:01 device scanner_1 down absent\n00:00:01 device rating_2 down absent\n"
    _, events = played(CROWD.replace("600", "80") + down, tmp_path)
    assert {event.counter for event in of(events, ev.ScanRead)} == {2}
    assert {event.counter for event in of(events, ev.RatingGiven)} == {1}


def report(state: Path, first: date, last: date) -> Report:
    reader = Reader(state / FILE)
    try:
        return make_report(reader, TYPE_2.queue, {}, AskReport(first=first, last=last), datetime(2026, 8, 3, tzinfo=UTC))
    finally:
        reader.close()


def test_a_month_can_be_reported_on(tmp_path: Path) -> None:
    text = (EXAMPLES / "bulan-contoh.txt").read_text().replace("visitors 400", "visitors 20").replace("visitors 300", "visitors 15")
    counts, _ = played(text, tmp_path)
    made = report(tmp_path, date(2026, 7, 1), date(2026, 7, 31))
    assert all(identity.holds for identity in made.identities) and not made.gaps
    assert made.users.visits == made.total.issued == counts.tickets and made.head.service_days == 23
    assert made.total.transferred_in and made.completed.referred and made.satisfaction.ratings
    assert [item.reason for item in made.obstacles.closures] == ["listrik padam"]
    assert {outage.device for outage in made.obstacles.outages} == {"printer", "scanner_1"}
    assert made.obstacles.notes[0].text.startswith("SKENARIO contoh: data buatan")


def test_a_line_keeps_its_id(tmp_path: Path) -> None:
    """Ids come from the file's name, the day and the line: what else happens changes none."""
    ids = []
    for name, more in (("a", "# nothing"), ("b", "08:30 note halo")):
        (tmp_path / name).mkdir()
        _, events = played(f"{HEAD}08:00 open 1\n{more}\n09:00 issue A\n", tmp_path / name)
        ids += [record.command for record in events if isinstance(record.event, ev.TicketIssued)]
    assert len(ids) == 2 and len(set(ids)) == 1
