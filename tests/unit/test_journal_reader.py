"""Reading a journal beside the service: days, pages, damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosd.errors import JournalError
from kiosd.journal import reader as reading
from kiosd.journal.reader import Day, Reader
from support.reportdays import ReportDays, issue, spoil, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two days: 62 events on the first of July, then the next morning's opening and one ticket."""
    day = ReportDays()
    for n in range(60):
        day.at("08:05", issue("ABCDEFG"[n % 7]))
    day.at("2026-07-02 08:05", issue())
    return written(tmp_path / "journal.db", day.log)


def rows(path: Path, first: int, last: int, *types: str) -> list[int]:
    with closing(Reader(path)) as reader:
        return [row[0] for row in reader.rows(first, last, types)]


def test_days_from_opening_to_opening(path: Path) -> None:
    with closing(Reader(path)) as reader:
        last = reader.last_seq
        assert reader.days() == [Day("2026-07-01", 1, last - 2), Day("2026-07-02", last - 1, last)]


def test_days_are_found_without_reading_the_journal(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT seq, data FROM journal WHERE type = 'system.day_opened' ORDER BY seq").fetchall()
    assert ["SCAN" in row[3] or "TEMP" in row[3] for row in plan] == [False]


def test_pages_follow_each_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 7)
    assert rows(path, 3, 50) == list(range(3, 51))
    assert rows(path, 1, 62, "system.day_opened") == [1]


def test_an_empty_journal_has_no_days(tmp_path: Path) -> None:
    with closing(Reader(written(tmp_path / "journal.db", ()))) as reader:
        assert (reader.last_seq, reader.days(), reader.sealed(), reader.sheets("0", "9"), list(reader.rows(1, 0))) == (0, [], [], [], [])


def test_a_row_that_is_no_text_comes_empty_and_the_others_come(path: Path) -> None:
    spoil(path, 30, data=b"\xff")
    with closing(Reader(path)) as reader:
        found = list(reader.rows(1, 62, ["ticket.issued", "system.day_opened"]))
    assert [row[0] for row in found if not row[3]] == [30]
    assert len(found) == 61


TABLE_LEAF = 0x0D  # SQLite's file format, section 1.6


def test_a_torn_page_costs_its_own_rows_only(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, content = rows(path, 1, 64), path.read_bytes()
    pages = [content[at : at + size] for at in range(0, len(content), size)]
    leaves = [n for n, page in enumerate(pages) if page[0] == TABLE_LEAF and page.count(b"ticket.issued") > 2]
    with path.open("r+b") as file:
        file.seek(leaves[len(leaves) // 2] * size)
        file.write(b"\xa5" * size)
    with closing(Reader(path)) as reader:
        found = list(reader.rows(1, 64))
    assert 0 < sum(not row[3] for row in found) < len(whole) / 2
    assert [row[0] for row in found] == whole


@pytest.mark.parametrize("data", ["{", "[]", '{"date": "yesterday"}', '{"date": 5}'])
def test_a_day_whose_opening_is_damaged_belongs_to_the_day_before(path: Path, data: str) -> None:
    with closing(Reader(path)) as reader:
        last = reader.last_seq
    spoil(path, last - 1, data=data)
    with closing(Reader(path)) as reader:
        assert reader.days() == [Day("2026-07-01", 1, last)]


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot read"):
        Reader(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to have been one " * 20)
    with pytest.raises(JournalError, match="cannot read"):
        Reader(tmp_path / "text.db")


def test_an_interrupted_reader_takes_nothing_for_damage(path: Path) -> None:
    with closing(Reader(path)) as reader:
        reader._db.set_progress_handler(lambda: 1, 1)
        with pytest.raises(JournalError, match="interrupted"):
            list(reader.rows(1, 62))


def test_the_reader_cannot_write(path: Path) -> None:
    with closing(Reader(path)) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM cursor")
