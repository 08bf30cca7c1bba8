"""The rules of domain.md section by section, on a pure day."""

from datetime import timedelta

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.book import Book, fold
from kiosd.queue.model import TRANSITIONS, CounterState, TicketState, allowed, ticket_number
from support.site import PureDay, settings, wib

CARD = "0123abcd-0123abcd-0123abcd-0123abcd"


def issue(day: PureDay, service: str = "A", **more: object) -> str:
    return str(day.do(cmd.IssueTicket.model_validate({"service": service, **more})).result["number"])


def call(day: PureDay, counter: int = 1) -> str | None:
    ticket = day.do(cmd.CallNext(counter=counter)).result
    return str(ticket["number"]) if ticket.get("ticket") else None


def serve(day: PureDay, counter: int = 1) -> None:
    day.do(cmd.Start(counter=counter))


def state(day: PureDay, number: str) -> TicketState:
    ticket = day.book.by_number(number)
    assert ticket is not None
    return ticket.state


# Section 3: the state table


def test_a_visit_from_issue_to_finish() -> None:
    day = PureDay()
    number = issue(day, "D")
    assert (number, state(day, number)) == ("D001", TicketState.WAITING)
    assert call(day) == "D001"
    assert (state(day, number), day.book.counter(1).state) == (TicketState.CALLED, CounterState.CALLING)
    serve(day)
    assert (state(day, number), day.book.counter(1).state) == (TicketState.SERVING, CounterState.SERVING)
    day.do(cmd.Finish(counter=1))
    assert (state(day, number), day.book.counter(1).state) == (TicketState.FINISHED, CounterState.READY)
    assert [record.event.type for record in day.log] == [
        "system.day_opened", "ticket.issued", "counter.opened", "ticket.called", "ticket.started", "ticket.finished",
    ]  # fmt: skip


def test_every_row_of_the_table_is_a_command() -> None:
    assert {row.command for row in TRANSITIONS} <= set(cmd.COMMANDS)
    assert {row.event for row in TRANSITIONS} <= set(ev.EVENTS)


@pytest.mark.parametrize("command", ["recall", "start", "absent", "finish"])
def test_a_command_without_a_row_for_the_state_is_refused(command: str) -> None:
    day = PureDay()
    issue(day)
    call(day)
    if command != "finish":
        serve(day)
    fields = {"counter": 1, "force": "x"} if command == "absent" else {"counter": 1}
    assert day.refused(cmd.parse(command, fields)) == "wrong_state"


def test_next_while_serving_is_finish_and_next() -> None:
    day = PureDay()
    issue(day), issue(day)
    call(day)
    serve(day)
    assert call(day) == "A002"
    assert state(day, "A001") is TicketState.FINISHED
    implicit = [record.event for record in day.log if isinstance(record.event, ev.TicketFinished)]
    assert implicit[0].implicit


def test_next_while_serving_with_an_empty_line_finishes_and_says_so() -> None:
    day = PureDay()
    issue(day)
    call(day)
    serve(day)
    decision = day.do(cmd.CallNext(counter=1))
    assert decision.code == "empty" and decision.result == {"ticket": None, "finished": "A001"}
    assert state(day, "A001") is TicketState.FINISHED


def test_next_without_implicit_finish_is_refused_while_serving() -> None:
    day = PureDay(settings(next_implies_finish=False))
    issue(day)
    call(day)
    serve(day)
    assert day.refused(cmd.CallNext(counter=1)) == "still_serving"


def test_next_while_a_ticket_is_called_is_refused() -> None:
    day = PureDay()
    issue(day), issue(day)
    call(day)
    assert day.refused(cmd.CallNext(counter=1)) == "still_called"


