"""Help that a person can work from, at once."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import get_args

import pytest

from kiosd.cli import EXITS, VERBS, Verb, main, parser
from kiosd.queue.commands import CALL_REASONS, COMMANDS, DESTINATIONS, Category
from kiosd.queue.model import Place, Role
from kiosd.queue.survey import ELEMENTS
from kiosd.verbs import ROLES


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_overview_names_every_command_and_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    overview = helped(capsys)
    for verb in VERBS:
        assert re.search(rf"^    {re.escape(verb.name)} +{re.escape(verb.what)}$", overview, re.MULTILINE)
    assert re.search(r"^    sim +", overview, re.MULTILINE)
    for status, meaning in EXITS:
        assert re.search(rf"^ +{status}  {re.escape(meaning)}$", overview, re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_command_explains_itself_and_its_example_is_right(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, verb.name)
    assert " ".join(verb.what.split()).lower() in " ".join(text.split()).lower()
    assert f"example: {verb.example}" in " ".join(text.split())
    program, *words = shlex.split(verb.example)
    assert program == "kiosd"
    assert parser().parse_args(words).verb == verb.name
    assert parser(words[0]).parse_args(words) == parser().parse_args(words)


TYPED = {"undo": {"undo_call", "undo_start", "undo_finish"}, "open": {"open", "resume"}, "close": {"close", "suspend"}}
"""Verbs that stand for more than the command of their own name."""


def test_every_public_command_can_be_typed() -> None:
    named = [TYPED.get(verb.name, {verb.name.replace("-", "_")}) for verb in VERBS]
    assert set().union(*named) >= COMMANDS.keys()


@pytest.mark.parametrize(("verb", "words"), [
    ("issue", get_args(Category)), ("category", get_args(Category)), ("enter", get_args(Category)), ("call", CALL_REASONS),
    ("refer", DESTINATIONS), ("survey", ELEMENTS), ("transfer", get_args(Place)),
])  # fmt: skip
def test_help_lists_the_words_that_may_be_said(verb: str, words: Iterable[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, verb)
    assert [word for word in words if word not in text] == []


def test_every_command_says_its_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(ROLES) == set(get_args(Role)) - {"system"}
    for verb in VERBS:
        if verb.name.replace("-", "_") in COMMANDS or verb.name == "undo":
            assert "--as {public,officer,receptionist,manager}" in helped(capsys, verb.name)


def test_every_line_of_the_table_leads_to_a_function() -> None:
    for verb in VERBS:
        module, _, function = verb.console.rpartition(":")
        assert callable(getattr(import_module(module or "kiosd.console"), function)), verb.name


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["next"],
        ["next", "1", "2"],
        ["status", "--jso"],
        ["journal"],
        ["journal", "burn"],
        ["run"],
        ["training", "maybe"],
        ["call", "1", "D005"],
        ["survey", "1"],
        ["repair", "printer", "--until", "14:00"],
        ["next", "1", "--as", "system"],
    ],
)
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("usage: kiosd")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"kiosd \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_loads_nothing_that_takes_long() -> None:
    heavy = ("pydantic", "asyncio", "tabulate", "kiosd.queue", "kiosd.daemon", "gpiozero", "paho")
    script = f"import sys; from kiosd.cli import main; main(['--help']); print(set({heavy!r}) & set(sys.modules), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert (result.returncode, result.stderr) == (0, "set()\n")
