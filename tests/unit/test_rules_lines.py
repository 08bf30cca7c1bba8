"""Who is next (domain section 5): worked cases, and random lines in which what is promised must hold."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kiosd.queue import commands as cmd
from kiosd.queue.lines import entered, forecast, head, placed, taken
from kiosd.queue.model import Line, Place, Ticket, TicketState
from support.randomday import Step, steps, walk
from support.samples import sample
from support.site import WEDNESDAY, PureDay, settings

# Worked cases


def test_priority_ratio_two() -> None:
    day = PureDay()
    p = [day.issue(priority=True) for _ in range(4)]
    r = [day.issue() for _ in range(5)]
    assert [day.pass_on() for _ in range(9)] == [p[0], p[1], r[0], p[2], p[3], r[1], r[2], r[3], r[4]]


@pytest.mark.parametrize(("ratio", "order"), [(1, "PRPRPRRR"), (2, "PPRPRRRR"), (3, "PPPRRRRR"), (10, "PPPRRRRR")])
def test_other_ratios(ratio: int, order: str) -> None:
    day = PureDay(settings(priority_ratio=ratio))
    priority = [day.issue(priority=True) for _ in range(3)]
    for _ in range(5):
        day.issue()
    assert "".join("P" if day.pass_on() in priority else "R" for _ in range(8)) == order


def test_priority_that_met_nobody_counts_in_the_run() -> None:
    """Three went by alone; the first regular visitor who comes sees none go by."""
    day = PureDay()
    for _ in range(5):
        day.issue(priority=True)
    for _ in range(3):
        day.pass_on()
    assert day.issue() == "A006"
    assert [day.pass_on() for _ in range(3)] == ["A006", "A004", "A005"]


def test_the_run_is_each_services_own_and_begins_anew_each_day() -> None:
    day = PureDay()
    for service in "AABB":
        day.issue(service, priority=True)
    for _ in range(4):
        day.pass_on()
    assert (day.book.line("A").run, day.book.line("B").run) == (2, 2)
    day.do(cmd.CloseDay())
    day.clock.advance(86_400)
    day.issue(), day.issue(priority=True)
    assert day.call() == "A002"


def test_a_call_out_of_order_counts_in_no_run() -> None:
    day = PureDay()
    for n in range(6):
        day.issue(priority=n < 4)
    assert day.pass_on() == "A001"
    for ticket in ("A003", "A006"):
        day.do(sample("call", ticket=ticket)), day.do(sample("absent"))
    assert day.book.line("A").run == 1
    assert [day.pass_on() for _ in range(3)] == ["A002", "A005", "A004"]


@pytest.mark.parametrize(("order", "expected"), [("oldest", ["C001", "B001", "A001"]), ("strict", ["A001", "B001", "C001"])])
def test_a_counter_takes_the_oldest_head_of_its_services_or_keeps_their_order(order: str, expected: list[str]) -> None:
    day = PureDay(settings(order=order))
    for service in "CBA":
        day.issue(service)
        day.clock.advance(1)
    assert [day.pass_on() for _ in range(3)] == expected


def test_only_heads_are_compared_among_services() -> None:
    """A's priority is A's head, though B's head is older; the oldest ticket of all stands behind it in A."""
    day = PureDay()
    for service, priority in (("A", False), ("B", False), ("A", True)):
        day.issue(service, priority=priority)
        day.clock.advance(1)
    assert [day.pass_on() for _ in range(3)] == ["B001", "A002", "A001"]


def absent_first(waiting: int) -> PureDay:
    day = PureDay()
    for _ in range(waiting + 1):
        day.issue()
    assert day.pass_on() == "A001"
    return day


def test_a_readmitted_ticket_goes_behind_three_further_calls() -> None:
    day = absent_first(5)
    assert day.pass_on() == "A002"
    day.do(sample("readmit"))
    assert [day.pass_on() for _ in range(5)] == ["A003", "A004", "A005", "A001", "A006"]


def test_a_readmitted_ticket_waits_for_nobody_who_is_not_there() -> None:
    day = absent_first(1)
    day.do(sample("readmit"))
    assert [day.pass_on() for _ in range(2)] == ["A002", "A001"]


def test_a_readmission_counts_only_calls_that_stand() -> None:
    day = absent_first(5)
    day.do(sample("readmit"))
    for _ in range(2):
        day.call(), day.do(sample("undo_call"))
    assert [day.pass_on() for _ in range(5)] == ["A002", "A003", "A004", "A001", "A005"]


def test_readmitted_twice_and_no_more() -> None:
    day = absent_first(0)
    for _ in range(2):
        day.do(sample("readmit"))
        assert day.pass_on() == "A001"
    assert day.refused(sample("readmit")) == "readmitted_enough"
    day.do(cmd.CloseDay())
    assert day.refused(sample("readmit")) == day.refused(sample("cancel")) == "day_closed", "absent is final now"
    assert day.state("A001") is TicketState.NO_SHOW


