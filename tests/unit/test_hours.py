"""When tickets are given, what is said when not, and how open time is counted (domain sections 6 and 7)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kiosd.queue import hours
from kiosd.queue.hours import Standing, days, explain, opening, standing
from kiosd.queue.model import Closure
from support.openinghours import LEBARAN, ZONES, at, calendar, closed, site, special, year_of

NEXT = {0: 1, 1: 1, 2: 1, 3: 1, 4: 3, 5: 2, 6: 1}
"""Weekday -> days to the next service day."""
WEEK = [date(2026, 6, 29) + timedelta(days=n) for n in range(7)]  # Monday to Sunday


def on(day: date, clock: str, zone: str) -> datetime:
    return at(f"{day} {clock}", zone)


def boundaries(day: date) -> list[tuple[str, str, str | None]]:
    """A day of the decree's hours: clock time, code, and when it opens (None: on the next service day)."""
    if day.weekday() > 4:
        return [("00:00", "closed", None), ("08:00", "closed", None), ("23:59:59", "closed", None)]
    begin, noon = ("07:30", "11:30") if day.weekday() == 4 else ("08:00", "12:00")
    before = f"{int(begin[:2]) - (begin[3:] == '00'):02}:{'59' if begin[3:] == '00' else '29'}:59.999999"
    last = f"{int(noon[:2]) - (noon[3:] == '00'):02}:{'59' if noon[3:] == '00' else '29'}:59.999999"
    return [
        ("00:00", "closed", begin),
        (before, "closed", begin),
        (begin, "open", ""),
        (last, "open", ""),
        (noon, "break", "13:00"),
        ("12:59:59.999999", "break", "13:00"),
        ("13:00", "open", ""),
        ("16:29:59.999999", "open", ""),
        ("16:30", "closed", None),
        ("23:59:59", "closed", None),
    ]


@pytest.mark.parametrize("day", WEEK, ids=lambda day: f"{day:%a}")
@pytest.mark.parametrize("zone", ZONES)
def test_every_boundary_of_the_week(zone: str, day: date) -> None:
    it = site(zone)
    following = day + timedelta(days=NEXT[day.weekday()])
    first = "07:30" if following.weekday() == 4 else "08:00"
    for clock, code, opens in boundaries(day):
        expected = None if code == "open" else on(day, opens, zone) if opens else on(following, first, zone)
        assert standing(it, on(day, clock, zone)) == Standing(code, expected), clock  # type: ignore[arg-type]  # a table of words


def test_the_zone_decides_not_utc() -> None:
    moment = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
    assert [standing(it := site(zone), moment.astimezone(it.site.zone)).open for zone in ZONES] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("local", "code", "opens", "name"),
    [
        ("2026-03-19 16:30", "closed", "2026-03-25 08:00", ""),
        ("2026-03-20 10:00", "holiday", "2026-03-25 08:00", "Cuti bersama"),
        ("2026-03-22 10:00", "holiday", "2026-03-25 08:00", "Idulfitri 1447 Hijriah"),
        ("2026-03-24 23:59", "holiday", "2026-03-25 08:00", "Cuti bersama"),
        ("2026-02-18 12:00", "break", "2026-02-18 12:30", "Ramadan 1447 H"),
        ("2026-02-18 15:00", "closed", "2026-02-19 08:00", "Ramadan 1447 H"),
        ("2026-02-17 16:30", "closed", "2026-02-18 08:00", ""),
    ],
)
def test_dated_entries(local: str, code: str, opens: str, name: str) -> None:
    assert standing(site(dates=LEBARAN), at(local)) == Standing(code, at(opens), name)  # type: ignore[arg-type]  # a table of words


def test_a_long_closing_is_looked_through_for_a_year_and_no_more() -> None:
    weekdays: dict[str, Any] = {day: [] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
    shut = site(**weekdays)
    assert standing(shut, at("2026-07-01 10:00")) == Standing("closed", None)
    assert explain(shut, standing(shut, at("2026-07-01 10:00")), at("2026-07-01 10:00")) == "Layanan tutup. Jam layanan: tidak ada."
    far = site(special=[special("2027-01-01", "2027-01-01", every=["09:00-10:00"])], **weekdays)
    almost = site(closed=[closed((date(2026, 7, 1) + timedelta(days=n)).isoformat()) for n in range(365)])
    assert standing(almost, at("2026-07-01 10:00")).opens_at == at("2027-07-01 08:00")
    assert standing(far, at("2026-12-31 20:00")).opens_at == at("2027-01-01 09:00")


# ---- the issue window ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "code", "opens"),
    [
        ("07:29", "closed", "2026-07-01 07:30"),
        ("07:30", "open", ""),
        ("08:00", "open", ""),
        ("12:00", "break", "2026-07-01 13:00"),
        ("15:59", "open", ""),
        ("16:00", "last_ticket", "2026-07-02 07:30"),
        ("16:29:59", "last_ticket", "2026-07-02 07:30"),
        ("16:30", "closed", "2026-07-02 07:30"),
    ],
)
def test_early_issue_and_last_ticket(clock: str, code: str, opens: str) -> None:
    now = standing(site(early_issue_min=30, last_ticket_min=30), at(f"2026-07-01 {clock}"))
    assert (now.code, now.opens_at) == (code, at(opens) if opens else None)


