"""A report for a terminal of 100 columns."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from kiosd.queue.settings import Language
from kiosd.reports.numbers import TIED, measured, shown
from kiosd.reports.parts import Alert, Block, Column, Document, Facts, Figure, Remark, Table
from kiosd.reports.widths import fit
from kiosd.reports.words import word

WIDTH = 100
GAP = 2  # what tabulate puts between columns
HEAD_MORE = 2  # how much wider than its head tabulate makes a column
LONGEST_WORD = 12  # longer words of people's own texts may be broken
ACROSS = 8  # services side by side when a table is turned


def write(document: Document) -> bytes:
    """``document`` as UTF-8 text."""
    lines = [document.title.upper().center(WIDTH).rstrip(), *_wrapped(document.subtitle, centred=True), "=" * WIDTH]
    explained: set[str] = set()
    for section in document.sections:
        if section.heading:
            lines += ["", section.heading.upper(), "-" * WIDTH]
        for block in section.blocks:
            lines += _block(block, document.language, explained)
    lines += ["", "", *(line for text in document.signature for line in (text, ""))]
    return "\n".join(lines).replace(TIED, " ").rstrip().encode() + b"\n"


def _block(block: Block, language: Language, explained: set[str]) -> Iterator[str]:
    if isinstance(block, Figure):
        if block.repeats:
            return
        block = block.data
    yield ""
    match block:
        case Table():
            yield from _table(block, language, explained)
        case Facts():
            yield from _facts(block, language)
        case Remark():
            yield from _wrapped(block.text)
        case Alert():
            yield "!" * WIDTH
            for line in (block.title, *block.lines):
                yield from _wrapped(f"! {line}", after="!   ")
            yield "!" * WIDTH


def _wrapped(text: str, after: str = "", centred: bool = False) -> list[str]:
    lines = wrap(text, WIDTH, subsequent_indent=after) or [""]
    return [line.center(WIDTH).rstrip() for line in lines] if centred else lines


def _facts(block: Facts, language: Language) -> Iterator[str]:
    if block.named:
        yield from _wrapped(block.title)
    wide = max(len(fact.label) for fact in block.facts)
    for fact in block.facts:
        first, *more = wrap(measured(fact.value, fact.kind, language), WIDTH - wide - GAP) or [""]
        yield f"{fact.label:<{wide}}: {first}"
        yield from (f"{'':<{wide}}  {line}" for line in more)


def _table(table: Table, language: Language, explained: set[str]) -> Iterator[str]:
    yield from _wrapped(table.title)
    if not table.rows:
        yield f"  {word('none', language)}"
        return
    rows = [*table.rows, table.total] if table.total else list(table.rows)
    cells = [[shown(value, column.kind, language) for value, column in zip(row, table.columns, strict=True)] for row in rows]
    if table.coded:
        yield from _turned(table, cells, language, explained)
    else:
        yield from _grid(table.columns, cells, [column.titled(language) for column in table.columns])


def _turned(table: Table, cells: list[list[str]], language: Language, explained: set[str]) -> Iterator[str]:
    """Services side by side, one line per figure: twelve figures do not fit the other way round. What a code means is said once."""
    named = cells[: len(table.rows)]
    for code, name, *_ in named:
        if code not in explained:
            yield from _wrapped(f"  {code} = {name}", after="      ")
        explained.add(code)
    for begin in range(0, len(cells), ACROSS):
        part = cells[begin : begin + ACROSS]
        heads = ["", *(row[0] if begin + at < len(named) else row[1] for at, row in enumerate(part))]
        lines = [[column.titled(language), *(row[at] for row in part)] for at, column in enumerate(table.columns) if at > 1]
        yield ""
        yield from _grid((Column(""), *(Column("", "count") for _ in part)), lines, heads)


def _grid(columns: Sequence[Column], cells: list[list[str]], heads: list[str]) -> list[str]:
    from tabulate import tabulate  # only where a table is drawn

    down = list(zip(heads, *cells, strict=True))
    least = [max(_longest(head.split(" ")) + HEAD_MORE, min(LONGEST_WORD, _longest(_words(texts)))) for head, *texts in down]
    natural = [max(len(head) + HEAD_MORE, _longest(texts)) for head, *texts in down]
    widths = [max(HEAD_MORE + 1, int(width)) for width in fit(least, natural, WIDTH - GAP * (len(columns) - 1))]
    align = ["right" if column.numeric else "left" for column in columns]
    # Wrapped here: tabulate would take "2,111" for a number that it has to read.
    lines = [["\n".join(wrap(text, width)) for text, width in zip(row, widths, strict=True)] for row in cells]
    titles = ["\n".join(wrap(head, width - HEAD_MORE)) for head, width in zip(heads, widths, strict=True)]
    return tabulate(lines, titles, tablefmt="simple", disable_numparse=True, colalign=align).split("\n")


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _words(texts: Iterable[str]) -> Iterator[str]:
    return (word for text in texts for word in text.split(" "))
