-- Version 2: days that are older than raw events are kept become sheets, and tokens can be erased (domain section 9).

-- What stands for a sealed day. Its events were first to last; head is the hash of the last one, on which the next row of the journal
-- hangs. hash = SHA-256 of the hash of the sheet before and of this sheet; the first one hangs on the stream's id, as the first row does.
CREATE TABLE sheet (
    date  TEXT PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL UNIQUE CHECK (last >= first),
    head  BLOB NOT NULL CHECK (length(head) = 32),
    data  TEXT NOT NULL,
    hash  BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER sheet_no_update BEFORE UPDATE ON sheet BEGIN
    SELECT RAISE(ABORT, 'sheets are append-only');
END;
CREATE TRIGGER sheet_no_delete BEFORE DELETE ON sheet BEGIN
    SELECT RAISE(ABORT, 'sheets are append-only');
END;

-- Append-only but for two ways: a row that a sheet stands for may go, and a scan may lose its token, from quote to quote, and nothing
-- else. (Not by json_set: SQLite before 3.42 has no JSON functions in triggers where the schema is not trusted.)
DROP TRIGGER journal_no_update;
DROP TRIGGER journal_no_delete;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
WHEN (
    OLD.type = 'scan.read' AND instr(OLD.data, '"token":"') > 0
    AND NEW.data = substr(OLD.data, 1, instr(OLD.data, '"token":"') + 8)
        || substr(OLD.data, instr(OLD.data, '"token":"') + 8 + instr(substr(OLD.data, instr(OLD.data, '"token":"') + 9), '"'))
    AND NEW.seq = OLD.seq AND NEW.time = OLD.time AND NEW.boot = OLD.boot AND NEW.monotonic = OLD.monotonic AND NEW.clock = OLD.clock
    AND NEW.type = OLD.type AND NEW.command = OLD.command AND NEW.reply IS OLD.reply AND NEW.hash = OLD.hash
) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN NOT EXISTS (SELECT 1 FROM sheet WHERE last >= OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- The rows that divide the journal into days and those that prove something: found without reading all the others.
CREATE INDEX mark ON journal (type, seq)
WHERE type = 'system.day_opened' OR type = 'system.day_sealed' OR type = 'system.tokens_erased';

PRAGMA user_version = 2;
