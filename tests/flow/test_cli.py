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

from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.interface import DeviceView, Reply, Snapshot
from support.listqueue import TIME
from support.served import Daemon, Said, daemon, sayer
from support.site import JAKARTA

TICKET: dict[str, Any] = {"ticket": "CTH01-20260701-D005", "number": "D005", "service": "D"}
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


@pytest.mark.parametrize(("words", "command"), [
    (("issue", "A", "--priority"), cmd.IssueTicket(id="x", service="A", priority=True)),
    (("next", "1"), cmd.CallNext(id="x", counter=1)),
    (("recall", "02"), cmd.Recall(id="x", counter=2)),
    (("start", "1"), cmd.Start(id="x", counter=1)),
    (("absent", "1"), cmd.MarkAbsent(id="x", counter=1)),
    (("absent", "1", "--force", "pulang"), cmd.MarkAbsent(id="x", counter=1, force="pulang")),
    (("finish", "99"), cmd.Finish(id="x", counter=99)),
    (("cancel", "d005"), cmd.CancelTicket(id="x", ticket="D005")),
    (("open", "1"), cmd.OpenCounter(id="x", counter=1)),
    (("pause", "1"), cmd.PauseCounter(id="x", counter=1)),
    (("close", "1"), cmd.CloseCounter(id="x", counter=1)),
    (("rate", "1", "4"), cmd.Rate(id="x", counter=1, score=4)),
])  # fmt: skip
def test_every_verb_asks_its_command(words: tuple[str, ...], command: cmd.Command, say: Any, served: Daemon) -> None:
    say(*words)
    assert served.queue.asked[0].model_copy(update={"id": "x"}) == command


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
    (("events", "--since", "yesterday"), "N is the number of an event, 0 or more"),
])  # fmt: skip
def test_a_wrong_word_is_explained_in_one_sentence(words: tuple[str, ...], sentence: str, say: Any, served: Daemon) -> None:
    assert say(*words) == Said(2, "", f"kiosd: {sentence}\n")
    assert served.queue.asked == []


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
    served.queue.open = served.queue.synced = False
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
        ev.CounterPaused(counter=4, reason="makan"),
        ev.DeviceWentDown(device="printer", code="absent", detail="no such\nfile"),
    )
    local = f"{TIME.astimezone(JAKARTA):%Y-%m-%d %H:%M:%S}"
    assert say("events").out.splitlines() == [
        f"{local}        1 ticket.called          D005         counter=4 call=1",
        f"{local}        2 scan.read              D005         counter=4",
        f"{local}        3 counter.paused         counter-4    reason=makan",
        f"{local}        4 device.down            printer      code=absent detail=no such\\nfile",
    ]
    assert len(say("events", "--since", "3").out.splitlines()) == 1
    assert say("events", "--since", "4") == Said(0, "", "")


def test_events_mark_a_time_that_is_not_trusted(say: Any, served: Daemon) -> None:
    served.queue.synced = False
    served.add(ev.CounterOpened(counter=1))
    assert f"{TIME.astimezone(JAKARTA):%H:%M:%S}? " in say("events").out


def test_every_event_has_a_line(say: Any, served: Daemon) -> None:
    values: dict[str, Any] = {**TICKET, "counter": 1, "device": "printer", "token": TOKEN, "pressed_at": TIME, "identity": "card"}
    numbers = {"n", "call", "calls", "score", "previous", "expired", "finished_by_system", "ahead"}
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
