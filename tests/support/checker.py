"""Decides, from what was acknowledged, what is in the journal and what arrived, whether anything was lost, doubled or changed.

It imports nothing of kiosd: it reads the journal with sqlite3 and hashes it by the description in the schema file, not by kiosd's code.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Seen:
    """``acknowledged``: replies by command id; ``received``: CloudEvents in the order in which a subscriber got them."""

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All rows, oldest first, and the stream's id as row 0."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        stream = db.execute("SELECT id FROM stream").fetchone()[0]
        return [{"seq": 0, "stream": stream}, *(dict(row) for row in db.execute("SELECT * FROM journal ORDER BY seq"))]
    finally:
        db.close()


def findings(rows: list[dict[str, Any]], seen: Seen) -> list[str]:
    """Everything that is wrong, in words; empty when nothing is."""
    return [*_chain(rows), *_acknowledged(rows, seen), *_numbers(rows), *_received(rows, seen)]


def _chain(rows: list[dict[str, Any]]) -> list[str]:
    wrong = []
    before = hashlib.sha256(rows[0]["stream"].encode()).digest()
    for place, row in enumerate(rows[1:], start=1):
        if row["seq"] != place:
            wrong.append(f"gap: row {place} is event {row['seq']}")
            break
        fields = [row[name] for name in ("seq", "time", "boot", "monotonic", "clock", "type", "data", "command", "reply")]
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(before + text.encode()).digest()
        if before != row["hash"]:
            wrong.append(f"chain: event {place}")
            break
    return wrong


def _acknowledged(rows: list[dict[str, Any]], seen: Seen) -> list[str]:
    stored = {row["command"]: json.loads(row["reply"]) for row in rows[1:] if row["reply"]}
    wrong = []
    for command, reply in seen.acknowledged.items():
        if reply["sequence"] and stored.get(command) != reply:
            wrong.append(f"acknowledged but not stored: {command} {reply}")
    return wrong


def _numbers(rows: list[dict[str, Any]]) -> list[str]:
    issued = [row for row in rows[1:] if row["type"] == "ticket.issued"]
    tickets = Counter(json.loads(row["data"])["ticket"] for row in issued)
    commands = Counter(row["command"] for row in issued)
    return [
        *(f"number given {n} times: {ticket}" for ticket, n in tickets.items() if n > 1),
        *(f"command done {n} times: {command}" for command, n in commands.items() if n > 1),
    ]


def _received(rows: list[dict[str, Any]], seen: Seen) -> list[str]:
    wrong = []
    got: dict[int, dict[str, Any]] = {}
    for event in seen.received:
        sequence = int(event["sequence"])
        if event["id"] != f"{event['stream']}-{event['sequence']}" or event["stream"] != rows[0]["stream"]:
            wrong.append(f"wrong identity: {event['id']}")
        if got.setdefault(sequence, event)["data"] != event["data"]:
            wrong.append(f"event {sequence} arrived with two contents")
    for row in rows[1:]:
        event = got.get(row["seq"], {})
        if not event:
            wrong.append(f"never arrived: event {row['seq']} {row['type']}")
        elif event["data"] != json.loads(row["data"]) or event["type"] != f"kiosd.{row['type']}.v1":
            wrong.append(f"arrived changed: event {row['seq']}")
    return wrong
