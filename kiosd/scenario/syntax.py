"""One command of a scenario, from words: ``issue D priority`` becomes ``IssueTicket``. What a command takes is read from its model.

Rule 1  Fields stand in the order of their declaration; those that may be left out are filled from the left once the others have theirs.
Rule 2  ``NAME=VALUE`` gives any field by its name; a field that is a table takes every such pair that names no other field.
Rule 3  A yes-or-no field with a default is a flag, ``priority`` or ``no_priority``.
Rule 4  What is scanned is never repeated in a message, and of the rest nothing that looks like an identity number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, get_origin

from pydantic import AfterValidator, StringConstraints, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from kiosd.config.problems import ALLOWED, did_you_mean, found, pattern_words
from kiosd.queue.commands import COMMANDS, AttachScan, Command, CounterNumber, RejectScan, ReportDevice
from kiosd.redact import redact
from kiosd.stations.counter import token

SCAN_KEY = b"kiosd scenario: made-up cards only"
"""What tokens of a scenario are made with: everybody knows it, and so two runs have the same tokens."""
PAYLOAD = "payload"
MAX_PAYLOAD = 512  # domain section 9


def _scannable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("control characters are refused")
    return value


class ScanCard(Command):
    """A card is scanned at a counter. Only its token goes on."""

    name = "scan"
    counter: CounterNumber
    payload: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PAYLOAD), AfterValidator(_scannable)]


WORDS: dict[str, type[Command]] = {**COMMANDS, "scan": ScanCard, "reject_scan": RejectScan, "device": ReportDevice}
"""What a line may ask for: all that may come from outside, and what the kiosk's own devices tell."""

_BASE = frozenset(Command.model_fields)
_CAPITALS = frozenset({"service", "ticket"})
_SAID = {
    "counter": "a number from 1 to 99",
    "service": "one letter, not I or O",
    "ticket": "a number of the day, for example D005",
    "until": "HH:MM of the same day or 2026-07-03T08:00",
    "at": "HH:MM of the same day",
    "destination": "back_office, dinas_kabkota, dinas_provinsi, kementerian or the id of a site",
    "reason": "small letters, digits and underscores",
    "place": "letters, digits and _ . / -, for example button/D",
}
"""What a field takes, in words, where its pattern says it badly."""
_ALSO = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number",
    "bool_parsing": "yes or no",
    "string_pattern_mismatch": "text of another form",
}

WORD = re.compile(r'(?:([A-Za-z_][A-Za-z0-9_]*)=)?(?:"([^"]*)"|([^\s"]*))(?=\s|$)')


@dataclass(frozen=True, slots=True)
class Word:
    """``text``, as ``name=text`` if it has a name; ``quoted`` words are never flags."""

    text: str
    name: str = ""
    quoted: bool = False


class WrongError(ValueError):
    """A command's words are wrong; the message is for the person who wrote them."""


def split(text: str) -> list[Word]:
    """The words of a line, without its comment; ``WrongError`` for quotes that do not fit."""
    words: list[Word] = []
    at = 0
    while (rest := text[at:].lstrip()) and not rest.startswith("#"):
        at = len(text) - len(rest)
        match = WORD.match(rest)
        if match is None:
            raise WrongError('quotes go around a whole text: "like this" or reason="like this"')
        name, quoted, bare = match.groups()
        words.append(Word(bare if quoted is None else quoted, name or "", quoted is not None))
        at += match.end()
    return words


@cache
def _fields(kind: type[Command]) -> dict[str, FieldInfo]:
    """The fields that are a command's own, in the order of their declaration."""
    return {name: info for name, info in kind.model_fields.items() if name not in _BASE}


@cache
def _flags(kind: type[Command]) -> frozenset[str]:
    return frozenset(name for name, info in _fields(kind).items() if info.annotation is bool and not info.is_required())


@cache
def _table(kind: type[Command]) -> str:
    """The field that takes pairs, if there is one."""
    return next((name for name, info in _fields(kind).items() if get_origin(info.annotation) is dict), "")


@cache
def _in_order(kind: type[Command]) -> tuple[str, ...]:
    return tuple(name for name in _fields(kind) if name not in _flags(kind) and name != _table(kind))


