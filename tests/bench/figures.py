"""A figure: what was measured, what this machine can do at best, the bound it should keep, and whether it does."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Literal

FALLS_SHORT = "falls short"
MARK = re.compile(r"(<!-- bench -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = ("figure", "measured", "this machine's own limit, measured in turn", "ratio", "bound", "verdict")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a figure may be: as it is (``value``), or as a multiple of the machine's limit (``ratio``)."""

    kind: Literal["value", "ratio"]
    most: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Many measurements of one thing: the middle one, and what 99 of 100 keep (None where there are too few to say)."""

    p50: float
    p99: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of ``values``; ``ValueError`` when there are none."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(median(values), percentile(values, 0.99) if len(values) >= 100 else None)


@dataclass(slots=True)
class Pair:
    """Measurements of ours and of the machine's limit, taken in turn so that drift touches both."""

    ours: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. ``limit_is`` says what the limit is; a figure without a bound only informs."""

    name: str
    unit: str
    measured: Spread
    limit: Spread | None = None
    limit_is: str = ""
    bound: Bound | None = None

    @property
    def ratio(self) -> float | None:
        """Measured by limit, at p50."""
        return self.measured.p50 / self.limit.p50 if self.limit is not None and self.limit.p50 else None

    @property
    def verdict(self) -> str:
        """``ok``, ``falls short``, or nothing where there is no bound. A ratio that could not be measured falls short."""
        if self.bound is None:
            return ""
        value = self.measured.p50 if self.bound.kind == "value" else self.ratio
        return "ok" if value is not None and value <= self.bound.most else FALLS_SHORT


def compared(name: str, unit: str, pair: Pair, limit_is: str, bound: Bound | None = None) -> Figure:
    """The figure of a pair of measurements."""
    return Figure(name, unit, Spread.of(pair.ours), Spread.of(pair.raw), limit_is, bound)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _spread(spread: Spread, unit: str) -> str:
    tail = f" (p99 {_number(spread.p99)})" if spread.p99 is not None else ""
    return f"{_number(spread.p50)} {unit}{tail}".strip()


def _bound(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    if figure.bound.kind == "ratio":
        return f"<= {figure.bound.most:g}x"
    return f"{'<= ' if figure.bound.most else ''}{figure.bound.most:g} {figure.unit}".strip()


def cells(figure: Figure) -> tuple[str, ...]:
    """A row of the table, as text."""
    limit = f"{_spread(figure.limit, figure.unit)}: {figure.limit_is}" if figure.limit is not None else ""
    ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
    return figure.name, _spread(figure.measured, figure.unit), limit, ratio, _bound(figure), figure.verdict


def table(figures: Iterable[Figure]) -> str:
    """All figures as one Markdown table whose columns also stand in line on a terminal."""
    rows = [HEAD, *(cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def as_json(figures: Iterable[Figure]) -> str:
    """All figures for a program, one object each."""
    return json.dumps([asdict(figure) | {"ratio": figure.ratio, "verdict": figure.verdict} for figure in figures], indent=2)


def in_page(page: str, text: str) -> str:
    """``page`` with ``text`` between its bench marks; ``ValueError`` when it has none."""
    if not MARK.search(page):
        raise ValueError("the page has no place for figures: <!-- bench --> ... <!-- end -->")
    return MARK.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)
