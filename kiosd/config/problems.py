"""Everything wrong with a configuration file, in words for the person who writes it: where, what was found, what is allowed.

Pydantic finds most of it; its words are for programmers, so each of its error types has a sentence of ours in the tables below.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kiosd.errors import ConfigError
from kiosd.ports import FOLDER

Loc = tuple[str | int, ...]
"""Where a value is: the keys to it from the top of the file, and positions (from 0) in lists."""
M = TypeVar("M", bound=BaseModel)

GROUPS = frozenset({"services", "counters", "devices", "mqtt", "satellites"})
"""Sections that hold sections: ``[devices.printer]``."""
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LONGEST_VALUE = 60  # characters of a value that a message repeats

ALLOWED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number that is not inf or nan",
    "bool_type": "true or false",
    "path_type": "a path in quotes",
    "dict_type": "a table of keys and values",
    "mapping_type": "a table of keys and values",
    "model_type": "a table of keys and values",
    "model_attributes_type": "a table of keys and values",
    "list_type": "a list in brackets",
    "tuple_type": "a list in brackets",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} items",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "date_type": "a date without quotes, for example 2026-12-25",
    "is_instance_of": "a value of another kind",
}
"""Pydantic's error types -> what would be allowed; the names in braces are of the error's context."""

PATTERNS = {
    r"^[A-Z0-9]{2,8}$": "2 to 8 capital letters or digits",
    r"^[A-HJ-NP-Z]$": "one capital letter, not I or O",
    r"^[a-z0-9-]{1,32}$": "1 to 32 small letters, digits or hyphens",
    r"^[a-z0-9][a-z0-9_-]{0,31}$": "1 to 32 small letters, digits, hyphens or underscores",
    r"^[a-z0-9][a-z0-9-]{0,31}$": "1 to 32 small letters, digits or hyphens, the first one no hyphen",
    r"^[1-9][0-9]?$": "a number from 1 to 99",
    r"^[a-zA-Z0-9_]{1,16}$": "1 to 16 letters, digits or underscores",
    r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$": "two groups of 4 hexadecimal digits, for example 1a2b:0001",
    r"^/": "a path that begins with /",
    r"^/[^\x00-\x1f]+$": "a path that begins with /",
    r"^(/[!-~]+|tcp:[!-~]+:[0-9]{1,5})$": "a path that begins with /, or tcp:HOST:PORT",
    r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}$": "1 to 4 levels of letters, digits, hyphens and underscores, for example a/b",
    r"^[A-Za-z0-9_.-]{1,64}$": "1 to 64 letters, digits, dots, hyphens or underscores",
    r"^[A-Za-z0-9.:_-]{1,253}$": "a host name or address",
}
"""Patterns of keys in words; a driver's pattern that is not here is shown as it is."""


def printable(text: str) -> str:
    """``text`` with control characters as escapes, so that a message stays one line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def key_text(key: str | int) -> str:
    """A key as TOML writes it."""
    text = str(key)
    return text if BARE_KEY.fullmatch(text) else f'"{shorten(text)}"'


def shorten(text: str) -> str:
    """``text`` on one line and not longer than a message can bear."""
    text = printable(text)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def found(value: object) -> str:
    """A value as a person knows it from the file."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{shorten(value)}'"
        case int() | float() | date() | time():
            return shorten(str(value))
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
    return "a value of another kind"


def where(loc: Loc) -> str:
    """``[counters.1] services, item 2`` for ``("counters", "1", "services", 1)``."""
    depth = 2 if loc[0] in GROUPS else 1
    section = ".".join(key_text(key) for key in loc[:depth])
    return f"[{section}] {key_path(loc[depth:])}".strip()


