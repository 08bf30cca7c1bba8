"""What ``kiosd status``, ``kiosd next`` and the others do: ask the running daemon over its control socket, show the answer."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kiosd import tables
from kiosd.cli import DONE, REFUSED, USAGE
from kiosd.links.unix import CONTROL_SOCKET, NotConnected, connect_unix
from kiosd.queue.commands import COMMANDS, Command, UndoCall
from kiosd.queue.interface import Reply
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.wire import AskQueue, view
from kiosd.stations.counter import undo_command
from kiosd.verbs import CATEGORIES, REASON_CODES

NEWEST = 10  # events shown before the first new one by ``--follow``
RULES = {
    "service": "SERVICE is one letter A-Z, but not I or O",
    "counter": "COUNTER is a number 1-99",
    "ticket": "TICKET is a letter and a number, for example D005",
    "score": "SCORE is 4 (Sangat Puas), 3 (Puas), 2 (Kurang Puas) or 1 (Tidak Puas)",
    "answers": "ELEMENT=SCORE is an element of the survey, once, and 1 to 4: for example waktu=4",
    "count": "COUNT is a number 1-200",
    "category": f"CATEGORY is {CATEGORIES}",
    "destination": "DESTINATION is back_office, dinas_kabkota, dinas_provinsi, kementerian or the id of a site",
    "device": "DEVICE is the name of a device, for example printer",
    "at": "TIME is a time of today, for example 14:00, or day and time, 2026-07-03T08:00",
    "until": "TIME is a time of today, for example 14:00, or day and time, 2026-07-03T08:00",
    "text": "TEXT is at most 200 characters",
    "reason": "TEXT is at most 200 characters",
    "call reason": f"CODE is {REASON_CODES}",
    "refer reason": "CODE is small letters, digits and _, for example dokumen_kurang",
    "force": "REASON is at most 200 characters",
    "since": "N is the number of an event, 0 or more",
}
"""What is said of a wrong argument, by the command's field, or by command and field."""
_NUMBERS = {"counter", "score", "count"}
PLACE = "cli"
"""Where events say that a command of ours came from."""


class _WrongWords(Exception):
    """Words that make no command; its text says what is right."""


@asynccontextmanager
async def _queue(state: Path) -> AsyncIterator[RemoteQueue]:
    async with connect_unix(state / CONTROL_SOCKET) as link:
        yield RemoteQueue(link)


def _print_json(answer: BaseModel) -> None:
    print(answer.model_dump_json())


def _usage(sentence: object) -> int:
    print(f"kiosd: {sentence}", file=sys.stderr)
    return USAGE


def ask(args: argparse.Namespace) -> int:
    """Send the queue's command that was typed."""
    try:
        command = _command(*_asked(args))
    except _WrongWords as wrong:
        return _usage(wrong)
    return asyncio.run(_ask(args, command))


