"""What sections of the configuration are made of: their base, a line of text, sessions of a day."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Section(BaseModel):
    """Base of every section of the configuration: an unknown key is an error."""

    # defer_build: a satellite has none of the hub's sections, and saves 0.35 MB when their validators are made at their first use only.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _printable(text: str) -> str:
    if any(not char.isprintable() for char in text):
        raise ValueError("text may not contain control characters")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True), AfterValidator(_printable)]
"""One line of text for people: printable, 1 to 80 characters. What a printer or board cannot show is replaced at its border."""

FileName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
"""A file, from the folder of the configuration on."""


@dataclass(frozen=True, slots=True)
class Session:
    """Opening hours from ``begin`` to before ``end``, in minutes of the local day (1440 = midnight): half open (domain section 6)."""

    begin: int
    end: int

    def __str__(self) -> str:
        return f"{self.begin // 60:02d}:{self.begin % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"


SESSION = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def parse_session(value: Any) -> Session:
    """``Session`` from ``"08:00-12:00"``; ``ValueError`` when it is not two times of day in order."""
    if isinstance(value, Session):
        return value
    if not (isinstance(value, str) and SESSION.fullmatch(value)):
        raise ValueError('a session is written "HH:MM-HH:MM", for example "08:00-12:00"')
    begin, _, end = value.partition("-")
    session = Session(_minute(begin), _minute(end))
    if session.begin >= session.end:
        raise ValueError("a session ends after it begins")
    return session


def _in_order(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    if any(before.end > after.begin for before, after in pairwise(sessions)):
        raise ValueError("sessions of one day follow each other and do not overlap")
    return sessions


SessionField = Annotated[Session, BeforeValidator(parse_session)]
Sessions = Annotated[tuple[SessionField, ...], Field(strict=False), AfterValidator(_in_order)]
