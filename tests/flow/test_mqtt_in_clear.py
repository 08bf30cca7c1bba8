"""``insecure = true``: allowed, and said for ever."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosd.clock import ManualClock, SystemClock
from kiosd.mqtt.plain import AGAIN_S, IN_CLEAR, or_in_clear, warn_in_clear
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.troubles import Trouble
from kiosd.queue.commands import ReportDevice
from support.broker import broker
from support.fakequeue import FakeQueue, MemoryCursors
from support.fedlink import settled
from support.mqtt_peer import until

NOON = datetime(2026, 7, 1, 5, tzinfo=UTC)
CLEAR = MqttSettings(host="broker.example", insecure=True)
PROTECTED = [MqttSettings(host="broker.example", ca_file=Path("/ca.crt"), insecure=True), MqttSettings(host="127.0.0.1", insecure=True)]


@pytest.mark.parametrize("host", ["broker.example", "192.168.1.10", "0.0.0.0", "fe80::1", "localhost.example", "127.0.0.1.example"])  # noqa: S104 - not bound
def test_another_machine_in_clear_takes_the_word_insecure(host: str) -> None:
    with pytest.raises(ValidationError, match="insecure = true to send in clear"):
        MqttSettings(host=host)
    assert MqttSettings(host=host, insecure=True).in_clear


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_may_be_spoken_to_in_clear(host: str) -> None:
    assert not MqttSettings(host=host).in_clear


async def test_it_is_said_in_the_log_at_the_start_and_every_six_hours(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(NOON)

    def said() -> int:
        return caplog.text.count("mqtt central: insecure = true: everything, the password too, crosses the network in clear")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(warn_in_clear("central", CLEAR, clock))
        for times in range(1, 9):
            await settled()
            assert said() == times
            clock.advance(AGAIN_S)
        task.cancel()


@pytest.mark.parametrize("settings", PROTECTED)
async def test_nothing_is_said_of_what_nobody_can_read(settings: MqttSettings, caplog: pytest.LogCaptureFixture) -> None:
    await warn_in_clear("central", settings, ManualClock(NOON))
    assert not caplog.text
    assert or_in_clear(settings, lambda _now: None)(ManualClock(NOON).now()) is None


def test_what_is_worse_is_said_first() -> None:
    worse = Trouble("refused", "the broker refuses ev/ticket")
    troubles: list[Callable[[object], Trouble | None]] = [lambda _now: worse, lambda _now: None]
    assert [or_in_clear(CLEAR, trouble)(ManualClock(NOON).now()) for trouble in troubles] == [worse, IN_CLEAR]


async def test_the_broker_is_a_degraded_device_while_it_is_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.mqtt.settings.is_loopback", lambda _host: False)
    clock = SystemClock()
    queue = FakeQueue(clock)

    def health() -> list[tuple[str, str, str]]:
        reports = [command for command in queue.executed if isinstance(command, ReportDevice)]
        return [(report.device, report.state, report.code) for report in reports]

    with broker(tmp_path) as it:
        settings = MqttSettings(host="127.0.0.1", port=it.port, insecure=True)
        async with asyncio.TaskGroup() as group:
            session = run_session(
                "central", settings, site="CTH01", node="hub", config_hash="x", queue=queue, cursors=MemoryCursors(), clock=clock
            )  # fmt: skip
            task = group.create_task(session)
            await until(health)
            task.cancel()
    assert health() == [("mqtt-central", "degraded", "insecure")]
