"""Scenarios in a directory of a test, and what they left."""

from datetime import date
from pathlib import Path

from kiosd.config import Settings, load
from kiosd.errors import ConfigError
from kiosd.journal.journal import FILE, Journal
from kiosd.queue.book import Book
from kiosd.queue.events import Record
from kiosd.queue.fold import fold
from kiosd.scenario.parse import Script, parse
from kiosd.scenario.plan import plan
from kiosd.scenario.play import Played, play

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "config" / "scenario"
TYPE_2 = load(ROOT / "config" / "tipe-2.toml")
HEAD = "day 2026-07-01\n"
"""A Wednesday."""


def script(text: str) -> Script:
    """``text`` as a scenario file."""
    return parse(text, Path("contoh.txt"))


def wrong(text: str) -> list[str]:
    """What is wrong with ``text``, without the file's name."""
    try:
        script(text)
    except ConfigError as exc:
        return [line.removeprefix("contoh.txt: ") for line in str(exc).splitlines()]
    return []


def played(text: str, state: Path, settings: Settings = TYPE_2) -> tuple[Played, list[Record]]:
    """Play ``text`` into ``state``; the counts and all events."""
    made = script(text)
    begun: list[date] = []
    counts = play(made, plan(made, settings.queue), settings, state, begun.append)
    assert counts.days == len(begun)
    return counts, records(state)


def records(state: Path) -> list[Record]:
    """Every event of the journal in ``state``."""
    journal = Journal(state / FILE)
    try:
        found: list[Record] = []
        while page := journal.read(len(found), 5000):
            found += page
        return found
    finally:
        journal.close()


def book(events: list[Record]) -> Book:
    """The last day as its events tell it."""
    return fold(Book(), events)
