"""What a check may look at: the board, the configuration as far as it is good, the state directory, the time."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kiosd.clock import Clock
from kiosd.commissioning.account import Account, account
from kiosd.commissioning.machine import Machine
from kiosd.commissioning.plugged import Plugged, plugged
from kiosd.config import SatelliteSettings, Settings

ON_SERIAL = frozenset({"serial_scanner", "serial_display", "modbus_display"})
TYPING = frozenset({"evdev_scanner", "evdev_keypad"})
ON_PINS = frozenset({"gpio_buttons"})
ON_SPI = frozenset({"max7219_display"})
PRINTING = frozenset({"escpos_printer"})
SPEAKING = frozenset({"aplay_voice"})
"""Drivers by what they need of the board. A driver that stands in none of these is not looked after."""


@dataclass(frozen=True)
class Patient:
    """``settings`` are None while the configuration is wrong or missing; ``trouble`` then says why."""

    machine: Machine
    config: Path
    state: Path
    clock: Clock
    settings: Settings | SatelliteSettings | None = None
    trouble: str = ""

    @cached_property
    def account(self) -> Account | None:
        """The user that kiosd runs as."""
        return account(self.machine)

    @cached_property
    def plugged(self) -> list[Plugged]:
        """What is plugged in."""
        return plugged(self.machine)

    @cached_property
    def devices(self) -> Mapping[str, Mapping[str, Any]]:
        """The configured devices, each as plain keys and values with its driver's name."""
        devices = {} if self.settings is None else self.settings.devices
        return {name: {"driver": one.driver, **one.config.model_dump(exclude_none=True)} for name, one in devices.items()}

    def of(self, drivers: Collection[str]) -> list[str]:
        """The configured devices of these drivers."""
        return [name for name, device in self.devices.items() if device["driver"] in drivers]

    def ports(self) -> Iterator[tuple[str, str]]:
        """Every device that is configured by the path of its port, and that path."""
        for name, device in self.devices.items():
            if str(device.get("port", "")).startswith("/"):
                yield name, device["port"]
