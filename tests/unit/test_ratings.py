"""Rating attribution: every case a panel can meet (domain section 8)."""

import pytest

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from support.site import PureDay


@pytest.fixture
def day() -> PureDay:
    """A day on which A001 has just been finished at counter 1 and A002 waits."""
    day = PureDay()
    day.do(cmd.IssueTicket(service="A"))
    day.do(cmd.IssueTicket(service="A"))
    day.do(cmd.CallNext(counter=1))
    day.do(cmd.Start(counter=1))
    day.do(cmd.Finish(counter=1))
    return day


def press(day: PureDay, score: int, counter: int = 1, age_s: float = 0.0) -> str:
    day.do(cmd.Rate(counter=counter, score=score, age_s=age_s))
    return day.log[-1].event.type.removeprefix("rating.")


def rated(day: PureDay) -> int | None:
    ticket = day.book.by_number("A001")
    assert ticket is not None
    return ticket.rating.score if ticket.rating else None


@pytest.mark.parametrize(("after", "outcome"), [(0.0, "unattributed"), (0.001, "given"), (120.0, "given"), (120.001, "unattributed")])
def test_the_window_is_open_after_the_end_and_closes_at_120_s(day: PureDay, after: float, outcome: str) -> None:
    day.clock.advance(after)
    assert press(day, 4) == outcome


def test_another_button_within_three_seconds_corrects_once(day: PureDay) -> None:
    day.clock.advance(5)
    assert press(day, 1) == "given"
    day.clock.advance(2)
    assert press(day, 4) == "corrected"
    assert rated(day) == 4
    day.clock.advance(0.5)
    assert press(day, 2) == "ignored"
    assert rated(day) == 4


def test_another_button_after_three_seconds_is_ignored(day: PureDay) -> None:
    day.clock.advance(5)
    press(day, 3)
    day.clock.advance(3.001)
    assert press(day, 4) == "ignored"
    assert rated(day) == 3


def test_two_buttons_within_150_ms_count_for_nothing_and_a_clear_press_later_counts(day: PureDay) -> None:
    day.clock.advance(5)
    press(day, 4)
    day.clock.advance(0.15)
    assert press(day, 1) == "ambiguous"
    assert rated(day) is None
    day.clock.advance(1)
    assert press(day, 3) == "ignored"
    day.clock.advance(1)
    assert press(day, 3) == "given"
    assert rated(day) == 3


def test_the_same_button_again_is_a_trembling_hand(day: PureDay) -> None:
    day.clock.advance(5)
    press(day, 4)
    day.clock.advance(1.9)
    assert press(day, 4) == "ignored"
    last = day.log[-1].event
    assert isinstance(last, ev.RatingIgnored) and last.reason == "lock_out"
    day.clock.advance(2)
    assert press(day, 4) == "ignored"
    last = day.log[-1].event
    assert isinstance(last, ev.RatingIgnored) and last.reason == "already_rated"


def test_the_next_call_keeps_the_window_and_the_next_start_closes_it(day: PureDay) -> None:
    day.do(cmd.CallNext(counter=1))
    day.clock.advance(1)
    assert press(day, 4) == "given"
    assert rated(day) == 4
    day.do(cmd.Start(counter=1))
    day.clock.advance(3)
    assert press(day, 2) == "unattributed"


def test_a_press_at_a_counter_that_served_nobody_is_unattributed(day: PureDay) -> None:
    day.clock.advance(1)
    assert press(day, 4, counter=2) == "unattributed"


def test_a_late_report_counts_by_the_time_of_the_press(day: PureDay) -> None:
    day.clock.advance(300)
    assert press(day, 4, age_s=200) == "given"


def test_a_visit_ended_by_day_close_is_not_rateable() -> None:
    day = PureDay()
    day.do(cmd.IssueTicket(service="A"))
    day.do(cmd.CallNext(counter=1))
    day.do(cmd.Start(counter=1))
    day.do(cmd.CloseDay())
    day.clock.advance(1)
    assert press(day, 4) == "unattributed"
