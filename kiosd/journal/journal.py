"""The journal: append-only events in one SQLite file. The only file that writes it.

Rule 1  One read-write connection, in one thread, the journal's lane. Nobody else writes or checkpoints (with two writers SQLite
        before 3.51.3 can corrupt the file). The audit and offline tools open read-only.
Rule 2  WAL and synchronous=FULL: what ``append`` returned from survives a power cut, if the storage honours flush.
Rule 3  A failed commit or fsync is fatal (``JournalError``) and never retried: after one the kernel may call lost pages clean.
Rule 4  Every row carries the hash of the row before it, so a changed, lost or torn row is found, not believed.
Rule 5  Cursors are written with the next commit or by ``move``: they never cost an fsync of their own per event. A cursor that is
        behind after a crash means that something is sent twice, never that it is lost.
Rule 6  Old rows go in two ways only, each in one transaction with the event that proves it (``chain``): a day is replaced by its sheet,
        a scan loses its token. What is deleted is overwritten (secure_delete), and ``truncate`` empties the WAL of it.
"""

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
from kiosd.journal.chain import COLUMNS, Change, Row, Seal, Walk, genesis, row_hash
from kiosd.journal.check import Audit
from kiosd.journal.marks import Kept, Mark, Quarantine
from kiosd.journal.past import SCANS, WITHOUT_TOKEN
from kiosd.journal.place import FILE
from kiosd.queue.events import DayOpened, Record, TokensErased, decode

__all__ = ["ANSWERS_KEPT", "FILE", "NO_CURSORS", "SCHEMA_VERSION", "Audit", "Entry", "Journal", "Tail"]

SCHEMA_VERSION = 3
ANSWERS_KEPT = timedelta(hours=24)  # mqtt contract section 5: an id is known for 24 h
_INSERT = f"INSERT INTO journal ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
_ERASE = f"UPDATE journal SET data = {WITHOUT_TOKEN} WHERE {SCANS}"  # noqa: S608 - constants
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -1024",  # KiB: enough for today's rows
    "PRAGMA secure_delete = ON",  # an append pays nothing for it: it deletes nothing
)
BUSY_MS = 5000

NO_CURSORS: Mapping[str, int] = {}


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


def _record(row: Row) -> Record:
    seq, time, boot, monotonic, clock, kind, data, command, _, _ = row
    moment = Moment(datetime.fromisoformat(time), monotonic, bool(clock), boot)
    try:
        return Record(seq, moment, decode(kind, data), command)
    except (KeyError, ValueError) as exc:
        raise JournalError(f"journal: event {seq} of type {kind!r} cannot be read by this version of kiosd") from exc


def _new_stream() -> str:
    """A random id that does not end in twelve digits: beside the year in its row they would look like an identity number."""
    while (stream := str(uuid4()))[-12:].isdigit():
        pass
    return stream


