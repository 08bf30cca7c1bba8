"""Steps of a day in which visitors come, are called away, come back, change sides and are sent on: for random days on ``PureDay``."""

from collections.abc import Callable, Iterable

from hypothesis import strategies as st

from kiosd.queue.model import Ticket, TicketState
from support.samples import sample
from support.site import PureDay


def someone(day: PureDay, state: TicketState, n: int) -> Ticket | None:
    """One of those who stand there, if there are any."""
    those = [one for one in day.book.tickets.values() if one.state is state]
    return those[n % len(those)] if those else None


def one_comes(day: PureDay, n: int) -> None:
    day.issue("ABC"[n % 3], priority=n % 4 == 0)


def one_is_called_away(day: PureDay, n: int) -> None:
    if someone(day, TicketState.WAITING, n):
        day.pass_on(1 + n % 3)


def one_is_back(day: PureDay, n: int) -> None:
    one = someone(day, TicketState.NO_SHOW, n)
    if one and one.readmissions < 2:
        day.do(sample("readmit", ticket=one.number))


def one_changes_side(day: PureDay, n: int) -> None:
    if one := someone(day, TicketState.WAITING, n):
        day.do(sample("priority", ticket=one.number, priority=not one.priority))


def one_is_sent_on(day: PureDay, n: int) -> None:
    """Called out of order, served and sent to another service."""
    if one := someone(day, TicketState.WAITING, n):
        day.do(sample("call", ticket=one.number))
        day.do(sample("start"))
        service = "ABC"[("ABC".index(one.service) + 1 + n % 2) % 3]
        day.do(sample("transfer", service=service, position=("time", "head", "tail")[n % 3]))


def one_call_was_wrong(day: PureDay, n: int) -> None:
    if someone(day, TicketState.WAITING, n):
        day.call(3)
        if someone(day, TicketState.WAITING, n) and n % 2:
            day.pass_on(1)
        day.do(sample("undo_call", counter=3))


def time_passes(day: PureDay, n: int) -> None:
    day.clock.advance(n % 5)


Step = Callable[[PureDay, int], None]
STEPS: list[Step] = [
    one_comes, one_comes, one_comes, one_is_called_away, one_is_back, one_changes_side, one_is_sent_on, one_call_was_wrong, time_passes,
]  # fmt: skip
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), max_size=40)


def walk(day: PureDay, steps: Iterable[tuple[Step, int]]) -> None:
    """Let the steps happen; the counters 1, 2 and 3 serve the services A, B and C."""
    for step, n in steps:
        step(day, n)
