"""Two brokers that know nothing of each other, and what is told of a broker that does not take everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import SystemClock
from kiosd.mqtt import session, troubles
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.commands import ReportDevice
from support.broker import Broker, broker, free_port, proxy
from support.fakequeue import issued
from support.mqtt_peer import peer, until
from support.uplinks import EVENTS, ROOT, Site, day, has_got, once, sequences


@dataclass
class Sessions:
    """The sessions of one kiosk with its brokers."""

    site: Site
    group: asyncio.TaskGroup

    def serve(self, name: str, port: int, **given: Any) -> None:
        mqtt = MqttSettings.model_validate({"host": "127.0.0.1", "port": port, "pace_per_s": 0, **given})
        work = run_session(
            name, mqtt, site="CTH01", node="hub", config_hash="x", queue=self.site.queue, cursors=self.site.memory, clock=self.site.clock
        )
        self.tasks.append(self.group.create_task(work))

    def __post_init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def health(self, name: str) -> list[tuple[str, str, str]]:
        """What was reported of broker ``name``."""
        reports = [one for one in self.site.queue.executed if isinstance(one, ReportDevice) and one.device == f"mqtt-{name}"]
        return [(one.state, one.code, one.detail) for one in reports]

    def now(self, name: str) -> tuple[str, str]:
        reported = self.health(name)
        return reported[-1][:2] if reported else ("", "")


@asynccontextmanager
async def kiosk(site: Site) -> AsyncIterator[Sessions]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        it = Sessions(site, group)
        yield it
        for task in it.tasks:
            task.cancel()


async def latency(site: Site, central: Any) -> float:
    """Seconds from an event to its arrival."""
    site.queue.add(issued(len(site.queue.records) + 1))
    begin = SystemClock().now().monotonic
    await central.until(partial(has_got, central, len(site.queue.records)))
    return SystemClock().now().monotonic - begin


@pytest.mark.parametrize("fate", ["absent", "denied", "silent", "forbidden"])
async def test_a_broker_in_trouble_never_slows_the_other(tmp_path: Path, mosquitto: Broker, fate: str) -> None:
    site = Site()
    (tmp_path / "other").mkdir()
    acl = "topic read #\n" if fate == "forbidden" else None
    with broker(tmp_path / "other", acl=acl) as other, peer(mosquitto.port, "peer", EVENTS) as central:
        async with proxy(other.port) as wire, kiosk(site) as sessions:
            if fate == "denied":
                wire.mode = "deny"
            sessions.serve("site", free_port() if fate == "absent" else wire.port)
            sessions.serve("central", mosquitto.port)
            site.queue.add(*day(10))
            await central.until(lambda: has_got(central, 10))
            if fate == "silent":
                wire.mode = "black_hole"
            site.queue.add(*day(100))
            await central.until(lambda: has_got(central, 110))
            assert min([await latency(site, central) for _ in range(5)]) < 0.1
            assert once(sequences(central.messages)) == list(range(1, 116))
            assert site.told("site")["ticket"] == 0 or fate == "silent"


async def test_each_broker_is_told_everything_at_its_own_pace(tmp_path: Path, mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(60))
    (tmp_path / "other").mkdir()
    with broker(tmp_path / "other") as other, peer(mosquitto.port, "peer", EVENTS) as central, peer(other.port, "peer", EVENTS) as near:
        async with kiosk(site) as sessions:
            sessions.serve("central", mosquitto.port, pace_per_s=50)
            sessions.serve("site", other.port)
            await near.until(lambda: has_got(near, 60))
            assert not has_got(central, 60)
            await central.until(lambda: has_got(central, 60))
            await until(lambda: set(site.told("site").values()) == set(site.told("central").values()) == {60})
        assert sequences(near.messages) == sequences(central.messages) == list(range(1, 61))


async def test_a_family_that_is_refused_degrades_the_broker_until_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.02)
    site = Site()
    rules = f"topic readwrite {ROOT}/#\ntopic deny {ROOT}/ev/ticket\n"
    site.queue.add(*day(10))
    with broker(tmp_path, acl=rules) as strict:
        async with kiosk(site) as sessions:
            sessions.serve("central", strict.port)
            with peer(strict.port, "peer", EVENTS):
                await until(lambda: sessions.now("central") == ("degraded", "refused"))
            assert "the broker refuses ev/ticket since" in sessions.health("central")[-1][2]
            assert sessions.health("central")[-1][2].endswith("not_authorized")


async def test_a_family_that_nobody_takes_degrades_the_broker_until_somebody_does(
    mosquitto: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.02)
    monkeypatch.setattr(troubles, "HELD_S", 0.2)
    monkeypatch.setattr("kiosd.mqtt.uplink.PROBE_S", 0.05)
    site = Site()
    site.queue.add(*day(10))
    async with kiosk(site) as sessions:
        sessions.serve("central", mosquitto.port)
        await until(lambda: sessions.now("central") == ("degraded", "nobody_listens"))
        assert "nobody takes ev/counter, ev/ticket since" in sessions.health("central")[-1][2]
        with peer(mosquitto.port, "peer", EVENTS):
            await until(lambda: sessions.now("central") == ("ok", ""))
        assert [state for state, _, _ in sessions.health("central")] == ["ok", "degraded", "ok"]


async def test_what_serves_a_broker_is_told_and_may_be_joined(mosquitto: Broker) -> None:
    site = Site()
    attached: list[str] = []
    joined = asyncio.Event()

    async def also(_link: object) -> None:
        joined.set()
        await asyncio.Event().wait()

    mqtt = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(
            run_session(
                "site", mqtt, site="CTH01", node="hub", config_hash="x", queue=site.queue, cursors=site.memory, clock=site.clock,
                also=[also], attach=lambda name, *_: attached.append(name),
            )
        )  # fmt: skip
        await joined.wait()
        task.cancel()
    assert attached == ["site"]