def key_path(loc: Loc) -> str:
    """``closed, item 3.date`` for ``("closed", 2, "date")``."""
    key = ""
    for part in loc:
        if isinstance(part, int):
            key += f", item {part + 1}"
        else:
            key += f".{key_text(part)}" if key else key_text(part)
    return key


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known name and all known names, as the end of a sentence."""
    by_lower = {each.lower(): each for each in known}
    names = ", ".join(by_lower.values()) or "none"
    near = get_close_matches(name.lower(), by_lower, 1)
    return f"; did you mean '{by_lower[near[0]]}'? known: {names}" if near else f"; known: {names}"


def pattern_words(pattern: str) -> str:
    """What ``pattern`` allows, in words where we have them."""
    return PATTERNS.get(pattern, f"text like {pattern}")


class Problems:
    """Collects what is wrong with ``file``; the first problem of a key is the one that is told.

    ``flat``: the file has keys at its top, not only sections. Paths that it names are relative to its folder.
    """

    def __init__(self, file: str, flat: bool = False) -> None:
        self._file, self._flat = file, flat
        self._context = {FOLDER: Path(file).parent.absolute()}
        self._lines: dict[Loc, str] = {}
        self._besides: list[Problems] = []

    def add(self, loc: Loc, text: str) -> None:
        """Note that the value at ``loc`` is wrong; with an empty ``loc`` that the file is."""
        place = key_path(loc) if self._flat else where(loc)
        self._lines.setdefault(loc, ": ".join(part for part in (printable(self._file), place, text) if part))

    def beside(self, file: str) -> "Problems":
        """The problems of a flat file that belongs to this one, to be told after its own."""
        self._besides.append(Problems(file, flat=True))
        return self._besides[-1]

    def inside(self, *sections: str) -> bool:
        """Whether anything is wrong inside these top-level sections."""
        return any(loc[0] in sections for loc in self._lines)

    def lines(self) -> list[str]:
        """A line for each problem."""
        return [*self._lines.values(), *(line for other in self._besides for line in other.lines())]

    def raise_if_any(self) -> None:
        """One ``ConfigError`` with a line for each problem."""
        if lines := self.lines():
            raise ConfigError("\n".join(lines))

    def check(self, model: type[M], raw: object, loc: Loc) -> M | None:
        """``raw`` as a ``model``, or None after noting all that is wrong with it."""
        try:
            return model.model_validate(raw, context=self._context)
        except ValidationError as exc:
            for error in exc.errors(include_url=False):
                self.add(loc + _real_loc(raw, error), _sentence(model, error))
            return None


def _real_loc(raw: Any, error: ErrorDetails) -> Loc:
    """The error's place in the file: pydantic adds steps of its own (union members, ``[key]``), which no file has."""
    loc: list[str | int] = []
    for part in error["loc"]:
        inside: Any = dict(enumerate(raw)) if isinstance(raw, list) else raw
        if isinstance(inside, Mapping) and part in inside:
            raw = inside[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue
        loc.append(part)
    return tuple(loc)


def _sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "missing":
            return "missing; this key must be given"
        case "extra_forbidden":  # without its value: that may be a password in the wrong place
            return "unknown key" + did_you_mean(str(error["loc"][-1]), _keys(model, error["loc"][:-1]))
        case "value_error" | "assertion_error":
            reason = printable(str(context["error"]))
            return reason if isinstance(value, Mapping) else f"found {found(value)}; {reason}"
        case "string_pattern_mismatch":
            return f"found {found(value)}; allowed: {pattern_words(context['pattern'])}"
    if isinstance(value, str) and kind in {"too_short", "too_long"}:  # a length is checked so when another check came before it
        kind = f"string_{kind}"
    if kind in ALLOWED:
        return f"found {found(value)}; allowed: {ALLOWED[kind].format(**context)}"
    return f"found {found(value)}; {printable(error['msg'])}"


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that ``model`` knows at ``loc`` inside it."""
    for part in loc:
        if isinstance(part, int):
            continue  # a list's item: its model is the list's
        info = model.model_fields.get(part)
        kinds = (info.annotation, *get_args(info.annotation)) if info is not None else ()
        inner: list[Any] = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return [info.alias or name for name, info in model.model_fields.items()]
