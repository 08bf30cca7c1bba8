"""What every rule is given and gives back."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from kiosd.clock import Moment
from kiosd.errors import Refused
from kiosd.queue import hours, texts
from kiosd.queue.book import Book
from kiosd.queue.events import Event
from kiosd.queue.model import Counter, Ticket, allowed
from kiosd.queue.settings import QueueSettings, ServiceSettings

FAR = timedelta(days=366)  # nothing is promised for later: a slip of the finger in the year


@dataclass(frozen=True, slots=True)
class Decision:
    """The events of a command that was granted and what its reply tells. ``code`` is ``empty`` when nobody was left to call."""

    events: tuple[Event, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything a rule may look at."""

    book: Book
    now: Moment
    settings: QueueSettings

    @property
    def local(self) -> datetime:
        """Now, in the site's zone."""
        return self.now.time.astimezone(self.settings.site.zone)

    @property
    def standing(self) -> hours.Standing:
        """Whether tickets are given to visitors now."""
        return hours.standing(self.settings, self.local, self.book.closure)

    @property
    def tomorrow(self) -> datetime | None:
        """When tickets are given again after today, local time."""
        return hours.standing(self.settings, self.local.replace(hour=23, minute=59, second=59), self.book.closure).opens_at

    def over_for_today(self, code: str, facts: dict[str, object]) -> str:
        """Why there are no more tickets today, and when the next service day begins."""
        language, message = self.settings.site.language, texts.say(code, self.settings.site.language, facts)
        opens = self.tomorrow
        if opens is None:
            return message
        time = texts.official_time(opens, self.settings.site.timezone)
        return f"{message} {texts.say('opens', language, {'date': texts.official_date(opens.date(), language), 'time': time})}"

    def counter(self, number: int) -> Counter:
        """The counter as it is; ``Refused`` when the site has none of that number."""
        if number not in self.settings.counters:
            raise Refused("unknown_counter", {"counter": number})
        return self.book.counter(number)

    def service(self, letter: str) -> ServiceSettings:
        """A service that is offered; ``Refused`` when it is not."""
        service = self.settings.services.get(letter)
        if service is None:
            raise Refused("unknown_service", {"service": letter})
        if not service.enabled:
            raise Refused("service_disabled", {"service": service.name})
        return service

    def ticket(self, number: str) -> Ticket:
        """Today's ticket of that number; ``Refused`` when there is none."""
        ticket = self.book.by_number(number)
        if ticket is None:
            raise Refused("unknown_ticket", {"ticket": number})
        return ticket

    def since(self, moment: datetime | None) -> float:
        """Seconds since ``moment``; endless when there was none."""
        return float("inf") if moment is None else (self.now.time - moment).total_seconds()

    def when(self, text: str) -> datetime:
        """A time at the site as people write it, ``14:00``, ``14.00`` or ``2026-07-03T08:00``; ``Refused`` for a day that is none."""
        day, _, clock = text.rpartition("T")
        hour, minute = clock.replace(".", ":").split(":")
        try:
            on = date.fromisoformat(day) if day else self.local.date()
        except ValueError:
            raise Refused("no_such_day", {"day": day}) from None
        return datetime.combine(on, time(int(hour), int(minute)), self.settings.site.zone)

    def later(self, text: str) -> datetime:
        """``when`` of a time that is still to come, within ``FAR``; ``Refused`` otherwise."""
        then = self.when(text)
        if then <= self.now.time:
            raise Refused("past", {"time": f"{then:%H.%M}"})
        if then > self.now.time + FAR:
            raise Refused("too_far", {"days": FAR.days})
        return then


def about(ticket: Ticket) -> dict[str, Any]:
    return {"ticket": ticket.uid, "number": ticket.number, "service": ticket.service, "training": ticket.training}


def told(ticket: Ticket, **more: Any) -> dict[str, Any]:
    training = {"training": True} if ticket.training else {}
    return {
        "ticket": ticket.uid, "number": ticket.number, "service": ticket.service, "priority": ticket.priority, **training, **more
    }  # fmt: skip


def step(command: str, ticket: Ticket) -> None:
    """``Refused`` unless the table lets ``command`` move this ticket."""
    if allowed(command, ticket.state) is None:
        raise Refused("wrong_state", {"number": ticket.number, "state": ticket.state, "command": command})


def within(asked: Asked, ticket: Ticket, since: datetime | None, window_s: float) -> None:
    """``Refused`` when something of ``since`` is too long ago to be undone."""
    if asked.since(since) > window_s:
        raise Refused("too_late", {"number": ticket.number, "window": f"{timedelta(seconds=window_s)}".removeprefix("0:")})