# Random lines

MINUTE = timedelta(minutes=1)
PEOPLE = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 8)), min_size=1, max_size=12)
"""For each who came: minute of arrival (several may share one), priority, calls that must go before."""


def ticket(order: int, minute: int = 0, priority: bool = False, not_before: int = 0) -> Ticket:
    number = f"A{order:03d}"
    return Ticket(number, number, "A", WEDNESDAY + minute * MINUTE, order, priority=priority, not_before=not_before)


def line_of(people: list[Ticket]) -> tuple[Line, dict[str, Ticket]]:
    tickets = {one.uid: one for one in people}
    line = Line()
    for one in people:
        line = entered(line, one, tickets)
    return line, tickets


@examples(max_examples=300, deadline=None)
@given(st.data(), PEOPLE)
def test_a_line_stands_by_time_and_number_in_whatever_order_it_was_entered(
    data: st.DataObject, people: list[tuple[int, bool, int]]
) -> None:
    them = [ticket(order, minute, priority) for order, (minute, priority, _) in enumerate(people, start=1)]
    line, _ = line_of(data.draw(st.permutations(them)))
    for side, priority in ((line.priority, True), (line.regular, False)):
        assert list(side) == [one.uid for one in sorted(them, key=lambda one: (one.issued_at, one.order)) if one.priority is priority]


def called(line: Line, tickets: dict[str, Ticket], ratio: int) -> list[Ticket]:
    """Everybody in the order of calls, the line asked anew before each."""
    order = []
    while (choice := head(line, tickets, ratio)) is not None:
        order.append(choice.ticket)
        line = taken(line, choice.ticket)
    return order


@examples(max_examples=300, deadline=None)
@given(PEOPLE, st.integers(1, 4))
def test_everybody_is_called_once_and_a_regular_head_sees_at_most_k_go_by(people: list[tuple[int, bool, int]], ratio: int) -> None:
    them = [ticket(order, minute, priority) for order, (minute, priority, _) in enumerate(people, start=1)]
    order = called(*line_of(them), ratio)
    assert sorted(one.uid for one in order) == sorted(one.uid for one in them)
    run = longest = 0
    regulars = sum(not one.priority for one in order)
    for one in order:
        run, regulars = (run + 1, regulars) if one.priority else (0, regulars - 1)
        longest = max(longest, run if regulars else 0)
    assert longest <= ratio
    for kind in (True, False):
        side = [(one.issued_at, one.order) for one in order if one.priority is kind]
        assert side == sorted(side), "nobody overtakes among equals"


@examples(max_examples=300, deadline=None)
@given(PEOPLE, st.integers(1, 4))
def test_a_readmitted_ticket_overtakes_nobody_before_its_calls_are_made(people: list[tuple[int, bool, int]], ratio: int) -> None:
    """It is called early only when all who are left wait for further calls too; then the one that misses fewest goes first."""
    them = [ticket(order, minute, priority, behind) for order, (minute, priority, behind) in enumerate(people, start=1)]
    order = called(*line_of(them), ratio)
    for calls, one in enumerate(order):
        if one.not_before > calls:
            assert one.not_before == min(other.not_before for other in order[calls:])


@examples(max_examples=300, deadline=None)
@given(
    steps=steps,
    order=st.sampled_from(["oldest", "strict"]),
    ratio=st.integers(1, 3),
)
def test_what_is_forecast_is_what_the_rules_then_do(steps: list[tuple[Step, int]], order: str, ratio: int) -> None:
    day = PureDay(settings(services="ABC", order=order, priority_ratio=ratio))
    day.do(sample("open", counter=2))
    walk(day, steps)
    for choice in forecast(day.book.lines, day.book.tickets, ("A", "B", "C"), order, ratio):
        assert day.pass_on(2) == choice.ticket.number
    assert day.refused(cmd.CallNext(counter=2)) == "empty"


@examples(max_examples=300, deadline=None)
@given(PEOPLE, st.integers(0, 9), st.sampled_from(get_args(Place)))
def test_who_is_placed_first_or_last_stands_there(people: list[tuple[int, bool, int]], minute: int, position: Place) -> None:
    them = [ticket(order, minute, False) for order, (minute, _, _) in enumerate(people, start=1)]
    line, tickets = line_of(them)
    now = max(one.issued_at for one in them)
    for order in (0, 50):
        come = ticket(order, min(minute, (now - WEDNESDAY) // MINUTE))
        come = replace(come, placed_at=placed(line, come, tickets, position, now))
        side = entered(line, come, {**tickets, come.uid: come}).regular
        if position == "time":
            assert sorted(side, key=lambda uid: (tickets | {come.uid: come})[uid].turn) == list(side)
        else:
            assert side[0 if position == "head" else -1] == come.uid
