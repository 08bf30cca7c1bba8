"""The satisfaction index and its sample size in exact arithmetic (domain section 8).

Rule 1  Means pool the presses: every rating weighs the same; a mean of means would let a quiet day outvote a busy one.
Rule 2  Values are rounded once, half up, to two decimals, and bands are read from the ROUNDED value, as a reader would.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal

from kiosd.queue.settings import Language
from kiosd.queue.survey import ELEMENTS

SCORES = (4, 3, 2, 1)
"""Sangat Puas, Puas, Kurang Puas, Tidak Puas."""
SCALE = 25
"""A mean of 1 to 4 times this is the value, 25 to 100 (PermenPANRB 14/2017)."""

Weight = Literal["exact", "0.11", "0.111"]
"""What one of the nine elements weighs: exactly 1/9, or one of the two roundings of it in use."""

_X2, _P, _D = Fraction("3.841"), Fraction(1, 2), Fraction("0.05")  # Krejcie and Morgan 1970: chi-square at 95 %, proportion, error


@dataclass(frozen=True, slots=True)
class Band:
    """Quality of service for values from ``lowest`` up to the next band (PermenPANRB 14/2017)."""

    letter: str
    lowest: Decimal
    names: Mapping[Language, str]


BANDS = (
    Band("A", Decimal("88.31"), {"id": "Sangat Baik", "en": "Very good"}),
    Band("B", Decimal("76.61"), {"id": "Baik", "en": "Good"}),
    Band("C", Decimal("65.00"), {"id": "Kurang Baik", "en": "Less good"}),
    Band("D", Decimal("25.00"), {"id": "Tidak Baik", "en": "Not good"}),
)


@dataclass(frozen=True, slots=True)
class Index:
    """A satisfaction index: the exact ``mean`` over ``n`` presses or forms, on the scale of 1 to 4; None when there are none."""

    n: int
    mean: Fraction | None

    @property
    def value(self) -> Decimal | None:
        """25.00 to 100.00, two decimals."""
        return None if self.mean is None else half_up(self.mean * SCALE)

    @property
    def band(self) -> Band | None:
        """The band of the rounded value."""
        return None if self.value is None else band(self.value)

    @property
    def shown(self) -> str:
        """``84.11``, or ``-`` without answers: no answers are not a bad mark."""
        return "-" if self.value is None else str(self.value)


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """Nine-element survey. ``index.n`` counts forms with an answer; ``n`` and ``nrr`` (mean of filled answers) are per element.

    ``weight`` is the rule that was used, for the report to name; ``share`` what one element weighed by it.
    """

    index: Index
    n: Mapping[str, int]
    nrr: Mapping[str, Fraction | None]
    weight: Weight
    share: Fraction | None


def half_up(value: Fraction) -> Decimal:
    """``value`` (not negative) to two decimals, halves up: 88.305 -> 88.31."""
    return Decimal(floor(value * 100 + Fraction(1, 2))).scaleb(-2)


def band(value: Decimal) -> Band:
    """The band of a rounded value. What is under 25.00 is D too: weights of 0.11 put nine times Tidak Puas at 24.75."""
    return next((row for row in BANDS if value >= row.lowest), BANDS[-1])


def index(counts: Mapping[int, int]) -> Index:
    """Index of a one-question panel from score -> presses. ``ValueError`` for a score outside 1 to 4 or a negative count."""
    if not set(counts) <= set(SCORES) or min(counts.values(), default=0) < 0:
        raise ValueError(f"scores are 1 to 4 and counts not negative, not {dict(counts)}")
    n = sum(counts.values())
    return Index(n, Fraction(sum(score * count for score, count in counts.items()), n) if n else None)


def survey(answers: Iterable[Mapping[str, int]], weight: Weight = "exact") -> SurveyResult:
    """Nine-element index from forms of element -> score; an element left out was not answered. ``ValueError`` for unknown elements.

    Each element's mean (NRR) is over its own filled answers. An element that nobody answered has no mean: it is neither good nor
    bad, so the others share its weight, 1/k for k answered elements. A fixed weight is a rounded 1/9 and would count the missing
    element as zero; with fewer than nine answered the exact weight is used instead, and the result says so.
    """
    forms = [form for form in answers if form]
    given = Counter((element, score) for form in forms for element, score in form.items())
    if unknown := {element for element, _ in given} - ELEMENTS.keys():
        raise ValueError(f"no survey element is called {', '.join(sorted(unknown))}")
    each = {element: index({score: n for (name, score), n in given.items() if name == element}) for element in ELEMENTS}
    means = [one.mean for one in each.values() if one.mean is not None]
    used: Weight = weight if len(means) == len(ELEMENTS) else "exact"
    share = (Fraction(1, len(means)) if used == "exact" else Fraction(used)) if means else None
    mean = None if share is None else sum(means, Fraction(0)) * share
    return SurveyResult(
        index=Index(len(forms), mean),
        n={element: one.n for element, one in each.items()},
        nrr={element: one.mean for element, one in each.items()},
        weight=used,
        share=share,
    )


def sample_size(population: int) -> int:
    """How many answers a population needs (Krejcie-Morgan: 95 %, P = 0.5, error 0.05), to the nearest: 500 -> 217.

    ``ValueError`` for a negative population.
    """
    if population < 0:
        raise ValueError("a population is not negative")
    spread = _X2 * _P * (1 - _P)
    return floor(spread * population / (_D**2 * (population - 1) + spread) + Fraction(1, 2))
