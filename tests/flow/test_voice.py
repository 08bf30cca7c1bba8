"""The voice in a kiosk: the real queue, and time that is the test's.

Once with the real driver, espeak-ng and a recorder for a sound card; what is said when, with a mouth that speaks as long as the test likes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue.words import spell
from kiosd.stations.voice import NO_PAPER, NOTE_NUMBER, PAUSE_S, TRAINING, YOUR_NUMBER, Voice
from support.fardevices import Speaker, speaker
from support.mouth import Mouth, call, comes, has_said, is_saying, spoken
from support.site import wib
from support.stationkiosk import TURN_S, Kiosk, kiosk

# -- with the real driver


@asynccontextmanager
async def heard(directory: Path, **settings: Any) -> AsyncIterator[tuple[Kiosk, Speaker]]:
    """A kiosk with a voice that is up."""
    async with speaker(directory / "sound") as card, kiosk(directory) as it:
        voice = Voice(it.queue, it.clock, "id", **settings)
        it.device("voice", "aplay_voice", card.config, voice.use)
        await it.up("voice")
        yield it, card


async def says(it: Kiosk, card: Speaker, *texts: str) -> None:
    """Wait until exactly these were heard; time passes, so that repetitions come."""
    while len(card.recorder.texts) < len(texts):
        it.clock.advance(PAUSE_S / 10)
        await asyncio.sleep(TURN_S)
    assert card.recorder.texts == list(texts)


async def test_calls_are_said_twice_after_a_chime_one_after_the_other(tmp_path: Path) -> None:
    async with heard(tmp_path) as (it, card):
        await comes(it, 2, 1)
        await says(it, card, call("A001", 2), call("A001", 2), call("A002", 1), call("A002", 1))
        played = card.recorder.played()
        assert played[0].seconds > played[1].seconds + 1  # the chime
        assert all(one.ended <= other.began for one, other in pairwise(played))


async def test_a_card_that_is_pulled_holds_up_nobody_and_back_it_says_the_call_that_stands(tmp_path: Path) -> None:
    async with heard(tmp_path, repeat=1) as (it, card):
        await card.unplug()
        await comes(it, 1)
        down = await it.event("device.down", device="voice")
        assert down.code == "absent"
        await comes(it, 2)
        await it.do(cmd.Start(counter=2))
        assert card.recorder.texts == []
        await card.plug()
        await it.record("device.up", device="voice", tick=0.5, since=len(it.log))
        await says(it, card, call("A001", 1))


# -- with a mouth of the test's


async def test_of_a_counter_only_the_newest_call_is_said_and_what_is_over_is_not(tmp_path: Path) -> None:
    async with spoken(tmp_path) as (it, mouth):
        await comes(it, 3)
        await is_saying(it, mouth, call("A001", 3))
        await comes(it, 1, 2)
        await it.do(cmd.Start(counter=1), cmd.Finish(counter=1))  # came before it was said
        await comes(it, 1)
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=2))  # one call of two, at its turn
        await has_said(it, mouth, call("A001", 3), call("A003", 2), call("A004", 1))


async def test_a_recall_is_said_again(tmp_path: Path) -> None:
    async with spoken(tmp_path) as (it, mouth):
        await comes(it, 1)
        await has_said(it, mouth, call("A001", 1))
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=1))
        await is_saying(it, mouth, call("A001", 1))
        await has_said(it, mouth, *[call("A001", 1)] * 2)


async def test_a_recall_while_the_call_is_being_said_takes_the_place_of_its_repetition(tmp_path: Path) -> None:
    async with spoken(tmp_path, repeat=2) as (it, mouth):
        await comes(it, 1)
        await is_saying(it, mouth, call("A001", 1))
        it.clock.advance(11)
        await it.do(cmd.Recall(counter=1))
        await it.passes(2)
        await has_said(it, mouth, *[call("A001", 1)] * 3)
        assert [chime for _, chime in mouth.said] == [True, True, False]


async def test_a_call_that_is_over_is_not_said_the_second_time(tmp_path: Path) -> None:
    async with spoken(tmp_path, repeat=2) as (it, mouth):
        await comes(it, 1)
        await is_saying(it, mouth, call("A001", 1))
        await it.do(cmd.Start(counter=1))
        await it.passes(2)
        await has_said(it, mouth, call("A001", 1))
        await comes(it, 2)
        mouth.may(2)
        await is_saying(it, mouth, "", tick=PAUSE_S)
        while len(mouth.said) < 3:
            it.clock.advance(PAUSE_S)
            await asyncio.sleep(TURN_S)
        assert mouth.said[1:] == [(call("A002", 2), True), (call("A002", 2), False)]


async def test_a_call_that_was_taken_back_or_cancelled_is_not_said(tmp_path: Path) -> None:
    async with spoken(tmp_path) as (it, mouth):
        await comes(it, 3)
        await is_saying(it, mouth, call("A001", 3))
        await comes(it, 1, 2)
        await it.do(cmd.UndoCall(counter=1), cmd.CancelTicket(ticket="A003", reason="pulang"))
        await it.passes(2)
        await has_said(it, mouth, call("A001", 3))


async def test_a_call_that_waited_too_long_is_not_said(tmp_path: Path) -> None:
    async with spoken(tmp_path, max_age_s=30.0) as (it, mouth):
        await comes(it, 1)
        await is_saying(it, mouth, call("A001", 1))
        await comes(it, 2)
        await it.passes(1)
        it.clock.advance(29)
        await comes(it, 3)
        await it.passes(1)
        it.clock.advance(1)
        await has_said(it, mouth, call("A001", 1), call("A003", 3))


async def test_a_voice_that_comes_back_says_the_calls_that_nobody_heard(tmp_path: Path) -> None:
    async with spoken(tmp_path, max_age_s=30.0) as (it, mouth):
        await comes(it, 1)
        await has_said(it, mouth, call("A001", 1))
        await comes(it, 2)
        await is_saying(it, mouth, call("A002", 2))
        mouth.fails = True
        mouth.may()
        await it.event("device.down", device="voice", code="busy")
        await comes(it, 3)
        mouth.fails = False
        await it.record("device.up", device="voice", tick=0.5, since=len(it.log))
        await has_said(it, mouth, call("A001", 1), call("A002", 2), call("A003", 3))


async def test_a_voice_that_comes_late_says_no_old_calls(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await comes(it, 1)
        it.clock.advance(61)
        await comes(it, 2)
        it.clock.advance(59)
        mouth = Mouth()
        it.supervised("voice", mouth.open, Voice(it.queue, it.clock, "id", 1).use)
        await it.up("voice")
        await has_said(it, mouth, call("A002", 2))


NOTE, OWN = (texts["id"].format(number="D, nol nol satu") for texts in (NOTE_NUMBER, YOUR_NUMBER))


@pytest.mark.parametrize(("numbers", "said"), [("without_paper", (NOTE,)), ("never", ()), ("always", (OWN, NOTE))])
async def test_a_number_without_paper_is_said(tmp_path: Path, numbers: str, said: tuple[str, ...]) -> None:
    async with spoken(tmp_path, numbers=numbers) as (it, mouth):
        await it.do(cmd.IssueTicket(service="D", actor="public", place="button/D"))
        ticket = (await it.event("ticket.issued")).ticket
        await it.passes(2)
        assert mouth.saying == (OWN if numbers == "always" else "")
        await it.do(cmd.ReportPaper(ticket=ticket, outcome="failed", device="printer", detail="paper out"))
        await it.passes(2)
        await has_said(it, mouth, *said)


async def test_a_press_that_was_refused_for_want_of_paper_is_told_and_others_are_not(tmp_path: Path) -> None:
    async with spoken(tmp_path) as (it, mouth):
        await it.do(cmd.IssueTicket(service="A", actor="public", no_paper="refuse"))
        await has_said(it, mouth, NO_PAPER["no_paper"]["id"])
        await it.do(cmd.CloseDay(), cmd.IssueTicket(service="A", actor="public"))
        await has_said(it, mouth, NO_PAPER["no_paper"]["id"])


async def test_a_training_is_told_to_be_one(tmp_path: Path) -> None:
    async with spoken(tmp_path, ManualClock(wib("2026-07-01 17:00"))) as (it, mouth):
        await it.do(cmd.CloseDay(), cmd.Training(on=True))
        reply = await it.do(cmd.IssueTicket(service="A"))
        await it.do(cmd.CallNext(counter=1))
        await has_said(it, mouth, TRAINING["id"] + call(reply.result["number"], 1))


async def draws(it: Kiosk, count: int) -> None:
    """So many people draw a number, and nobody gets paper."""
    for _ in range(count):
        drawn = await it.do(cmd.IssueTicket(service="D", actor="public"))
        await it.do(cmd.ReportPaper(ticket=str(drawn.result["ticket"]), outcome="failed", device="printer"))


def own(number: int) -> str:
    return NOTE_NUMBER["id"].format(number=spell(f"D{number:03d}", "id"))


async def test_calls_go_before_numbers_that_were_drawn_earlier(tmp_path: Path) -> None:
    async with spoken(tmp_path) as (it, mouth):
        await draws(it, 4)
        await is_saying(it, mouth, own(1))
        await it.do(cmd.CallNext(counter=1), cmd.CallNext(counter=2))
        await it.passes(2)
        await has_said(it, mouth, own(1), call("D001", 1), call("D002", 2), own(2), own(3), own(4))


async def test_numbers_and_refusals_are_said_once_however_often_calls_are(tmp_path: Path) -> None:
    async with spoken(tmp_path, repeat=3) as (it, mouth):
        await draws(it, 2)
        await it.do(cmd.IssueTicket(service="A", actor="public", no_paper="refuse"))
        await has_said(it, mouth, own(1), own(2), NO_PAPER["no_paper"]["id"])
        assert [chime for _, chime in mouth.said] == [True] * 3
