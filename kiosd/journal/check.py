"""A whole check of a journal: file, sheets, chain, and that every gap in them is proven (``chain`` has the rules)."""

from collections.abc import Iterator
from pathlib import Path

from kiosd.errors import JournalError
from kiosd.journal.chain import Row, Sheet, Walk, fits, follow_sheets, genesis
from kiosd.journal.past import Past
from kiosd.queue.events import DaySealed


class Audit:
    """A whole check of a journal file on a read-only connection, in steps, so that it can run beside the service.

    The service goes on meanwhile: days may be sealed and tokens erased under the eyes of the audit. So it looks again before it says
    that something is missing.
    """

    STEP_ROWS = 500
    STEP_SHEETS = 50

    def __init__(self, path: Path) -> None:
        self._past = Past(path)
        self._sheet: Sheet | None = None  # the last one that was checked
        self._sealed: set[str] = set()  # dates whose event was met and fits
        self.sheets = 0

    def structure(self) -> None:
        """SQLite's own quick_check; ``JournalError`` with its first finding."""
        self._past.structure()

    def chain(self) -> Iterator[int]:
        """Check every sheet and every row from the first; yields how many rows were checked after each step.

        ``JournalError`` names the first bad one.
        """
        for _ in self._follow_sheets():
            yield 0
        self._nothing_left_behind()
        walk = Walk(*self._root())
        count = 0
        while rows := self._next(walk):
            walk.take(rows)
            count += len(rows)
            self._prove(walk)
            yield count
        walk.all_proven()
        for _ in self._follow_sheets():  # those that came meanwhile
            yield count
        if self._sheet is not None and self._sheet.date not in self._sealed:
            self._look_again(self._sheet)

    def _root(self) -> tuple[int, bytes]:
        return (self._sheet.last, self._sheet.head) if self._sheet else (0, genesis(self._past.stream))

    def _follow_sheets(self) -> Iterator[None]:
        while sheets := self._past.sheets(self._sheet.last if self._sheet else 0, self.STEP_SHEETS):
            self._sheet = follow_sheets(sheets, self._sheet, self._past.stream)
            self.sheets += len(sheets)
            yield

    def _nothing_left_behind(self) -> None:
        for row in self._past.rows(0, 1):
            if self._sheet is not None and row[0] <= self._sheet.last:
                raise JournalError(f"journal: event {row[0]} is there, though a sheet stands for its day")

    def _next(self, walk: Walk) -> list[Row]:
        """The rows behind ``walk``; where a day was sealed under it, ``walk`` is taken behind that day first."""
        rows = self._past.rows(walk.seq, self.STEP_ROWS)
        while rows and rows[0][0] != walk.seq + 1:
            for _ in self._follow_sheets():
                pass
            if self._sheet is None or self._sheet.last <= walk.seq:
                self._missing(walk.seq + 1, rows[0][0] - 1)
            walk.forget(0, self._root()[0])
            walk.seq, walk.before = self._root()
            rows = self._past.rows(walk.seq, self.STEP_ROWS)
        return rows

    def _seals(self) -> Iterator[tuple[int, DaySealed]]:
        return ((seq, DaySealed.model_validate_json(data)) for seq, data in self._past.seals())

    def _missing(self, first: int, last: int) -> None:
        for seq, event in self._seals():
            fits(seq, event, self._past.sheet(event.date))
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        raise JournalError(f"journal: {which} missing, and no sheet stands in their place")

    def _prove(self, walk: Walk) -> None:
        for seq, sealed in walk.sealed:
            fits(seq, sealed, self._past.sheet(sealed.date))
            self._sealed.add(sealed.date)
        for seq, erased in walk.erased:
            if erased.last > self._root()[0]:
                rows = self._past.between(erased.first, erased.last)
                newest = self._past.newest_sheet()
                if newest is None or newest.last < erased.last:  # else it was sealed after all, and the sheet answers for it
                    walk.believe(seq, erased, rows)
        walk.sealed.clear()
        walk.erased.clear()

    def _look_again(self, sheet: Sheet) -> None:
        """The newest sheet came when the walk was over, or nothing of the chain knows of it."""
        for seq, event in self._seals():
            if event.date == sheet.date:
                fits(seq, event, sheet)
                return
        raise JournalError(f"journal: the sheet of {sheet.date} was not sealed: no event tells of it")

    def whole(self) -> int:
        """Structure and chain at once; the number of events."""
        self.structure()
        count = 0
        for count in self.chain():  # noqa: B007 - the last one is the answer
            pass
        return count

    def interrupt(self) -> None:
        """End what is being read now, from any thread: a check of a large file must not hold the daemon's end."""
        self._past.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._past.close()
