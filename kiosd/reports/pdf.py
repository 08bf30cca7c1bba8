"""A report on A4 paper, to be signed: text and charts as vectors, in fonts that every viewer has."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape

from kiosd.queue.settings import Language
from kiosd.reports.charts import BOLD, FONT, INK, LINE, draw, latin
from kiosd.reports.numbers import measured, shown
from kiosd.reports.parts import Alert, Block, Column, Document, Facts, Figure, Remark, Section, Table
from kiosd.reports.widths import fit
from kiosd.reports.words import word

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable, Paragraph
    from reportlab.platypus.flowables import CallerMacro

Side = Literal[0, 1, 2]
LEFT: Side = 0
CENTRE: Side = 1
RIGHT: Side = 2
Look = tuple[str, tuple[int, int], tuple[int, int], *tuple[Any, ...]]
"""A command of a table's style: what, from which cell to which (column, row), how."""

MM = 72 / 25.4
MARGIN, FOOT = 15 * MM, 9 * MM
WIDTH = 210 * MM - 2 * MARGIN
PADDING = 2.5
FACT = 70 * MM
LONGEST_WORD = 75.0  # points; a longer word of people's own texts may be broken
WIDEST = 400.0  # points; longer texts wrap, whatever room there is
MOST_TEXT = 600  # characters of a cell in one row, for a row cannot be torn over pages; what is longer goes on in the next row
SMALL = 12  # a table of no more rows is not torn over two pages
HEAD, SHADE, WARNING = "#e3e9f0", "#f5f7fa", "#b00020"
TABLE = 7.5


def write(document: Document) -> bytes:
    """``document`` as PDF."""
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate
    from reportlab.platypus.flowables import CallerMacro

    out = io.BytesIO()
    sheet = BaseDocTemplate(
        out, pagesize=(210 * MM, 297 * MM), title=latin(document.title), subject=latin(document.subtitle), creator="kiosd",
        author=latin(document.running), lang=document.language,
    )  # fmt: skip
    frame = Frame(MARGIN, MARGIN, WIDTH, 297 * MM - 2 * MARGIN, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    sheet.addPageTemplates(PageTemplate(frames=[frame], onPage=lambda canvas, _: _footer(canvas, document)))
    *most, last = document.sections
    story = [flow for section in most for flow in _section(section, document.language)]
    ending = _section(last, document.language, _signature(document))  # nobody signs an empty sheet
    sheet.build([*_title(document), *story, *ending, CallerMacro(drawCallable=_pages)])
    return _without_digits(out.getvalue())


def _footer(canvas: "Canvas", document: Document) -> None:
    """``CTH01, Juli 2026 ... Halaman 1 dari 3``. How many pages there are is known at the end, so that number is a form filled in last."""
    page = f"{word('page', document.language)} {canvas.getPageNumber()} {word('of', document.language)} "
    canvas.setFont(FONT, TABLE)
    canvas.setFillColor(INK)
    canvas.drawString(MARGIN, FOOT, latin(document.running))
    right = MARGIN + WIDTH - 16
    canvas.drawRightString(right, FOOT, page)
    canvas.saveState()
    canvas.translate(right, FOOT)
    canvas.doForm("pages")
    canvas.restoreState()


def _pages(macro: "CallerMacro", *_: float) -> None:
    canvas = macro.canv
    canvas.beginForm("pages", 0, -3, 40, 12)
    canvas.setFont(FONT, TABLE)
    canvas.drawString(0, 0, str(canvas.getPageNumber()))
    canvas.endForm()


def _without_digits(pdf: bytes) -> bytes:
    """``pdf`` whose two file ids are letters: a hash may hold 16 digits in a row, which leave in no file (domain section 9)."""
    body, mark, trailer = pdf.rpartition(b"/ID")
    ids, end, rest = trailer.partition(b"]")
    return body + mark + ids.translate(bytes.maketrans(b"0123456789", b"abcdefabcd")) + end + rest


def _style(
    size: float = 9.0, font: str = FONT, align: Side = LEFT, before: float = 0.0, after: float = 0.0, indent: float = 0.0
) -> "ParagraphStyle":
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        "kiosd", fontName=font, fontSize=size, leading=size * 1.25, alignment=align, textColor=HexColor(INK), spaceBefore=before,
        spaceAfter=after, leftIndent=indent,
    )  # fmt: skip


def _paragraph(text: str, style: "ParagraphStyle") -> "Paragraph":
    from reportlab.platypus import Paragraph

    return Paragraph(escape(latin(text)), style)


def _title(document: Document) -> list["Flowable"]:
    return [
        _paragraph(document.title.upper(), _style(14, BOLD, CENTRE, after=2)),
        _paragraph(document.subtitle, _style(10.5, FONT, CENTRE, after=8)),
    ]


def _section(section: Section, language: Language, after: Sequence["Flowable"] = ()) -> list["Flowable"]:
    """A section whose heading stays with its first block, and what comes ``after`` it with its last one."""
    from reportlab.platypus import CondPageBreak, KeepTogether

    heading = [_paragraph(section.heading, _style(11.5, BOLD, before=10, after=4))] if section.heading else []
    last = len(section.blocks) - 1
    flows: list[Flowable] = []
    for at, block in enumerate(section.blocks):
        these = [*([] if at else heading), *_block(block, language), *(after if at == last else ())]
        torn = isinstance(block, Figure) or (isinstance(block, Table) and len(block.rows) > SMALL)
        flows += [CondPageBreak(45 * MM), *these] if torn else [KeepTogether(these)]
    return flows


