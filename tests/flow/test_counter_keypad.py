"""A counter worked on a USB keypad, through the real driver and station into the real queue; and the rules of a panel's place."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kiosd.config.model import DeskSettings, DeviceSettings
from kiosd.queue import commands as cmd
from kiosd.queue.model import CounterState
from kiosd.stations.counter import CounterStation
from kiosd.stations.places import Places
from kiosd_drivers._keypad import KEYS
from kiosd_drivers.evdev_keypad import DRIVER
from kiosd_sim.keyboard import SimKeyboard
from support.farinputs import keyboards
from support.stationkiosk import Kiosk, kiosk

PAD = {
    "match": {"name": "Sim Keypad"},
    "keys": {"KPENTER": "advance", "KPPLUS": "repeat", "KPDOT": "undo", "KP0": "pause"},
    "lamps": {"ready": "numlock"},
}


def pad(directory: Path) -> SimKeyboard:
    it = SimKeyboard(directory / "event0", name="Sim Keypad", keys=(69, *KEYS.values()))
    it.plug()
    return it


def tap(it: Kiosk, keypad: SimKeyboard, key: str) -> None:
    """Press a key, a while after whatever was before."""
    it.clock.advance(10.0)
    keypad.tap(KEYS[key])


async def test_a_visit_from_the_keypad(tmp_path: Path) -> None:
    keypad = pad(tmp_path)
    with keyboards(keypad):
        async with kiosk(tmp_path) as it:
            it.device("keys", "evdev_keypad", PAD, CounterStation(it.queue, it.clock, 1, b"k" * 32).use_keys)
            await it.up("keys")
            await it.do(*(cmd.IssueTicket(service="A", slip=False) for _ in range(2)))
            since = it.queue.book.seq
            for key, event in (("KPENTER", "ticket.called"), ("KPPLUS", "ticket.recalled"), ("KPENTER", "ticket.started")):
                tap(it, keypad, key)
                found = await it.record(event, since=since)
                since = found.seq
                assert (found.event.actor, found.event.place) == ("officer", "counter/1")
            tap(it, keypad, "KPDOT")
            since = (await it.record("ticket.start_undone", since=since)).seq
            keypad.tap(69)  # NumLock
            tap(it, keypad, "KPPLUS")
            await it.event("ticket.recalled", since=since)


async def test_a_keypad_that_was_unplugged_goes_on(tmp_path: Path) -> None:
    keypad = pad(tmp_path)
    with keyboards(keypad):
        async with kiosk(tmp_path) as it:
            it.device("keys", "evdev_keypad", PAD, CounterStation(it.queue, it.clock, 1, b"k" * 32).use_keys)
            await it.up("keys")
            keypad.unplug()
            down = await it.record("device.down", device="keys", code="absent")
            keypad.plug()
            await it.event("device.up", device="keys", since=down.seq, tick=0.5)
            await it.do(cmd.IssueTicket(service="A", slip=False))
            tap(it, keypad, "KPENTER")
            await it.event("ticket.called")
            assert it.queue.book.counter(1).state is CounterState.CALLING


async def test_a_refusal_is_seen_on_the_keypads_own_lamp(tmp_path: Path) -> None:
    keypad = pad(tmp_path)
    with keyboards(keypad):
        async with kiosk(tmp_path) as it:
            it.device("keys", "evdev_keypad", PAD, CounterStation(it.queue, it.clock, 1, b"k" * 32).use_keys)
            await it.up("keys")
            await lit(keypad, True)
            tap(it, keypad, "KPPLUS")
            await it.event("counter.refused", code="nobody_called")
            for level in (False, True, False):
                await lit(keypad, level)


async def lit(keypad: SimKeyboard, level: bool) -> None:
    """Wait until the NumLock lamp is lit, or is not."""
    async with asyncio.timeout(5):
        while bool(keypad.lit) is not level:  # noqa: ASYNC110 - a lamp has no event to wait for
            await asyncio.sleep(0.002)


@pytest.mark.parametrize(("desk", "two"), [("keys", "both"), ("rating", "none")])
async def test_a_place_gives_its_panel_the_rules_that_its_configuration_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: str, two: str
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(DRIVER, "open", opened.append, raising=False)
    config = DRIVER.config.model_validate({**PAD, "lamps": {}})
    async with kiosk(tmp_path) as it:
        devices = {"pad": DeviceSettings(driver="evdev_keypad", config=config)}
        works = Places(it.queue, it.clock, devices, "id").counter(1, DeskSettings.model_validate({desk: "pad"}), b"")
        for work in works:
            it.run(work)
        await it.event("device.down", device="pad")  # there is nothing to open
    assert [(each.two, each.hold_off_s) for each in opened] == [(two, 0.3)]
