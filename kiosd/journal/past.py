"""Whole rows and sheets of a journal, hashes included, on a read-only connection: for whoever checks, seals or erases.

Each method is one statement and so one moment of the journal; no transaction is held between two of them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosd.errors import JournalError
from kiosd.journal.chain import COLUMNS, Row, Sheet
from kiosd.journal.reader import Day
from kiosd.queue.events import DayOpened, DaySealed, ScanRead

_SHEET = "SELECT date, first, last, head, data, hash FROM sheet"
_AT = """instr(data, '"token":"')"""  # where it begins: events are JSON without spaces, and quotes inside texts are escaped
WITHOUT_TOKEN = f"substr(data, 1, {_AT} + 8) || substr(data, {_AT} + 8 + instr(substr(data, {_AT} + 9), '\"'))"
"""SQL of a scan's data with nothing between the quotes of its token; the schema's trigger allows this and nothing else."""
SCANS = f"""seq BETWEEN ? AND ? AND type = '{ScanRead.type}' AND {_AT} > 0 AND instr(data, '"token":""') = 0"""
"""SQL of what a scan with a token is."""
SHEETS_SINCE = 2  # schema version


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise JournalError(f"journal: cannot be read: {exc}") from exc


class Past:
    """What was. Every method raises ``JournalError`` when the file cannot be read."""

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path``, of this schema or an older one."""
        with _reading():
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
            try:
                self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
                self._has_sheets = self._db.execute("PRAGMA user_version").fetchone()[0] >= SHEETS_SINCE
            except BaseException:
                self._db.close()
                raise

    def structure(self) -> None:
        """SQLite's own quick_check; ``JournalError`` with its first finding."""
        with _reading():
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise JournalError(f"journal: the file is damaged: {found}")

    def rows(self, since: int, limit: int) -> list[Row]:
        """At most ``limit`` rows after ``since``, in order."""
        with _reading():
            query = f"SELECT {COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
            return self._db.execute(query, (since, limit)).fetchall()

    def between(self, first: int, last: int) -> list[Row]:
        """Rows ``first`` to ``last``, those that there are."""
        with _reading():
            query = f"SELECT {COLUMNS} FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - a constant
            return self._db.execute(query, (first, last)).fetchall()

    def tokens(self, first: int, last: int) -> int:
        """How many scans in ``first`` to ``last`` have a token."""
        with _reading():
            return int(self._db.execute(f"SELECT count(*) FROM journal WHERE {SCANS}", (first, last)).fetchone()[0])  # noqa: S608 - constants

    def without_tokens(self, first: int, last: int) -> list[Row]:
        """The scans in ``first`` to ``last`` that have a token, in order, as they will be without it."""
        columns = COLUMNS.replace("data", WITHOUT_TOKEN)
        with _reading():
            return self._db.execute(f"SELECT {columns} FROM journal WHERE {SCANS} ORDER BY seq", (first, last)).fetchall()  # noqa: S608 - constants

    def days(self) -> list[Day]:
        """The business dates whose events are still here, in order; events before the first opening belong to the first one."""
        with _reading():
            query = "SELECT seq, json_extract(data, '$.date') FROM journal WHERE type = ? ORDER BY seq"
            opened = self._db.execute(query, (DayOpened.type,)).fetchall()
            least, most = self._db.execute("SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal)").fetchone()
        firsts = [least, *(seq for seq, _ in opened[1:])]
        lasts = [*(seq - 1 for seq, _ in opened[1:]), most]
        return [Day(date, first, last) for (_, date), first, last in zip(opened, firsts, lasts, strict=bool(opened))]

    def seals(self) -> list[tuple[int, str]]:
        """Number and data of the events that sealed a day and are still here."""
        with _reading():
            return self._db.execute("SELECT seq, data FROM journal WHERE type = ? ORDER BY seq", (DaySealed.type,)).fetchall()

    def sheets(self, since: int, limit: int) -> list[Sheet]:
        """At most ``limit`` sheets of events after ``since``, oldest first."""
        return self._sheets("WHERE last > ? ORDER BY last LIMIT ?", since, limit)

    def sheet(self, date: str) -> Sheet | None:
        """The sheet of a business date."""
        return next(iter(self._sheets("WHERE date = ?", date)), None)

    def newest_sheet(self) -> Sheet | None:
        """What the oldest row hangs on, if a day was ever sealed."""
        return next(iter(self._sheets("ORDER BY last DESC LIMIT 1")), None)

    def _sheets(self, which: str, *values: object) -> list[Sheet]:
        if not self._has_sheets:
            return []
        with _reading():
            return [Sheet(*row) for row in self._db.execute(f"{_SHEET} {which}", values)]

    def interrupt(self) -> None:
        """End what is being read now, from any thread."""
        self._db.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
