"""The offline checker of journal and consumer has teeth: it is silent about what is right and finds every fault that is put in."""

import copy
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.journal.journal import FILE, Entry, Journal
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.topics import Topics
from kiosd.queue.events import DayOpened, Event, Record, TicketIssued
from support import contractcheck
from support.consumer import watched
from support.contractcheck import findings, read_journal, read_log
from support.site import WEDNESDAY

TOPICS = Topics("kiosd", "CTH01", "hub")
Body = dict[str, Any]


def ticket(n: int) -> TicketIssued:
    return TicketIssued(ticket=f"CTH01-20260701-F{n:03d}", number=f"F{n:03d}", service="F", date="2026-07-01", n=n)


def write(file: Path, *events: Event) -> list[Body]:
    """Append ``events`` to the journal ``file``; they as they go out."""
    now, journal, told = ManualClock(WEDNESDAY).now(), Journal(file), []
    for event in events:
        record = Record(journal.seq + 1, now, event, f"c{journal.seq}")
        journal.append([Entry(record)])
        told.append(json.loads(event_message(record, TOPICS, journal.stream, now).payload))
    journal.close()
    return told


@pytest.fixture
def told(tmp_path: Path) -> list[Body]:
    """Six events that are in the journal."""
    return write(tmp_path / FILE, DayOpened(date="2026-07-01"), *(ticket(n) for n in range(1, 6)))


class Hasty(watched()):  # type: ignore[misc]  # a class found at run time
    """A consumer that does not look at sequences: no deduplication, no order."""

    def store(self, _root: str, _kind: str, body: Body) -> None:
        row = (body["stream"], int(body["sequence"]), json.dumps(body))
        self.db.execute("INSERT INTO arrived VALUES (?, ?, ?)", row)
        self.db.execute("INSERT OR IGNORE INTO event VALUES (?1, ?2, ?2, ?3)", row)
        self.apply(body)


def consume(folder: Path, events: Iterable[Body], kind: Callable[..., Any] | None = None) -> Path:
    """The file of a consumer that got ``events`` in this order."""
    file = folder / "central.db"
    it = (kind or watched())("127.0.0.1", 1, str(file))
    with closing(it.db), it.db:
        for body in events:
            it.store(TOPICS.root, "ev", body)
    return file


def judged(folder: Path, events: Iterable[Body], kind: Callable[..., Any] | None = None, until: int | None = None) -> list[str]:
    """The findings about a consumer that got ``events``."""
    log = consume(folder, events, kind)
    journal = read_journal(folder / FILE, until)
    return findings(journal, read_log(log, journal.stream, until))


def test_what_is_right_has_no_findings(tmp_path: Path, told: list[Body]) -> None:
    assert judged(tmp_path, told) == []


def test_duplicates_and_replays_are_right(tmp_path: Path, told: list[Body]) -> None:
    again = [body | {"replay": True} for body in told]
    assert judged(tmp_path, [*told[:2], *told[3:], *told, *again]) == []


def test_what_comes_mixed_up_and_is_put_in_order_by_the_consumer_is_right(tmp_path: Path, told: list[Body]) -> None:
    assert judged(tmp_path, reversed(told)) == []


def changed(body: Body, **members: object) -> Body:
    return copy.deepcopy(body) | members


