"""What a broker that is there still lacks: families that nobody takes, events it is not told, a consumer that does not acknowledge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kiosd.clock import Moment, utc_text
from kiosd.links.base import NOBODY_LISTENS

HELD_S = 60.0  # a subscriber that restarts is nobody's business; a broker that refuses is told at once
LEFT_OUT_S = 86_400.0
"""How long an event that was left out degrades the broker: it stays in the journal, but an alarm that never ends is none."""


@dataclass(frozen=True, slots=True)
class _Hold:
    seq: int
    code: str
    since: Moment


@dataclass(frozen=True, slots=True)
class Trouble:
    """``code`` for programs, ``detail`` for people."""

    code: str
    detail: str


@dataclass
class Troubles:
    """Kept by the uplink; ``worst`` is asked now and then by whoever reports the broker's health."""

    consumer: str = ""
    _held: dict[str, _Hold] = field(default_factory=dict)
    _left_out: dict[int, tuple[str, str]] = field(default_factory=dict)
    _unconfirmed: datetime | None = None

    @property
    def held(self) -> dict[str, tuple[str, Moment]]:
        """The families that are held: code, and since when."""
        return {family: (hold.code, hold.since) for family, hold in self._held.items()}

    def hold(self, family: str, seq: int, code: str, now: Moment) -> None:
        """``family`` is held from event ``seq`` on. It stays held until that event was dealt with, whatever happens in between."""
        known = self._held.get(family)
        self._held[family] = _Hold(seq, code, known.since if known is not None and known.code == code else now)

    def settled(self, cursors: Mapping[str, int]) -> None:
        """Everything up to ``cursors``, by family, was dealt with."""
        for family, hold in list(self._held.items()):
            if cursors.get(family, 0) >= hold.seq:
                del self._held[family]

    def left_out(self, events: Mapping[int, tuple[str, str]]) -> None:
        """The events that this broker is not told: code and time by sequence."""
        self._left_out = dict(events)

    def unconfirmed(self, since: datetime | None) -> None:
        """The consumer has acknowledged nothing since then, or it has again."""
        self._unconfirmed = since and (self._unconfirmed or since)

    def worst(self, now: Moment) -> Trouble | None:
        """The first of all that is wrong, with all of it in words."""
        found = [*self._refused(), *self._lately_left_out(now), *self._silent(), *self._unheard(now)]
        return Trouble(found[0].code, "; ".join(one.detail for one in found)[:200]) if found else None

    def _refused(self) -> list[Trouble]:
        refused = {family: hold for family, hold in self._held.items() if hold.code != NOBODY_LISTENS}
        return [Trouble("refused", f"the broker refuses {_families(refused)}: {_codes(refused)}")] if refused else []

    def _lately_left_out(self, now: Moment) -> list[Trouble]:
        late = {seq: what for seq, what in self._left_out.items() if (now.time - _time(what[1])).total_seconds() < LEFT_OUT_S}
        if not late:
            return []
        last = max(late)
        return [Trouble("quarantined", f"event {last} was left out at {late[last][1]}: {late[last][0]}; {len(late)} in 24 hours")]

    def _silent(self) -> list[Trouble]:
        if self._unconfirmed is None:
            return []
        return [Trouble("unconfirmed", f"{self.consumer} has acknowledged nothing since {utc_text(self._unconfirmed)}")]

    def _unheard(self, now: Moment) -> list[Trouble]:
        unheard = {
            family: hold
            for family, hold in self._held.items()
            if hold.code == NOBODY_LISTENS and now.monotonic - hold.since.monotonic >= HELD_S
        }
        return [Trouble(NOBODY_LISTENS, f"nobody takes {_families(unheard)}")] if unheard else []


def _families(held: Mapping[str, _Hold]) -> str:
    since = min(hold.since.time for hold in held.values())
    return f"{', '.join(f'ev/{family}' for family in sorted(held))} since {utc_text(since)}"


def _codes(held: Mapping[str, _Hold]) -> str:
    return ", ".join(sorted({hold.code for hold in held.values()}))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
