"""A report for a spreadsheet: one rectangle per table, with its title above it and an empty line after it.

Indonesian spreadsheets write a decimal comma, so their separator is a semicolon: ``--decimal comma`` gives both. Bytes are UTF-8 with the
mark that tells a spreadsheet so, lines end with CR LF. What is not known is an empty cell, so that averages leave it out.
"""

import csv
import io
import unicodedata

from kiosd.queue.settings import Language
from kiosd.reports.numbers import Kind, Mark, Value, plain
from kiosd.reports.parts import Alert, Block, Column, Document, Facts, Figure, Remark, Table
from kiosd.reports.words import word

MARK = b"\xef\xbb\xbf"
SEPARATOR: dict[Mark, str] = {"point": ",", "comma": ";"}
FORMULA = frozenset("=+-@")
"""A cell that begins so is a formula to a spreadsheet: text gets an apostrophe before it, which stays visible, and so is honest."""


def write(document: Document, mark: Mark) -> bytes:
    """``document`` as CSV with ``mark`` as decimal sign."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=SEPARATOR[mark], lineterminator="\r\n")
    blocks = [block for section in document.sections for block in section.blocks if not (isinstance(block, Figure) and block.repeats)]
    writer.writerows([[guarded(document.title)], [guarded(document.subtitle)], []])
    for block in blocks:
        writer.writerows([*_rows(block, document.language, mark), []])
    return MARK + out.getvalue().encode()


def guarded(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula; full-width signs count as the plain ones do."""
    return f"'{text}" if unicodedata.normalize("NFKC", text).lstrip()[:1] in FORMULA else text


def _cell(value: Value, kind: Kind, mark: Mark) -> str:
    text = plain(value, kind, mark)
    return guarded(text) if isinstance(value, str) else text


def _rows(block: Block, language: Language, mark: Mark) -> list[list[str]]:
    match block:
        case Table():
            return _table(block, language, mark)
        case Figure():
            return _table(block.data, language, mark)
        case Facts():
            labels = [Column(fact.label, fact.kind).titled(language) for fact in block.facts]
            values = [_cell(fact.value, fact.kind, mark) for fact in block.facts]
            return [[guarded(block.title), ""], *([label, value] for label, value in zip(labels, values, strict=True))]
        case Remark():
            return [[guarded(block.text)]]
        case Alert():
            return [[guarded(line)] for line in (block.title, *block.lines)]


def _table(table: Table, language: Language, mark: Mark) -> list[list[str]]:
    rows = [*table.rows, table.total] if table.total else table.rows
    cells = [[_cell(value, column.kind, mark) for value, column in zip(row, table.columns, strict=True)] for row in rows]
    none = [] if cells else [[word("none", language)]]
    heads = [[table.title], [column.titled(language) for column in table.columns]]
    return [row + [""] * (len(table.columns) - len(row)) for row in (*heads, *cells, *none)]
