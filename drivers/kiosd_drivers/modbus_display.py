"""A numeral display that speaks Modbus-RTU: numbers are written to its registers, and it answers.

[devices.display_1]
driver = "modbus_display"
port = "/dev/serial/by-id/usb-Example_RS485-if00"
address = 1
number_register = 0
letters = { A = 1, B = 2 }

Several displays on one RS-485 line have the same ``port`` and different addresses. One that does not answer is down; the others go on.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, DriverConfig, Face
from kiosd_drivers._bus import Display, Line, Message, has_room, join
from kiosd_drivers._modbus import OPTIONAL, Config, registers, runs
from kiosd_drivers._serial import translated

if TYPE_CHECKING:
    import minimalmodbus
    import serial


def _messages(config: Config, face: Face) -> Sequence[Message]:
    longest = 1 if config.function == 6 else len(OPTIONAL) + 2
    return [partial(_write, config, start, values) for start, values in runs(registers(config, face), longest)]


def _write(config: Config, start: int, values: list[int], port: "serial.Serial") -> int:
    import minimalmodbus

    has_room(port)
    with translated(config.port):
        try:
            instrument = minimalmodbus.Instrument(port, config.address)
            if config.function == 6:
                instrument.write_register(start, values[0], functioncode=6)
            else:
                instrument.write_registers(start, values)
        except minimalmodbus.ModbusException as exc:
            wrong = exc
        else:
            return 0  # it has answered, so the line is free
    raise _fault(config, wrong) from wrong


def _fault(config: Config, exc: "minimalmodbus.ModbusException") -> DeviceError:
    import minimalmodbus

    who = f"{config.port}: the display with address {config.address}"
    if isinstance(exc, minimalmodbus.NoResponseError):
        return DeviceError(f"{who} does not answer", "no_answer")
    if isinstance(exc, minimalmodbus.SlaveReportedException):
        return DeviceError(f"{who} refuses: {exc}"[:200], "refused")
    return DeviceError(f"{who} answers what cannot be right: check address, baudrate and parity", "garbled")


class ModbusDisplayDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = CallDisplay

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[Display]:
        """Join the line, and blank the display to find out whether it is there; ``DeviceError`` when it does not answer."""
        seconds = 2 * config.write_timeout_s + config.answer_s
        async with join(Line.of(config)) as bus:
            await bus.send(partial(_messages, config, Face()), seconds)
            yield Display(bus, partial(_messages, config), seconds)


DRIVER = ModbusDisplayDriver()
