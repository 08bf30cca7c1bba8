"""The state table of domain section 3, every command from every state; what concerns no single ticket."""

from collections.abc import Callable

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.book import Book
from kiosd.queue.fold import fold
from kiosd.queue.model import FINAL, TRANSITIONS, CounterState, TicketState, Transition, allowed
from support.samples import CARD, sample
from support.site import PureDay, settings, wib

Reach = Callable[[PureDay], object]

REACH: dict[TicketState | None, Reach] = {
    None: lambda day: None,
    TicketState.WAITING: lambda day: day.do(cmd.EnterTicket(ticket="A001")),
    TicketState.CALLED: lambda day: day.call(),
    TicketState.SERVING: lambda day: day.do(cmd.Start(counter=1)),
    TicketState.NO_SHOW: lambda day: day.do(cmd.MarkAbsent(counter=1, force="pulang")),
    TicketState.FINISHED: lambda day: day.do(cmd.Finish(counter=1)),
    TicketState.REFERRED: lambda day: day.do(sample("refer")),
    TicketState.CANCELLED: lambda day: day.do(sample("cancel")),
    TicketState.EXPIRED: lambda day: day.do(cmd.CloseDay()),
    TicketState.VOID: lambda day: day.do(sample("void")),
}
_W, _C, _S = TicketState.WAITING, TicketState.CALLED, TicketState.SERVING
PATH: dict[TicketState | None, tuple[TicketState | None, ...]] = {
    None: (), _W: (_W,), _C: (_W, _C), _S: (_W, _C, _S), TicketState.NO_SHOW: (_W, _C, TicketState.NO_SHOW),
    TicketState.FINISHED: (_W, _C, _S, TicketState.FINISHED), TicketState.REFERRED: (_W, _C, _S, TicketState.REFERRED),
    TicketState.CANCELLED: (_W, TicketState.CANCELLED), TicketState.EXPIRED: (_W, TicketState.EXPIRED),
    TicketState.VOID: (_W, TicketState.VOID),
}  # fmt: skip
UNLISTED = [
    (command, state)
    for command in sorted({row.command for row in TRANSITIONS} - {"issue"})
    for state in (None, *TicketState)
    if allowed(command, state) is None
]


def standing_at(state: TicketState | None) -> PureDay:
    """A day on which A001, a number booked for writing by hand whose paper failed, is in ``state``; counter 1 is where it happened."""
    day = PureDay(settings(recall_gap_s=0.0, next_implies_finish=False))
    day.do(cmd.OpenCounter(counter=1))
    day.do(sample("reserve"))
    for step in PATH[state]:
        REACH[step](day)
        if step is _W:
            day.do(sample("report_paper", outcome="failed"))
    return day


def test_every_state_is_reached() -> None:
    assert set(PATH) == {None, *TicketState}
    for state in TicketState:
        assert standing_at(state).state("A001") is state


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.command}-{row.before}-{row.after}")
def test_a_row_of_the_table_moves_the_ticket_and_is_one_event(row: Transition) -> None:
    day = standing_at(row.before)
    day.do(sample("issue") if row.command == "issue" else sample(row.command))
    number = "A003" if row.command == "issue" else "A001"
    assert day.state(number) is row.after
    moved = [record.event for record in day.log if isinstance(record.event, ev.TicketEvent) and record.event.number == number]
    assert moved[-1].type == row.event
    assert fold(Book(), day.log) == day.book


@pytest.mark.parametrize(("command", "state"), UNLISTED)
def test_what_the_table_does_not_list_is_refused_and_moves_nothing(command: str, state: TicketState | None) -> None:
    day = standing_at(state)
    if command == "close_day" and state is not TicketState.EXPIRED:  # the day itself can be closed: it leaves the ticket alone
        day.do(sample(command))
    else:
        assert day.refused(sample(command)) in {
            "wrong_state", "unknown_ticket", "not_reserved", "already_entered", "nobody_called", "nobody_served", "nothing_finished",
            "empty", "still_called", "still_serving", "day_closed", "counter_closed",
        }  # fmt: skip
    assert (day.book.by_number("A001") is None) if state is None else (day.state("A001") is state)


