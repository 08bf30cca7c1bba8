"""The people of a simulation: what they see, and what they do about it."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import Refused, Unavailable
from kiosd_sim import control, visitors
from kiosd_sim.broker import private_broker
from kiosd_sim.floor import Desk, Floor, Panel
from kiosd_sim.room import Room
from kiosd_sim.visitors import People, card

BUTTONS = Panel("buttons", {"A": 1})
DESK = Desk(1, ("A",), Panel("keys", {"advance": 2, "repeat": 3}), Panel("rating", {"4": 4, "3": 5, "2": 6, "1": 7}), "scanner")
PLAN = Floor(BUTTONS, {"1": DESK}, max_calls=3, recall_gap_s=0.0, topics="")
VISIT = {"number": "A001", "service": "A", "counter": 1}
SOON_S = 5.0


def room(state: str = "ready", waiting: int = 0) -> Room:
    return Room(
        {
            "sequence": 10,
            "services": [{"service": "A", "waiting": waiting}],
            "counters": [{"counter": 1, "state": state, "number": "", "calls": 0}],
            "tickets": [],
            "devices": [{"device": name, "state": "ok"} for name in ("buttons", "keys", "rating", "scanner")],
        }
    )


def record(kind: str, seq: int = 11, **data: Any) -> dict[str, Any]:
    return {"seq": seq, "type": kind, "data": data}


class Kiosk:
    """A kiosk of one counter that does what its keys say, and remembers what was done to it."""

    def __init__(self) -> None:
        self.room = room(waiting=1)
        self.done: list[str] = []
        self._acted = asyncio.Event()
        self.people = People(PLAN, self.room, self.press, self.scan, self.done.append, random.Random(1), pace=1000.0)

    def happens(self, kind: str, **data: Any) -> None:
        event = record(kind, self.room.sequence + 1, **data)
        self.room.take(event)
        self.people.take(event)

    async def press(self, _: Panel, pin: int) -> None:
        self._acted.set()
        place = self.room.places[1]
        if pin == 2:
            self.done.append("advance")
            if place.state == "ready":
                self.happens("ticket.called", **VISIT, call=1)
            elif place.state == "calling":
                self.happens("ticket.started", **VISIT)
            else:
                self.happens("ticket.finished", **VISIT, by_system=False)
        elif pin == 3:
            self.done.append("repeat")
            if place.calls < 3:
                self.happens("ticket.recalled", **VISIT, call=place.calls + 1)
            else:
                self.happens("ticket.no_show", **VISIT)
        elif pin > 3:
            self.done.append("rate")

    async def scan(self, device: str, text: str) -> None:
        self._acted.set()
        self.done.append("scan")
        self.happens("ticket.started", **VISIT)

    async def until(self, *wanted: list[str]) -> None:
        """Let people live until what they did is one of ``wanted``."""
        async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as group:
            task = group.create_task(self.people.run())
            while self.done not in wanted:
                self._acted.clear()
                await self._acted.wait()
            task.cancel()


async def test_a_visit_ends_with_a_rating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "COMES_AT_CALL", {1: 1})
    monkeypatch.setattr(visitors, "RATING_SHARE", 1.0)
    monkeypatch.setattr(visitors, "CHANGE_SHARE", 0.0)
    monkeypatch.setattr(visitors, "FULL", 0)  # nobody else comes
    await Kiosk().until(["advance", "scan", "advance", "rate"], ["advance", "advance", "advance", "rate"])


async def test_one_who_does_not_come_is_called_again_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "COMES_AT_CALL", {0: 1})
    monkeypatch.setattr(visitors, "FULL", 0)
    await Kiosk().until(["advance", "repeat", "repeat", "repeat"])


async def test_nobody_scans_with_a_dead_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "COMES_AT_CALL", {1: 1})
    monkeypatch.setattr(visitors, "CARD_SHARE", 1.0)
    monkeypatch.setattr(visitors, "FULL", 0)
    monkeypatch.setattr(visitors, "RATING_SHARE", 0.0)
    kiosk = Kiosk()
    kiosk.happens("device.down", device="scanner")
    await kiosk.until(["advance", "advance", "advance"])


async def test_a_panel_that_fails_under_the_finger_is_told() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def press(_: Panel, pin: int) -> None:
        raise ConnectionRefusedError("gone")

    async def scan(device: str, text: str) -> None:
        raise AssertionError

    people = People(PLAN, room(), press, scan, told.put_nowait, random.Random(1), pace=1000.0)
    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as group:
        task = group.create_task(people.run())
        assert await told.get() == "pin 1 cannot be pressed: gone"
        task.cancel()


def test_no_card_looks_like_an_identity_number() -> None:
    dice = random.Random(7)
    cards = [card(dice) for _ in range(1000)]
    assert all(re.fullmatch(r"KARTU-[A-Z]{5}-\d{3}", one) for one in cards)
    assert len(set(cards)) > 990


async def test_the_room_follows_its_events() -> None:
    seen = room(waiting=2)
    seen.take(record("ticket.issued", 11, service="A"))
    assert seen.waiting["A"] == 3
    seen.take(record("ticket.called", 12, **VISIT, call=1))
    assert (seen.waiting["A"], seen.places[1].state, seen.places[1].number, seen.places[1].event) == (2, "calling", "A001", 12)
    seen.take(record("ticket.cancelled", 13, number="A001", service="A"))
    assert (seen.waiting["A"], seen.places[1].state) == (2, "ready")
    seen.take(record("ticket.cancelled", 14, number="A002", service="A"))
    assert seen.waiting["A"] == 1
    seen.take(record("ticket.no_show", 15, number="A003", service="A", counter=1))
    seen.take(record("ticket.cancelled", 16, number="A003", service="A"))
    assert seen.waiting["A"] == 1
    seen.take(record("device.down", 17, device="keys"))
    assert not seen.works("keys") and seen.works("rating") and not seen.works("unheard_of")
    seen.take(record("counter.closed", 18, counter=9))  # one that another configuration had
    seen.take(record("system.day_opened", 19, date="2026-07-02"))
    assert seen.waiting["A"] == 0 and seen.sequence == 19


@pytest.mark.parametrize(("line", "answer"), [
    (b"[]\n", b"error: a request is a list of words\n"),
    (b'{"scan": 1}\n', b"error: a request is a list of words\n"),
    (b"[1, 2]\n", b"error: a request is a list of words\n"),
    (b"paper out\n", b"error: a request is one line of JSON\n"),
    (b"\xff\xfe\n", b"error: a request is one line of JSON\n"),
    (b"[" * 30_000 + b"\n", b"error: a request is one line of JSON\n"),
    (b"x" * 70_000 + b"\n", b"error: a request has at most 65536 bytes\n"),
    (b'["no"]\n', b"error: no is two lines\n"),
    (b'["io"]\n', b"error: gone\n"),
    (b'["yes"]\n', b"ok\n"),
])  # fmt: skip
async def test_requests_to_the_far_side(tmp_path: Path, line: bytes, answer: bytes) -> None:
    async def do(words: list[str]) -> None:
        if words == ["no"]:
            raise Refused("no", {"message": "no is\ntwo lines"})
        if words == ["io"]:
            raise OSError(5, "gone")

    async with control.serve(tmp_path / "far.sock", do):
        assert (tmp_path / "far.sock").stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_unix_connection(tmp_path / "far.sock")
        writer.write(line)
        assert await reader.readline() == answer
        writer.close()
    assert not (tmp_path / "far.sock").exists()
    with pytest.raises(Unavailable, match="no simulation runs in"):
        control.ask(tmp_path, tmp_path / "far.sock", "yes")


async def test_a_broker_comes_back_at_its_port_unless_that_is_taken(tmp_path: Path) -> None:
    async with private_broker(tmp_path) as first:
        assert first.port
        async with private_broker(tmp_path / "other") as other:
            assert other.port != first.port
    async with private_broker(tmp_path) as again:
        assert again.port == first.port
    (tmp_path / "port").write_text("99999")
    async with private_broker(tmp_path) as fourth:
        assert fourth.port and fourth.port < 65536


async def test_without_a_broker_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("kiosd_sim.broker.SBIN", ())
    async with private_broker(tmp_path) as none:
        assert none.port is None and "sudo apt install mosquitto" in none.why
        assert await none.gone() == none.why
