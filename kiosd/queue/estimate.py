"""How long a visitor will wait, predicted when the ticket is given (domain section 7). A guess, and always called one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kiosd.queue.hours import after_open
from kiosd.queue.model import Closure
from kiosd.queue.settings import Language, QueueSettings

PRIOR_S = 600.0
"""Seconds one service is believed to take before any was seen today (domain section 7)."""
PRIOR_WEIGHT = 5
"""As how many services seen today the prior counts (domain section 7)."""
RECENT = 20
"""How many of today's last services of the line are looked at (domain section 7)."""

_STEP_MIN = 5  # shown rounded up to 5 minutes (domain section 7)
_STEP = timedelta(minutes=_STEP_MIN)

_RANGE: dict[Language, str] = {"id": "Perkiraan tunggu: {low}-{high} menit", "en": "Estimated wait: {low}-{high} minutes"}
_UNLIKELY: dict[Language, str] = {"id": "Kemungkinan tidak terlayani hari ini", "en": "You may not be served today"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Minutes from the issue to the call, predicted for ``at`` (local time). ``unlikely``: past the last session, without figures."""

    low_min: int | None = None
    high_min: int | None = None
    at: datetime | None = None
    unlikely: bool = False


def service_seconds(recent: Sequence[float]) -> float:
    """What one service takes, in seconds, from today's service times of the line, oldest first (domain section 7).

    The caller leaves out what is no service time: ended by the system, or shorter than 10 s.
    """
    last = recent[-RECENT:]
    return (PRIOR_WEIGHT * PRIOR_S + sum(last)) / (PRIOR_WEIGHT + len(last))


def estimate(
    settings: QueueSettings, local: datetime, ahead: int, counters: int, recent: Sequence[float], closure: Closure | None = None
) -> Estimate | None:
    """When a ticket given at ``local`` with ``ahead`` people before it is called by ``counters`` open counters.

    None when no counter is open for the service: then nobody can tell, and nothing is printed. Service goes on in opening hours
    only, so an early ticket counts from the opening and the noon break is stepped over.
    """
    if counters == 0:
        return None
    at = after_open(settings, local, ahead * service_seconds(recent) / counters, closure)
    if at is None:
        return Estimate(unlikely=True)
    low = -(-(at - local) // _STEP) * _STEP_MIN  # rounded up in exact time arithmetic
    return Estimate(low, low + _STEP_MIN, at)


def sentence(estimate: Estimate | None, language: Language) -> str:
    """The line on the ticket: ``Perkiraan tunggu: 25-30 menit``; ``""`` when there is no estimate."""
    if estimate is None:
        return ""
    if estimate.unlikely:
        return _UNLIKELY[language]
    return _RANGE[language].format(low=estimate.low_min, high=estimate.high_min)
