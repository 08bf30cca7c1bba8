"""A scenario file as its writer means it: days, and what happens on them at which time. All that is wrong is told at once.

==================================  =============================================================================================
line                                means
==================================  =============================================================================================
``# ...``                           a remark; also at the end of a line
``site ../tipe-2.toml``             the configuration, from the folder of the file on; ``--config`` goes before it
``day 2026-07-01``                  what follows happens on that day
``days 2026-07-01..2026-07-31``     what follows happens on each of these days; ``workdays`` after it: on those with opening hours,
                                    names of weekdays: on those only
``08:06:30 next 1``                 at that time of the site, this command; it must be granted, or the scenario ends there
``!08:07 next 1``                   this command must be refused
``?08:07 next 1``                   both are fine
``visitors 600 seed 7``             so many visitors and the officers of all counters, made up; the same for the same seed
==================================  =============================================================================================

Lines for one day from several blocks are put together; of several ``visitors`` for one day the last in the file counts.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from kiosd.config import document
from kiosd.config.problems import did_you_mean, printable
from kiosd.errors import ConfigError
from kiosd.queue.calendar import FIRST_YEAR, LAST_YEAR
from kiosd.queue.commands import Command
from kiosd.queue.fields import DAYS
from kiosd.scenario.syntax import Word, WrongError, command, split

MAX_LINES = 20_000
MAX_LINE = 1000  # characters
MAX_VISITORS = 5000  # of one day
MAX_SEED = 10**9
MAX_TOLD = 50  # problems: who has more has another problem
TIME = re.compile(r"([!?]?)([01]\d|2[0-3])[:.]([0-5]\d)(?:[:.]([0-5]\d))?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIMELIKE = re.compile(r"[!?]|\d")
WORDS = ("site", "day", "days", "visitors")

Expect = Literal["done", "refused", "either"]
_EXPECT: dict[str, Expect] = {"": "done", "!": "refused", "?": "either"}


@dataclass(frozen=True, slots=True)
class Step:
    """A command at ``second`` of the site's day. Its id is made when it is asked."""

    line: int
    second: int
    command: Command
    expect: Expect


@dataclass(frozen=True, slots=True)
class Crowd:
    """``count`` made-up visitors of a day."""

    line: int
    count: int
    seed: int


@dataclass
class Block:
    """What happens on each day from ``first`` to ``last``; ``weekdays`` (0 = Monday) and ``workdays`` leave days out."""

    line: int
    first: date
    last: date
    workdays: bool = False
    weekdays: tuple[int, ...] = tuple(range(7))
    steps: list[Step] = field(default_factory=list)
    crowd: Crowd | None = None


@dataclass
class Script:
    """A whole file. ``name`` is the file's, without what follows the dot; ``site`` the configuration that it names."""

    path: Path
    name: str
    site: Path | None = None
    blocks: list[Block] = field(default_factory=list)

    def where(self, line: int) -> str:
        """``hari-contoh.txt: line 12``."""
        return f"{printable(str(self.path))}: line {line}"


