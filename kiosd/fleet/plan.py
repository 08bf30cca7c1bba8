"""What is asked of a fleet, and what came of it."""

import math
import resource
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kiosd.errors import Refused
from kiosd.links.base import NOBODY_LISTENS
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.fields import Section

SPARE_FILES = 64  # what a process has open besides its connections


class Plan(Section):
    """``sites`` share ``connections`` in turn; None: each has its own. ``rate``: events a second over all of them.

    ``spread``: ``poisson``, as visitors come, or ``even``. It ends after ``seconds`` or ``events``, whichever is given.
    """

    broker: MqttSettings
    sites: Annotated[int, Field(ge=1, le=9999)]
    rate: Annotated[float, Field(gt=0, le=100_000)]
    seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None
    events: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    connections: Annotated[int, Field(ge=1, le=9999)] | None = None
    spread: Literal["poisson", "even"] = "poisson"
    verify: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "Plan":
        if (self.seconds is None) == (self.events is None):
            raise ValueError("give either seconds or events")
        if self.connections is not None and self.connections > self.sites:
            raise ValueError("there are more connections than sites")
        return self

    @property
    def count(self) -> int:
        """How many connections the sites use."""
        return self.connections or self.sites


@dataclass(frozen=True, slots=True)
class Verified:
    """What a consumer found in all streams; ``missing`` counts what was acknowledged and never came."""

    received: int
    missing: int
    duplicates: int
    late: int


@dataclass(slots=True)
class Outcome:
    """What a fleet did. Latencies in seconds, from when an event was due to its PUBACK: a generator that is late hides nothing.

    ``refused``: PUBACKs by reason code; ``nobody_listens`` is one, for the broker keeps nothing then, but no fault of the broker's.
    ``unreachable``: attempts to connect that failed, by reason. ``behind_s``: how late the generator was at most with making an event.
    """

    plan: Plan
    connected: int = 0
    lost: int = 0
    unreachable: Counter[str] = field(default_factory=Counter)
    published: int = 0
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    sent_again: int = 0
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    behind_s: float = 0.0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    verified: Verified | None = None

    @property
    def good(self) -> bool:
        """Whether all were connected in the end and every event was acknowledged, and came if somebody looked."""
        refused = self.refused.keys() - {NOBODY_LISTENS}
        missing = self.verified is not None and self.verified.missing > 0
        return self.connected == self.plan.count and not (refused or self.unanswered or missing)

    def facts(self) -> Mapping[str, object]:
        """Everything for programs; times in milliseconds."""
        ordered = sorted(self.latencies)
        spread = {f"puback_{word}_ms": _ms(ordered, share) for word, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        return {
            "sites": self.plan.sites,
            "connections": self.plan.count,
            "connected": self.connected,
            "lost": self.lost,
            "unreachable": dict(self.unreachable),
            "published": self.published,
            "acknowledged": self.acknowledged,
            "refused": dict(self.refused),
            "unanswered": self.unanswered,
            "sent_again": self.sent_again,
            "wanted_per_s": self.plan.rate,
            "events_per_s": round(self.published / self.elapsed_s, 1) if self.elapsed_s else 0.0,
            **spread,
            "behind_ms": round(self.behind_s * 1000, 1),
            "cpu_share": round(self.cpu_s / self.elapsed_s, 3) if self.elapsed_s else 0.0,
            "memory_mb": round(self.memory_mb, 1),
            "verified": None if self.verified is None else {name: getattr(self.verified, name) for name in Verified.__slots__},
            "good": self.good,
        }


def _ms(ordered: list[float], share: float) -> float | None:
    """The latency that ``share`` of the events did not exceed."""
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 2) if ordered else None


def make_room(connections: int) -> None:
    """Allow this process as many open files as it needs, up to the hard limit; ``Refused`` when that is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        message = f"{connections} connections need {needed} open files, and {hard} are allowed: raise 'ulimit -Hn', or give --connections"
        raise Refused("too_few_files", {"message": message})
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def used() -> tuple[float, float]:
    """Seconds of processor time of this process so far, and the most memory it had, in MB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
