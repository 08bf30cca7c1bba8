"""A satellite that speaks, over a real broker: the real driver and espeak-ng, a recorder for a sound card, calls at the hub."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import tomli_w

from kiosd.clock import Moment, SystemClock
from kiosd.queue import steady
from kiosd.queue.commands import CallNext, Start
from kiosd.queue.steady import Steady
from kiosd.queue.words import announcement
from support.broker import Broker
from support.fardevices import Speaker, speaker
from support.satellite import LIMIT_S, NODE, Hub, hub, reached, satellite
from support.sim_pins import until

MAX_AGE_S = 20.0
ZONE = "Asia/Jayapura"


class BoardClock(SystemClock):
    """The clock of a board with a boot of its own: so much time can pass at once."""

    def __init__(self) -> None:
        super().__init__(trust_rtc=True)
        self._own_boot, self.ahead_s = str(uuid4()), 0.0

    def now(self) -> Moment:
        it = super().now()
        return Moment(it.time + timedelta(seconds=self.ahead_s), round(it.monotonic + self.ahead_s, 3), it.synced, self._own_boot)


def call(number: str, counter: int) -> str:
    return announcement(number, counter, "id")


@asynccontextmanager
async def heard(
    folder: Path, port: int, clock: BoardClock, own: BoardClock | None = None, **voice: object
) -> AsyncIterator[tuple[Hub, Steady, Speaker]]:
    """A hub with five counters and five people waiting, and its satellite, which has nothing but a voice that is up.

    ``clock`` is the hub's, ``own`` the satellite's.
    """
    async with asyncio.timeout(LIMIT_S), speaker(folder) as card:
        document = {
            "site": {"id": "CTH01", "timezone": ZONE},
            "node": {"id": NODE, "role": "satellite"},
            "clock": {"trust_rtc": True},
            "mqtt": {"site": {"host": "127.0.0.1", "port": port}},
            "voice": {"announcer": "voice", "max_age_s": MAX_AGE_S, **voice},
            "devices": {"voice": {"driver": "aplay_voice", **card.config}},
        }
        config = folder / f"{NODE}.toml"
        config.write_text(tomli_w.dumps(document))
        async with hub(folder / "hub", port, clock, counters=5, satellites={NODE: ()}) as it:
            await it.issue(5)
            async with satellite(config, own or BoardClock()) as queue:
                await reached(queue)
                await it.until("device.up", device=f"{NODE}.voice")
                yield it, queue, card


async def says(card: Speaker, *texts: str) -> None:
    """Wait until so many were heard; they are exactly these."""
    await until(lambda: len(card.recorder.texts) >= len(texts), 10.0)
    assert card.recorder.texts == list(texts)


async def is_logged(caplog: pytest.LogCaptureFixture, line: str) -> None:
    """Wait until the log has this."""
    await until(lambda: line in caplog.text, 15.0)


async def test_a_call_at_the_hub_is_said_at_the_satellite_twice_after_a_chime(tmp_path: Path, mosquitto: Broker) -> None:
    async with heard(tmp_path, mosquitto.port, BoardClock()) as (it, _, card):
        await it.queue.execute(CallNext(counter=2))
        await says(card, *[call("F001", 2)] * 2)
        first, second = card.recorder.played()
        assert first.seconds > second.seconds + 1  # the chime


@pytest.mark.parametrize("resumed_within_s", [60.0, 0.0], ids=["event by event", "from the state"])
async def test_after_the_broker_was_gone_it_says_only_what_stands_and_is_young_enough(
    tmp_path: Path, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch, resumed_within_s: float
) -> None:
    monkeypatch.setattr(steady, "RESUMED_WITHIN_S", resumed_within_s)
    clock = BoardClock()
    async with heard(tmp_path, mosquitto.port, clock, repeat=1) as (it, queue, card):
        await it.queue.execute(CallNext(counter=1))
        await says(card, call("F001", 1))
        mosquitto.kill()
        await until(lambda: queue.away)
        await it.queue.execute(CallNext(counter=2))
        clock.ahead_s += MAX_AGE_S  # too old for being said
        await it.queue.execute(CallNext(counter=3))
        await it.queue.execute(Start(counter=3))  # over
        await it.queue.execute(CallNext(counter=4))
        clock.ahead_s += MAX_AGE_S / 2
        mosquitto.start()
        await reached(queue)
        await says(card, call("F001", 1), call("F004", 4))
        await it.queue.execute(CallNext(counter=5))
        await says(card, call("F001", 1), call("F004", 4), call("F005", 5))


async def test_a_voice_that_comes_back_out_of_touch_does_not_say_what_became_old_since(
    tmp_path: Path, mosquitto: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    own = BoardClock()
    async with heard(tmp_path, mosquitto.port, BoardClock(), own, repeat=1) as (it, queue, card):
        await card.unplug()
        await it.queue.execute(CallNext(counter=1))
        await it.until("device.down", device=f"{NODE}.voice")
        mosquitto.kill()
        await until(lambda: queue.away)
        own.ahead_s += MAX_AGE_S + 1
        await card.plug()
        await is_logged(caplog, f" s old: {call('F001', 1)}")
        mosquitto.start()
        await reached(queue)
        await it.queue.execute(CallNext(counter=2))
        await says(card, call("F002", 2))


async def test_its_quiet_hours_are_by_the_hubs_clock_in_the_sites_time_zone(
    tmp_path: Path, mosquitto: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock, now = BoardClock(), datetime.now(ZoneInfo(ZONE))
    quiet = f"{(now.hour + 12) % 24:02}:00-{(now.hour + 12) % 24:02}:59"
    clock.ahead_s = (now.replace(minute=30) - now).total_seconds() + 12 * 3600  # at the hub it is quiet, by this board's clock not
    async with heard(tmp_path, mosquitto.port, clock, quiet=[quiet]) as (it, _, card):
        for number, counter in (("F001", 1), ("F002", 2)):
            await it.queue.execute(CallNext(counter=counter))
            await is_logged(caplog, f"not said, for it is a quiet hour: {call(number, counter)}")
        assert card.recorder.texts == []
        health = [record.event.type for record in it.log if getattr(record.event, "device", "") == f"{NODE}.voice"]
        assert health == ["device.up"]
