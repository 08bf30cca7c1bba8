"""What a queue and its remote users say to each other over a link. ``server`` answers, ``remote`` asks.

========================  =================================  ==========================================================
topic                     payload                            answer, to ``reply_to`` with the same correlation
========================  =================================  ==========================================================
``cmd/<name>``            the command's fields               its ``Reply``
``ask/snapshot``          ``{}``                             a ``Reply`` whose ``result`` is the ``Snapshot``
``ask/queue``             the fields of ``AskQueue``         a ``Reply`` whose ``result`` is ``{"forecasts": [Forecast, ...]}``
``ask/time``              ``{}``                             a ``Reply`` whose ``result`` is a ``TimeView`` of now; to satellites only
``ask/verify``            ``{}``                             a ``Reply`` whose ``result`` is what the journal's check found
``ask/events``            ``{"since": n, "follow": bool}``   many ``Streamed``: begin, records, alive between them, end
``ask/erase``             the fields of ``AskErase``         a ``Reply`` whose ``result`` is what was erased, or would be
``ask/outbox``            ``{}``                             a ``Reply`` whose ``result`` is ``mqtt.outbox``'s ``OutboxView``
``ask/replay``            the fields of ``AskReplay``        a ``Reply`` whose ``result`` is what will come again
``ask/report``            the fields of ``AskReport``        many ``ReportStreamed``: progress, parts, end
========================  =================================  ==========================================================

What cannot be answered is a ``Reply`` with ``status`` rejected and a ``code`` of ``ERRORS``.

A satellite's command carries the property ``until``: the last moment at which it may be done, in seconds since the hub's boot. A queue
that is served to satellites does no command after that, except those of ``LASTING``.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from kiosd.clock import Moment
from kiosd.queue.commands import CounterNumber, IsoDate, ServiceId
from kiosd.queue.events import Record, decode

ALIVE_S = 15.0  # seconds between signs of life to a follower
DEAF_AFTER_S = 3 * ALIVE_S  # a follower that hears nothing for so long does not believe in its server any more
UNTIL = "until"
UNTIL_FORM = re.compile(r"([0-9a-f-]{36})/(\d{1,12}\.\d{3})")
FARTHEST_S = 60.0  # a command that would be good for longer was stamped by a wrong clock
LASTING = frozenset({"rate", "survey", "report_device"})
"""Commands that tell what was: as true later as now."""
ERRORS = {
    "unknown_command": "there is no such command",
    "unknown_ask": "there is no such question",
    "malformed": "the command or question cannot be read",
    "retained": "a command must not be retained",
    "busy": "too many others ask for events, a check or a report",
    "unavailable": "the queue did not answer in time",
    "journal": "the journal failed its check",
    "too_large": "the answer does not fit the link",
    "report": "the report could not be made",
}


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class AskEvents(_Wire):
    """Every event after ``since``; without ``follow`` only up to the newest of now."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    since: int = Field(default=0, ge=0)
    follow: bool = False


class AskErase(_Wire):
    """Erase the tokens of the scans of all days before ``before``; with ``count_only`` only tell how many those are."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    before: IsoDate
    count_only: bool = False


class AskQueue(_Wire):
    """Who is next, and why: at one counter, in one service's line, or at every counter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    counter: CounterNumber | None = None
    service: ServiceId | Literal[""] = ""

    @model_validator(mode="after")
    def _one(self) -> "AskQueue":
        if self.counter is not None and self.service:
            raise ValueError("either a counter or a service")
        return self


class RecordView(_Wire):
    """One journal row, as a program reads it."""

    seq: int
    time: AwareDatetime
    clock: Literal["synced", "unsynced"]
    type: str
    subject: str
    data: dict[str, Any]
    command: str
    boot: str
    monotonic: float

    def record(self) -> Record:
        """The ``Record``; ``KeyError`` for an event type that this version does not know."""
        moment = Moment(self.time, self.monotonic, self.clock == "synced", self.boot)
        return Record(self.seq, moment, decode(self.type, self.data), self.command)


class TimeView(_Wire):
    """A clock as it stands: see ``Moment``."""

    time: AwareDatetime
    clock: Literal["synced", "unsynced"]
    boot: str
    monotonic: float

    def moment(self) -> Moment:
        """The ``Moment``."""
        return Moment(self.time, self.monotonic, self.clock == "synced", self.boot)


def time_view(now: Moment) -> TimeView:
    """``now`` as it travels."""
    return TimeView(time=now.time, clock="synced" if now.synced else "unsynced", boot=now.boot, monotonic=now.monotonic)


def until_text(boot: str, monotonic: float) -> str:
    """The value of ``UNTIL`` for a moment of the hub's boot."""
    return f"{boot}/{monotonic:.3f}"


def came_late(properties: Iterable[tuple[str, str]], now: Moment) -> bool:
    """Whether a message with these properties came after its time, or does not tell it rightly."""
    found = UNTIL_FORM.fullmatch(dict(properties).get(UNTIL, ""))
    if found is None or found[1] != now.boot:
        return True
    return not now.monotonic <= float(found[2]) <= now.monotonic + FARTHEST_S


def view(record: Record) -> RecordView:
    """``record`` as it travels and as ``kiosd events --json`` prints it."""
    moment, event = record.moment, record.event
    time: datetime = moment.time
    return RecordView(
        seq=record.seq, time=time, clock="synced" if moment.synced else "unsynced", type=event.type, subject=event.subject,
        data=event.model_dump(mode="json"), command=record.command, boot=moment.boot, monotonic=moment.monotonic,
    )  # fmt: skip


class Streamed(_Wire):
    """One message of a stream of events. ``sequence`` of begin is the newest event there is, of alive and end the last one sent."""

    what: Literal["begin", "record", "alive", "end"]
    sequence: int
    record: RecordView | None = None


class ReportStreamed(_Wire):
    """One message of a report on its way.

    ``progress``: ``done`` of ``total``, also as a sign of life; ``total`` is 0 until it is known. ``part``: ``data`` is some of the
    document in base64. ``end``: ``size`` in bytes and ``sha256`` in hexadecimal of all of it, and the most memory it took, in KiB.
    """

    what: Literal["progress", "part", "end"]
    done: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    data: str = ""
    size: int = Field(default=0, ge=0)
    sha256: str = ""
    peak_kib: int = 0
