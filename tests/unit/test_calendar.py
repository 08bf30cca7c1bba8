"""Which entry counts on a day: weekday, season, closed date, opening; the site's own or the calendar file's (domain section 6)."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.queue.calendar import Calendar, ClosedDate, SpecialHours
from kiosd.queue.hours import DayPlan, plan
from support.openinghours import calendar, closed, site, special, year_of

WEEKDAYS = {day: ["08:00-12:00", "12:30-15:00"] for day in ("monday", "tuesday", "wednesday", "thursday")}
RAMADAN = special("2026-02-18", "2026-03-19", "Ramadan 1447 H", **WEEKDAYS, friday=["08:00-11:30", "12:30-15:30"])
NYEPI = closed("2026-03-19", "Nyepi")
LEAVE = closed("2026-03-18", "Cuti bersama Nyepi", kind="collective_leave")
ORDINARY = "08:00-12:00 13:00-16:30"


def shown(it: DayPlan) -> tuple[str, str, bool]:
    """A plan as a table can hold it."""
    return " ".join(str(session) for session in it.sessions), it.name, it.special


def planned(day: str, own: dict[str, Any] | None = None, **filed: Any) -> tuple[str, str, bool]:
    return shown(plan(site(dates=calendar(year_of(2026, **filed)), **(own or {})), date.fromisoformat(day)))


def test_an_ordinary_day_is_its_weekday_and_an_unknown_year_too() -> None:
    assert planned("2026-07-01") == (ORDINARY, "", False)
    assert planned("2026-07-03") == ("07:30-11:30 13:00-16:30", "", False)
    assert planned("2026-07-04") == ("", "", False)
    assert plan(site(dates=calendar(year_of(2026))), date(2026, 7, 1)).known
    assert plan(site(), date(2026, 7, 1)) == DayPlan(site().hours.wednesday, known=False)


def test_a_closed_date_has_no_sessions_and_a_name() -> None:
    assert planned("2026-03-19", closed=[NYEPI]) == ("", "Nyepi", False)
    assert plan(site(dates=calendar(year_of(2026, closed=[NYEPI]))), date(2026, 3, 19)).holiday
    assert planned("2026-03-19", {"closed": [NYEPI]}) == ("", "Nyepi", False)


@pytest.mark.parametrize(
    ("day", "sessions", "name"),
    [
        ("2026-02-17", ORDINARY, ""),
        ("2026-02-18", "08:00-12:00 12:30-15:00", "Ramadan 1447 H"),
        ("2026-02-20", "08:00-11:30 12:30-15:30", "Ramadan 1447 H"),
        ("2026-02-21", "", ""),  # a Saturday is none of the season's: the weekly table
        ("2026-03-18", "", "Cuti bersama Nyepi"),  # a season opens no closed day
        ("2026-03-19", "", "Nyepi"),
        ("2026-03-20", "07:30-11:30 13:00-16:30", ""),
    ],
)
@pytest.mark.parametrize("where", ["own", "file"])
def test_a_season_changes_open_days_only(day: str, sessions: str, name: str, where: str) -> None:
    filed: dict[str, Any] = {"closed": [LEAVE, NYEPI]} | ({"special": [RAMADAN]} if where == "file" else {})
    own = {"special": [RAMADAN]} if where == "own" else {}
    assert planned(day, own, **filed)[:2] == (sessions, name)


@pytest.mark.parametrize("hours", [{"every": ["09:00-11:00"]}, {"thursday": ["09:00-11:00"]}])
@pytest.mark.parametrize("where", ["own", "file"])
def test_an_opening_beats_a_holiday(hours: dict[str, list[str]], where: str) -> None:
    opening = special("2026-03-19", "2026-03-19", "Posko", **hours)
    own = {"special": [opening]} if where == "own" else {}
    assert planned("2026-03-19", own, closed=[NYEPI], **({} if own else {"special": [opening]})) == ("09:00-11:00", "Posko", True)


def test_every_opens_each_day_of_a_range_weekends_and_holidays_too() -> None:
    posko = special("2026-03-18", "2026-03-22", "Posko", every=["09:00-11:00"], friday=["13:00-15:00"])
    days = [planned(f"2026-03-{n}", closed=[LEAVE, NYEPI], special=[posko])[0] for n in range(17, 24)]
    assert days == [ORDINARY, "09:00-11:00", "09:00-11:00", "13:00-15:00", "09:00-11:00", "09:00-11:00", ORDINARY]


def test_the_sites_own_entries_go_first() -> None:
    here = closed("2026-07-01", "Hari jadi kota", kind="local")
    opening = special("2026-07-01", "2026-07-01", "Buka sampai malam", every=["08:00-20:00"])
    assert planned("2026-07-01", {"closed": [here]}, special=[opening]) == ("", "Hari jadi kota", False)
    assert planned("2026-07-01", {"special": [opening]}, closed=[here]) == ("08:00-20:00", "Buka sampai malam", True)
    mine = special("2026-07-01", "2026-07-02", "Punya sendiri", wednesday=["10:00-11:00"])
    season = special("2026-06-01", "2026-08-01", "Musim", wednesday=["09:00-10:00"])
    assert planned("2026-07-01", {"special": [mine]}, special=[season])[1] == "Punya sendiri"
    assert planned("2026-07-01", {"special": [mine]}, special=[opening])[1] == "Buka sampai malam", "a season shuts no opening"
    assert planned("2026-07-01", {"special": [season], "closed": [here]})[1] == "Hari jadi kota"


def test_the_shorter_range_counts() -> None:
    week = special("2026-06-29", "2026-07-05", "Pekan", wednesday=["09:00-10:00"], thursday=["09:00-10:00"])
    season = special("2026-06-01", "2026-08-01", "Musim", wednesday=["10:00-11:00"], friday=["10:00-11:00"])
    for entries in ([week, season], [season, week]):
        assert [planned(f"2026-07-0{n}", special=entries)[1] for n in (1, 2, 3, 8)] == ["Pekan", "Pekan", "Musim", "Musim"]
    evening = special("2026-07-01", "2026-07-01", "Satu hari", every=["12:00-14:00"])
    two = special("2026-07-01", "2026-07-02", "Dua hari", every=["13:00-14:00"])
    assert [planned(f"2026-07-0{n}", special=[two, evening])[1] for n in (1, 2)] == ["Satu hari", "Dua hari"]


def test_a_special_day_may_be_a_closed_one() -> None:
    assert planned("2026-07-01", special=[special("2026-07-01", "2026-07-01", every=[])]) == ("", "Khusus", True)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "closed twice": ({"closed": [NYEPI, closed("2026-03-19", "Lagi")]}, "2026-03-19 is closed twice, for 'Nyepi' and for 'Lagi'"),
    "order": ({"special": [special("2026-03-02", "2026-03-01", every=["08:00-09:00"])]}, "'to' (2026-03-01) is before 'from' (2026-03-02)"),
    "no hours": ({"special": [special("2026-03-02", "2026-03-03")]}, "none of its days has hours"),
    "hours of another weekday": ({"special": [special("2026-03-02", "2026-03-02", friday=["08:00-09:00"])]}, "none of its days has hours"),
    "which of two": (
        {"special": [special("2026-03-02", "2026-03-06", "A", every=[]), special("2026-03-06", "2026-03-10", "B", monday=[])]},
        "'A' and 'B' are ranges of the same length and share 2026-03-06",
    ),
    "closed in another year": ({"closed": [closed("2027-01-01", "Tahun Baru")]}, "2027-01-01 ('Tahun Baru') is not in 2026"),
    "special into another year": ({"special": [special("2026-12-30", "2027-01-02", every=[])]}, "2027-01-02 ('Khusus') is not in 2026"),
    "text for a date": ({"closed": [{"date": "2026-01-01", "name": "x"}]}, "date_type"),
    "empty name": ({"closed": [closed("2026-01-01", " ")]}, "string_too_short"),
    "unknown kind": ({"closed": [closed("2026-01-01", kind="weekend")]}, "literal_error"),
    "sessions": ({"special": [special("2026-03-02", "2026-03-02", every=["09:00-10:00", "08:00-09:30"])]}, "do not overlap"),
    "unknown key": ({"closd": []}, "extra_forbidden"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_year_that_is_wrong(case: str) -> None:
    entries, expected = BAD[case]
    with pytest.raises(ValidationError) as caught:
        year_of(2026, **entries)
    assert any(expected in error["msg"] or expected == error["type"] for error in caught.value.errors())


def test_a_sites_own_range_may_cross_years_but_not_be_endless() -> None:
    turn = special("2026-12-30", "2027-01-05", "Akhir tahun", every=["08:00-09:00"])
    assert [plan(site(special=[turn]), day).name for day in (date(2026, 12, 31), date(2027, 1, 1))] == ["Akhir tahun"] * 2
    with pytest.raises(ValidationError, match="more than 366 days"):
        site(special=[special("2026-01-01", "2027-01-02", every=[])])
    with pytest.raises(ValidationError, match="closed twice"):
        site(closed=[NYEPI, NYEPI])


def test_a_calendar_looks_up_days_by_year() -> None:
    both = calendar(year_of(2026, closed=[NYEPI]), year_of(2027))
    entry = both.day(date(2026, 3, 19))
    assert isinstance(entry, ClosedDate) and (entry.name, entry.kind) == ("Nyepi", "holiday")
    assert both.day(date(2027, 3, 19)) is None is both.day(date(2028, 3, 19))
    assert Calendar() == Calendar(years={}) and Calendar().day(date(2026, 3, 19)) is None


DAYS_OF_MARCH = st.integers(0, 30).map(lambda n: date(2026, 3, 1) + timedelta(days=n))


@given(DAYS_OF_MARCH, st.integers(0, 20), DAYS_OF_MARCH, st.booleans())
def test_a_range_holds_its_days_and_no_others(first: date, more: int, day: date, every: bool) -> None:
    last = min(first + timedelta(days=more), date(2026, 3, 31))
    hours: dict[str, Any] = {"every": ["09:00-10:00"]} if every else {key: ["09:00-10:00"] for key in ("monday", "tuesday", "sunday")}
    entry = special(first.isoformat(), last.isoformat(), **hours)
    if not every and not any((first + timedelta(days=n)).weekday() in {0, 1, 6} for n in range((last - first).days + 1)):
        with pytest.raises(ValidationError):
            SpecialHours.model_validate(entry)
        return
    inside = first <= day <= last and (every or day.weekday() in {0, 1, 6})
    assert plan(site(special=[entry]), day).special == inside
