"""The charts of a report as vector graphics: the one drawing goes onto paper as it is and into a page as SVG.

Texts are Latin-1 at most (``latin``): what the standard fonts have, so that no font is carried along.
"""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from kiosd.ports import safe_text
from kiosd.queue.settings import Language
from kiosd.reports.numbers import UNKNOWN, Kind, Value, shown
from kiosd.reports.parts import Figure
from kiosd.reports.satisfaction import BANDS

if TYPE_CHECKING:
    from reportlab.graphics.charts.barcharts import HorizontalBarChart
    from reportlab.graphics.shapes import Drawing
    from reportlab.lib.colors import Color

Anchor = Literal["start", "middle", "end"]
Box = tuple[float, float, float, float]
"""Left, bottom, width, height."""

FONT, BOLD, SIZE = "Helvetica", "Helvetica-Bold", 7.5
INK, DARK, LIGHT, LINE = "#111111", "#1f4e79", "#9dbcd8", "#b8b8b8"
"""Dark and light differ also on a printer without colours."""
LABELS = 165
"""Points for the names at the left of bars."""
TALLEST = 640.0
"""Points that bars may take: more of them go into a second drawing, for no page is higher."""
MOST_LINES = 8  # of a name at the left; 80 characters need five at most


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one colour: how long each is, what stands at its end, and what the colour means."""

    values: tuple[float | None, ...]
    labels: tuple[str, ...]
    meaning: str = ""
    colour: str = DARK


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``, None: as far as the values need; ``steps``: value and label of the lines across, None: round numbers."""

    low: float
    high: float | None = None
    steps: dict[float, str] | None = None


def draw(figure: Figure, language: Language, width: float) -> list["Drawing"]:
    """``figure`` in drawings ``width`` points wide, one or more, in their order."""
    if figure.chart == "arrivals":
        return [_heat_map(figure, language, width)]
    names = ["\n".join(wrapped(f"{row[0]} {row[1]}", LABELS)[:MOST_LINES]) for row in figure.data.rows]
    high = _bar_height(names, 2 if figure.chart == "waits" else 1)
    axis = _axis(figure, language)
    return [
        _bars(names[part], _series(figure, figure.data.rows[part], language), axis, width, high) for part in _portions(len(names), high)
    ]


def _bar_height(names: list[str], bars: int) -> int:
    """Points for one name and its ``bars``; the same for all, so that lengths compare."""
    lines = max(name.count("\n") + 1 for name in names)
    return max(math.ceil(lines * SIZE * 1.2) + 5, bars * 9 + 7)


def _portions(rows: int, high: int) -> Iterator[slice]:
    """Parts of about the same size, none higher than ``TALLEST``."""
    parts = math.ceil(rows * high / TALLEST)
    size = math.ceil(rows / parts)
    return (slice(begin, begin + size) for begin in range(0, rows, size))


def _axis(figure: Figure, language: Language) -> Axis:
    if figure.chart == "waits":
        return Axis(0.0)
    if figure.chart == "availability":
        return Axis(0.0, 1.0, {step / 4: f"{step * 25}%" for step in range(5)})
    limits = {float(band.lowest): f"{shown(band.lowest, 'two', language)}\n{band.letter}" for band in reversed(BANDS)}
    return Axis(float(BANDS[-1].lowest), 100.0, limits | {100.0: shown(100, "two", language)})


def _series(figure: Figure, rows: Sequence[tuple[Value, ...]], language: Language) -> list[Series]:
    numeric = [(at, column) for at, column in enumerate(figure.data.columns) if column.numeric]
    if figure.chart == "index":
        return [Series(tuple(_length(row[2], "two") for row in rows), tuple(_index(row, language) for row in rows))]
    return [
        Series(
            tuple(_length(row[at], column.kind) for row in rows),
            tuple(shown(row[at], column.kind, language) for row in rows),
            column.titled(language),
            colour,
        )
        for (at, column), colour in zip(numeric, (DARK, LIGHT), strict=False)
    ]


def _index(row: tuple[Value, ...], language: Language) -> str:
    """``84,11 B (n = 96)``: an index is never shown without how many answered."""
    return UNKNOWN if row[2] is None else f"{shown(row[2], 'two', language)} {row[3]} (n = {shown(row[4], 'count', language)})"


def _length(value: Value, kind: Kind) -> float | None:
    if not isinstance(value, int | float | Decimal):
        return None
    return float(value) / 60 if kind == "minutes" else float(value)


def latin(text: str) -> str:
    """``text`` in the characters that the standard fonts of PDF have; what they lack becomes plain ASCII or ``?``."""
    return "".join(char if char.encode("cp1252", "ignore") else safe_text(char) for char in unicodedata.normalize("NFC", text))


