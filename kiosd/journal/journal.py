"""The journal: append-only events in one SQLite file. The only file that imports sqlite3.

Rule 1  One read-write connection, in one thread, the journal's lane. Nobody else writes or checkpoints (with two writers SQLite
        before 3.51.3 can corrupt the file). The audit and offline tools open read-only.
Rule 2  WAL and synchronous=FULL: what ``append`` returned from survives a power cut, if the storage honours flush.
Rule 3  A failed commit or fsync is fatal (``JournalError``) and never retried: after one the kernel may call lost pages clean.
Rule 4  Every row carries the hash of the row before it, so a changed, lost or torn row is found, not believed.
Rule 5  Cursors are written with the next commit or by ``move``: they never cost an fsync of their own per event. A cursor that is
        behind after a crash means that something is sent twice, never that it is lost.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from uuid import uuid4

from kiosd.clock import Moment, utc_text
from kiosd.errors import JournalError
from kiosd.queue.events import DayOpened, Record, decode

FILE = "journal.db"
SCHEMA_VERSION = 1
ANSWERS_KEPT = timedelta(hours=24)  # mqtt contract section 5: an id is known for 24 h
_COLUMNS = "seq, time, boot, monotonic, clock, type, data, command, reply, hash"
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_INSERT = f"INSERT INTO journal ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -1024",  # KiB: enough for today's rows
)

NO_CURSORS: Mapping[str, int] = {}
Row = tuple[int, str, str, float, int, str, str, str, str | None, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to append; ``reply`` is the JSON answer to its command, kept with the command's last record."""

    record: Record
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """What a start needs: the records since the last day began and the answers of the last 24 hours, by command id."""

    records: tuple[Record, ...]
    answers: dict[str, str]


@contextmanager
def _fatal(doing: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise JournalError(f"journal: {doing}: {exc}") from exc


def row_hash(before: bytes, fields: Sequence[object]) -> bytes:
    """SHA-256 over the hash of the row before and this row's fields as a JSON array."""
    return hashlib.sha256(before + _ENCODE(fields).encode()).digest()


def _record(row: Row) -> Record:
    seq, time, boot, monotonic, clock, kind, data, command, _, _ = row
    moment = Moment(datetime.fromisoformat(time), monotonic, bool(clock), boot)
    try:
        return Record(seq, moment, decode(kind, data), command)
    except (KeyError, ValueError) as exc:
        raise JournalError(f"journal: event {seq} of type {kind!r} cannot be read by this version of kiosd") from exc


class Journal:
    """The open journal. Every method belongs to the journal's lane."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at ``path``; ``JournalError`` when it is damaged, newer than this program, or not writable."""
        with _fatal(f"cannot open {path}"):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._begin()
            except BaseException:
                self._db.close()
                raise

    def _begin(self) -> None:
        for setting in _SETTINGS:
            self._db.execute(setting)
        self._migrate()
        self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
        self.cursors: dict[str, int] = dict(self._db.execute("SELECT name, seq FROM cursor"))
        last = self._db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq: int = last[0] if last else 0
        self._hash: bytes = last[1] if last else genesis(self.stream)

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalError(f"journal: schema {version} is newer than this kiosd knows ({SCHEMA_VERSION}): install the newer version")
        for number in range(version + 1, SCHEMA_VERSION + 1):
            schema = resources.files("kiosd.journal").joinpath(f"schema/{number:04d}.sql").read_text("utf-8")
            self._db.executescript(f"BEGIN;\n{schema}")
            if number == 1:
                self._db.execute("INSERT INTO stream VALUES (?, ?)", (str(uuid4()), utc_text(datetime.now(UTC))))
            self._db.execute("COMMIT")

    def append(self, entries: Sequence[Entry], cursors: Mapping[str, int] = NO_CURSORS) -> None:
        """Make ``entries`` durable, all or none, and ``cursors`` with them. Their ``seq`` continues the journal's."""
        rows = self._rows(entries)
        with _fatal("cannot write"):
            if len(rows) == 1 and not cursors:
                self._db.execute(_INSERT, rows[0])
            else:
                self._commit(rows, cursors)
        self.seq, self._hash = rows[-1][0], rows[-1][-1]

    def move(self, cursors: Mapping[str, int]) -> None:
        """Make ``cursors`` durable now: how far each follower has come."""
        if cursors:
            with _fatal("cannot write cursors"):
                self._commit((), cursors)

    def _commit(self, rows: Iterable[Row], cursors: Mapping[str, int]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(_INSERT, rows)
        self._db.executemany("INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq", cursors.items())
        self._db.execute("COMMIT")

    def _rows(self, entries: Sequence[Entry]) -> list[Row]:
        rows: list[Row] = []
        before, seq = self._hash, self.seq
        for entry in entries:
            record, moment, seq = entry.record, entry.record.moment, seq + 1
            if record.seq != seq:
                raise JournalError(f"journal: event {record.seq} does not follow {seq - 1}")
            data = record.event.model_dump_json()
            fields = (
                seq,
                utc_text(moment.time),
                moment.boot,
                moment.monotonic,
                int(moment.synced),
                record.event.type,
                data,
                record.command,
            )
            before = row_hash(before, (*fields, entry.reply))
            rows.append((*fields, entry.reply, before))
        return rows

    def read(self, since: int, limit: int) -> list[Record]:
        """At most ``limit`` records after ``since``, in order."""
        with _fatal("cannot read"):
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))  # noqa: S608
            return [_record(row) for row in rows]

    def tail(self) -> Tail:
        """The newest rows, their chain checked: back to the start of the last day, and for answers back 24 hours from the last row."""
        rows: list[Row] = []
        day_found = False
        oldest = None
        with _fatal("cannot read"):
            for row in self._db.execute(f"SELECT {_COLUMNS} FROM journal ORDER BY seq DESC"):  # noqa: S608 - a constant
                time = datetime.fromisoformat(row[1])
                oldest = oldest or time - ANSWERS_KEPT
                if day_found and time < oldest:
                    rows.append(row)  # the row before: what the first one hangs on
                    break
                rows.append(row)
                day_found = day_found or row[5] == DayOpened.type
            else:
                rows.append((0, "", "", 0.0, 0, "", "", "", None, genesis(self.stream)))
        rows.reverse()
        check_chain(rows[1:], rows[0][0], rows[0][-1])
        days = [index for index, row in enumerate(rows) if row[5] == DayOpened.type]
        records = tuple(_record(row) for row in rows[days[-1] if days else 1 :])
        return Tail(records, {row[7]: row[8] for row in rows[1:] if row[8] is not None})

    def close(self) -> None:
        """Fold the WAL into the file and close."""
        with _fatal("cannot close"):
            self._db.close()


