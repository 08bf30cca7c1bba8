"""Simulated pins in the test's own process: gpiozero set to them, and a finger on them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gpiozero import Device

from kiosd_sim.pins import SOCKET_ENV, Pins


@contextmanager
def simulated_pins(directory: Path) -> Iterator[Pins]:
    """gpiozero makes its pins with ``SimFactory`` inside this block, and has no factory before and after it."""
    path = directory / "pins"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPIOZERO_PIN_FACTORY", "kiosd_sim")
        patch.setenv(SOCKET_ENV, str(path))
        patch.setattr(Device, "pin_factory", None)
        try:
            yield Pins(path)
        finally:
            if Device.pin_factory is not None:
                Device.pin_factory.close()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return when ``condition`` holds; a failure after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a pin has no event to wait for
            await asyncio.sleep(0.005)
