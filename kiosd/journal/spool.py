"""A satellite's own outbox: presses and device health that its hub has not answered yet, in one SQLite file.

Rule 1  One connection, in one thread, the spool's lane.
Rule 2  WAL and synchronous=FULL: what ``put`` returned from survives a power cut, if the storage honours flush.
Rule 3  Any error of SQLite is a ``DeviceError``: the connection is given up and the file read anew. An fsync that failed is not retried.
Rule 4  Rows leave in the order they came, when the hub has answered or when they are counted in ``lost``; both in one transaction.
Rule 5  A file that is damaged, or of a newer version, is set aside (the last one is kept) and a new one is begun.
Rule 6  Bounded. When it is full only the newest health of each device stays; then the oldest press goes, and is counted.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from kiosd.clock import Moment, utc_text
from kiosd.errors import DeviceError
from kiosd.queue.commands import Command, Rate, ReportDevice, Survey
from kiosd.threads import Lane, lane

T = TypeVar("T")
FILE = "spool.db"
SET_ASIDE = "spool.damaged.db"
KINDS: dict[str, type[Command]] = {kind.name: kind for kind in (Rate, Survey, ReportDevice)}
"""What is spooled: facts that stay true while the hub is away. Whoever calls the next visitor wants it now or not at all."""
MAX_ROWS = 10_000  # a button held down by a vandal; an honest day has a few hundred presses
MAX_BYTES = 4 * 1024 * 1024  # of the commands' text
DEADLINE_S = 10.0  # SD cards stall for 100 ms and more; a desk must not wait for a dead one for half a minute
VERSION = 1
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -256",  # KiB: a satellite has little memory, and only the first row is read
)
_SCHEMA = f"""
BEGIN;
CREATE TABLE spool (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE,  -- the command's
    name      TEXT NOT NULL,
    device    TEXT NOT NULL,         -- whose health it is; '' for a press
    data      TEXT NOT NULL,         -- the command as JSON
    time      TEXT NOT NULL,         -- the moment it was put here
    boot      TEXT NOT NULL,
    monotonic REAL NOT NULL,
    synced    INTEGER NOT NULL,
    crc       INTEGER NOT NULL       -- of all of these but seq: SQLite does not notice a changed letter
) STRICT;
CREATE INDEX of_device ON spool (device, seq);
CREATE TABLE lost (why TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
PRAGMA user_version = {VERSION};
COMMIT;
"""
_COLUMNS = "id, name, device, data, time, boot, monotonic, synced, crc"
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""Primary result codes that waiting does not mend; SQLITE_ERROR is a table or column that is not there."""


class _Damaged(Exception):
    """The file is not a spool of ours; the text says how that was seen."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A command on its way. ``command`` is None when the row cannot be read; ``moment`` is when it was put here."""

    seq: int
    command: Command | None
    moment: Moment

    def age_s(self, now: Moment) -> float | None:
        """Seconds since the person acted; None when they cannot be known.

        Seconds since boot count within one boot only. Across a power cut there is the wall clock, if it was trusted then and is now.
        """
        before = self.command.age_s if self.command is not None else 0.0
        if self.moment.boot == now.boot:
            return before + max(0.0, now.monotonic - self.moment.monotonic)
        if self.moment.synced and now.synced:
            return before + max(0.0, (now.time - self.moment.time).total_seconds())
        return None


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        full = getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        raise DeviceError(f"spool: {doing}: {exc}", "disk_full" if full else "io") from exc


class Spool:
    """The open spool. Every method belongs to the spool's lane and raises ``DeviceError``; after one, open the file anew."""

    def __init__(self, path: Path, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        """Open or create ``path``. ``set_aside`` says why the file that was there is not used, if it is not."""
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self.set_aside = ""
        with _translated(f"cannot open {path}"):
            try:
                self._db = _open(path)
            except _Damaged as exc:
                self.set_aside = str(exc)
                self._db = _begin_anew(path)
            count, size = self._db.execute("SELECT count(*), coalesce(sum(length(data)), 0) FROM spool").fetchone()
            self._rows, self._bytes = int(count), int(size)
            self.lost: dict[str, int] = dict(self._db.execute("SELECT why, count FROM lost"))
        """Presses that were never delivered, by reason, since ``forget_lost``."""

    def put(self, command: Command, moment: Moment) -> None:
        """Keep ``command``, given at ``moment``; durable when this returns. What is on its way already is not kept twice."""
        device = command.device if isinstance(command, ReportDevice) else ""
        data = command.model_dump_json()
        with _translated("cannot write"):
            if device and self._says_the_same(command, device):
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._make_room(len(data))
            values = (command.id, command.name, device, data, utc_text(moment.time), moment.boot, moment.monotonic, int(moment.synced))
            added = self._db.execute(
                f"INSERT OR IGNORE INTO spool ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                (*values, _crc(values)),
            ).rowcount
            self._db.execute("COMMIT")
            self._rows, self._bytes = self._rows + added, self._bytes + added * len(data)

    def _says_the_same(self, report: Command, device: str) -> bool:
        """Whether the newest health of ``device`` here is this: a device that stays down is reported again and again."""
        row = self._db.execute(
            f"SELECT seq, {_COLUMNS} FROM spool WHERE device = ? ORDER BY seq DESC LIMIT 1",  # noqa: S608 - a constant
            (device,),
        ).fetchone()
        newest = _kept(row).command if row else None
        return newest is not None and newest.model_dump(exclude={"id", "age_s"}) == report.model_dump(exclude={"id", "age_s"})

    def _make_room(self, size: int) -> None:
        if self._fits(size):
            return
        self._delete("device <> '' AND seq < (SELECT max(seq) FROM spool AS newer WHERE newer.device = spool.device)")
        while not self._fits(size) and self._rows:
            self._delete("seq = (SELECT seq FROM spool ORDER BY device <> '', seq LIMIT 1)")
            self._count("full", 1)

    def _fits(self, size: int) -> bool:
        return self._rows < self._max_rows and self._bytes + size <= self._max_bytes

    def _delete(self, which: str, *values: int) -> int:
        """Delete rows in the transaction that is open; how many."""
        gone = self._db.execute(f"DELETE FROM spool WHERE {which} RETURNING length(data)", values).fetchall()  # noqa: S608 - our constants
        self._rows, self._bytes = self._rows - len(gone), self._bytes - sum(row[0] for row in gone)
        return len(gone)

    def _count(self, why: str, count: int) -> None:
        self._db.execute("INSERT INTO lost VALUES (?1, ?2) ON CONFLICT (why) DO UPDATE SET count = count + ?2", (why, count))
        self.lost[why] = self.lost.get(why, 0) + count

    def first(self, after: int = 0) -> Kept | None:
        """The oldest row whose ``seq`` is more than ``after``; None when there is none."""
        with _translated("cannot read"):
            row = self._db.execute(
                f"SELECT seq, {_COLUMNS} FROM spool WHERE seq > ? ORDER BY seq LIMIT 1",  # noqa: S608 - a constant
                (after,),
            ).fetchone()
        return _kept(row) if row else None

    def too_old(self, now: Moment, limit_s: float) -> list[int]:
        """The presses at the front that are older than ``limit_s``, by ``seq``. Health is never too old: it is how things stand."""
        found: list[int] = []
        with _translated("cannot read"):
            rows = self._db.execute(f"SELECT seq, {_COLUMNS} FROM spool WHERE device = '' ORDER BY seq")  # noqa: S608 - a constant
            for row in rows:
                kept = _kept(row)
                age = kept.age_s(now)
                if age is None or age <= limit_s:
                    break
                found.append(kept.seq)
            rows.close()
        return found

    def remove(self, rows: Sequence[int], why_lost: str = "") -> None:
        """Delete ``rows``, given by ``seq``: they were delivered, or are lost for the reason ``why_lost``."""
        with _translated("cannot write"):
            self._db.execute("BEGIN IMMEDIATE")
            gone = sum(self._delete("seq = ?", seq) for seq in rows)
            if why_lost and gone:
                self._count(why_lost, gone)
            self._db.execute("COMMIT")

    def forget_lost(self) -> None:
        """Begin to count anew: somebody was told."""
        with _translated("cannot write"):
            self._db.execute("DELETE FROM lost")
        self.lost = {}

    def close(self) -> None:
        """Fold the WAL into the file and close."""
        with _translated("cannot close"):
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            db.execute(setting)
        _prepare(db)
    except sqlite3.Error as exc:
        db.close()
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise _Damaged(str(exc)) from exc
        raise
    except _Damaged:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables of a new file, check those of an old one."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(_SCHEMA)
    elif version != VERSION:
        raise _Damaged(f"it is of version {version}, this kiosd knows {VERSION}")
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise _Damaged(str(found))
    db.execute(f"SELECT seq, {_COLUMNS} FROM spool LIMIT 0").close()  # noqa: S608 - a constant
    db.execute("SELECT why, count FROM lost LIMIT 0").close()


def _begin_anew(path: Path) -> sqlite3.Connection:
    _put_aside(path)
    try:
        return _open(path)
    except _Damaged as exc:
        raise DeviceError(f"spool: {path} cannot be made: {exc}") from exc


def _put_aside(path: Path) -> None:
    """Rename the file, then its WAL, over those that were set aside before.

    In this order: SQLite deletes a WAL that it finds beside a new file, but would believe a file whose WAL is missing.
    """
    aside = path.with_name(SET_ASIDE)
    try:
        for tail in ("", "-wal"):
            aside.with_name(aside.name + tail).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                path.with_name(path.name + tail).rename(aside.with_name(aside.name + tail))
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    except OSError as exc:
        raise DeviceError(f"spool: {path} is damaged and cannot be set aside: {exc.strerror}") from exc


def _crc(values: Sequence[object]) -> int:
    return crc32("\0".join(map(str, values)).encode())


def _kept(row: Sequence[object]) -> Kept:
    seq, *values, crc = row
    _, name, _, data, time, boot, monotonic, synced = values
    try:
        moment = Moment(datetime.fromisoformat(str(time)), float(str(monotonic)), bool(synced), str(boot))
        command = KINDS[str(name)].model_validate_json(str(data)) if _crc(values) == crc else None
    except (KeyError, ValueError):
        return Kept(int(str(seq)), None, Moment(datetime.fromtimestamp(0, UTC), 0.0, synced=False, boot=""))
    return Kept(int(str(seq)), command, moment)


class OpenSpool:
    """A ``Spool`` in its lane."""

    def __init__(self, spool: Spool, its_lane: Lane) -> None:
        self._spool, self._lane, self.set_aside = spool, its_lane, spool.set_aside

    async def do(self, call: Callable[[Spool], T]) -> T:
        """``call(spool)`` in the lane; ``DeviceError`` when it fails or does not come back."""
        return await self._lane.run(lambda: call(self._spool), DEADLINE_S)


@asynccontextmanager
async def open_spool(path: Path) -> AsyncIterator[OpenSpool]:
    """The spool at ``path``, closed on exit; ``DeviceError`` when the disk does not let us."""
    for kind in KINDS.values():
        kind.model_rebuild()  # now, not by lane and loop together: pydantic 2.11 to 2.13 would use the base's validator meanwhile
    async with lane("spool") as its_lane:
        spool = await its_lane.run(lambda: Spool(path), DEADLINE_S)
        try:
            yield OpenSpool(spool, its_lane)
        finally:
            if not its_lane.hung:
                await its_lane.run(spool.close, DEADLINE_S)
