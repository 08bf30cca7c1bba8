"""Tickets outside the counters: numbers, hours, quota, hand-written tickets, reprints, priority (domain sections 3, 4, 6 and 7)."""

from dataclasses import replace

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.model import PrintState, TicketState, ticket_number
from kiosd.queue.settings import QueueSettings
from support.samples import sample
from support.site import PureDay, settings, wib


def issued(day: PureDay, number: str) -> ev.TicketIssued:
    return next(event for r in day.log if isinstance(event := r.event, ev.TicketIssued) and event.number == number)


def with_quota(service: str, quota: int) -> QueueSettings:
    site = settings()
    return replace(site, services={**site.services, service: site.services[service].model_copy(update={"quota": quota})})


# Section 4: numbers


def test_numbers_have_three_digits_and_go_on_after_999() -> None:
    assert [ticket_number("A", n) for n in (1, 42, 999, 1000)] == ["A001", "A042", "A999", "A1000"]
    day = PureDay()
    for _ in range(5):
        day.do(sample("reserve", count=199))
    assert [day.issue() for _ in range(6)] == ["A996", "A997", "A998", "A999", "A1000", "A1001"]


def test_nothing_that_becomes_of_a_ticket_gives_its_number_again() -> None:
    day = PureDay()
    for name in ("cancel", "void", "absent", "finish"):
        number = day.issue()
        if name == "void":
            day.do(sample("report_paper", ticket=day.ticket(number).uid, outcome="failed"))
        if name in {"absent", "finish"}:
            day.serve() if name == "finish" else day.call()
        day.do(sample(name, ticket=number) if name in {"cancel", "void"} else sample(name))
    assert day.issue() == "A005"


# Section 6: hours


@pytest.mark.parametrize(
    ("local", "code", "opens"),
    [
        ("2026-07-01 07:59", "closed", "2026-07-01T08:00:00+07:00"),
        ("2026-07-01 12:00", "break", "2026-07-01T13:00:00+07:00"),
        ("2026-07-01 16:30", "closed", "2026-07-02T08:00:00+07:00"),
        ("2026-07-03 07:29", "closed", "2026-07-03T07:30:00+07:00"),
        ("2026-07-03 16:30", "closed", "2026-07-06T08:00:00+07:00"),
        ("2026-07-04 10:00", "closed", "2026-07-06T08:00:00+07:00"),
    ],
)
def test_outside_hours_a_press_gives_nothing_and_says_when(local: str, code: str, opens: str) -> None:
    no = PureDay(clock=ManualClock(wib(local))).refusal(cmd.IssueTicket(service="A"))
    assert (no.code, no.facts["opens_at"]) == (code, opens)
    assert "Buka" in str(no.facts["message"])


@pytest.mark.parametrize("local", ["2026-07-01 08:00", "2026-07-01 11:59", "2026-07-01 13:00", "2026-07-01 16:29", "2026-07-03 07:30"])
def test_sessions_are_half_open(local: str) -> None:
    assert PureDay(clock=ManualClock(wib(local))).issue() == "A001"


def test_the_line_is_served_after_hours_until_the_grace_ends() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 16:29")))
    day.issue(), day.issue()
    day.clock.advance(30 * 60)
    assert day.call() == "A001"
    day.clock.step_to(wib("2026-07-01 17:29:59.999"))
    day.do(cmd.Tick())
    assert not day.book.closed
    day.clock.advance(0.001)
    day.do(cmd.Tick())
    assert day.book.closed
    assert day.state("A002") is TicketState.EXPIRED


def test_a_quota_ends_a_services_tickets_for_the_day_and_no_others() -> None:
    day = PureDay(with_quota("B", 2))
    assert [day.issue("B"), day.issue("B")] == ["B001", "B002"]
    no = day.refusal(cmd.IssueTicket(service="B"))
    assert (no.code, no.facts["opens_at"]) == ("quota", "2026-07-02T08:00:00+07:00")
    assert day.issue("A") == "A001"
    day.clock.step_to(wib("2026-07-02 08:05"))
    assert day.issue("B") == "B001"


# One press, one number