def test_next_at_a_closed_counter_opens_it_or_is_refused_by_rule() -> None:
    day = PureDay(settings(next_implies_open=False))
    issue(day)
    assert day.refused(cmd.CallNext(counter=1)) == "counter_closed"
    day.do(cmd.OpenCounter(counter=1))
    day.do(cmd.PauseCounter(counter=1))
    assert day.refused(cmd.CallNext(counter=1)) == "counter_paused"
    day.do(cmd.OpenCounter(counter=1))
    assert call(day) == "A001"


def test_two_counters_pressing_next_get_different_tickets_or_nobody() -> None:
    day = PureDay()
    issue(day)
    day.do(cmd.OpenCounter(counter=2))
    assert call(day, 1) == "A001"
    assert day.refused(cmd.CallNext(counter=2)) == "empty"


def test_recall_needs_ten_seconds_and_ends_at_three_calls() -> None:
    day = PureDay()
    issue(day)
    call(day)
    assert day.refused(cmd.Recall(counter=1)) == "too_soon"
    day.clock.advance(10)
    assert day.do(cmd.Recall(counter=1)).result["calls"] == 2
    assert day.refused(cmd.MarkAbsent(counter=1)) == "not_called_enough"
    day.clock.advance(10)
    day.do(cmd.Recall(counter=1))
    day.clock.advance(10)
    assert day.refused(cmd.Recall(counter=1)) == "max_calls"
    day.do(cmd.MarkAbsent(counter=1))
    assert state(day, "A001") is TicketState.NO_SHOW
    assert day.book.counter(1).state is CounterState.READY


def test_absent_is_forced_with_a_reason_and_never_by_time() -> None:
    day = PureDay()
    issue(day)
    call(day)
    day.clock.advance(600)
    day.do(cmd.Tick())
    assert state(day, "A001") is TicketState.CALLED
    day.do(cmd.MarkAbsent(counter=1, force="pulang"))
    assert state(day, "A001") is TicketState.NO_SHOW


@pytest.mark.parametrize("before", ["waiting", "called", "no_show"])
def test_cancel_from_every_state_that_allows_it(before: str) -> None:
    day = PureDay()
    issue(day)
    if before != "waiting":
        call(day)
    if before == "no_show":
        day.do(cmd.MarkAbsent(counter=1, force="x"))
    day.do(cmd.CancelTicket(ticket="A001", reason="salah tekan"))
    assert state(day, "A001") is TicketState.CANCELLED
    assert day.book.line("A").waiting == 0
    assert day.book.at(1) is None
    assert day.refused(cmd.CancelTicket(ticket="A001")) == "wrong_state"