FAULTS: dict[str, tuple[Callable[[list[Body]], list[Body]], list[str]]] = {
    "an event marked as sent before its PUBACK, and lost": (
        lambda told: [*told[:2], *told[3:]],
        ["event 3: lost, the consumer never got what the journal has", "events 4 to 6: arrived, but the consumer never applied it"],
    ),
    "the last ones lost": (lambda told: told[:4], ["events 5 to 6: lost, the consumer never got what the journal has"]),
    "changed data": (
        lambda told: [*told[:5], changed(told[5], data=told[5]["data"] | {"n": 7})],
        [f"event 6: data is {ticket(5).model_dump() | {'n': 7}!r}, in the journal {ticket(5).model_dump()!r}"],
    ),
    "changed type": (
        lambda told: [changed(told[0], type="kiosd.day.closed.v1"), *told[1:]],
        ["event 1: type is 'kiosd.day.closed.v1', in the journal 'kiosd.system.day_opened.v1'"],
    ),
    "another clock": (
        lambda told: [*told[:5], changed(told[5], clock="unsynced")],
        ["event 6: clock is 'unsynced', in the journal 'synced'"],
    ),
    "two contents under one identity": (
        lambda told: [*told, changed(told[2], subject="other")],
        ["event 3: arrived with two contents under one identity"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_kiosk_or_the_way_is_found(tmp_path: Path, told: list[Body], fault: str) -> None:
    harm, found = FAULTS[fault]
    assert judged(tmp_path, harm(told)) == found


def test_a_duplicate_without_an_identity_is_found(tmp_path: Path, told: list[Body]) -> None:
    found = judged(tmp_path, [*told, changed(told[2], id="random-1")])
    assert "event 3: arrived as 'random-1', so that a duplicate of it cannot be told" in found


def test_a_consumer_without_deduplication_is_found(tmp_path: Path, told: list[Body]) -> None:
    found = judged(tmp_path, [*told[:3], told[2], *told[3:]], Hasty)
    assert found == ["event 3: applied 2 times", "kiosd.ticket.issued.v1: counted 6 times, 5 are due"]


def test_a_consumer_without_order_is_found(tmp_path: Path, told: list[Body]) -> None:
    found = judged(tmp_path, [told[0], told[2], told[1], *told[3:]], Hasty)
    assert found == ["event 2: passed over when event 3 was applied", "event 2: applied after event 3, out of order"]


def test_a_journal_that_lost_its_end_in_a_power_cut_is_found(tmp_path: Path, told: list[Body]) -> None:
    """What ``synchronous = NORMAL`` allows: the file is as it was before the last commits, which had been told already."""
    shutil.copy(tmp_path / FILE, tmp_path / "before")
    told += write(tmp_path / FILE, ticket(6), ticket(7))
    (tmp_path / "before").rename(tmp_path / FILE)
    assert judged(tmp_path, told) == ["events 7 to 8: told, but the journal ends at 6: it was shortened after it had been told"]


def test_a_journal_that_lost_its_end_and_went_on_is_found(tmp_path: Path, told: list[Body]) -> None:
    """The same numbers were given to other events: the consumer has the first ones, and drops the others as duplicates."""
    shutil.copy(tmp_path / FILE, tmp_path / "before")
    told += write(tmp_path / FILE, ticket(6))
    (tmp_path / "before").rename(tmp_path / FILE)
    told += write(tmp_path / FILE, ticket(9))
    found = judged(tmp_path, told)
    assert len(found) == 2
    assert found[0].startswith("event 7: data is")
    assert found[1] == "event 7: arrived with two contents under one identity"


def test_a_row_that_is_gone_from_the_middle_of_the_journal_is_found(tmp_path: Path, told: list[Body]) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("DROP TRIGGER journal_no_delete")
        db.execute("DELETE FROM journal WHERE seq = 3")
    assert judged(tmp_path, told) == ["event 3: not in the journal"]


def test_a_consumer_that_was_told_that_something_is_gone_which_is_not(tmp_path: Path, told: list[Body]) -> None:
    log = consume(tmp_path, [*told[:2], *told[4:]])
    with closing(sqlite3.connect(log)) as db, db:
        db.execute("INSERT INTO event VALUES (?, 3, 4, NULL)", (told[0]["stream"],))
    journal = read_journal(tmp_path / FILE)
    found = findings(journal, read_log(log, journal.stream))
    assert "events 3 to 4: lost, the consumer was told that it is gone, but the journal has it" in found


def test_an_event_that_was_left_out_loudly_is_not_lost(tmp_path: Path, told: list[Body]) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("INSERT INTO quarantine VALUES ('central', 6, 'ticket.issued', 'too_large', '2026-07-01T00:00:00.000Z')")
    assert judged(tmp_path, told[:5]) == []


def test_a_token_that_the_journal_has_forgotten_is_no_change(tmp_path: Path, told: list[Body]) -> None:
    journal = read_journal(tmp_path / FILE)
    for body, data in ((told[5], journal.rows[6]["data"]),):
        journal.rows[6]["data"] = json.dumps(json.loads(data) | {"token": ""})
        body["data"]["token"] = "0a1b2c3d"  # noqa: S105 - what a card becomes, no secret
    assert findings(journal, read_log(consume(tmp_path, told), journal.stream)) == []


def test_what_happened_later_can_be_left_out(tmp_path: Path, told: list[Body]) -> None:
    assert judged(tmp_path, told[:4], until=4) == []


def program(*words: object) -> tuple[int, str]:
    """Exit status and what it says."""
    command = [sys.executable, contractcheck.__file__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_as_a_program_it_says_what_it_found(tmp_path: Path, told: list[Body]) -> None:
    log = consume(tmp_path, told[:5])
    assert program(tmp_path / FILE, log) == (1, "event 6: lost, the consumer never got what the journal has\n")
    assert program(tmp_path / FILE, log, "--until", 5) == (0, "the contract was kept: events 1 to 5, 0 arrivals more than events\n")


def test_as_a_program_it_does_not_judge_what_is_not_there(tmp_path: Path, told: list[Body]) -> None:
    log = consume(tmp_path, told)
    for words in ((tmp_path / "absent", log), (tmp_path / FILE, tmp_path / "absent"), (log, log), (tmp_path / FILE, tmp_path / FILE)):
        status, said = program(*words)
        assert (status, said[:16]) == (2, "nothing to judge")
