-- Version 3: what uplinks remember beside their cursors (mqtt contract section 5).

-- Retained topics that a broker was given, whole, so that those which are no longer configured can be emptied.
CREATE TABLE retained (
    broker TEXT NOT NULL,
    topic  TEXT NOT NULL,
    PRIMARY KEY (broker, topic)
) STRICT, WITHOUT ROWID;

-- Events that a broker is not told, because it does not take them or dies of them: code says which, time when that was found.
CREATE TABLE quarantine (
    broker TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    code   TEXT NOT NULL,
    time   TEXT NOT NULL,
    PRIMARY KEY (broker, seq)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 3;
