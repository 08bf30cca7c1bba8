"""The checker has teeth: every seeded fault is found, and a clean run has none."""

import copy
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.journal.journal import FILE, Entry, Journal
from kiosd.queue.events import DayOpened, Record, TicketIssued
from support.checker import Seen, findings, read_journal
from support.site import WEDNESDAY

Rows = list[dict[str, Any]]


@pytest.fixture
def clean(tmp_path: Path) -> tuple[Rows, Seen]:
    """A journal of three tickets, acknowledged and received."""
    now = ManualClock(WEDNESDAY).now()
    journal = Journal(tmp_path / FILE)
    journal.append([Entry(Record(1, now, DayOpened(date="2026-07-01"), "c0"))])
    seen = Seen()
    for n in range(1, 4):
        ticket = TicketIssued(ticket=f"CTH01-20260701-F{n:03d}", number=f"F{n:03d}", service="F", date="2026-07-01", n=n)
        reply = {"id": f"c{n}", "status": "done", "sequence": n + 1}
        journal.append([Entry(Record(n + 1, now, ticket, f"c{n}"), json.dumps(reply))])
        seen.acknowledged[f"c{n}"] = reply
    journal.close()
    rows = read_journal(tmp_path / FILE)
    stream = rows[0]["stream"]
    for row in rows[1:]:
        sequence = f"{row['seq']:015d}"
        data, kind = json.loads(row["data"]), f"kiosd.{row['type']}.v1"
        seen.received.append({"id": f"{stream}-{sequence}", "stream": stream, "sequence": sequence, "type": kind, "data": data})
    return rows, seen


def test_a_clean_run_has_no_findings(clean: tuple[Rows, Seen]) -> None:
    assert findings(*clean) == []


def lose_last_row(rows: Rows, _: Seen) -> None:
    rows.pop()


def lose_middle_row(rows: Rows, _: Seen) -> None:
    del rows[2]


def change_a_row(rows: Rows, _: Seen) -> None:
    rows[3]["data"] = rows[3]["data"].replace("F002", "F009")


def give_a_number_twice(rows: Rows, _: Seen) -> None:
    rows[4]["data"] = rows[3]["data"]


def do_a_command_twice(rows: Rows, _: Seen) -> None:
    rows[4]["command"] = rows[3]["command"]


def lose_an_event(_: Rows, seen: Seen) -> None:
    del seen.received[2]


def change_an_event(_: Rows, seen: Seen) -> None:
    seen.received[2]["data"] = seen.received[2]["data"] | {"n": 7}


def send_under_another_stream(_: Rows, seen: Seen) -> None:
    seen.received[2]["stream"] = "other"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (lose_last_row, "acknowledged but not stored"),
        (lose_middle_row, "gap"),
        (change_a_row, "chain"),
        (give_a_number_twice, "number given 2 times"),
        (do_a_command_twice, "command done 2 times"),
        (lose_an_event, "never arrived"),
        (change_an_event, "arrived changed"),
        (send_under_another_stream, "wrong identity"),
    ],
)
def test_a_seeded_fault_is_found(clean: tuple[Rows, Seen], fault: Callable[[Rows, Seen], None], word: str) -> None:
    rows, seen = copy.deepcopy(clean)
    fault(rows, seen)
    assert any(word in found for found in findings(rows, seen)), findings(rows, seen)


def test_the_journal_is_read_as_it_is(tmp_path: Path, clean: tuple[Rows, Seen]) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT count(*) FROM journal").fetchone()[0] == len(clean[0]) - 1
    db.close()