def _block(block: Block, language: Language) -> list["Flowable"]:
    from reportlab.platypus import KeepTogether

    match block:
        case Table():
            return [_caption(block.title), _table(block, language)]
        case Facts():
            return [*([_caption(block.title)] if block.named else []), _facts(block, language)]
        case Figure():
            described = _paragraph(block.description, _style(8, after=4))
            first, *more = draw(block, language, WIDTH)
            return [KeepTogether([_caption(block.title), described, first]), *more]
        case Remark():
            return [_paragraph(block.text, _style(8.5, before=2, after=5))]
        case Alert():
            return [_alert(block)]


def _caption(text: str) -> "Paragraph":
    return _paragraph(text, _style(9, BOLD, before=6, after=3))


def _grid(cells: Sequence[list["Paragraph"]], widths: Sequence[float], looks: Sequence[Look] = (), heads: int = 0) -> "Flowable":
    from reportlab import platypus

    basic: list[Look] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    return platypus.Table(cells, colWidths=widths, style=[*basic, *looks], repeatRows=heads, hAlign="LEFT", spaceBefore=3, spaceAfter=5)


def _facts(block: Facts, language: Language) -> "Flowable":
    label, value = _style(9), _style(9, BOLD)
    cells = [[_paragraph(fact.label, label), _paragraph(measured(fact.value, fact.kind, language), value)] for fact in block.facts]
    return _grid(cells, [FACT, WIDTH - FACT])


def _alert(block: Alert) -> "Flowable":
    from reportlab.lib.colors import HexColor

    cells = [[_paragraph(block.title, _style(10, BOLD))], *([_paragraph(line, _style(9))] for line in block.lines)]
    return _grid(cells, [WIDTH], [("BOX", (0, 0), (-1, -1), 2, HexColor(WARNING))])


def _table(table: Table, language: Language) -> "Flowable":
    if not table.rows:
        return _paragraph(word("none", language), _style(8.5, after=4))
    rows = [*table.rows, table.total] if table.total else table.rows
    cells = [[shown(value, column.kind, language) for value, column in zip(row, table.columns, strict=True)] for row in rows]
    return _drawn(table, [column.titled(language) for column in table.columns], cells)


def _drawn(table: Table, heads: list[str], cells: list[list[str]]) -> "Flowable":
    from reportlab.lib.colors import HexColor

    left, right = _style(TABLE), _style(TABLE, align=RIGHT)
    bold = _style(TABLE, BOLD), _style(TABLE, BOLD, RIGHT)
    made = [[_paragraph(head, bold[column.numeric]) for head, column in zip(heads, table.columns, strict=True)]]
    lines = [line for row in cells for line in _torn(row)]
    for at, row in enumerate(lines):
        styles = bold if table.total and at == len(lines) - 1 else (left, right)
        made.append([_paragraph(text, styles[column.numeric]) for text, column in zip(row, table.columns, strict=True)])
    looks: list[Look] = [
        ("BACKGROUND", (0, 0), (-1, 0), HexColor(HEAD)),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(LINE)),
        ("LINEABOVE", (0, 0), (-1, 0), 0.8, HexColor(INK)),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ]
    if table.total:
        looks.append(("LINEABOVE", (0, -1), (-1, -1), 0.8, HexColor(INK)))
    return _grid(made, _widths(table.columns, heads, cells), looks, heads=1)


def _torn(row: list[str]) -> Iterator[list[str]]:
    """``row`` in as many rows as its longest text needs."""
    pieces = [wrap(text, MOST_TEXT) if len(text) > MOST_TEXT else [text] for text in row]
    yield from (list(line) for line in zip_longest(*pieces, fillvalue=""))


def _widths(columns: Sequence[Column], heads: list[str], cells: list[list[str]]) -> list[float]:
    """Points. Numbers and words never break; heads stand in one line only where there is room for all."""
    least, natural, roomy = [], [], []
    for at, column in enumerate(columns):
        texts = [row[at] for row in cells]
        words = texts if column.numeric else [word for text in texts for word in text.split(" ")]
        least.append(_room(min(_widest([*words, *heads[at].split()]), LONGEST_WORD)))
        natural.append(max(least[-1], _room(min(_widest(texts), WIDEST))))
        roomy.append(max(natural[-1], _room(_widest([heads[at]]))))
    return roomy if sum(roomy) <= WIDTH else fit(least, natural, WIDTH)


def _widest(texts: Iterable[str]) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return max(stringWidth(latin(text), BOLD, TABLE) for text in texts)


def _room(width: float) -> float:
    return width + 2 * PADDING + 0.5


def _signature(document: Document) -> list["Flowable"]:
    """Place and date, office, room for a hand, name and number: a person fills them in, kiosd knows no names."""
    from reportlab.platypus import Spacer

    place, signer, name, number = document.signature
    style = _style(9.5, indent=WIDTH / 2)
    office, person = ([_paragraph(line, style) for line in lines] for lines in ((place, signer), (name, number)))
    return [Spacer(1, 10 * MM), *office, Spacer(1, 20 * MM), *person]
