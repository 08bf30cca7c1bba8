"""The configuration: one TOML file becomes ``Settings``, or one ``ConfigError`` that names everything wrong with it."""

from kiosd.config.load import load
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

__all__ = [
    "CallBoardSettings",
    "ClockSettings",
    "CounterSettings",
    "DeviceSettings",
    "LogSettings",
    "NodeSettings",
    "ScanSettings",
    "Settings",
    "TicketMachineSettings",
    "load",
]
