"""What ``kiosd status``, ``kiosd next`` and the others do: ask the running daemon over its control socket, show the answer."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kiosd import tables
from kiosd.cli import DONE, REFUSED, USAGE
from kiosd.errors import JournalError, Unavailable
from kiosd.links.unix import connect_unix
from kiosd.queue.commands import COMMANDS, Command
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.wire import view

SOCKET = "control.sock"
NEWEST = 10  # events shown before the first new one by ``--follow``
RULES = {
    "service": "SERVICE is one letter A-Z, but not I or O",
    "counter": "COUNTER is a number 1-99",
    "ticket": "TICKET is a letter and a number, for example D005",
    "score": "SCORE is 4 (Sangat Puas), 3 (Puas), 2 (Kurang Puas) or 1 (Tidak Puas)",
    "force": "REASON is at most 200 characters",
    "since": "N is the number of an event, 0 or more",
}
"""What is said of a wrong argument, by the command's field."""
_NUMBERS = {"counter", "score"}


@asynccontextmanager
async def _queue(state: Path) -> AsyncIterator[RemoteQueue]:
    async with connect_unix(state / SOCKET) as link:
        yield RemoteQueue(link)


def _print_json(answer: BaseModel) -> None:
    print(answer.model_dump_json())


def _usage(field: str) -> int:
    print(f"kiosd: {RULES[field]}", file=sys.stderr)
    return USAGE


def ask(args: argparse.Namespace) -> int:
    """Send the queue's command of this name."""
    kind = COMMANDS[args.verb]
    try:
        command = kind.model_validate({field: _typed(field, value) for field, value in vars(args).items() if field in kind.model_fields})
    except ValidationError as exc:
        return _usage(str(exc.errors()[0]["loc"][0]))
    return asyncio.run(_ask(args, command))


def _typed(field: str, value: Any) -> Any:
    """An argument as its command wants it; what is no number stays a text and is refused by the command."""
    if field in _NUMBERS and value.isascii() and value.isdigit():
        return int(value[:9])
    return value.upper() if field in {"service", "ticket"} else value


async def _ask(args: argparse.Namespace, command: Command) -> int:
    async with _queue(args.state) as queue:
        reply = await queue.execute(command)
    if args.json:
        _print_json(reply)
    elif reply.done:
        print(tables.said(command.name, reply))
    if not reply.done:
        print(f"kiosd: {tables.clean(reply.message or reply.code)}", file=sys.stderr)
    return DONE if reply.done else REFUSED


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
        return _usage("since")
    return asyncio.run(_events(args, None if args.since is None else int(args.since[:18])))


async def _events(args: argparse.Namespace, since: int | None) -> int:
    async with _queue(args.state) as queue:
        snapshot = await queue.snapshot()
        if since is None:
            since = max(0, snapshot.sequence - NEWEST) if args.follow else 0
        async with aclosing(queue.events(since, follow=args.follow)) as records:
            async for record in records:
                line = view(record).model_dump_json() if args.json else tables.event_line(record, snapshot.zone)
                print(line, flush=args.follow)
    return DONE


def verify(args: argparse.Namespace) -> int:
    """Check the journal: by the daemon that runs, else here."""
    try:
        found = asyncio.run(_verify(args.state))
    except _NotRunning:
        found = _verify_here(args.state)
    if args.json:
        print(json.dumps(found))
    else:
        print(tables.verified(found))
    return DONE


class _NotRunning(Unavailable):
    """Nobody serves the control socket."""


async def _verify(state: Path) -> dict[str, Any]:
    connected = False
    try:
        async with _queue(state) as queue:
            connected = True
            return await queue.verify()
    except Unavailable as exc:
        if connected:
            raise
        raise _NotRunning(str(exc)) from None


def _verify_here(state: Path) -> dict[str, Any]:
    from kiosd.journal.journal import FILE, Audit
    from kiosd.journal.place import lock

    if not (state / FILE).is_file():
        raise JournalError(f"no journal in {state}, and no daemon runs there")
    try:
        with lock(state):  # a daemon that starts now must wait: two of us read one file only when it stands still
            audit = Audit(state / FILE)
            try:
                return {"ok": True, "events": audit.whole()}
            finally:
                audit.close()
    except PermissionError as exc:
        raise JournalError(f"journal in {state}: {exc.strerror}") from None


def check_config(args: argparse.Namespace) -> int:
    """Load a configuration and tell what is in it; ``ConfigError`` names all that is wrong."""
    from kiosd.config import load

    settings = load(Path(args.file))
    if args.json:
        print(json.dumps(tables.config_facts(settings)))
    else:
        print(tables.config(settings))
    return DONE