def test_a_second_press_while_the_first_prints_and_right_after_is_refused() -> None:
    day = PureDay()
    day.issue(place="button/A")
    day.clock.advance(3)
    assert day.refused(cmd.IssueTicket(service="A", place="button/A")) == "still_printing"
    assert day.issue("B", place="button/B") == "B001", "another button is another visitor"
    day.do(sample("report_paper"))
    assert day.issue(place="button/A") == "A002"
    day.do(sample("report_paper", ticket="CTH01-20260701-A002"))
    day.clock.advance(1)
    assert day.refused(cmd.IssueTicket(service="A", place="button/A")) == "hold_off"
    day.clock.advance(1.5)
    assert day.issue(place="button/A") == "A003"


@pytest.mark.parametrize(("no_paper", "code"), [("refuse", "no_paper"), ("block", "by_hand")])
def test_a_machine_without_paper_that_gives_no_numbers_is_refused_and_told_why(no_paper: str, code: str) -> None:
    day = PureDay()
    refused = day.refusal(sample("issue", no_paper=no_paper, place="button/A"))
    assert (refused.code, day.book.line("A").last) == (code, 0)
    assert day.issue() == "A001", "whoever gives numbers elsewhere goes on"
    day.clock.advance(9 * 3600)
    assert day.refused(sample("issue", no_paper=no_paper)) == "closed", "nobody is sent to a reception that is closed"


def test_the_machine_itself_books_numbers_for_writing_by_hand() -> None:
    day = PureDay()
    booked = day.do(cmd.ReserveNumbers(service="A", count=3, actor="system"))
    assert booked.result == {"service": "A", "first": "A001", "last": "A003"}
    assert day.issue() == "A004"
    before = day.book
    assert day.do(cmd.ReserveNumbers(service="A", count=3, actor="system")).result == {}, "it has them already"
    assert day.book == before
    assert day.do(sample("reserve", count=3)).result["first"] == "A005", "a person may need more"


def test_a_dead_printer_does_not_hold_a_button_for_ever() -> None:
    day = PureDay()
    day.issue(place="button/A")
    day.clock.advance(15)
    assert day.issue(place="button/A") == "A002"


# The manual block


def test_the_machine_skips_booked_numbers_and_they_enter_in_the_order_they_were_written() -> None:
    day = PureDay()
    day.issue()
    assert day.do(sample("reserve", count=3)).result == {"service": "A", "first": "A002", "last": "A004"}
    day.clock.step_to(wib("2026-07-01 08:20"))
    assert day.issue() == "A005"
    day.clock.step_to(wib("2026-07-01 08:40"))
    assert day.do(sample("enter", ticket="A003", at="08:15")).result["ahead"] == 1
    assert day.do(sample("enter", ticket="A002", at="08.25")).result["ahead"] == 3
    assert day.do(sample("enter", ticket="A004", priority=True)).result["ahead"] == 0
    assert [day.pass_on() for _ in range(5)] == ["A004", "A001", "A003", "A005", "A002"]
    event = issued(day, "A003")
    assert (event.manual, event.n, event.slip, event.issued_at) == (True, 3, False, wib("2026-07-01 08:15"))
    assert day.ticket("A003").waited_until == wib("2026-07-01 08:40")


def test_a_hand_written_ticket_enters_once_within_its_block_and_its_time() -> None:
    day = PureDay()
    day.issue()
    day.do(sample("reserve", count=2))
    for ticket in ("A001", "A004", "A000", "B002"):
        assert day.refused(sample("enter", ticket=ticket)) == "not_reserved"
    for at in ("08:04", "08:06", "2026-06-30T08:05", "2026-07-02T08:05"):
        assert day.refused(sample("enter", ticket="A002", at=at)) == "not_then"
    day.do(sample("enter", ticket="A002", at="08:05"))
    assert day.refused(sample("enter", ticket="A002")) == "already_entered"
    assert day.refused(sample("cancel", ticket="A003")) == "unknown_ticket", "booked, and not given to anybody"
    day.do(cmd.CloseDay())
    for late in (sample("enter", ticket="A003"), sample("reserve")):
        assert day.refused(late) == "day_closed"


