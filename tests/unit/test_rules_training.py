"""The site as a whole (domain sections 3, 4 and 6): training, day close, closures by command, repairs, and what holds over midnight."""

from datetime import timedelta

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.book import Book
from kiosd.queue.fold import fold
from kiosd.queue.model import FINAL, CounterState, TicketState
from kiosd.queue.views import snapshot
from support.samples import sample
from support.site import PureDay, wib

BEFORE_OPENING = "2026-07-01 07:30"


def trainee(at: str = BEFORE_OPENING) -> PureDay:
    day = PureDay(clock=ManualClock(wib(at)))
    day.do(sample("training"))
    return day


def restarted(day: PureDay) -> Book:
    """The book as a start reads it: from the last opening of a day on."""
    opened = max(index for index, record in enumerate(day.log) if isinstance(record.event, ev.DayOpened))
    return fold(Book(), day.log[opened:])


# Training


def test_training_has_its_own_numbers_and_its_events_are_flagged() -> None:
    day = trainee()
    assert [day.issue(), day.issue(), day.issue("B")] == ["A001", "A002", "B001"]
    assert day.ticket("A001").uid == "CTH01-20260701-T-A001"
    day.serve(), day.do(sample("scan")), day.do(sample("transfer")), day.serve(), day.do(sample("invite"))
    day.clock.advance(1)
    day.do(sample("rate")), day.do(sample("finish")), day.do(sample("survey")), day.do(sample("cancel", ticket="A002"))
    about = [r.event for r in day.log if isinstance(r.event, ev.TicketEvent | ev.SurveyAnswered)]
    assert len(about) > 12 and all(event.training for event in about)
    line = day.book.line("A")
    assert (line.issued, line.last, line.served, day.book.line("B").served) == (0, 0, (), ())


def test_visitors_get_their_own_first_number_and_a_second_training_goes_on_counting() -> None:
    day = trainee()
    day.issue(), day.do(sample("training", on=False))
    day.clock.step_to(wib("2026-07-01 08:00"))
    assert (day.issue(), day.ticket("A001").uid, day.ticket("A001").training) == ("A001", "CTH01-20260701-A001", False)
    for number in ("A001", day.issue(), day.issue()):
        day.do(sample("cancel", ticket=number))
    day.clock.step_to(wib("2026-07-01 12:10"))
    day.do(sample("training"))
    assert day.issue() == "A002", "a uid is given once"
    assert day.refused(sample("category", ticket="A003")) == "unknown_ticket", "the visitors' tickets are out of reach"


def test_training_begins_only_without_visitors() -> None:
    day = PureDay()
    assert day.refused(sample("training")) == "visitors_first"
    day.issue()
    day.clock.step_to(wib("2026-07-01 12:00"))
    assert day.refused(sample("training")) == "queue_not_empty"
    day.call()
    assert day.refused(sample("training")) == "queue_not_empty"
    day.do(sample("absent"))
    assert day.refused(sample("training", on=False)) == "not_training"
    day.do(sample("training"))
    assert day.refused(sample("training")) == "training_already"
    assert day.refused(sample("suspend")) == "in_training"
    assert day.refused(sample("reserve")) == "in_training", "booked numbers are visitors' numbers"
    assert day.refused(sample("readmit")) == "unknown_ticket"


@pytest.mark.parametrize("end", ["by command", "visitors come in", "day close", "midnight"])
def test_nothing_of_a_training_is_left_standing(end: str) -> None:
    day = trainee("2026-07-01 16:30" if end in {"day close", "midnight"} else BEFORE_OPENING)
    for _ in range(4):
        day.issue()
    day.serve(1), day.call(2), day.pass_on(3)
    match end:
        case "by command":
            day.do(sample("training", on=False))
        case "visitors come in":
            day.clock.step_to(wib("2026-07-01 07:59:59.999"))
            day.do(cmd.Tick())
            assert day.book.training
            day.clock.advance(0.001)
            day.do(cmd.Tick())
        case "day close":
            day.do(sample("close_day"))
        case _:
            day.clock.step_to(wib("2026-07-02 00:00"))
            day.do(cmd.Tick())
    assert not day.book.training
    assert all(one.state in FINAL for one in day.book.tickets.values()) and day.book.at(1) is day.book.at(2) is None
    ended = [r.event for r in day.log if isinstance(r.event, ev.TicketFinished | ev.TicketCancelled)]
    assert len(ended) == 4 and all(event.training for event in ended)
    assert "ticket.expired" not in day.events(), "nobody went away unserved"
    closed = [r.event for r in day.log if isinstance(r.event, ev.DayClosed)]
    assert [(event.expired, event.finished_by_system) for event in closed] == [(0, 0)] * len(closed)


