"""The lamp at the keys of a satellite says that the hub is out of reach, and that it is back."""

import asyncio
from pathlib import Path

import pytest

from kiosd.ports import LampState
from kiosd.stations.counter import LAMP_CHECK_S
from kiosd_drivers._lamps import Lamp
from support.broker import Broker
from support.satellite import LIMIT_S, READY, desk, hub, pins, reached, satellite, write_config
from support.sim_pins import until


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[LampState]:
    """What lamps were told to show, oldest first."""
    states: list[LampState] = []
    show = Lamp.show

    def noted(lamp: Lamp, state: LampState) -> None:
        states.append(state)
        show(lamp, state)

    monkeypatch.setattr(Lamp, "show", noted)
    return states


async def test_without_its_hub_the_lamp_flashes_and_with_it_it_is_lit(tmp_path: Path, mosquitto: Broker, shown: list[LampState]) -> None:
    with desk(tmp_path) as far, pins(tmp_path):
        async with asyncio.timeout(LIMIT_S), satellite(write_config(tmp_path, mosquitto.port, far)) as queue:
            await until((tmp_path / "pins").exists)
            for level in (True, False, True):
                await far.lamp(READY, level)
            assert set(shown) == {LampState.FAULT, LampState.OFF}, "dark is the rating panel's"
            async with hub(tmp_path / "hub", mosquitto.port) as it:
                await it.issue()
                await reached(queue)
                await until(lambda: LampState.ON in shown, LAMP_CHECK_S + 10)
                await far.lamp(READY, True)
