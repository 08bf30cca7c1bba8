"""Buttons and lamps: the driver over gpiozero on simulated pins."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from gpiozero import Device, DigitalInputDevice

from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, Fault, LampState, Press
from kiosd_drivers import _lamps, _press
from kiosd_drivers._press import JABBER
from kiosd_drivers.gpio_buttons import DRIVER, Config, Panel
from kiosd_sim import pins as sim
from kiosd_sim.pins import Pins, PinState
from support.sim_pins import simulated_pins, until

TWO = {"A": 4, "B": 17}


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    with simulated_pins(tmp_path) as finger:
        yield finger


class Reader:
    """Collects what a panel yields, with a deadline for each item."""

    def __init__(self, items: AsyncIterator[Press | Fault]) -> None:
        self._items = items

    async def next(self) -> Press | Fault:
        async with asyncio.timeout(5):
            return await anext(self._items)

    async def buttons(self, count: int) -> list[str]:
        items = [await self.next() for _ in range(count)]
        return [item.button for item in items if isinstance(item, Press)]


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[ButtonPanel, Reader]]:
    async with DRIVER.open(config) as panel, aclosing(panel.presses()) as items:  # type: ignore[type-var]  # an async generator
        yield panel, Reader(items)


async def test_a_press_arrives_with_the_time_of_the_callback(pins: Pins) -> None:
    async with opened(Config(buttons=TWO)) as (_, reader):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        pins.press(17)
        after = time.clock_gettime(time.CLOCK_BOOTTIME)
        press = await reader.next()
        assert isinstance(press, Press)
        assert press.button == "B"
        assert before <= press.at <= after - 0.08, "taken when the contact closed, not when the loop came to it"


async def test_a_bouncing_contact_gives_one_press(pins: Pins) -> None:
    # A long debounce time, for a busy machine may stretch the bounces; the 50 ms are tested in test_contact.py with exact times.
    async with opened(Config(buttons=TWO, debounce_s=1.0)) as (_, reader):
        pins.bounce(4)
        pins.press(17, 0.001)
        assert await reader.buttons(2) == ["A", "B"]


async def test_two_buttons_at_once_are_two_presses(pins: Pins) -> None:
    async with opened(Config(buttons=TWO)) as (_, reader):
        fingers = [threading.Thread(target=pins.press, args=(pin,)) for pin in (4, 17)]
        for finger in fingers:
            finger.start()
        for finger in fingers:
            finger.join(5)
        assert sorted(await reader.buttons(2)) == ["A", "B"]


async def test_buttons_to_the_supply(pins: Pins) -> None:
    async with opened(Config(buttons=TWO, pull_up=False)) as (_, reader):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


async def test_a_stuck_button_is_a_fault_and_the_others_go_on(pins: Pins) -> None:
    async with opened(Config(buttons=TWO, stuck_s=0.1)) as (_, reader):
        pins.low(4)
        assert await reader.buttons(1) == ["A"]
        assert await reader.next() == Fault(
            "stuck", "button A has been down for more than 0.1 s: it is jammed, or its cable has a short circuit", "A"
        )
        pins.press(17, 0.001)
        assert await reader.buttons(1) == ["B"]
        pins.high(4)
        assert await reader.next() == Fault("", "button A is free again", "A")


async def test_a_button_that_is_down_when_the_panel_opens_gives_no_press_but_is_stuck(pins: Pins) -> None:
    config = Config(buttons=TWO, stuck_s=0.1)
    async with opened(config):
        pins.low(4)
    async with opened(config) as (_, reader):
        fault = await reader.next()
        assert isinstance(fault, Fault)
        assert (fault.code, fault.subject) == ("stuck", "A")
        pins.high(4)
        assert await reader.next() == Fault("", "button A is free again", "A")
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


async def test_lamps_are_seen_on_their_pins_and_go_out_at_close(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lamps, "BLINKS", {LampState.RATE_NOW: (0.01, -0.01)})
    async with opened(Config(buttons=TWO, lamps={"ready": 27})) as (panel, _):
        assert pins.state()[27] == PinState("out", False)
        await panel.lamp("ready", LampState.ON)
        assert pins.state()[27] == PinState("out", True)
        await panel.lamp("ready", LampState.RATE_NOW)
        for level in (False, True, False):
            await until(lambda level=level: pins.state()[27].level is level)  # type: ignore[misc]  # mypy does not infer the default
        await panel.lamp("ready", LampState.OFF)
        assert pins.state()[27] == PinState("out", False)
        await panel.lamp("unknown", LampState.ON)
        await panel.lamp("ready", LampState.RATE_NOW)
        pin = Device.pin_factory.pin(27)
    assert not pin.state
    assert pin.function == "input"


async def test_a_lamp_that_is_lit_by_a_low_pin(pins: Pins) -> None:
    async with opened(Config(buttons=TWO, lamps={"ready": 27}, active_high=False)) as (panel, _):
        assert pins.state()[27].level
        await panel.lamp("ready", LampState.ON)
        assert not pins.state()[27].level


async def test_a_blinking_lamp_that_fails_ends_the_panel(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lamps, "BLINKS", {LampState.RATE_NOW: (0.01, -0.01)})
    async with opened(Config(buttons=TWO, lamps={"ready": 27})) as (panel, reader):
        await panel.lamp("ready", LampState.RATE_NOW)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(sim.SimPin, "_set_state", _no_such_device)
            with pytest.raises(DeviceError, match="No such device"):
                await reader.next()


def _no_such_device(*_: object) -> None:
    raise OSError(19, "No such device")


async def test_several_panels_share_the_pin_library_and_close_only_their_own_pins(pins: Pins) -> None:
    async with opened(Config(buttons={"A": 4})) as (_, reader):
        with pytest.raises(DeviceError, match="button D on GPIO 4") as caught:
            async with opened(Config(buttons={"C": 5, "D": 4})):
                pass
        assert caught.value.code == "pin_in_use"
        assert set(pins.state()) == {4}
        async with opened(Config(buttons={"C": 5})):
            assert set(pins.state()) == {4, 5}
        assert set(pins.state()) == {4}
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


async def test_closing_frees_the_pins_and_the_panel_opens_again(pins: Pins) -> None:
    config = Config(buttons=TWO, lamps={"ready": 27})
    for _ in range(3):
        async with opened(config) as (_, reader):
            pins.press(4, 0.001)
            assert await reader.buttons(1) == ["A"]
        assert pins.state() == {}
    with DigitalInputDevice(4):
        pass


async def test_a_line_that_another_program_holds_can_be_opened_later(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as busy:
        busy.setattr(sim.SimFactory, "pin", _gpio_busy)
        with pytest.raises(DeviceError, match="button A on GPIO 4: GPIO busy") as caught:
            async with opened(Config(buttons=TWO)):
                pass
    assert caught.value.code == "pin_in_use"
    async with opened(Config(buttons=TWO)) as (_, reader):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


def _gpio_busy(*_: object) -> None:
    raise RuntimeError("GPIO busy")


@pytest.mark.parametrize(
    ("factory", "reason"), [("nonsense", "nonsense"), ("kiosd_sim", "KIOSD_SIM_PINS is not set"), (None, "Falling back")]
)
async def test_without_the_pin_library_it_fails_and_never_takes_another(
    pins: Pins, monkeypatch: pytest.MonkeyPatch, factory: str | None, reason: str
) -> None:
    monkeypatch.delenv(sim.SOCKET_ENV)
    if factory is None:
        monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
        monkeypatch.setitem(sys.modules, "lgpio", None)  # as on a machine without it
    else:
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", factory)
    with pytest.raises(DeviceError, match=reason) as caught:
        async with opened(Config(buttons=TWO)):
            pass
    assert caught.value.code == "gpio"
    assert Device.pin_factory is None


async def test_lost_signals_are_a_fault_and_cleared_when_the_flood_is_over(pins: Pins) -> None:
    async with opened(Config(buttons=TWO, stuck_s=0.2)) as (_, reader):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]
        for _ in range(200):  # while the loop stands still
            pins.press(17, 0)
        seen = list[Press | Fault]()
        faults = dict[str, str]()
        while set(faults) != {"jabber", "overflow", ""}:  # the check may come before the first edge is looked at, or after
            seen.append(await reader.next())
            if isinstance(seen[-1], Fault):
                faults[seen[-1].code] = seen[-1].detail
        assert [code for code in faults if code != "jabber"] == ["overflow", ""]
        assert "button signals were lost" in faults["overflow"]
        assert "B" in [item.button for item in seen if isinstance(item, Press)]


async def test_a_contact_that_shakes_is_muted_until_it_is_quiet_and_the_others_go_on(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_press, "QUIET_S", 0.2)
    async with opened(Config(buttons=TWO, stuck_s=0.4, hold_off_s=0.0)) as (_, reader):
        for _ in range(JABBER):
            pins.press(4, 0)
        seen = [await reader.next()]
        while isinstance(seen[-1], Press):
            seen.append(await reader.next())
        assert isinstance(seen[-1], Fault) and (seen[-1].code, seen[-1].subject) == ("jabber", "A")
        pins.press(17, 0.001)
        assert await reader.buttons(1) == ["B"]
        assert await reader.next() == Fault("", "button A is free again", "A")
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


async def test_several_buttons_of_one_name_are_one_button_and_tell_their_faults_apart(pins: Pins) -> None:
    config = Config.model_validate({"buttons": {"A": [4, 5], "B": 17}, "stuck_s": 0.1, "hold_off_s": 0.0})
    async with opened(config) as (_, reader):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]
        pins.low(5)
        assert await reader.buttons(1) == ["A"]
        fault = await reader.next()
        assert isinstance(fault, Fault) and (fault.code, fault.subject) == ("stuck", "A (GPIO 5)")
        pins.press(4, 0.001)  # at least 0.1 s after its first press
        assert await reader.buttons(1) == ["A"]


async def test_on_a_rating_panel_two_at_once_count_for_nothing_and_one_alone_counts(pins: Pins) -> None:
    # A long time, for a busy machine may stretch a moment; the 150 ms are tested with exact times.
    config = Config(buttons=TWO, together_s=1.0, hold_off_s=0.0).at_place("rating")
    async with opened(config) as (_, reader):
        pins.press(4, 0)
        pins.press(17, 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await reader.next()
    async with opened(config) as (_, reader):
        pins.press(17, 0)
        assert await reader.buttons(1) == ["B"]


async def test_a_button_is_deaf_after_its_press_and_the_other_is_not(pins: Pins) -> None:
    async with opened(Config(buttons=TWO, hold_off_s=60.0, debounce_s=0.005)) as (_, reader):
        for _ in range(3):
            pins.press(4, 0.02)
        pins.press(17, 0.001)
        assert await reader.buttons(2) == ["A", "B"]


async def test_when_lgpios_callback_thread_dies_the_panel_is_gone_and_opening_again_revives_it(
    pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CallbackThread:
        """As much of lgpio's as the driver touches; the real one cannot be stopped from outside."""

        alive = True

        def is_alive(self) -> bool:
            return self.alive

    lgpio = SimpleNamespace(_notify_thread=CallbackThread(), _callback_thread=CallbackThread)
    monkeypatch.setattr(sim, "lgpio", lgpio, raising=False)  # in the factory's module, where gpiozero's own lgpio factory has it
    config = Config(buttons=TWO, debounce_s=0.01, stuck_s=0.04)
    async with opened(config) as (_, reader), opened(Config(buttons={"C": 5}, debounce_s=0.01, stuck_s=0.04)) as (_, other):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]
        lgpio._notify_thread.alive = False
        with pytest.raises(DeviceError, match="callback thread has died") as caught:
            await reader.next()
        assert caught.value.code == "gpio_thread"
        async with DRIVER.open(Config(buttons={"D": 6})):
            assert lgpio._notify_thread.is_alive()
            with pytest.raises(DeviceError, match="callback thread has died"):
                await other.next()  # its callbacks were in the dead thread, whatever lives now
    async with opened(config) as (_, reader):
        pins.press(4, 0.001)
        assert await reader.buttons(1) == ["A"]


def test_a_callback_after_the_loop_has_ended_does_not_raise(pins: Pins) -> None:
    async def left_open() -> Panel:
        panel = Panel(Config(buttons=TWO))
        panel.claim()
        return panel

    panel = asyncio.run(left_open())
    pins.press(4, 0.001)  # a callback that raised would be a ValueError here
    panel.close()