def test_what_was_called_in_training_counts_in_no_run_and_hangs_on_no_board() -> None:
    day = PureDay()
    day.issue(priority=True), day.pass_on(), day.issue(priority=True), day.serve(), day.do(sample("finish"))
    before = day.book.line("A")
    day.clock.step_to(wib("2026-07-01 12:00"))
    day.do(sample("training"))
    assert (day.book.line("A").run, day.book.line("A").last_called) == (0, "")
    for n in range(6):
        day.issue(priority=n > 0)
    assert [day.pass_on() for _ in range(4)] == ["A002", "A003", "A001", "A004"]
    day.do(sample("training", on=False))
    after = day.book.line("A")
    assert (after.run, after.calls, after.last_called, after.history) == (before.run, before.calls, before.last_called, before.history)
    assert (after.last, after.issued, after.trained) == (2, 2, 6)


@pytest.mark.parametrize("on", [True, False])
def test_no_finish_is_undone_over_the_border_of_a_training(on: bool) -> None:
    """A visitor's ticket would be served in the training, or a training's outside it."""
    day = PureDay(clock=ManualClock(wib("2026-07-01 11:59:50"))) if on else trainee()
    day.issue(), day.serve(), day.do(sample("finish"))
    day.clock.advance(10)
    day.do(sample("training", on=on))
    assert day.refused(sample("undo_finish")) == "nothing_finished"
    assert snapshot(day.book, day.clock.now(), day.settings, "x").counters[0].undo == ""


def test_a_training_on_a_closed_day_leaves_no_counter_open() -> None:
    day = PureDay()
    day.do(sample("close_day")), day.do(sample("training"))
    assert day.issue() == "A001" and day.call() == "A001"
    day.do(sample("absent")), day.do(sample("readmit")), day.serve(), day.do(sample("finish"))
    day.do(sample("pause", counter=2))
    day.do(sample("training", on=False))
    assert {one.state for one in day.book.counters.values()} == {CounterState.CLOSED}
    assert day.refused(sample("issue")) == "day_closed"
    assert day.refused(sample("open")) == "day_closed"


# Day close


def test_day_close_expires_who_waits_and_finishes_who_is_served() -> None:
    day = PureDay()
    for _ in range(5):
        day.issue()
    day.pass_on(3), day.call(1), day.call(2)
    day.do(sample("start"))
    day.do(sample("close_day"))
    assert [day.state(f"A00{n}") for n in range(1, 6)] == [
        TicketState.NO_SHOW, TicketState.FINISHED, TicketState.EXPIRED, TicketState.EXPIRED, TicketState.EXPIRED,
    ]  # fmt: skip
    closed = day.log[-1].event
    assert isinstance(closed, ev.DayClosed) and (closed.expired, closed.finished_by_system) == (3, 1)
    assert day.ticket("A002").by_system and day.book.line("A").served == ()
    assert all(not day.book.counter(n).open for n in (1, 2, 3))
    for name in ("issue", "close_day", "open"):
        assert day.refused(sample(name)) == "day_closed"
    assert day.refused(sample("next")) == "counter_closed"


# Closures by command


def test_a_closure_ends_by_itself_or_by_command_and_who_waits_is_served() -> None:
    day = PureDay()
    day.issue()
    assert day.do(sample("suspend", until="09:00")).result["until"] == "2026-07-01T09:00:00+07:00"
    no = day.refusal(sample("issue"))
    assert (no.code, no.facts["opens_at"]) == ("suspended", "2026-07-01T09:00:00+07:00")
    assert str(no.facts["message"]).startswith("Layanan dihentikan sementara: upacara.")
    assert day.call() == "A001"
    day.clock.step_to(wib("2026-07-01 09:00"))
    assert day.refused(sample("resume")) == "not_suspended"
    assert day.issue() == "A002"
    day.do(sample("suspend"))
    assert day.refused(sample("issue")) == "suspended"
    day.do(sample("resume"))
    assert day.issue() == "A003"


