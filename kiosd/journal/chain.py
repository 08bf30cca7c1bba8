"""The chain of hashes, and what keeps it provable when old rows go: sheets instead of days, tokens that were erased. Pure: no SQL.

Rule 1  A row's hash covers the hash of the row before it and the row's fields; the first row hangs on the stream's id.
Rule 2  A sealed day is gone; the next row hangs on the hash of the day's last row, which the day's sheet keeps. Sheets are a chain of
        their own, and the event ``system.day_sealed``, a row of the chain, names the hash of its sheet: the newest one signs them all.
        It is never sealed before the next one is there, for it is appended on a later day than the one it seals.
Rule 3  A row that lost its token keeps its hash, which does not fit its content any more; the next row still hangs on it. Such a row
        is believed only inside a ``system.tokens_erased`` event, whose digest covers hash and remaining content of each of its rows.
        What an event covers lies within one day, so that sealing takes all of it or nothing.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kiosd.errors import JournalError
from kiosd.queue.events import DaySealed, ScanRead, TokensErased, decode
from kiosd.redact import groups

Row = tuple[int, str, str, float, int, str, str, str, str | None, bytes]
"""seq, time, boot, monotonic, clock, type, data, command, reply, hash."""
COLUMNS = "seq, time, boot, monotonic, clock, type, data, command, reply, hash"
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_PROOFS = frozenset({DaySealed.type, TokensErased.type})


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands for a sealed day: its events were ``first`` to ``last``, ``head`` is the hash of the last one, ``data`` its figures."""

    date: str
    first: int
    last: int
    head: bytes
    data: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """In one transaction with the event that tells of it: the rows of a day go, ``sheet`` comes."""

    sheet: Sheet

    @property
    def last(self) -> int:
        """The newest row that it touches."""
        return self.sheet.last


@dataclass(frozen=True, slots=True)
class Erase:
    """In one transaction with the event that tells of it: the ``rows`` scans in ``first`` to ``last`` that have a token lose it."""

    first: int
    last: int
    rows: int


Change = Seal | Erase


def row_hash(before: bytes, fields: Sequence[object]) -> bytes:
    """SHA-256 over the hash of the row before and this row's fields as a JSON array."""
    return hashlib.sha256(before + _ENCODE(fields).encode()).digest()


def genesis(stream: str) -> bytes:
    """What the first row's hash and the first sheet's hang on."""
    return hashlib.sha256(stream.encode()).digest()


def sheet_hash(before: bytes, date: str, first: int, last: int, head: bytes, data: str) -> bytes:
    """SHA-256 over the hash of the sheet before and this sheet's fields as a JSON array."""
    return row_hash(before, (date, first, last, head.hex(), data))


def erased_digest(rows: Iterable[Row]) -> str:
    """What proves an erasure: SHA-256 over the hash of each row as it was, and what is left of it, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row_hash(row[-1], row[:-1]))
    return groups(digest.hexdigest())


def has_lost_token(row: Row) -> bool:
    """Whether it is a scan without its token."""
    if row[5] != ScanRead.type:
        return False
    try:
        data = json.loads(row[6])
    except ValueError:
        return False
    return isinstance(data, dict) and data.get("token") == ""


def follow_sheets(sheets: Iterable[Sheet], at: Sheet | None, stream: str) -> Sheet | None:
    """Check that ``sheets`` follow the sheet ``at``, the first one of all without it; the last one. ``JournalError`` names the bad one."""
    for sheet in sheets:
        last, before = (at.last, at.hash) if at else (0, genesis(stream))
        if sheet.first != last + 1:
            raise JournalError(f"journal: the sheet of events {last + 1} to {sheet.first - 1}, before {sheet.date}, is missing")
        fields = (sheet.date, sheet.first, sheet.last, sheet.head, sheet.data)
        if sheet.last < sheet.first or sheet_hash(before, *fields) != sheet.hash:
            raise JournalError(f"journal: the sheet of {sheet.date} has been changed: its hash does not fit")
        at = sheet
    return at


def fits(seq: int, event: DaySealed, sheet: Sheet | None) -> None:
    """``JournalError`` unless ``sheet`` is what event ``seq`` put in place of a day."""
    if sheet is None:
        raise JournalError(f"journal: the sheet of {event.date} is missing: event {seq} sealed that day")
    found = (sheet.date, sheet.first, sheet.last, groups(sheet.head.hex()), groups(sheet.hash.hex()))
    if found != (event.date, event.first, event.last, event.head, event.sheet_sha256):
        raise JournalError(f"journal: the sheet of {event.date} has been changed: it is not what event {seq} sealed")


@dataclass
class Walk:
    """A way along the chain: behind row ``seq``, whose hash is ``before``.

    ``lost``: scans on the way without token whose hash does not fit, in order; each still needs its proof. ``sealed`` and ``erased``:
    the proofs that were met, with their numbers; whoever walks takes them out.
    """

    seq: int
    before: bytes
    lost: list[int] = field(default_factory=list)
    sealed: list[tuple[int, DaySealed]] = field(default_factory=list)
    erased: list[tuple[int, TokensErased]] = field(default_factory=list)

    def take(self, rows: Iterable[Row]) -> None:
        """Go on over ``rows``; ``JournalError`` names the first one that does not follow."""
        for row in rows:
            if row[0] != self.seq + 1:
                raise JournalError(f"journal: event {self.seq + 1} is missing (the next is {row[0]})")
            if row_hash(self.before, row[:-1]) != row[-1]:
                if not has_lost_token(row):
                    raise JournalError(f"journal: event {row[0]} has been changed: its hash does not fit")
                self.lost.append(row[0])
            self.seq, self.before = row[0], row[-1]
            if row[5] in _PROOFS:
                self._note(row)

    def _note(self, row: Row) -> None:
        event = decode(row[5], row[6])
        if isinstance(event, TokensErased):
            self.erased.append((row[0], event))
        elif isinstance(event, DaySealed):
            self.sealed.append((row[0], event))

    def believe(self, seq: int, event: TokensErased, rows: Iterable[Row]) -> None:
        """Take the proof in event ``seq`` for its rows; ``rows`` are all rows from its first to its last as they are now."""
        scans = [row for row in rows if has_lost_token(row)]
        if len(scans) != event.rows or erased_digest(scans) != event.digest:
            raise JournalError(f"journal: events {event.first} to {event.last} have been changed: they are not what event {seq} erased")
        self.forget(event.first, event.last)

    def forget(self, first: int, last: int) -> None:
        """Ask for no proof of rows ``first`` to ``last`` any more."""
        del self.lost[bisect_left(self.lost, first) : bisect_right(self.lost, last)]

    def all_proven(self) -> None:
        """``JournalError`` when a token is gone that nobody erased."""
        if self.lost:
            raise JournalError(f"journal: event {self.lost[0]} has been changed: its token is gone and no erasure tells of it")
