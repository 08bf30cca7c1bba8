"""A day's sheet: small days by the real rules, counted by hand (domain sections 7, 8, 9 and 10)."""

from pathlib import Path

import pytest

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.reports.sheet import ServiceSheet, Sheet
from support.reportdays import CARD, JULY, ReportDays, finish, issue, next_at, sheets, spoil, start, written
from support.site import wib


@pytest.fixture
def day() -> ReportDays:
    """Wednesday, 1 July 2026, 08.05 in Jakarta."""
    return ReportDays()


def sheet(day: ReportDays, tmp_path: Path) -> Sheet:
    return sheets(written(tmp_path / "journal.db", day.log))[0]


def service(day: ReportDays, tmp_path: Path, letter: str = "A") -> ServiceSheet:
    return sheet(day, tmp_path).services[letter]


def test_a_plain_visit(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(priority=True, category="pencari_kerja"))
    day.at("08:20", next_at())
    day.at("08:21", cmd.AttachScan(counter=1, token=CARD))
    day.at("08:31", finish())
    day.later(5, cmd.Rate(counter=1, score=4))
    day.later(1, cmd.Rate(counter=1, score=3))
    found = sheet(day, tmp_path)
    assert (found.date, found.first, found.last, found.closed, found.unsynced, found.damaged) == (JULY, 1, len(day.log), False, 0, ())
    assert found.counters == {1: {3: 1}}
    assert found.services == {
        "A": ServiceSheet(
            issued=1, handlings=1, finished=1, waits=(900,), served=(600,), ratings={3: 1}, visits=1, priority=1, card=1,
            by_category={"pencari_kerja": 1}, hours={8: 1}, distinct=1, tokens=frozenset({bytes.fromhex(CARD.replace("-", ""))}),
        )
    }  # fmt: skip


