"""A keypad as a panel: the rule for its keys with made-up events, and the driver on a simulated keypad."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import evdev
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import Fault, LampState, Press
from kiosd.registry import find
from kiosd_drivers._keypad import DOWN, EV_KEY, EV_SYN, KEYS, SYN_DROPPED, SYN_REPORT, UP, KeyEdges
from kiosd_drivers.evdev_keypad import DRIVER, Config, Keypad
from kiosd_sim.keyboard import SimKeyboard
from support.farinputs import keyboards
from support.sim_pins import until

KP0, KP1, KP2, NUMLOCK, REPEAT = KEYS["KP0"], KEYS["KP1"], KEYS["KP2"], 69, 2
TWO = {"match": {"name": "Pad"}, "keys": {"KP1": "A", "KP2": "B"}, "lamps": {"ready": "numlock"}, "hold_off_s": 0.0}


def config(**more: Any) -> Config:
    return Config.model_validate({**TWO, **more})


# -- the rule


def edges(*active: int, down: tuple[int, ...] = ()) -> KeyEdges:
    return KeyEdges([KP1, KP2], down, lambda: active)


def test_going_down_and_up_are_edges_and_nothing_else_is() -> None:
    keys = edges()
    events = [(EV_KEY, KP1, DOWN), (EV_KEY, KP1, REPEAT), (EV_KEY, NUMLOCK, DOWN), (EV_KEY, KP0, DOWN), (4, KP1, DOWN), (EV_KEY, KP1, UP)]
    assert [edge for event in events for edge in keys.feed(*event)] == [(KP1, True), (KP1, False)]


def test_after_lost_events_the_keys_are_asked_how_they_are() -> None:
    keys = edges(KP2, down=(KP1,))
    assert keys.feed(EV_SYN, SYN_DROPPED, 0) == []
    assert keys.feed(EV_KEY, KP1, DOWN) == [], "what comes before the next report means nothing"
    assert sorted(keys.feed(EV_SYN, SYN_REPORT, 0)) == [(KP1, False), (KP2, True)]
    assert keys.feed(EV_SYN, SYN_REPORT, 0) == []
    assert keys.feed(EV_KEY, KP2, UP) == [(KP2, False)]


@given(st.lists(st.tuples(st.sampled_from([EV_SYN, EV_KEY, 4]), st.integers(0, 255), st.integers(0, 3)), max_size=100))
def test_edges_of_a_key_alternate_whatever_comes(events: list[tuple[int, int, int]]) -> None:
    keys, down = edges(KP1), set[int]()
    for event in events:
        for code, is_down in keys.feed(*event):
            assert (code in down) is not is_down
            down = down | {code} if is_down else down - {code}
    assert down == keys.down


def test_the_codes_are_linuxs() -> None:
    assert {f"KEY_{name}": code for name, code in KEYS.items()}.items() <= evdev.ecodes.ecodes.items()


# -- the driver


@pytest.fixture
def pad(tmp_path: Path) -> Iterator[SimKeyboard]:
    """A keypad, and beside it a keyboard that is not ours."""
    it, other = SimKeyboard(tmp_path / "event0", name="Pad"), SimKeyboard(tmp_path / "event1", name="Somebody's")
    for each in (it, other):
        each.plug()
    with keyboards(it, other):
        yield it
    assert other.holder is None, "a keyboard without a rule was grabbed"
    assert not other.is_open


@asynccontextmanager
async def opened(of: Config) -> AsyncIterator[tuple[Keypad, AsyncIterator[Press | Fault]]]:
    async with asyncio.timeout(10), DRIVER.open(of) as panel:
        stream: Any = panel.presses()
        async with aclosing(stream) as items:
            yield panel, items


async def press(items: AsyncIterator[Press | Fault]) -> str:
    item = await anext(items)
    assert isinstance(item, Press)
    return item.button


def test_the_registry_finds_the_driver() -> None:
    assert find("evdev_keypad") is DRIVER


async def test_it_is_grabbed_at_once_and_let_go(pad: SimKeyboard) -> None:
    async with opened(config()):
        assert pad.holder is not None
    assert pad.holder is None


async def test_keys_are_presses_and_a_held_one_is_one_press(pad: SimKeyboard) -> None:
    async with opened(config()) as (_, items):
        pad.key(KP2, DOWN)
        for _ in range(20):
            pad.key(KP2, REPEAT)
        pad.tap(NUMLOCK)
        pad.tap(KP1)
        assert [await press(items), await press(items)] == ["B", "A"]


async def test_a_key_that_went_down_while_events_were_lost_is_a_press_and_the_loss_is_told(pad: SimKeyboard) -> None:
    async with opened(config(stuck_s=0.4)) as (_, items):
        pad.lose(KP2, DOWN)
        told = [await anext(items), await anext(items)]  # in either order: a press waits for its debouncing, the loss for the next look
        assert [each.button for each in told if isinstance(each, Press)] == ["B"]
        assert [each.code for each in told if isinstance(each, Fault)] == ["overflow"]
        pad.key(KP2, UP)
        assert await anext(items) == Fault("", "button signals are handled again")
        pad.tap(KP2)
        assert await press(items) == "B"


async def test_a_key_that_came_up_unheard_is_not_stuck(pad: SimKeyboard) -> None:
    async with opened(config(stuck_s=0.4)) as (_, items):
        pad.key(KP1, DOWN)
        assert await press(items) == "A"
        pad.lose(KP1, UP)
        fault = await anext(items)
        assert isinstance(fault, Fault) and fault.code == "overflow"
        assert await anext(items) == Fault("", "button signals are handled again")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(items)


async def test_one_that_is_unplugged_is_gone(pad: SimKeyboard) -> None:
    with pytest.raises(DeviceError) as caught:
        async with opened(config()) as (panel, items):
            await panel.lamp("ready", LampState.RATE_NOW)
            pad.unplug()
            await anext(items)
    assert caught.value.code == "absent"


async def test_its_numlock_lamp_is_a_lamp(pad: SimKeyboard) -> None:
    async with opened(config()) as (panel, _):
        await panel.lamp("ready", LampState.ON)
        assert pad.lit == {0}
        await panel.lamp("ready", LampState.REFUSED)
        for _ in range(2):
            await until(lambda: not pad.lit)
            await until(lambda: bool(pad.lit))
    assert not pad.lit


async def test_a_lamp_that_it_does_not_have_is_told(pad: SimKeyboard) -> None:
    pad.lamps = ()
    with pytest.raises(DeviceError, match="has no lamp numlock") as caught:
        async with opened(config()):
            pass
    assert caught.value.code == "no_lamp"
    assert not pad.is_open
    async with opened(config(lamps={})):
        assert pad.is_open


@pytest.mark.parametrize(("held", "code"), [(True, "busy"), (False, "absent")])
async def test_a_keypad_that_cannot_be_had(pad: SimKeyboard, held: bool, code: str) -> None:
    if held:
        pad.grab(pad.open())
    wanted = config() if held else config(match={"name": "Another"})
    with pytest.raises(DeviceError) as caught:
        async with opened(wanted):
            pass
    assert caught.value.code == code
    if held:
        assert pad.holder is not None
        pad.holder.close()


async def test_two_keys_of_one_button_tell_their_faults_apart(pad: SimKeyboard) -> None:
    async with opened(config(keys={"KP1": "A", "KP2": "A", "KP0": "B"}, stuck_s=0.4)) as (_, items):
        pad.key(KP2, DOWN)
        assert await press(items) == "A"
        fault = await anext(items)
        assert isinstance(fault, Fault) and (fault.code, fault.subject) == ("stuck", "A (key KP2)")
        pad.tap(KP1)
        assert await press(items) == "A"


# -- configuration


@pytest.mark.parametrize(
    ("more", "where", "what"),
    [
        ({"keys": {}}, "keys", "at least 1"),
        ({"keys": {"KP99": "A"}}, "keys.KP99", "no key of a keypad"),
        ({"keys": {"NUMLOCK": "A"}}, "keys.NUMLOCK", "no key of a keypad"),
        ({"keys": {"KP1": "A b"}}, "keys.KP1", "pattern"),
        ({"match": {}}, "match", "at least one of"),
        ({"match": {"name": "*"}}, "match.name", "wildcards alone"),
        ({"lamps": {"ready": "shift"}}, "lamps.ready", "'numlock'"),
        ({"buttons": {"A": 4}}, "buttons", "not permitted"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(more: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**more)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"] if part != "[key]") == where
    assert what in error["msg"]
