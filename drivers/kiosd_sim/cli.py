"""``kiosd sim``: act on the far side of a simulation that runs. Raises ``Unavailable`` and ``Refused``, which the caller turns into words.

Buttons on pins are pressed at the pins of the daemon, everything else is done by the process that simulates the hardware.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosd.errors import Refused, Unavailable
from kiosd_sim.control import ask
from kiosd_sim.finger import Pins, PinsAbsent
from kiosd_sim.floor import FAR_SOCKET, PINS_SOCKET, Panel, named, not_running, pin, read_floor
from kiosd_sim.lamps import watched
from kiosd_sim.moods import SWITCHES
from kiosd_sim.scanner import ENDS

STATE_HELP = "state directory of the simulation (default: $KIOSD_STATE, else var/sim here)"


@dataclass(frozen=True, slots=True)
class Deed:
    """A subcommand: its arguments with their help, what it does, and the function that does it."""

    arguments: tuple[tuple[str, str], ...]
    what: str
    example: str
    do: Callable[[argparse.Namespace], str]


def _press(args: argparse.Namespace) -> str:
    name = _ticket_button(args.service) + ("_priority" if args.priority else "")
    return _push(args, read_floor(args.state).tickets, "the ticket machine", name, _ticket_button(args.other) if args.other else None)


def _ticket_button(service: str) -> str:
    return service[:1].upper() + service[1:]


def _key(args: argparse.Namespace) -> str:
    return _push(args, read_floor(args.state).desk(args.counter).keys, f"counter {args.counter}", args.key, args.other)


def _rate(args: argparse.Namespace) -> str:
    panel, place = read_floor(args.state).desk(args.counter).rating, f"the rating panel of counter {args.counter}"
    return _push(args, panel, place, args.score, args.other)


def _push(args: argparse.Namespace, panel: Panel, place: str, button: str, other: str | None) -> str:
    numbers = [pin(panel, name, place) for name in (button, other) if name is not None]
    if panel.keypad:
        _far(args, "keys", panel.device, args.how, *map(str, numbers))
    else:
        how = "two" if other is not None else args.how
        _finger(args, lambda finger: getattr(finger, how)(*numbers), f"{place}, button {button}")
    both = f"{button} and {other} at once" if other is not None else button
    return f"{PAST[args.how]} {both} at {place} ({' and '.join(map(panel.contact, numbers))})"


def _jabber(args: argparse.Namespace) -> str:
    panel = read_floor(args.state).tickets
    number = pin(panel, _ticket_button(args.service), "the ticket machine")
    if panel.keypad:
        raise Refused("no_wire", {"message": "the keys of a keypad have no wires that could be loose"})
    _finger(args, lambda finger: finger.jabber(number), "the ticket machine")
    return f"shook the wire of {args.service.upper()} at the ticket machine (pin {number})"


def _two(args: argparse.Namespace) -> str:
    args.how = "press"
    first, second = _ticket_button(args.service), _ticket_button(args.other)
    return _push(args, read_floor(args.state).tickets, "the ticket machine", first, second)


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
    texts, framed = args.text, "framed" if args.framed else ""
    parts = ("half", "rest") if args.pause is not None else (args.part,)
    for part in parts:
        if part == "rest" and args.pause is not None:
            time.sleep(args.pause)  # the person at the terminal asked for it: the daemon sees a scanner that hesitates
            texts = texts[-1:]
        _far(args, "scan", args.counter, part, framed, args.aim, args.end, *texts)
    return f"scanned {_amount(args)} at counter {args.counter}"


def _amount(args: argparse.Namespace) -> str:
    """How much was scanned; what it says is personal."""
    codes = f" in {len(args.text)} codes" if len(args.text) > 1 else ""
    return f"{sum(map(len, args.text))} characters{codes}{SHARES[args.part]}"


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds <= LONGEST_PAUSE_S:
        raise argparse.ArgumentTypeError(f"0 to {LONGEST_PAUSE_S:g} seconds")
    return seconds


def _printer(args: argparse.Namespace) -> str:
    how = getattr(args, args.deed)
    _far(args, args.deed, how, *filter(None, [args.printer]))
    return f"{args.deed} {how}" + (f" at {args.printer}" if args.printer else "")


def _switch(thing: str, what: str) -> Deed:
    words = list(SWITCHES[thing])
    return Deed(((thing.upper(), " or ".join((", ".join(words[:-1]), words[-1]))), PRINTER), what, f"{thing} {words[-1]}", _printer)


def _lamps(args: argparse.Namespace) -> str:
    lights = read_floor(args.state).lights
    if args.panel:
        named(dict.fromkeys(light.device for light in lights), args.panel, "device with lamps")
    return watched(args.state, [light for light in lights if args.panel in {"", light.device}])


def _plug(args: argparse.Namespace) -> str:
    _far(args, args.deed, args.device)
    return f"{args.deed}ged {args.device}"


SHARES = {"whole": "", "half": " (only half of the last code)", "rest": " (only the rest of the last code)"}
LONGEST_PAUSE_S = 60.0
AIM_HELP = "an AIM identifier before each code, such as ]C0, instead of what the scanner is set to; none: without"
END_HELP = "what is sent behind each code instead of the scanner's own end: cr, lf, crlf, tab, etx, garbled, none"
KEY_HELP = "a key of that counter: advance, next ...; or a keypad's own name for one: KP1, NUMLOCK ..."
COUNTER = ("COUNTER", "number of a counter")
DEVICE = ("DEVICE", "a device on a cable, as in the configuration: printer, scanner_1, board ...")
PRINTER = ("PRINTER", "a printer, as in the configuration; without a name all of them")
PANEL = ("PANEL", "buttons or a keypad, as in the configuration: ticket_buttons, keys_1 ...; without a name all that have lamps")
OPTIONAL = {"TEXT": "+", "PRINTER": "?", "PANEL": "?"}
"""Arguments that may be several, or none."""
DEEDS = {
    "press": Deed((("SERVICE", "letter of a service"),), "press a button of the ticket machine", "press D", _press),
    "two": Deed((("SERVICE", "letter of a service"), ("OTHER", "another one")), "press two ticket buttons at once", "two A B", _two),
    "jabber": Deed((("SERVICE", "letter of a service"),), "shake a ticket button's loose wire", "jabber A", _jabber),
    "key": Deed((COUNTER, ("KEY", KEY_HELP)), "press an officer's key", "key 1 advance --with repeat", _key),
    "scan": Deed(
        (COUNTER, ("TEXT", "what the code says; several are sent without a pause")),
        "hold a code before a counter's scanner",
        "scan 1 KARTU-1 --end none",
        _scan,
    ),
    "rate": Deed((COUNTER, ("SCORE", "4 to 1")), "press a button of a counter's rating panel", "rate 1 4", _rate),
    "paper": _switch("paper", "put paper into the printer, or take it out"),
    "cover": _switch("cover", "open the printer's cover, or close it"),
    "cutter": _switch("cutter", "jam the printer's knife, or free it"),
    "head": _switch("head", "let the print head be too hot, or cool"),
    "broken": _switch("broken", "break the printer in a way that only switching off and on would end, or mend it"),
    "feed": _switch("feed", "hold the printer's feed button, or let it go"),
    "offline": _switch("offline", "take the printer off the line, or put it back"),
    "busy": _switch("busy", "let the printer take nothing for a while"),
    "silent": _switch("silent", "let the printer print and say nothing, or answer again"),
    "clone": _switch("clone", "let the printer answer like a cheap one"),
    "slow": Deed((("SLOW", "bytes a second, or off"), PRINTER), "let the printer take its bytes slowly", "slow 500", _printer),
    "speed": Deed(
        (("SPEED", "millimetres of paper a second, or off"), PRINTER), "let the paper move at its own pace", "speed 150", _printer
    ),
    "lamps": Deed((PANEL,), "watch the lamps of the panels for a while", "lamps keys_1", _lamps),
    "unplug": Deed((DEVICE,), "pull a device's cable", "unplug printer", _plug),
    "plug": Deed((DEVICE,), "put the cable back", "plug printer", _plug),
}
"""Every subcommand of ``kiosd sim``."""
WAYS = {
    "hold": "and do not let go for a second",
    "bounce": "as with a worn contact that closes several times",
    "stick": "and leave it pressed, as a button that hangs",
    "free": "let a button go that hangs",
}
BUTTONS = ("press", "key", "rate")
PAST = {"press": "pressed", "hold": "held", "bounce": "pressed", "stick": "stuck", "free": "freed"}


def parser() -> argparse.ArgumentParser:
    """The command line of ``kiosd sim``."""
    top = argparse.ArgumentParser(prog="kiosd sim", description="Act on the simulated hardware of 'make run'.", allow_abbrev=False)
    deeds = top.add_subparsers(dest="deed", required=True, metavar="COMMAND", title="commands")
    for name, deed in DEEDS.items():
        sentence = f"{deed.what[0].upper()}{deed.what[1:]}."
        one = deeds.add_parser(name, help=deed.what, description=sentence, epilog=f"example: kiosd sim {deed.example}", allow_abbrev=False)
        for argument, meaning in deed.arguments:
            one.add_argument(argument.lower(), metavar=argument, help=meaning, nargs=OPTIONAL.get(argument), default="")
        if name in BUTTONS:
            _add_ways(one)
        if name == "scan":
            _add_faults(one)
        if name == "press":
            one.add_argument("--priority", action="store_true", help="the service's priority button")
        one.add_argument("--state", type=Path, metavar="DIR", default=Path(os.environ.get("KIOSD_STATE") or "var/sim"), help=STATE_HELP)
    return top


def _add_ways(one: argparse.ArgumentParser) -> None:
    ways = one.add_mutually_exclusive_group()
    for how, meaning in WAYS.items():
        ways.add_argument(f"--{how}", dest="how", action="store_const", const=how, default="press", help=meaning)
    ways.add_argument("--with", dest="other", metavar="OTHER", help="and another one at the same moment")


def _add_faults(one: argparse.ArgumentParser) -> None:
    """What scanners do wrong."""
    parts = one.add_mutually_exclusive_group()
    parts.add_argument("--half", dest="part", action="store_const", const="half", default="whole", help="half of the last code, and no end")
    parts.add_argument("--rest", dest="part", action="store_const", const="rest", help="the other half, and the end")
    parts.add_argument("--pause", type=_seconds, metavar="SECONDS", help="half of the last code, and the rest so many seconds later")
    one.add_argument("--end", choices=tuple(ENDS), default="", metavar="END", help=END_HELP)
    one.add_argument("--framed", action="store_true", help="between STX and ETX, with --end also that behind them")
    one.add_argument("--aim", default="", metavar="PREFIX", help=AIM_HELP)


def main(argv: Sequence[str]) -> int:
    """Do what ``argv`` (without ``sim``) says; the exit status."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as done:  # argparse has said what there is to say
        return int(done.code or 0)
    print(DEEDS[args.deed].do(args))
    return 0
