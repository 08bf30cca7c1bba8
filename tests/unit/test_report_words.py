"""What a report is made of: words in two languages, numbers as people write them, widths of columns."""

import ast
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.queue.commands import CALL_REASONS, DESTINATIONS
from kiosd.queue.settings import Language, RuleSettings
from kiosd.reports.codes import CODES
from kiosd.reports.content import period
from kiosd.reports.model import Identity
from kiosd.reports.numbers import Kind, Value, measured, month_year, plain, shown
from kiosd.reports.obstacles import FALLBACKS
from kiosd.reports.parts import Speaker
from kiosd.reports.render import render
from kiosd.reports.widths import fit
from kiosd.reports.words import WORDS
from support.samplereport import head, report

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def test_every_word_is_there_in_both_languages_in_ascii() -> None:
    for table in (WORDS, *CODES.values()):
        for key, names in table.items():
            assert set(names) == set(LANGUAGES), key
            for name in names.values():
                assert name.isascii(), key
                assert name.strip() == name != "", key
    for key, names in WORDS.items():
        fields = [set(re.findall(r"{(\w+)}", names[language])) for language in LANGUAGES]
        assert fields[0] == fields[1], f"{key} is filled with different facts"


def test_no_word_is_left_over() -> None:
    used = {
        node.value
        for path in (ROOT / "kiosd/reports").glob("*.py")
        if path.name != "words.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
    }
    page = (ROOT / "kiosd/reports/templates/report.html.jinja").read_text()
    assert [key for key in WORDS if key not in used and f'"{key}"' not in page] == []


def test_codes_of_the_rules_have_names() -> None:
    assert set(CALL_REASONS) == set(CODES["call_reason"])
    assert set(DESTINATIONS) == set(CODES["destination"])
    assert set(RuleSettings().refer_reasons) == set(CODES["refer_reason"])
    assert set(FALLBACKS) <= set(CODES["role"])
    assert set(FALLBACKS.values()) <= set(CODES["fallback"])
    assert set(get_args(Identity.model_fields["name"].annotation)) == set(CODES["sum"])


def test_a_code_of_the_sites_own_is_shown_as_it_is() -> None:
    text = render(report(), "text", "id").decode()
    assert "Tunggu verifikasi" in text
    assert "SBY02" in text


@pytest.mark.parametrize(
    ("value", "kind", "indonesian", "english"),
    [
        (1234567, "count", "1.234.567", "1,234,567"),
        (744, "minutes", "12,4", "12.4"),
        (3, "minutes", "0,1", "0.1"),  # 0.05 minutes: half up
        (74_070_000, "minutes", "1.234.500,0", "1,234,500.0"),
        (5400.0, "hours", "1,5", "1.5"),
        (0.85349, "percent", "85,3", "85.3"),
        (0.8535, "percent", "85,4", "85.4"),
        (1.0, "percent", "100,0", "100.0"),
        (Decimal("84.11"), "two", "84,11", "84.11"),
        (3.0625, "two", "3,06", "3.06"),
        (date(2026, 8, 17), "day", "17\u00a0Agu\u00a02026", "17\u00a0Aug\u00a02026"),
        (datetime(2026, 5, 1, 8, 5), "time", "1\u00a0Mei\u00a02026 08.05", "1\u00a0May\u00a02026 08:05"),  # noqa: DTZ001 - local already
        (None, "minutes", "-", "-"),
        (0, "count", "0", "0"),
        ("text", "time", "text", "text"),
    ],
)
def test_values_as_people_write_them(value: Value, kind: Kind, indonesian: str, english: str) -> None:
    assert shown(value, kind, "id") == indonesian
    assert shown(value, kind, "en") == english


def test_units_are_said() -> None:
    assert measured(744, "minutes", "id") == "12,4 menit"
    assert measured(744, "minutes", "en") == "12.4 minutes"
    assert measured(0.853, "percent", "id") == "85,3%"
    assert measured(None, "percent", "id") == "-"
    assert month_year(date(2026, 7, 1), "id") == "Juli 2026"


@given(st.decimals(min_value=0, max_value=10**9, places=4), st.sampled_from(["count", "minutes", "percent", "two"]))
def test_spreadsheet_and_paper_show_the_same_figure(value: Decimal, kind: Kind) -> None:
    paper = shown(value, kind, "id")
    sheet = plain(value, kind, "comma")
    assert paper.replace(".", "") == sheet
    assert plain(value, kind, "point") == sheet.replace(",", ".")


@pytest.mark.parametrize(
    ("first", "last", "indonesian", "english"),
    [
        ("2026-07-01", "2026-07-31", "Juli 2026", "July 2026"),
        ("2026-01-01", "2026-12-31", "Tahun 2026", "Year 2026"),
        ("2026-07-01", "2026-07-30", "1 Juli 2026 s.d. 30 Juli 2026", "1 July 2026 to 30 July 2026"),
        ("2026-07-09", "2026-07-09", "9 Juli 2026", "9 July 2026"),
        ("2025-12-01", "2026-01-31", "1 Desember 2025 s.d. 31 Januari 2026", "1 December 2025 to 31 January 2026"),
    ],
)
def test_the_period_in_words(first: str, last: str, indonesian: str, english: str) -> None:
    days = head(first=date.fromisoformat(first), last=date.fromisoformat(last))
    assert period(days, Speaker("id", "UTC")) == indonesian
    assert period(days, Speaker("en", "UTC")) == english


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(0, 200)), min_size=1, max_size=15), st.floats(50, 500))
def test_columns_fit_the_room_and_get_their_least_if_that_fits(sizes: list[tuple[float, float]], room: float) -> None:
    least = [low for low, _ in sizes]
    natural = [low + more for low, more in sizes]
    widths = fit(least, natural, room)
    assert sum(widths) <= room + 1e-6
    if sum(least) <= room:
        assert all(low - 1e-6 <= width <= high + 1e-6 for low, width, high in zip(least, widths, natural, strict=True))