@pytest.mark.parametrize(("until", "code"), [
    ("08:05", "past"), ("08.04", "past"), ("2026-06-30T12:00", "past"), ("0001-01-01T00:00", "past"), ("2026-02-30T09:00", "no_such_day"),
    ("0000-01-01T00:00", "no_such_day"), ("2027-07-02T08:06", "too_far"), ("9999-12-31T23:59", "too_far"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["suspend", "repair"])
def test_an_end_is_to_come_and_within_a_year(name: str, until: str, code: str) -> None:
    assert PureDay().refused(sample(name, until=until)) == code


def test_an_end_that_is_almost_a_year_away_can_be_told() -> None:
    day = PureDay()
    day.do(sample("suspend", until="2027-07-02T08:05"))
    assert day.refusal(sample("issue")).facts["opens_at"] == "2027-07-02T08:05:00+07:00"


# Over midnight


def test_a_closure_repairs_and_the_devices_health_hold_over_midnight_and_a_restart() -> None:
    day = PureDay()
    day.do(sample("suspend", until="2026-07-03T10:00"))
    day.do(sample("report_device", code="absent", detail="unplugged"))
    day.do(sample("repair", until="2026-07-02T14:00"))
    day.do(sample("report_device", device="board", state="ok"))
    before = day.book
    day.clock.step_to(wib("2026-07-02 08:05"))
    assert day.refused(sample("issue")) == "suspended"
    assert (day.book.closure, day.book.repairs, day.book.devices) == (before.closure, before.repairs, before.devices)
    assert restarted(day) == day.book
    (device,) = [one for one in snapshot(day.book, day.clock.now(), day.settings, "x").devices if one.device == "printer"]
    assert (device.state, device.repair_until, device.repair_reason) == ("down", wib("2026-07-02 14:00"), "macet")
    day.do(sample("report_device", state="ok"))
    assert not day.book.repairs, "it works again: nothing is promised any more"
    day.clock.step_to(wib("2026-07-03 10:00"))
    assert day.issue() == "A001"


def test_a_devices_health_holds_over_midnight_by_itself() -> None:
    day = PureDay()
    day.do(sample("report_device", code="absent"))
    day.clock.step_to(wib("2026-07-02 08:05"))
    day.do(cmd.Tick())
    assert day.book.devices["printer"].state == "down" and restarted(day) == day.book
    before = len(day.log)
    day.do(sample("report_device", code="absent"))
    assert len(day.log) == before, "nothing new"


def test_what_is_over_is_not_carried_and_nothing_to_carry_is_no_word() -> None:
    day = PureDay()
    day.do(sample("suspend", until="09:00"))
    day.clock.step_to(wib("2026-07-02 08:05"))
    day.do(cmd.Tick())
    opened = day.log[-1].event
    assert isinstance(opened, ev.DayOpened) and opened.carried is None and day.book.closure is None


def test_a_closure_without_an_end_outlives_many_days() -> None:
    day = PureDay()
    day.do(sample("suspend"))
    for _ in range(5):
        day.clock.advance(timedelta(days=1).total_seconds())
        no = day.refusal(sample("issue"))
        assert (no.code, no.facts["opens_at"]) == ("suspended", None)
    assert day.book.closure is not None and day.book.closure.since == wib("2026-07-01 08:05")
    assert restarted(day) == day.book


def test_a_training_under_way_at_midnight_ends_with_the_day_and_what_it_carries_is_carried() -> None:
    day = trainee("2026-07-01 17:00")
    day.do(cmd.ReportDevice(device="printer", state="down"))
    day.do(sample("repair", until="2026-07-02T14:00")), day.issue()
    day.clock.step_to(wib("2026-07-02 00:00:01"))
    day.do(cmd.Tick())
    assert day.events()[-4:] == ["ticket.cancelled", "system.training_ended", "system.day_closed", "system.day_opened"]
    assert set(day.book.repairs) == {"printer"} and restarted(day) == day.book


def test_a_manager_may_write_a_note_at_any_time() -> None:
    day = PureDay()
    day.do(sample("note")), day.do(sample("close_day")), day.do(sample("note", text="NIK 3201150101900001 tertukar"))
    assert [r.event.text for r in day.log if isinstance(r.event, ev.NoteWritten)] == ["listrik padam", "NIK [angka dihapus] tertukar"]
