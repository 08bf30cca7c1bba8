"""The command line against the real rules on a real journal: a day as it is typed, and what is shown of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.queue.interface import Forecast
from support.ruled import ruled
from support.served import sayer
from support.site import settings, wib


@dataclass
class Site:
    """``kiosd``, typed at a site that follows all rules; a while passes before each command."""

    say: Any
    clock: ManualClock
    pause: float = 20.0

    def __call__(self, *words: str) -> str:
        """What is printed for a command that was done."""
        self.clock.advance(self.pause)
        answer = self.say(*words)
        assert (answer.status, answer.err) == (0, ""), answer
        return str(answer.out).rstrip("\n")

    def refuses(self, *words: str) -> str:
        """Why a command is not done."""
        self.clock.advance(self.pause)
        answer = self.say(*words)
        assert (answer.status, answer.out) == (1, ""), answer
        assert answer.err.startswith("kiosd: ")
        return str(answer.err).removeprefix("kiosd: ").rstrip("\n")

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("events", "--json").splitlines()]

    def last(self, kind: str) -> dict[str, Any]:
        """The newest event of this type."""
        data: dict[str, Any] = [event["data"] for event in self.events() if event["type"] == kind][-1]
        return data


@pytest.fixture
def at(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("KIOSD_STATE", str(tmp_path))
    with ruled(tmp_path) as clock:
        yield Site(sayer(capsys), clock)


def test_a_visit_goes_on_to_another_service_and_is_rated(at: Site) -> None:
    at("open", "1")
    assert at("issue", "D") == "D001 is issued; 0 waiting before it; expected wait: 0-5 min"
    assert at("call", "1", "D001", "--reason", "kondisi_khusus") == "D001 is called to counter 1 out of its order (kondisi_khusus)"
    at("start", "1")
    assert at("transfer", "1", "A", "--position", "head") == "D001 waits for service A"
    at("next", "1")
    at("start", "1")
    assert at("invite", "1") == "D001 is asked to rate at counter 1"
    assert at("rate", "1", "4") == "rating 4 at counter 1: given"
    assert at("survey", "1", "waktu=4", "biaya=3") == "2 answers are recorded at counter 1"
    assert at("refer", "1", "dinas_provinsi", "--reason", "lainnya") == "D001 is referred to dinas_provinsi"
    assert at.last("ticket.called")["service"] == "A"
    assert at.last("rating.survey")["answers"] == {"waktu": 4, "biaya": 3}


def test_undo_takes_back_whatever_was_last(at: Site) -> None:
    at.pause = 1
    at("issue", "D")
    at("next", "1")
    assert at("undo", "1") == "D001 waits again: its call to counter 1 is taken back"
    at("next", "1")
    at("start", "1")
    assert at("undo", "1") == "D001 is called again: its start at counter 1 is taken back"
    at("start", "1")
    at("finish", "1")
    assert at("undo", "1") == "D001 is being served again: its end at counter 1 is taken back"
    at.clock.advance(15)
    assert "pembatalan hanya dalam" in at.refuses("undo", "1")
    assert "loket 2" in at.refuses("undo", "2")
    assert at.refuses("undo", "9") == "Tidak ada loket 9."
    assert [event["data"]["command"] for event in at.events() if event["type"] == "counter.refused"] == [
        "undo_start", "undo_finish", "undo_call"
    ]  # fmt: skip


def test_tickets_written_by_hand(at: Site) -> None:
    assert at("reserve", "D", "3") == "D001 to D003 are booked for writing by hand"
    assert at("issue", "D") == "D004 is issued; 0 waiting before it"
    at.clock.advance(600)
    assert at("enter", "D002", "--at", "08:10", "--priority", "--category", "pencari_kerja") == "D002 is entered; 0 waiting before it"
    issued = at.last("ticket.issued")
    assert (issued["manual"], issued["slip"], issued["category"], issued["actor"]) == (True, False, "pencari_kerja", "receptionist")
    assert issued["issued_at"] == "2026-07-01T08:10:00+07:00"
    assert "tidak mungkin ditulis pukul 08.00" in at.refuses("enter", "D003", "--at", "08:00")
    assert "tidak dipesan" in at.refuses("enter", "D005")


def test_priority_category_reprint_readmission_and_void(at: Site) -> None:
    at("issue", "D")
    assert at("priority", "D001") == "D001 has priority"
    assert at("priority", "D001", "--withdraw") == "D001 has no priority any more"
    assert at("category", "D001", "masyarakat") == "D001 is noted as masyarakat"
    assert at("reprint", "D001") == "D001 is printed again"
    assert at.refuses("void", "D001")
    at("next", "1")
    at("absent", "1", "--force", "pulang")
    assert at("readmit", "D001") == "D001 waits again, behind 3 more calls"
    assert at("cancel", "D001", "--reason", "pulang", "--as", "officer") == "D001 is cancelled"
    cancelled = at.last("ticket.cancelled")
    assert (cancelled["reason"], cancelled["actor"], cancelled["place"]) == ("pulang", "officer", "cli")


def test_who_may_not_is_told(at: Site) -> None:
    at("issue", "D")
    sentence = at.refuses("cancel", "D001", "--as", "public")
    assert sentence.endswith(".") and "{" not in sentence
    refused = at.last("system.refused")
    assert (refused["code"], refused["actor"], refused["place"]) == ("not_allowed", "public", "cli")


def test_the_site_is_closed_and_opened_by_command(at: Site) -> None:
    assert at("close", "--until", "14:00", "--reason", "rapat") == "the site is closed until 2026-07-01 14:00: rapat"
    status = at("status")
    assert "Closed: Layanan dihentikan sementara: rapat. Buka kembali pukul 14.00 WIB. (opens 2026-07-01 14:00)" in status
    assert at.refuses("issue", "D") == "Layanan dihentikan sementara: rapat. Buka kembali pukul 14.00 WIB."
    assert at("open") == "the site follows its hours again"
    assert "Open: tickets are given" in at("status")
    assert at.refuses("open") == "Layanan tidak sedang ditutup."
    assert at("close", "--reason", "banjir") == "the site is closed until further notice: banjir"
    assert "sudah lewat" in at.refuses("close", "--until", "08:00", "--reason", "x")


def test_a_training_is_loud_and_counts_nowhere(at: Site) -> None:
    at("issue", "D")
    assert "kiosd close" in at.refuses("training", "on")
    assert at("close-day") == "the day 2026-07-01 is closed; 1 still waited and expired"
    assert at("training", "on") == "TRAINING has begun: tickets are marked and count nowhere"
    assert "*** TRAINING: tickets are marked LATIHAN and count nowhere ***" in at("status").splitlines()
    assert at("issue", "D") == "D001 is issued; 0 waiting before it; FOR TRAINING"
    assert at("training", "off") == "the training is over"
    assert "TRAINING" not in at("status")


def test_what_is_promised_and_noted(at: Site) -> None:
    assert at("repair", "printer", "--until", "14:00", "--reason", "ganti rol") == "printer is promised to work again by 2026-07-01 14:00"
    assert at("note", "listrik padam, kartu 3273000000000001") == "noted"
    assert at.last("device.repair_promised")["reason"] == "ganti rol"
    assert "3273000000000001" not in at("events")


def test_who_is_next_and_why(at: Site) -> None:
    for words in (("D",), ("D", "--priority"), ("A",)):
        at("issue", *words)
    plain = at("queue", "--service", "D")
    assert plain.splitlines()[0] == "Service D: 2 waiting"
    assert [line.split()[1] for line in plain.splitlines()[3:]] == ["D002", "D001"]
    assert plain.splitlines()[3].endswith("priority")
    told = at("queue", "--counter", "1", "--explain")
    assert [line.split()[1] for line in told.splitlines() if line[:1].isdigit()] == ["D002", "D001", "A001"]
    assert "paling lama menunggu" in told
    every = at("queue")
    assert [line for line in every.splitlines() if line.startswith("Counter")] == [f"Counter {n}: 3 waiting" for n in (1, 2, 3)]
    assert at("queue", "--service", "G") == "Service G: nobody waits"
    assert at.refuses("queue", "--counter", "9") == "Tidak ada loket 9."
    assert at.refuses("queue", "--service", "H") == "Tidak ada layanan H."
    (one,) = json.loads(at("queue", "--service", "D", "--json"))["forecasts"]
    assert [place.number for place in Forecast.model_validate(one).places] == ["D002", "D001"]


def test_what_is_foretold_is_what_happens(at: Site) -> None:
    for words in (("D",), ("A",), ("D", "--priority"), ("D", "--priority"), ("D", "--priority"), ("A",)):
        at("issue", *words)
    told = json.loads(at("queue", "--counter", "1", "--json"))["forecasts"][0]
    called = []
    for _ in told["places"]:
        called.append(at("next", "1").split()[0])
        at("start", "1")
    assert called == [place["number"] for place in told["places"]]


def test_only_the_next_ten_are_told_and_long_reasons_stay_in_their_column(at: Site) -> None:
    for _ in range(12):
        at("issue", "D")
    told = at("queue", "--counter", "1", "--explain")
    assert sum(line[:1].isdigit() for line in told.splitlines()) == 10
    assert told.startswith("Counter 1: 12 waiting")
    assert max(map(len, told.splitlines())) < 125


def test_status_tells_what_a_visitor_has_to_expect_and_which_calendar_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIOSD_STATE", str(tmp_path))
    site = settings()
    services = site.services | {"D": site.services["D"].model_copy(update={"quota": 2})}
    with ruled(tmp_path, ManualClock(wib("2026-12-30 15:50")), replace(site, services=services)) as clock:
        at = Site(sayer(capsys), clock)
        at("open", "1")
        at("issue", "D")
        rows = [line.split() for line in at("status").splitlines()]
        assert ["D", "Layanan", "Pasar", "Kerja", "1", "10-15", "min", "1", "of", "2"] in rows
        for _ in range(5):
            at("issue", "A")
        status = at("status")
        assert ["A", "Layanan", "Pelatihan", "Vokasi", "5", "not", "today", "5"] in [line.split() for line in status.splitlines()]
        for year in (2026, 2027):
            assert f"Calendar: no calendar for {year}: holidays are taken for ordinary weekdays" in status
        at("issue", "D")
        assert at.refuses("issue", "D").startswith("Kuota Pasar Kerja hari ini sudah habis (2 nomor).")


def test_the_day_is_closed_by_command(at: Site) -> None:
    for _ in range(4):
        at("issue", "D")
    at("next", "1")
    at("start", "1")
    at("next", "2")
    at("cancel", "D004")
    assert at("close-day") == "the day 2026-07-01 is closed; 2 still waited and expired"
    finished = at.last("ticket.finished")
    assert (finished["number"], finished["by_system"]) == ("D001", True)
    ends = ("ticket.expired", "ticket.cancelled", "ticket.finished", "system.day_closed")
    assert [event["type"] for event in at.events() if event["type"] in ends][-4:] == ["ticket.finished", *["ticket.expired"] * 2, ends[3]]
