"""The ``kiosd`` command: what a person types. Only the standard library is imported here, so that help comes at once.

``VERBS`` is the one list of subcommands; what they do is in ``console`` (talks to a running daemon), ``daemon`` and ``kiosd_sim``.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from kiosd import __version__
from kiosd.errors import ConfigError, JournalError, KiosdError, Refused, Unavailable

DONE, REFUSED, USAGE, UNAVAILABLE, JOURNAL, CONFIG, INTERRUPTED = 0, 1, 2, 69, 74, 78, 130
EXITS = (
    (DONE, "done"),
    (REFUSED, "refused: understood, and no; the reason is on standard error"),
    (USAGE, "wrong words on the command line"),
    (UNAVAILABLE, "kiosd could not be asked: not running, no permission, or no answer in time"),
    (JOURNAL, "the journal could not be read or is damaged"),
    (CONFIG, "the configuration is wrong"),
    (INTERRUPTED, "interrupted (Ctrl-C), except events --follow, where that is the way to end it"),
)
STATE_HELP = (
    "state directory of the daemon; its control socket is DIR/control.sock (default: $KIOSD_STATE, "
    "else var/sim here if a simulation runs in it, else /var/lib/kiosd)"
)
ARGUMENTS = {
    "SERVICE": "letter of a service, for example D",
    "COUNTER": "number of a counter, 1-99",
    "TICKET": "number of today, for example D005",
    "SCORE": "4 Sangat Puas, 3 Puas, 2 Kurang Puas, 1 Tidak Puas",
    "FILE": "the configuration, a kiosd.toml",
}


@dataclass(frozen=True, slots=True)
class Verb:
    """A subcommand. ``what`` is the line in ``kiosd --help``, ``more`` follows it in its own help."""

    name: str
    arguments: tuple[str, ...]
    what: str
    more: str
    example: str
    console: str = "ask"
    """Function of ``kiosd.console`` that does it; ``ask`` sends the queue's command of the same name."""


