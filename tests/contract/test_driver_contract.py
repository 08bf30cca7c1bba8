"""What every driver owes the house, for each name in the registry, against a far side that can be unplugged.

The contract is the docstrings of ``kiosd.ports``; what each port owes is in ``test_port_contract``. A driver without a far side in
``support.fardevices`` fails here.
"""

import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import DriverConfig
from kiosd.registry import find, names
from support.driverbench import GONE_S, OPEN_S, PORTS, USES, Footprint, bench, every_driver
from support.fardevices import FARS, Build

HARDWARE = {"gpiozero", "lgpio", "evdev", "escpos", "serial", "minimalmodbus", "luma"}


# -- what a driver is, without its hardware


def test_every_driver_has_a_far_side_and_every_port_a_use() -> None:
    assert set(FARS) == set(names())
    assert {find(name).port for name in names()} <= PORTS == set(USES)


@pytest.mark.parametrize("name", names())
def test_a_driver_is_what_the_registry_asks_for(name: str) -> None:
    driver = find(name)
    assert issubclass(driver.config, DriverConfig) and driver.config is not DriverConfig
    assert driver.port in PORTS
    assert driver.config.__doc__, "says what its numbers mean"


@every_driver
async def test_the_configuration_refuses_unknown_keys_and_cannot_be_changed(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            it.driver.config.model_validate({**it.far.config, "colour": "red"})
        field = next(iter(it.driver.config.model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(it.config, field, None)


def test_no_driver_imports_a_hardware_library_before_it_is_opened() -> None:
    script = f"""
import json, sys
from kiosd.registry import find, names
found = {{}}
for name in names():
    find(name)
    found[name] = sorted({HARDWARE!r} & {{module.partition(".")[0] for module in sys.modules}})
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout) == {name: [] for name in names()}


@every_driver
async def test_an_open_device_has_the_methods_of_its_port(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it, it.opened() as device:
        for method, wanted in vars(it.driver.port).items():
            if method.startswith("_"):
                continue
            if isinstance(wanted, property):
                assert isinstance(getattr(device, method), int)
                continue
            got = getattr(device, method)
            assert list(inspect.signature(got).parameters) == list(inspect.signature(wanted).parameters)[1:]
            assert inspect.iscoroutinefunction(got) == inspect.iscoroutinefunction(wanted), method
            assert inspect.isasyncgenfunction(got) != inspect.iscoroutinefunction(wanted), method


# -- a device that comes and goes


@every_driver
async def test_absent_hardware_is_a_device_error_in_words_every_time(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        await it.far.unplug()
        before = Footprint()
        for _ in range(2):
            with pytest.raises(DeviceError) as caught:
                async with asyncio.timeout(OPEN_S), it.opened():
                    pass
            assert re.fullmatch(r"[a-z0-9_]{1,32}", caught.value.code)
            assert 10 <= len(str(caught.value)) <= 200 and "\n" not in str(caught.value)
        await before.is_back()
        await it.far.plug()
        await it.is_whole()


@every_driver
async def test_it_opens_works_and_closes_again_and_again_and_leaves_nothing(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        for _ in range(3):
            await it.is_whole()
        await before.is_back()


@every_driver
async def test_unplugged_in_use_it_says_so_in_time_and_works_when_it_is_back(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        for _ in range(2):
            with pytest.raises(DeviceError) as caught:
                async with it.opened() as device:
                    await it.prove(device)
                    async with asyncio.TaskGroup() as tasks:
                        using = tasks.create_task(_error_of(it.use_until_gone(device)))
                        await asyncio.sleep(0)
                        await it.far.unplug()
                        async with asyncio.timeout(GONE_S):
                            error = await using
                    raise error
            assert caught.value.code and str(caught.value)
            await it.far.plug()
        await it.is_whole()
        await before.is_back()


async def _error_of(use: Awaitable[None]) -> DeviceError:
    try:
        await use
    except DeviceError as error:
        return error
    raise AssertionError("a device is used until it fails")


@every_driver
async def test_unplugged_while_nobody_uses_it_it_closes_and_opens_again(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        try:
            async with asyncio.timeout(OPEN_S), it.opened() as device:
                await it.prove(device)
                await it.far.unplug()
        except DeviceError:
            pass  # it may say so when it is closed
        await it.far.plug()
        await it.is_whole()
        await before.is_back()


@every_driver
async def test_cancelled_at_any_moment_of_opening_it_leaves_nothing(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        for turns in (0, *(2**power for power in range(10))):
            async with asyncio.TaskGroup() as tasks:
                opening = tasks.create_task(it.hold())
                for _ in range(turns):
                    await asyncio.sleep(0)
                opening.cancel()
            await before.is_back()
        await it.is_whole()


@every_driver
async def test_cancelled_in_use_it_closes_in_time_and_leaves_nothing(name: str, build: Build, tmp_path: Path) -> None:
    async def session(used: asyncio.Event) -> None:
        async with it.opened() as device:
            await it.prove(device)
            used.set()
            await it.use_until_gone(device)

    async with bench(name, build, tmp_path) as it:
        before = Footprint()
        for _ in range(2):
            used = asyncio.Event()
            async with asyncio.timeout(OPEN_S), asyncio.TaskGroup() as tasks:
                using = tasks.create_task(session(used))
                await used.wait()
                using.cancel()
        await before.is_back()
        await it.is_whole()
