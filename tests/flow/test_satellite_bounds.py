"""What is not a satellite's to do: the counters of others, the site's affairs, answers elsewhere, commands that come too late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kiosd.stations.counter import token
from support.broker import Broker
from support.mqtt_peer import CORRELATION, RESPONSE_TOPIC, USER, Peer, peer
from support.satellite import (
    KEY,
    LIMIT_S,
    NODE,
    ROOT,
    Hub,
    ask,
    hub,
    in_a_second,
)

CARD = "3201-010101-010001/DEWI"


@asynccontextmanager
async def intruder(tmp_path: Path, mosquitto: Broker) -> AsyncIterator[tuple[Hub, Peer]]:
    """A hub with somebody waiting, and somebody who speaks as its satellite."""
    async with asyncio.timeout(LIMIT_S), hub(tmp_path / "hub", mosquitto.port) as it:
        await it.issue()
        with peer(mosquitto.port, NODE) as him:
            yield it, him


FOREIGN: dict[str, tuple[str, dict[str, Any], str]] = {
    "another counter": ("cmd/next", {"counter": 2}, "not_yours"),
    "a card at another counter": ("cmd/scan", {"counter": 2, "token": token(KEY, CARD)}, "not_yours"),
    "no counter": ("cmd/issue", {"service": "F"}, "not_yours"),
    "the site": ("cmd/suspend", {"reason": "libur"}, "not_yours"),
    "a device of another": ("cmd/report_device", {"device": "papan.board", "state": "down"}, "not_yours"),
    "the system's": ("cmd/tick", {}, "unknown_command"),
    "as the system": ("cmd/next", {"counter": 1, "actor": "system"}, "malformed"),
    "the journal's check": ("ask/verify", {}, "unknown_ask"),
    "a report": ("ask/report", {"month": "2026-07"}, "unknown_ask"),
    "an erasure": ("ask/erase", {"before": "2026-07-01"}, "unknown_ask"),
}


@pytest.mark.parametrize("case", FOREIGN)
async def test_what_is_not_the_satellites_is_refused(tmp_path: Path, mosquitto: Broker, case: str) -> None:
    topic, body, code = FOREIGN[case]
    async with intruder(tmp_path, mosquitto) as (it, him):
        before = await it.kinds()
        body = body if topic.startswith("ask/") else body | {"id": "x-1"}
        answer = await ask(him, topic, body, await in_a_second(him))
        assert (answer["status"], answer["code"]) == ("rejected", code)
        assert await it.kinds() == before
        if code == "not_yours":
            refused: Any = (await it.until("system.refused")).event
            assert (refused.source, refused.code, answer["id"]) == (f"sat/{NODE}", code, "x-1")


async def test_an_answer_goes_nowhere_but_below_the_satellites_root(tmp_path: Path, mosquitto: Broker) -> None:
    async with intruder(tmp_path, mosquitto) as (it, him):
        him.subscribe("kiosd/1/cth01/hub/cmd/+", "elsewhere", f"{ROOT}/cmd/+")
        until = [("until", await in_a_second(him))]
        for topic in ("kiosd/1/cth01/hub/cmd/next", "elsewhere", f"{ROOT}/cmd/next", "kiosd/1/cth01/hub/sat/other/reply/x"):
            him.publish(f"{ROOT}/cmd/next", b'{"counter": 1}', properties={RESPONSE_TOPIC: topic, CORRELATION: b"1", USER: until})
        await it.until("counter.refused", code="still_called")
        answers = [message for message in him.messages if message.properties.get(CORRELATION) == b"1" and b"status" in message.payload]
        assert not answers


LATE = {
    "too late": -0.001,
    "for ever": 3600.0,
}


@pytest.mark.parametrize("case", [*LATE, "another boot", "no time", "nonsense", "no number"])
async def test_a_command_after_its_time_is_never_done(tmp_path: Path, mosquitto: Broker, case: str) -> None:
    async with intruder(tmp_path, mosquitto) as (it, him):
        until: str | None = await in_a_second(him, LATE.get(case, 1.0))
        if case in {"another boot", "no time", "nonsense", "no number"}:
            boot, _, number = str(until).partition("/")
            wrong = {"another boot": f"{uuid4()}/{number}", "no time": None, "nonsense": "soon", "no number": f"{boot}/inf"}
            until = wrong[case]
        answer = await ask(him, "cmd/next", {"counter": 1}, until)
        assert (answer["status"], answer["code"]) == ("rejected", "expired")
        await it.until("counter.refused", code="expired")
        assert "ticket.called" not in await it.kinds()


async def test_a_retained_command_is_never_done(tmp_path: Path, mosquitto: Broker) -> None:
    async with intruder(tmp_path, mosquitto) as (it, him):
        answer = await ask(him, "cmd/next", {"counter": 1}, await in_a_second(him), retain=True)
        assert (answer["status"], answer["code"]) == ("rejected", "retained")
        assert "ticket.called" not in await it.kinds()


async def test_a_command_in_time_is_done_and_asked_twice_is_done_once(tmp_path: Path, mosquitto: Broker) -> None:
    async with intruder(tmp_path, mosquitto) as (it, him):
        body = {"counter": 1, "id": "press-1"}
        first = await ask(him, "cmd/next", body, await in_a_second(him))
        assert first["status"] == "done" and await ask(him, "cmd/next", body, await in_a_second(him, -5.0)) == first
        assert (await it.kinds()).count("ticket.called") == 1
