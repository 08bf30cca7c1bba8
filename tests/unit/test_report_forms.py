"""A report says the same in every form: text, csv and json, in two languages; numbers, words and the published schema."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from kiosd.queue.settings import Language
from kiosd.redact import PLAIN
from kiosd.reports.ask import Format
from kiosd.reports.content import document
from kiosd.reports.model import Report
from kiosd.reports.numbers import Mark, measured, plain, shown
from kiosd.reports.parts import Fact, Facts, Figure, Table
from kiosd.reports.render import render
from kiosd.reports.schema import schema_text
from kiosd.reports.table_csv import FORMULA, guarded
from kiosd.reports.text import WIDTH
from support.samplereport import empty, hostile, long_names, report

ROOT = Path(__file__).parents[2]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FORMS: tuple[Format, ...] = get_args(Format)


def tables(of: Report, language: Language) -> Iterator[Table]:
    """Every table that a form must show."""
    for section in document(of, language).sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield block
            elif isinstance(block, Figure):
                yield block.data


def facts(of: Report, language: Language) -> Iterator[Fact]:
    for section in document(of, language).sections:
        for block in section.blocks:
            if isinstance(block, Facts):
                yield from block.facts


def numbers(part: object) -> Iterator[int | float | Decimal]:
    """Every number of a report's model."""
    match part:
        case bool() | str() | date() | None:
            return
        case int() | float() | Decimal():
            yield part
        case dict():
            for value in part.values():
                yield from numbers(value)
        case list() | tuple():
            for value in part:
                yield from numbers(value)
        case _:
            raise AssertionError(part)


def rows(of: Report, language: Language = "id", mark: Mark = "comma") -> list[list[str]]:
    text = render(of, "csv", language, mark).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if mark == "comma" else ","))


# Json


def test_json_is_the_report_itself() -> None:
    assert Report.model_validate_json(render(report(), "json", "id")) == report()
    assert json.loads(render(report(), "json", "en"))["satisfaction"]["index"] == "86.62"


def test_the_published_schema_is_the_models() -> None:
    assert (ROOT / "docs/report.schema.json").read_text() == schema_text(), "write schema_text() to docs/report.schema.json"


# Csv


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mark", get_args(Mark))
def test_csv_holds_every_table_as_a_rectangle(language: Language, mark: Mark) -> None:
    found = rows(report(), language, mark)
    for table in tables(report(), language):
        lines = [*table.rows, *([table.total] if table.total else [])]
        wanted = [[guarded(plain(value, column.kind, mark)) for value, column in zip(line, table.columns, strict=True)] for line in lines]
        heads = [column.titled(language) for column in table.columns]
        if heads not in found:
            assert "P90" in heads[-1] or "index" in table.title.lower() or "indeks" in table.title.lower(), "only charts repeat a table"
            continue
        at = next(at for at, line in enumerate(found) if line[:1] == [table.title] and found[at + 1] == heads)
        assert found[at + 2 : at + 2 + len(lines)] == wanted
        assert found[at + 2 + len(lines)] == [], "an empty line parts the tables"
        assert {len(line) for line in found[at : at + 2 + len(lines)]} == {len(heads)}


def test_csv_numbers_are_those_of_the_report() -> None:
    found = rows(report())
    at = next(at for at, line in enumerate(found) if line[:1] == ["Waktu dan penilaian"])
    for line, cells in zip(report().services, found[at + 2 :], strict=False):
        _, _, waits, mean, _, p90, *_, index, _, response = cells
        assert int(waits) == line.waits
        assert line.wait_mean_s is not None
        assert line.wait_p90_s is not None
        assert float(mean.replace(",", ".")) == pytest.approx(line.wait_mean_s / 60, abs=0.05)
        assert float(p90.replace(",", ".")) == pytest.approx(line.wait_p90_s / 60, abs=0.05)
        assert Decimal(index.replace(",", ".")) == line.index
        assert line.response is not None
        assert float(response.replace(",", ".")) == pytest.approx(line.response * 100, abs=0.05)


