"""The command line against a served queue on a real socket: what is asked, what is printed, which status."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosd import tables
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.interface import DeviceView, Reply, Snapshot
from support.listqueue import TIME
from support.served import Daemon, Said, daemon, sayer
from support.site import JAKARTA

TICKET: dict[str, Any] = {"ticket": "CTH01-20260701-D005", "number": "D005", "service": "D"}
TIME_RULE = "TIME is a time of today, for example 14:00, or day and time, 2026-07-03T08:00"
SURVEY_RULE = "ELEMENT=SCORE is an element of the survey, once, and 1 to 4: for example waktu=4"
TOKEN = "0a1b2c3d-0a1b2c3d-0a1b2c3d-0a1b2c3d"  # noqa: S105 - what stands for a card


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Daemon]:
    with daemon(tmp_path) as running:
        yield running


@pytest.fixture
def say(served: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KIOSD_STATE", str(served.state))
    return sayer(capsys)


def test_issue_and_next(say: Any) -> None:
    assert say("issue", "d") == Said(0, "D001 is issued; 0 waiting before it\n", "")
    assert say("issue", "D", "--priority") == Said(0, "D002 is issued; 1 waiting before it\n", "")
    assert say("next", "2") == Said(0, "D001 is called to counter 2\n", "")


def test_a_refusal_is_said_and_has_its_status(say: Any) -> None:
    assert say("next", "1") == Said(1, "", "kiosd: Tidak ada antrean.\n")
    answer = say("next", "1", "--json")
    assert answer.status == 1
    assert json.loads(answer.out)["code"] == "empty"


def test_json_is_the_reply(say: Any, served: Daemon) -> None:
    answer = say("issue", "A", "--json")
    assert answer.out.count("\n") == 1
    assert Reply.model_validate_json(answer.out) == next(iter(served.queue.replies.values()))


def typed(kind: type[cmd.Command], **fields: Any) -> cmd.Command:
    """A command of ours, whatever its id."""
    return kind.model_validate({"id": "x", "place": "cli", **fields})


ASKS = [
    (("issue", "A", "--priority"), typed(cmd.IssueTicket, service="A", priority=True)),
    (("issue", "A", "--category", "masyarakat"), typed(cmd.IssueTicket, service="A", category="masyarakat")),
    (("next", "1"), typed(cmd.CallNext, counter=1)),
    (("next", "1", "--as", "manager"), typed(cmd.CallNext, counter=1, actor="manager")),
    (("call", "1", "d005", "--reason", "salah_panggil"), typed(cmd.CallTicket, counter=1, ticket="D005", reason="salah_panggil")),
    (("recall", "02"), typed(cmd.Recall, counter=2)),
    (("start", "1"), typed(cmd.Start, counter=1)),
    (("absent", "1"), typed(cmd.MarkAbsent, counter=1)),
    (("absent", "1", "--force", "pulang"), typed(cmd.MarkAbsent, counter=1, force="pulang")),
    (("readmit", "D005"), typed(cmd.Readmit, ticket="D005")),
    (("readmit", "D005", "--as", "officer"), typed(cmd.Readmit, ticket="D005", actor="officer")),
    (("finish", "99"), typed(cmd.Finish, counter=99)),
    (("transfer", "1", "a"), typed(cmd.Transfer, counter=1, service="A")),
    (("transfer", "1", "A", "--position", "tail"), typed(cmd.Transfer, counter=1, service="A", position="tail")),
    (("refer", "1", "PKU01", "--reason", "lainnya"), typed(cmd.Refer, counter=1, destination="PKU01", reason="lainnya")),
    (("cancel", "d005"), typed(cmd.CancelTicket, ticket="D005")),
    (("cancel", "D005", "--reason", "pulang"), typed(cmd.CancelTicket, ticket="D005", reason="pulang")),
    (("void", "D005"), typed(cmd.VoidTicket, ticket="D005")),
    (("priority", "D005"), typed(cmd.SetPriority, ticket="D005")),
    (("priority", "D005", "--withdraw"), typed(cmd.SetPriority, ticket="D005", priority=False)),
    (("category", "D005", "masyarakat"), typed(cmd.SetCategory, ticket="D005", category="masyarakat")),
    (("reserve", "d", "20"), typed(cmd.ReserveNumbers, service="D", count=20)),
    (("enter", "d021"), typed(cmd.EnterTicket, ticket="D021")),
    (("enter", "D021", "--at", "09.10", "--priority"), typed(cmd.EnterTicket, ticket="D021", at="09.10", priority=True)),
    (("reprint", "D005"), typed(cmd.ReprintTicket, ticket="D005")),
    (("rate", "1", "4"), typed(cmd.Rate, counter=1, score=4)),
    (("invite", "1"), typed(cmd.Invite, counter=1)),
    (("survey", "1", "waktu=4", "biaya=3"), typed(cmd.Survey, counter=1, answers={"waktu": 4, "biaya": 3})),
    (("open", "1"), typed(cmd.OpenCounter, counter=1)),
    (("open",), typed(cmd.Resume)),
    (("pause", "1"), typed(cmd.PauseCounter, counter=1)),
    (("pause", "1", "--reason", "makan"), typed(cmd.PauseCounter, counter=1, reason="makan")),
    (("close", "1"), typed(cmd.CloseCounter, counter=1)),
    (("close", "--until", "14:00", "--reason", "rapat"), typed(cmd.Suspend, until="14:00", reason="rapat")),
    (("close", "--reason", "banjir"), typed(cmd.Suspend, reason="banjir")),
    (("training", "on"), typed(cmd.Training, on=True)),
    (("training", "off"), typed(cmd.Training, on=False)),
    (("repair", "lp", "--until", "2026-07-03T08:00", "--reason", "rol"),
     typed(cmd.PromiseRepair, device="lp", until="2026-07-03T08:00", reason="rol")),
    (("note", "listrik padam"), typed(cmd.Note, text="listrik padam")),
    (("close-day",), typed(cmd.CloseDay)),
    (("undo", "1"), typed(cmd.UndoFinish, counter=1)),
    (("undo", "1", "--as", "manager"), typed(cmd.UndoFinish, counter=1, actor="manager")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "command"), ASKS)
def test_every_verb_asks_its_command(words: tuple[str, ...], command: cmd.Command, say: Any, served: Daemon) -> None:
    say(*words)
    assert served.queue.executed[0].model_copy(update={"id": "x"}) == command


def test_the_table_is_about_every_public_command() -> None:
    assert {command.name for _, command in ASKS} | {"undo_call", "undo_start"} == cmd.COMMANDS.keys()
    assert cmd.COMMANDS.keys() <= tables.SAID.keys(), "and each has its sentence when it is done"


@pytest.mark.parametrize(("words", "sentence"), [
    (("next", "0"), "COUNTER is a number 1-99"),
    (("next", "100"), "COUNTER is a number 1-99"),
    (("next", "one"), "COUNTER is a number 1-99"),
    (("next", "1.5"), "COUNTER is a number 1-99"),
    (("next", "\u0661"), "COUNTER is a number 1-99"),
    (("next", "9" * 5000), "COUNTER is a number 1-99"),
    (("issue", "I"), "SERVICE is one letter A-Z, but not I or O"),
    (("issue", "AB"), "SERVICE is one letter A-Z, but not I or O"),
    (("issue", ""), "SERVICE is one letter A-Z, but not I or O"),
    (("rate", "1", "5"), "SCORE is 4 (Sangat Puas), 3 (Puas), 2 (Kurang Puas) or 1 (Tidak Puas)"),
    (("rate", "1", "good"), "SCORE is 4 (Sangat Puas), 3 (Puas), 2 (Kurang Puas) or 1 (Tidak Puas)"),
    (("cancel", "5"), "TICKET is a letter and a number, for example D005"),
    (("absent", "1", "--force", "x" * 201), "REASON is at most 200 characters"),
    (("call", "1", "D005", "--reason", "because"), "CODE is salah_panggil, lanjutan, kondisi_khusus or lainnya"),
    (("refer", "1", "back_office", "--reason", "Not here"), "CODE is small letters, digits and _, for example dokumen_kurang"),
    (("refer", "1", "an office", "--reason", "lainnya"),
     "DESTINATION is back_office, dinas_kabkota, dinas_provinsi, kementerian or the id of a site"),
    (("category", "D005", "rich"), "CATEGORY is pemberi_kerja, pencari_kerja, pekerja_buruh, masyarakat or tidak_dicatat"),
    (("issue", "D", "--category", "rich"), "CATEGORY is pemberi_kerja, pencari_kerja, pekerja_buruh, masyarakat or tidak_dicatat"),
    (("reserve", "D", "201"), "COUNT is a number 1-200"),
    (("reserve", "D", "-1"), "COUNT is a number 1-200"),
    (("enter", "D021", "--at", "9"), TIME_RULE),
    (("close", "--until", "24:00", "--reason", "x"), TIME_RULE),
    (("close",), "name a COUNTER, or give --reason (and --until) to close the whole site"),
    (("close", "--until", "14:00"), "name a COUNTER, or give --reason (and --until) to close the whole site"),
    (("close", "1", "--until", "14:00"), "--until and --reason are for closing the whole site, without COUNTER"),
    (("close", "1", "--reason", "rapat"), "--until and --reason are for closing the whole site, without COUNTER"),
    (("close", "--reason", "x" * 201), "TEXT is at most 200 characters"),
    (("cancel", "D005", "--reason", "x" * 201), "TEXT is at most 200 characters"),
    (("note", "x" * 201), "TEXT is at most 200 characters"),
    (("repair", "The printer", "--until", "14:00", "--reason", "x"), "DEVICE is the name of a device, for example printer"),
    (("survey", "1", "waktu"), SURVEY_RULE),
    (("survey", "1", "waktu=5"), SURVEY_RULE),
    (("survey", "1", "waktu=4", "waktu=1"), SURVEY_RULE),
    (("survey", "1", "smile=4"), SURVEY_RULE),
    (("undo", "100"), "COUNTER is a number 1-99"),
    (("queue", "--counter", "x"), "COUNTER is a number 1-99"),
    (("queue", "--service", "I"), "SERVICE is one letter A-Z, but not I or O"),
    (("queue", "--counter", "1", "--service", "A"), "give either --counter or --service"),
    (("events", "--since", "yesterday"), "N is the number of an event, 0 or more"),
])  # fmt: skip
def test_a_wrong_word_is_explained_in_one_sentence(words: tuple[str, ...], sentence: str, say: Any, served: Daemon) -> None:
    assert say(*words) == Said(2, "", f"kiosd: {sentence}\n")
    assert served.queue.executed == []


def test_a_service_that_the_site_does_not_have(say: Any) -> None:
    assert say("issue", "H") == Said(1, "", "kiosd: Layanan H tidak ada di sini.\n")


def test_status_of_an_open_day(say: Any) -> None:
    say("issue", "D")
    say("issue", "D")
    say("next", "2")
    out = say("status").out
    for words in ("Day 2026-07-01", "event 3", "Open", "Clock: synchronised", "Devices: none"):
        assert words in out
    rows = [line.split() for line in out.splitlines()]
    assert ["D", "Pasar", "Kerja", "1", "0"] in rows
    assert any(row[:4] == ["2", "calling", "D001", "1"] for row in rows)


def test_status_says_why_not(say: Any, served: Daemon) -> None:
    served.queue.open = False
    served.queue.clock.step_to(TIME, synced=False)
    since = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
    served.queue.devices = (DeviceView(device="printer", state="down", code="paper_out", detail="out of\x1b[2J paper", since=since, rev=4),)
    out = say("status").out
    assert "Closed: Istirahat. Buka kembali pukul 13.00 WIB. (opens 2026-07-01 13:00)" in out
    assert "NOT synchronised" in out
    assert "down" in out and "(paper_out)" in out and f"{since.astimezone(JAKARTA):%H:%M:%S}" in out
    assert "\x1b" not in out


def test_status_for_programs(say: Any) -> None:
    answer = say("status", "--json")
    assert answer.out.count("\n") == 1
    assert Snapshot.model_validate_json(answer.out).date == "2026-07-01"


def test_events_one_a_line_without_tokens(say: Any, served: Daemon) -> None:
    served.add(
        ev.TicketCalled(**TICKET, counter=4),
        ev.ScanRead(**TICKET, counter=4, token=TOKEN),
        ev.CounterPaused(counter=4, reason="makan", actor="officer", place="counter/4"),
        ev.DeviceWentDown(device="printer", code="absent", detail="no such\nfile"),
    )
    local = f"{TIME.astimezone(JAKARTA):%Y-%m-%d %H:%M:%S}"
    assert say("events").out.splitlines() == [
        f"{local}        1 ticket.called            D005         counter=4 call=1",
        f"{local}        2 scan.read                D005         counter=4",
        f"{local}        3 counter.paused           counter-4    reason=makan (officer, counter/4)",
        f"{local}        4 device.down              printer      code=absent detail=no such\\nfile",
    ]
    assert len(say("events", "--since", "3").out.splitlines()) == 1
    assert say("events", "--since", "4") == Said(0, "", "")


def test_events_mark_a_time_that_is_not_trusted(say: Any, served: Daemon) -> None:
    served.queue.clock.step_to(TIME, synced=False)
    served.add(ev.CounterOpened(counter=1))
    assert f"{TIME.astimezone(JAKARTA):%H:%M:%S}? " in say("events").out


def test_every_event_has_a_line(say: Any, served: Daemon) -> None:
    values: dict[str, Any] = {**TICKET, "counter": 1, "device": "printer", "token": TOKEN, "pressed_at": TIME, "identity": "card"}
    values |= {"answers": {"waktu": 4}, "until": TIME, "priority": True}
    numbers = {
        "n",
        "call",
        "calls",
        "score",
        "previous",
        "expired",
        "finished_by_system",
        "ahead",
        "first",
        "last",
        "rows",
        "behind",
        "sequence",
    }
    for kind in ev.EVENTS.values():
        served.add(kind.model_validate({name: 1 if name in numbers else values.get(name, "word") for name in required(kind)}))
    out = say("events").out
    assert [line.split()[3] for line in out.splitlines()] == list(ev.EVENTS)
    assert TOKEN not in out


def required(kind: type[ev.Event]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required()]


def test_events_for_programs(say: Any, served: Daemon) -> None:
    served.add(ev.TicketCalled(**TICKET, counter=4), ev.CounterOpened(counter=1))
    first, second = (json.loads(line) for line in say("events", "--json").out.splitlines())
    assert (first["seq"], first["type"], first["subject"], first["clock"]) == (1, "ticket.called", "D005", "synced")
    assert first["data"]["counter"] == 4
    assert datetime.fromisoformat(first["time"]) == TIME
    assert second["seq"] == 2


def process(*words: str, **more: Any) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "kiosd", *words], **{**pipes, **more})


def test_follow_shows_the_last_ten_then_what_happens_until_interrupted(served: Daemon) -> None:
    served.add(*(ev.CounterOpened(counter=n) for n in range(1, 15)))
    with process("events", "--follow", "--json", "--state", str(served.state)) as following:
        assert following.stdout is not None and following.stderr is not None
        assert [json.loads(following.stdout.readline())["seq"] for _ in range(10)] == list(range(5, 15))
        served.add(ev.CounterClosed(counter=1))
        assert json.loads(following.stdout.readline())["type"] == "counter.closed"
        following.send_signal(signal.SIGINT)
        assert following.wait(5) == 0
        assert following.stdout.read() == following.stderr.read() == ""


def test_follow_ends_with_a_sentence_when_the_daemon_goes(served: Daemon) -> None:
    served.add(ev.CounterOpened(counter=1))
    with process("events", "--follow", "--since", "0", "--state", str(served.state)) as following:
        assert following.stdout is not None and following.stderr is not None
        assert "counter.opened" in following.stdout.readline()
        served.stop()
        assert following.wait(5) == 69
        assert following.stderr.read() == "kiosd: kiosd closed the connection\n"


@pytest.mark.parametrize("more", [(), ("--follow", "--since", "0")])
def test_a_reader_that_has_enough_is_no_error(more: tuple[str, ...], served: Daemon) -> None:
    served.add(*(ev.CounterPaused(counter=1, reason="x" * 150) for _ in range(1000)))
    with process("events", *more, "--state", str(served.state)) as kiosd:
        assert kiosd.stdout is not None and kiosd.stderr is not None
        kiosd.stdout.readline()
        kiosd.stdout.close()
        assert kiosd.wait(10) == 0
        assert kiosd.stderr.read() == ""


def test_a_daemon_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("status",), ("issue", "A"), ("events",), ("next", "1", "--json")):
        answer = sayer(capsys)(*words, "--state", str(tmp_path))
        assert answer == Said(69, "", f"kiosd: kiosd is not running (no control socket at {tmp_path}/control.sock)\n")


def test_journal_verify_by_the_daemon(say: Any, served: Daemon) -> None:
    served.add(ev.CounterOpened(counter=1))
    assert say("journal", "verify") == Said(0, "The journal is whole: 1 events, file and chain of hashes checked.\n", "")
    assert json.loads(say("journal", "verify", "--json").out) == {"ok": True, "events": 1}
    served.damage = "journal: event 1 has been changed"
    assert say("journal", "verify") == Said(74, "", "kiosd: journal: event 1 has been changed\n")