class Journal:
    """The open journal. Every method belongs to the journal's lane."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at ``path``; ``JournalError`` when it is damaged, newer than this program, or not writable."""
        crashed = path.with_name(f"{path.name}-wal").exists()
        with _fatal(f"cannot open {path}"):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._begin(crashed)
            except BaseException:
                self._db.close()
                raise

    def _begin(self, crashed: bool) -> None:
        for setting in _SETTINGS:
            self._db.execute(setting)
        self._migrate()
        if crashed:
            self.truncate()  # what was erased just before is still in the WAL
        self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
        self.cursors: dict[str, int] = dict(self._db.execute("SELECT name, seq FROM cursor"))
        self.retained: set[tuple[str, str]] = set(self._db.execute("SELECT broker, topic FROM retained"))
        self.quarantined = [Quarantine(*row) for row in self._db.execute("SELECT broker, seq, kind, code, time FROM quarantine")]
        last = self._db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq: int
        self._hash: bytes
        self.seq, self._hash = last or self._root()

    def _root(self) -> tuple[int, bytes]:
        """Number and hash of what the oldest row hangs on."""
        sealed: tuple[int, bytes] | None = self._db.execute("SELECT last, head FROM sheet ORDER BY last DESC LIMIT 1").fetchone()
        return sealed or (0, genesis(self.stream))

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalError(f"journal: schema {version} is newer than this kiosd knows ({SCHEMA_VERSION}): install the newer version")
        for number in range(version + 1, SCHEMA_VERSION + 1):
            schema = resources.files("kiosd.journal").joinpath(f"schema/{number:04d}.sql").read_text("utf-8")
            self._db.executescript(f"BEGIN;\n{schema}")
            if number == 1:
                self._db.execute("INSERT INTO stream VALUES (?, ?)", (_new_stream(), utc_text(datetime.now(UTC))))
            self._db.execute("COMMIT")

    def append(self, entries: Sequence[Entry], cursors: Mapping[str, int] = NO_CURSORS, changes: Sequence[Change | Mark] = ()) -> None:
        """Make ``entries`` durable, all or none, and with them ``cursors`` and ``changes``. Their ``seq`` continues the journal's."""
        rows = self._rows(entries)
        with _fatal("cannot write"):
            if len(rows) == 1 and not cursors and not changes:
                self._db.execute(_INSERT, rows[0])
            else:
                self._commit(rows, cursors, changes)
        self.seq, self._hash = rows[-1][0], rows[-1][-1]

    def move(self, cursors: Mapping[str, int], marks: Sequence[Mark] = ()) -> None:
        """Make ``cursors`` and ``marks`` durable now: how far each follower has come, and what it remembers."""
        if cursors or marks:
            with _fatal("cannot write cursors"):
                self._commit((), cursors, marks)

    def truncate(self) -> bool:
        """Fold the WAL into the file and leave nothing of it; False, at once, while somebody still reads from it."""
        with _fatal("cannot write"):
            self._db.execute("PRAGMA busy_timeout = 0")
            busy: int = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return not busy

    def _change(self, change: Change) -> None:
        if isinstance(change, Seal):
            sheet = change.sheet
            values = (sheet.date, sheet.first, sheet.last, sheet.head, sheet.data, sheet.hash)
            self._db.execute("INSERT INTO sheet (date, first, last, head, data, hash) VALUES (?, ?, ?, ?, ?, ?)", values)
            wanted = sheet.last - sheet.first + 1
            touched = self._db.execute("DELETE FROM journal WHERE seq BETWEEN ? AND ?", (sheet.first, sheet.last)).rowcount
        else:
            wanted, touched = change.rows, self._db.execute(_ERASE, (change.first, change.last)).rowcount
        if touched != wanted:
            self._db.execute("ROLLBACK")
            raise JournalError(f"journal: {change.last} was to be the last of {wanted} changed events, but there are {touched}")

    def _mark(self, mark: Mark) -> None:
        if isinstance(mark, Quarantine):
            values = (mark.broker, mark.seq, mark.kind, mark.code, mark.time)
            self._db.execute("INSERT OR IGNORE INTO quarantine (broker, seq, kind, code, time) VALUES (?, ?, ?, ?, ?)", values)
        elif mark.kept:
            self._db.execute("INSERT OR IGNORE INTO retained (broker, topic) VALUES (?, ?)", (mark.broker, mark.topic))
        else:
            self._db.execute("DELETE FROM retained WHERE broker = ? AND topic = ?", (mark.broker, mark.topic))

    def _commit(self, rows: Iterable[Row], cursors: Mapping[str, int], changes: Iterable[Change | Mark] = ()) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for change in changes:
            if isinstance(change, Kept | Quarantine):
                self._mark(change)
            else:
                self._change(change)
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
        """At most ``limit`` records after ``since``, in order; from the first one on that is left when ``since`` lies in a sealed day."""
        with _fatal("cannot read"):
            rows = self._db.execute(f"SELECT {COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))  # noqa: S608
            return [_record(row) for row in rows]

    def tail(self) -> Tail:
        """The newest rows, their chain checked: back to the start of the last day, and for answers back 24 hours from the last row."""
        rows = self._newest()
        walk = Walk(rows[0][0], rows[0][-1])
        walk.take(rows[1:])
        for seq, event in walk.erased:
            if any(event.first <= lost <= event.last for lost in walk.lost):
                walk.believe(seq, event, self._between(event))
        walk.all_proven()
        days = [index for index, row in enumerate(rows) if row[5] == DayOpened.type]
        records = tuple(_record(row) for row in rows[days[-1] if days else 1 :])
        return Tail(records, {row[7]: row[8] for row in rows[1:] if row[8] is not None})

    def _between(self, event: TokensErased) -> list[Row]:
        query = f"SELECT {COLUMNS} FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - a constant
        with _fatal("cannot read"):
            return self._db.execute(query, (event.first, event.last)).fetchall()

    def _newest(self) -> list[Row]:
        """The rows that a start needs, oldest first, and before them what the first of them hangs on."""
        rows: list[Row] = []
        day_found = False
        oldest = None
        with _fatal("cannot read"):
            for row in self._db.execute(f"SELECT {COLUMNS} FROM journal ORDER BY seq DESC"):  # noqa: S608 - a constant
                time = datetime.fromisoformat(row[1])
                oldest = oldest or time - ANSWERS_KEPT
                if day_found and time < oldest:
                    rows.append(row)  # the row before: what the first one hangs on
                    break
                rows.append(row)
                day_found = day_found or row[5] == DayOpened.type
            else:
                seq, head = self._root()
                rows.append((seq, "", "", 0.0, 0, "", "", "", None, head))
        return rows[::-1]

    def close(self) -> None:
        """Fold the WAL into the file and close."""
        with _fatal("cannot close"):
            self._db.close()
