"""Obstacles (domain section 10 (d)): outages, closures and availability, from real journals; and open time against the hours."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.queue import commands as cmd
from kiosd.queue import hours
from kiosd.reports.model import Report
from kiosd.reports.opentime import OpenTime
from support.reportdays import JULY, ReportDays, issue, report, written
from support.site import settings as site
from support.site import wib


@pytest.fixture
def day() -> ReportDays:
    """Wednesday, 1 July 2026, 08.05 in Jakarta."""
    return ReportDays()


def made(day: ReportDays, tmp_path: Path, last: date = JULY, now: datetime | None = None) -> Report:
    return report(written(tmp_path / "journal.db", day.log), JULY, last, now=now)


def outage(found: Report) -> list[tuple[str, str, str, int, str]]:
    def local(time: datetime | None) -> str:
        return f"{time.astimezone(site().site.zone):%d %H:%M}" if time else ""

    return [(one.device, local(one.begin), local(one.end), one.open_minutes, one.fallback) for one in found.obstacles.outages]


def device(name: str, state: str, code: str = "") -> cmd.ReportDevice:
    return cmd.ReportDevice.model_validate({"device": name, "state": state, "code": code})


def test_outages_with_their_minutes_inside_opening_hours(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", *(device(name, "ok") for name in ("printer", "buttons", "scanner-1", "mqtt-central")))
    day.at("11:30", device("printer", "down", "absent"), device("mqtt-central", "down", "absent"))
    day.at("11:40", cmd.PromiseRepair(device="printer", until="15:00", reason="menunggu teknisi"))
    day.at("13:30", device("printer", "degraded", "paper_near_end"), device("mqtt-central", "ok"))
    day.at("14:00", device("printer", "degraded", "paper_out"))
    day.at("14:10", device("printer", "ok"), device("scanner-1", "down", "absent"))
    day.at("2026-07-02 09:00", device("scanner-1", "ok"))
    day.at("2026-07-03 06:00", cmd.Tick())
    found = made(day, tmp_path, date(2026, 7, 2))
    assert outage(found) == [
        ("printer", "01 11:30", "01 13:30", 60, "shown"),
        ("printer", "01 14:00", "01 14:10", 10, "shown"),
        ("scanner-1", "01 14:10", "02 09:00", 200, "manual"),
    ]
    first = found.obstacles.outages[0]
    assert (first.code, first.role, first.promised, first.promise) == ("absent", "printer", wib("2026-07-01 15:00"), "menunggu teknisi")
    assert [(one.device, one.open_minutes, one.fallback) for one in found.obstacles.broker_outages] == [("mqtt-central", 60, "waits")]
    assert {one.device: one.share for one in found.availability} == {
        "buttons": 1.0, "mqtt-central": round(1 - 60 / 895, 4), "printer": round(1 - 70 / 895, 4), "scanner-1": round(1 - 200 / 895, 4),
    }  # fmt: skip


def test_an_outage_is_cut_at_the_period_but_told_whole(day: ReportDays, tmp_path: Path) -> None:
    day.at("15:00", device("printer", "down", "absent"))
    day.at("2026-07-02 12:00", issue())
    day.at("2026-07-03 09:00", device("printer", "ok"))
    path = written(tmp_path / "journal.db", day.log)
    parts = [report(path, date(2026, 7, n), date(2026, 7, n)) for n in (1, 2, 3, 4)]
    assert [outage(part) for part in parts] == [
        [("printer", "01 15:00", "03 09:00", 90, "shown")],
        [("printer", "01 15:00", "03 09:00", 450, "shown")],
        [("printer", "01 15:00", "03 09:00", 90, "shown")],
        [],
    ]
    shares = [next(one.share for one in part.availability if one.device == "printer") for part in parts]
    assert shares == [0.0, 0.0, round(1 - 90 / 450, 4), None]  # nothing is known before its first word, or of a day without any


def test_an_outage_that_goes_on_has_no_end(day: ReportDays, tmp_path: Path) -> None:
    day.at("09:00", device("printer", "down", "absent"))
    found = made(day, tmp_path, now=wib("2026-07-01 10:30"))
    assert outage(found) == [("printer", "01 09:00", "", 90, "shown")]


def test_a_device_that_only_flutters_up_stays_out(day: ReportDays, tmp_path: Path) -> None:
    day.at("09:00", device("printer", "down", "absent"))
    day.at("09:10", device("printer", "ok"))
    day.later(9.9, device("printer", "down", "timeout"))
    day.at("09:20", device("printer", "ok"))
    day.later(10, device("printer", "down", "timeout"))
    day.at("09:30", device("printer", "ok"))
    assert [minutes for *_, minutes, _ in outage(made(day, tmp_path))] == [20, 10]


def test_a_promised_repair_is_an_outage_until_then_at_the_latest(day: ReportDays, tmp_path: Path) -> None:
    day.at("08:05", *(device(name, "ok") for name in ("buttons", "scanner-1", "printer")))
    day.at("09:00", *(cmd.PromiseRepair(device=name, until="10:00", reason="ganti kabel") for name in ("buttons", "scanner-1", "printer")))
    day.at("09:05", device("buttons", "degraded", "stuck"), device("printer", "down", "absent"))
    day.at("09:30", device("buttons", "ok"))
    day.at("11:00", device("printer", "ok"))
    found = made(day, tmp_path)
    assert outage(found) == [
        ("buttons", "01 09:00", "01 09:30", 30, "desk"),
        ("printer", "01 09:00", "01 11:00", 120, "shown"),
        ("scanner-1", "01 09:00", "01 10:00", 60, "manual"),
    ]
    assert [one.code for one in found.obstacles.outages] == ["repair", "absent", "repair"]


def test_a_device_that_is_not_configured_any_more_was_taken_out_at_the_next_start(day: ReportDays, tmp_path: Path) -> None:
    day.at("09:00", device("old-board", "down", "absent"))
    day.at("09:30", cmd.ReportStart(version="0.1.0", config_hash="0"))
    day.at("2026-07-02 09:00", issue())
    path = written(tmp_path / "journal.db", day.log)
    assert outage(report(path)) == [("old-board", "01 09:00", "01 09:30", 30, "none")]
    later = report(path, date(2026, 7, 2), date(2026, 7, 2))
    assert (outage(later), [one.device for one in later.availability if one.device == "old-board"]) == ([], [])


def test_closures_over_days_are_told_once(day: ReportDays, tmp_path: Path) -> None:
    day.at("15:30", cmd.Suspend(reason="banjir"))
    day.at("2026-07-02 09:00", cmd.Tick())
    day.at("10:00", cmd.Resume())
    day.at("16:00", cmd.Suspend(reason="rapat", until="2026-07-03T08:30"))
    day.at("2026-07-03 09:00", issue())
    path = written(tmp_path / "journal.db", day.log)
    found = report(path, JULY, date(2026, 7, 3)).obstacles.closures
    assert [(one.begin, one.end, one.open_minutes, one.reason) for one in found] == [
        (wib("2026-07-01 15:30"), wib("2026-07-02 10:00"), 180, "banjir"),
        (wib("2026-07-02 16:00"), wib("2026-07-03 08:30"), 90, "rapat"),
    ]
    parts = [report(path, date(2026, 7, n), date(2026, 7, n)).obstacles.closures for n in (1, 2, 3)]
    assert [[one.open_minutes for one in part] for part in parts] == [[60], [120, 30], [60]]
    assert parts[0][0].end == wib("2026-07-02 10:00")


BEGIN = wib("2026-06-29 00:00")
MOMENTS = st.integers(0, 8 * 86_400_000).map(lambda after: BEGIN + timedelta(milliseconds=after))


@given(st.lists(st.tuples(MOMENTS, MOMENTS), max_size=6), MOMENTS, MOMENTS)
def test_open_time_is_what_the_hours_say(closures: list[tuple[datetime, datetime]], begin: datetime, end: datetime) -> None:
    settings = site()
    opened = OpenTime(settings, date(2026, 6, 28), date(2026, 7, 8), closures)
    assert opened.seconds(begin, end) == hours.open_seconds(settings, begin, end, [one for one in closures if one[0] < one[1]])
