"""What is undone never happened (domain section 3): calls, starts and finishes taken back."""

from dataclasses import replace

import pytest

from kiosd.queue import commands as cmd
from kiosd.queue.book import Book
from kiosd.queue.fold import fold
from kiosd.queue.model import TicketState
from kiosd.queue.views import snapshot
from support.samples import sample
from support.site import PureDay, settings

CALL = frozenset({"ticket.called", "ticket.call_undone"})
START = frozenset({"ticket.started", "rating.invited", "ticket.start_undone"})
FINISH = frozenset({"ticket.finished", "ticket.finish_undone"})


def never(day: PureDay, kinds: frozenset[str], *numbers: str) -> Book:
    """The book if what was done and undone with these tickets had never been: its events are left out."""
    return bare(fold(Book(), [r for r in day.log if r.event.type not in kinds or getattr(r.event, "number", "") not in numbers]))


def bare(book: Book) -> Book:
    """``book`` without what counters keep in case somebody undoes something, and without how many events there were."""
    counters = {n: replace(one, ended_before_call=None, rateable_before_start=None, changed=0) for n, one in book.counters.items()}
    return replace(book, counters=counters, seq=0, last=None, believed=None)


def crowd(ratio: int = 2) -> PureDay:
    """Two open counters; A001 was served, then A002 with priority; A003 to A005 wait with priority, A006 to A008 without."""
    day = PureDay(settings(priority_ratio=ratio))
    day.do(sample("open")), day.do(sample("open", counter=2))
    for priority in (False, True):
        day.issue(priority=priority)
        day.serve()
    day.clock.advance(20)
    day.do(sample("finish"))
    for n in range(6):
        day.clock.advance(1)
        day.issue(priority=n < 3)
    return day


CALLS = [sample("next"), sample("call", ticket="A007"), sample("call", ticket="A004"), sample("call", ticket="A005")]


@pytest.mark.parametrize("call", CALLS, ids=["in order", "regular", "priority", "last priority"])
@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("between", ["", "n", "nn", "x", "nxn"])
def test_an_undone_call_never_happened_whatever_was_called_in_between(call: cmd.Command, gone: int, between: str) -> None:
    """``n`` is the next ticket called at the other counter, ``x`` one called out of order. After one that is ``gone`` a regular is next."""
    day = crowd()
    for _ in range(gone):
        day.pass_on()
    if isinstance(call, cmd.CallTicket) and day.state(call.ticket) is not TicketState.WAITING:
        call = call.model_copy(update={"ticket": "A005"})
    number = str(day.do(call).result["number"])
    for kind in between:
        day.do(sample("next", counter=2) if kind == "n" else sample("call", counter=2, ticket="A008"))
        day.do(sample("absent", counter=2))
    day.do(sample("undo_call"))
    assert bare(day.book) == never(day, CALL, number)


def test_two_undone_calls_never_happened_in_either_order() -> None:
    for order in ((1, 2), (2, 1)):
        day = crowd(ratio=1)
        numbers = [str(day.call(1)), str(day.call(2))]
        day.do(sample("call", counter=3, ticket="A008"))
        for counter in order:
            day.do(sample("undo_call", counter=counter))
        assert bare(day.book) == never(day, CALL, *numbers)


def test_an_undone_regular_call_gives_priority_no_second_round() -> None:
    """P P R called, P called elsewhere, R undone: R has seen its two go by, so it is next."""
    day = PureDay()
    for n in range(6):
        day.issue(priority=n != 2)
    assert [day.pass_on(), day.pass_on()] == ["A001", "A002"]
    assert (day.call(1), day.call(2)) == ("A003", "A004")
    day.do(sample("undo_call"))
    assert day.call(1) == "A003"


def test_an_undone_call_keeps_the_wait_of_who_was_called_before() -> None:
    day = PureDay()
    day.issue(), day.serve()
    first = day.ticket("A001").waited_until
    day.do(sample("transfer"))
    day.call(), day.do(sample("undo_call"))
    assert day.ticket("A001").waited_until == first
    day.issue("C")
    day.call(2), day.call(3)
    day.do(sample("undo_call", counter=3))
    assert day.ticket("C001").waited_until is None, "nobody has called it"


def test_an_undone_call_of_a_recalled_ticket_starts_its_calls_again() -> None:
    day = PureDay(settings(recall_gap_s=1.0))
    day.issue(), day.call()
    day.clock.advance(1)
    day.do(sample("recall")), day.do(sample("undo_call"))
    assert day.ticket("A001").calls == 0
    assert day.call() == "A001" and day.ticket("A001").calls == 1


def test_an_undone_start_never_happened_and_the_panel_is_the_last_visitors_again() -> None:
    day = crowd()
    day.call(), day.do(sample("start"))
    day.do(sample("invite")), day.do(sample("undo_start"))
    number = day.ticket("A003").number
    assert bare(day.book) == never(day, START, number)
    day.clock.advance(1)
    assert day.do(sample("rate")).result["outcome"] == "given" and day.ticket("A002").rating is not None


@pytest.mark.parametrize("invited", [False, True])
def test_an_undone_finish_never_happened(invited: bool) -> None:
    day = crowd()
    day.serve()
    if invited:
        day.do(sample("invite"))
    day.clock.advance(30)
    day.do(sample("finish")), day.do(sample("undo_finish"))
    assert bare(day.book) == never(day, FINISH, "A003")
    day.clock.advance(1)
    assert day.do(sample("rate")).result["outcome"] == ("given" if invited else "unattributed")


def test_finish_by_the_next_call_is_undone_once_that_call_was() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.serve()
    assert day.call() == "A002"
    assert day.refused(sample("undo_finish")) == "still_called"
    day.do(sample("undo_call")), day.do(sample("undo_finish"))
    assert (day.state("A001"), day.state("A002")) == (TicketState.SERVING, TicketState.WAITING)
    day.do(sample("finish"))
    assert day.call() == "A002"


def test_a_finish_is_not_undone_where_nobody_sits() -> None:
    day = PureDay()
    day.issue(), day.serve()
    day.do(sample("finish")), day.do(sample("pause"))
    assert day.refused(sample("undo_finish")) == "nothing_finished"
    assert snapshot(day.book, day.clock.now(), day.settings, "x").counters[0].undo == ""
    day.do(sample("open"))
    assert snapshot(day.book, day.clock.now(), day.settings, "x").counters[0].undo == "undo_finish"
    day.do(sample("undo_finish"))


def test_a_finish_is_not_undone_after_another_call_that_stood() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.serve()
    day.do(sample("finish")), day.pass_on()
    assert day.refused(sample("undo_finish")) == "nothing_finished"


def test_a_referral_and_a_finish_by_day_close_are_not_undone() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.serve(1), day.serve(2)
    day.do(sample("refer"))
    assert day.refused(sample("undo_finish")) == "nothing_finished"
    day.do(cmd.CloseDay())
    assert day.refused(sample("undo_finish", counter=2)) == "nothing_finished"
