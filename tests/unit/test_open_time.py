"""Open time: how much of a span is inside sessions, and when so much of it will have passed (domain sections 6 and 7)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosd.queue.hours import after_open, explain, open_seconds, standing
from kiosd.queue.model import Closure
from support.openinghours import LEBARAN, ZONES, at, site


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [
        ("2026-07-01 08:00", "2026-07-01 08:10", 600),
        ("2026-07-01 11:50", "2026-07-01 13:10", 1200),  # domain section 7
        ("2026-07-01 07:00", "2026-07-01 08:00:01.5", 1.5),
        ("2026-07-01 12:00", "2026-07-01 13:00", 0),
        ("2026-07-01 00:00", "2026-07-02 00:00", 27_000),
        ("2026-07-01 16:00", "2026-07-02 08:30", 3600),
        ("2026-07-03 16:00", "2026-07-06 08:30", 3600),
        ("2026-06-29 00:00", "2026-07-06 00:00", 5 * 27_000),
        ("2026-03-19 16:00", "2026-03-25 08:30", 3600),
        ("2026-02-18 11:45", "2026-02-18 12:45", 1800),
        ("2026-07-01 10:00", "2026-07-01 10:00", 0),
        ("2026-07-02 10:00", "2026-07-01 10:00", 0),
    ],
)
def test_open_seconds(begin: str, end: str, seconds: float) -> None:
    it = site(dates=LEBARAN)
    assert open_seconds(it, at(begin), at(end)) == seconds
    assert open_seconds(it, at(begin).astimezone(UTC), at(end).astimezone(UTC)) == seconds


def test_closures_are_taken_off_once() -> None:
    span = at("2026-07-01 09:00"), at("2026-07-01 14:00")
    shut = [("10:00", "11:00"), ("10:30", "11:30"), ("10:40", "10:50"), ("11:45", "13:15"), ("13:50", "20:00"), ("06:00", "09:10")]
    closures = [(at(f"2026-07-01 {a}").astimezone(UTC), at(f"2026-07-01 {b}").astimezone(UTC)) for a, b in shut]
    assert open_seconds(site(), *span, closures) == 4 * 3600 - (90 + 15 + 15 + 10 + 10) * 60
    assert open_seconds(site(), *span, [(at("2026-06-01 00:00"), at("2026-08-01 00:00"))]) == 0


@pytest.mark.parametrize(
    ("local", "seconds", "expected"),
    [
        ("11:50", 1200, "13:10"),  # domain section 7
        ("11:50", 599.5, "11:59:59.5"),
        ("11:50", 600, "13:00"),
        ("07:00", 0, "08:00"),
        ("12:30", 0, "13:00"),
        ("16:29", 59, "16:29:59"),
        ("16:29", 60, None),
        ("16:30", 0, None),
        ("08:00", 26_999, "16:29:59"),
        ("08:00", 27_000, None),
        ("20:00", 1, None),
    ],
)
def test_after_open(local: str, seconds: float, expected: str | None) -> None:
    found = after_open(site(), at(f"2026-07-01 {local}"), seconds)
    assert found == (at(f"2026-07-01 {expected}") if expected else None)
    assert after_open(site(), at(f"2026-07-04 {local}"), seconds) is None


def test_after_open_leaves_out_a_closure() -> None:
    local = at("2026-07-01 09:00")

    def found(since: str, until: str | None, minutes: int) -> str:
        closure = Closure(at(f"2026-07-01 {since}").astimezone(UTC), at(f"2026-07-01 {until}").astimezone(UTC) if until else None, "x")
        moment = after_open(site(), local, minutes * 60, closure)
        return f"{moment:%H:%M}" if moment else ""

    assert found("09:00", "10:00", 5) == "10:05" == found("08:00", "10:00", 5)
    assert found("09:00", "12:30", 5) == "13:05" and found("09:30", "10:00", 35) == "10:05"
    assert found("09:30", "10:00", 30) == "10:00" and found("07:00", "08:00", 5) == "09:05" and found("17:00", "18:00", 5) == "09:05"
    assert found("09:30", None, 29) == "09:29" and found("09:30", None, 30) == "" == found("09:00", "18:00", 1)


# ---- properties ------------------------------------------------------------------------------------------------------------------------

DAY_S = 86_400
BEGIN = at("2026-02-10 00:00")
MOMENTS = st.integers(0, 50 * DAY_S * 1000).map(lambda ms: BEGIN + timedelta(milliseconds=ms))  # Ramadan and Lebaran are in it
SITES = st.builds(
    lambda zone, early, last, wednesday: site(
        zone, dates=LEBARAN, early_issue_min=early, last_ticket_min=last, wednesday=wednesday, sunday=["22:00-24:00"]
    ),
    st.sampled_from(ZONES),
    st.sampled_from([0, 15, 240]),
    st.sampled_from([0, 30, 110]),
    st.sampled_from([["00:00-24:00"], [], ["08:00-10:00", "10:00-12:00", "23:00-24:00"]]),
)
CLOSURES = st.builds(
    lambda since, hours_: Closure(since, None if hours_ is None else since + timedelta(hours=hours_), "x"),
    MOMENTS,
    st.none() | st.floats(0.1, 100),
)


@given(SITES, st.lists(MOMENTS, min_size=3, max_size=3), st.lists(st.tuples(MOMENTS, MOMENTS), max_size=3))
def test_open_time_adds_up_and_never_shrinks(it: Any, moments: list[datetime], closures: list[tuple[datetime, datetime]]) -> None:
    a, b, c = sorted(moments)
    one, two, whole = (open_seconds(it, *span, closures) for span in ((a, b), (b, c), (a, c)))
    assert one + two == pytest.approx(whole, abs=1e-6)
    assert 0 <= one <= whole <= open_seconds(it, a, c) <= (c - a).total_seconds()


@given(SITES, MOMENTS, st.floats(0, 30_000), st.none() | CLOSURES)
def test_after_open_is_the_inverse_of_open_seconds(it: Any, moment: datetime, seconds: float, closure: Closure | None) -> None:
    local = moment.astimezone(it.site.zone)
    end = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    shut = [] if closure is None else [(closure.since, closure.until or max(end, closure.since))]
    found = after_open(it, local, seconds, closure)
    if found is None:
        assert open_seconds(it, local, end, shut) <= seconds + 1e-6
        return
    assert local <= found < end and found.tzinfo is it.site.zone
    assert open_seconds(it, local, found, shut) == pytest.approx(seconds, abs=1e-6)
    assert open_seconds(it, found, found + timedelta(microseconds=1), shut) > 0, "it is an open moment"


@settings(max_examples=200)
@given(SITES, MOMENTS, st.none() | CLOSURES, st.floats(0, 1))
def test_it_opens_at_the_first_moment_at_which_tickets_are_given(it: Any, moment: datetime, closure: Closure | None, part: float) -> None:
    local = moment.astimezone(it.site.zone)
    if closure is not None and closure.since > local:
        closure = None  # one that has not begun is nobody's news yet
    now = standing(it, local, closure)
    assert (explain(it, now, local) == "") == now.open
    if now.open:
        assert now.opens_at is None
    elif now.opens_at is None:
        assert closure is not None and closure.until is None and now.code == "suspended"
    else:
        assert now.opens_at > local and standing(it, now.opens_at, closure).open
        before = now.opens_at - timedelta(microseconds=1)
        between = local + (before - local) * part
        assert not standing(it, before, closure).open and not standing(it, between, closure).open
