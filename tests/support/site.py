"""A site to test with: type 1 unless told otherwise, and the day on which domain.md's examples happen."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from kiosd.clock import ManualClock, steady
from kiosd.errors import Refused
from kiosd.queue import rules, texts
from kiosd.queue.asked import Decision
from kiosd.queue.book import Book
from kiosd.queue.commands import CallNext, Command, IssueTicket, MarkAbsent, Start, Tick
from kiosd.queue.day import due
from kiosd.queue.events import Event, Record
from kiosd.queue.fold import fold
from kiosd.queue.model import Ticket, TicketState
from kiosd.queue.settings import (
    CounterQueueSettings,
    HoursSettings,
    Language,
    QueueSettings,
    RuleSettings,
    ServiceSettings,
    SiteSettings,
)

JAKARTA = ZoneInfo("Asia/Jakarta")
NAMES = {
    "A": ("Pelatihan Vokasi dan Pemagangan", "Pelatihan Vokasi"),
    "B": ("Sertifikasi Kompetensi", "Sertifikasi"),
    "C": ("Produktivitas", "Produktivitas"),
    "D": ("Informasi Pasar Kerja dan Penempatan Tenaga Kerja", "Pasar Kerja"),
    "E": ("Perluasan Kesempatan Kerja", "Perluasan Kerja"),
    "F": ("Jaminan Sosial Tenaga Kerja", "Jamsos Naker"),
    "G": ("Keselamatan dan Kesehatan Kerja", "K3"),
}
"""Full and short name of each service (domain section 1)."""
SHORT = {letter: short for letter, (_, short) in NAMES.items()}


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


LANGUAGES: tuple[Language, ...] = get_args(Language)


def sentence(no: Refused, language: Language) -> str:
    """What a person is told; it is a whole sentence in ASCII, whatever the language."""
    said = str(no.facts.get("message") or texts.say(no.code, language, no.facts))
    assert said.isascii() and said.endswith(".") and (said[0].isupper() or said[0].isdigit()), said
    assert not {"{", "}"} & set(said), said
    return said


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

    def refusal(self, command: Command) -> Refused:
        """Why ``command`` is refused; it changed nothing but what was due anyway."""
        self.do(Tick())
        before = self.book
        with pytest.raises(Refused) as caught:
            self.do(command)
        assert self.book == before
        assert all(sentence(caught.value, language) for language in LANGUAGES)
        return caught.value

    def refused(self, command: Command) -> str:
        """The code with which ``command`` is refused."""
        return self.refusal(command).code

    def events(self) -> list[str]:
        """The types of all events so far."""
        return [record.event.type for record in self.log]

    def ticket(self, number: str) -> Ticket:
        """Today's ticket of that number."""
        ticket = self.book.by_number(number)
        assert ticket is not None, number
        return ticket

    def state(self, number: str) -> TicketState:
        """Where the ticket of that number stands."""
        return self.ticket(number).state

    def issue(self, service: str = "A", **more: object) -> str:
        """Give a ticket; its number."""
        return str(self.do(IssueTicket.model_validate({"service": service, **more})).result["number"])

    def call(self, counter: int = 1) -> str | None:
        """Call the next ticket; its number, None when nobody waits."""
        result = self.do(CallNext(counter=counter)).result
        return str(result["number"]) if result.get("ticket") else None

    def serve(self, counter: int = 1) -> str | None:
        """Call the next ticket and start; its number."""
        number = self.call(counter)
        self.do(Start(counter=counter))
        return number

    def pass_on(self, counter: int = 1) -> str | None:
        """Call the next ticket and mark it absent, so that the counter is free again; its number."""
        number = self.call(counter)
        self.do(MarkAbsent(counter=counter, force="pulang"))
        return number

    def _take(self, events: tuple[Event, ...], command: Command) -> None:
        now = steady(self.clock.now(), self.book.last, None)
        records = [Record(self.book.seq + n, now, event, command.id) for n, event in enumerate(events, start=1)]
        self.log += records
        self.book = fold(self.book, records)
