"""Scenario files: what a line means, what is said of a wrong one, and which days come of it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiosd.config import load
from kiosd.errors import ConfigError
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.redact import PLAIN
from kiosd.scenario.parse import MAX_LINES, MAX_TOLD, Crowd, read
from kiosd.scenario.plan import plan
from kiosd.scenario.syntax import SCAN_KEY, WORDS, command, split, usage
from kiosd.stations.counter import token
from support.scenarios import EXAMPLES, HEAD, TYPE_2, script, wrong

NIK = "3201123456789012"

LINES: tuple[tuple[str, Command], ...] = (
    ("issue D", cmd.IssueTicket(service="D")),
    ("issue d", cmd.IssueTicket(service="D")),
    ("issue D priority pencari_kerja no_slip", cmd.IssueTicket(service="D", priority=True, category="pencari_kerja", slip=False)),
    ("issue category=masyarakat service=D", cmd.IssueTicket(service="D", category="masyarakat")),
    ("issue D place=button/D age_s=1.5", cmd.IssueTicket(service="D", place="button/D", age_s=1.5)),
    ("issue D no_paper=refuse", cmd.IssueTicket(service="D", no_paper="refuse")),
    ("issue D actor=receptionist", cmd.IssueTicket(service="D", actor="receptionist")),
    ("reserve D 5", cmd.ReserveNumbers(service="D", count=5)),
    ("enter D002 at=09:10", cmd.EnterTicket(ticket="D002", at="09:10")),
    ("enter D002 masyarakat 09:10 priority", cmd.EnterTicket(ticket="D002", category="masyarakat", at="09:10", priority=True)),
    ("reprint d005", cmd.ReprintTicket(ticket="D005")),
    ("priority D005", cmd.SetPriority(ticket="D005")),
    ("priority D005 no_priority", cmd.SetPriority(ticket="D005", priority=False)),
    ("category D005 masyarakat", cmd.SetCategory(ticket="D005", category="masyarakat")),
    ("next 1   # remark", cmd.CallNext(counter=1)),
    ("call 1 D009 lainnya", cmd.CallTicket(counter=1, ticket="D009", reason="lainnya")),
    ("recall 1", cmd.Recall(counter=1)),
    ("start 1", cmd.Start(counter=1)),
    ('absent 1 "sudah pergi"', cmd.MarkAbsent(counter=1, force="sudah pergi")),
    ("absent 1", cmd.MarkAbsent(counter=1)),
    ("readmit D001", cmd.Readmit(ticket="D001")),
    ("undo_call 1", cmd.UndoCall(counter=1)),
    ("undo_start 1", cmd.UndoStart(counter=1)),
    ("undo_finish 1", cmd.UndoFinish(counter=1)),
    ("finish 1", cmd.Finish(counter=1)),
    ("transfer 1 A head", cmd.Transfer(counter=1, service="A", position="head")),
    ("refer 1 back_office lainnya", cmd.Refer(counter=1, destination="back_office", reason="lainnya")),
    ('cancel D001 "tidak jadi # sungguh"', cmd.CancelTicket(ticket="D001", reason="tidak jadi # sungguh")),
    ("void D001", cmd.VoidTicket(ticket="D001")),
    ("rate 1 4", cmd.Rate(counter=1, score=4)),
    ("invite 1", cmd.Invite(counter=1)),
    ("survey 1 waktu=4 biaya=3", cmd.Survey(counter=1, answers={"waktu": 4, "biaya": 3})),
    ("open 1", cmd.OpenCounter(counter=1)),
    ("pause 1 istirahat", cmd.PauseCounter(counter=1, reason="istirahat")),
    ("close 1", cmd.CloseCounter(counter=1)),
    ("suspend rapat", cmd.Suspend(reason="rapat")),
    ('suspend 14.00 "listrik padam"', cmd.Suspend(until="14.00", reason="listrik padam")),
    ("suspend reason=rapat until=14:00", cmd.Suspend(until="14:00", reason="rapat")),
    ("resume", cmd.Resume()),
    ("training on", cmd.Training(on=True)),
    ("training off", cmd.Training(on=False)),
    ("repair printer 14:00 macet", cmd.PromiseRepair(device="printer", until="14:00", reason="macet")),
    (f'note "kartu {NIK}"', cmd.Note(text="kartu [angka dihapus]")),
    ("close_day", cmd.CloseDay()),
    ('scan 1 "any text"', cmd.AttachScan(counter=1, token=token(SCAN_KEY, "any text"))),
    (f"scan 1 {NIK}", cmd.AttachScan(counter=1, token=token(SCAN_KEY, NIK))),
    ("reject_scan 1 too_long", cmd.RejectScan(counter=1, reason="too_long")),
    ('device printer down x "kertas habis"', cmd.ReportDevice(device="printer", state="down", code="x", detail="kertas habis")),
    (f'device printer down detail="{NIK}"', cmd.ReportDevice(device="printer", state="down", detail="[angka dihapus]")),
    ("device printer ok", cmd.ReportDevice(device="printer", state="ok")),
)  # fmt: skip


@pytest.mark.parametrize(("line", "asked"), LINES, ids=[line for line, _ in LINES])
def test_what_a_line_asks(line: str, asked: Command) -> None:
    made = command(split(line))
    assert type(made) is type(asked)
    assert made.model_dump(exclude={"id"}) == asked.model_dump(exclude={"id"})


def test_every_command_from_outside_can_be_written() -> None:
    """A new command needs no line of code, but a line here."""
    assert {line.split()[0] for line, _ in LINES} == WORDS.keys() >= cmd.COMMANDS.keys()
    assert usage("issue") == "issue SERVICE [priority] [CATEGORY] [no_slip] [NO_PAPER]"
    assert usage("suspend") == "suspend [UNTIL] REASON"
    assert usage("survey") == "survey COUNTER NAME=VALUE ..."


WRONG: tuple[tuple[str, str], ...] = (
    ("08:00 opn 1", "there is no command 'opn'; did you mean 'open'? known: issue, "),
    ("08:00 issue", "service is missing; write: issue SERVICE [priority] [CATEGORY] [no_slip]"),
    ("08:00 issue O", "service: found 'O'; allowed: one letter, not I or O; write: issue"),
    ("08:00 issue D D", "category: found 'D'; allowed: 'pemberi_kerja', "),
    ("08:00 issue D service=D", "category: found 'D'"),
    ("08:00 next 1 2", "too many words, or a text of several words without quotes; write: next COUNTER"),
    ("08:00 issue service=D service=D", "service is given twice; write: issue"),
    ("08:00 issue D priority no_priority", "priority is given twice"),
    ("08:00 issue D colour=red", "it has no colour=; write: issue"),
    ("08:00 issue D id=abc", "id= is made by the scenario"),
    ("08:00 issue D actor=system", "actor=system is the kiosk itself"),
    ("08:00 issue D actor=boss", "actor: found 'boss'; allowed: 'public', "),
    ("08:00 issue D age_s=soon", "age_s: found 'soon'; allowed: a number"),
    ("08:00 rate 1 9", "score: found '9'; allowed: 4 or less; write: rate COUNTER SCORE"),
    ("08:00 rate x 3", "counter: found 'x'; allowed: a whole number"),
    ("08:00 next 100", "counter: found '100'; allowed: 99 or less"),
    ("08:00 cancel 5", "ticket: found '5'; allowed: a number of the day, for example D005"),
    ("08:00 call 1 D001 because", "reason: found 'because'; allowed: 'salah_panggil', "),
    ("08:00 training perhaps", "on: found 'perhaps'; allowed: yes or no"),
    ("08:00 survey 1 waktu=9", "answers.waktu: found '9'; allowed: 4 or less"),
    ("08:00 survey 1 wakty=3", "answers: elements are persyaratan, "),
    ("08:00 survey 1 waktu=3 waktu=4", "waktu is given twice"),
    ("08:00 suspend 25:00 rapat", "until: found '25:00'; allowed: HH:MM of the same day or 2026-07-03T08:00; write: suspend ["),
    ("08:00 device printer down x kertas habis", "too many words, or a text of several words without quotes; write: device DEVICE STATE"),
    ('08:00 absent 1 "unfinished', "quotes go around a whole text"),
    ('08:00 absent 1 "a"b', "quotes go around a whole text"),
    ('08:00 scan 1 ""', "payload: found a text that is not told here; allowed: at least 1 character(s)"),
    (f"08:00 scan 1 {'x' * 513}", "payload: found a text that is not told here; allowed: at most 512 characters"),
    ("25:00 next 1", "there is no such time; write HH:MM or HH:MM:SS"),
    ("8:00 next 1", "there is no such time"),
    ("! 08:00 next 1", "there is no such time"),
    ("08:00", "what happens then? write a command after the time"),
    ("next 1", "a line begins with a time, such as 08:05, or a word; "),
    ("visitor 3", "did you mean 'visitors'?"),
    ("visitors", "write: visitors COUNT [seed NUMBER]"),
    ("visitors 0", "write: visitors COUNT [seed NUMBER]"),
    ("visitors 5001 seed 1", "at most 5000 visitors"),
    ("visitors 10 seed -1", "write: visitors"),
    ("visitors 10 sed 3", "write: visitors"),
    ("day", "write: day 2026-07-01"),
    ("day 2026-13-01", "there is no such date; write: day 2026-07-01"),
    ("day 20260701", "there is no such date"),
    ("day 1999-12-31", "the year is not from 2000 to 2199"),
    ("day 2026-07-01 monday", "write: day 2026-07-01"),
    ("days 2026-07-01", "write: days 2026-07-01..2026-07-31 [workdays] [monday ...]"),
    ("days 2026-07-02..2026-07-01", "the last day is before the first"),
    ("days 2026-07-01..2026-07-31 workday", "write: days "),
    ("site", "write: site FILE"),
    (f"08:00 note {'x' * 1000}", "is longer than 1000 characters"),
    ("08:00 note a\x1bb", "holds control characters"),
)  # fmt: skip


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line[:40] for line, _ in WRONG])
def test_what_is_said_of_a_wrong_line(line: str, said: str) -> None:
    told = wrong(f"{HEAD}{line}\n")
    assert len(told) == 1 and told[0].startswith("line 2: ") and said in told[0]


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = "08:00 open 1\nsite a\nsite b\nday x\n08:00 opn 1\n08:01 open 1\nday 2026-07-01\n09:00 open 1\n08:59:59 open 2\n"
    assert [line.split(":")[0] for line in wrong(text)] == ["line 1", "line 3", "line 4", "line 5", "line 9"]
    assert "of which day?" in wrong(text)[0]
    assert "time goes back: the line before it is of 09:00:00" in wrong(text)[-1]
    many = wrong(HEAD + "08:00 opn 1\n" * 200)
    assert len(many) == MAX_TOLD + 1 and many[-1] == "and 150 more problems"
    assert wrong("# nothing\n") == ["nothing happens in it; write `day 2026-07-01` and commands"]
    assert wrong("\n" * MAX_LINES) == [f"is longer than {MAX_LINES} lines"]


def test_time_may_stand_still_and_begins_anew_each_day() -> None:
    made = script("day 2026-07-01\n08:00 open 1\n!08.00.30 open 1\n?09:00:05 next 1\nday 2026-07-02\n07:30 open 1\r\n")
    assert [[(step.second, step.expect) for step in block.steps] for block in made.blocks] == [
        [(28800, "done"), (28830, "refused"), (32405, "either")],
        [(27000, "done")],
    ]


@pytest.mark.parametrize("line", [f"skan 1 {NIK}", f"scan {NIK} x", f"scan 1 {NIK} x", f"scan 1 {NIK}{'x' * 600}", f"rate 1 {NIK}",
                                  f"issue D place={NIK}", f"survey 1 waktu={NIK}", f"{NIK} 1", f"issue D x{NIK}=1"])  # fmt: skip
def test_an_identity_number_in_a_wrong_line_is_not_repeated(line: str) -> None:
    (told,) = wrong(f"{HEAD}08:00 {line}\n")
    assert not PLAIN.search(told)


def test_files_that_are_none(tmp_path: Path) -> None:
    for content, said in ((b"day \xff", "line 1: this is not UTF-8"), (b"#" * 300_000, "is longer than 256 KiB")):
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            read(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "b.txt")
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfsite x/kiosd.toml\r\nday 2026-07-01\r\n08:00 open 1\r\n")
    assert read(tmp_path / "a.txt").site == tmp_path / "x/kiosd.toml"


def dates(text: str) -> list[str]:
    return [f"{day.date:%m-%d}" for day in plan(script(text), TYPE_2.queue)]


def test_which_days_there_are() -> None:
    step = "\n08:00 open 1\n"
    assert dates("days 2026-07-03..2026-07-06" + step) == ["07-03", "07-04", "07-05", "07-06"]
    assert dates("days 2026-07-03..2026-07-06 workdays" + step) == ["07-03", "07-06"]
    assert dates("days 2026-08-14..2026-08-18 workdays" + step) == ["08-14", "08-18"], "17 August is a holiday"
    assert dates("days 2026-07-01..2026-07-15 friday sunday" + step) == ["07-03", "07-05", "07-10", "07-12"]


def test_blocks_for_one_day_are_put_together() -> None:
    text = """
        days 2026-07-01..2026-07-03 workdays
        visitors 100 seed 3
        09:00 open 1
        10:00 close 1
        day 2026-07-02
        visitors 50
        08:00 open 2
        09:00 next 2
    """
    days = plan(script(text), TYPE_2.queue)
    assert [day.crowd for day in days] == [Crowd(3, 100, 3), Crowd(7, 50, 1), Crowd(3, 100, 3)]
    assert [(step.second // 3600, step.command.name) for step in days[1].steps] == [(8, "open"), (9, "open"), (9, "next"), (10, "close")]


@pytest.mark.parametrize(("text", "said"), [
    ("days 2026-07-04..2026-07-05 workdays\n08:00 open 1", "line 1: none of these days is one"),
    ("day 2026-07-05\nvisitors 10", "line 2: no visitors on 2026-07-05, which has no opening hours; write `days ... workdays`"),
    ("day 2026-07-05\n08:00 open 1\nday 2036-07-05\n08:00 open 1", "2026-07-05 to 2036-07-05 is more than 800 days"),
    ("days 2026-01-01..2027-12-31\n" + "08:00 open 1\n" * 2000, "more than 1000000 commands"),
])  # fmt: skip
def test_days_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        plan(script(text), TYPE_2.queue)


def test_the_example_files_fit_their_sites() -> None:
    found: dict[str, list[Any]] = {}
    for path in sorted(EXAMPLES.glob("*.txt")):
        made = read(path)
        assert made.site is not None
        found[made.name] = plan(made, load(made.site).queue)
    assert [day.date for day in found["hari-contoh"]] == [date(2026, 7, 1)]
    assert len(found["bulan-contoh"]) == 23 and all(day.crowd for day in found["bulan-contoh"])


WORDLIKE = st.sampled_from([
    "08:00", "!08:01", "?09", "day", "days", "site", "visitors", "seed", "2026-07-01..2026-07-31", "2026-07-01", "workdays", *WORDS,
    "1", "D", "D001", "priority", "a=b", "waktu=4", '"x y"', '"', "#", "=", NIK, "on",
])  # fmt: skip
LINE = st.one_of(st.lists(WORDLIKE, max_size=7).map(" ".join), st.text(max_size=40))


@given(st.lists(LINE, max_size=12).map("\n".join))
@example(HEAD + "08:00 survey 1 " + "a=b " * 200)
@example("day " + "9" * 900)
@settings(max_examples=300, deadline=None)
def test_no_text_whatsoever_breaks_the_reader(text: str) -> None:
    assert not PLAIN.search("\n".join(wrong(text)))
