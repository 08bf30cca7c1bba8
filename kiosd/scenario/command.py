"""``kiosd scenario FILE``: read it, make its directory, play it, tell what came of it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Protocol

from kiosd.config import Settings, load
from kiosd.errors import ConfigError
from kiosd.journal.place import lock
from kiosd.logs import clean
from kiosd.scenario.parse import Script, read
from kiosd.scenario.place import CONFIG, check_free, clear, copies, mark
from kiosd.scenario.plan import Day, plan
from kiosd.scenario.play import Played, play

DONE = 0
NAME = "NAME"
"""The last part of ``--state`` that stands for the scenario's name."""


class Args(Protocol):
    """What the command line gives."""

    file: str
    config: str | None
    state: Path
    again: bool
    json: bool


def scenario(args: Args) -> int:
    """Play the scenario; the exit status. Errors are told as everywhere."""
    script = read(Path(args.file))
    state = args.state.with_name(script.name) if args.state.name == NAME else args.state
    config = Path(args.config) if args.config else script.site
    if config is None:
        raise ConfigError(f"{script.path}: of which site? write `site FILE` in it, or give a kiosd.toml with --config")
    begun = perf_counter()
    days = plan(script, load(config).queue)
    with _directory(config, state, script, args.again) as settings:
        played = _with_progress(script, days, settings, state)
    _tell(args, script, days, state, played, perf_counter() - begun)
    return DONE


@contextmanager
def _directory(config: Path, state: Path, script: Script, again: bool) -> Iterator[Settings]:
    """The scenario's directory with the configuration in it, and nothing else but what people put there; ours until the end."""
    made = copies(config)  # before anything is deleted: the configuration may be a copy in there
    check_free(state, again)
    state.mkdir(mode=0o750, parents=True, exist_ok=True)
    with lock(state):
        clear(state)
        mark(state, script.path.name, made)
        made.write(state)
        yield load(state / CONFIG)


def _with_progress(script: Script, days: list[Day], settings: Settings, state: Path) -> Played:
    """Play it, with a bar on a terminal when it takes longer than a second."""
    from tqdm import tqdm

    with tqdm(total=len(days), unit="day", disable=None, delay=1.0, leave=False, file=sys.stderr) as bar:

        def begun(_: date) -> None:
            bar.update()

        return play(script, days, settings, state, begun)


def _tell(args: Args, script: Script, days: list[Day], state: Path, played: Played, seconds: float) -> None:
    first, last = days[0].date, days[-1].date
    if args.json:
        facts = {"scenario": script.name, "state": str(state), "first": f"{first}", "last": f"{last}", **asdict(played)}
        print(json.dumps(facts | {"seconds": round(seconds, 3)}))
        return
    period = f"{first}" if first == last else f"{first} to {last}"
    lines = (
        f"{script.name}: {period}, {played.days} {'day' if played.days == 1 else 'days'} played in {seconds:.1f} s",
        f"  events    {played.events:>9,}",
        f"  commands  {played.commands:>9,}",
        f"  refused   {played.refused:>9,}",
        f"  tickets   {played.tickets:>9,}",
        f"The journal is in {state}; nothing in it happened. Next: kiosd report --state {state} --from {first} --to {last}",
    )
    print("\n".join(clean(line) for line in lines))