def test_csv_opens_right_in_a_spreadsheet() -> None:
    raw = render(report(), "csv", "id", "comma")
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b"Jam buka dalam periode (jam);170,0\r\n" in raw
    assert b"Opening time in the period (hours),170.0\r\n" in render(report(), "csv", "en", "point")
    assert ["Pencetak tiket (printer)", "2026-07-01 08:05", "2026-07-01 08:42", "37"] in [row[:4] for row in rows(report())]


def test_csv_leaves_a_cell_empty_where_nothing_is_known() -> None:
    found = rows(empty())
    assert ["F", "Jaminan Sosial Tenaga Kerja", "0", "", "", "", "0", "", "0", "", "", ""] in found
    assert ["Nilai indeks", ""] in found


def test_no_text_becomes_a_formula() -> None:
    for row in rows(hostile()):
        for cell in row:
            assert cell[:1] not in FORMULA, cell
    cells = [cell for row in rows(hostile()) for cell in row]
    assert '\'=HYPERLINK("http://example.org";"x")' in cells
    assert "'+62 800" in cells
    assert "'\uff1d1+1" in cells
    assert "'@SUM(A1)" in cells


# Text


@pytest.mark.parametrize("make", [report, empty, long_names, hostile])
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_fits_a_terminal(make: Callable[[], Report], language: Language) -> None:
    text = render(make(), "text", language).decode()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_holds_every_value(language: Language) -> None:
    text = " ".join(render(report(), "text", language).decode().split())
    for fact in facts(report(), language):
        assert " ".join(measured(fact.value, fact.kind, language).split()) in text, fact.label
    cells = {
        " ".join(shown(value, column.kind, language).split())
        for table in tables(report(), language)
        for row in table.rows
        for value, column in zip(row, table.columns, strict=True)
        if column.numeric
    }
    assert cells <= set(text.split())


def test_text_shows_what_is_not_known_as_a_dash() -> None:
    lines = render(empty(), "text", "id").decode().splitlines()
    assert "Selesai pada hari yang sama: -" in lines
    assert "Nilai indeks                              : -" in lines
    assert any(re.fullmatch(r"Tunggu P90 \(menit\) +- +-", line) for line in lines)


# What holds in every form


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", [report, empty, long_names, hostile])
def test_every_report_has_every_form(make: Callable[[], Report], language: Language, form: Format) -> None:
    raw = render(make(), form, language, "comma")
    assert not PLAIN.search(raw.decode("latin-1")), "16 digits in a row"


@pytest.mark.parametrize("form", ["text", "csv"])
def test_a_sum_that_does_not_agree_is_shown_with_both_numbers(form: Format) -> None:
    text = render(hostile(), form, "id").decode()
    assert "PERHATIAN: ada penjumlahan yang tidak cocok." in text
    assert "4.711 lawan 4.712" in text
    assert "Diproses = selesai + dirujuk + dialihkan keluar (semua layanan): 1 lawan 2" in text
    assert "Semua penjumlahan cocok (9 diperiksa)." in render(report(), form, "id").decode()


@pytest.mark.parametrize("form", ["text", "csv"])
def test_a_report_says_what_it_is_not(form: Format) -> None:
    assert "not from the nine-element survey" in render(report(), form, "en").decode()
    assert "hanya tentang layanan A, B" in render(hostile(), form, "id").decode()
    assert "Sebagian data tidak lengkap (1 catatan); lihat bagian f." in render(report(), form, "id").decode()
    assert "Tidak ada kekurangan data yang diketahui." in render(empty(), form, "id").decode()


def test_every_number_of_the_report_is_in_the_document() -> None:
    """What the model gained but no form shows would be missing here."""
    shown_values = {value for table in tables(report(), "id") for row in (*table.rows, table.total or ()) for value in row}
    shown_values |= {fact.value for fact in facts(report(), "id")}
    texts = " ".join(str(value) for value in shown_values)
    for part in report().model_dump(exclude={"identities", "gaps", "arrivals"}).items():
        for number in numbers(part[1]):
            grouped = f"{number:,}".replace(",", ".")
            assert number in shown_values or grouped in texts, f"{number} of {part[0]} is nowhere"


def test_the_weight_of_the_survey_is_said() -> None:
    assert "Bobot setiap unsur : 0,11" in render(report(), "text", "id").decode()
    assert "Weight of each element: 0.11" in render(report(), "text", "en").decode()