@pytest.mark.parametrize(
    ("clock", "code"),
    [("11:00", "open"), ("12:00", "last_ticket"), ("13:00", "last_ticket"), ("16:29", "last_ticket"), ("16:30", "closed")],
)
def test_the_last_tickets_may_be_before_the_break(clock: str, code: str) -> None:
    assert standing(site(last_ticket_min=240), at(f"2026-07-01 {clock}")).code == code


def test_an_issue_window_does_not_begin_on_the_day_before() -> None:
    it = site(wednesday=["00:30-02:00"], early_issue_min=240, last_ticket_min=60)
    assert standing(it, at("2026-06-30 23:00")).opens_at == at("2026-07-01 00:00")
    assert standing(it, at("2026-07-01 00:59")).open and standing(it, at("2026-07-01 01:00")).code == "last_ticket"
    none = site(special=[special("2026-07-01", "2026-07-01", every=["10:00-10:30"])], last_ticket_min=60)
    assert [standing(none, at(f"2026-07-01 {clock}")).code for clock in ("09:59", "10:00", "10:30")] == ["closed", "last_ticket", "closed"]
    assert standing(none, at("2026-07-01 09:59")).opens_at == at("2026-07-02 08:00")


# ---- closures by command ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "until", "code", "opens"),
    [
        ("2026-07-01 09:59", "2026-07-01 11:00", "open", ""),  # not begun
        ("2026-07-01 10:00", "2026-07-01 11:00", "suspended", "2026-07-01 11:00"),
        ("2026-07-01 10:59", "2026-07-01 11:00", "suspended", "2026-07-01 11:00"),
        ("2026-07-01 11:00", "2026-07-01 11:00", "open", ""),
        ("2026-07-01 10:30", "2026-07-01 12:30", "suspended", "2026-07-01 13:00"),
        ("2026-07-01 12:10", "2026-07-01 12:30", "suspended", "2026-07-01 13:00"),
        ("2026-07-01 12:30", "2026-07-01 12:30", "break", "2026-07-01 13:00"),
        ("2026-07-01 10:30", "2026-07-01 18:00", "suspended", "2026-07-02 08:00"),
        ("2026-07-01 10:30", "2026-07-02 10:15", "suspended", "2026-07-02 10:15"),
        ("2026-07-01 20:00", "2026-07-02 10:15", "suspended", "2026-07-02 10:15"),
        ("2026-07-03 20:00", "2026-07-04 10:15", "suspended", "2026-07-06 08:00"),
        ("2026-07-01 10:30", None, "suspended", None),
        ("2026-08-01 10:30", None, "suspended", None),
    ],
)
def test_a_closure_by_command(local: str, until: str | None, code: str, opens: str | None) -> None:
    closure = Closure(at("2026-07-01 10:00").astimezone(UTC), at(until).astimezone(UTC) if until else None, "Listrik padam")
    now = standing(site(), at(local), closure)
    assert (now.code, now.opens_at) == (code, at(opens) if opens else None)
    assert now.name == ("Listrik padam" if code == "suspended" else "")
    assert now.opens_at is None or now.opens_at.utcoffset() == timedelta(hours=7)


# ---- in words --------------------------------------------------------------------------------------------------------------------------

