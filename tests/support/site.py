"""A site to test with: type 1 unless told otherwise, and the day on which domain.md's examples happen."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kiosd.clock import ManualClock, steady
from kiosd.errors import Refused
from kiosd.queue import rules
from kiosd.queue.asked import Decision
from kiosd.queue.book import Book, fold
from kiosd.queue.commands import Command
from kiosd.queue.day import due
from kiosd.queue.events import Event, Record
from kiosd.queue.settings import CounterQueueSettings, HoursSettings, QueueSettings, RuleSettings, ServiceSettings, SiteSettings

JAKARTA = ZoneInfo("Asia/Jakarta")
SHORT = {
    "A": "Pelatihan Vokasi",
    "B": "Sertifikasi",
    "C": "Produktivitas",
    "D": "Pasar Kerja",
    "E": "Perluasan Kerja",
    "F": "Jamsos Naker",
    "G": "K3",
}


def wib(text: str) -> datetime:
    """``"2026-07-01 08:05"`` in Jakarta, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=JAKARTA).astimezone(UTC)


WEDNESDAY = wib("2026-07-01 08:05")


def settings(counters: int = 3, services: str = "ABCDEFG", order: str = "oldest", **rule: Any) -> QueueSettings:
    """A type-1 site with default hours; ``rule`` overrides numbers of ``RuleSettings``."""
    return QueueSettings(
        site=SiteSettings(id="CTH01", name="KIOS SIAPkerja", office="BBPVP CONTOH", address="Jl. Contoh No. 1, Bekasi", type=1),
        services={letter: ServiceSettings(name=f"Layanan {SHORT[letter]}", short=SHORT[letter]) for letter in services},
        counters={
            number: CounterQueueSettings.model_validate({"services": list(services), "order": order}) for number in range(1, counters + 1)
        },
        hours=HoursSettings(),
        rules=RuleSettings(**rule),
    )


@dataclass
class PureDay:
    """Rules and fold without a journal: what ``LocalQueue`` does, as a plain loop for unit tests of rules."""

    settings: QueueSettings = field(default_factory=settings)
    clock: ManualClock = field(default_factory=lambda: ManualClock(WEDNESDAY))
    book: Book = field(default_factory=Book)
    log: list[Record] = field(default_factory=list)

    def do(self, command: Command) -> Decision:
        """Decide and fold; raises ``Refused``."""
        now = steady(self.clock.now(), self.book.last, None)
        self._take(due(self.book, now, self.settings), command)
        decision = rules.decide(command, self.book, now, self.settings)
        self._take(decision.events, command)
        return decision

    def refused(self, command: Command) -> str:
        """The code with which ``command`` is refused; it changed nothing."""
        before = self.book
        try:
            self.do(command)
        except Refused as no:
            assert self.book.tickets == before.tickets
            assert self.book.counters == before.counters
            return no.code
        raise AssertionError(f"{command!r} was not refused")

    def _take(self, events: tuple[Event, ...], command: Command) -> None:
        now = steady(self.clock.now(), self.book.last, None)
        records = [Record(self.book.seq + n, now, event, command.id) for n, event in enumerate(events, start=1)]
        self.log += records
        self.book = fold(self.book, records)
