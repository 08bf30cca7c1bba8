"""The pin library: what its failures advise, and its one thread, without which no button is heard.

lgpio is not installed where tests run; ``Lgpio`` has its thread as the real one has it: one for all pins, ended by any exception.
"""

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gpiozero import Device

from kiosd import satellite
from kiosd.clock import ManualClock
from kiosd.errors import DeviceError
from kiosd.notify import feed
from kiosd.ports import Press
from kiosd.threads import DEAD_S, VITAL, Vital
from kiosd_drivers import _gpio
from kiosd_drivers._gpio import remedy
from kiosd_drivers.gpio_buttons import DRIVER, Config
from kiosd_sim import pins as sim
from kiosd_sim.pins import Pins
from support.manager import Manager
from support.sim_pins import simulated_pins, until
from support.site import WEDNESDAY

CONFIG = Config(buttons={"A": 4}, debounce_s=0.01, stuck_s=0.04)


class Lgpio:
    """As much of lgpio as matters: ``_notify_thread`` runs all callbacks, one by one, without a try."""

    def __init__(self) -> None:
        self.replaced = 0
        self.can_live = True
        self._notify_thread = self._callback_thread()

    def _callback_thread(self) -> threading.Thread:
        self.replaced += 1
        self.calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._run, args=(self.calls,), daemon=True)
        thread.start()
        return thread

    def _run(self, calls: "queue.SimpleQueue[Callable[[], object] | None]") -> None:
        while self.can_live and (call := calls.get()) is not None:
            call()

    def die(self, can_live: bool) -> None:
        """A callback of somebody raises."""
        self.can_live = can_live
        thread, self.calls = self._notify_thread, self.calls
        self.calls.put(lambda: 1 // 0)
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    with simulated_pins(tmp_path) as finger:
        Device.ensure_pin_factory()
        yield finger


@pytest.fixture
def lgpio(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lgpio]:
    """Every edge goes through the thread, as on a board."""
    del pins
    it = Lgpio()
    monkeypatch.setattr(sim, "lgpio", it, raising=False)  # in the factory's module, where gpiozero's own lgpio factory has it
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(VITAL, "_alive", {})
    monkeypatch.setattr(VITAL, "_dead_since", {})
    heard = _gpio.Button._edge
    monkeypatch.setattr(_gpio.Button, "_edge", lambda button, ticks, level: it.calls.put(lambda: heard(button, ticks, level)))
    yield it
    it.calls.put(None)


async def session(until_press: bool) -> None:
    """One opening of the panel, as its supervisor does it: until a press, or until it is gone."""
    async with asyncio.timeout(10), DRIVER.open(CONFIG) as panel:
        stream: Any = panel.presses()
        async with aclosing(stream) as items:
            async for item in items:
                if isinstance(item, Press) and until_press:
                    return


async def pressed(pins: Pins) -> None:
    """The panel is open and hears a press."""
    async with asyncio.TaskGroup() as tasks:
        panel = tasks.create_task(session(until_press=True))
        await until(lambda: 4 in pins.state())
        pins.press(4, 0.02)
        await panel


async def test_a_thread_that_an_exception_killed_is_replaced_and_the_watchdog_never_starves(
    pins: Pins, lgpio: Lgpio, manager: Manager
) -> None:
    await pressed(pins)
    lgpio.die(can_live=True)
    feed(100.0)
    assert manager.fed(), "it has time to be replaced"
    await pressed(pins)
    assert lgpio.replaced == 2
    feed(100.0 + 2 * DEAD_S)
    assert manager.fed()


async def test_an_open_panel_notices_that_the_thread_is_dead(pins: Pins, lgpio: Lgpio) -> None:
    async with asyncio.TaskGroup() as tasks:
        panel = tasks.create_task(_gone())
        await until(lambda: 4 in pins.state())
        lgpio.die(can_live=True)
        assert (await panel).code == "gpio_thread"


async def _gone() -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await session(until_press=False)
    return caught.value


async def test_a_thread_that_stays_dead_starves_the_watchdog_until_it_lives(
    lgpio: Lgpio, manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with DRIVER.open(CONFIG):
        pass
    lgpio.die(can_live=False)

    async def interval_of_satellite(clock: ManualClock) -> None:
        await satellite._watchdog(clock)

    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    clock = ManualClock(WEDNESDAY)
    async with asyncio.TaskGroup() as tasks:
        watchdog = tasks.create_task(interval_of_satellite(clock))
        await until(manager.fed)
        await until(lambda: bool(VITAL._dead_since))
        clock.advance(10.0)
        with caplog.at_level(logging.CRITICAL):
            await until(lambda: "lgpio's callback thread is dead" in caplog.text)
        assert not manager.fed()
        lgpio.can_live = True
        async with DRIVER.open(CONFIG):
            assert lgpio.replaced == 2
        clock.advance(10.0)
        await until(manager.fed)
        watchdog.cancel()


def test_only_what_is_dead_for_long_starves() -> None:
    vital, alive = Vital(), {"a": True, "b": True}
    vital.check("a", lambda: alive["a"])
    vital.check("b", lambda: alive["b"])
    assert vital.dead(0.0) == []
    alive["b"] = False
    assert vital.dead(5.0) == []
    assert vital.dead(5.0 + DEAD_S - 0.1) == []
    assert vital.dead(5.0 + DEAD_S) == ["b"]
    alive["b"] = True
    assert vital.dead(40.0) == []
    alive["b"] = False
    assert vital.dead(50.0) == [], "its time begins anew"


# -- remedies

DEAD, WHOLE, OLD = SimpleNamespace(), SimpleNamespace(SET_PULL_NONE=0x80), SimpleNamespace(SET_BIAS_DISABLE=0x200)


@pytest.mark.parametrize(
    ("name", "lgpio_", "error", "chip", "advice"),
    [
        ("", None, "", None, "set GPIOZERO_PIN_FACTORY=lgpio"),
        ("lgpio", None, "No module named 'lgpio'", None, "apt install python3-lgpio"),
        ("lgpio", DEAD, "module 'lgpio' has no attribute 'SET_BIAS_DISABLE'", None, "dead 0.0.0.2"),
        ("lgpio", WHOLE, "[Errno 2] No such file or directory: '.lgd-nfy-3'", 0o600, "working directory"),
        ("lgpio", OLD, "can not open gpiochip", None, "there is no /dev/gpiochip0"),
        ("lgpio", WHOLE, "can not open gpiochip", None, "there is no /dev/gpiochip0"),
        ("lgpio", WHOLE, "can not open gpiochip", 0o000, "group gpio"),
        ("lgpio", WHOLE, "unknown Pi", 0o600, ""),
        ("kiosd_sim", None, "KIOSD_SIM_PINS is not set", None, ""),
    ],
)
def test_a_library_that_does_not_work_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lgpio_: object, error: str, chip: int | None, advice: str
) -> None:
    monkeypatch.setattr(_gpio, "CHIPS", str(tmp_path / "gpiochip*"))
    monkeypatch.setattr(os, "access", lambda path, _: bool(Path(path).stat().st_mode & 0o600))  # tests may run as root
    if chip is not None:
        (tmp_path / "gpiochip0").touch()
        (tmp_path / "gpiochip0").chmod(chip)
    said = remedy(name, error, {} if lgpio_ is None else {"lgpio": lgpio_})
    assert advice in said if advice else not said


async def test_a_dead_lgpio_is_an_error_that_says_so(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    Device.pin_factory.close()
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    monkeypatch.setitem(sys.modules, "lgpio", SimpleNamespace())
    with pytest.raises(DeviceError, match=r"GPIOZERO_PIN_FACTORY=lgpio.*dead 0\.0\.0\.2") as caught:
        async with DRIVER.open(CONFIG):
            pass
    assert caught.value.code == "gpio"