def wrapped(text: str, width: float, font: str = FONT, size: float = SIZE) -> list[str]:
    """``text`` in lines of at most ``width`` points; a word that is wider is broken."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    lines = [""]
    for word in latin(text).split():
        line = f"{lines[-1]} {word}".strip()
        if stringWidth(line, font, size) <= width:
            lines[-1] = line
            continue
        lines += [word] if lines[-1] else []
        while stringWidth(rest := lines[-1] or word, font, size) > width:
            cut = next(at for at in range(len(rest), 0, -1) if at == 1 or stringWidth(rest[:at], font, size) <= width)
            lines[-1:] = [rest[:cut], rest[cut:]]
    return lines


def _bars(names: list[str], series: list[Series], axis: Axis, width: float, high: int) -> "Drawing":
    from reportlab.graphics.charts.barcharts import HorizontalBarChart
    from reportlab.graphics.shapes import Drawing

    chart = HorizontalBarChart()
    chart.x, chart.y = LABELS + 8, 22
    chart.width, chart.height = int(width) - LABELS - 90, len(names) * high
    drawn = series[::-1]  # rows run downwards, and with them the series of a row: the first one is to be on top
    chart.data = [tuple(axis.low if value is None else value for value in one.values) for one in drawn]
    _style_axes(chart, names, axis)
    _style_bars(chart, drawn)
    drawing = Drawing(width, chart.y + chart.height + (16 if len(series) > 1 else 4))
    drawing.add(chart)
    if len(series) > 1:
        _legend(drawing, series, chart.x, chart.y + chart.height + 5)
    else:
        for row, label in enumerate(series[0].labels):
            _write(drawing, chart.x + chart.width + 8, chart.y + chart.height - (row + 0.5) * high - 2.5, label, "start")
    return drawing


def _style_axes(chart: "HorizontalBarChart", names: list[str], axis: Axis) -> None:
    from reportlab.lib.colors import HexColor

    names_axis, values_axis = chart.categoryAxis, chart.valueAxis
    names_axis.categoryNames, names_axis.reverseDirection = names, 1
    names_axis.labels.boxAnchor, names_axis.labels.dx, names_axis.labels.textAnchor = "e", -4, "start"
    names_axis.visibleTicks = 0
    values_axis.valueMin, values_axis.valueMax = axis.low, axis.high
    values_axis.visibleGrid, values_axis.gridStrokeColor, values_axis.gridStrokeWidth = 1, HexColor(LINE), 0.5
    values_axis.visibleAxis = values_axis.visibleTicks = 0
    values_axis.labels.textAnchor = "middle"
    if axis.steps is not None:
        values_axis.valueSteps, values_axis.labelTextFormat = list(axis.steps), list(axis.steps.values())
    for one in (names_axis, values_axis):
        one.strokeColor = HexColor(LINE)
        one.labels.fontName, one.labels.fontSize, one.labels.fillColor = FONT, SIZE, HexColor(INK)


def _style_bars(chart: "HorizontalBarChart", series: list[Series]) -> None:
    from reportlab.lib.colors import HexColor, white

    chart.groupSpacing = 4
    chart.bars.strokeWidth, chart.bars.strokeColor = 0, None
    for at, one in enumerate(series):
        chart.bars[at].fillColor = HexColor(one.colour)
    if len(series) == 1:
        return  # the values stand at the right, clear of the lines
    chart.barLabelFormat, chart.barLabelArray = "values", [list(one.labels) for one in series]
    labels = chart.barLabels
    labels.boxAnchor, labels.nudge, labels.dx, labels.boxFillColor = "w", 0, 3, white
    labels.fontName, labels.fontSize, labels.fillColor = FONT, SIZE, HexColor(INK)


def _legend(drawing: "Drawing", series: list[Series], x: float, y: float) -> None:
    from reportlab.graphics.shapes import String
    from reportlab.lib.colors import HexColor

    for at, one in enumerate(series):
        left = x + at * 130
        _box(drawing, (left, y, 8, 6), HexColor(one.colour))
        drawing.add(String(left + 11, y, one.meaning, fontName=FONT, fontSize=SIZE, fillColor=HexColor(INK)))


def _heat_map(figure: Figure, language: Language, width: float) -> "Drawing":
    """One row per weekday, one column per hour, each with its count: the colour alone tells nobody who cannot see it."""
    from reportlab.graphics.shapes import Drawing

    days = figure.data.columns[1:]
    rows = figure.data.rows
    left, high = 48.0, 18.0
    wide = min(44.0, (width - left) / len(rows))
    most = max(count for row in rows for count in row[1:] if isinstance(count, int))
    drawing = Drawing(width, high * len(days) + 16)
    for down, day in enumerate(days):
        y = high * (len(days) - 1 - down)
        _write(drawing, left - 5, y + 6, day.head, "end")
        for across, row in enumerate(rows):
            _cell(drawing, (left + across * wide, y, wide, high), row[down + 1], most, language)
    for across, row in enumerate(rows):
        _write(drawing, left + (across + 0.5) * wide, high * len(days) + 5, str(row[0]), "middle")
    return drawing


def _box(drawing: "Drawing", box: Box, fill: "Color", line: "Color | None" = None) -> None:
    from reportlab.graphics.shapes import Rect

    shape = Rect(*box)
    shape.fillColor, shape.strokeColor, shape.strokeWidth = fill, line, 0.5
    drawing.add(shape)


def _cell(drawing: "Drawing", box: Box, count: Value, most: int, language: Language) -> None:
    from reportlab.lib.colors import HexColor, linearlyInterpolatedColor, white

    share = count / most if isinstance(count, int) else 0.0
    fill = linearlyInterpolatedColor(white, HexColor(DARK), 0, 1, share)
    x, y, wide, _ = box
    _box(drawing, box, fill, HexColor(LINE))
    _write(drawing, x + wide / 2, y + 6, shown(count, "count", language), "middle", "#ffffff" if share > 0.65 else INK)


def _write(drawing: "Drawing", x: float, y: float, text: str, anchor: Anchor, colour: str = INK) -> None:
    from reportlab.graphics.shapes import String
    from reportlab.lib.colors import HexColor

    drawing.add(String(x, y, latin(text), fontName=FONT, fontSize=SIZE - 0.5, fillColor=HexColor(colour), textAnchor=anchor))
