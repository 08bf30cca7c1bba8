"""Simulated keyboards as another process has them: the library's words, answered over a socket."""

import errno
import importlib.util
import json
import os
import select
import socket
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import evdev
import pytest

from kiosd.threads import Lane, lane
from kiosd_drivers._keypad import KEYS as DRIVERS_KEYS
from kiosd_sim import inputs
from kiosd_sim.keyboard import DOWN, EV_KEY, SimKeyboard, SimKeyboards
from kiosd_sim.keypad import PAD_KEYS, WAYS

KP1 = PAD_KEYS["KP1"]


class Process:
    """What the other process does: the library's calls, which block, in a thread of their own."""

    def __init__(self, thread: Lane, keyboard: SimKeyboard) -> None:
        self._thread, self.keyboard = thread, keyboard

    async def does(self, call: Any, *arguments: Any) -> Any:
        return await self._thread.run(partial(call, *arguments), 5.0)

    async def opens(self) -> inputs.InputDevice:
        device: inputs.InputDevice = await self.does(inputs.InputDevice, str(self.keyboard.path))
        return device


@pytest.fixture
async def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    keyboard, path = SimKeyboard(tmp_path / "event0", uniq="7"), tmp_path / "keyboards.sock"
    keyboard.plug()
    monkeypatch.setenv(inputs.SOCKET_ENV, str(path))
    async with inputs.served(path, SimKeyboards(keyboard)), lane("process") as thread:
        yield Process(thread, keyboard)
    assert not keyboard.is_open


def test_the_codes_are_linuxs_and_every_key_that_the_driver_knows_can_be_pressed() -> None:
    assert {f"KEY_{name}": code for name, code in PAD_KEYS.items()}.items() <= evdev.ecodes.ecodes.items()
    assert PAD_KEYS.keys() >= DRIVERS_KEYS.keys()


async def test_a_keyboard_tells_what_it_is_and_what_is_pressed(process: Process) -> None:
    assert await process.does(inputs.list_devices) == [str(process.keyboard.path)]
    device, keyboard = await process.opens(), process.keyboard
    assert (device.name, device.phys, device.uniq, device.info) == (keyboard.name, keyboard.phys, "7", keyboard.info)
    assert set(device.capabilities()[EV_KEY]) == set(keyboard.keys)
    with pytest.raises(BlockingIOError):
        device.read()
    keyboard.key(KP1, DOWN)
    assert select.select([device.fd], [], [], 5)[0]
    assert (EV_KEY, KP1, DOWN) in [(event.type, event.code, event.value) for event in device.read()]
    assert await process.does(device.active_keys) == [KP1]
    await process.does(device.set_led, 0, 1)
    assert await process.does(device.leds) == [0] and keyboard.lit == {0}
    device.close()


async def test_one_that_has_grabbed_it_has_it_alone_until_it_closes(process: Process) -> None:
    first, second = await process.opens(), await process.opens()
    await process.does(first.grab)
    with pytest.raises(OSError, match="busy") as caught:
        await process.does(second.grab)
    assert caught.value.errno == errno.EBUSY
    process.keyboard.tap(KP1)
    with pytest.raises(BlockingIOError):
        second.read()
    first.close()
    assert await process.does(second.active_keys) == []  # the other's end was seen before this was answered
    await process.does(second.grab)
    await process.does(second.ungrab)
    second.close()


async def test_one_that_is_unplugged_is_gone_and_comes_back(process: Process) -> None:
    device = await process.opens()
    await process.does(device.set_led, 0, 1)
    process.keyboard.unplug()
    assert await process.does(inputs.list_devices) == []
    for call in (device.read, device.active_keys, partial(device.set_led, 0, 1)):
        with pytest.raises(OSError, match="No such device"):
            await process.does(call)
    device.close()
    with pytest.raises(FileNotFoundError):
        await process.opens()
    process.keyboard.plug()
    assert not process.keyboard.lit
    (await process.opens()).close()


QUESTIONS = [
    b"no json",
    b"{}",
    b"[]",
    b'["open", 7]',
    b'["open", "/dev/input/event0"]',
    b'["grab"]',
    b'["close"]',
    b"[" * 5000,
    b'["set_led", "0", 1]',
]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_no_question_is_an_error_and_harms_nobody(process: Process, question: bytes) -> None:
    def ask() -> Any:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(5)
            line.connect(os.environ[inputs.SOCKET_ENV])
            line.send(question)
            return json.loads(line.recv(4096))

    assert (await process.does(ask))["errno"] in {errno.EINVAL, errno.ENOENT}
    (await process.opens()).close()


async def test_without_a_simulation_there_is_no_keyboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(inputs.SOCKET_ENV, str(tmp_path / "nobody"))
    with pytest.raises(FileNotFoundError):
        inputs.list_devices()


def test_the_module_in_the_librarys_place_has_what_drivers_import(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("evdev_stand_in", inputs.stand_in(tmp_path / "modules") / "evdev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.list_devices, module.InputDevice) == (inputs.list_devices, inputs.InputDevice)
    assert "evdev_stand_in" not in sys.modules


@pytest.mark.parametrize("how", WAYS)
async def test_a_finger_leaves_no_key_down_unless_it_sticks(tmp_path: Path, how: str) -> None:
    keyboard = SimKeyboard(tmp_path / "event0")
    await WAYS[how](keyboard, [KP1])
    assert keyboard.down == ({KP1} if how == "stick" else set())