def genesis(stream: str) -> bytes:
    """What the first row's hash hangs on."""
    return hashlib.sha256(stream.encode()).digest()


def check_chain(rows: Iterable[Row], seq: int, before: bytes) -> tuple[int, bytes]:
    """Check that ``rows`` follow row ``seq`` with hash ``before``; the last one's number and hash. ``JournalError`` names the bad row."""
    for row in rows:
        if row[0] != seq + 1:
            raise JournalError(f"journal: event {seq + 1} is missing (the next is {row[0]})")
        if row_hash(before, row[:-1]) != row[-1]:
            raise JournalError(f"journal: event {row[0]} has been changed: its hash does not fit")
        seq, before = row[0], row[-1]
    return seq, before


class Audit:
    """A whole check of a journal file on a read-only connection, in steps, so that it can run beside the service."""

    STEP_ROWS = 500

    def __init__(self, path: Path) -> None:
        with _fatal(f"cannot open {path}"):
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

    def structure(self) -> None:
        """SQLite's own quick_check; ``JournalError`` with its first finding."""
        with _fatal("cannot be read"):
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise JournalError(f"journal: the file is damaged: {found}")

    def chain(self) -> Iterator[int]:
        """Check every row from the first; yields how many were checked after each step; ``JournalError`` names the first bad row."""
        with _fatal("cannot be read"):
            seq, before = 0, genesis(self._db.execute("SELECT id FROM stream").fetchone()[0])
        while True:
            with _fatal("cannot be read"):
                query = f"SELECT {_COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
                rows = self._db.execute(query, (seq, self.STEP_ROWS)).fetchall()
            if not rows:
                return
            seq, before = check_chain(rows, seq, before)
            yield seq

    def whole(self) -> int:
        """Structure and chain at once; the number of events."""
        self.structure()
        count = 0
        for count in self.chain():  # noqa: B007 - the last one is the answer
            pass
        return count

    def interrupt(self) -> None:
        """End what is being read now, from any thread: a check of a large file must not hold the daemon's end."""
        self._db.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
