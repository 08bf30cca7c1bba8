"""A rating panel at a counter: presses that count, and a lamp that asks for one only while it would count."""

from pathlib import Path
from typing import Any

from kiosd.queue import commands as cmd
from kiosd.stations.rating_panel import SCORES, RatingPanel
from support.stationkiosk import Kiosk, kiosk

PINS = {name: pin for pin, name in enumerate(SCORES, start=5)}
LAMP = 18
PANEL: dict[str, Any] = {"buttons": PINS, "lamps": {"rate": LAMP}, "stuck_s": 0.4}
WINDOW_S = 120.0


async def panel(it: Kiosk) -> None:
    """A panel at counter 1 whose first visit is being served, and two more people wait."""
    it.device("rating", "gpio_buttons", PANEL, RatingPanel(it.queue, it.clock, 1).use)
    await it.up("rating")
    await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(3)), cmd.CallNext(counter=1), cmd.Start(counter=1))


def score(name: str) -> int:
    return SCORES[name][1]


async def test_each_button_gives_its_score_to_the_visit_that_ended(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in SCORES))
        since = 0
        for n, name in enumerate(SCORES, start=1):
            await it.do(cmd.Finish(counter=1))
            it.press(PINS[name])
            given = await it.record("rating.given", since=since)
            since = given.seq
            assert (given.event.model_dump()["number"], given.event.model_dump()["score"]) == (f"A00{n}", score(name))
            await it.do(cmd.CallNext(counter=1), cmd.Start(counter=1))
            it.clock.advance(3)


async def test_the_lamp_asks_until_somebody_has_rated(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.lit(LAMP, False)
        await it.do(cmd.Finish(counter=1))
        await it.blinks(LAMP)
        it.press(PINS["4"])
        await it.event("rating.given")
        await stays_dark(it)


async def test_the_lamp_goes_off_when_the_window_closes_and_a_later_press_counts_for_nobody(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Finish(counter=1))
        await it.blinks(LAMP)
        await it.passes(WINDOW_S - 10, step=5)
        await it.blinks(LAMP)
        await it.passes(20, step=1)  # nobody sees a lamp that is 10 s late
        await stays_dark(it)
        it.press(PINS["1"])
        assert (await it.event("rating.unattributed")).score == 1
        assert "rating.given" not in await it.kinds()


async def test_the_lamp_goes_off_when_the_next_visit_starts(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.CallNext(counter=1))  # finishes the first visit: its visitor may rate while the next one walks here
        await it.blinks(LAMP)
        await it.do(cmd.Start(counter=1))
        await stays_dark(it)
        it.press(PINS["2"])
        await it.event("rating.unattributed")


async def stays_dark(it: Kiosk) -> None:
    """The lamp goes off and does not blink any more: many times as long as a blink it is seen dark."""
    await it.lit(LAMP, False)
    dark = 0
    while dark < 20:
        dark = 0 if it.pins.state()[LAMP].level else dark + 1
        await it.passes(0.001, step=0.001)


async def test_the_lamp_asks_while_the_visitor_is_still_served_once_invited(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await stays_dark(it)
        await it.do(cmd.Invite(counter=1))
        await it.blinks(LAMP)
        it.press(PINS["3"])
        given = await it.event("rating.given")
        assert (given.number, given.score, given.actor, given.place) == ("A001", 3, "public", "rating/1")
        await stays_dark(it)
        it.clock.advance(5)
        await it.do(cmd.Finish(counter=1))
        await stays_dark(it)


async def test_the_lamp_asks_after_a_referral_and_not_after_a_transfer(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Refer(counter=1, destination="back_office", reason="lainnya"))
        await it.blinks(LAMP)
        await it.do(cmd.CallNext(counter=1), cmd.Start(counter=1))
        await stays_dark(it)
        await it.do(cmd.Transfer(counter=1, service="D"))
        await stays_dark(it)


async def test_the_lamp_goes_off_when_the_end_is_taken_back(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Finish(counter=1))
        await it.blinks(LAMP)
        await it.do(cmd.UndoFinish(counter=1))
        await stays_dark(it)


async def test_another_counters_visit_is_not_this_panels(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.CallNext(counter=2), cmd.Start(counter=2), cmd.Finish(counter=2))
        it.press(PINS["4"])
        assert (await it.event("rating.unattributed")).counter == 1
        await stays_dark(it)


async def test_two_buttons_at_once_are_ambiguous(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Finish(counter=1))
        it.press(PINS["4"], PINS["1"])
        ambiguous = await it.event("rating.ambiguous")
        assert (ambiguous.number, ambiguous.previous, ambiguous.score) == ("A001", 4, 1)
        rating = it.queue.book.tickets[ambiguous.ticket].rating
        assert rating is not None and rating.score is None


async def test_second_thoughts_within_three_seconds_count_and_later_ones_do_not(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Finish(counter=1))
        it.press(PINS["1"])
        await it.event("rating.given")
        it.press(PINS["4"])
        assert (await it.event("rating.corrected")).score == 4
        it.clock.advance(5)
        it.press(PINS["2"])
        assert (await it.event("rating.ignored")).reason == "already_rated"


async def test_a_jammed_button_is_known_and_the_others_still_rate(tmp_path: Path) -> None:
    async with kiosk(tmp_path) as it:
        await panel(it)
        it.pins.low(PINS["1"])
        stuck = await it.record("device.degraded", device="rating", tick=0.5)
        assert "button 1" in stuck.event.model_dump()["detail"]
        await it.do(cmd.Finish(counter=1))
        await it.blinks(LAMP)
        it.press(PINS["3"])
        assert (await it.event("rating.given")).score == 3
        it.pins.high(PINS["1"])
        await it.event("device.up", device="rating", since=stuck.seq, tick=0.01)


async def test_a_press_that_waited_for_a_slow_queue_counts_by_its_own_time(tmp_path: Path) -> None:
    """The finger was within the window; that the daemon came to it later is not the visitor's fault."""
    async with kiosk(tmp_path) as it:
        await panel(it)
        await it.do(cmd.Finish(counter=1))
        it.clock.advance(WINDOW_S - 1)
        it.pins.press(PINS["3"], 0)  # the loop has not run yet
        it.clock.advance(5)
        assert (await it.event("rating.given")).score == 3
