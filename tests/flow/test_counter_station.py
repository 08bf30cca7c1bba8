"""A counter: the officer's keys on pins and a scanner on a line, through real drivers into the real queue."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.queue.model import CounterState
from kiosd.stations.counter import KEYS, CounterStation, token
from support.fardevices import FarScanner
from support.farinputs import line_scanner, typing_scanner
from support.stationkiosk import Kiosk, kiosk

PINS = {key: pin for pin, key in enumerate(KEYS, start=4)}
SITE_KEY = b"k" * 32
CARD = "3201-010101-010001/DEWI"
WAIT = 10.0
"""Stands among commands for ten seconds that pass: between two calls of one ticket."""

Before = tuple[Command | float, ...]
NEXT, START, RECALL, FINISH = cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.Recall(counter=1), cmd.Finish(counter=1)
OPEN, PAUSE, CLOSE = cmd.OpenCounter(counter=1), cmd.PauseCounter(counter=1), cmd.CloseCounter(counter=1)
CALLED: Before = (NEXT,)
ALL_CALLS: Before = (NEXT, WAIT, RECALL, WAIT, RECALL)
SERVING: Before = (NEXT, START)

DOES: list[tuple[str, Before, list[str]]] = [
    ("next", (OPEN,), ["ticket.called"]),
    ("next", (), ["counter.opened", "ticket.called"]),
    ("next", SERVING, ["ticket.finished", "ticket.called"]),
    ("recall", (NEXT, WAIT), ["ticket.recalled"]),
    ("start", CALLED, ["ticket.started"]),
    ("absent", ALL_CALLS, ["ticket.no_show"]),
    ("finish", SERVING, ["ticket.finished"]),
    ("open", (), ["counter.opened"]),
    ("pause", (OPEN,), ["counter.paused"]),
    ("pause", (OPEN, PAUSE), ["counter.opened"]),
    ("close", (OPEN,), ["counter.closed"]),
    ("advance", (), ["counter.opened", "ticket.called"]),
    ("advance", (OPEN,), ["ticket.called"]),
    ("advance", CALLED, ["ticket.started"]),
    ("advance", SERVING, ["ticket.finished", "ticket.called"]),
    ("undo", CALLED, ["ticket.call_undone"]),
    ("undo", SERVING, ["ticket.start_undone"]),
    ("undo", (NEXT, START, FINISH, WAIT), ["ticket.finish_undone"]),
    ("undo", (NEXT, START, NEXT), ["ticket.call_undone"]),
    ("invite", SERVING, ["rating.invited"]),
    ("repeat", (NEXT, WAIT), ["ticket.recalled"]),
    ("repeat", (NEXT, WAIT, RECALL, WAIT), ["ticket.recalled"]),
    ("repeat", ALL_CALLS, ["ticket.no_show"]),
]
"""Key, what happened before at the counter, the events that the key makes."""

REFUSES: list[tuple[str, Before, str]] = [
    ("next", CALLED, "still_called"),
    ("recall", (OPEN,), "nobody_called"),
    ("recall", CALLED, "too_soon"),
    ("recall", ALL_CALLS, "max_calls"),
    ("start", (OPEN,), "nobody_called"),
    ("start", SERVING, "wrong_state"),
    ("absent", CALLED, "not_called_enough"),
    ("finish", (OPEN,), "nobody_served"),
    ("finish", CALLED, "wrong_state"),
    ("open", (OPEN,), "already"),
    ("pause", SERVING, "still_serving"),
    ("close", CALLED, "still_called"),
    ("close", (), "already"),
    ("undo", (), "nothing_finished"),
    ("undo", (NEXT, WAIT, WAIT), "too_late"),
    ("undo", (NEXT, START, WAIT, WAIT), "too_late"),
    ("undo", (NEXT, START, FINISH, 61.0), "too_late"),
    ("invite", CALLED, "nobody_served"),
    ("invite", (NEXT, START, cmd.Invite(counter=1)), "invited_already"),
    ("repeat", (OPEN,), "nobody_called"),
    ("repeat", SERVING, "wrong_state"),
]
"""Key, what happened before, the reason why it is refused."""


def desk(it: Kiosk) -> CounterStation:
    """Counter 1 with a key for everything."""
    station = CounterStation(it.queue, it.clock, 1, SITE_KEY)
    it.device("keys", "gpio_buttons", {"buttons": PINS}, station.use_keys)
    return station


async def prepare(it: Kiosk, before: Before, waiting: int = 2) -> int:
    """Two people wait and ``before`` happened; the number of the last event."""
    await it.up("keys")
    await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(waiting)))
    for step in before:
        if isinstance(step, float):
            it.clock.advance(step)
        else:
            # A copy with an id of its own: the same id asked twice is done once.
            assert (await it.do(step.model_copy(update={"id": cmd.new_id()}))).done
    return it.queue.book.seq


async def test_the_lamp_is_lit_goes_dark_for_a_press_and_blinks_at_a_refusal(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        station = CounterStation(it.queue, it.clock, 1, SITE_KEY)
        it.device("keys", "gpio_buttons", {"buttons": PINS, "lamps": {"ready": 27}}, station.use_keys)
        await prepare(it, ())
        await it.lit(27, True)
        it.press(PINS["next"])
        await it.event("ticket.called")
        await it.lit(27, True)
        it.press(PINS["finish"])
        await it.event("counter.refused", code="wrong_state")
        await it.blinks(27)
        await it.lit(27, True, tick=0.5)


def test_the_tables_are_about_every_key() -> None:
    assert {key for key, _, _ in DOES} == set(KEYS)
    assert {key for key, _, _ in REFUSES} == set(KEYS) - {"advance"}, "advance always has a next step, but for an empty line"


@pytest.mark.parametrize(("key", "before", "events"), DOES)
async def test_each_key_does_what_the_table_says(tmp_path: Path, key: str, before: Before, events: list[str]) -> None:
    async with kiosk(tmp_path) as it:
        desk(it)
        since = await prepare(it, before)
        it.press(PINS[key])
        done = await it.event(events[-1], since=since)
        assert await it.kinds(since) == events
        assert (done.actor, done.place) == ("officer", "counter/1")


@pytest.mark.parametrize(("key", "before", "code"), REFUSES)
async def test_a_key_that_is_refused_says_why(tmp_path: Path, key: str, before: Before, code: str) -> None:
    async with kiosk(tmp_path) as it:
        desk(it)
        since = await prepare(it, before)
        state = it.queue.book.counter(1)
        it.press(PINS[key])
        refused = await it.event("counter.refused", since=since)
        assert (refused.counter, refused.code) == (1, code)
        assert (refused.actor, refused.place) == ("officer", "counter/1")
        assert refused.message.endswith(".") and "{" not in refused.message, "a sentence for the officer"
        assert it.queue.book.counter(1) == state, "and nothing changed"


async def test_two_keys_are_enough_for_a_day(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        desk(it)
        since = await prepare(it, (), waiting=3)
        day = [("advance", "ticket.called"), ("advance", "ticket.started"), ("advance", "ticket.called")]
        day += [("repeat", "ticket.recalled")] * 2 + [("repeat", "ticket.no_show"), ("advance", "ticket.called")]
        for key, event in day:
            it.clock.advance(WAIT)
            it.press(PINS[key])
            since = (await it.record(event, since=since)).seq
        assert it.queue.book.counter(1).state is CounterState.CALLING
        it.press(PINS["advance"])
        since = (await it.record("ticket.started", since=since)).seq
        it.press(PINS["advance"])
        await it.event("ticket.finished", since=since, number="A003")
        it.press(PINS["advance"])
        assert (await it.event("counter.refused", since=since)).message == "Tidak ada antrean."


async def test_keys_pressed_faster_than_the_journal_commits_are_all_done_in_order(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        desk(it)
        since = await prepare(it, (OPEN,))
        it.press(*(PINS[key] for key in ("next", "start", "finish", "pause", "close")))
        await it.event("counter.closed", since=since)
        assert await it.kinds(since) == ["ticket.called", "ticket.started", "ticket.finished", "counter.paused", "counter.closed"]


# -- the scanner


Build = Callable[[Path], AbstractAsyncContextManager[FarScanner]]
SCANNERS: list[tuple[str, Build]] = [("serial_scanner", line_scanner), ("evdev_scanner", typing_scanner)]


async def scanner(it: Kiosk, driver: str, far: FarScanner) -> None:
    station = CounterStation(it.queue, it.clock, 1, SITE_KEY)
    it.device("scanner", driver, far.config, station.use_scanner)
    await it.up("scanner")


def on_disk(state: Path) -> bytes:
    """Everything in the state directory: the journal, its write-ahead log, whatever else."""
    return b"".join(path.read_bytes() for path in sorted(state.iterdir()) if path.is_file())


@pytest.mark.parametrize(("driver", "build"), SCANNERS, ids=[driver for driver, _ in SCANNERS])
async def test_a_card_starts_the_visit_and_leaves_only_its_token(
    tmp_path: Path, driver: str, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    state = tmp_path / "state"
    state.mkdir()
    async with build(tmp_path) as far, kiosk(state) as it:
        await scanner(it, driver, far)
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=1))
        await far.scan(CARD)
        read = await it.event("scan.read")
        started = await it.event("ticket.started")
        assert (read.number, read.token) == ("A001", token(SITE_KEY, CARD))
        assert (started.number, started.identity) == ("A001", "card")
        since = it.queue.book.seq
        await far.scan(CARD)
        await it.event("scan.read", since=since)
        written = on_disk(state)
        assert read.token.encode() in written
    for place in (written, on_disk(state), caplog.text.encode()):
        assert CARD.encode() not in place and b"DEWI" not in place and b"010101" not in place


@pytest.mark.parametrize(("driver", "build"), SCANNERS, ids=[driver for driver, _ in SCANNERS])
async def test_a_scan_with_nobody_there_is_a_fact_and_nothing_else(tmp_path: Path, driver: str, build: Build) -> None:
    async with build(tmp_path) as far, kiosk(tmp_path) as it:
        await scanner(it, driver, far)
        await far.scan(CARD)
        event = await it.event("scan.unattached")
        assert event.model_dump() == {"actor": "", "place": "", "counter": 1}
        assert token(SITE_KEY, CARD).encode() not in on_disk(tmp_path)


@pytest.mark.parametrize(
    ("code", "reason"), [("card\x1b[2Jcard", "control"), ("card\x00", "control"), ("7" * 4096, "length"), ("K" * 513, "length")]
)
async def test_a_scan_that_cannot_be_a_card_is_rejected_and_the_next_one_works(tmp_path: Path, code: str, reason: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    async with line_scanner(tmp_path) as far, kiosk(state) as it:
        await scanner(it, "serial_scanner", far)
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=1))
        await far.scan(code)
        assert (await it.event("scan.rejected")).model_dump() == {"actor": "", "place": "", "counter": 1, "reason": reason}
        assert it.queue.book.counter(1).state is CounterState.CALLING
        await far.scan(CARD)
        await it.event("ticket.started")
        assert code.encode()[:64] not in on_disk(state)


async def test_a_scanner_that_is_plugged_in_again_goes_on(tmp_path: Path) -> None:
    async with line_scanner(tmp_path) as far, kiosk(tmp_path) as it:
        await scanner(it, "serial_scanner", far)
        await far.unplug()
        down = await it.record("device.down", device="scanner", code="absent")
        await it.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=1), cmd.Start(counter=1))
        await far.plug()
        await it.event("device.up", device="scanner", since=down.seq, tick=0.5)
        await far.scan(CARD)
        assert (await it.event("scan.read")).number == "A001"
