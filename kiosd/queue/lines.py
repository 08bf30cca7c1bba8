"""Who is next (domain section 5): fair and explainable. Pure.

Rule 1  A line takes priority while fewer than k priority calls went in a row, else one regular; an empty side yields to the other.
Rule 2  A readmitted ticket is passed over until its line has had three more calls; when nobody else waits it need not wait for them.
Rule 3  A counter takes the oldest head of its services, or the first service that has anybody (``strict``).
Rule 4  ``forecast`` is the same choice, made again and again: what is explained is what happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from kiosd.queue.model import Call, Line, Place, Ticket

GRAIN = timedelta(milliseconds=1)  # the journal's grain of time
REMEMBERED = 100  # calls of a line that can be undone exactly: one at each counter of the largest site

Why = Literal[
    "priority", "priority_alone", "regular", "regular_turn", "readmitted", "nobody_else", "oldest", "first_service", "transferred", "placed"
]


@dataclass(frozen=True, slots=True)
class Choice:
    """The ticket that is next, and why: codes of ``texts.WHY``, the most telling first. ``run``: priority calls in a row before it."""

    ticket: Ticket
    why: tuple[Why, ...]
    run: int = 0


def head(line: Line, tickets: Mapping[str, Ticket], ratio: int) -> Choice | None:
    """Who is next in one service's line; None when nobody waits in it."""
    priority = _ready(line, line.priority, tickets)
    regular = _ready(line, line.regular, tickets)
    if priority is not None and (line.run < ratio or regular is None):
        return _choice(priority, "priority" if regular else "priority_alone", line)
    if regular is not None:
        return _choice(regular, "regular_turn" if priority else "regular", line)
    held = [tickets[uid] for uid in (*line.priority, *line.regular)]
    return Choice(min(held, key=lambda one: (one.not_before, one.turn)), ("nobody_else",), line.run) if held else None


def _ready(line: Line, side: Sequence[str], tickets: Mapping[str, Ticket]) -> Ticket | None:
    return next((tickets[uid] for uid in side if tickets[uid].not_before <= line.calls), None)


def _choice(ticket: Ticket, why: Why, line: Line) -> Choice:
    more: list[Why] = []
    if ticket.not_before:
        more.append("readmitted")
    if ticket.came_from:
        more.append("transferred" if ticket.turn[0] == ticket.issued_at else "placed")
    return Choice(ticket, (why, *more), line.run)


def pick(
    lines: Mapping[str, Line], tickets: Mapping[str, Ticket], services: Sequence[str], order: str, ratio: int
) -> Choice | None:  # fmt: skip
    """Who is next for a counter that serves ``services`` in that order; ``order`` is ``oldest`` or ``strict``."""
    heads = [choice for service in services if service in lines and (choice := head(lines[service], tickets, ratio)) is not None]
    if not heads:
        return None
    if len(services) == 1 or len(heads) == 1:
        return heads[0]
    if order == "strict":
        return replace(heads[0], why=("first_service", *heads[0].why))
    oldest = min(heads, key=lambda one: one.ticket.turn)
    return replace(oldest, why=("oldest", *oldest.why))


def taken(line: Line, ticket: Ticket, out_of_order: bool = False) -> Line:
    """``line`` after a call of ``ticket``. A call out of order does not count in the run: the ratio is a promise about the others."""
    gone = removed(line, ticket)
    run = line.run if out_of_order else line.run + 1 if ticket.priority else 0
    history = (*line.history, Call(ticket.uid, ticket.number, ticket.priority, not out_of_order))[-REMEMBERED:]
    return replace(gone, run=run, calls=line.calls + 1, history=history, last_called=ticket.number)


def untaken(line: Line, ticket: Ticket) -> Line:
    """``line`` as if it had never had the last call of ``ticket``, which is not in it yet; calls made since then stand."""
    at = next((index for index in range(len(line.history) - 1, -1, -1) if line.history[index].uid == ticket.uid), None)
    if at is None:
        return replace(line, calls=line.calls - 1)
    before, undone, since = line.history[:at], line.history[at], line.history[at + 1 :]
    run = line.run
    if undone.in_order and not any(call.in_order and not call.priority for call in since):
        run = run - 1 if undone.priority else run + _run(before)
    history = (*before, *since)
    return replace(line, run=run, calls=line.calls - 1, history=history, last_called=history[-1].number if history else "")


def _run(calls: Sequence[Call]) -> int:
    """Priority calls in a row at the end of ``calls``."""
    run = 0
    for call in reversed(calls):
        if call.in_order and not call.priority:
            break
        run += call.in_order
    return run


def removed(line: Line, ticket: Ticket) -> Line:
    """``line`` without ``ticket``."""
    if ticket.priority:
        return replace(line, priority=tuple(uid for uid in line.priority if uid != ticket.uid))
    return replace(line, regular=tuple(uid for uid in line.regular if uid != ticket.uid))


def entered(line: Line, ticket: Ticket, tickets: Mapping[str, Ticket]) -> Line:
    """``line`` with ``ticket`` in its place by (time, seq)."""
    side = line.priority if ticket.priority else line.regular
    at = _place(side, ticket, tickets)
    grown = (*side[:at], ticket.uid, *side[at:])
    return replace(line, priority=grown) if ticket.priority else replace(line, regular=grown)


def placed(line: Line, ticket: Ticket, tickets: Mapping[str, Ticket], position: Place, now: datetime) -> datetime:
    """The time that ``ticket`` stands for in ``line``: its issue, or that of somebody before everybody or behind everybody."""
    side = line.priority if ticket.priority else line.regular
    if position == "tail":
        last = tickets[side[-1]].turn if side else None
        return last[0] + GRAIN if last and last > (now, ticket.order) else now  # somebody came within this very grain
    if position == "head" and side:
        return min(tickets[side[0]].turn[0] - GRAIN, ticket.issued_at)
    return ticket.issued_at


def _place(side: Sequence[str], ticket: Ticket, tickets: Mapping[str, Ticket]) -> int:
    """Behind the last one whose turn is before: a new ticket looks at one other only."""
    for index in range(len(side), 0, -1):
        if tickets[side[index - 1]].turn < ticket.turn:
            return index
    return 0


def forecast(
    lines: Mapping[str, Line], tickets: Mapping[str, Ticket], services: Sequence[str], order: str, ratio: int
) -> Iterator[Choice]:  # fmt: skip
    """The order in which those who wait now would be called at a counter of ``services``, if nothing else happened."""
    left = dict(lines)
    while (choice := pick(left, tickets, services, order, ratio)) is not None:
        yield choice
        left[choice.ticket.service] = taken(left[choice.ticket.service], choice.ticket)
