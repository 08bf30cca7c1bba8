"""Index, bands, nine-element survey and sample size (domain section 8), against independent arithmetic."""

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.queue.survey import ELEMENTS
from kiosd.reports.satisfaction import BANDS, Index, Weight, band, half_up, index, sample_size, survey

COUNTS = st.fixed_dictionaries({score: st.integers(0, 5000) for score in (1, 2, 3, 4)})
FORMS = st.lists(st.dictionaries(st.sampled_from(sorted(ELEMENTS)), st.integers(1, 4)), max_size=12)


def by_division(total: Fraction) -> Decimal:
    """The oracle: 60 figures of decimal division, then the library's own half-up; figures here are far from needing 60."""
    with localcontext(prec=60):
        return (Decimal(total.numerator) / Decimal(total.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def all_nine(score: int) -> dict[str, int]:
    return dict.fromkeys(ELEMENTS, score)


def mean_of(found: Index) -> Fraction:
    assert found.mean is not None
    return found.mean


def test_the_worked_counts() -> None:
    found = index({4: 52, 3: 31, 2: 9, 1: 4})
    assert (found.n, found.mean, found.shown) == (96, Fraction(323, 96), "84.11")
    assert found.value == Decimal("84.11")
    assert found.band is not None and (found.band.letter, found.band.names["id"], found.band.names["en"]) == ("B", "Baik", "Good")


@pytest.mark.parametrize("counts", [{}, {4: 0, 3: 0, 2: 0, 1: 0}])
def test_no_answers_are_no_mark(counts: dict[int, int]) -> None:
    found = index(counts)
    assert (found.n, found.mean, found.value, found.band, found.shown) == (0, None, None, None, "-")


@pytest.mark.parametrize(("score", "shown", "letter"), [(4, "100.00", "A"), (3, "75.00", "C"), (2, "50.00", "D"), (1, "25.00", "D")])
def test_everybody_of_one_mind(score: int, shown: str, letter: str) -> None:
    found = index({score: 7})
    assert found.band is not None and (found.shown, found.band.letter) == (shown, letter)


@pytest.mark.parametrize(
    ("exact", "rounded", "letter"),
    [
        ("100", "100.00", "A"),
        ("88.31", "88.31", "A"),
        ("88.305", "88.31", "A"),
        ("88.304999999999", "88.30", "B"),
        ("88.304", "88.30", "B"),
        ("76.61", "76.61", "B"),
        ("76.605", "76.61", "B"),
        ("76.604", "76.60", "C"),
        ("65", "65.00", "C"),
        ("64.995", "65.00", "C"),
        ("64.994", "64.99", "D"),
        ("25", "25.00", "D"),
    ],
)
def test_the_band_is_read_from_the_rounded_value(exact: str, rounded: str, letter: str) -> None:
    found = Index(1, Fraction(exact) / 25)
    assert found.band is not None and (found.shown, found.band.letter) == (rounded, letter)


def test_every_value_of_two_decimals_has_the_band_of_the_regulation() -> None:
    letters = Counter(band(Decimal(cents).scaleb(-2)).letter for cents in range(2500, 10_001))
    assert letters == {"A": 10000 - 8831 + 1, "B": 8830 - 7661 + 1, "C": 7660 - 6500 + 1, "D": 6499 - 2500 + 1}
    assert [row.names["id"] for row in BANDS] == ["Sangat Baik", "Baik", "Kurang Baik", "Tidak Baik"]


@given(st.decimals(0, 100, places=6))
def test_rounding_is_the_librarys_half_up(value: Decimal) -> None:
    assert half_up(Fraction(value)) == value.quantize(Decimal("0.01"), ROUND_HALF_UP)


@given(st.integers(0, 9999))
def test_a_half_goes_up_and_a_hair_less_goes_down(cents: int) -> None:
    half = Fraction(2 * cents + 1, 200)
    assert half_up(half) == Decimal(cents + 1).scaleb(-2)
    assert half_up(half - Fraction(1, 10**30)) == Decimal(cents).scaleb(-2)


@given(COUNTS)
def test_the_index_is_the_mean_press_times_25(counts: dict[int, int]) -> None:
    presses = [score for score, n in counts.items() for _ in range(n)]
    found = index(counts)
    assert found.n == len(presses)
    if presses:
        assert found.value == by_division(Fraction(25 * sum(presses), len(presses)))
        assert found.value is not None and Decimal("25.00") <= found.value <= Decimal("100.00")
        assert found.shown == f"{found.value:.2f}"


@given(COUNTS)
def test_turning_every_answer_round_mirrors_the_index(counts: dict[int, int]) -> None:
    found, mirrored = index(counts), index({5 - score: n for score, n in counts.items()})
    if found.n:
        assert mean_of(found) + mean_of(mirrored) == 5
        assert found.value is not None and mirrored.value is not None
        assert found.value + mirrored.value in {Decimal("125.00"), Decimal("125.01")}  # two halves both go up


@given(COUNTS, COUNTS)
def test_presses_are_pooled(one: dict[int, int], other: dict[int, int]) -> None:
    a, b, both = index(one), index(other), index(Counter(one) + Counter(other))
    if a.n and b.n:
        assert mean_of(both) * (a.n + b.n) == mean_of(a) * a.n + mean_of(b) * b.n


def test_a_quiet_day_does_not_outvote_a_busy_one() -> None:
    assert index(Counter({4: 99}) + Counter({1: 1})).shown == "99.25"  # the mean of the two days' means would be 62.50


@pytest.mark.parametrize("counts", [{5: 1}, {0: 1}, {4: -1}])
def test_counts_that_cannot_be_are_errors(counts: Mapping[int, int]) -> None:
    with pytest.raises(ValueError, match="1 to 4"):
        index(counts)


def test_the_nine_elements() -> None:
    assert list(ELEMENTS) == ["persyaratan", "prosedur", "waktu", "biaya", "produk", "kompetensi", "perilaku", "sarana", "pengaduan"]
    assert all(set(names) == {"id", "en"} and "".join(names.values()).isascii() for names in ELEMENTS.values())


@pytest.mark.parametrize(
    ("weight", "score", "shown", "letter"),
    [
        ("exact", 4, "100.00", "A"),
        ("0.111", 4, "99.90", "A"),
        ("0.11", 4, "99.00", "A"),
        ("exact", 1, "25.00", "D"),
        ("0.111", 1, "24.98", "D"),
        ("0.11", 1, "24.75", "D"),
    ],
)
def test_the_weight_is_used_as_chosen_and_named(weight: Weight, score: int, shown: str, letter: str) -> None:
    result = survey([all_nine(score)] * 3, weight)
    assert result.index.band is not None
    assert (result.index.shown, result.index.band.letter, result.weight, result.index.n) == (shown, letter, weight, 3)
    assert result.share == (Fraction(1, 9) if weight == "exact" else Fraction(weight))


def test_an_elements_mean_is_over_its_own_filled_answers() -> None:
    forms = [all_nine(4), all_nine(3) | {"biaya": 1}, {"waktu": 1}, {}]
    result = survey(forms)
    assert result.index.n == 3  # the empty form is no answer
    assert (result.n["waktu"], result.nrr["waktu"]) == (3, Fraction(8, 3))
    assert (result.n["biaya"], result.nrr["biaya"]) == (2, Fraction(5, 2))
    assert mean_of(result.index) == (7 * Fraction(7, 2) + Fraction(8, 3) + Fraction(5, 2)) / 9


@pytest.mark.parametrize("weight", ["exact", "0.11", "0.111"])
def test_an_unanswered_element_is_neither_good_nor_bad(weight: Weight) -> None:
    """Nobody pays here, nobody answers "biaya": all others at 4 are 100, not 88.89, and the weight named is the one used."""
    form = all_nine(4)
    del form["biaya"]
    result = survey([form, form], weight)
    assert (result.index.shown, result.weight, result.share) == ("100.00", "exact", Fraction(1, 8))
    assert (result.n["biaya"], result.nrr["biaya"]) == (0, None)


@pytest.mark.parametrize("forms", [[], [{}]])
def test_a_survey_without_answers(forms: list[dict[str, int]]) -> None:
    result = survey(forms)
    assert (result.index.n, result.index.shown, result.share) == (0, "-", None)
    assert set(result.n.values()) == {0} and set(result.nrr.values()) == {None}


@given(FORMS)
def test_the_survey_is_the_mean_of_the_elements_means(forms: list[dict[str, int]]) -> None:
    result = survey(forms)
    columns = [[form[element] for form in forms if element in form] for element in ELEMENTS]
    means = [Fraction(sum(column), len(column)) for column in columns if column]
    if means:
        assert result.index.value == by_division(25 * sum(means, Fraction(0)) / len(means))
        mirrored = survey([{element: 5 - score for element, score in form.items()} for form in forms])
        assert mean_of(result.index) + mean_of(mirrored.index) == 5
    assert survey(reversed(forms)) == result


@pytest.mark.parametrize(("form", "why"), [({"kebersihan": 4}, "kebersihan"), ({"waktu": 5}, "1 to 4"), ({"waktu": 0}, "1 to 4")])
def test_answers_that_cannot_be_are_errors(form: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        survey([form])


PUBLISHED = {
    10: 10, 20: 19, 50: 44, 100: 80, 150: 108, 200: 132, 300: 169, 400: 196, 500: 217, 600: 234, 700: 248, 838: 264, 1000: 278,
    2000: 322, 5000: 357, 10_000: 370, 50_000: 381, 75_000: 382, 1_000_000: 384,
}  # fmt: skip
"""Rows of the authors' table, and the domain's 838."""


@pytest.mark.parametrize(("population", "sample"), PUBLISHED.items())
def test_the_published_samples(population: int, sample: int) -> None:
    assert sample_size(population) == sample


@pytest.mark.parametrize(("population", "sample"), [(255, 153), (275, 161)])
def test_chi_square_is_3_841(population: int, sample: int) -> None:
    """1.96 squared (3.8416) would ask 154 of 255, and 3.84 only 160 of 275."""
    assert sample_size(population) == sample


def test_a_sample_grows_and_never_passes_its_population() -> None:
    sizes = [sample_size(population) for population in range(3000)]
    assert sizes[:3] == [0, 1, 2]
    assert sizes == sorted(sizes)
    assert all(size <= population for population, size in enumerate(sizes))
    with pytest.raises(ValueError, match="negative"):
        sample_size(-1)
