"""What officers do at a counter (domain section 3): calls, windows, undo, transfer, referral."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.model import CounterState, TicketState
from support.samples import sample
from support.site import PureDay, settings


def test_a_visit_from_issue_to_finish() -> None:
    day = PureDay()
    assert (day.issue("D"), day.state("D001")) == ("D001", TicketState.WAITING)
    assert day.call() == "D001"
    assert (day.state("D001"), day.book.counter(1).state) == (TicketState.CALLED, CounterState.CALLING)
    day.do(cmd.Start(counter=1))
    assert (day.state("D001"), day.book.counter(1).state) == (TicketState.SERVING, CounterState.SERVING)
    day.do(cmd.Finish(counter=1))
    assert (day.state("D001"), day.book.counter(1).state) == (TicketState.FINISHED, CounterState.READY)
    assert day.events() == [
        "system.day_opened", "ticket.issued", "counter.opened", "ticket.called", "ticket.started", "ticket.finished",
    ]  # fmt: skip


def test_next_while_serving_is_finish_and_next() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.serve()
    assert day.call() == "A002"
    assert day.state("A001") is TicketState.FINISHED
    assert [event.implicit for record in day.log if isinstance(event := record.event, ev.TicketFinished)] == [True]


def test_next_while_serving_with_an_empty_line_finishes_and_says_so() -> None:
    day = PureDay()
    day.issue(), day.serve()
    decision = day.do(cmd.CallNext(counter=1))
    assert decision.code == "empty" and decision.result == {"ticket": None, "finished": "A001"}
    assert day.state("A001") is TicketState.FINISHED


def test_next_without_implicit_finish_is_refused_while_serving() -> None:
    day = PureDay(settings(next_implies_finish=False))
    day.issue(), day.serve()
    assert day.refused(cmd.CallNext(counter=1)) == "still_serving"


def test_next_while_a_ticket_is_called_is_refused() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.call()
    assert day.refused(cmd.CallNext(counter=1)) == "still_called"
    assert day.refused(sample("call", ticket="A002")) == "still_called"


@pytest.mark.parametrize("name", ["next", "call"])
def test_a_call_at_a_closed_counter_opens_it_or_is_refused_by_rule(name: str) -> None:
    day = PureDay(settings(next_implies_open=False))
    day.issue()
    assert day.refused(sample(name)) == "counter_closed"
    day.do(sample("open")), day.do(sample("pause"))
    assert day.refused(sample(name)) == "counter_paused"
    day.do(sample("open")), day.do(sample(name))
    assert day.state("A001") is TicketState.CALLED


def test_two_counters_pressing_next_get_different_tickets_or_nobody() -> None:
    day = PureDay()
    day.issue()
    day.do(cmd.OpenCounter(counter=2))
    assert day.call(1) == "A001"
    assert day.refused(cmd.CallNext(counter=2)) == "empty"


def test_a_call_out_of_order_needs_a_service_of_the_counter_and_is_marked_with_its_reason() -> None:
    site = settings()
    day = PureDay(replace(site, counters={**site.counters, 1: site.counters[1].model_copy(update={"services": ("B",)})}))
    day.issue(), day.issue()
    assert day.refused(sample("call", ticket="A002")) == "not_served_here"
    day.do(sample("call", counter=2, ticket="A002", reason="salah_panggil"))
    called = day.log[-1].event
    assert isinstance(called, ev.TicketCalled) and (called.number, called.out_of_order) == ("A002", "salah_panggil")
    with pytest.raises(ValueError, match="reason"):
        sample("call", reason="entah")


def test_absent_is_forced_with_a_reason_or_after_three_calls_and_never_by_time() -> None:
    day = PureDay()
    day.issue(), day.issue(), day.call()
    day.clock.advance(600)
    day.do(cmd.Tick())
    assert day.state("A001") is TicketState.CALLED
    assert day.refused(cmd.MarkAbsent(counter=1)) == day.refused(cmd.MarkAbsent(counter=1, force="  ")) == "not_called_enough"
    day.do(cmd.MarkAbsent(counter=1, force="pulang"))
    assert day.state("A001") is TicketState.NO_SHOW
    day.call()
    for calls in (2, 3):
        day.clock.advance(10)
        assert day.do(cmd.Recall(counter=1)).result["calls"] == calls
    day.clock.advance(10)
    assert day.refused(cmd.Recall(counter=1)) == "max_calls"
    day.do(cmd.MarkAbsent(counter=1))
    assert (day.state("A002"), day.book.counter(1).state) == (TicketState.NO_SHOW, CounterState.READY)


@pytest.mark.parametrize("before", ["waiting", "called", "no_show"])
def test_cancel_leaves_line_and_counter(before: str) -> None:
    day = PureDay()
    day.issue()
    if before != "waiting":
        day.call()
    if before == "no_show":
        day.do(sample("absent"))
    day.do(sample("cancel", reason="salah tekan"))
    assert day.state("A001") is TicketState.CANCELLED
    assert day.book.line("A").waiting == 0
    assert day.book.at(1) is None


# Windows


def test_recall_waits_ten_seconds() -> None:
    day = PureDay()
    day.issue(), day.call()
    day.clock.advance(9.999)
    assert day.refused(cmd.Recall(counter=1)) == "too_soon"
    day.clock.advance(0.001)
    day.do(cmd.Recall(counter=1))


@pytest.mark.parametrize(("name", "steps", "window"), [
    ("undo_call", ("next",), 15.0),
    ("undo_start", ("next", "start"), 15.0),
    ("undo_finish", ("next", "start", "finish"), 60.0),
])  # fmt: skip
def test_what_can_be_undone_until_when(name: str, steps: tuple[str, ...], window: float) -> None:
    for late, code in ((0.0, ""), (0.001, "too_late")):
        day = PureDay()
        day.issue()
        for step in steps:
            day.do(sample(step))
        day.clock.advance(window + late)
        assert (day.refused(sample(name)) if late else day.do(sample(name)).code) == code


def test_void_only_after_a_failed_print_within_five_minutes_and_the_number_is_gone() -> None:
    day = PureDay()
    for n in (1, 2, 3):
        day.issue()
        assert day.refused(sample("void", ticket=f"A00{n}")) == "printed", "not known to have failed"
    uid = day.ticket("A001").uid
    day.do(sample("report_paper", ticket=uid, outcome="failed", detail="kertas habis"))
    day.do(sample("report_paper", ticket=uid.replace("A001", "A002"), outcome="failed"))
    day.do(sample("report_paper", ticket=uid.replace("A001", "A003")))
    assert day.refused(sample("void", ticket="A003")) == "printed"
    day.clock.advance(300)
    day.do(sample("void"))
    day.clock.advance(0.001)
    assert day.refused(sample("void", ticket="A002")) == "too_late"
    assert day.issue() == "A004"
    assert day.book.line("A").waiting == 3 and day.state("A001") is TicketState.VOID


def test_a_reprint_that_fails_does_not_make_a_printed_ticket_void() -> None:
    day = PureDay()
    day.issue()
    day.do(sample("report_paper"))
    day.do(sample("reprint"))
    day.do(sample("report_paper", outcome="failed", reprint=True))
    assert day.refused(sample("void")) == "printed"


# Transfer and referral


def test_a_transferred_ticket_keeps_number_issue_time_and_wait_and_counts_as_two_handlings() -> None:
    day = PureDay()
    day.issue()
    issued = day.ticket("A001").issued_at
    day.clock.advance(60)
    day.serve()
    assert day.refused(sample("transfer", service="A")) == "same_service"
    day.do(sample("transfer"))
    ticket = day.ticket("A001")
    assert (ticket.service, ticket.came_from, ticket.state, ticket.issued_at) == ("B", "A", TicketState.WAITING, issued)
    assert (day.book.line("A").issued, day.book.line("B").issued, day.book.line("B").waiting) == (1, 0, 1)
    assert day.serve() == "A001" and day.ticket("A001").waited_until == issued + timedelta(seconds=60)
    assert day.events().count("ticket.started") == 2


@pytest.mark.parametrize(("position", "order"), [
    ("time", ["B001", "A001", "B002", "B003"]),
    ("head", ["A001", "B001", "B002", "B003"]),
    ("tail", ["B001", "B002", "A001", "B003"]),
])  # fmt: skip
@pytest.mark.parametrize("pause", [0.0, 5.0])
def test_a_transferred_ticket_enters_by_its_time_or_first_or_last(position: str, order: list[str], pause: float) -> None:
    """B003 is drawn after the transfer, so it stands behind it even when no time has passed."""
    day = PureDay()
    for service in ("B", "A", "B"):
        day.issue(service)
        day.clock.advance(pause)
    day.do(sample("call", ticket="A001")), day.do(sample("start"))
    day.do(sample("transfer", position=position))
    day.clock.advance(max(pause, 0.001))
    day.issue("B")
    day.do(sample("pause"))
    assert [day.pass_on(2) for _ in range(4)] == order


def test_a_referral_names_a_known_destination_and_reason() -> None:
    day = PureDay()
    day.issue(), day.serve()
    assert day.refused(sample("refer", destination="kantor_pusat")) == "unknown_destination"
    assert day.refused(sample("refer", reason="entah")) == "unknown_reason"
    day.do(sample("refer", destination="BKS02"))
    assert day.log[-1].event == ev.TicketReferred(
        ticket="CTH01-20260701-A001", number="A001", service="A", counter=1, destination="BKS02", reason="lainnya", actor="officer"
    )  # fmt: skip
    day.clock.advance(1)
    assert day.do(sample("rate")).result["outcome"] == "given"
