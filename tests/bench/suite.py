"""All figures: what is measured, how often, and where it is written."""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import devices, disk, drain, fleet, issuers, process, queue_alone, reports, satellite, uplink_alone, whole, years
from bench.figures import Figure, as_json, in_page, table
from bench.history import old_journal
from bench.plant import ROOT
from kiosd.journal.place import file_system

WORKSHOP = ROOT / "var" / "bench"  # on the disk of the checkout, where a state directory could be
MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})
SBIN = "/usr/sbin:/usr/local/sbin"  # where Debian puts mosquitto, outside an ordinary user's PATH
TICKETS_FOR_MEMORY = 60


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything is done."""

    durable: int = 1000
    presses: int = 150
    commands: int = 200
    tickets: int = 10_000
    idle_s: float = 30.0
    starts: int = 7
    old_events: int = 2_500_000
    old_days: int = 735  # mqtt notes section 3.5: about 3,400 events a day
    old_presses: int = 500
    reports: int = 3
    backlog: int = 100_000
    drains: int = 3
    visits: int = 200
    sites: int = 1000
    fleet_s: float = 8.0
    scans: int = 100
    slips: int = 7


QUICK = Counts(
    durable=30, presses=6, commands=5, tickets=100, idle_s=0.5, starts=1, old_events=2_000, old_days=4, old_presses=30, reports=1,
    backlog=1_000, drains=1, visits=5, sites=50, fleet_s=1.0,
    scans=5, slips=1,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """``directory`` on the disk for what must be durable, ``scratch`` for sockets and logs; both of this run. ``keep`` outlasts it."""

    directory: Path
    scratch: Path
    keep: Path


def _queue(place: Place, counts: Counts) -> list[Figure]:
    return queue_alone.figures(place.directory, counts.durable)


def _uplink(place: Place, counts: Counts) -> list[Figure]:
    return uplink_alone.figures(place.directory, place.scratch, counts.presses)


def _whole(place: Place, counts: Counts) -> list[Figure]:
    """One kiosk for all of these: memory is looked at after its first 60 tickets, idling before the flood of the four issuers."""
    first = max(1, min(TICKETS_FOR_MEMORY, counts.presses) - whole.WARM_UP)
    with whole.kiosk(place.directory, place.scratch) as it:
        pressed = whole.presses(it, first)
        found = process.memory(it) + process.idle(it, counts.idle_s)
        pressed += whole.presses(it, counts.presses - first)
        return whole.figures(pressed) + whole.commands(it, counts.commands) + issuers.figures(it, counts.tickets) + found


def _starts(place: Place, counts: Counts) -> list[Figure]:
    return process.starts(place.directory, place.scratch, counts.starts)


def _old_journal(place: Place, counts: Counts) -> Path:
    _say(f"the journal with {counts.old_events:,} events is in {place.keep.name}, or is made now (about a minute)")
    return old_journal(place.keep, counts.old_events, counts.old_days)


def _years(place: Place, counts: Counts) -> list[Figure]:
    journal = _old_journal(place, counts)
    return years.figures(journal, counts.old_events, place.directory, place.scratch, counts.starts, counts.old_presses)


def _reports(place: Place, counts: Counts) -> list[Figure]:
    return reports.figures(_old_journal(place, counts), place.directory, counts.reports, counts.old_presses)


def _satellite(place: Place, counts: Counts) -> list[Figure]:
    return satellite.figures(place.directory, place.scratch, counts.presses)


def _drain(place: Place, counts: Counts) -> list[Figure]:
    return drain.figures(place.directory, place.scratch, place.keep, counts.backlog, counts.drains)


def _disk(place: Place, counts: Counts) -> list[Figure]:
    return disk.figures(place.directory, place.scratch, counts.visits)


def _devices(place: Place, counts: Counts) -> list[Figure]:
    return devices.figures(place.directory, place.scratch, counts.scans, counts.idle_s, counts.starts, counts.slips)


def _fleet(place: Place, counts: Counts) -> list[Figure]:
    return fleet.figures(place.scratch, counts.sites, counts.fleet_s)


GROUPS: dict[str, Callable[[Place, Counts], list[Figure]]] = {
    "queue": _queue,
    "uplink": _uplink,
    "whole": _whole,
    "devices": _devices,
    "satellite": _satellite,
    "starts": _starts,
    "years": _years,
    "reports": _reports,
    "drain": _drain,
    "disk": _disk,
    "fleet": _fleet,
}


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextmanager
def places(workshop: Path) -> Iterator[Place]:
    """Places for one run under ``workshop``; ``SystemExit`` where that is memory, for there a commit costs nothing."""
    workshop.mkdir(parents=True, exist_ok=True)
    kind = file_system(workshop)
    if kind in MEMORY_FILE_SYSTEMS:
        raise SystemExit(f"bench: {workshop} is on {kind}, which is memory: figures of durable events need a disk")
    with tempfile.TemporaryDirectory(prefix="run-", dir=workshop) as directory, tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        yield Place(Path(directory), Path(scratch), workshop)


def measure(workshop: Path, counts: Counts, groups: Sequence[str] = tuple(GROUPS)) -> list[Figure]:
    """The figures of ``groups``, each group in a place of its own under ``workshop``."""
    found: list[Figure] = []
    for group in groups:
        _say(f"measuring: {group}")
        with places(workshop) as place:
            found += GROUPS[group](place, counts)
    return found


def machine() -> str:
    """What it was measured on, in one line."""
    parts = (
        f"{os.cpu_count()} cores {platform.machine()}",
        f"load {os.getloadavg()[0]:.1f} after the run",
        f"state on {file_system(WORKSHOP)}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
    )
    return ", ".join(parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and with ``--readme`` write the table into README.md."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="kiosd's figures beside this machine's own limits. No test: it passes always."
    )
    parser.add_argument("--quick", action="store_true", help="only show that everything runs; the figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--only", nargs="+", choices=tuple(GROUPS), default=tuple(GROUPS), metavar="GROUP", help=", ".join(GROUPS))
    args = parser.parse_args(argv)
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    found = measure(WORKSHOP, QUICK if args.quick else Counts(), args.only)
    text = f"{table(found)}\n\n{machine()}."
    print(as_json(found) if args.json else text)
    if args.readme:
        page = ROOT / "README.md"
        page.write_text(in_page(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0
