"""docs/simulators.md says what ``kiosd sim`` can do, all of it and nothing else."""

import re
import shlex
from pathlib import Path

from kiosd_drivers import evdev_keypad
from kiosd_sim.cli import DEEDS, parser
from kiosd_sim.keypad import PAD_LAMPS
from kiosd_sim.moods import CLONES, RATES, SWITCHES
from kiosd_sim.scanner import ENDS

PAGE = (Path(__file__).parents[2] / "docs/simulators.md").read_text()
EXAMPLES = [shlex.split(line, comments=True)[2:] for line in re.findall(r"^    (kiosd sim .*)$", PAGE, re.MULTILINE)]


def table(head: str) -> list[str]:
    """The first cells of the table whose head begins with the cell ``head``, as they are written."""
    rows = PAGE.split(f"\n| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


def words(cell: str) -> list[str]:
    return [word for quoted in re.findall(r"`([^`]+)`", cell) for word in quoted.split()]


def test_each_trouble_of_a_printer_on_the_page_is_a_verb_with_these_states_and_each_verb_is_on_the_page() -> None:
    told = {thing: set(states) for thing, *states in map(words, table("request"))}
    there = {**{thing: set(states) for thing, states in SWITCHES.items()}, **{thing: {"N", "off"} for thing in RATES}, "clone": {"NAME"}}
    assert told == there
    assert told.keys() <= DEEDS.keys()
    for thing in told:
        for state in SWITCHES.get(thing, {"5": {}, "off": {}}):
            args = parser().parse_args([thing, state, "printer_2"])
            assert (getattr(args, thing), args.printer) == (state, "printer_2")
            assert parser().parse_args([thing, state]).printer == ""


def test_clones_and_ends_are_those_there_are() -> None:
    assert [word for cell in table("clone") for word in words(cell)] == list(CLONES)
    assert [word.strip(",") for cell in table("`--end`") for word in words(cell)] == list(ENDS)


def test_every_verb_is_on_the_page_and_every_example_can_be_typed() -> None:
    assert len(EXAMPLES) > 15
    for example in [*EXAMPLES, *(shlex.split(deed.example) for deed in DEEDS.values())]:
        parser().parse_args(example)
    missing = [verb for verb in DEEDS if not re.search(rf"(kiosd sim |`){verb}\b", PAGE)]
    assert not missing


def test_a_keypads_lamps_are_those_of_its_driver() -> None:
    assert evdev_keypad.LEDS == PAD_LAMPS