def _asked(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Name and fields of the command that was typed, as they were typed."""
    given, name = vars(args) | {"actor": vars(args)["as"], "place": PLACE}, args.verb.replace("-", "_")
    match name:
        case "close":
            name = _closing(args)
        case "open" if args.counter is None:
            name = "resume"
        case "priority":
            given["priority"] = not args.withdraw
        case "training":
            given["on"] = args.action == "on"
        case "survey":
            given["answers"] = _answers(args.element)
    return name, given


def _closing(args: argparse.Namespace) -> str:
    """Whether a counter is closed or the whole site, which is never done by a word forgotten."""
    if args.counter is None:
        if args.reason is None:
            raise _WrongWords("name a COUNTER, or give --reason (and --until) to close the whole site")
        return "suspend"
    if args.until is not None or args.reason is not None:
        raise _WrongWords("--until and --reason are for closing the whole site, without COUNTER")
    return "close"


def _answers(words: list[str]) -> dict[str, Any]:
    pairs = [word.partition("=") for word in words]
    answers = {element: _typed("score", score) for element, _, score in pairs}
    if len(answers) < len(pairs):
        raise _WrongWords(RULES["answers"])
    return answers


def _command(name: str, given: dict[str, Any]) -> Command:
    """The command ``name``, made of those of the ``given`` words that are its fields."""
    kind = COMMANDS[name]
    fields = {field: _typed(field, value) for field, value in given.items() if field in kind.model_fields and value is not None}
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        raise _WrongWords(_rule(name, exc)) from None


def _rule(name: str, exc: ValidationError) -> str:
    field = str(exc.errors()[0]["loc"][0])
    return RULES.get(f"{name} {field}") or RULES[field]


def _typed(field: str, value: Any) -> Any:
    """An argument as its command wants it; what is no number stays a text and is refused by the command."""
    if field in _NUMBERS and value.isascii() and value.isdigit():
        return int(value[:9])
    return value.upper() if field in {"service", "ticket"} else value


async def _ask(args: argparse.Namespace, command: Command) -> int:
    async with _queue(args.state) as queue:
        return _answer(args, command, await queue.execute(command))


def _answer(args: argparse.Namespace, command: Command, reply: Reply) -> int:
    if args.json:
        _print_json(reply)
    elif reply.done:
        print(tables.said(command.name, reply))
    if not reply.done:
        print(f"kiosd: {tables.clean(reply.message or reply.code)}", file=sys.stderr)
    return DONE if reply.done else REFUSED


def undo(args: argparse.Namespace) -> int:
    """Take back the last step at a counter: which one, its snapshot tells."""
    try:
        fallback = _command(UndoCall.name, _asked(args)[1])
    except _WrongWords as wrong:
        return _usage(wrong)

    async def undone(number: int) -> int:
        async with _queue(args.state) as queue:
            view = (await queue.snapshot()).counter(number)
            found = undo_command(view) if view else fallback
            command = found.model_copy(update={"actor": fallback.actor, "place": PLACE})
            return _answer(args, command, await queue.execute(command))

    return asyncio.run(undone(_typed("counter", args.counter)))


def queue(args: argparse.Namespace) -> int:
    """Show who is next, and why."""
    given = {"counter": args.counter, "service": args.service}
    try:
        asked = AskQueue.model_validate({field: _typed(field, value) for field, value in given.items() if value is not None})
    except ValidationError as exc:
        return _usage(_rule("queue", exc) if exc.errors()[0]["loc"] else "give either --counter or --service")

    async def shown() -> int:
        async with _queue(args.state) as queue:
            forecasts = await queue.forecasts(asked.counter, asked.service)
            zone = "" if args.json else (await queue.snapshot()).zone
        if args.json:
            print(json.dumps({"forecasts": [one.model_dump(mode="json") for one in forecasts]}))
        else:
            print(tables.forecasts(forecasts, zone, args.explain))
        return DONE

    return asyncio.run(shown())


def status(args: argparse.Namespace) -> int:
    """Show the day as it stands."""

    async def shown() -> int:
        async with _queue(args.state) as queue:
            snapshot = await queue.snapshot()
        if args.json:
            _print_json(snapshot)
        else:
            print(tables.status(snapshot))
        return DONE

    return asyncio.run(shown())


def events(args: argparse.Namespace) -> int:
    """Show events, one a line."""
    if args.since is not None and not (args.since.isascii() and args.since.isdigit()):
        return _usage(RULES["since"])
    return asyncio.run(_events(args, None if args.since is None else int(args.since[:18])))


async def _events(args: argparse.Namespace, since: int | None) -> int:
    async with _queue(args.state) as queue:
        snapshot = await queue.snapshot()
        if since is None:
            since = max(0, snapshot.sequence - NEWEST) if args.follow else 0
        async with aclosing(queue.events(since, follow=args.follow)) as records:
            async for record in records:
                if record.seq > since + 1:
                    print(f"kiosd: events {since + 1} to {record.seq - 1} are gone: sheets stand for their days", file=sys.stderr)
                since = record.seq
                line = view(record).model_dump_json() if args.json else tables.event_line(record, snapshot.zone)
                print(line, flush=args.follow)
    return DONE


def verify(args: argparse.Namespace) -> int:
    """Check the journal: by the daemon that runs, else here."""
    try:
        found = asyncio.run(_verify(args.state))
    except NotConnected:
        found = _verify_here(args.state)
    if args.json:
        print(json.dumps(found))
    else:
        print(tables.verified(found))
    return DONE


async def _verify(state: Path) -> dict[str, Any]:
    async with _queue(state) as queue:
        return await queue.verify()


def _verify_here(state: Path) -> dict[str, Any]:
    from kiosd.journal.audit import found
    from kiosd.journal.journal import Audit
    from kiosd.journal.place import journal_alone

    with journal_alone(state) as path, closing(Audit(path)) as audit:
        return found(audit.whole(), audit.sheets)


def check_config(args: argparse.Namespace) -> int:
    """Load a configuration and tell what is in it; ``ConfigError`` names all that is wrong."""
    from kiosd.config import SatelliteSettings, load_any

    settings = load_any(Path(args.config))
    if isinstance(settings, SatelliteSettings):
        print(json.dumps(tables.satellite_facts(settings)) if args.json else tables.satellite(settings))
    else:
        print(json.dumps(tables.config_facts(settings)) if args.json else tables.config(settings))
    for name, device in settings.devices.items():
        for key, path in device.config.site_files().items():
            if not Path(path).exists():
                print(f"note: devices.{name}.{key}: {path} is not there yet", file=sys.stderr)
    return DONE
