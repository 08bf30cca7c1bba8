"""Read a journal beside the service: a read-only connection of its own, in short pages, so that no checkpoint waits for a reader.

Rule 1  It never writes and holds no transaction over a page: the journal's own connection is never waited for and never waits.
Rule 2  A row that SQLite cannot give is not the end: it comes as an empty row of its number, and the reader goes on behind it.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic_core import from_json

from kiosd.errors import JournalError

PAGE_ROWS = 5000  # some 5 ms of reading
Row = tuple[int, str, int, str, str]
"""seq, time, clock (1: trusted), type, data; time, type and data are empty when the row cannot be read."""


@dataclass(frozen=True, slots=True)
class Day:
    """A business date whose events, number ``first`` to ``last``, are in the journal; ``first`` is its opening."""

    date: str
    first: int
    last: int


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise JournalError(f"journal: cannot read {what}: {exc}") from exc


class Reader:
    """A journal, read only. Every method belongs to one thread."""

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path``; ``JournalError`` when that is none."""
        with _reading(str(path)):
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
            try:
                self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
                tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            except BaseException:
                self._db.close()
                raise
        self._has_sheets = "sheet" in tables  # journals of schema 1 have none

    @property
    def last_seq(self) -> int:
        """The newest event's number; 0 in an empty journal."""
        with _reading("the newest event"):
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0])

    def days(self) -> list[Day]:
        """The business dates whose events are still here, in order. From a partial index where the journal has one."""
        with _reading("the days"):
            opened = self._db.execute("SELECT seq, data FROM journal WHERE type = 'system.day_opened' ORDER BY seq").fetchall()
        dated = [(text, seq) for seq, data in opened if (text := _date(data))]
        ends = [*(seq - 1 for _, seq in dated[1:]), self.last_seq]
        return [Day(text, first, last) for (text, first), last in zip(dated, ends, strict=False)]

    def rows(self, first: int, last: int, types: Collection[str] = ()) -> Iterator[Row]:
        """Events ``first`` to ``last`` in order, only those of ``types`` if any are named; unreadable ones come whatever they are."""
        for begin in range(first, last + 1, PAGE_ROWS):
            yield from self._page(begin, min(begin + PAGE_ROWS - 1, last), types)

    def tally(self, first: int, last: int) -> dict[str, tuple[int, int, str]]:
        """By type: how many of the events ``first`` to ``last`` there are, and number and time of the first."""
        query = "SELECT type, count(*), min(seq), time FROM journal WHERE seq BETWEEN ? AND ? GROUP BY type"  # time is of the min's row
        found: dict[str, tuple[int, int, str]] = {}
        for begin in range(first, last + 1, PAGE_ROWS):
            with _reading(f"events {first} to {last}"):
                rows = self._db.execute(query, (begin, min(begin + PAGE_ROWS - 1, last))).fetchall()
            for kind, count, seq, time in rows:
                before, first_seq, first_time = found.get(kind, (0, seq, time))
                found[kind] = before + count, first_seq, first_time
        return found

    def _page(self, first: int, last: int, types: Collection[str]) -> list[Row]:
        wanted = f" AND type IN ({', '.join('?' * len(types))})" if types else ""
        query = f"SELECT seq, time, clock, type, data FROM journal WHERE seq BETWEEN ? AND ?{wanted} ORDER BY seq"  # noqa: S608 - marks only
        try:
            return self._db.execute(query, (first, last, *types)).fetchall()
        except sqlite3.Error as exc:
            if not _damage(exc):
                raise JournalError(f"journal: cannot read events {first} to {last}: {exc}") from exc
            if first == last:
                return [(first, "", 0, "", "")]
        middle = (first + last) // 2
        return [*self._page(first, middle, types), *self._page(middle + 1, last, types)]

    def sealed(self) -> list[str]:
        """The dates that only sheets are left of, in order."""
        if not self._has_sheets:
            return []
        with _reading("the sheets"):
            return [str(text) for (text,) in self._db.execute("SELECT date FROM sheet ORDER BY date")]

    def sheets(self, first_date: str, last_date: str) -> list[tuple[str, str]]:
        """Date and text of the sheets that stand for sealed days, from ``first_date`` to ``last_date``, both included."""
        if not self._has_sheets:
            return []
        with _reading("the sheets"):
            query = "SELECT date, data FROM sheet WHERE date BETWEEN ? AND ? ORDER BY date"
            return self._db.execute(query, (first_date, last_date)).fetchall()

    def interrupt(self) -> None:
        """End what is being read now, from any thread."""
        self._db.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _damage(exc: sqlite3.Error) -> bool:
    """Whether single rows are to blame: a torn page, or text that is no UTF-8, for which SQLite's own code is missing."""
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    return code is None or code & 0xFF == sqlite3.SQLITE_CORRUPT


def _date(data: str) -> str | None:
    """The date of a day's opening; None when the row is damaged: its events are then taken for the day before."""
    try:
        return date.fromisoformat(from_json(data)["date"]).isoformat()
    except (KeyError, TypeError, ValueError):
        return None
