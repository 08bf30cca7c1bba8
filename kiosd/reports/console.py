"""``kiosd report``: ask the daemon for one, or make it here where no daemon runs; show that it goes on; put it where it is wanted."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from kiosd.cli import DONE, USAGE
from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.console import RULES
from kiosd.errors import ConfigError, JournalError, KiosdError
from kiosd.journal.journal import FILE
from kiosd.journal.place import lock
from kiosd.links.unix import CONTROL_SOCKET, NotConnected, connect_unix
from kiosd.queue.remote import RemoteQueue
from kiosd.reports.ask import MOST_DAYS, AskReport, last_month, month, year
from kiosd.reports.job import Progress, document

T = TypeVar("T")
CONFIG = "kiosd.toml"
INSTALLED = Path("/etc/kiosd") / CONFIG
SUFFIXES = {".txt": "text", ".csv": "csv", ".json": "json", ".html": "html", ".htm": "html", ".pdf": "pdf"}
MODE = 0o640  # of a report on disk: it is for the manager's group, not for everybody
BAR_AFTER_S = 1.0
Put = Callable[[bytes], object]
Resolve = Callable[[datetime], AskReport]
"""What is asked, once the site's local time is known: a report without a period is about the month before."""


def report(args: argparse.Namespace) -> int:
    """Make the report that ``args`` say."""
    try:
        period, ask = _period(args), _asked(args)
    except ValueError as exc:
        return _usage(str(exc))
    if ask.format == "pdf" and args.output is None and sys.stdout.isatty():
        return _usage("a pdf is nothing for a terminal: give -o FILE")

    def resolve(local: datetime) -> AskReport:
        first, last = period or last_month(local.date())
        if period is None:
            print(f"kiosd: no period given: the last whole month, {first} to {last}", file=sys.stderr)
        return ask.model_copy(update={"first": first, "last": last})

    with _output(args.output) as put:
        put(_made(args.state, args.config, resolve))
    return DONE


def _usage(sentence: str) -> int:
    print(f"kiosd: {sentence}", file=sys.stderr)
    return USAGE


def _period(args: argparse.Namespace) -> tuple[date, date] | None:
    """The days that are asked for, None for the last whole month; ``ValueError`` with a sentence."""
    first, last = getattr(args, "from"), args.to
    if sum(given is not None for given in (args.month, args.year, first or last)) > 1:
        raise ValueError("give --month, or --year, or --from and --to")
    if (first is None) != (last is None):
        raise ValueError("--from and --to belong together")
    if args.month is not None:
        return _parsed(month, args.month, "MONTH is a year and a month, for example 2026-07")
    if args.year is not None:
        return _parsed(year, args.year, "YEAR is a year, for example 2026")
    if first is None:
        return None
    begin, end = (_parsed(date.fromisoformat, text, "DATE is a day, for example 2026-07-31") for text in (first, last))
    if begin > end:
        raise ValueError("the period ends before it begins")
    if (end - begin).days > MOST_DAYS:
        raise ValueError(f"a period has at most {MOST_DAYS} days")
    return begin, end


def _parsed(parse: Callable[[str], T], text: str, rule: str) -> T:
    try:
        return parse(text)
    except ValueError:
        raise ValueError(rule) from None


def _asked(args: argparse.Namespace) -> AskReport:
    """Everything but the days; ``ValueError`` with a sentence."""
    services = dict.fromkeys(letter.strip().upper() for letters in args.service or () for letter in letters.split(","))
    given: dict[str, Any] = {"language": args.language, "decimal": args.decimal, "weight": args.weight, "format": _form(args)}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return AskReport(first=date.min, last=date.min, services=tuple(services), **given)
    except ValidationError:
        raise ValueError(RULES["service"]) from None


def _form(args: argparse.Namespace) -> str | None:
    if args.format is not None or args.output is None or not Path(args.output).suffix:
        form: str | None = args.format
        return form
    known = SUFFIXES.get(Path(args.output).suffix.lower())
    if known is None:
        raise ValueError(f"{Path(args.output).name} does not tell the form: give --format, or a name that ends in {', '.join(SUFFIXES)}")
    return known


def _made(state: Path, config: str | None, resolve: Resolve) -> bytes:
    with progress_bar() as progress:
        try:
            return asyncio.run(_by_daemon(state, resolve, progress))
        except NotConnected as exc:
            return _here(state, config, resolve, progress, exc)


async def _by_daemon(state: Path, resolve: Resolve, progress: Progress) -> bytes:
    async with connect_unix(state / CONTROL_SOCKET) as link:
        queue = RemoteQueue(link)
        snapshot = await queue.snapshot()
        return await queue.report(resolve(snapshot.time.astimezone(ZoneInfo(snapshot.zone))), progress)


def _here(state: Path, config: str | None, resolve: Resolve, progress: Progress, why: NotConnected) -> bytes:
    """Make it in this process. The journal is held meanwhile, as the daemon would: two of us read one file only when it stands still."""
    try:
        if not (state / FILE).is_file():
            raise JournalError(f"no journal in {state}, and no daemon runs there")
        settings = load(_config(state, config))
        ask = resolve(SystemClock().now().time.astimezone(settings.site.zone))
        with lock(state):
            return document(settings, state / FILE, ask, progress)
    except KiosdError:
        raise
    except PermissionError:
        raise why from None
    except OSError as exc:
        raise JournalError(f"journal in {state}: {exc.strerror}") from None


def _config(state: Path, given: str | None) -> Path:
    if given is not None:
        return Path(given)
    found = next((path for path in (state / CONFIG, INSTALLED) if path.is_file()), None)
    if found is None:
        raise ConfigError(f"no daemon runs in {state}, and there is neither {state / CONFIG} nor {INSTALLED}: give --config FILE")
    return found


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error, if that is a terminal, once the work has taken so long that a person wonders."""
    clock, bar = SystemClock(trust_rtc=True), None
    begin = clock.now().monotonic

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if not sys.stderr.isatty() or clock.now().monotonic - begin < BAR_AFTER_S:
            return
        if bar is None:
            from tqdm import tqdm

            shape = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
            bar = tqdm(desc="report", total=total or 1, initial=done, leave=False, file=sys.stderr, bar_format=shape)
        bar.total, bar.n = total or 1, done
        bar.refresh()

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def _output(name: str | None) -> Iterator[Put]:
    """Where the document goes; it is opened first, so that nobody waits for a report that has no place."""
    if name is None:
        yield sys.stdout.buffer.write
        return
    path = Path(name).resolve()
    try:
        with _whole_file(path) if path.is_file() or not path.exists() else path.open("wb") as place:
            yield place.write
    except KiosdError:
        raise
    except OSError as exc:
        raise KiosdError(f"{name} cannot be written: {exc.strerror}") from None


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there as a whole or not at all: made beside ``path`` and moved there at the end."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("xb") as stream:
        try:
            os.fchmod(stream.fileno(), MODE)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            fresh.rename(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
