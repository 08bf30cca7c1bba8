-- Version 1. Times are UTC, ISO 8601 with milliseconds; clock is 1 when the time was trusted.

-- One row: the stream this journal is. A new file is a new stream, so that old sequence numbers are never taken for new ones.
CREATE TABLE stream (
    id      TEXT NOT NULL,
    created TEXT NOT NULL
) STRICT;

-- Append-only. hash = SHA-256 of the row before it and of this row; the first row hangs on the stream's id.
CREATE TABLE journal (
    seq       INTEGER PRIMARY KEY,
    time      TEXT NOT NULL,
    boot      TEXT NOT NULL,
    monotonic REAL NOT NULL,
    clock     INTEGER NOT NULL CHECK (clock IN (0, 1)),
    type      TEXT NOT NULL,
    data      TEXT NOT NULL,
    command   TEXT NOT NULL,
    reply     TEXT,
    hash      BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- How far each follower has come.
CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
