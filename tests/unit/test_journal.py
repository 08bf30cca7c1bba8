"""The journal: durable, append-only, chained; what is damaged is found, what fails is fatal."""

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.clock import ManualClock
from kiosd.errors import ConfigError, JournalError
from kiosd.journal import place
from kiosd.journal.audit import SMALL_BYTES, audit_beside, check_small
from kiosd.journal.journal import FILE, Audit, Entry, Journal
from kiosd.journal.marks import Kept, Quarantine
from kiosd.queue.events import CounterOpened, DayOpened, Event, Record, TicketIssued
from support.site import WEDNESDAY

HOLDER = """
import sys
from pathlib import Path
from kiosd.journal.place import lock

with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def entries(start: int, *events: Event, reply: str | None = None) -> list[Entry]:
    now = ManualClock(WEDNESDAY).now()
    made = [Entry(Record(start + n, now, event, f"c{start}")) for n, event in enumerate(events)]
    return [*made[:-1], Entry(made[-1].record, reply)]


def issued(n: int) -> TicketIssued:
    return TicketIssued(ticket=f"CTH01-20260701-A{n:03d}", number=f"A{n:03d}", service="A", date="2026-07-01", n=n)


def filled(path: Path, count: int = 10) -> Journal:
    journal = Journal(path)
    journal.append(entries(1, DayOpened(date="2026-07-01"), *(issued(n) for n in range(1, count)), reply="{}"))
    return journal


def test_what_was_appended_is_read_back_whole_and_in_order(tmp_path: Path) -> None:
    journal = filled(tmp_path / FILE)
    stream = journal.stream
    journal.close()
    again = Journal(tmp_path / FILE)
    records = again.read(0, 100)
    assert [record.seq for record in records] == list(range(1, 11))
    assert records[3].event == issued(3)
    assert (again.seq, again.stream) == (10, stream)
    assert again.read(4, 2) == records[4:6]
    again.close()


def test_the_tail_is_the_last_day_and_the_answers(tmp_path: Path) -> None:
    journal = filled(tmp_path / FILE)
    journal.append(entries(11, DayOpened(date="2026-07-02"), issued(1), reply='{"id":"x"}'))
    tail = journal.tail()
    assert [record.seq for record in tail.records] == [11, 12]
    assert tail.answers == {"c1": "{}", "c11": '{"id":"x"}'}
    journal.close()


def test_rows_cannot_be_changed_or_deleted(tmp_path: Path) -> None:
    filled(tmp_path / FILE).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        for statement in ("UPDATE journal SET data = '{}'", "DELETE FROM journal WHERE seq = 1"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    db.close()


def test_an_event_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    journal = filled(tmp_path / FILE)
    with pytest.raises(JournalError, match="does not follow"):
        journal.append(entries(12, issued(9)))
    journal.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE journal SET data = replace(data, 'A003', 'A004') WHERE seq = 4", "event 4 has been changed"),
        ("UPDATE journal SET time = '2026-07-01T00:00:00.000Z' WHERE seq = 2", "event 2 has been changed"),
        ("DELETE FROM journal WHERE seq = 5", "event 5 is missing"),
    ],
)
def test_damage_is_found_at_start_and_by_the_audit(tmp_path: Path, damage: str, message: str) -> None:
    filled(tmp_path / FILE).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("DROP TRIGGER journal_no_update")
        db.execute("DROP TRIGGER journal_no_delete")
        db.execute(damage)
    db.close()
    with pytest.raises(JournalError, match=message):
        check_small(tmp_path / FILE)
    journal = Journal(tmp_path / FILE)
    with pytest.raises(JournalError, match=message):
        journal.tail()
    journal.close()


@given(st.integers(min_value=0, max_value=8 * 4096 - 1))
def test_any_flipped_bit_in_a_row_is_found_or_harmless(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    """A bit anywhere in the table's own page: the file may still be read, but never with another content."""
    folder = tmp_path_factory.mktemp("flip")
    journal = filled(folder / FILE)
    good = [(record.seq, record.event) for record in journal.read(0, 100)]
    journal.close()
    with sqlite3.connect(folder / FILE) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'journal'").fetchone()[0]
    db.close()
    raw = bytearray((folder / FILE).read_bytes())
    raw[(page - 1) * 4096 + bit // 8] ^= 1 << bit % 8
    (folder / FILE).write_bytes(raw)
    try:
        check_small(folder / FILE)
        journal = Journal(folder / FILE)
        try:
            records = journal.tail().records
        finally:
            journal.close()
    except JournalError:
        return
    assert [(record.seq, record.event) for record in records] == good
    shutil.rmtree(folder)


async def test_the_audit_beside_a_running_journal(tmp_path: Path) -> None:
    journal = filled(tmp_path / FILE, 1200)
    assert await audit_beside(tmp_path) == {"ok": True, "events": 1200}
    journal.append(entries(1201, CounterOpened(counter=1)))
    journal.close()


def test_a_big_journal_is_left_to_the_audit(tmp_path: Path) -> None:
    """A start must not take longer as years go by: only the tail is read before READY."""
    path = tmp_path / FILE
    filled(path).close()
    with path.open("ab") as file:
        file.truncate(SMALL_BYTES + 1)
    check_small(path)


def test_cursors_become_durable_with_events_or_alone(tmp_path: Path) -> None:
    journal = filled(tmp_path / FILE)
    journal.append(entries(11, issued(10)), {"central/ticket": 7})
    journal.append(entries(12, issued(11)))
    journal.move({"central/scan": 9})
    journal.close()
    again = Journal(tmp_path / FILE)
    assert again.cursors == {"central/ticket": 7, "central/scan": 9}
    assert again.seq == 12
    again.close()


def test_what_uplinks_remember_becomes_durable_with_events_or_alone(tmp_path: Path) -> None:
    large = Quarantine("central", 7, "ticket.issued", "too_large", "2026-07-01T05:00:00.000Z")
    journal = filled(tmp_path / FILE)
    journal.append(entries(11, issued(10)), {}, [Kept("central", "a"), Kept("central", "b"), Kept("site", "a"), large])
    journal.move({}, [Kept("central", "a", kept=False), Kept("central", "b"), replace(large, time="later")])
    journal.close()
    again = Journal(tmp_path / FILE)
    assert again.retained == {("central", "b"), ("site", "a")}
    assert again.quarantined == [large]
    again.close()


def test_a_journal_of_schema_2_learns_to_remember(tmp_path: Path) -> None:
    filled(tmp_path / FILE).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.executescript("DROP TABLE retained; DROP TABLE quarantine; PRAGMA user_version = 2")
    db.close()
    journal = Journal(tmp_path / FILE)
    assert (journal.seq, journal.retained, journal.quarantined) == (10, set(), [])
    journal.move({}, [Kept("central", "a")])
    journal.close()
    check_small(tmp_path / FILE)


def test_a_newer_schema_and_a_foreign_file_are_refused_in_words(tmp_path: Path) -> None:
    filled(tmp_path / FILE).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="newer than this kiosd"):
        Journal(tmp_path / FILE)
    (tmp_path / "other.db").write_bytes(b"this is no database, it is a text " * 200)
    with pytest.raises(JournalError, match="not a database"):
        Journal(tmp_path / "other.db")


def test_a_half_made_journal_is_made_again(tmp_path: Path) -> None:
    """A power cut during the very first start leaves an empty file: the schema is one transaction."""
    (tmp_path / FILE).touch()
    journal = Journal(tmp_path / FILE)
    assert journal.seq == 0
    journal.close()


def test_two_daemons_cannot_hold_one_state_directory(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(JournalError, match=f"process {other.pid}"), place.lock(tmp_path):
            pass
        other.kill()
    with place.lock(tmp_path):
        pass


@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "ramfs"])
def test_a_state_directory_that_a_reboot_empties_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match="reboot"):
        place.refuse_fleeting(tmp_path, kind)
    place.refuse_fleeting(tmp_path, "ext4")


def test_the_file_system_is_recognised() -> None:
    assert place.file_system(Path("/dev/shm")) == "tmpfs"
    assert place.file_system(Path("/proc")) == "proc"


def test_the_audit_reads_only(tmp_path: Path) -> None:
    filled(tmp_path / FILE).close()
    audit = Audit(tmp_path / FILE)
    assert audit.whole() == 10
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        audit._past._db.execute("DELETE FROM cursor")
    audit.close()
