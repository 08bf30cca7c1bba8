"""The report's page: complete, escaped, readable without scripts, sight or network."""

import re
from html.parser import HTMLParser
from xml.dom import minidom

import pytest

from kiosd.queue.settings import Language
from kiosd.redact import PLAIN
from kiosd.reports.content import document
from kiosd.reports.model import Report
from kiosd.reports.numbers import measured, shown
from kiosd.reports.parts import Facts, Figure, Table
from kiosd.reports.render import render
from support.samplereport import empty, hostile, long_names, report

VOID = {"meta", "br"}
LANGUAGES: tuple[Language, ...] = ("id", "en")


class Page(HTMLParser):
    """A page's tables, tags and texts; every tag is closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self._caption = self._cell = False
        self.feed(text)
        self.close()
        assert self._open == [], "tags stay open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in {"th", "td"}:
            self.tables[-1][1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "caption" in self._open:
            self.tables[-1] = (self.tables[-1][0] + data, self.tables[-1][1])
        elif {"th", "td"} & set(self._open):
            self.tables[-1][1][-1][-1] += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page(of: Report, language: Language = "id") -> Page:
    return Page(render(of, "html", language).decode())


def element(text: str) -> minidom.Element:
    """``text`` as XML; an error when it is not well-formed."""
    found = minidom.parseString(text).documentElement  # noqa: S318 - drawn by ourselves
    assert found is not None
    return found


def told(node: minidom.Element) -> str:
    """The text inside an element."""
    return "".join(child.data for child in node.childNodes if isinstance(child, minidom.Text))


def charts(of: Report, language: Language = "id") -> list[minidom.Element]:
    text = render(of, "html", language).decode()
    return [element(svg) for svg in re.findall(r"<svg .*?</svg>", text, re.DOTALL)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_stands_in_its_table(language: Language) -> None:
    found = page(report(), language).tables
    for section in document(report(), language).sections:
        for block in section.blocks:
            if isinstance(block, Facts):
                wanted = [[fact.label, measured(fact.value, fact.kind, language)] for fact in block.facts]
                assert (block.title, wanted) in found
            elif isinstance(block, Table | Figure) and not getattr(block, "repeats", False):
                table = block.data if isinstance(block, Figure) else block
                rows = [*table.rows, *([table.total] if table.total else [])]
                cells = [[shown(value, column.kind, language) for value, column in zip(row, table.columns, strict=True)] for row in rows]
                assert (table.title, [[column.titled(language) for column in table.columns], *cells]) in found


def test_the_page_says_its_language_and_title() -> None:
    titles: dict[Language, str] = {"id": "Laporan Evaluasi Bulanan", "en": "Monthly Evaluation Report"}
    for language, title in titles.items():
        found = page(report(), language)
        assert found.having("html") == [{"lang": language}]
        assert title in "".join(found.texts)


def test_tables_can_be_read_aloud() -> None:
    found = page(report())
    assert all(caption for caption, _ in found.tables)
    assert {attrs.get("scope") for attrs in found.having("th")} == {"col", "row"}
    assert len(found.having("caption")) == len(found.having("table"))


def test_the_page_needs_nothing_from_elsewhere_and_no_script() -> None:
    for make in (report, hostile):
        text = render(make(), "html", "id").decode()
        found = Page(text)
        for tag in ("script", "link", "img", "iframe", "object", "form"):
            assert found.having(tag) == []
        assert not {name for _, attrs in found.tags for name in attrs} & {"src", "href", "xlink:href", "onclick", "onload", "srcset"}
        assert set(re.findall(r"url\((#?)", text)) <= {"#"}, "only parts of the page itself"
        assert "@import" not in text


def test_texts_are_escaped_and_stay_whole() -> None:
    text = render(hostile(), "html", "id").decode()
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; " in text
    assert "\u6f22\u5b57" in text, "a page has letters that paper lacks"
    assert "\u202e" not in text
    assert "\x00" not in text
    assert "Catatan panjang sekali. " * 399 in text
    assert "k" * 5000 in text


def test_the_footer_of_a_page_cannot_leave_its_string() -> None:
    """The site's id gets into the style sheet."""
    bad = report(head=report().head.model_copy(update={"site": '"; } </style><b>'}))
    text = render(bad, "html", "id").decode()
    assert "</style><b>" not in text
    assert text.count("</style>") == 1
    assert 'content: "\\000022 \\00003b  \\00007d  \\00003c \\00002f style\\00003e \\00003c b\\00003e \\00002c  Juli 2026"' in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_charts_are_well_formed_and_say_what_they_show(language: Language) -> None:
    drawn = charts(report(), language)
    assert len(drawn) == 4
    for svg in drawn:
        assert svg.getAttribute("role") == "img"
        title, desc = (svg.getElementsByTagName(name)[0] for name in ("title", "desc"))
        assert svg.getAttribute("aria-labelledby") == f"{title.getAttribute('id')} {desc.getAttribute('id')}"
        assert len(told(title)) > 10
        assert len(told(desc)) > 20


def test_ids_are_given_once() -> None:
    ids = [attrs["id"] for _, attrs in page(long_names()).tags if "id" in attrs]
    assert len(ids) > 10
    assert len(ids) == len(set(ids))


def test_charts_show_the_numbers_of_the_report() -> None:
    arrivals, waits, availability, index = ([told(node) for node in svg.getElementsByTagName("text")] for svg in charts(report()))
    assert [text for text in arrivals if text.isdigit()].count("0") > 20
    assert {str(count) for day in report().arrivals for count in day if count} <= set(arrivals)
    assert {"10,2", "25,0", "14,9", "36,3", "Tunggu P50 (menit)", "Tunggu P90 (menit)"} <= set(waits)
    assert {"86,24 B (n = 109)", "86,83 B (n = 205)", "65,00", "76,61", "88,31"} <= set(index)
    assert {"98,7", "40,3", "-"} <= set(availability)


def test_names_of_80_characters_are_whole_in_tables_and_charts() -> None:
    of = long_names(80, 7)
    text = render(of, "html", "id").decode()
    for line in of.services:
        assert line.name in text
    waits = charts(of)[1]
    drawn = "".join(told(node) for node in waits.getElementsByTagName("text")).replace(" ", "")
    for line in of.services:
        assert f"{line.service}{line.name}".replace(" ", "") in drawn


def test_a_chart_without_data_is_left_out() -> None:
    assert charts(empty()) == []


def test_no_number_of_a_chart_looks_like_an_identity() -> None:
    thirds = tuple(line.model_copy(update={"wait_p50_s": 1000 / 3, "wait_p90_s": 5000 / 3}) for line in report().services)
    assert not PLAIN.search(render(report(thirds), "html", "id").decode())


def test_a_failed_sum_is_an_alert() -> None:
    found = page(hostile())
    assert [attrs for attrs in found.having("div") if attrs.get("role") == "alert"]
    assert "4.711 lawan 4.712" in "".join(found.texts)
    assert not [attrs for attrs in page(report()).having("div") if attrs.get("role") == "alert"]


def test_it_prints_on_a4_with_numbered_pages_and_repeated_heads() -> None:
    text = render(report(), "html", "en").decode()
    assert "size: A4 portrait" in text
    assert '"Page " counter(page) " of " counter(pages)' in text
    assert "display: table-header-group" in text
    assert "Kepala UPTP" in text
