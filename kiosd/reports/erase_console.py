"""``kiosd erase``: asks before it does what cannot be undone, has the daemon do it, or does it here where no daemon runs."""

import argparse
import asyncio
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from kiosd.cli import DONE, USAGE
from kiosd.errors import Refused
from kiosd.links.unix import CONTROL_SOCKET, NotConnected, connect_unix
from kiosd.queue.remote import RemoteQueue
from kiosd.reports.erasure import erase_here

LEFT = "The write-ahead log still holds some of them, because somebody reads the journal; kiosd empties it as soon as it can."


def erase(args: argparse.Namespace) -> int:
    """Erase the tokens of the days before ``args.tokens_before``."""
    before = args.tokens_before
    if not _is_day(before):
        print("kiosd: DATE is a day, for example 2026-07-01", file=sys.stderr)
        return USAGE
    if not args.yes and not sys.stdin.isatty():
        print("kiosd: nobody is there to be asked: say --yes", file=sys.stderr)
        return USAGE

    def confirm(scans: int) -> None:
        if not args.yes:
            _ask(scans, before)

    try:
        if scans := asyncio.run(_by_daemon(args.state, before, count_only=True))["scans"]:
            confirm(scans)
        done = asyncio.run(_by_daemon(args.state, before, count_only=False))
    except NotConnected:
        done = erase_here(args.state, before, confirm).told()
    print(json.dumps(done) if args.json else _sentence(done))
    return DONE


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _ask(scans: int, before: str) -> None:
    print(f"{scans} scans before {before} lose their token for ever; what they counted stays. Type yes to go on: ", end="", file=sys.stderr)
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise Refused("not_confirmed", {"message": "nothing was erased"})


async def _by_daemon(state: Path, before: str, *, count_only: bool) -> dict[str, Any]:
    async with connect_unix(state / CONTROL_SOCKET) as link:
        return await RemoteQueue(link).erase(before, count_only=count_only)


def _sentence(done: dict[str, Any]) -> str:
    if not done["scans"]:
        return f"No scan before {done['before']} has a token: there was nothing to erase."
    first, last = done["first_proof"], done["last_proof"]
    proof = f"event {first} proves it" if first == last else f"{done['proofs']} events from {first} to {last} prove it"
    erased = f"The tokens of {done['scans']} scans before {done['before']} are erased: {proof}."
    return erased if done["emptied"] else f"{erased}\n{LEFT}"
