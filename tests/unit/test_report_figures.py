"""The report's figures from real journals, counted by hand (domain sections 7, 8 and 10)."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.calendar import Calendar, CalendarYear
from kiosd.reports.figures import mean, percentile, share
from kiosd.reports.model import Gap, Identity, Report
from kiosd.reports.sums import Sums
from support.reportdays import CARD, JULY, ReportDays, finish, issue, next_at, report, seal, sheets, spoil, spoil_sheet, start, written
from support.site import settings as site
from support.site import wib


@pytest.fixture
def day() -> ReportDays:
    """Wednesday, 1 July 2026, 08.05 in Jakarta."""
    return ReportDays()


def made(day: ReportDays, tmp_path: Path, first: date = JULY, last: date = JULY, **more: object) -> Report:
    return report(written(tmp_path / "journal.db", day.log), first, last, **more)  # type: ignore[arg-type]  # passed on as it came


def failed(found: Report) -> list[Identity]:
    return [one for one in found.identities if not one.holds]


@pytest.mark.parametrize(
    ("waits", "p50", "p90"),
    [
        ([], None, None),
        ([7], 7, 7),
        ([1, 2], 1, 2),
        (list(range(1, 11)), 5, 9),  # the ninth of ten
        (list(range(1, 12)), 6, 10),
        (list(range(1, 101)), 50, 90),
        ([5] * 9 + [100], 5, 5),
        ([5] * 8 + [100] * 2, 5, 100),
    ],
)
def test_percentiles_are_nearest_rank(waits: list[int], p50: float | None, p90: float | None) -> None:
    assert (percentile(Counter(waits), 50), percentile(Counter(waits), 90)) == (p50, p90)


@given(st.lists(st.integers(0, 500), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_wait_that_enough_do_not_exceed(waits: list[int], percent: int) -> None:
    found = percentile(Counter(waits), percent)
    assert found in waits
    assert sum(wait <= found for wait in waits) * 100 >= percent * len(waits)
    assert sum(wait < found for wait in waits) * 100 < percent * len(waits)


def test_figures_are_rounded_so_that_no_sixteen_digits_follow_each_other() -> None:
    assert (mean(Counter([1, 1, 2])), mean(Counter()), share(1, 3), share(0, 0)) == (1.3, None, 0.3333, None)


def _month(day: ReportDays) -> None:
    """Two days: five visits of A and one of B, a transfer, a referral, a no-show."""
    day.at("08:05", *(issue("A", category="pencari_kerja") for _ in range(3)), issue("B", priority=True))
    day.at("08:10", cmd.CallTicket(counter=1, ticket="A001", reason="lanjutan"), start())
    day.at("08:20", finish())
    day.later(5, cmd.Rate(counter=1, score=4), cmd.Survey(counter=1, answers={"waktu": 4, "biaya": 2}))
    day.at("08:25", cmd.CallTicket(counter=1, ticket="A002", reason="lainnya"), cmd.AttachScan(counter=1, token=CARD))
    day.at("08:30", cmd.Transfer(counter=1, service="B"))
    day.at("08:35", cmd.CallTicket(counter=2, ticket="B001", reason="lainnya"), start(2))
    day.at("08:45", cmd.Refer(counter=2, destination="dinas_provinsi", reason="tindak_lanjut"))
    day.later(5, cmd.Rate(counter=2, score=1))
    day.at("08:50", cmd.CallTicket(counter=2, ticket="A002", reason="lainnya"), cmd.AttachScan(counter=2, token=CARD))
    day.at("09:10", finish(2), cmd.Note(text="antrean panjang"))
    day.at("12:30", issue("A"))
    day.at("2026-07-02 08:00", issue("A"), issue("A"))
    day.at("08:30", next_at(), start())
    day.at("08:31", finish(), next_at())
    day.later(1, cmd.MarkAbsent(counter=1, force="pulang"))
    day.at("2026-07-03 07:00", cmd.Tick())


def test_a_period_by_hand(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    found = made(day, tmp_path, JULY, date(2026, 7, 2))
    a, b = found.services[:2]
    assert not failed(found)
    assert (a.issued, a.transferred_in, a.processed, a.finished, a.referred, a.transferred_out) == (5, 0, 3, 2, 0, 1)
    assert (a.no_show, a.expired, a.cancelled, a.open, a.void) == (1, 1, 0, 0, 0)
    assert (b.issued, b.transferred_in, b.processed, b.finished, b.referred, b.transferred_out) == (1, 1, 2, 1, 1, 0)
    assert (a.waits, a.wait_mean_s, a.wait_p50_s, a.wait_p90_s) == (4, 1290.0, 1200.0, 1860.0)  # 300, 1200, 1800, 1860
    assert (a.services, a.service_mean_s, b.services, b.service_mean_s) == (3, 320.0, 2, 900.0)
    assert (a.ratings, a.index, a.band, a.response) == (1, Decimal("100.00"), "A", 0.5)
    assert (b.ratings, b.index, b.band, b.response) == (1, Decimal("25.00"), "D", 0.5)
    total = found.total
    assert (total.issued, total.processed, total.waits, total.wait_mean_s, total.index) == (6, 5, 5, 1392.0, Decimal("62.50"))
    assert (total.wait_p90_s, total.service_mean_s, total.transferred_in, total.transferred_out) == (1860.0, 552.0, 1, 1)
    assert found.users.model_dump() == {
        "visits": 6, "by_category": {"pencari_kerja": 3, "tidak_dicatat": 3}, "priority": 1, "card": 1, "distinct": 1, "manual": 3,
        "handwritten": 0,
    }  # fmt: skip
    assert found.completed.model_dump() == {
        "finished": 3, "referred": 1, "by_destination": {"dinas_provinsi": 1}, "by_reason": {"tindak_lanjut": 1}, "same_day_share": 0.75,
    }  # fmt: skip
    counted = found.satisfaction
    assert (counted.counts, counted.ratings, counted.population, counted.sample_size, counted.enough) == (
        {4: 1, 3: 0, 2: 0, 1: 1},
        2,
        4,
        4,
        False,
    )
    assert counted.survey is not None
    assert (counted.survey.answers, counted.survey.value, counted.survey.weight) == (1, Decimal("75.00"), "exact")
    assert [(one.element, one.n, one.mean) for one in counted.survey.elements if one.n] == [("waktu", 1, 4.0), ("biaya", 1, 2.0)]
    stood = found.obstacles
    assert [(one.day, one.count) for one in stood.expired] == [(JULY, 1)]
    assert [(one.reason, one.count) for one in stood.out_of_order] == [("lainnya", 3), ("lanjutan", 1)]
    assert (stood.refused, [note.text for note in stood.notes]) == ({"break": 1}, ["antrean panjang"])
    assert [sum(hours) for hours in found.arrivals] == [0, 0, 4, 2, 0, 0, 0]
    assert (found.arrivals[2][8], found.arrivals[3][8]) == (4, 2)


def test_the_head_tells_period_days_and_hours(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", cmd.Suspend(reason="rapat", until="09:05"))
    day.at("2026-07-02 08:00", issue())
    head = made(day, tmp_path, JULY, date(2026, 7, 31), now=wib("2026-07-02 10:00")).head
    assert (head.first, head.last, head.service_days, head.zone, head.partial) == (JULY, date(2026, 7, 31), 2, "Asia/Jakarta", False)
    assert head.open_seconds == 7.5 * 3600 - 3600 + 2 * 3600
    assert head.hours == ("Senin - Kamis 08.00-12.00, 13.00-16.30", "Jumat 07.30-11.30, 13.00-16.30")
    assert head.services == tuple("ABCDEFG")
    assert head.events == len(day.log)
    english = report(tmp_path / "journal.db", language="en")
    assert english.head.hours[0] == "Monday - Thursday 08.00-12.00, 13.00-16.30"


def test_a_report_on_one_service_is_partial(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    found = made(day, tmp_path, JULY, date(2026, 7, 2), services=("B",))
    assert (found.head.partial, found.head.services, [one.service for one in found.services]) == (True, ("B",), ["B"])
    assert (found.users.visits, found.total.transferred_in, found.total.transferred_out) == (1, 1, 0)
    assert {one.name for one in found.identities} == {"line", "processed", "visits"}
    assert not failed(found)
    assert (found.satisfaction.ratings, found.obstacles.refused, sum(map(sum, found.arrivals))) == (1, {}, 1)


def test_a_service_that_is_not_configured_any_more_goes_by_its_letter(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    found = made(day, tmp_path, JULY, date(2026, 7, 2), settings=site(services="A"))
    assert [(one.service, one.name) for one in found.services] == [("A", "Layanan Pelatihan Vokasi"), ("B", "B")]
    assert not failed(found)


def test_the_day_that_is_not_over_is_open(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", *(issue() for _ in range(4)))
    day.serve()
    day.later(1, next_at(1), start(1), next_at(2))
    found = made(day, tmp_path, now=day.clock.now().time)
    line = found.services[0]
    assert (line.issued, line.processed, line.finished, line.open) == (4, 1, 1, 3)
    assert not failed(found)
    assert Gap(first=JULY, last=JULY, code="still_open") in found.gaps


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ticket.issued", {"line", "visits"}),
        ("ticket.started", {"line", "processed"}),
        ("ticket.finished", {"processed"}),
        ("ticket.referred", {"processed"}),
        ("ticket.transferred", {"line", "processed"}),
        ("ticket.no_show", {"line"}),
        ("ticket.expired", {"line"}),
    ],
)
def test_a_lost_event_shows(day: ReportDays, tmp_path: Path, kind: str, names: set[str]) -> None:
    _month(day)
    lost = next(one for one in day.log if one.event.type == kind)
    path = written(tmp_path / "journal.db", (one for one in day.log if one is not lost))
    assert {one.name for one in failed(report(path, JULY, date(2026, 7, 2)))} == names


def gaps(found: Report, code: str) -> list[tuple[int, int, str]]:
    return [(one.first.day, one.last.day, one.detail) for one in found.gaps if one.code == code]


def test_service_days_without_data_up_to_today(day: ReportDays, tmp_path: Path) -> None:
    day.at("2026-07-03 09:00", issue())
    day.at("2026-07-08 09:00", issue())
    found = made(day, tmp_path, JULY, date(2026, 7, 31), now=wib("2026-07-10 09:00"))
    assert gaps(found, "no_data") == [(1, 2, ""), (6, 7, ""), (9, 10, "")]


def test_other_gaps(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", issue())
    day.clock.step_to(day.clock.now().time, synced=False)
    day.at("08:06", issue())
    day.clock.step_to(day.clock.now().time, synced=True)
    day.at("2026-07-02 09:00", issue())
    path = written(tmp_path / "journal.db", day.log)
    spoil(path, len(day.log), data="{")
    found = report(path, JULY, date(2026, 7, 2))
    assert gaps(found, "clock") == [(1, 1, "")]
    assert gaps(found, "damaged") == [(2, 2, str(len(day.log)))]
    assert gaps(found, "no_calendar") == [(1, 2, "2026")]
    settings = replace(site(), calendar=Calendar(years={2026: CalendarYear(year=2026, name="2026")}))
    assert gaps(report(path, settings=settings), "no_calendar") == []


def test_different_cards_are_unknown_once_tokens_are_gone(day: ReportDays, tmp_path: Path) -> None:
    for date_ in ("2026-07-01", "2026-07-02"):
        day.at(f"{date_} 09:00", issue(), next_at(), cmd.AttachScan(counter=1, token=CARD))
        day.later(60, finish())
    path = written(tmp_path / "journal.db", day.log)
    assert report(path, JULY, date(2026, 7, 2)).users.distinct == 1
    seq = next(n for n, one in enumerate(day.log, start=1) if isinstance(one.event, ev.ScanRead))
    spoil(path, seq, data=day.log[seq - 1].event.model_dump_json().replace(CARD, ""))
    found = report(path, JULY, date(2026, 7, 2))
    assert (found.users.distinct, found.users.card, gaps(found, "tokens_erased")) == (None, 2, [(1, 1, "")])


def test_sheets_add_up_like_the_events_they_came_from(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    raw, kept = Sums(), Sums()
    for sheet in sheets(written(tmp_path / "journal.db", day.log)):
        raw.add(sheet, over=True)
        kept.add(type(sheet).of_text(sheet.text()), over=True)
    assert (kept.total, kept.services, kept.arrivals, kept.expired) == (raw.total, raw.services, raw.arrivals, raw.expired)
    assert (raw.distinct, kept.distinct, kept.sealed) == (1, None, [JULY])


def test_progress_ends_at_all(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    heard: list[tuple[int, int]] = []
    found = made(day, tmp_path, JULY, date(2026, 7, 2), progress=lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, found.head.events)
    assert heard[-1] == (found.head.events, found.head.events)
    assert heard == sorted(heard)


def test_an_empty_journal_and_a_period_to_come(day: ReportDays, tmp_path: Path) -> None:
    day.ask(issue())
    written(tmp_path / "journal.db", day.log)
    written(tmp_path / "empty.db", ())
    for name, first in product(("journal.db", "empty.db"), (date(2025, 1, 1), date(2027, 3, 1))):
        nothing = report(tmp_path / name, first, first, now=wib("2026-12-01 08:00"))
        assert (nothing.users.visits, nothing.total.index, nothing.head.events, nothing.satisfaction.enough) == (0, None, 0, True)
        assert not failed(nothing)


def test_no_sixteen_digits_anywhere(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    found = made(day, tmp_path, JULY, date(2026, 7, 2)).model_dump_json()
    assert not re.search(r"\d{16}", found)


def test_a_sealed_day_reports_like_before_but_for_different_cards(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    day.at("2026-07-03 09:00", cmd.ReportDevice(device="printer", state="down", code="absent"))
    path = written(tmp_path / "journal.db", day.log)
    before = report(path, JULY, date(2026, 7, 3))
    seal(path, sheets(path)[0])
    after = report(path, JULY, date(2026, 7, 3), now=before.head.made_at)
    assert gaps(after, "sealed") == [(1, 1, "")]
    same = {"users": before.users.model_copy(update={"distinct": None}), "gaps": after.gaps}
    assert after == before.model_copy(update=same)


def test_a_day_that_is_sealed_while_the_report_reads_comes_from_its_sheet(day: ReportDays, tmp_path: Path) -> None:
    _month(day)
    path = written(tmp_path / "journal.db", day.log)
    first = sheets(path)[0]

    def sealing(done: int, _total: int) -> None:
        if not done:
            seal(path, first)

    found = report(path, JULY, date(2026, 7, 2), progress=sealing)
    assert (found.users.visits, found.users.distinct, gaps(found, "sealed")) == (6, None, [(1, 1, "")])


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"date": "2026-07-01"'])
def test_a_damaged_sheet_is_a_gap(day: ReportDays, tmp_path: Path, text: str) -> None:
    _month(day)
    path = written(tmp_path / "journal.db", day.log)
    seal(path, sheets(path)[0])
    spoil_sheet(path, text)
    found = report(path, JULY, date(2026, 7, 2))
    assert (found.users.visits, gaps(found, "damaged")) == (2, [(1, 1, "sheet")])