WORDS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "open": ("2026-07-01 08:00", {}, "", ""),
    "before": (
        "2026-07-01 07:00",
        {},
        "Layanan tutup. Jam layanan: 08.00-12.00, 13.00-16.30. Buka Rabu, 1 Juli 2026 pukul 08.00 WITA.",
        "Closed. Service hours: 08.00-12.00, 13.00-16.30. Opens Wednesday, 1 July 2026 at 08.00 WITA.",
    ),
    "weekend": (
        "2026-01-03 10:00",
        {},
        "Layanan tutup. Jam layanan: 08.00-12.00, 13.00-16.30. Buka Senin, 5 Januari 2026 pukul 08.00 WITA.",
        "Closed. Service hours: 08.00-12.00, 13.00-16.30. Opens Monday, 5 January 2026 at 08.00 WITA.",
    ),
    "break": ("2026-07-01 12:00", {}, "Istirahat. Buka kembali pukul 13.00 WITA.", "Break. Open again at 13.00 WITA."),
    "holiday": (
        "2026-03-21 12:00",
        {},
        "Layanan tutup: Idulfitri 1447 Hijriah. Buka Rabu, 25 Maret 2026 pukul 08.00 WITA.",
        "Closed: Idulfitri 1447 Hijriah. Opens Wednesday, 25 March 2026 at 08.00 WITA.",
    ),
    "special day": (
        "2026-02-17 20:00",
        {},
        "Layanan tutup. Jam layanan (Ramadan 1447 H): 08.00-12.00, 12.30-15.00. Buka Rabu, 18 Februari 2026 pukul 08.00 WITA.",
        "Closed. Service hours (Ramadan 1447 H): 08.00-12.00, 12.30-15.00. Opens Wednesday, 18 February 2026 at 08.00 WITA.",
    ),
    "last ticket": (
        "2026-07-01 16:15",
        {"last_ticket_min": 30},
        "Pengambilan nomor hari ini sudah ditutup. Buka Kamis, 2 Juli 2026 pukul 08.00 WITA.",
        "No more numbers are given today. Opens Thursday, 2 July 2026 at 08.00 WITA.",
    ),
    "early issue": (
        "2026-07-01 07:00",
        {"early_issue_min": 30},
        "Layanan tutup. Jam layanan: 08.00-12.00, 13.00-16.30. Nomor diberikan mulai Rabu, 1 Juli 2026 pukul 07.30 WITA.",
        "Closed. Service hours: 08.00-12.00, 13.00-16.30. Numbers are given from Wednesday, 1 July 2026 at 07.30 WITA.",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_in_words(case: str) -> None:
    local, changes, indonesian, english = WORDS[case]
    for language, expected in (("id", indonesian), ("en", english)):
        it = site("Asia/Makassar", language, LEBARAN, **changes)
        moment = at(local, "Asia/Makassar")
        said = explain(it, standing(it, moment), moment)
        assert said == expected and said.isascii()


@pytest.mark.parametrize(
    ("until", "reason", "indonesian", "english"),
    [
        (
            "2026-07-01 14:00",
            "Listrik padam.",
            "Layanan dihentikan sementara: Listrik padam. Buka kembali pukul 14.00 WIB.",
            "Service is suspended: Listrik padam. Open again at 14.00 WIB.",
        ),
        (
            "2026-07-02 09:00",
            "Banjir",
            "Layanan dihentikan sementara: Banjir. Buka Kamis, 2 Juli 2026 pukul 09.00 WIB.",
            "Service is suspended: Banjir. Opens Thursday, 2 July 2026 at 09.00 WIB.",
        ),
        (
            None,
            "",
            "Layanan dihentikan sementara. Sampai pemberitahuan lebih lanjut.",
            "Service is suspended. Until further notice.",
        ),
    ],
)
def test_a_closure_in_words(until: str | None, reason: str, indonesian: str, english: str) -> None:
    local = at("2026-07-01 10:00")
    closure = Closure(local, at(until) if until else None, reason)
    for language, expected in (("id", indonesian), ("en", english)):
        it = site(language=language)
        assert explain(it, standing(it, local, closure), local) == expected


# ---- days ------------------------------------------------------------------------------------------------------------------------------


def test_day_close_is_the_last_sessions_end_and_the_grace() -> None:
    it = site("Asia/Jayapura", dates=LEBARAN, grace_min=45)
    assert hours.day_close(it, date(2026, 7, 1)) == at("2026-07-01 17:15", "Asia/Jayapura")
    assert hours.day_close(it, date(2026, 2, 18)) == at("2026-02-18 15:45", "Asia/Jayapura")
    assert hours.day_close(it, date(2026, 3, 20)) is None is hours.day_close(it, date(2026, 7, 4))
    assert hours.day_close(site(wednesday=["20:00-24:00"]), date(2026, 7, 1)) == at("2026-07-02 01:00")


def test_sessions_and_service_days() -> None:
    it = site(dates=LEBARAN)
    assert opening(it, date(2026, 7, 3)) == (
        (at("2026-07-03 07:30"), at("2026-07-03 11:30")),
        (at("2026-07-03 13:00"), at("2026-07-03 16:30")),
    )
    assert opening(it, date(2026, 3, 21)) == ()
    assert [day.day for day in days(it, date(2026, 3, 16), date(2026, 3, 31))] == [16, 17, 18, 19, 25, 26, 27, 30, 31]
    assert list(days(it, date(2026, 3, 2), date(2026, 3, 1))) == []


def test_years_without_a_calendar_are_missed_in_time() -> None:
    assert hours.missing_years(site(), at("2026-11-30 23:59")) == (2026,)
    assert hours.missing_years(site(), at("2026-12-01 00:00")) == (2026, 2027)
    assert hours.missing_years(site(dates=LEBARAN), at("2026-11-30 23:59")) == ()
    assert hours.missing_years(site(dates=LEBARAN), at("2026-12-01 00:00")) == (2027,)
    assert hours.missing_years(site(dates=calendar(year_of(2026), year_of(2027))), at("2026-12-31 10:00")) == ()
    assert hours.missing_years(site(dates=LEBARAN), at("2027-01-01 00:00")) == (2027,)
