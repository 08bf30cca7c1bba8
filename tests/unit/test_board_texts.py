"""What a board of two lines of 20 characters says fits it whole: why, and when."""

import textwrap
from datetime import date, datetime, timedelta
from typing import Any, get_args

import pytest

from kiosd.queue.events import TicketRefused
from kiosd.queue.interface import DeviceView, Snapshot
from kiosd.queue.settings import Language
from kiosd.stations.board_texts import (
    CLOSED,
    IDLE,
    NEVER,
    NO_PAPER,
    NOTE_NUMBER,
    REPAIR,
    TRAINING,
    WHY_NOT,
    closed,
    idle,
    refused,
    repairs,
    when,
)
from support.site import JAKARTA, wib

LANGUAGES: tuple[Language, ...] = get_args(Language)
NOW = wib("2026-07-01 09:00")
OPENINGS = [datetime(2026, 7, 1, 13, 0, tzinfo=JAKARTA) + timedelta(days=n) for n in (*range(8), 30, 61, 90, 152)]


def lines(message: str) -> list[str]:
    return textwrap.wrap(message, 20)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", WHY_NOT)
def test_why_a_press_gave_nothing_and_when_it_will_fit_the_board(code: str, language: Language) -> None:
    for opens in OPENINGS:
        event = TicketRefused(service="D", code=code, message="a whole sentence", opens_at=opens.isoformat())
        told = lines(refused(event, NOW, language))
        assert len(told) <= 2 and told[-1].endswith("13.00"), told
    assert len(lines(closed(code, None, NOW, language))) <= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_else_fits_the_board(language: Language) -> None:
    fixed = [IDLE[language], TRAINING[language], CLOSED[language], *(row[language] for row in NEVER.values())]
    fixed += [row[language] for row in NO_PAPER.values()]
    fixed += [NOTE_NUMBER[language].format(number="D1005"), REPAIR[language][-1]]
    assert [text for text in fixed if len(lines(text)) > 2] == []


def test_each_code_says_something_of_its_own() -> None:
    texts = [refused(TicketRefused(service="D", code=code, message="", opens_at=OPENINGS[1].isoformat()), NOW, "id") for code in WHY_NOT]
    assert len(set(texts)) == len(texts) - 1, "a closed day is told as any closed time"
    assert refused(TicketRefused(service="D", code="no_paper", message=""), NOW, "id").startswith("Kertas habis.")
    assert refused(TicketRefused(service="D", code="hold_off", message="Nomor D001 baru saja diambil."), NOW, "id").startswith("Nomor D001")


@pytest.mark.parametrize(("opens", "words"), [
    ("2026-07-01 13:00", "13.00"), ("2026-07-02 08:00", "Kamis 08.00"), ("2026-07-07 08:00", "Selasa 08.00"),
    ("2026-07-08 08:00", "8 Jul 08.00"), ("2026-08-18 08:00", "18 Agu 08.00"),
])  # fmt: skip
def test_a_day_is_named_so_that_nobody_comes_a_week_early(opens: str, words: str) -> None:
    assert when(wib(opens).astimezone(JAKARTA), NOW, "id") == words


def snapshot(**more: object) -> Snapshot:
    return Snapshot.model_validate({
        "sequence": 1, "stream": "s", "date": date(2026, 7, 1).isoformat(), "zone": "Asia/Jakarta", "time": NOW, "clock": "synced",
        "open": True, "message": "", "opens_at": None, "services": (), "counters": (), "tickets": (), "devices": (), **more,
    })  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_repair_is_told_with_its_end_and_its_reason(language: Language) -> None:
    down: dict[str, Any] = {"state": "down", "code": "", "detail": "", "since": NOW, "rev": 1}
    for until in OPENINGS:
        device = DeviceView(device="lp", repair_until=until, repair_reason="rol", **down)
        pages = repairs(snapshot(devices=(device,)), language, frozenset({"lp"}))
        assert len(pages) == 3
        assert all(len(lines(page)) <= 2 for page in pages), pages
        assert "13.00" in pages[1] and "rol" in pages[1] and "lp" not in pages[0]
    over = DeviceView(device="lp", repair_until=NOW, repair_reason="rol", **down)
    assert repairs(snapshot(devices=(over, DeviceView(device="x", **down))), language, frozenset()) == ()


def test_between_calls() -> None:
    assert idle(snapshot(), "en") == "Please take a number"
    assert idle(snapshot(open=False, opens_at="2026-07-01T13:00:00+07:00"), "en") == "Closed. Opens 13.00"
    assert idle(snapshot(open=False), "id") == "Layanan tutup"
    assert idle(snapshot(open=False, training=True), "id") == "LATIHAN - nomor tidak berlaku"
