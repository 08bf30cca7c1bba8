"""Which days a scenario has at a site, and what happens on each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from kiosd.errors import ConfigError
from kiosd.queue.hours import opening
from kiosd.queue.settings import QueueSettings
from kiosd.scenario.parse import Block, Crowd, Script, Step

MAX_DAYS = 800  # from the first to the last: two years and a bit
MAX_STEPS = 1_000_000


@dataclass
class Day:
    """What happens on one day: ``steps`` in the order of their time, of the same time in that of the file."""

    date: date
    steps: list[Step] = field(default_factory=list)
    crowd: Crowd | None = None


def plan(script: Script, settings: QueueSettings) -> list[Day]:
    """The days of ``script`` in order; ``ConfigError`` with a line for each block that does not fit the site's calendar."""
    _check_length(script)
    days: dict[date, Day] = {}
    problems: list[str] = []
    for block in script.blocks:
        dates = list(_dates(block, settings))
        if not dates:
            problems.append(f"{script.where(block.line)}: none of these days is one; look at the weekdays and the site's calendar")
        for one in dates:
            day = days.setdefault(one, Day(one))
            day.steps += block.steps
            day.crowd = block.crowd or day.crowd
    for day in days.values():
        day.steps.sort(key=lambda step: step.second)
        if day.crowd and not opening(settings, day.date):
            where = script.where(day.crowd.line)
            problems.append(f"{where}: no visitors on {day.date}, which has no opening hours; write `days ... workdays`")
    if problems:
        raise ConfigError("\n".join(problems))
    return [days[one] for one in sorted(days)]


def _check_length(script: Script) -> None:
    first, last = min(block.first for block in script.blocks), max(block.last for block in script.blocks)
    if (last - first).days >= MAX_DAYS:
        raise ConfigError(f"{script.path}: {first} to {last} is more than {MAX_DAYS} days")
    steps = sum(len(block.steps) * ((block.last - block.first).days + 1) for block in script.blocks)
    if steps > MAX_STEPS:
        raise ConfigError(f"{script.path}: more than {MAX_STEPS} commands")


def _dates(block: Block, settings: QueueSettings) -> Iterator[date]:
    for n in range((block.last - block.first).days + 1):
        day = block.first + timedelta(days=n)
        if day.weekday() in block.weekdays and (not block.workdays or opening(settings, day)):
            yield day
