"""Help that a person can work from, at once."""

import re
import shlex
import subprocess
import sys

import pytest

from kiosd.cli import EXITS, VERBS, Verb, main, parser
from kiosd.queue.commands import COMMANDS


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


def test_every_public_command_can_be_typed() -> None:
    assert COMMANDS.keys() - {verb.name for verb in VERBS} == {"close_day"}  # the daemon's own, at the end of the day


@pytest.mark.parametrize(
    "words", [[], ["dance"], ["next"], ["next", "1", "2"], ["status", "--jso"], ["journal"], ["journal", "burn"], ["run"]]
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
