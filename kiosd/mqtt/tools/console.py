"""``kiosd mqtt`` and ``kiosd outbox``: what was typed, done and shown."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from kiosd import tables
from kiosd.cli import DONE, REFUSED, USAGE
from kiosd.clock import SystemClock
from kiosd.errors import Refused, Unavailable
from kiosd.findings import good
from kiosd.links.base import NOBODY_LISTENS
from kiosd.mqtt.outbox import AskReplay
from kiosd.mqtt.tools import standing
from kiosd.mqtt.tools.doctor import Doctor
from kiosd.mqtt.tools.echo import listener
from kiosd.mqtt.tools.purge import empty, retained
from kiosd.mqtt.tools.tail import Arrival, arrivals
from kiosd.mqtt.tools.target import Target, config_path, target


def mqtt(args: argparse.Namespace) -> int:
    """``doctor``, ``tail`` or ``purge``."""
    it = target(config_path(args.config, args.state), args.broker)
    if args.action == "doctor":
        return asyncio.run(_doctor(args, it))
    return asyncio.run(_purge(args, it)) if args.action == "purge" else _tail(args, it)


def _usage(sentence: str) -> int:
    print(f"kiosd: {sentence}", file=sys.stderr)
    return USAGE


# doctor


async def _doctor(args: argparse.Namespace, it: Target) -> int:
    findings = []
    async for finding in Doctor(it, args.state, SystemClock(it.trust_rtc), args.force).examine():
        findings.append(finding)
        if not args.json:
            print(finding, flush=True)
    if args.json:
        print(json.dumps({"broker": it.name, "good": good(findings), "findings": [finding.facts() for finding in findings]}))
    return DONE if good(findings) else REFUSED


# tail


def _tail(args: argparse.Namespace, it: Target) -> int:
    try:
        asyncio.run(_show(args, it))
    except KeyboardInterrupt:
        return DONE  # the way to end it
    return DONE


async def _show(args: argparse.Namespace, it: Target) -> None:
    if not args.force:
        await _disturbs_nobody(it, args.state)
    print("kiosd: while this watches, the broker counts it as a listener: events are taken even if nobody else does", file=sys.stderr)
    async with listener(it.settings, f"{it.client_id}-tail", it.root) as own:
        async for arrival in arrivals(own, it.site, args.family or ""):
            print(json.dumps(arrival.facts()) if args.json else arrived(arrival, it.zone), flush=True)


def arrived(arrival: Arrival, zone: str) -> str:
    """One message: the event as ``kiosd events`` shows it, the node, and its marks."""
    node = arrival.topic.split("/")[-3]
    line = tables.event_line(arrival.record, zone) if arrival.record is not None else tables.clean(f"{arrival.topic} {arrival.event}")
    return f"{tables.clean(node):<10} {line}" + "".join(f"  <- {tables.clean(mark)}" for mark in arrival.marks)


async def _disturbs_nobody(it: Target, state: Path) -> None:
    """Whoever subscribes makes the broker say that somebody listens, so what waits for a consumer would be told to us instead."""
    if it.one_per_user and await standing.running(state):
        message = f"the daemon runs, and a second login as {it.settings.username} may push it off; --force does it"
        raise Refused("daemon_runs", {"message": message})
    view = await standing.broker(state, it.name)
    waiting = [one.family for one in view.families if one.held == NOBODY_LISTENS] if view is not None else []
    if waiting:
        message = f"events of {', '.join(waiting)} wait for a consumer, and would be told to this watcher instead; --force does it"
        raise Refused("events_wait", {"message": message})


# purge


async def _purge(args: argparse.Namespace, it: Target) -> int:
    if not args.force and await standing.running(args.state):
        raise Refused("daemon_runs", {"message": "the daemon runs and would publish everything again: stop it first, or say --force"})
    if not args.yes and not sys.stdin.isatty():
        return _usage("nobody is there to be asked: say --yes")
    async with listener(it.settings, f"{it.client_id}-purge", it.root) as own:
        topics = await retained(own, it.root)
        if topics and not args.yes:
            _confirm(it, topics)
        done = await empty(own, it.root, topics) if topics else []
    if args.json:
        print(json.dumps({"broker": it.name, "root": it.root, "emptied": done}))
    else:
        print(f"Nothing is retained under {it.root}." if not done else f"{len(done)} topics under {it.root} are emptied.")
    return DONE


def _confirm(it: Target, topics: list[str]) -> None:
    for topic in topics:
        print(tables.clean(topic), file=sys.stderr)
    print(f"The broker [mqtt.{it.name}] forgets these {len(topics)} topics. Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise Refused("not_confirmed", {"message": "nothing was emptied"})


# outbox


def outbox(args: argparse.Namespace) -> int:
    """``status`` or ``replay``."""
    first, last = vars(args)["from"], args.to
    if args.action == "status":
        return _status(args) if first is None else _usage("status takes no numbers")
    if first is None or last is None or not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        return _usage("FROM and TO are numbers of events, for example 120 134")
    return asyncio.run(_replay(args, int(first[:15]), int(last[:15])))


def _status(args: argparse.Namespace) -> int:
    view = asyncio.run(standing.outbox(args.state))
    brokers = [one for one in view.brokers if args.broker in {None, one.broker}]
    if args.json:
        print(view.model_copy(update={"brokers": tuple(brokers)}).model_dump_json())
    elif not brokers:
        print("No broker is configured." if args.broker is None else f"There is no [mqtt.{args.broker}].")
    else:
        print("\n\n".join(tables.owed(view, one) for one in brokers))
    return DONE


async def _replay(args: argparse.Namespace, first: int, last: int) -> int:
    name = args.broker or _only(view.broker for view in (await standing.outbox(args.state)).brokers)
    try:
        asked = AskReplay(broker=name, first=first, last=last)
    except ValidationError:
        return _usage("FROM is 1 or more")
    answer = await standing.replay(args.state, asked)
    if args.json:
        print(json.dumps(answer))
    else:
        gone = "".join(f" {begin} to {end} do not come: sealed or left out." for begin, end in answer["gone"])
        print(f"{answer['events']} events, {answer['from']} to {answer['to']}, are on their way to {name} again, marked as replay.{gone}")
    return DONE


def _only(names: Iterable[str]) -> str:
    """``central``, or the only one there is."""
    known = list(names)
    if not known:
        raise Unavailable("no broker is configured")
    return "central" if "central" in known else known[0]