def test_what_happens_to_a_visitor_before_the_call_is_told_by_the_last_word(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    number = cmd.SetPriority(ticket="A001")
    day.later(60, number, cmd.SetCategory(ticket="A001", category="pemberi_kerja"), cmd.SetCategory(ticket="A001", category="masyarakat"))
    found = service(day, tmp_path)
    assert (found.priority, found.by_category) == (1, {"masyarakat": 1})
    assert (found.open, found.serving, found.waits) == (1, 0, ())


@pytest.mark.parametrize(
    ("issued", "called", "wait"),
    [
        ("11:50", "13:10", 1200),  # domain section 7, read backwards
        ("11:59", "13:00", 60),
        ("12:00", "13:00", 0),  # typed in afterwards: the break is closed from its first moment
        ("09:00", "09:00", 0),
    ],
)
def test_the_noon_break_is_not_waiting(day: ReportDays, tmp_path: Path, issued: str, called: str, wait: int) -> None:
    day.at("08:30", cmd.ReserveNumbers(service="A", count=5))
    day.at(called, cmd.EnterTicket(ticket="A001", at=issued), next_at())
    found = service(day, tmp_path)
    assert found.waits == (wait,)
    assert (found.handwritten, found.hours) == (1, {int(issued[:2]): 1})


def test_a_closure_by_command_is_not_waiting(day: ReportDays, tmp_path: Path) -> None:
    day.at("09:00", issue())
    day.at("09:10", cmd.Suspend(reason="listrik padam", until="10:00"))
    day.at("09:30", cmd.Resume())
    day.at("09:40", cmd.Suspend(reason="rapat"))
    day.at("09:45", cmd.Suspend(reason="rapat lama"))
    day.at("09:50", next_at())
    found = sheet(day, tmp_path)
    assert found.services["A"].waits == (1200,)
    assert [(one.begin, one.end, one.reason) for one in found.closures] == [
        (wib("2026-07-01 09:10"), wib("2026-07-01 09:30"), "listrik padam"),
        (wib("2026-07-01 09:40"), wib("2026-07-01 09:45"), "rapat"),
        (wib("2026-07-01 09:45"), None, "rapat lama"),
    ]


def test_the_wait_ends_at_the_first_call_and_is_of_that_service(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue("A"))
    day.at("08:15", next_at(), start())
    day.at("08:25", cmd.Transfer(counter=1, service="B"))
    day.at("09:00", next_at(2), start(2))
    day.at("09:10", finish(2))
    day.later(3, cmd.Rate(counter=2, score=2))
    found = sheet(day, tmp_path)
    a, b = found.services["A"], found.services["B"]
    assert (a.issued, a.handlings, a.transferred_out, a.to, a.waits, a.served, a.visits) == (1, 1, 1, {"B": 1}, (600,), (600,), 1)
    assert (b.issued, b.transferred_in, b.handlings, b.finished, b.waits, b.served, b.visits) == (0, 1, 1, 1, (), (600,), 0)
    assert (a.ratings, b.ratings, found.counters) == ({}, {2: 1}, {2: {2: 1}})


def test_a_rating_given_on_invitation_goes_with_the_visit_to_its_last_handling(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue("A"))
    day.later(60, next_at(), start(), cmd.Invite(counter=1))
    day.later(5, cmd.Rate(counter=1, score=4))
    day.later(60, cmd.Transfer(counter=1, service="B"))
    day.later(60, next_at(3), start(3))
    day.later(60, finish(3))
    found = sheet(day, tmp_path)
    assert (found.services["A"].ratings, found.services["B"].ratings, found.counters) == ({}, {4: 1}, {3: {4: 1}})


def test_a_call_that_was_undone_did_not_happen(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue())
    day.at("08:10", cmd.CallTicket(counter=1, ticket="A002", reason="lainnya"))
    day.later(10, cmd.UndoCall(counter=1))
    day.at("08:30", cmd.CallTicket(counter=1, ticket="A002", reason="lanjutan"))
    found = service(day, tmp_path)
    assert (found.waits, found.out_of_order, found.open) == ((1500,), {"lanjutan": 1}, 2)


def test_a_call_after_an_absence_that_was_undone_leaves_the_first_call(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.at("08:10", next_at(), cmd.MarkAbsent(counter=1, force="tidak ada"), cmd.Readmit(ticket="A001"), next_at())
    day.later(0, cmd.UndoCall(counter=1))
    assert service(day, tmp_path).waits == (300,)


def test_a_start_and_a_finish_that_were_undone(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.at("08:10", next_at(), start())
    day.later(5, cmd.UndoStart(counter=1))
    day.later(55, start())
    day.later(60, finish())
    day.later(30, cmd.UndoFinish(counter=1))
    day.later(30, finish())
    found = service(day, tmp_path)
    assert (found.handlings, found.finished, found.served, found.manual) == (1, 1, (120,), 1)


def test_a_finish_that_was_undone_for_good_leaves_the_visit_open(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.serve()
    day.later(2, cmd.Rate(counter=1, score=1))
    day.later(2, cmd.UndoFinish(counter=1))
    found = service(day, tmp_path)
    assert (found.finished, found.open, found.serving, found.served, found.ratings) == (0, 1, 1, (), {1: 1})


@pytest.mark.parametrize(("seconds", "served"), [(9.999, ()), (10.0, (10,)), (10.499, (10,)), (10.5, (11,))])
def test_a_service_under_ten_seconds_is_a_slip_of_the_finger(day: ReportDays, tmp_path: Path, seconds: float, served: tuple[int]) -> None:
    day.at("08:05", issue())
    day.serve(seconds=seconds)
    found = service(day, tmp_path)
    assert (found.finished, found.served) == (1, served)


def test_day_close_expires_and_finishes_without_a_service_time(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue(), issue())
    day.at("08:30", next_at(1), start(1), next_at(2))
    day.at("17:30", cmd.Tick())
    found = sheet(day, tmp_path)
    a = found.services["A"]
    assert found.closed
    assert (a.finished, a.by_system, a.expired, a.open, a.served, a.waits) == (1, 1, 2, 0, (), (1500, 1500))


def test_no_show_readmission_and_cancelling_leave_one_outcome(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", *(issue() for _ in range(3)))
    for _ in range(3):
        day.later(60, next_at(), cmd.MarkAbsent(counter=1, force="tidak ada"))
    day.later(60, cmd.Readmit(ticket="A001"), cmd.CancelTicket(ticket="A002"))
    day.serve()
    found = service(day, tmp_path)
    assert (found.no_show, found.cancelled, found.finished, found.handlings, found.open) == (1, 1, 1, 1, 0)


def test_referrals_by_destination_and_reason(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue())
    for to in ("back_office", "CTH02"):
        day.later(60, next_at(), start())
        day.later(20, cmd.Refer(counter=1, destination=to, reason="kondisi_tertentu"))
    found = service(day, tmp_path)
    assert (found.referred, found.served) == (2, (20, 20))
    assert (found.destinations, found.reasons) == ({"back_office": 1, "CTH02": 1}, {"kondisi_tertentu": 2})


def test_void_tickets_are_no_visits(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue())
    day.later(1, cmd.ReportPaper(ticket="CTH01-20260701-A001", outcome="failed", device="printer"), cmd.VoidTicket(ticket="A001"))
    found = service(day, tmp_path)
    assert (found.issued, found.void, found.visits, found.open, found.paper_failed, found.hours) == (1, 1, 1, 1, 1, {8: 1})


def test_a_visit_that_was_served_once_cannot_be_void_any_more(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.later(1, next_at(), start())
    day.later(20, cmd.Transfer(counter=1, service="B"))
    day.add(ev.TicketVoided(ticket="CTH01-20260701-A001", number="A001", service="B"))
    found = sheet(day, tmp_path).services
    assert (found["A"].issued, found["A"].visits, found["B"].void, found["B"].cancelled, found["B"].open) == (1, 1, 0, 1, 0)


def test_a_training_counts_nowhere(day: ReportDays, tmp_path: Path) -> None:
    day.at("17:00", cmd.Training(on=True))
    day.later(1, issue(), issue("B"), next_at(), start(), cmd.Rate(counter=2, score=1), cmd.AttachScan(counter=1, token=CARD))
    day.later(30, finish())
    day.later(1, cmd.Rate(counter=1, score=1), cmd.Rate(counter=1, score=1), issue("Z"))
    day.later(1, cmd.Survey(counter=1, answers={"waktu": 1}), cmd.Survey(counter=3, answers={"waktu": 1}), cmd.Training(on=False))
    found = sheet(day, tmp_path)
    assert {record.event.type for record in day.log} >= {"ticket.issued", "rating.given", "rating.unattributed", "ticket.refused"}
    assert (found.services, found.counters) == ({}, {})
    assert (found.ignored, found.unattributed, found.forms_unattributed) == (0, 0, 0)


def test_presses_and_forms_that_do_not_count_are_told_apart(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue())
    day.later(1, cmd.Rate(counter=1, score=4))
    day.serve()
    day.later(1, cmd.Rate(counter=1, score=4), cmd.Rate(counter=1, score=4))
    day.later(0.1, cmd.Rate(counter=1, score=1))
    day.later(1, cmd.Survey(counter=1, answers={"waktu": 3, "biaya": 4}), cmd.Survey(counter=2, answers={"waktu": 1}))
    found = sheet(day, tmp_path)
    a = found.services["A"]
    assert (found.unattributed, found.ignored, found.forms_unattributed) == (1, 1, 1)
    assert (a.ambiguous, a.ratings, a.forms) == (1, {}, ({"waktu": 3, "biaya": 4},))


def test_refusals_by_code_of_the_service_that_was_wanted(day: ReportDays, tmp_path: Path) -> None:
    day.at("12:30", issue("A"), issue("A"), issue("B"))
    found = sheet(day, tmp_path).services
    assert (found["A"].refused, found["B"].refused, found["A"].visits) == ({"break": 2}, {"break": 1}, 0)


def test_devices_notes_and_what_was_carried_over(day: ReportDays, tmp_path: Path) -> None:
    day.at("09:00", cmd.ReportDevice(device="printer", state="down", code="absent", detail="no answer"))
    day.at("09:05", cmd.PromiseRepair(device="printer", until="14:00", reason="menunggu teknisi"), cmd.Note(text="hujan deras"))
    day.at("2026-07-02 08:00", cmd.ReportDevice(device="printer", state="ok"))
    first, second = sheets(written(tmp_path / "journal.db", day.log))
    assert [(one.kind, one.device, one.detail, one.carried) for one in first.devices] == [
        ("down", "printer", "no answer", False),
        ("repair", "printer", "menunggu teknisi", False),
    ]
    assert first.devices[1].until == wib("2026-07-01 14:00")
    assert [(one.kind, one.time, one.carried) for one in second.devices] == [
        ("down", wib("2026-07-01 09:00"), True),
        ("repair", day.log[-2].moment.time, True),
        ("up", wib("2026-07-02 08:00"), False),
    ]
    assert [note.text for note in first.notes] == ["hujan deras"]


def test_no_token_and_no_number_leaves_the_sheet(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue(), issue())
    for _ in range(2):
        day.later(1, next_at(), cmd.AttachScan(counter=1, token=CARD))
        day.later(20, finish())
    found = sheet(day, tmp_path)
    text = found.text()
    assert (found.services["A"].card, found.services["A"].distinct, found.sealed) == (2, 1, False)
    assert not any(word in text for word in ("0123abcd", "A001", "CTH01"))
    again = Sheet.of_text(text)
    assert again.services["A"].tokens is None
    assert again.sealed
    assert again.text() == text


def test_a_scan_whose_token_was_erased_is_still_a_card_visit(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.later(1, next_at(), cmd.AttachScan(counter=1, token=CARD))
    path = written(tmp_path / "journal.db", day.log)
    seq = next(n for n, one in enumerate(day.log, start=1) if one.event.type == "scan.read")
    spoil(path, seq, data=day.log[seq - 1].event.model_dump_json().replace(CARD, ""))
    found = sheets(path)[0].services["A"]
    assert (found.card, found.distinct, found.erased) == (1, 0, 1)


@pytest.mark.parametrize("data", ['{"ticket": "A', "[]", '{"ticket":"CTH01-20260701-A001"}', b"\xff\xfe", "17"])
def test_a_damaged_row_is_skipped_and_named(day: ReportDays, tmp_path: Path, data: str | bytes) -> None:
    day.at("08:05", issue(), issue())
    path = written(tmp_path / "journal.db", day.log)
    spoil(path, 3, data=data)
    found = sheets(path)[0]
    assert found.damaged == (3,)
    assert found.services["A"].issued == 1


def test_events_of_an_untrusted_clock_are_counted(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.clock.step_to(wib("2026-07-01 08:06"), synced=False)
    day.ask(issue())
    assert sheet(day, tmp_path).unsynced == 1
