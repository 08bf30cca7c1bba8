"""The wait that is printed on a ticket (domain section 7), on Wednesday 1 July 2026: 08.00-12.00 and 13.00-16.30 WIB."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.queue.estimate import PRIOR_S, RECENT, Estimate, estimate, sentence, service_seconds
from kiosd.queue.model import Closure
from support.site import JAKARTA, settings, wib

SITE = settings()


def at(clock: str) -> datetime:
    """``clock`` in Jakarta on the Wednesday."""
    return wib(f"2026-07-01 {clock}").astimezone(JAKARTA)


def test_the_service_time_mixes_the_prior_with_what_was_seen() -> None:
    assert service_seconds([725, 220, 510]) == 556.875
    assert service_seconds([]) == PRIOR_S


def test_only_the_last_twenty_services_count() -> None:
    seen = [60.0] * RECENT
    assert service_seconds([9999.0, *seen]) == service_seconds(seen) == (5 * 600 + 20 * 60) / 25


@given(st.lists(st.floats(10, 7200), max_size=40))
def test_the_service_time_lies_between_the_prior_and_the_extremes(recent: list[float]) -> None:
    assert min([PRIOR_S, *recent]) - 1e-6 <= service_seconds(recent) <= max([PRIOR_S, *recent]) + 1e-6


def test_the_noon_break_is_stepped_over() -> None:
    assert estimate(SITE, at("11:50"), 4, 2, []) == Estimate(80, 85, at("13:10"))


@pytest.mark.parametrize(
    ("clock", "ahead", "counters", "low", "called"),
    [
        ("08:05", 0, 1, 0, "08:05"),
        ("08:05", 3, 1, 30, "08:35"),
        ("08:05", 3, 2, 15, "08:20"),
        ("08:05", 1, 3, 5, "08:08:20"),
        ("08:05", 1, 2, 5, "08:10"),
        ("08:05", 4, 3, 15, "08:18:20"),
        ("07:30", 0, 1, 30, "08:00"),
        ("07:30", 3, 1, 60, "08:30"),
        ("12:30", 1, 1, 40, "13:10"),
    ],
)
def test_the_range_begins_at_the_wait_rounded_up_to_five_minutes(clock: str, ahead: int, counters: int, low: int, called: str) -> None:
    assert estimate(SITE, at(clock), ahead, counters, []) == Estimate(low, low + 5, at(called))


def test_a_microsecond_more_than_a_step_is_the_next_step() -> None:
    found = estimate(SITE, at("08:05"), 1, 2, [600.0, 600.00002])
    assert found is not None and found.low_min == 10


def test_what_was_seen_today_moves_the_estimate() -> None:
    assert estimate(SITE, at("09:00"), 4, 1, [725, 220, 510]) == Estimate(40, 45, at("09:00") + timedelta(seconds=2227.5))


def test_nobody_at_a_counter_gives_no_estimate() -> None:
    assert estimate(SITE, at("08:05"), 3, 0, [300.0]) is None
    assert sentence(None, "id") == sentence(None, "en") == ""


def test_past_the_last_session_it_is_unlikely() -> None:
    assert estimate(SITE, at("16:20"), 2, 1, []) == Estimate(unlikely=True)
    within = estimate(SITE, at("16:10"), 1, 1, [])
    assert within == Estimate(10, 15, at("16:20"))


def test_a_closure_is_not_waiting_room_time() -> None:
    closed = Closure(since=wib("2026-07-01 09:00"), until=wib("2026-07-01 10:00"), reason="listrik padam")
    assert estimate(SITE, at("08:50"), 2, 1, [], closed) == Estimate(80, 85, at("10:10"))
    for_good = Closure(since=wib("2026-07-01 09:00"), until=None, reason="listrik padam")
    assert estimate(SITE, at("08:50"), 2, 1, [], for_good) == Estimate(unlikely=True)


@given(minute=st.integers(0, 8 * 60), ahead=st.integers(0, 60), counters=st.integers(1, 9))
def test_the_range_holds_the_moment_and_more_people_never_shorten_it(minute: int, ahead: int, counters: int) -> None:
    local = at("08:00") + timedelta(minutes=minute)
    here, behind = (estimate(SITE, local, people, counters, []) for people in (ahead, ahead + 1))
    assert here is not None and behind is not None
    if here.unlikely:
        assert here == behind == Estimate(unlikely=True)
        return
    assert here.low_min is not None and here.high_min is not None and here.at is not None
    assert here.low_min % 5 == 0 and here.high_min == here.low_min + 5
    assert timedelta(minutes=here.low_min - 5) < here.at - local <= timedelta(minutes=here.low_min)
    assert behind.unlikely or (behind.at is not None and behind.at >= here.at)


def test_it_is_said_as_a_guess() -> None:
    assert sentence(Estimate(25, 30), "id") == "Perkiraan tunggu: 25-30 menit"
    assert sentence(Estimate(25, 30), "en") == "Estimated wait: 25-30 minutes"
    assert sentence(Estimate(unlikely=True), "id") == "Kemungkinan tidak terlayani hari ini"
    assert sentence(Estimate(unlikely=True), "en") == "You may not be served today"


def test_a_three_figure_wait_fits_a_narrow_ticket() -> None:
    for language in ("id", "en"):
        assert len(sentence(Estimate(145, 150), language)) <= 32
