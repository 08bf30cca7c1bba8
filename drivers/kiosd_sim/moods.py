"""How a simulated printer is, how it says so, and what kind of printer it is. Tables; bits as in hardware section 1."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from kiosd.errors import Refused

ALL = frozenset({1, 2, 3, 4})


@dataclass(frozen=True, slots=True)
class Clone:
    """What a kind of printer answers: which ``DLE EOT``, and which of them always with "all is well"; and the rest by name.

    ``chatty`` talks unasked, ``garbage`` answers nonsense.
    """

    real_time: frozenset[int] = ALL
    always_well: frozenset[int] = frozenset()
    reports: bool = True
    sensors: bool = True
    mark: bool = True
    clear: bool = True
    chatty: bool = False
    garbage: bool = False


CLONES = {
    "epson": Clone(),
    "simple": Clone(reports=False, mark=False, clear=False),
    "half": Clone(frozenset({1, 4}), frozenset({4}), reports=False, sensors=False, mark=False, clear=False),
    "silent": Clone(frozenset(), reports=False, sensors=False, mark=False, clear=False),
    "yes-man": Clone(always_well=ALL, reports=False),
    "chatty": Clone(chatty=True),
    "garbage": Clone(garbage=True),
}
"""Kinds of printers that are sold as "ESC/POS compatible", by how they answer."""


@dataclass(frozen=True, slots=True)
class Mood:
    """How the printer is. ``silent`` never answers; ``busy`` takes nothing for the moment; ``feed``: somebody holds its button.

    ``slow``: bytes a second that it takes; ``mm_per_s``: its paper's own pace. Both None: at once.
    """

    paper: Literal["ok", "near", "out"] = "ok"
    cover: bool = False
    cutter: bool = False
    overheated: bool = False
    broken: bool = False
    feed: bool = False
    offline: bool = False
    busy: bool = False
    silent: bool = False
    slow: float | None = None
    mm_per_s: float | None = None
    clone: str = "epson"

    @property
    def kind(self) -> Clone:
        """What kind of printer it is."""
        return CLONES[self.clone]

    @property
    def error(self) -> bool:
        """Whether something is broken or too hot."""
        return self.cutter or self.overheated or self.broken

    @property
    def stopped(self) -> bool:
        """Whether nothing can be printed."""
        return self.paper == "out" or self.cover or self.offline or self.feed or self.error

    def status(self, question: int) -> int:
        """The answer to ``DLE EOT question``: fixed bits 0x12 and what is the matter."""
        if question in self.kind.always_well:
            return 0x12
        out, near = self.paper == "out", self.paper != "ok"
        return 0x12 | {
            1: 0x08 * self.stopped,
            2: 0x04 * self.cover | 0x08 * self.feed | 0x20 * out | 0x40 * self.error,
            3: 0x08 * self.cutter | 0x20 * self.broken | 0x40 * self.overheated,
            4: 0x0C * near | 0x60 * out,
        }.get(question, 0)

    def sensors(self) -> int:
        """The answer to ``GS r 1``: the paper sensors."""
        return 0x00 if 4 in self.kind.always_well else {"ok": 0x00, "near": 0x03, "out": 0x0C}[self.paper]

    def report(self) -> bytes:
        """Automatic status: offline, cover, button; errors; paper; nothing."""
        first = 0x10 | 0x08 * self.stopped | 0x20 * self.cover | 0x40 * self.feed
        errors = 0x08 * self.cutter | 0x20 * self.broken | 0x40 * self.overheated
        return bytes((first, errors, {"ok": 0x00, "near": 0x03, "out": 0x0F}[self.paper], 0x0F))

    def port_status(self) -> int:
        """What its USB port says: 0x20 paper empty, 0x10 selected, 0x08 no error (IEEE 1284)."""
        return 0x20 * (self.paper == "out") | 0x10 * (not self.offline) | 0x08 * (not (self.stopped or self.error))


def nonsense(chance: random.Random) -> bytes:
    """One answer of a printer that answers garbage."""
    return chance.randbytes(chance.randint(1, 6))


def _switch(name: str, on: str = "on", off: str = "off") -> dict[str, dict[str, Any]]:
    return {on: {name: True}, off: {name: False}}


SWITCHES: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {word: {"paper": word} for word in ("ok", "near", "out")},
    "cover": _switch("cover", "open", "closed"),
    "cutter": _switch("cutter", "jammed", "ok"),
    "head": _switch("overheated", "hot", "ok"),
    "broken": _switch("broken"),
    "feed": _switch("feed"),
    "offline": _switch("offline"),
    "busy": _switch("busy"),
    "silent": _switch("silent"),
    "clone": {word: {"clone": word} for word in CLONES},
}
"""What a person can do to a printer: a thing, how it shall be, and what that is in ``Mood``."""
RATES = {"slow": "slow", "speed": "mm_per_s"}
"""Those that take a number a second (bytes, millimetres), or ``off``."""


def changed(mood: Mood, words: Sequence[str]) -> Mood:
    """``mood`` after a request such as ``cover open`` or ``speed 150``; ``Refused`` with what there is."""
    thing, how = words if len(words) == 2 else ("", "")
    if thing in RATES:
        rate: dict[str, Any] = {RATES[thing]: _rate(how)}
        return replace(mood, **rate)
    if thing not in SWITCHES:
        raise _refused(f"a printer takes two words; the first is one of: {', '.join((*SWITCHES, *RATES))}")
    if how not in SWITCHES[thing]:
        raise _refused(f"there is no state of {thing} {how[:40]!r}; there are: {', '.join(SWITCHES[thing])}")
    return replace(mood, **SWITCHES[thing][how])


def _rate(word: str) -> float | None:
    if word == "off":
        return None
    try:
        rate = float(word)
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1e6:
        raise _refused(f"{word[:40]!r} is not a number a second above 0; or off")
    return rate


def _refused(message: str) -> Refused:
    return Refused("unknown", {"message": message})


def described(mood: Mood) -> dict[str, Any]:
    """Every field by its name."""
    return {field.name: getattr(mood, field.name) for field in fields(mood)}
