"""Quiet hours of a voice: the real queue, the site's own time, and a mouth of the test's."""

import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kiosd.clock import ManualClock
from kiosd.config.model import DeviceSettings, VoiceSettings
from kiosd.queue import commands as cmd
from kiosd.queue.fields import parse_session
from kiosd.queue.settings import Timezone
from kiosd.registry import find
from kiosd.stations.places import Places
from kiosd.stations.voice import NO_PAPER, QuietHours
from support.fardevices import speaker
from support.mouth import Mouth, call, comes, has_said, is_saying, spoken
from support.site import wib
from support.stationkiosk import Kiosk, kiosk

NINE = "09:00-10:00"
DROPPED = "not said, for it is a quiet hour: "


def quiet(*sessions: str) -> QuietHours:
    return QuietHours(tuple(parse_session(session) for session in sessions), ZoneInfo("Asia/Jakarta"))


def at(time: str, synced: bool = True) -> ManualClock:
    return ManualClock(wib(f"2026-07-01 {time}"), synced)


def dropped(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says was not said."""
    return [line.removeprefix(DROPPED) for line in caplog.messages if line.startswith(DROPPED)]


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(("time", "said"), [("08:59:59", True), ("09:00", False), ("09:59:50", False), ("10:00", True)])
async def test_from_its_first_moment_to_before_its_last_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, time: str, said: bool
) -> None:
    async with spoken(tmp_path, at(time), quiet=quiet("08:00-08:30", NINE, "23:00-24:00")) as (it, mouth):
        await comes(it, 1)
        await has_said(it, mouth, *[call("A001", 1)] * said)
        assert dropped(caplog) == [call("A001", 1)] * (not said)
        assert not [record for record in it.log if record.event.type in {"device.down", "device.degraded"}]


async def breaks(it: Kiosk, mouth: Mouth) -> None:
    """The voice goes in the middle of a sentence, and comes back."""
    mouth.fails = True
    mouth.may()
    await it.event("device.down", device="voice")
    mouth.fails = False
    await it.record("device.up", device="voice", tick=0.5, since=len(it.log))


async def test_what_was_not_said_is_not_said_afterwards_not_even_by_a_voice_that_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with spoken(tmp_path, at("09:59:50"), quiet=quiet(NINE), max_age_s=600.0) as (it, mouth):
        await comes(it, 1)
        await it.passes(10)
        await comes(it, 2)
        await is_saying(it, mouth, call("A002", 2))
        await breaks(it, mouth)
        await has_said(it, mouth, call("A002", 2))
        assert dropped(caplog) == [call("A001", 1)]


async def test_a_repetition_that_falls_into_it_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with spoken(tmp_path, at("08:59:59.500"), quiet=quiet(NINE), repeat=2) as (it, mouth):
        await comes(it, 1)
        await has_said(it, mouth, call("A001", 1))
        assert dropped(caplog) == [call("A001", 1)]


async def test_words_to_those_at_the_machine_are_not_said_either(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with spoken(tmp_path, at("08:05"), quiet=quiet("08:00-09:00")) as (it, mouth):
        await it.do(cmd.IssueTicket(service="A", actor="public", no_paper="refuse"))
        await has_said(it, mouth)
        assert dropped(caplog) == [NO_PAPER["no_paper"]["id"]]


async def test_a_clock_that_is_not_trusted_makes_no_hour_quiet_until_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with spoken(tmp_path, at("09:10", synced=False), quiet=quiet(NINE)) as (it, mouth):
        await comes(it, 1)
        await has_said(it, mouth, call("A001", 1))
        assert any("the clock is not trusted" in line for line in caplog.messages)
        it.clock.step_to(wib("2026-07-01 09:15"), synced=True)
        await comes(it, 2)
        await has_said(it, mouth, call("A001", 1))
        assert dropped(caplog) == [call("A002", 2)]


ZONES: dict[Timezone, tuple[str, str]] = {
    "Asia/Makassar": (call("A002", 2), call("A001", 1)),
    "Asia/Jakarta": (call("A001", 1), call("A002", 2)),
}
"""What is said and what is not: half past eight in Jakarta is half past nine in Makassar."""


@pytest.mark.parametrize("zone", ZONES)
async def test_a_place_keeps_those_of_the_configuration_in_the_sites_time_zone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, zone: Timezone
) -> None:
    settings = VoiceSettings.model_validate({"announcer": "voice", "repeat": 1, "quiet": [NINE]})
    async with speaker(tmp_path) as card, kiosk(tmp_path, at("08:30")) as it:
        devices = {"voice": DeviceSettings(driver="aplay_voice", config=find("aplay_voice").config.model_validate(card.config))}
        (work,) = Places(it.queue, it.clock, devices, "id").voice(settings, zone)
        it.run(work)
        await it.up("voice")
        for turn in (1, 2):
            await comes(it, turn)
            while len(card.recorder.texts) + len(dropped(caplog)) < turn:
                await it.passes(0.01, 0.01)
            it.clock.advance(3600)
        assert (card.recorder.texts, dropped(caplog)) == ([ZONES[zone][0]], [ZONES[zone][1]])