def test_day_close_expires_who_waits_and_finishes_who_is_served() -> None:
    day = PureDay()
    for _ in range(4):
        issue(day)
    call(day, 1), call(day, 2)
    serve(day, 1)
    day.do(cmd.CloseDay())
    states = [state(day, f"A00{n}") for n in range(1, 5)]
    assert states == [TicketState.FINISHED, TicketState.EXPIRED, TicketState.EXPIRED, TicketState.EXPIRED]
    closed = day.log[-1].event
    assert isinstance(closed, ev.DayClosed) and (closed.expired, closed.finished_by_system) == (3, 1)
    assert all(not day.book.counter(n).open for n in (1, 2))
    assert day.refused(cmd.IssueTicket(service="A")) == "day_closed"
    assert day.refused(cmd.CloseDay()) == "day_closed"
    assert day.refused(cmd.OpenCounter(counter=1)) == "day_closed"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (cmd.IssueTicket(service="Z"), "unknown_service"),
        (cmd.CallNext(counter=9), "unknown_counter"),
        (cmd.Rate(counter=9, score=4), "unknown_counter"),
        (cmd.AttachScan(counter=9, token="00000000-00000000-00000000-00000000"), "unknown_counter"),
        (cmd.CancelTicket(ticket="A099"), "unknown_ticket"),
        (cmd.Finish(counter=1), "nobody_served"),
        (cmd.Recall(counter=1), "nobody_called"),
        (cmd.PauseCounter(counter=9), "unknown_counter"),
        (cmd.CloseCounter(counter=1), "already"),
        (cmd.ReportPaper(ticket="X", outcome="printed", device="printer"), "unknown_ticket"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(command: cmd.Command, code: str) -> None:
    assert PureDay().refused(command) == code


def test_a_counter_with_somebody_cannot_pause_or_close() -> None:
    day = PureDay()
    issue(day)
    call(day)
    assert day.refused(cmd.PauseCounter(counter=1)) == "still_called"
    serve(day)
    assert day.refused(cmd.CloseCounter(counter=1)) == "still_serving"
    assert day.refused(cmd.OpenCounter(counter=1)) == "already"


# Section 4: numbers, dates and the clock


def test_numbers_have_three_digits_and_go_on_after_999() -> None:
    assert [ticket_number("A", n) for n in (1, 42, 999, 1000)] == ["A001", "A042", "A999", "A1000"]


def test_each_service_counts_by_itself_and_starts_again_each_date() -> None:
    day = PureDay()
    assert [issue(day, "A"), issue(day, "B"), issue(day, "A")] == ["A001", "B001", "A002"]
    day.clock.step_to(wib("2026-07-02 08:05"))
    assert issue(day, "A") == "A001"
    assert day.book.date == "2026-07-02"
    assert [record.event.type for record in day.log[4:]] == [
        "ticket.expired", "ticket.expired", "ticket.expired", "system.day_closed", "system.day_opened", "ticket.issued",
    ]  # fmt: skip


def test_a_clock_that_goes_back_changes_neither_date_nor_numbers() -> None:
    day = PureDay()
    issue(day)
    day.clock.step_to(wib("2026-06-30 09:00"))
    assert issue(day) == "A002"
    assert day.book.date == "2026-07-01"
    assert day.book.last is not None and not day.book.last.synced
    assert day.book.last.time >= wib("2026-07-01 08:05")


def test_a_jump_over_midnight_while_unsynchronised_does_not_reset_until_the_clock_is_right() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 08:05"), synced=False))
    assert issue(day) == "A001"
    day.clock.step_to(wib("2026-07-02 09:00"))
    assert issue(day) == "A002"
    day.clock.advance(60)
    assert issue(day) == "A003", "an event after the jump must not make the jump believed"
    day.clock.step_to(wib("2026-07-02 09:05"), synced=True)
    assert issue(day) == "A001"


def test_a_reboot_with_a_clock_in_the_past_goes_on_with_the_day() -> None:
    day = PureDay()
    issue(day)
    day.clock.reboot(wib("2026-04-13 02:00"), synced=False)
    assert issue(day) == "A002"
    assert day.book.last is not None and not day.book.last.synced


def test_a_night_without_synchronisation_still_ends_the_day_when_time_ran_on() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 16:00"), synced=False))
    issue(day)
    day.clock.advance(16.2 * 3600)
    assert issue(day) == "A001"
    assert day.book.date == "2026-07-02"


# Section 5: who is next


def test_priority_ratio_two() -> None:
    day = PureDay()
    priority = [issue(day, priority=True) for _ in range(4)]
    regular = [issue(day) for _ in range(5)]
    order = []
    for _ in range(9):
        order.append(call(day))
        day.do(cmd.MarkAbsent(counter=1, force="x"))
    p, r = priority, regular
    assert order == [p[0], p[1], r[0], p[2], p[3], r[1], r[2], r[3], r[4]]


def test_a_counter_takes_the_oldest_of_its_services_or_in_strict_order() -> None:
    for order, expected in (("oldest", ["B001", "A001"]), ("strict", ["A001", "B001"])):
        day = PureDay(settings(order=order))
        issue(day, "B")
        day.clock.advance(1)
        issue(day, "A")
        called = [call(day)]
        day.do(cmd.MarkAbsent(counter=1, force="x"))
        assert [*called, call(day)] == expected


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
    day = PureDay(clock=ManualClock(wib(local)))
    assert day.refused(cmd.IssueTicket(service="A")) == code
    from kiosd.errors import Refused

    with pytest.raises(Refused) as no:
        day.do(cmd.IssueTicket(service="A"))
    assert no.value.facts["opens_at"] == opens
    assert "Buka" in str(no.value.facts["message"])


@pytest.mark.parametrize("local", ["2026-07-01 08:00", "2026-07-01 11:59", "2026-07-01 13:00", "2026-07-01 16:29", "2026-07-03 07:30"])
def test_sessions_are_half_open(local: str) -> None:
    assert issue(PureDay(clock=ManualClock(wib(local)))) == "A001"


def test_the_line_is_served_after_hours_until_the_grace_ends() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 16:29")))
    issue(day), issue(day)
    day.clock.advance(30 * 60)
    assert call(day) == "A001"
    day.clock.step_to(wib("2026-07-01 17:30"))
    day.do(cmd.Tick())
    assert day.book.closed
    assert state(day, "A002") is TicketState.EXPIRED


# One press, one number


def test_a_second_press_while_the_first_prints_and_right_after_is_refused() -> None:
    day = PureDay()
    uid = day.do(cmd.IssueTicket(service="A", place="button/A")).result["ticket"]
    day.clock.advance(3)
    assert day.refused(cmd.IssueTicket(service="A", place="button/A")) == "still_printing"
    assert issue(day, "B", place="button/B") == "B001", "another button is another visitor"
    day.do(cmd.ReportPaper(ticket=str(uid), outcome="printed", device="printer"))
    assert issue(day, place="button/A") == "A002"
    day.do(cmd.ReportPaper(ticket=str(day.book.places["button/A"]), outcome="printed", device="printer"))
    day.clock.advance(1)
    assert day.refused(cmd.IssueTicket(service="A", place="button/A")) == "hold_off"
    day.clock.advance(1.5)
    assert issue(day, place="button/A") == "A003"


def test_a_dead_printer_does_not_hold_a_button_for_ever() -> None:
    day = PureDay()
    issue(day, place="button/A")
    day.clock.advance(15)
    assert issue(day, place="button/A") == "A002"


# Scans


def test_a_scan_starts_the_called_visit_with_a_card() -> None:
    day = PureDay()
    issue(day)
    call(day)
    day.do(cmd.AttachScan(counter=1, token=CARD))
    ticket = day.book.by_number("A001")
    assert ticket is not None and ticket.identity == "card" and ticket.state is TicketState.SERVING
    day.do(cmd.AttachScan(counter=1, token=CARD))
    assert [record.event.type for record in day.log[-3:]] == ["scan.read", "ticket.started", "scan.read"]


def test_a_scan_where_nobody_is_served_leaves_only_the_fact() -> None:
    day = PureDay()
    day.do(cmd.AttachScan(counter=1, token=CARD))
    assert day.log[-1].event == ev.ScanUnattached(counter=1)
    assert "0123abcd" not in day.log[-1].event.model_dump_json()


# Devices and the rest


def test_a_device_report_that_says_nothing_new_is_no_event() -> None:
    day = PureDay()
    down = {"device": "printer", "state": "down", "code": "absent", "detail": "unplugged"}
    day.do(cmd.ReportDevice.model_validate(down))
    before = len(day.log)
    day.do(cmd.ReportDevice.model_validate(down))
    assert len(day.log) == before
    assert day.book.devices["printer"].state == "down"


def test_the_fold_of_all_events_is_the_book() -> None:
    day = PureDay()
    for service in "ABAB":
        issue(day, service)
    call(day)
    serve(day)
    call(day)
    day.clock.advance(timedelta(minutes=1).total_seconds())
    day.do(cmd.Rate(counter=1, score=3))
    assert fold(Book(), day.log) == day.book
    assert allowed("start", TicketState.CALLED) is not None
