"""Visitors of a made-up day: when they come, what they press, and what they do when they are tired of waiting."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from kiosd.queue.commands import CancelTicket, Category, IssueTicket
from kiosd.queue.interface import Reply
from kiosd.queue.model import TicketState
from kiosd.scenario.scene import Scene
from kiosd.scenario.timeline import Act

POPULAR = {"A": 3, "B": 2, "C": 1, "D": 5, "E": 1, "F": 4, "G": 2}
"""How many of a counter's visitors want a service, beside its others."""
ELSE = 2
"""The same of a service that is not there."""
CATEGORIES: dict[Category, int] = {
    "pencari_kerja": 50, "pekerja_buruh": 20, "masyarakat": 15, "pemberi_kerja": 10, "tidak_dicatat": 5
}  # fmt: skip
PRIORITY, GIVES_UP = 0.08, 0.01
TURNED_AWAY = 0.01
"""Presses in the noon break, as a share of all."""
MORNING = 0.2
"""Where in the day's open time most of those come who do not come at any time."""
APART = timedelta(seconds=4)
"""Between two presses of one button: its hold-off and the printer's time."""
AGAIN_S = 5.0
TRIES = 4


def visitors(scene: Scene) -> Iterator[tuple[str, Act]]:
    """Everybody who comes on that day, by name, from midnight on."""
    last: dict[str, datetime] = {}
    for n, (moment, service) in enumerate(_arrivals(scene), start=1):
        then = max(moment, last[service] + APART) if service in last else moment
        last[service] = then
        yield f"visitor/{n}", _visitor(scene, scene.dice(f"visitor/{n}"), then, service)


def _arrivals(scene: Scene) -> list[tuple[datetime, str]]:
    """When people press which button: more in the morning than in the afternoon, and a few in the break."""
    dice, weights, count = scene.dice("arrivals"), _weights(scene), scene.crowd.count
    moments = [_moment(scene, dice) for _ in range(count)]
    for (_, noon), (again, _) in pairwise(scene.windows):
        moments += [noon + (again - noon) * dice.random() for _ in range(round(count * TURNED_AWAY))]
    services = dice.choices(list(weights), list(weights.values()), k=len(moments))
    return sorted(zip((_whole(moment) for moment in moments), services, strict=True))


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 100_000 * 100_000)


def _moment(scene: Scene, dice: Random) -> datetime:
    """A moment of the time in which tickets are given."""
    windows = scene.windows
    share = dice.random() if dice.random() < 0.5 else dice.triangular(0, 1, MORNING)
    left = share * sum((end - begin for begin, end in windows), timedelta())
    for begin, end in windows:
        if left < end - begin:
            return begin + left
        left -= end - begin
    return windows[-1][0]


def _weights(scene: Scene) -> dict[str, float]:
    """How many want each service. Every counter gets the same part of the crowd, so that the site can serve it."""
    weights: dict[str, float] = {}
    for letters in scene.counters.values():
        whole = sum(POPULAR.get(letter, ELSE) for letter in letters)
        for letter in letters:
            weights[letter] = weights.get(letter, 0.0) + POPULAR.get(letter, ELSE) / whole
    return weights


def _visitor(scene: Scene, dice: Random, then: datetime, service: str) -> Act:
    yield scene.until(then)
    priority = dice.random() < PRIORITY
    button = f"{service}_priority" if priority else service
    category = dice.choices(list(CATEGORIES), list(CATEGORIES.values()))[0]
    reply: Any = None
    for _ in range(TRIES):
        reply = yield IssueTicket(service=service, priority=priority, category=category, place=f"button/{button}")
        if reply.code not in {"still_printing", "hold_off"}:
            break
        yield AGAIN_S
    if reply.done and dice.random() < GIVES_UP:
        yield from _gives_up(scene, dice, reply)


def _gives_up(scene: Scene, dice: Random, reply: Reply) -> Act:
    yield dice.uniform(900, 3600)
    if ticket := scene.in_state(reply.result["ticket"], TicketState.WAITING):
        yield CancelTicket(ticket=ticket.number, reason="tidak menunggu")