def read(path: Path) -> Script:
    """The scenario in ``path``; ``ConfigError`` when it cannot be read, or with a line for everything that is wrong in it."""
    content = document.read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{printable(str(path))}: line {line}: this is not UTF-8; save the file as UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Script:
    """The scenario in ``text``, which was read from ``path``; ``ConfigError`` as ``read``."""
    reader = _Reader(Script(path, path.stem))
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise ConfigError(f"{printable(str(path))}: is longer than {MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        reader.line(number, line.removesuffix("\r"))
    return reader.script()


class _Reader:
    """Takes one line after the other and remembers what is wrong."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._problems: list[str] = []
        self._second = 0
        self._lost = False
        """The day of what follows is not known, which has been told."""

    def script(self) -> Script:
        if not self._problems and not any(block.steps or block.crowd for block in self._script.blocks):
            self._problems.append(f"{printable(str(self._script.path))}: nothing happens in it; write `day 2026-07-01` and commands")
        if more := len(self._problems) - MAX_TOLD:
            self._problems[MAX_TOLD:] = [f"{printable(str(self._script.path))}: and {more} more problems"] if more > 0 else []
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        return self._script

    def line(self, number: int, text: str) -> None:
        try:
            if words := _words(text):
                self._take(number, words)
        except WrongError as exc:
            self._problems.append(f"{self._script.where(number)}: {exc}")

    def _take(self, number: int, words: list[Word]) -> None:
        match words[0].text:
            case "site":
                self._site(words)
            case "day" | "days":
                self._day(number, words)
            case "visitors":
                self._visitors(number, words)
            case first if TIMELIKE.match(first):
                self._step(number, words)
            case first:
                raise WrongError(f"a line begins with a time, such as 08:05, or a word{did_you_mean(first, WORDS)}")

    def _site(self, words: list[Word]) -> None:
        if self._script.site is not None:
            raise WrongError("the site is given already")
        if len(words) != 2 or not words[1].text:
            raise WrongError("write: site FILE, a kiosd.toml from this file's folder on")
        self._script.site = self._script.path.parent / words[1].text

    def _day(self, number: int, words: list[Word]) -> None:
        self._second, self._lost = 0, True
        several = words[0].text == "days"
        right = "write: days 2026-07-01..2026-07-31 [workdays] [monday ...]" if several else "write: day 2026-07-01"
        dates = [_date(text, right) for text in words[1].text.split("..")] if len(words) > 1 else []
        if len(dates) != (2 if several else 1) or (not several and len(words) > 2):
            raise WrongError(right)
        if dates[0] > dates[-1]:
            raise WrongError("the last day is before the first")
        filters = [word.text for word in words[2:]]
        if not set(filters) <= {"workdays", *DAYS}:
            raise WrongError(right)
        weekdays = tuple(DAYS.index(name) for name in DAYS if name in filters) or tuple(range(7))
        self._script.blocks.append(Block(number, dates[0], dates[-1], "workdays" in filters, weekdays))
        self._lost = False

    def _block(self) -> Block | None:
        """The block that a line belongs to; None when its head was wrong."""
        if self._lost:
            return None
        if not self._script.blocks:
            raise WrongError("of which day? write `day 2026-07-01` before it")
        return self._script.blocks[-1]

    def _visitors(self, number: int, words: list[Word]) -> None:
        texts = [word.text for word in words[1:]]
        block = self._block()
        count = _number(texts[0] if texts else "", MAX_VISITORS)
        seed = _number(texts[2], MAX_SEED) if len(texts) == 3 and texts[1] == "seed" else 1 if len(texts) == 1 else None
        if not count or seed is None:
            raise WrongError(f"write: visitors COUNT [seed NUMBER], at most {MAX_VISITORS} visitors")
        if block is not None:
            block.crowd = Crowd(number, count, seed)

    def _step(self, number: int, words: list[Word]) -> None:
        match = TIME.fullmatch(words[0].text)
        if match is None:
            raise WrongError("there is no such time; write HH:MM or HH:MM:SS, with ! before it for what must be refused, ? for what may be")
        if len(words) == 1:
            raise WrongError("what happens then? write a command after the time")
        mark, hour, minute, second = match.groups()
        at = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
        block = self._block()
        if at < self._second:
            before = f"{self._second // 3600:02d}:{self._second // 60 % 60:02d}:{self._second % 60:02d}"
            raise WrongError(f"time goes back: the line before it is of {before}; sort the lines")
        self._second = at
        asked = command(words[1:])
        if block is not None:
            block.steps.append(Step(number, at, asked, _EXPECT[mark]))


def _date(text: str, right: str) -> date:
    try:
        day = date.fromisoformat(text if DATE.fullmatch(text) else "")
    except ValueError:
        raise WrongError(f"there is no such date; {right}") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise WrongError(f"the year is not from {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _words(text: str) -> list[Word]:
    if len(text) > MAX_LINE:
        raise WrongError(f"is longer than {MAX_LINE} characters")
    text = text.replace("\t", " ")
    if not text.isprintable():
        raise WrongError("holds control characters")
    return split(text)


def _number(text: str, most: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    return int(text) if int(text) <= most else None
