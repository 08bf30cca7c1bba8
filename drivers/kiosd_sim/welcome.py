"""What the simulation says when it is ready: what it is, how it differs from a board, and how to take part."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from kiosd_sim.broker import Broker
from kiosd_sim.floor import Floor
from kiosd_sim.settings import Simulated

USUAL_STATE = Path("var/sim")  # found by the command line without being named, from the same directory


def welcome(config: Path, state: Path, sim: Simulated, plan: Floor, broker: Broker, snapshot: dict[str, Any], auto: bool) -> str:
    """Everything, as one text."""
    kind = sim.document["site"]["type"]
    differ = max(len(word) for word, _ in sim.differences)
    take_part = _commands(state, plan, broker)
    wide = max(len(command) for command, _ in take_part)
    parts = [
        [f"A type-{kind} kiosk runs on simulated hardware. {_day(snapshot)}"],
        [f"As {config}, except:", *(f"  {word:<{differ}}  {what}" for word, what in sim.differences)],
        ["Take part from a second terminal, in this directory:", *(f"  {command:<{wide}}  {what}" for command, what in take_part)],
        [f"MQTT: 127.0.0.1:{broker.port}" if broker.port else f"No MQTT broker: {broker.why}. The queue does not need one."],
        [*([] if auto else ["No visitors come by themselves (AUTO=0)."]), f"Tickets as pictures: {state / 'tickets'}. Ctrl-C ends it."],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _day(snapshot: dict[str, Any]) -> str:
    issued = sum(view["issued"] for view in snapshot["services"])
    waiting = sum(view["waiting"] for view in snapshot["services"])
    if not issued:
        return f"{snapshot['date']} begins."
    return f"{snapshot['date']} goes on: {issued} tickets issued, {waiting} waiting."


def _commands(state: Path, plan: Floor, broker: Broker) -> list[tuple[str, str]]:
    desk = next(iter(plan.desks.values()))
    service = next(iter(plan.tickets.buttons), desk.services[0])
    key = next(iter(desk.keys.buttons), "next")
    words = [
        ("status", "the day, lines, counters, devices"),
        (f"sim press {service}", "draw a ticket at the button"),
        (f"sim key {desk.number} {key}", "press an officer's key"),
        (f"sim scan {desk.number} KARTU-1", "hold a card before the scanner"),
        (f"sim rate {desk.number} 4", "press a button of the rating panel"),
        ("sim paper out", "take the paper out of the printer; back with: ok"),
        ("events --follow", "everything that happens"),
    ]
    kiosd, where = _kiosd(), _where(state)
    commands = [(f"{kiosd} {verb}{where}", what) for verb, what in words]
    if broker.port:
        commands.append((f"mosquitto_sub -h 127.0.0.1 -p {broker.port} -t '{plan.topics}' -v", "the same over MQTT"))
    return commands


def _kiosd() -> str:
    """How to start the command of this environment from here."""
    script = Path(sys.executable).with_name("kiosd")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m kiosd"
    here = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return shlex.quote(str(here))


def _where(state: Path) -> str:
    if "KIOSD_STATE" not in os.environ and state.absolute() == USUAL_STATE.absolute():
        return ""
    return f" --state {shlex.quote(str(state))}"
