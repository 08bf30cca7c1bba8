"""Decides offline, from a kiosk's journal and a consumer's log, whether the contract was kept: nothing lost, in order, once, unchanged.

``python contractcheck.py JOURNAL CONSUMER_DB [--until SEQUENCE]`` prints a sentence for every finding. It exits with 0 when nothing is
wrong, 1 when something is, 2 when there is nothing to judge. ``--until`` leaves out what happened later, for a kiosk that is at work.

It knows nothing of kiosd's code: the journal is read by its schema file, the log is that of docs/examples/consumer.py (``event``,
``total``), with what support/consumer.py notes beside it (``arrived`` and ``applied``, in the order in which that happened).
"""

import argparse
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEQUENCE_DIGITS = 15
TWICE = 2


class Unusable(Exception):
    """There is nothing that could be judged."""


@dataclass(frozen=True)
class Journal:
    """``rows`` by sequence. Events before the first row are sealed; those ``left_out`` are told to have been quarantined."""

    stream: str
    rows: dict[int, dict[str, Any]]
    left_out: set[int]

    @property
    def first(self) -> int:
        return min(self.rows)

    @property
    def last(self) -> int:
        return max(self.rows)


@dataclass(frozen=True)
class Log:
    """What a consumer has of one stream: ``events`` as it stored them, ``gone`` what it was told will never come, ``totals`` by type."""

    events: dict[int, dict[str, Any]]
    gone: set[int]
    totals: dict[str, int]
    arrived: list[tuple[int, dict[str, Any]]]
    applied: list[int]


