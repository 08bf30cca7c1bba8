"""``kiosd queue --explain``: the next ten, and why each stands there; what it says must be true (domain section 5)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosd.errors import Refused
from kiosd.queue import texts
from kiosd.queue.explain import NEXT, forecasts
from kiosd.queue.interface import Forecast
from kiosd.queue.model import Ticket, TicketState
from support import site
from support.fairness import Fairness
from support.randomday import Step, steps, walk
from support.samples import sample
from support.site import PureDay


def explained(day: PureDay, counter: int = 1) -> list[tuple[str, tuple[str, ...]]]:
    (forecast,) = forecasts(day.book, day.settings, counter=counter)
    return [(place.number, place.codes) for place in forecast.places]


def in_words(day: PureDay) -> list[str]:
    (forecast,) = forecasts(day.book, day.settings, counter=1)
    return [place.why for place in forecast.places]


def one_service(order: str = "oldest", services: str = "A") -> PureDay:
    return PureDay(site.settings(services=services, order=order))


def test_the_ratio_in_words() -> None:
    day = one_service()
    for n in range(5):
        day.issue(priority=n < 3)
    assert explained(day) == [
        ("A001", ("priority",)), ("A002", ("priority",)), ("A004", ("regular_turn",)), ("A003", ("priority",)), ("A005", ("regular",)),
    ]  # fmt: skip
    assert in_words(day) == [
        "prioritas, panggilan prioritas ke-1 dari paling banyak 2 berturut-turut",
        "prioritas, panggilan prioritas ke-2 dari paling banyak 2 berturut-turut",
        "urutan biasa, gilirannya setelah 2 panggilan prioritas",
        "prioritas, panggilan prioritas ke-1 dari paling banyak 2 berturut-turut",
        "urutan biasa, tidak ada prioritas yang bisa dipanggil",
    ]


def test_several_services_say_what_chose_among_them() -> None:
    for order, expected in (
        ("oldest", [("B001", "oldest"), ("A001", "oldest"), ("B002", "regular")]),
        ("strict", [("A001", "first_service"), ("B001", "regular"), ("B002", "regular")]),
    ):
        day = one_service(order, "AB")
        for service in "BAB":
            day.issue(service)
            day.clock.advance(60)
        assert [(number, codes[0]) for number, codes in explained(day)] == expected
    assert "layanan A didahulukan di loket ini; urutan biasa" in in_words(day)[0]
    assert "paling lama menunggu di antara layanan loket ini (08.05 WIB)" in in_words(_oldest())[0]


def _oldest() -> PureDay:
    day = one_service("oldest", "AB")
    day.issue("B"), day.issue("A")
    return day


def test_who_came_back_and_who_was_sent_on_reads_so() -> None:
    day = one_service("oldest", "AB")
    for _ in range(5):
        day.issue()
    day.pass_on(), day.do(sample("readmit"))
    assert explained(day)[3] == ("A001", ("regular", "readmitted"))
    assert in_words(day)[3].endswith("dipanggil kembali setelah tidak hadir, 3 panggilan lain sudah lewat")
    for _ in range(4):
        day.do(sample("call", ticket=explained(day)[0][0]))
        day.do(sample("cancel", ticket=day.book.line("A").last_called))
    assert explained(day) == [("A005", ("regular",))]


@pytest.mark.parametrize(("position", "code"), [("time", "transferred"), ("head", "placed"), ("tail", "placed")])
def test_a_transferred_ticket_says_whether_its_time_counts(position: str, code: str) -> None:
    day = one_service("oldest", "AB")
    day.issue("B")
    day.clock.advance(1)
    day.issue("A")
    day.clock.advance(1)
    day.do(sample("call", ticket="A001")), day.do(sample("start"))
    day.do(sample("transfer", position=position))
    assert dict(explained(day))["A001"] == ("regular", code)


def test_a_readmission_means_nothing_in_another_line() -> None:
    day = one_service("oldest", "AB")
    day.issue(), day.pass_on(), day.do(sample("readmit"))
    assert explained(day) == [("A001", ("nobody_else",))]
    day.serve(), day.do(sample("transfer"))
    assert explained(day) == [("A001", ("regular", "transferred"))]


def test_ten_are_told_of_each_counter_or_of_one_line() -> None:
    day = PureDay()
    for _ in range(12):
        day.issue()
    everywhere = forecasts(day.book, day.settings)
    assert [(one.counter, one.waiting, len(one.places)) for one in everywhere] == [(1, 12, NEXT), (2, 12, NEXT), (3, 12, NEXT)]
    (line,) = forecasts(day.book, day.settings, service="A")
    assert (line.counter, line.service, [place.position for place in line.places]) == (None, "A", list(range(1, 11)))
    assert forecasts(day.book, day.settings, service="B") == (Forecast(service="B", waiting=0, places=()),)
    for wrong in ({"service": "Z"}, {"counter": 9}):
        with pytest.raises(Refused):
            forecasts(day.book, day.settings, **wrong)


def test_every_code_has_words_in_both_languages() -> None:
    facts: dict[str, object] = dict.fromkeys(("run", "next_run", "ratio", "behind", "service", "came_from", "time", "since"), "x")
    for code in texts.WHY:
        assert all(texts.why([code], language, facts).isascii() for language in site.LANGUAGES)


@given(steps=steps, order=st.sampled_from(["oldest", "strict"]), ratio=st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_every_reason_is_true(steps: list[tuple[Step, int]], order: str, ratio: int) -> None:
    day = PureDay(site.settings(services="ABC", order=order, priority_ratio=ratio))
    walk(day, steps)
    fair = Fairness(ratio)
    priority: dict[str, bool] = {}
    for record in day.log:
        event = record.event
        priority |= {event.ticket: event.priority} if hasattr(event, "priority") and hasattr(event, "ticket") else {}
        fair.see(event, priority.get(getattr(event, "ticket", ""), False))
    (forecast,) = forecasts(day.book, day.settings, counter=1)
    left = dict(day.book.tickets)
    for place in forecast.places:
        found = fair.next_at("ABC", order, list(left.values()))
        assert found is not None
        among, one = found
        assert place.number == one.ticket.number
        assert place.codes == _true(fair, among, one.why, one.ticket)
        if one.why == "regular_turn":
            assert one.run >= ratio and f"setelah {one.run} panggilan" in place.why
        left[one.ticket.uid] = replace(one.ticket, state=TicketState.CALLED)
        fair.made(one.ticket.service).append((one.ticket.uid, one.ticket.priority, True))
    assert len(forecast.places) == min(NEXT, forecast.waiting)


def _true(fair: Fairness, among: str, why: str, ticket: Ticket) -> tuple[str, ...]:
    """All that can be said of why ``ticket`` is next."""
    codes = [] if among == "only" else [among]
    codes.append(why)
    if why != "nobody_else":
        codes += ["readmitted"] if ticket.uid in fair.needs else []
        sent = "placed" if ticket.placed_at not in {None, ticket.issued_at} else "transferred"
        codes += [sent] if ticket.came_from else []
    return tuple(codes)
