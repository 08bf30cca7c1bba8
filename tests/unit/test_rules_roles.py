"""Who may ask for what (domain section 3), and what becomes of a refusal."""

import re
from pathlib import Path
from typing import get_args

import pytest

from kiosd.errors import Refused
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue import rules, texts
from kiosd.queue.commands import ALL, parse
from kiosd.queue.model import Role
from support.samples import FIELDS, NAMES, sample
from support.site import PureDay, sentence

OFFICER, LEFT, RUNS = "officer", "officer receptionist", "manager officer"
MAY = {
    "issue": "public receptionist", "reserve": "receptionist manager system", "enter": "receptionist", "reprint": LEFT, "priority": LEFT,
    "category": LEFT, "next": OFFICER, "call": OFFICER, "recall": OFFICER, "start": OFFICER, "absent": OFFICER, "readmit": LEFT,
    "undo_call": OFFICER, "undo_start": OFFICER, "undo_finish": OFFICER, "finish": OFFICER, "transfer": OFFICER, "refer": OFFICER,
    "cancel": LEFT, "void": "receptionist", "rate": "public", "invite": OFFICER, "survey": "public receptionist", "open": RUNS,
    "pause": RUNS, "close": RUNS, "suspend": "manager", "resume": "manager", "training": "manager",
    "repair": "manager officer receptionist", "note": "manager", "close_day": "manager system",
}  # fmt: skip
"""Domain section 3's column "who", and for the rest of the commands what the issue says; those left out are the daemon's own."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_that_may_not_is_refused_before_anything_else(name: str, role: Role) -> None:
    """Whoever may is not refused for the role, whatever else is wrong on an empty day."""
    may = MAY.get(name, "system").split()
    day, command = PureDay(), sample(name, role)
    day.do(cmd.Tick())
    try:
        day.do(command)
        code = ""
    except Refused as no:
        code = no.code
    assert (code == "not_allowed") is (role not in may)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_a_command_that_names_no_role_is_its_first_ones(kind: type[cmd.Command]) -> None:
    assert sample(kind.name).by == kind.may[0]
    assert set(FIELDS) <= set(NAMES)


def test_nobody_outside_is_the_system() -> None:
    for name in ("tick", "report_paper", "scan", "seal_day"):
        with pytest.raises(KeyError):
            parse(name, {})
    with pytest.raises(ValueError, match="system is the daemon itself"):
        parse("close_day", {"actor": "system"})


def test_events_name_the_role_and_the_place_and_the_systems_own_name_none() -> None:
    day = PureDay()
    day.do(cmd.IssueTicket(service="A", actor="receptionist", place="desk"))
    day.do(cmd.CallNext(counter=1, place="counter/1"))
    assert [(record.event.actor, record.event.place) for record in day.log] == [
        ("", ""), ("receptionist", "desk"), ("officer", "counter/1"), ("officer", "counter/1"),
    ]  # fmt: skip
    day.do(cmd.CloseDay(actor="system"))
    assert (day.log[-1].event.actor, day.log[-1].event.place) == ("", "")


def test_every_reason_to_refuse_has_a_sentence() -> None:
    """Each one met in a test is spoken there in both languages: ``PureDay.refusal`` sees to it."""
    source = "".join(path.read_text() for path in Path(rules.__file__).parent.glob("*.py"))
    codes = set(re.findall(r"(?:Refused|_until_tomorrow)\(\s*\"(\w+)\"", source))
    assert len(codes) > 30 and codes <= set(texts.TEXTS)


def test_a_role_that_may_not_reads_so_in_its_language() -> None:
    no = PureDay().refusal(sample("void", "officer"))
    assert sentence(no, "id") == "Wewenang petugas tidak mencakup: menghanguskan nomor."
    assert sentence(no, "en") == "The role officer may not do this: void."


@pytest.mark.parametrize("state", ["waiting", "called", "serving", "no_show", "finished", "referred", "cancelled", "expired", "void"])
def test_an_officer_reads_no_machine_words_in_indonesian(state: str) -> None:
    for name in MAY:
        sentence = texts.say("wrong_state", "id", {"number": "A001", "state": state, "command": name})
        assert state not in sentence.split() and f" {name}." not in sentence
        assert name not in texts.say("not_allowed", "id", {"command": name, "actor": "officer"}).split()


def test_each_kind_of_command_has_its_kind_of_refusal() -> None:
    opens = "2026-07-02T08:00:00+07:00"
    assert rules.refusal(sample("issue"), "x", "y", {"opens_at": opens}) == ev.TicketRefused(
        service="A", code="x", message="y", opens_at=opens, actor="public"
    )  # fmt: skip
    assert rules.refusal(sample("finish"), "x", "y", {}) == ev.CounterRefused(
        counter=1, command="finish", code="x", message="y", actor="officer"
    )  # fmt: skip
    assert rules.refusal(sample("cancel", "receptionist", place="desk"), "x", "y", {}) == ev.CommandRefused(
        source="queue", command="cancel", code="x", message="y", actor="receptionist", place="desk"
    )  # fmt: skip
