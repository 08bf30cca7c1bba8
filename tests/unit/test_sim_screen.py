"""What the person at the terminal of a simulation sees."""

import io
from pathlib import Path
from string import Formatter

import pytest

from kiosd.queue.events import EVENTS
from kiosd_sim import screen
from kiosd_sim.escpos import Line, QrCode, Style
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.screen import LINES, Screen

SLIP = PrintedSlip((Line((("D005", Style(4, 4)),), "center"), QrCode("CTH01-20260701-D005", align="center")))
TIME = "2026-07-01T08:05:01+07:00"


def shown(tmp_path: Path, encoding: str = "utf-8") -> tuple[Screen, io.TextIOWrapper]:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    it = Screen(tmp_path / "tickets", out)
    it.welcome("hello")
    return it, out


def text(out: io.TextIOWrapper) -> str:
    out.flush()
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(out.encoding)


def test_a_ticket_in_its_box_and_as_a_picture(tmp_path: Path) -> None:
    it, out = shown(tmp_path)
    it.slip("printer", SLIP)
    lines = text(out).splitlines()[2:]
    assert lines[0] == f"┌{'─' * 34}┐" and lines[-1] == f"└{'─' * 34}┘"
    assert lines[1].startswith("│ ") and lines[1].split() == ["│", "D005", "│"] and len(lines[1]) == 36
    (picture,) = (tmp_path / "tickets").iterdir()
    assert picture.name.endswith("-CTH01-20260701-D005.png") and picture.read_bytes().startswith(b"\x89PNG")


def test_the_newest_pictures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "KEEP", 3)
    it, _ = shown(tmp_path)
    (tmp_path / "tickets").mkdir()
    for n in range(5):
        (tmp_path / "tickets" / f"20200101-00000{n}-x.png").touch()
    it.slip("printer", SLIP)
    names = sorted(path.name for path in (tmp_path / "tickets").iterdir())
    assert names[:2] == ["20200101-000003-x.png", "20200101-000004-x.png"] and len(names) == 3


def test_a_terminal_without_unicode_gets_a_plain_box(tmp_path: Path) -> None:
    it, out = shown(tmp_path, "ascii")
    it.slip("printer", SLIP)
    assert f"+{'-' * 34}+" in text(out)


def test_text_from_outside_cannot_steer_the_terminal(tmp_path: Path) -> None:
    it, out = shown(tmp_path)
    it.record({"type": "ticket.cancelled", "time": TIME, "data": {"number": "D005", "reason": "\x1b[2Jgone\n\x07"}})
    it.board("board", ("\x1b[0m", "LOKET 2"))
    assert "D005 ?[2Jgone??" in text(out) and "\x1b" not in text(out)


def test_what_happens_before_all_is_ready_comes_after_the_welcome(tmp_path: Path) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    it = Screen(tmp_path, out)
    it.say("starting")
    it.board("board", ("", ""))  # dark
    it.board("board", ("NOMOR D005", "LOKET 2"))
    it.welcome("hello")
    lines = text(out).splitlines()
    assert lines[:2] == ["starting", "hello"] and lines[2].endswith("board: [NOMOR D005 | LOKET 2]") and len(lines) == 3


def test_every_line_is_of_an_event_and_takes_its_fields(tmp_path: Path) -> None:
    it, out = shown(tmp_path)
    for kind in LINES:
        fields = EVENTS[kind].model_fields
        it.record({"type": kind, "time": TIME, "data": {name: 4 if name == "score" else name.upper() for name in fields}})
    assert "{" not in text(out) and "4 Sangat Puas" in text(out)
    assert len(text(out).splitlines()) == 1 + len(LINES)
    for kind, (name, template) in LINES.items():
        assert len(name) < screen.NAME_COLUMNS
        assert {field for _, field, _, _ in Formatter().parse(template) if field} <= EVENTS[kind].model_fields.keys()
