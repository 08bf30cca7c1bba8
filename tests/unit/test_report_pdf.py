"""The report on paper: A4, every number, long names whole, nothing outside the margins; pypdf reads it back."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from pypdf import PdfReader
from reportlab.pdfbase.pdfmetrics import stringWidth

from kiosd.queue.settings import Language
from kiosd.redact import PLAIN
from kiosd.reports.charts import FONT, SIZE, latin, wrapped
from kiosd.reports.content import document
from kiosd.reports.model import Report
from kiosd.reports.numbers import measured, shown
from kiosd.reports.parts import Facts, Figure, Table
from kiosd.reports.pdf import MARGIN, MM
from kiosd.reports.render import render
from support.samplereport import empty, hostile, long_names, report

Make = Callable[[], Report]
MAKERS = [report, empty, long_names, hostile]


def reader(of: Report, language: Language = "id") -> PdfReader:
    return PdfReader(io.BytesIO(render(of, "pdf", language)))


def texts(of: Report, language: Language = "id") -> list[str]:
    return [" ".join(page.extract_text().split()) for page in reader(of, language).pages]


@pytest.mark.parametrize("make", MAKERS)
def test_pages_are_a4_and_numbered(make: Make) -> None:
    found = reader(make())
    for number, page in enumerate(found.pages, 1):
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((595.28, 841.89), abs=0.02)
        assert f"Halaman {number} dari {len(found.pages)}" in " ".join(page.extract_text().split())


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_value_is_on_paper(language: Language) -> None:
    told = " ".join(texts(report(), language))
    words = set(told.split())
    for section in document(report(), language).sections:
        for block in section.blocks:
            if isinstance(block, Facts):
                for fact in block.facts:
                    assert " ".join(measured(fact.value, fact.kind, language).split()) in told, fact.label
            elif isinstance(block, Table | Figure):
                table = block.data if isinstance(block, Figure) else block
                for row in table.rows:
                    cells = [shown(value, column.kind, language) for value, column in zip(row, table.columns, strict=True)]
                    assert {word for cell in cells for word in cell.split()} <= words


def test_metadata_for_archives_and_readers() -> None:
    found = reader(report())
    assert found.metadata is not None
    assert found.metadata.title == "Laporan Evaluasi Bulanan"
    assert found.metadata.subject == "KIOS SIAPkerja, Juli 2026"
    assert str(found.root_object["/Lang"]) == "id"
    assert str(reader(report(), "en").root_object["/Lang"]) == "en"


@pytest.mark.parametrize("length", [58, 80])
def test_long_names_wrap_and_are_whole(length: int) -> None:
    of = long_names(length, 7)
    told = "".join("".join(texts(of)).split())
    for line in of.services:
        assert told.count(line.name.replace(" ", "")) >= 2, "in the tables"


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_is_outside_the_margins(make: Make) -> None:
    for page in reader(make()).pages:
        spans: list[tuple[float, float, float]] = []

        def note(text: str, cm: list[float], tm: list[float], font: Any, size: float, spans: list[Any] = spans) -> None:
            x, y = tm[4] * cm[0] + cm[4], tm[5] * cm[3] + cm[5]
            if text.strip() and (x, y) != (0, 0):  # the number of pages is a form, which has a place of its own
                spans.append((x, x + stringWidth(text.strip(), font["/BaseFont"][1:], size), y))

        page.extract_text(visitor_text=note)
        assert len(spans) > 10
        assert min(left for left, _, _ in spans) >= MARGIN - 1
        assert max(right for _, right, _ in spans) <= 210 * MM - MARGIN + 1
        assert all(8 * MM <= y <= 297 * MM - MARGIN for _, _, y in spans)


def test_heads_are_repeated_on_the_next_page() -> None:
    heads = [text for text in texts(long_names()) if "Diambil" in text and "Kedaluwarsa" in text]
    assert len(heads) >= 2


def test_forty_outages_are_all_there() -> None:
    told = "".join("".join(texts(hostile())).split())
    for at in range(40):
        assert f"-{at})" in told


def test_texts_that_paper_cannot_show_raise_nothing_and_are_not_markup() -> None:
    told = " ".join(texts(hostile()))
    assert '<script>alert("x")</script> & \\u202ekiri' in told
    assert "Jos\u00e9" in told
    assert "4.711 lawan 4.712" in told
    assert told.count("Catatan panjang sekali.") == 400
    assert sum(map(len, re.findall(r"k{20,}", told))) == 5000


def test_the_signature_is_never_alone_on_a_sheet() -> None:
    for make in (report, empty, long_names, hostile):
        last = texts(make())[-1]
        assert "NIP ....." in last
        assert "f. Kelengkapan data" in last


def test_somebody_else_may_sign() -> None:
    of = report(head=report().head.model_copy(update={"signer": "Kepala Balai <Besar>"}))
    assert "Kepala Balai <Besar>" in texts(of)[-1]


def test_paper_has_no_identity_number() -> None:
    for make in (report, hostile):
        raw = render(make(), "pdf", "id")
        assert not PLAIN.search(raw.decode("latin-1"))
        assert re.search(rb"/ID\s*\[<[a-f]{32}><[a-f]{32}>\]", raw), "letters only: a hash may hold 16 digits in a row"
        for page in PdfReader(io.BytesIO(raw)).pages:
            contents = page.get_contents()
            assert contents is not None
            assert not PLAIN.search(contents.get_data().decode("latin-1"))


def test_text_for_the_standard_fonts() -> None:
    assert latin("Jos\u00e9 \u2014 caf\u0065\u0301") == "Jos\u00e9 \u2014 caf\u00e9"
    assert latin("\u6f22\u5b57 \U0001f5a8 \u0142\u202e") == "?? ? ?"


def test_lines_of_a_chart_are_as_wide_as_allowed() -> None:
    for text in ("kata " * 30, "w" * 80, f"A {'W' * 79}", "satu", ""):
        lines = wrapped(text, 100)
        assert all(stringWidth(line, FONT, SIZE) <= 100 for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