def usage(word: str) -> str:
    """How a command is written: ``issue SERVICE [priority] [CATEGORY] [no_slip] [NO_PAPER]``."""
    kind = WORDS[word]
    parts = [word]
    for name, info in _fields(kind).items():
        shown = "NAME=VALUE ..." if name == _table(kind) else name.upper()
        if name in _flags(kind):
            shown = f"no_{name}" if info.default else name
        parts.append(shown if info.is_required() else f"[{shown}]")
    return " ".join(parts)


def command(words: Sequence[Word]) -> Command:
    """The command that ``words`` ask for; ``WrongError`` says what is wrong and what would be right."""
    name = words[0].text
    kind = WORDS.get(name)
    if kind is None:
        raise WrongError(f"there is no command {found(redact(name))}{did_you_mean(name, WORDS)}")
    try:
        made = kind.model_validate_strings(_Sorter(kind).sort(words[1:]))
    except ValidationError as exc:
        raise WrongError("; ".join(_sentence(error) for error in exc.errors(include_url=False)) + _right(name)) from None
    except WrongError as exc:
        raise WrongError(f"{exc}{_right(name)}") from None
    if isinstance(made, ScanCard):
        return AttachScan(counter=made.counter, token=token(SCAN_KEY, made.payload), actor=made.actor, place=made.place, age_s=made.age_s)
    return made


def _right(name: str) -> str:
    return f"; write: {usage(name)}"


@dataclass
class _Sorter:
    """Words to fields, all still text."""

    kind: type[Command]
    given: dict[str, Any] = field(default_factory=dict)

    def sort(self, words: Sequence[Word]) -> dict[str, Any]:
        positional: list[Word] = []
        for word in words:
            if word.name:
                self._named(word)
            elif not word.quoted and word.text.removeprefix("no_") in _flags(self.kind):
                self._put(word.text.removeprefix("no_"), "no" if word.text.startswith("no_") else "yes")
            else:
                positional.append(word)
        self._positional(positional)
        return self.given

    def _named(self, word: Word) -> None:
        if word.name == "id" or (word.name == "actor" and word.text == "system"):
            raise WrongError(f"{word.name}= is made by the scenario" if word.name == "id" else "actor=system is the kiosk itself")
        if word.name in self.kind.model_fields and word.name != _table(self.kind):
            self._put(word.name, word.text)
        elif table := _table(self.kind):
            pairs: dict[str, str] = self.given.setdefault(table, {})
            if word.name in pairs:
                raise WrongError(f"{redact(word.name)} is given twice")
            pairs[word.name] = redact(word.text)
        else:
            raise WrongError(f"it has no {redact(word.name)}=")

    def _positional(self, words: Sequence[Word]) -> None:
        free = [name for name in _in_order(self.kind) if name not in self.given]
        needed = sum(self.kind.model_fields[name].is_required() for name in free)
        spare = len(words) - needed
        if spare > len(free) - needed:
            raise WrongError("too many words, or a text of several words without quotes")
        left = list(words)
        for name in free:
            required = self.kind.model_fields[name].is_required()
            if left and (required or spare > 0):
                spare -= not required
                self._put(name, left.pop(0).text)

    def _put(self, name: str, text: str) -> None:
        if name in self.given:
            raise WrongError(f"{name} is given twice")
        text = text if name == PAYLOAD else redact(text)
        self.given[name] = text.upper() if name in _CAPITALS else text


def _sentence(error: ErrorDetails) -> str:
    """One wrong field: what was found and what is allowed."""
    name, kind, context = str(error["loc"][0]), error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"{name} is missing"
    if kind == "value_error" and not isinstance(error["input"], str):
        return f"{name}: {context['error']}"
    if kind == "value_error":
        allowed = str(context["error"])
    elif kind == "string_pattern_mismatch":
        allowed = f"allowed: {_SAID.get(name) or pattern_words(context['pattern'])}"
    elif kind in ALLOWED:
        allowed = f"allowed: {ALLOWED[kind].format(**context)}"
    else:
        allowed = f"allowed: {_ALSO.get(kind, 'another value')}"
    shown = "a text that is not told here" if name == PAYLOAD else found(error["input"])
    return f"{'.'.join(str(part) for part in error['loc'])}: found {shown}; {allowed}"
