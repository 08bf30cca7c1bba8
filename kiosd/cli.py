"""The ``kiosd`` command: what a person types. Only the standard library is imported here, so that help comes at once.

``VERBS`` in ``verbs`` is the one list of subcommands; what they do is in ``console`` (talks to a running daemon), ``daemon``, ``kiosd_sim``
and wherever else a ``Verb`` says.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from kiosd import __version__
from kiosd.errors import ConfigError, JournalError, KiosdError, Refused, Unavailable
from kiosd.verbs import ARGUMENTS, VERBS, Option, Verb

__all__ = ["EXITS", "VERBS", "Verb", "main", "parser", "run", "state_directory"]

DONE, REFUSED, USAGE, UNAVAILABLE, JOURNAL, CONFIG, INTERRUPTED = 0, 1, 2, 69, 74, 78, 130
EXITS = (
    (DONE, "done"),
    (REFUSED, "refused: understood, and no; the reason is on standard error"),
    (USAGE, "wrong words on the command line"),
    (UNAVAILABLE, "kiosd could not be asked: not running, no permission, or no answer in time"),
    (JOURNAL, "the journal could not be read or is damaged"),
    (CONFIG, "the configuration is wrong"),
    (INTERRUPTED, "interrupted (Ctrl-C), except events --follow and mqtt tail, where that is the way to end it"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what ``argv`` says; the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sim"]:
        return _guarded(lambda: _simulate(words[1:]))
    try:
        args = parser(words[0] if words else "").parse_args(words)
    except SystemExit as done:  # argparse has said what there is to say
        return int(done.code or 0)
    return _guarded(lambda: _do(args), following=getattr(args, "follow", False))


class _Overview(argparse.RawDescriptionHelpFormatter):
    """One line for each command: Python 3.11 forgets the indent of subcommands when it measures the column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=20)
        self._action_max_length = 18


def parser(word: str = "") -> argparse.ArgumentParser:
    """The whole command line; as much of it as ``word`` needs if that is a command: the others would cost each start 1 MB and 15 ms."""
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
    for verb in [verb for verb in VERBS if verb.name == word] or VERBS:
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
        _argument(one, argument)
    for option in (*verb.options, *verb.shared):
        _option(one, option)


def _argument(one: argparse.ArgumentParser, name: str) -> None:
    """A word without a flag; ``ARGUMENTS`` tells how a name is written."""
    bare = name.strip("[].")
    choices = bare.split("|") if bare.islower() else None
    how_many = "?" if name.startswith("[") else "+" if name.endswith("...") else None
    dest = "action" if choices else bare.split("=")[0].lower()
    one.add_argument(dest, metavar=None if choices else bare, nargs=how_many, choices=choices, help=ARGUMENTS[name])


def _option(one: argparse.ArgumentParser, option: Option) -> None:
    if not option.metavar and not option.choices:
        one.add_argument(option.flag, action="store_true", help=option.help)
        return
    one.add_argument(
        *([option.short] if option.short else []),
        option.flag,
        action="append" if option.many else "store",
        metavar=option.metavar or None,
        choices=option.choices or None,
        required=option.required,
        default=option.default,
        help=option.help,
    )


def state_directory(given: str | None) -> Path:
    """Where the daemon keeps its state; the rule is in ``verbs.STATE_HELP``."""
    if given is not None:
        return Path(given)
    if named := os.environ.get("KIOSD_STATE"):
        return Path(named)
    simulated = Path("var/sim")
    return simulated if (simulated / "control.sock").is_socket() else Path("/var/lib/kiosd")


def run(args: argparse.Namespace) -> int:
    """Run the daemon; without ``console``, which it would only carry about."""
    from kiosd.running import run_daemon

    return run_daemon(Path(args.config), args.state, args.allow_volatile)


def _do(args: argparse.Namespace) -> int:
    """``args.state`` is a path from here on."""
    verb = next(verb for verb in VERBS if verb.name == args.verb)
    if "state" in args:
        args.state = state_directory(args.state)
    module, _, function = verb.console.rpartition(":")
    status: int = getattr(import_module(module or "kiosd.console"), function)(args)
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