def test_a_hand_written_ticket_is_not_older_than_its_block() -> None:
    """Its time is known to the minute; the block may have been booked within that minute."""
    day = PureDay(clock=ManualClock(wib("2026-07-01 08:05:30")))
    day.do(sample("reserve"))
    day.clock.advance(60)
    day.do(sample("enter", at="08:05"))
    assert day.ticket("A001").issued_at == wib("2026-07-01 08:05:30")


# Paper, priority, category


def test_a_reprint_is_for_who_still_needs_the_number() -> None:
    day = PureDay()
    day.issue()
    day.do(sample("reprint")), day.call(), day.do(sample("reprint")), day.do(sample("start"))
    assert day.refused(sample("reprint")) == "wrong_state"
    assert day.events().count("ticket.reprint_asked") == 2
    day.do(sample("report_paper", reprint=True))
    assert day.ticket("A001").paper is PrintState.PRINTED


def test_priority_moves_a_ticket_between_the_lines_at_its_own_time() -> None:
    day = PureDay()
    for _ in range(3):
        day.issue()
        day.clock.advance(1)
    day.issue(priority=True)
    day.do(sample("priority", ticket="A003"))
    assert day.refused(sample("priority", ticket="A003")) == "priority_already"
    assert [day.book.tickets[uid].number for uid in day.book.line("A").priority] == ["A003", "A004"]
    day.do(sample("priority", ticket="A004", priority=False))
    assert day.refused(sample("priority", ticket="A004", priority=False)) == "priority_not"
    assert [day.pass_on() for _ in range(4)] == ["A003", "A001", "A002", "A004"]
    assert "reason" not in ev.TicketPriorityChanged.model_fields, "domain section 1: health data"


def test_a_category_is_noted_at_any_time_and_one_of_five() -> None:
    day = PureDay()
    day.issue(category="pencari_kerja"), day.serve(), day.do(sample("finish"))
    day.do(sample("category"))
    assert day.ticket("A001").category == "masyarakat"
    with pytest.raises(ValueError, match="category"):
        sample("category", category="lansia")


# Section 7: the estimate in the event


def test_the_estimate_counts_ten_minutes_a_visit_and_open_counters_only() -> None:
    day = PureDay()
    day.issue()
    assert issued(day, "A001").wait_low_min is None, "nobody is there to call"
    day.do(sample("open"))
    day.issue()
    assert (issued(day, "A002").wait_low_min, issued(day, "A002").wait_high_min) == (10, 15)
    day.do(sample("open", counter=2)), day.do(sample("pause"))
    result = day.do(sample("issue")).result
    assert (result["wait_low_min"], result["wait_high_min"]) == (20, 25)
    day.do(sample("open"))
    day.issue(), day.issue(priority=True)
    assert [issued(day, n).wait_low_min for n in ("A004", "A005")] == [15, 0]


def test_the_estimate_of_ten_to_twelve_goes_over_the_break() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 11:50")))
    day.do(sample("open")), day.do(sample("open", counter=2))
    for _ in range(5):
        day.issue()
    assert issued(day, "A005").wait_low_min == 80, "domain section 7: 11:50, 4 ahead, c=2, s=600 -> 13:10"


def test_the_estimate_learns_from_todays_services_and_forgets_what_was_taken_back() -> None:
    day = PureDay()
    for took in (725, 220, 510):
        day.issue(), day.serve()
        day.clock.advance(took)
        day.do(sample("finish"))
    assert day.book.line("A").served == (725.0, 220.0, 510.0)
    day.do(sample("undo_finish"))
    assert day.book.line("A").served == (725.0, 220.0)
    day.clock.advance(1)
    day.do(sample("finish")), day.issue(), day.serve()
    day.clock.advance(9.999)
    day.do(sample("finish"))
    assert day.book.line("A").served == (725.0, 220.0, 511.0), "a service of less than 10 s is a slip of the finger"


def test_late_in_the_day_the_event_says_that_it_is_unlikely() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 16:25")))
    day.do(sample("open"))
    day.issue()
    assert day.do(sample("issue")).result["unlikely"] is True
    assert issued(day, "A002").unlikely and issued(day, "A002").wait_low_min is None
