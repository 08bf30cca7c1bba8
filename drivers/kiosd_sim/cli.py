"""``kiosd sim``: act on the far side of a simulation that runs. Raises ``Unavailable`` and ``Refused``, which the caller turns into words.

Buttons are pressed at the pins of the daemon, everything else is done by the process that simulates the hardware.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosd.errors import Refused, Unavailable
from kiosd_sim.control import ask
from kiosd_sim.finger import Pins, PinsAbsent
from kiosd_sim.floor import FAR_SOCKET, PINS_SOCKET, Panel, not_running, pin, read_floor
from kiosd_sim.moods import SWITCHES

STATE_HELP = "state directory of the simulation (default: $KIOSD_STATE, else var/sim here)"


@dataclass(frozen=True, slots=True)
class Deed:
    """A subcommand: its arguments with their help, what it does, and the function that does it."""

    arguments: tuple[tuple[str, str], ...]
    what: str
    example: str
    do: Callable[[argparse.Namespace], str]


def _press(args: argparse.Namespace) -> str:
    name = args.service[:1].upper() + args.service[1:] + ("_priority" if args.priority else "")
    return _push(args, read_floor(args.state).tickets, name, "the ticket machine")


def _key(args: argparse.Namespace) -> str:
    return _push(args, read_floor(args.state).desk(args.counter).keys, args.key, f"counter {args.counter}")


def _rate(args: argparse.Namespace) -> str:
    return _push(args, read_floor(args.state).desk(args.counter).rating, args.score, f"the rating panel of counter {args.counter}")


def _push(args: argparse.Namespace, panel: Panel, button: str, place: str) -> str:
    number = pin(panel, button, place)
    _finger(args, lambda finger: getattr(finger, args.how)(number), f"{place}, button {button}")
    return f"{PAST[args.how]} {button} at {place} (pin {number})"


def _jabber(args: argparse.Namespace) -> str:
    number = _ticket_pin(args, args.service)
    _finger(args, lambda finger: finger.jabber(number), "the ticket machine")
    return f"shook the wire of {args.service.upper()} at the ticket machine (pin {number})"


def _ticket_pin(args: argparse.Namespace, service: str) -> int:
    return pin(read_floor(args.state).tickets, service[:1].upper() + service[1:], "the ticket machine")


def _two(args: argparse.Namespace) -> str:
    first, second = (_ticket_pin(args, service) for service in (args.service, args.other))
    _finger(args, lambda finger: finger.two(first, second), "the ticket machine")
    return f"pressed two at once (pins {first} and {second})"


def _finger(args: argparse.Namespace, do: Callable[[Pins], None], place: str) -> None:
    try:
        do(Pins(args.state / PINS_SOCKET))
    except PinsAbsent:
        raise Unavailable(not_running(args.state)) from None
    except ValueError as exc:
        raise Refused("pin", {"message": f"{place}: {exc}"}) from None


def _far(args: argparse.Namespace, *words: str) -> None:
    ask(args.state, args.state / FAR_SOCKET, *words)


def _scan(args: argparse.Namespace) -> str:
    _far(args, "scan", args.counter, args.text)
    return f"scanned {len(args.text)} characters at counter {args.counter}"


def _printer(args: argparse.Namespace) -> str:
    how = getattr(args, args.deed)
    _far(args, args.deed, how)
    return f"{args.deed} {how}"


def _switch(thing: str, what: str) -> Deed:
    words = list(SWITCHES[thing])
    return Deed(((thing.upper(), " or ".join((", ".join(words[:-1]), words[-1]))),), what, f"{thing} {words[-1]}", _printer)


def _plug(args: argparse.Namespace) -> str:
    _far(args, args.deed, args.device)
    return f"{args.deed}ged {args.device}"


COUNTER = ("COUNTER", "number of a counter")
DEVICE = ("DEVICE", "a device on a cable, as in the configuration: printer, scanner_1, board ...")
DEEDS = {
    "press": Deed((("SERVICE", "letter of a service"),), "press a button of the ticket machine", "press D", _press),
    "two": Deed((("SERVICE", "letter of a service"), ("OTHER", "another one")), "press two ticket buttons at once", "two A B", _two),
    "jabber": Deed((("SERVICE", "letter of a service"),), "shake a ticket button's loose wire", "jabber A", _jabber),
    "key": Deed((COUNTER, ("KEY", "a key of that counter: advance, next ...")), "press an officer's key", "key 1 advance", _key),
    "scan": Deed((COUNTER, ("TEXT", "what the code says")), "hold a code before a counter's scanner", "scan 1 KARTU-1", _scan),
    "rate": Deed((COUNTER, ("SCORE", "4 to 1")), "press a button of a counter's rating panel", "rate 1 4", _rate),
    "paper": _switch("paper", "put paper into the printer, or take it out"),
    "cover": _switch("cover", "open the printer's cover, or close it"),
    "cutter": _switch("cutter", "jam the printer's knife, or free it"),
    "head": _switch("head", "let the print head be too hot, or cool"),
    "offline": _switch("offline", "take the printer off the line, or put it back"),
    "busy": _switch("busy", "let the printer take nothing for a while"),
    "clone": _switch("clone", "let the printer answer like a cheap one"),
    "slow": Deed((("SLOW", "bytes a second, or off"),), "let the printer take its bytes slowly", "slow 500", _printer),
    "speed": Deed((("SPEED", "millimetres of paper a second, or off"),), "let the paper move at its own pace", "speed 150", _printer),
    "unplug": Deed((DEVICE,), "pull a device's cable", "unplug printer", _plug),
    "plug": Deed((DEVICE,), "put the cable back", "plug printer", _plug),
}
"""Every subcommand of ``kiosd sim``."""
WAYS = {
    "bounce": "as with a worn contact that closes several times",
    "stick": "and leave it pressed, as a button that hangs",
    "free": "let a button go that hangs",
}
BUTTONS = ("press", "key", "rate")
PAST = {"press": "pressed", "bounce": "pressed", "stick": "stuck", "free": "freed"}


def parser() -> argparse.ArgumentParser:
    """The command line of ``kiosd sim``."""
    top = argparse.ArgumentParser(prog="kiosd sim", description="Act on the simulated hardware of 'make run'.", allow_abbrev=False)
    deeds = top.add_subparsers(dest="deed", required=True, metavar="COMMAND", title="commands")
    for name, deed in DEEDS.items():
        sentence = f"{deed.what[0].upper()}{deed.what[1:]}."
        one = deeds.add_parser(name, help=deed.what, description=sentence, epilog=f"example: kiosd sim {deed.example}", allow_abbrev=False)
        for argument, meaning in deed.arguments:
            one.add_argument(argument.lower(), metavar=argument, help=meaning)
        if name in BUTTONS:
            for how, meaning in WAYS.items():
                one.add_argument(f"--{how}", dest="how", action="store_const", const=how, default="press", help=meaning)
        if name == "press":
            one.add_argument("--priority", action="store_true", help="the service's priority button")
        one.add_argument("--state", type=Path, metavar="DIR", default=Path(os.environ.get("KIOSD_STATE") or "var/sim"), help=STATE_HELP)
    return top


def main(argv: Sequence[str]) -> int:
    """Do what ``argv`` (without ``sim``) says; the exit status."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as done:  # argparse has said what there is to say
        return int(done.code or 0)
    print(DEEDS[args.deed].do(args))
    return 0
