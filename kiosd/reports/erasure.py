"""Delete what identifies: the tokens of scans, page by page, each with its proof (``journal.chain`` rule 3).

A page is one transaction and one proof, within one day. So a large erasure never holds the journal for long, an interrupted one has
erased what it proved, and a day that is sealed later takes its proofs' rows with it as a whole.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from kiosd.clock import Clock, SystemClock, steady
from kiosd.errors import Refused
from kiosd.journal.audit import check_small
from kiosd.journal.chain import Erase, erased_digest
from kiosd.journal.journal import Entry, Journal
from kiosd.journal.past import Past
from kiosd.journal.place import journal_alone
from kiosd.journal.reader import Day
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.events import Record

PAGE_ROWS = 200  # scans in one transaction: some milliseconds, of which an issue may have to wait


@dataclass(frozen=True, slots=True)
class Page:
    """Scans of one day that lose their tokens together, for ``before`` the date that was asked for."""

    before: str
    change: Erase
    digest: str

    @property
    def told(self) -> dict[str, Any]:
        """What its command says, and its event, which proves it."""
        change = self.change
        return {"before": self.before, "first": change.first, "last": change.last, "rows": change.rows, "digest": self.digest}


def _days(past: Past, before: str) -> Iterator[Day]:
    return (day for day in past.days() if day.date < before)


def count(past: Past, before: str) -> int:
    """How many scans of days before ``before`` have a token."""
    return sum(past.tokens(day.first, day.last) for day in _days(past, before))


def pages(past: Past, before: str) -> Iterator[Page]:
    """What is to be erased, oldest first; each page is to be erased before the next one is taken."""
    for day in _days(past, before):
        scans = past.without_tokens(day.first, day.last)
        for at in range(0, len(scans), PAGE_ROWS):
            rows = scans[at : at + PAGE_ROWS]
            yield Page(before, Erase(rows[0][0], rows[-1][0], len(rows)), erased_digest(rows))


@dataclass
class Outcome:
    """What an erasure did so far. ``emptied``: nothing of it is left in the WAL either."""

    before: str
    scans: int = 0
    proofs: int = 0
    first_proof: int = 0
    last_proof: int = 0
    emptied: bool = True

    def add(self, page: Page, proof: int) -> None:
        """``page`` was erased, event number ``proof`` proves it."""
        self.scans += page.change.rows
        self.proofs += 1
        self.first_proof = self.first_proof or proof
        self.last_proof = proof

    def told(self) -> dict[str, Any]:
        """For whoever asked."""
        return dict(vars(self))


def erase_here(state: Path, before: str, confirm: Callable[[int], None]) -> Outcome:
    """Erase in the journal in ``state``, on which no daemon runs; ``confirm`` hears how many scans, and raises if that is not wanted."""
    clock = SystemClock()
    if before > f"{clock.now().time + timedelta(days=1):%Y-%m-%d}":  # somewhere on earth it is tomorrow
        raise Refused("not_over", {"message": f"{before} has not come"})
    with journal_alone(state) as path:
        check_small(path)
        with closing(Journal(path)) as journal, closing(Past(path)) as past:
            if scans := count(past, before):
                confirm(scans)
            return _erase(journal, past, before, clock)


def _erase(journal: Journal, past: Past, before: str, clock: Clock) -> Outcome:
    records, done = journal.tail().records, Outcome(before)
    last = records[-1].moment if records else None
    for page in pages(past, before):
        last = steady(clock.now(), last, None)
        record = Record(journal.seq + 1, last, ev.TokensErased(**page.told), cmd.new_id())
        journal.append([Entry(record)], changes=[page.change])
        done.add(page, record.seq)
    if done.scans:
        done.emptied = journal.truncate()
    return done
