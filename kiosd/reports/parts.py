"""A report before it has a form: what text, csv, html and pdf all show, in their order. Values are not yet written out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from kiosd.logs import clean
from kiosd.queue.settings import ZONE_SHORT, Language
from kiosd.reports.codes import name
from kiosd.reports.numbers import Kind, Value, unit
from kiosd.reports.words import word

ChartName = Literal["arrivals", "waits", "index", "availability"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what its cells are. ``head`` has no unit: the forms add it."""

    head: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        return self.kind not in {"text", "day", "time"}

    def titled(self, language: Language) -> str:
        """The head with its unit: ``Tunggu P90 (menit)``."""
        mark = unit(self.kind, language)
        return f"{self.head} ({mark})" if mark else self.head


@dataclass(frozen=True, slots=True)
class Table:
    """``coded``: the first column is a code and the second its full name, so that a narrow form may show the code alone."""

    form: ClassVar[str] = "table"
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: tuple[Value, ...] | None = None
    coded: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a head: what it is and its value."""

    label: str
    value: Value
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Facts:
    """Lines of label and value. ``named``: the title is shown; else it only tells what the table is to who cannot see it."""

    form: ClassVar[str] = "facts"
    title: str
    facts: tuple[Fact, ...]
    named: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence under or over a table."""

    form: ClassVar[str] = "remark"
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """What nobody may overlook."""

    form: ClassVar[str] = "alert"
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart; ``data`` is what it shows, for forms without pictures and people who cannot see one. ``repeats``: a table has it already."""

    form: ClassVar[str] = "figure"
    chart: ChartName
    title: str
    description: str
    data: Table
    repeats: bool = False


Block = Table | Facts | Remark | Alert | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading; the first section of a document has none."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. ``running`` stands on every page; ``signature`` are the lines that a person fills in and signs."""

    title: str
    subtitle: str
    running: str
    language: Language
    sections: tuple[Section, ...]
    signature: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says things in one language and the site's time."""

    language: Language
    zone: str

    def __call__(self, key: str, **facts: object) -> str:
        return word(key, self.language, **facts)

    @property
    def zone_short(self) -> str:
        return ZONE_SHORT.get(self.zone, self.zone)

    def head(self, key: str, kind: Kind = "text") -> Column:
        return Column(self(key, zone=self.zone_short), kind)

    def heads(self, keys: Iterable[str], kind: Kind = "text") -> tuple[Column, ...]:
        return tuple(self.head(key, kind) for key in keys)

    def code(self, group: str, code: str) -> str:
        """The name of a machine word."""
        return free(name(group, code, self.language))

    def local(self, time: datetime | None, otherwise: str = "") -> datetime | str | None:
        """``time`` in the site's zone."""
        return time.astimezone(ZoneInfo(self.zone)) if time is not None else otherwise or None


def free(text: str | None) -> str:
    """A person's or a device's own words as one line: no control characters, no identity number."""
    return clean(" ".join((text or "").split()))


def counted(title: str, columns: Sequence[Column], rows: Iterable[tuple[Value, ...]]) -> Table:
    """A table without a total."""
    return Table(title, tuple(columns), tuple(rows))