def test_every_row_is_a_command_and_an_event_and_final_states_have_no_way_out_but_undo() -> None:
    assert {row.command for row in TRANSITIONS} <= set(cmd.COMMANDS)
    assert {row.event for row in TRANSITIONS} <= set(ev.EVENTS)
    assert {(row.command, row.before) for row in TRANSITIONS if row.before in FINAL} == {("undo_finish", TicketState.FINISHED)}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (sample("issue", service="Z"), "unknown_service"),
        (sample("next", counter=9), "unknown_counter"),
        (sample("rate", counter=9), "unknown_counter"),
        (sample("survey", counter=9), "unknown_counter"),
        (sample("invite", counter=9), "unknown_counter"),
        (sample("undo_finish", counter=9), "unknown_counter"),
        (sample("scan", counter=9), "unknown_counter"),
        (sample("reject_scan", counter=9), "unknown_counter"),
        (sample("pause", counter=9), "unknown_counter"),
        (sample("call", counter=9), "unknown_counter"),
        (sample("cancel", ticket="A099"), "unknown_ticket"),
        (sample("call", ticket="A099"), "unknown_ticket"),
        (sample("reserve", service="Z"), "unknown_service"),
        (sample("enter", ticket="Z001"), "unknown_service"),
        (sample("finish"), "nobody_served"),
        (sample("recall"), "nobody_called"),
        (sample("close"), "already"),
        (sample("resume"), "not_suspended"),
        (sample("repair", until="2026-02-30T08:00"), "no_such_day"),
        (sample("report_paper", ticket="X"), "unknown_ticket"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(command: cmd.Command, code: str) -> None:
    assert PureDay().refused(command) == code


def test_a_service_that_is_not_offered_gives_takes_and_books_nothing() -> None:
    site = settings()
    off = {**site.services, "B": site.services["B"].model_copy(update={"enabled": False})}
    day = PureDay(type(site)(site.site, off, site.counters, site.hours, site.rules))
    day.issue(), day.serve()
    for name in ("issue", "reserve", "transfer"):
        assert day.refused(sample(name, service="B")) == "service_disabled"


def test_a_counter_with_somebody_cannot_pause_or_close() -> None:
    day = PureDay()
    day.issue(), day.call()
    assert day.refused(sample("pause")) == "still_called"
    day.do(sample("start"))
    assert day.refused(sample("close")) == "still_serving"
    assert day.refused(sample("open")) == "already"


# Section 4: dates and the clock


def test_each_service_counts_by_itself_and_starts_again_each_date() -> None:
    day = PureDay()
    assert [day.issue("A"), day.issue("B"), day.issue("A")] == ["A001", "B001", "A002"]
    day.clock.step_to(wib("2026-07-02 08:05"))
    assert day.issue("A") == "A001"
    assert day.book.date == "2026-07-02"
    assert day.events()[4:] == [
        "ticket.expired", "ticket.expired", "ticket.expired", "system.day_closed", "system.day_opened", "ticket.issued",
    ]  # fmt: skip


def test_a_clock_that_goes_back_changes_neither_date_nor_numbers() -> None:
    day = PureDay()
    day.issue()
    day.clock.step_to(wib("2026-06-30 09:00"))
    assert day.issue() == "A002"
    assert day.book.date == "2026-07-01"
    assert day.book.last is not None and not day.book.last.synced
    assert day.book.last.time >= wib("2026-07-01 08:05")


def test_a_jump_over_midnight_while_unsynchronised_does_not_reset_until_the_clock_is_right() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 08:05"), synced=False))
    assert day.issue() == "A001"
    day.clock.step_to(wib("2026-07-02 09:00"))
    assert day.issue() == "A002"
    day.clock.advance(60)
    assert day.issue() == "A003", "an event after the jump must not make the jump believed"
    day.clock.step_to(wib("2026-07-02 09:05"), synced=True)
    assert day.issue() == "A001"


def test_a_reboot_with_a_clock_in_the_past_goes_on_with_the_day() -> None:
    day = PureDay()
    day.issue()
    day.clock.reboot(wib("2026-04-13 02:00"), synced=False)
    assert day.issue() == "A002"
    assert day.book.last is not None and not day.book.last.synced


def test_a_night_without_synchronisation_still_ends_the_day_when_time_ran_on() -> None:
    day = PureDay(clock=ManualClock(wib("2026-07-01 16:00"), synced=False))
    day.issue()
    day.clock.advance(16.2 * 3600)
    assert day.issue() == "A001"
    assert day.book.date == "2026-07-02"


# Scans and devices


def test_a_scan_starts_the_called_visit_with_a_card() -> None:
    day = PureDay()
    day.issue(), day.call()
    day.do(sample("scan"))
    assert (day.ticket("A001").identity, day.state("A001")) == ("card", TicketState.SERVING)
    day.do(sample("scan"))
    assert day.events()[-3:] == ["scan.read", "ticket.started", "scan.read"]


def test_a_scan_where_nobody_is_served_leaves_only_the_fact() -> None:
    day = PureDay()
    day.do(sample("scan"))
    assert day.log[-1].event == ev.ScanUnattached(counter=1)
    assert CARD[:8] not in day.log[-1].event.model_dump_json()


def test_a_device_report_that_says_nothing_new_is_no_event() -> None:
    day = PureDay()
    down = sample("report_device", code="absent", detail="unplugged")
    day.do(down)
    before = len(day.log)
    day.do(down)
    assert len(day.log) == before
    assert day.book.devices["printer"].state == "down"


def test_the_fold_of_all_events_is_the_book() -> None:
    day = PureDay()
    for service in "ABAB":
        day.issue(service)
    day.serve(), day.call()
    assert day.book.counter(1).state is CounterState.CALLING
    day.clock.advance(60)
    day.do(sample("rate"))
    assert fold(Book(), day.log) == day.book
