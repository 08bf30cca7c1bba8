"""Section (e) of a report: what visitors thought."""

from collections.abc import Iterator

from kiosd.reports.model import Report, Satisfaction, SurveyPart
from kiosd.reports.numbers import shown
from kiosd.reports.parts import Block, Fact, Facts, Figure, Remark, Speaker, Table, counted, free
from kiosd.reports.satisfaction import BANDS


def satisfaction(report: Report, say: Speaker) -> Iterator[Block]:
    """The panel's index with its band, n and sample check; then the nine-element survey if anybody answered it."""
    given = report.satisfaction
    yield Remark(say("one_question"))
    yield Facts(say("e"), tuple(_panel(given, say)))
    answers = [(f"{score} {say.code('score', str(score))}", n) for score, n in sorted(given.counts.items(), reverse=True)]
    yield counted(say("presses"), (say.head("answer"), say.head("count", "count")), answers)
    if any(line.index is not None for line in report.services):
        yield _chart(report, say)
    if given.survey is not None:
        yield from _survey(given.survey, say)


def _panel(given: Satisfaction, say: Speaker) -> Iterator[Fact]:
    yield Fact(say("index_value"), given.index, "two")
    yield Fact(say("index_band"), band_name(given.band, say))
    yield Fact(say("n"), given.ratings, "count")
    yield Fact(say("population"), given.population, "count")
    yield Fact(say("response_rate"), given.response, "percent")
    yield Fact(say("sample_size"), given.sample_size, "count")
    yield Fact(say("enough"), say("yes" if given.enough else "no"))
    for key in ("ambiguous", "ignored", "unattributed"):
        yield Fact(say(key), getattr(given, key), "count")


def band_name(letter: str, say: Speaker) -> str | None:
    """``B (Baik)``; None for no band."""
    return next((f"{band.letter} ({band.names[say.language]})" for band in BANDS if band.letter == letter), None)


def _chart(report: Report, say: Speaker) -> Figure:
    bands = ", ".join(f"{band.letter} {shown(band.lowest, 'two', say.language)}" for band in BANDS)
    rows = tuple((line.service, free(line.name), line.index, line.band or None, line.ratings) for line in report.services)
    columns = (
        *say.heads(("letter", "service")), say.head("index", "two"), say.head("band"), say.head("ratings", "count"),
    )  # fmt: skip
    data = Table(say("index_chart"), columns, rows, coded=True)
    return Figure("index", say("index_chart"), say("index_desc", bands=bands), data, repeats=True)


def _survey(part: SurveyPart, say: Speaker) -> Iterator[Block]:
    weight = say("weight_exact") if part.weight == "exact" else part.weight.replace(".", "," if say.language == "id" else ".")
    yield Facts(
        say("survey"),
        (
            Fact(say("answers"), part.answers, "count"),
            Fact(say("survey_value"), part.value, "two"),
            Fact(say("index_band"), band_name(part.band, say)),
            Fact(say("weight"), weight),
        ),
        named=True,
    )
    rows = [(say.code("element", item.element), item.n, item.mean) for item in part.elements]
    yield counted(say("by_element"), (say.head("element"), say.head("element_n", "count"), say.head("element_mean", "two")), rows)