VERBS = (
    Verb("run", (), "run the daemon", "Runs in the foreground until SIGTERM or Ctrl-C, logs to standard error.",
         "kiosd run --config /etc/kiosd/kiosd.toml --state /var/lib/kiosd", ""),
    Verb("check-config", ("FILE",), "check a configuration and tell what is in it", "Names every error at once; touches no device.",
         "kiosd check-config config/tipe-1.toml", "check_config"),
    Verb("status", (), "show the day, lines, counters and devices", "", "kiosd status", "status"),
    Verb("issue", ("SERVICE",), "give the next number of a service", "As a press on the service's button does, paper included.",
         "kiosd issue D --priority"),
    Verb("next", ("COUNTER",), "call the next ticket to a counter", "Finishes the visit that is being served there, if there is one.",
         "kiosd next 1"),
    Verb("recall", ("COUNTER",), "call the same ticket once more", "", "kiosd recall 1"),
    Verb("start", ("COUNTER",), "the called visitor is at the counter", "", "kiosd start 1"),
    Verb("absent", ("COUNTER",), "the called visitor did not come", "Refused before all calls were made, unless forced.",
         'kiosd absent 1 --force "has left the building"'),
    Verb("finish", ("COUNTER",), "the visit at a counter is over", "Opens the window in which the rating panel counts for it.",
         "kiosd finish 1"),
    Verb("cancel", ("TICKET",), "take a ticket out of its line", "The visitor left, or the number is not needed.", "kiosd cancel D005"),
    Verb("open", ("COUNTER",), "an officer sits down at a counter", "", "kiosd open 1"),
    Verb("pause", ("COUNTER",), "the officer is away for a moment", "", "kiosd pause 1"),
    Verb("close", ("COUNTER",), "a counter closes for today", "", "kiosd close 1"),
    Verb("rate", ("COUNTER", "SCORE"), "rate the last visit at a counter", "As a press on the counter's rating panel does.",
         "kiosd rate 1 4"),
    Verb("events", (), "show what happened", "Ends at the newest event; with --follow it goes on until Ctrl-C.",
         "kiosd events --follow --since 120 --json", "events"),
    Verb("journal", ("verify",), "check the journal's file and chain of hashes",
         "The running daemon checks its own; when none runs, the journal in the state directory is read here.",
         "kiosd journal verify", "verify"),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Do what ``argv`` says; the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sim"]:
        return _guarded(lambda: _simulate(words[1:]))
    try:
        args = parser().parse_args(words)
    except SystemExit as done:  # argparse has said what there is to say
        return int(done.code or 0)
    return _guarded(lambda: _do(args), following=getattr(args, "follow", False))


class _Overview(argparse.RawDescriptionHelpFormatter):
    """One line for each command: Python 3.11 forgets the indent of subcommands when it measures the column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=20)
        self._action_max_length = 18


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    exits = "\n".join(f"  {status:>3}  {meaning}" for status, meaning in EXITS)
    top = argparse.ArgumentParser(
        prog="kiosd",
        description="Queue daemon of a public-service kiosk. 'kiosd COMMAND --help' shows an example of each command.",
        epilog=f"exit status:\n{exits}",
        formatter_class=_Overview,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"kiosd {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND", title="commands")
    for verb in VERBS:
        _add(verbs, verb)
    verbs.add_parser("sim", help="act on the simulated hardware: see kiosd sim --help", add_help=False)
    return top


def _add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", verb: Verb) -> None:
    one = verbs.add_parser(
        verb.name,
        help=verb.what,
        description=f"{verb.what[0].upper()}{verb.what[1:]}. {verb.more}",
        epilog=f"example: {verb.example}",
        allow_abbrev=False,
    )
    for argument in verb.arguments:
        if argument == "verify":
            one.add_argument("action", choices=["verify"], help="the only one so far")
        else:
            one.add_argument(argument.lower(), metavar=argument, help=ARGUMENTS[argument])
    _options(one, verb)


def _options(one: argparse.ArgumentParser, verb: Verb) -> None:
    match verb.name:
        case "run":
            one.add_argument("--config", type=Path, required=True, metavar="FILE", help=ARGUMENTS["FILE"])
            one.add_argument("--allow-volatile", action="store_true", help="accept a state directory that a reboot empties")
        case "issue":
            one.add_argument("--priority", action="store_true", help="for the elderly, disabled, pregnant ...; the reason is never stored")
        case "absent":
            one.add_argument("--force", metavar="REASON", help="do not wait for all calls; the reason is recorded")
        case "events":
            one.add_argument("--follow", action="store_true", help="go on with new events as they happen")
            since = "everything after event number N (default: everything; with --follow the last 10)"
            one.add_argument("--since", metavar="N", help=since)
    if verb.name != "check-config":
        one.add_argument("--state", type=Path, metavar="DIR", required=verb.name == "run", help=STATE_HELP)
    if verb.name != "run":
        one.add_argument("--json", action="store_true", help="for programs: one JSON object (events: one per line)")


def state_directory(given: Path | None) -> Path:
    """Where the daemon keeps its state; the rule is in ``STATE_HELP``."""
    if given is not None:
        return given
    if named := os.environ.get("KIOSD_STATE"):
        return Path(named)
    simulated = Path("var/sim")
    return simulated if (simulated / "control.sock").is_socket() else Path("/var/lib/kiosd")


def _do(args: argparse.Namespace) -> int:
    if args.verb == "run":
        from kiosd.daemon import run_daemon

        return run_daemon(args.config, args.state, args.allow_volatile)
    from kiosd import console

    if args.verb != "check-config":
        args.state = state_directory(args.state)
    verb = next(verb for verb in VERBS if verb.name == args.verb)
    status: int = getattr(console, verb.console)(args)
    return status


def _simulate(words: list[str]) -> int:
    try:
        simulation = import_module("kiosd_sim.cli")  # by name: kiosd imports nothing of the simulation
    except ModuleNotFoundError as exc:
        raise Unavailable(f"the simulation is not installed here ({exc.name} is missing)") from None
    status: int = simulation.main(words)
    return status


_STATUS: tuple[tuple[type[KiosdError], int], ...] = (
    (Refused, REFUSED),
    (Unavailable, UNAVAILABLE),
    (JournalError, JOURNAL),
    (ConfigError, CONFIG),
)


def _guarded(do: Callable[[], int], following: bool = False) -> int:
    """``do()``'s status; errors become a sentence and a status, a reader that went away (``| head``) is no error."""
    try:
        status = do()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return DONE if following else INTERRUPTED
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # what is left in the buffer has nowhere to go, and Python would complain at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KiosdError as exc:
        words = exc.facts.get("message", exc.code) if isinstance(exc, Refused) else exc
        print(f"kiosd: {words}", file=sys.stderr)
        return next((status for kind, status in _STATUS if isinstance(exc, kind)), REFUSED)
    return status
