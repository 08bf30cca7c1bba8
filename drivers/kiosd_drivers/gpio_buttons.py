"""Push buttons and lamps on GPIO pins, over gpiozero and whatever pin library GPIOZERO_PIN_FACTORY names (lgpio on a board).

[devices.ticket_buttons]
driver = "gpio_buttons"
buttons = { A = 4, B = 17 }   # name -> BCM GPIO number; to ground, internal pull-up
lamps = { ready = 27 }
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import chain
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, DriverConfig, Fault, LampState, Press, boottime
from kiosd.threads import Inbox
from kiosd_drivers._gpio import Button, Edge, Lamp, border, callback_thread, pin_factory

CHECK_S = 2.0  # how late a stuck button or a dead library thread is noticed
FIXED_PULL_UPS = {2, 3}  # 1.8 kohm on every board: the I2C lines

Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,16}$")]
Pin = Annotated[int, Field(ge=0, le=27, description="BCM GPIO number")]


class Config(DriverConfig):
    """``pull_up``: buttons to ground; false: buttons to 3.3 V. ``active_high``: a lamp is lit by a high pin. Times in seconds."""

    buttons: Annotated[dict[Name, Pin], Field(min_length=1)]
    lamps: dict[Name, Pin] = Field(default_factory=dict)
    pull_up: bool = True
    active_high: bool = True
    debounce_s: float = Field(default=0.05, ge=0.005, le=1)  # domain section 8
    stuck_s: float = Field(default=10.0, gt=0, le=600)  # domain section 8

    @model_validator(mode="after")
    def _each_pin_once(self) -> Self:
        taken: dict[int, str] = {}
        buttons = ((f"button {name}", pin) for name, pin in self.buttons.items())
        for user, pin in chain(buttons, ((f"lamp {name}", pin) for name, pin in self.lamps.items())):
            if pin in taken:
                raise ValueError(f"GPIO {pin} is used twice: by {taken[pin]} and by {user}")
            taken[pin] = user
        if self.debounce_s >= self.stuck_s:
            raise ValueError("debounce_s must be shorter than stuck_s")
        if not self.pull_up and (wrong := sorted(FIXED_PULL_UPS.intersection(self.buttons.values()))):
            raise ValueError(f"GPIO {wrong[0]} has a fixed pull-up resistor: with pull_up = false no button works on it")
        return self


class Panel:
    """The ``ButtonPanel`` of one device in the configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._inbox: Inbox[Edge] = Inbox(256)
        self._lost = 0
        self._overflow = False
        self._buttons: dict[str, Button] = {}
        self._lamps: dict[str, Lamp] = {}
        self._claimed = ExitStack()
        self._thread: Any = None

    def claim(self) -> None:
        """Take all pins; after an error ``close`` frees those already taken."""
        from gpiozero import InputDevice, OutputDevice

        config = self._config
        factory = pin_factory()
        self._thread = callback_thread(factory)
        for name, pin in config.buttons.items():
            with border(f"button {name} on GPIO {pin}"):
                factory.pin(pin)  # before the device: when a line is busy, gpiozero would leave its reservation behind
                device = InputDevice(pin, pull_up=config.pull_up)
                self._claimed.callback(device.close)
                self._buttons[name] = Button(name, device, not config.pull_up, config.debounce_s, config.stuck_s, self._inbox)
        for name, pin in config.lamps.items():
            with border(f"lamp {name} on GPIO {pin}"):
                factory.pin(pin)
                lamp = Lamp(OutputDevice(pin, active_high=config.active_high), self._inbox)
                self._claimed.callback(lamp.close)
                self._lamps[name] = lamp

    def close(self) -> None:
        """Free this panel's pins, and only these: other panels share the pin library."""
        with border("closing"):
            self._claimed.close()

    async def presses(self) -> AsyncIterator[Press | Fault]:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            if clock() >= due:
                for fault in self._check():
                    yield fault
                due = clock() + min(CHECK_S, self._config.stuck_s / 4)
            edge = await self._next(due)
            if edge is not None and self._buttons[edge.button].contact.edge(edge.down, edge.at):
                yield Press(edge.button, edge.at)

    async def _next(self, due: float) -> Edge | None:
        try:
            async with asyncio.timeout_at(due):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _check(self) -> list[Fault]:
        """What a person should know now; ``DeviceError`` when no button can work any more."""
        if self._thread is not None and not self._thread.is_alive():
            raise DeviceError("the GPIO library's callback thread has died", code="gpio_thread")
        with border("reading the buttons"):
            now = boottime()
            changed = [name for name, button in self._buttons.items() if button.contact.check(button.is_down(), now)]
        return [self._stuck_fault(name) for name in changed] + self._overflow_faults()

    def _stuck_fault(self, name: str) -> Fault:
        if not self._buttons[name].contact.stuck:
            return Fault("", f"button {name} is free again", name)
        held = f"button {name} has been down for more than {self._config.stuck_s:g} s"
        return Fault("stuck", f"{held}: it is jammed, or its cable has a short circuit", name)

    def _overflow_faults(self) -> list[Fault]:
        lost, self._lost = self._inbox.dropped - self._lost, self._inbox.dropped
        before, self._overflow = self._overflow, lost > 0
        if lost:
            return [Fault("overflow", f"{lost} button signals were lost: they came faster than they could be handled")]
        return [Fault("", "button signals are handled again")] if before else []

    async def lamp(self, name: str, state: LampState) -> None:
        if name in self._lamps:
            with border(f"lamp {name}"):
                self._lamps[name].show(state)


class GpioButtonsDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = ButtonPanel

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[Panel]:
        panel = Panel(config)
        try:
            panel.claim()
            yield panel
        finally:
            panel.close()


DRIVER = GpioButtonsDriver()