def _opened(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise Unusable(f"there is no {file}")
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db


def read_journal(file: Path, until: int | None = None) -> Journal:
    """The journal in ``file``, up to event ``until``; ``Unusable`` when it is none or holds nothing."""
    with closing(_opened(file)) as db:
        try:
            (stream,) = db.execute("SELECT id FROM stream").fetchone()
            found = db.execute("SELECT * FROM journal WHERE seq <= ? ORDER BY seq", (sys.maxsize if until is None else until,))
            rows = {row["seq"]: dict(row) for row in found}
            left_out = {seq for (seq,) in db.execute("SELECT seq FROM quarantine")}
        except (sqlite3.DatabaseError, TypeError) as wrong:
            raise Unusable(f"{file} is no journal: {wrong}") from None
    if not rows:
        raise Unusable(f"{file} holds no events")
    return Journal(stream, rows, left_out)


def read_log(file: Path, stream: str, until: int | None = None) -> Log:
    """What the consumer whose file this is has of ``stream``; ``Unusable`` when it is no such file."""
    limit = (stream, sys.maxsize if until is None else until)
    with closing(_opened(file)) as db:
        try:
            stored = db.execute("SELECT sequence, upto, text FROM event WHERE stream = ? AND sequence <= ?", limit).fetchall()
            arrived = db.execute("SELECT sequence, text FROM arrived WHERE stream = ? AND sequence <= ? ORDER BY rowid", limit).fetchall()
            applied = db.execute("SELECT sequence FROM applied WHERE stream = ? AND sequence <= ? ORDER BY rowid", limit).fetchall()
            others = db.execute("SELECT 1 FROM stream WHERE id <> ?", (stream,)).fetchone()
            totals = dict(db.execute("SELECT type, n FROM total").fetchall()) if until is None and others is None else {}
        except sqlite3.DatabaseError as wrong:
            raise Unusable(f"{file} is no consumer's log: {wrong}") from None
    return Log(
        events={row["sequence"]: json.loads(row["text"]) for row in stored if row["text"]},
        gone={seq for row in stored if not row["text"] for seq in range(row["sequence"], row["upto"] + 1)},
        totals=totals,
        arrived=[(sequence, json.loads(text)) for sequence, text in arrived],
        applied=[sequence for (sequence,) in applied],
    )


def findings(journal: Journal, log: Log) -> list[str]:
    """Everything that is wrong, a sentence each; empty when nothing is."""
    return [
        *_holes(journal),
        *_lost(journal, log),
        *_shortened(journal, log),
        *_order(log),
        *_totals(log),
        *_changed(journal, log),
        *_twins(log),
    ]


def _runs(numbers: Iterable[int]) -> Iterator[str]:
    """``event 3``, ``events 7 to 9``."""
    run: list[int] = []
    for number in [*sorted(numbers), None]:
        if run and number != run[-1] + 1:
            yield f"event {run[0]}" if len(run) == 1 else f"events {run[0]} to {run[-1]}"
            run = []
        if number is not None:
            run.append(number)


def _holes(journal: Journal) -> list[str]:
    return [f"{run}: not in the journal" for run in _runs(set(range(journal.first, journal.last)) - journal.rows.keys())]


def _lost(journal: Journal, log: Log) -> list[str]:
    missing = journal.rows.keys() - log.events.keys() - journal.left_out
    never, given_up = missing - log.gone, missing & log.gone
    unapplied = (log.events.keys() & journal.rows.keys()) - set(log.applied)
    return [
        *(f"{run}: lost, the consumer never got what the journal has" for run in _runs(never)),
        *(f"{run}: lost, the consumer was told that it is gone, but the journal has it" for run in _runs(given_up)),
        *(f"{run}: arrived, but the consumer never applied it" for run in _runs(unapplied)),
    ]


def _shortened(journal: Journal, log: Log) -> list[str]:
    beyond = {seq for seq in log.events if seq > journal.last}
    return [f"{run}: told, but the journal ends at {journal.last}: it was shortened after it had been told" for run in _runs(beyond)]


def _order(log: Log) -> list[str]:
    wrong = [f"event {seq}: applied {times} times" for seq, times in sorted(Counter(log.applied).items()) if times >= TWICE]
    highest = 0
    for seq in log.applied:
        if seq < highest:
            wrong.append(f"event {seq}: applied after event {highest}, out of order")
        skipped = set(range(highest + 1, seq)) - log.gone if highest else set()
        wrong += [f"{run}: passed over when event {seq} was applied" for run in _runs(skipped)]
        highest = max(highest, seq)
    return wrong


def _totals(log: Log) -> list[str]:
    """What the consumer made of the events, by its own count."""
    if not log.totals:
        return []
    due = Counter(log.events[seq]["type"] for seq in set(log.applied) & log.events.keys())
    kinds = sorted(due.keys() | log.totals.keys())
    return [
        f"{kind}: counted {log.totals.get(kind, 0)} times, {due[kind]} are due" for kind in kinds if log.totals.get(kind, 0) != due[kind]
    ]


def _expected(journal: Journal, row: dict[str, Any]) -> dict[str, Any]:
    sequence = f"{row['seq']:0{SEQUENCE_DIGITS}d}"
    return {
        "id": f"{journal.stream}-{sequence}",
        "sequence": sequence,
        "stream": journal.stream,
        "type": f"kiosd.{row['type']}.v1",
        "time": row["time"],
        "boot": row["boot"],
        "clock": "synced" if row["clock"] else "unsynced",
        "data": json.loads(row["data"]),
    }


def _changed(journal: Journal, log: Log) -> list[str]:
    wrong = []
    for seq in sorted(log.events.keys() & journal.rows.keys()):
        due, event = _expected(journal, journal.rows[seq]), log.events[seq]
        if due["data"].get("token") == "":  # the journal has forgotten it since; the consumer may still know it
            event = event | {"data": event["data"] | {"token": ""}}
        wrong += [
            f"event {seq}: {name} is {event.get(name)!r}, in the journal {due[name]!r}" for name in due if event.get(name) != due[name]
        ]
    return wrong


def _twins(log: Log) -> list[str]:
    """What comes twice must be known by its identity, and be the same but for the mark that it is told again."""
    wrong: dict[str, None] = {}
    first: dict[int, dict[str, Any]] = {}
    for seq, event in log.arrived:
        told = {name: value for name, value in event.items() if name != "replay"}
        if event.get("id") != f"{event.get('stream')}-{seq:0{SEQUENCE_DIGITS}d}":
            wrong[f"event {seq}: arrived as {event.get('id')!r}, so that a duplicate of it cannot be told"] = None
        if first.setdefault(seq, told) != told:
            wrong[f"event {seq}: arrived with two contents under one identity"] = None
    return list(wrong)


def main(words: Sequence[str] | None = None) -> int:
    """The program; its exit status."""
    parser = argparse.ArgumentParser(description="Was the contract kept between a kiosk and a consumer?")
    parser.add_argument("journal", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--until", type=int, help="leave out what happened after this event")
    given = parser.parse_args(words)
    try:
        journal = read_journal(given.journal, given.until)
        log = read_log(given.log, journal.stream, given.until)
    except Unusable as why:
        print(f"nothing to judge: {why}", file=sys.stderr)
        return 2
    wrong = findings(journal, log)
    twice = len(log.arrived) - len({seq for seq, _ in log.arrived})
    told = f"events {journal.first} to {journal.last}, {twice} arrivals more than events"
    print(*wrong or [f"the contract was kept: {told}"], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
