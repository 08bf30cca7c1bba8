"""``kiosd fleet``: from what was typed to a plan, and from what came of it to text."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kiosd.cli import DONE, REFUSED, USAGE
from kiosd.clock import SystemClock
from kiosd.errors import Refused
from kiosd.fleet.plan import Outcome, Plan
from kiosd.fleet.run import run_fleet
from kiosd.links.base import NOBODY_LISTENS
from kiosd.mqtt.settings import MqttSettings
from kiosd.tables import clean

M = TypeVar("M", bound=BaseModel)
BROKER = ("host", "port", "username", "password_file", "ca_file", "insecure", "prefix", "window")
"""Options that are keys of ``[mqtt.central]``."""
PLAN = ("sites", "rate", "seconds", "events", "connections", "spread", "verify")
NUMBERS = {"port": int, "window": int, "sites": int, "rate": float, "seconds": float, "events": int, "connections": int}


class _WrongWords(Exception):
    """What was typed is no plan; its text says what is right."""


def fleet(args: argparse.Namespace) -> int:
    """Run the fleet that ``args`` describe; refused when not all of its events were acknowledged."""
    try:
        plan = _plan(args)
    except _WrongWords as wrong:
        print(f"kiosd: {wrong}", file=sys.stderr)
        return USAGE
    outcome = asyncio.run(run_fleet(plan, SystemClock(), _say))
    print(json.dumps(outcome.facts()) if args.json else told(outcome))
    return DONE if outcome.good else REFUSED


def _say(sentence: str) -> None:
    print(f"kiosd: {sentence}", file=sys.stderr, flush=True)


def _plan(args: argparse.Namespace) -> Plan:
    given = {name: _typed(name, value) for name, value in vars(args).items() if value not in {None, False}}
    broker = _broker(args, {name: given[name] for name in BROKER if name in given})
    return _checked(Plan, {"broker": broker} | {name: given[name] for name in PLAN if name in given})


def _typed(name: str, value: Any) -> Any:
    try:
        return NUMBERS[name](value) if name in NUMBERS else value
    except ValueError:
        raise _WrongWords(f"--{name} is a number") from None


def _broker(args: argparse.Namespace, given: dict[str, Any]) -> MqttSettings:
    """The broker of a configuration, or the one that the options describe; an option goes before the configuration."""
    if args.config is None and args.host is None:
        raise _WrongWords("name the broker: --host HOST, or --config FILE")
    before: dict[str, Any] = {}
    if args.config is not None:
        from kiosd.config import load

        brokers = load(Path(args.config)).mqtt
        name = args.broker or ("central" if "central" in brokers else next(iter(brokers), "central"))
        if name not in brokers:
            raise Refused("no_such_broker", {"message": f"{args.config} has no [mqtt.{name}]"})
        before = brokers[name].model_dump()
    return _checked(MqttSettings, before | given)


def _checked(kind: type[M], fields: dict[str, Any]) -> M:
    try:
        return kind.model_validate(fields)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        option = "--" + str(first["loc"][-1]).replace("_", "-") + ": " if first["loc"] else ""
        raise _WrongWords(option + first["msg"].removeprefix("Value error, ")) from None


def told(outcome: Outcome) -> str:
    """What a fleet did, for a person."""
    facts = outcome.facts()
    shared = "a connection each" if outcome.plan.count == outcome.plan.sites else f"on {outcome.plan.count} connections"
    lines = [
        f"sites        {facts['sites']}, {shared}: {facts['connected']} connected, {facts['lost']} lost on the way",
        f"events       {facts['published']} published, {facts['acknowledged']} acknowledged, {facts['unanswered']} without an answer, "
        f"{facts['sent_again']} sent again",
        f"rate         {facts['events_per_s']} events/s of {facts['wanted_per_s']:g} wanted",
        f"PUBACK       p50 {facts['puback_p50_ms']} ms, p99 {facts['puback_p99_ms']} ms, longest {facts['puback_max_ms']} ms",
        f"this process {facts['memory_mb']} MB, {outcome.cpu_s / max(outcome.elapsed_s, 0.001):.0%} of a core, "
        f"at most {facts['behind_ms']} ms behind its plan",
    ]
    lines += [f"refused      {count} by the broker: {code}{_hint(code)}" for code, count in outcome.refused.items()]
    lines += [f"unreachable  {count} attempts: {reason}" for reason, count in outcome.unreachable.items()]
    if (found := outcome.verified) is not None:
        lines.append(
            f"consumer     {found.received} received, {found.missing} missing, {found.duplicates} twice, {found.late} behind a later one"
        )
    return "\n".join(clean(line) for line in lines)


def _hint(code: str) -> str:
    return " (no subscriber: the broker threw them away)" if code == NOBODY_LISTENS else ""
