"""Ratings and surveys at the edges of a visit (domain section 8): invited during service, transferred, undone, trained, restarted."""

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.book import Book
from kiosd.queue.fold import fold
from kiosd.queue.survey import ELEMENTS
from kiosd.queue.views import snapshot
from support.samples import sample
from support.site import PureDay, wib


@pytest.fixture
def day() -> PureDay:
    """A001 is being served at counter 1, A002 waits."""
    day = PureDay()
    day.issue(), day.issue(), day.serve()
    day.clock.advance(1)
    return day


def press(day: PureDay, score: int = 4, counter: int = 1, age_s: float = 0.0) -> str:
    return str(day.do(cmd.Rate(counter=counter, score=score, age_s=age_s)).result["outcome"])


def score(day: PureDay, number: str) -> int | None:
    rating = day.ticket(number).rating
    return rating.score if rating else None


def rateable(day: PureDay, counter: int = 1) -> str:
    return snapshot(day.book, day.clock.now(), day.settings, "x").counters[counter - 1].rateable


# Invited while being served


def test_a_press_during_service_counts_only_after_the_invitation(day: PureDay) -> None:
    assert press(day) == "unattributed"
    day.clock.advance(3)
    day.do(sample("invite"))
    assert press(day) == "unattributed", "the invitation itself takes a moment: (invited, ...]"
    day.clock.advance(3)
    assert rateable(day) == "A001"
    assert press(day, 3) == "given" and score(day, "A001") == 3
    assert rateable(day) == ""
    day.do(sample("finish"))
    day.clock.advance(4)
    assert press(day, 4) == "ignored", "one rating per visit"


def test_an_invitation_is_for_who_is_served_and_once(day: PureDay) -> None:
    day.do(sample("invite"))
    assert day.refused(sample("invite")) == "invited_already"
    assert day.refused(sample("invite", counter=2)) == "nobody_served"
    day.do(sample("finish")), day.call()
    assert day.refused(sample("invite")) == "nobody_served"


def test_an_invited_visitor_has_the_window_after_the_end_too(day: PureDay) -> None:
    day.do(sample("invite"))
    day.clock.advance(600)
    day.do(sample("finish"))
    assert press(day) == "given", "invited before, so the very moment of the end counts"
    day.do(sample("next")), day.do(sample("start"))
    day.clock.advance(3)
    assert press(day) == "unattributed"


def test_an_invitation_ends_with_the_visit_at_this_counter(day: PureDay) -> None:
    for taken_back in ("undo_start", "transfer"):
        day.do(sample("invite")), day.do(sample(taken_back))
        day.clock.advance(3)
        assert press(day) == "unattributed"
        day.do(sample("start")) if taken_back == "undo_start" else None
    assert score(day, "A001") is None


# Whose press it is


def test_a_transferred_visit_is_rated_once_at_its_last_counter(day: PureDay) -> None:
    day.do(sample("transfer"))
    day.clock.advance(1)
    assert press(day) == "unattributed"
    day.do(sample("call", counter=2, ticket="A001")), day.do(sample("start", counter=2)), day.do(sample("finish", counter=2))
    day.clock.advance(3)
    assert press(day) == "unattributed"
    assert press(day, counter=2) == "given" and score(day, "A001") == 4


def test_a_finish_taken_back_closes_the_window_and_the_rating_stays_the_only_one(day: PureDay) -> None:
    day.do(sample("finish"))
    day.clock.advance(1)
    assert press(day, 2) == "given"
    day.do(sample("undo_finish"))
    day.clock.advance(3)
    assert press(day, 4) == "unattributed"
    day.do(sample("finish"))
    day.clock.advance(3)
    assert press(day, 4) == "ignored" and score(day, "A001") == 2


def test_an_undone_call_and_an_undone_start_leave_the_window_open(day: PureDay) -> None:
    day.do(sample("finish"))
    day.do(sample("next")), day.do(sample("undo_call"))
    day.clock.advance(1)
    assert rateable(day) == "A001"
    day.do(sample("next")), day.do(sample("start"))
    assert rateable(day) == ""
    day.do(sample("undo_start"))
    assert rateable(day) == "A001" and press(day) == "given"


@pytest.mark.parametrize(("after", "outcome"), [(120.0, "given"), (120.001, "unattributed")])
def test_the_window_is_the_same_after_a_restart(day: PureDay, after: float, outcome: str) -> None:
    day.do(sample("finish"))
    day.book = fold(Book(), day.log)
    day.clock.advance(after)
    assert press(day) == outcome


def test_ratings_of_a_training_are_flagged_and_touch_no_visitor() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 07:30")))
    day.do(sample("training")), day.issue(), day.serve(), day.do(sample("finish"))
    day.clock.advance(1)
    assert press(day) == "given"
    given = day.log[-1].event
    assert isinstance(given, ev.RatingGiven) and given.training
    day.do(sample("training", on=False))
    assert day.do(sample("survey")).result["ticket"] == "CTH01-20260701-T-A001"
    answered = day.log[-1].event
    assert isinstance(answered, ev.SurveyAnswered) and answered.training


def test_a_press_that_counts_for_nothing_is_still_an_event(day: PureDay) -> None:
    for counter in (1, 2):
        before = len(day.log)
        press(day, counter=counter)
        day.clock.advance(0.5)
        press(day, counter=counter)
        kinds = [record.event.type for record in day.log[before:]]
        assert kinds == ["rating.unattributed", "rating.ignored"]


# The survey


def test_a_survey_belongs_to_a_visit_as_a_press_does_and_is_answered_once(day: PureDay) -> None:
    assert day.do(sample("survey")).result["ticket"] is None, "nobody has been invited"
    day.do(sample("finish"))
    day.clock.advance(1)
    assert day.do(sample("survey", answers=dict.fromkeys(ELEMENTS, 4))).result == {
        "counter": 1, "ticket": "CTH01-20260701-A001", "answers": 9,
    }  # fmt: skip
    assert day.refused(sample("survey")) == "surveyed_already"
    assert press(day) == "given", "a survey is no rating"
    day.clock.advance(120)
    assert day.do(sample("survey")).result["ticket"] is None
    assert day.do(sample("survey", age_s=30.0, counter=2)).result["ticket"] is None


def test_a_survey_that_comes_late_counts_by_the_time_it_was_answered(day: PureDay) -> None:
    day.do(sample("finish"))
    day.clock.advance(500)
    assert day.do(sample("survey", age_s=400.0)).result["ticket"] == "CTH01-20260701-A001"


@pytest.mark.parametrize("answers", [{}, {"waktu": 5}, {"waktu": 0}, {"harga": 3}, {"waktu": True}, {"waktu": "3"}])
def test_a_survey_has_known_elements_and_grades_from_one_to_four(answers: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="answers"):
        sample("survey", answers=answers)
