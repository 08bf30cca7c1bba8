"""Buttons and lamps: the rule for contacts with made-up times, and the driver over gpiozero on simulated pins."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gpiozero import Device, DigitalInputDevice
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, Fault, LampState, Press
from kiosd.registry import find
from kiosd_drivers import _lamps, _press
from kiosd_drivers._press import JABBER, Contact
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


# -- the rule, from times alone


def contact(down: bool = False) -> Contact:
    return Contact(debounce_s=0.05, stuck_s=10.0, down=down, at=100.0)


def presses(of: Contact, *edges: tuple[bool, float]) -> list[float]:
    return [at for down, at in edges if of.edge(down, at)]


def test_the_first_closing_is_the_press_and_it_does_not_wait() -> None:
    assert presses(contact(), (True, 101.0), (False, 101.2), (True, 102.0)) == [101.0, 102.0]


def test_five_bounces_within_30_ms_are_one_press() -> None:
    bounces = [(index % 2 == 0, 101.0 + index * 0.003) for index in range(10)]
    assert presses(contact(), *bounces) == [101.0]


def test_bounces_of_the_release_are_no_press() -> None:
    assert presses(contact(), (True, 101.0), (False, 103.0), (True, 103.004), (False, 103.006)) == [101.0]


@pytest.mark.parametrize(("gap", "second"), [(0.049, []), (0.051, [101.1])])
def test_the_contact_must_have_been_quiet_for_50_ms(gap: float, second: list[float]) -> None:
    assert presses(contact(), (True, 101.0), (False, 101.1 - gap), (True, 101.1)) == [101.0, *second]


def test_a_contact_that_is_closed_at_the_start_gives_a_press_only_after_it_opened() -> None:
    assert presses(contact(down=True), (False, 101.0), (True, 102.0)) == [102.0]


def test_the_same_edge_told_twice_is_one_press() -> None:
    assert presses(contact(), (True, 101.0), (True, 102.0), (False, 103.0), (True, 104.0)) == [101.0, 104.0]


def test_a_contact_held_for_10_s_is_stuck_until_it_opens() -> None:
    button = contact()
    button.edge(True, 101.0)
    assert [button.check(True, at) for at in (102.0, 110.9, 111.0, 112.0)] == [False, False, True, False]
    assert button.stuck
    button.edge(False, 112.5)
    assert button.check(False, 113.0)
    assert not button.stuck


def test_a_shaking_contact_is_still_held() -> None:
    button = contact()
    button.edge(True, 101.0)
    button.edge(False, 105.0)
    assert not button.check(False, 105.0005)
    button.edge(True, 105.001)
    assert button.check(True, 111.0)


def test_a_new_press_starts_the_time_anew() -> None:
    button = contact()
    assert presses(button, (True, 101.0), (False, 105.0), (True, 106.0)) == [101.0, 106.0]
    assert not button.check(True, 111.0)
    assert button.check(True, 116.0)


def test_the_level_makes_good_a_lost_opening_edge() -> None:
    button = contact()
    assert presses(button, (True, 101.0)) == [101.0]
    assert not button.check(False, 102.0)
    assert not button.check(True, 112.0)
    assert presses(button, (True, 112.0)) == [112.0]


def test_a_level_read_before_its_edge_arrives_does_not_eat_the_press() -> None:
    button = contact()
    assert not button.check(True, 101.001)
    assert presses(button, (True, 101.0)) == [101.0]


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.3)), max_size=60))
def test_no_two_presses_are_closer_than_the_debounce_time(steps: list[tuple[bool, float]]) -> None:
    button, now, found = contact(), 100.0, []
    for down, gap in steps:
        now += gap
        if button.edge(down, now):
            found.append(now)
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(found))


# -- the driver, on pins


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
    # A long debounce time, for a busy machine may stretch the bounces; the 50 ms are tested above with exact times.
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
        seen = [await reader.next()]
        while not (isinstance(seen[-1], Fault) and seen[-1].code == ""):
            seen.append(await reader.next())
        faults = [item for item in seen if isinstance(item, Fault)]
        assert [fault.code for fault in faults] == ["jabber", "overflow", ""]
        assert "button signals were lost" in faults[1].detail
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


# -- configuration


def test_the_registry_finds_the_driver() -> None:
    assert find("gpio_buttons") is DRIVER
    assert DRIVER.port is ButtonPanel


def test_the_least_configuration_has_the_fields_defaults() -> None:
    config = Config.model_validate({"buttons": {"A": 4}})
    assert (config.pull_up, config.debounce_s, config.stuck_s, config.lamps) == (True, 0.05, 10.0, {})


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        ({"buttons": {}}, "buttons", "at least 1"),
        ({"buttons": {"A": 28}}, "buttons.A", "less than or equal to 27"),
        ({"buttons": {"A": -1}}, "buttons.A", "greater than or equal to 0"),
        ({"buttons": {"A": "4"}}, "buttons.A", "valid integer"),
        ({"buttons": {"A": True}}, "buttons.A", "valid integer"),
        ({"buttons": {"A b": 4}}, "buttons.A b", "pattern"),
        ({"buttons": {"": 4}}, "buttons.", "pattern"),
        ({"buttons": {"a" * 17: 4}}, "buttons.aaaaaaaaaaaaaaaaa", "pattern"),
        ({"buttons": {"A\n": 4}}, "buttons.A\n", "pattern"),
        ({"buttons": {"A": []}}, "buttons.A", "at least 1"),
        ({"buttons": {"A": [4, 28]}}, "buttons.A.1", "less than or equal to 27"),
        ({"buttons": {"A": [4, 4]}}, "", "GPIO 4 is used twice: by button A and by button A"),
        ({"buttons": {"A": [2]}, "pull_up": False}, "", "GPIO 2 has a fixed pull-up resistor"),
        ({"buttons": {"A": 4, "B": 4}}, "", "GPIO 4 is used twice: by button A and by button B"),
        ({"buttons": {"A": 4}, "lamps": {"A": 4}}, "", "GPIO 4 is used twice: by button A and by lamp A"),
        ({"buttons": {"A": 2}, "pull_up": False}, "", "GPIO 2 has a fixed pull-up resistor"),
        ({"buttons": {"A": 4}, "debounce_s": 0}, "debounce_s", "greater than or equal to 0.005"),
        ({"buttons": {"A": 4}, "stuck_s": 0}, "stuck_s", "greater than 0"),
        ({"buttons": {"A": 4}, "debounce_s": 0.5, "stuck_s": 0.5}, "", "debounce_s must be shorter than stuck_s"),
        ({"buttons": {"A": 4}, "two": "all"}, "two", "'first', 'none' or 'both'"),
        ({"buttons": {"A": 4}, "pins": {}}, "pins", "not permitted"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(data: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(data)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"] if part not in {"[key]", "one", "several"}) == where
    assert what in error["msg"]
