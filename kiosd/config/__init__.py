"""The configuration: one TOML file becomes ``Settings``, or one ``ConfigError`` that names everything wrong with it."""

from kiosd.config.load import load, load_any
from kiosd.config.model import (
    CallBoardSettings,
    ClockSettings,
    CounterSettings,
    DeviceSettings,
    LogSettings,
    NodeSettings,
    ScanSettings,
    Settings,
    TicketMachineSettings,
)
from kiosd.config.satellite import SatelliteSettings

__all__ = [
    "CallBoardSettings",
    "ClockSettings",
    "CounterSettings",
    "DeviceSettings",
    "LogSettings",
    "NodeSettings",
    "SatelliteSettings",
    "ScanSettings",
    "Settings",
    "TicketMachineSettings",
    "load",
    "load_any",
]
