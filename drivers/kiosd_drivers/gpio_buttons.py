"""Push buttons and lamps on GPIO pins, over gpiozero and whatever pin library GPIOZERO_PIN_FACTORY names (lgpio on a board).

[devices.ticket_buttons]
driver = "gpio_buttons"
buttons = { A = [4, 5], B = 17 }   # name -> BCM GPIO number, or several; to ground, internal pull-up
lamps = { ready = 27 }
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Annotated, Any, ClassVar, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, DriverConfig, LampState
from kiosd_drivers._gpio import Button, border, callback_thread, pin_factory
from kiosd_drivers._lamps import Lamp
from kiosd_drivers._panel import Contacts
from kiosd_drivers._press import PressRules

FIXED_PULL_UPS = {2, 3}  # 1.8 kohm on every board: the I2C lines

Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,16}$")]
Pin = Annotated[int, Field(ge=0, le=27, description="BCM GPIO number")]
Several = Annotated[tuple[Pin, ...], Field(min_length=1, max_length=8, strict=False)]
Pins = Annotated[
    Annotated[Pin, Tag("one")] | Annotated[Several, Tag("several")],
    Discriminator(lambda value: "several" if isinstance(value, list | tuple) else "one"),
]


class Config(PressRules):
    """Buttons and lamps of one panel."""

    buttons: Annotated[Mapping[Name, Pins], Field(min_length=1)] = Field(
        description="Name of each button and its BCM GPIO number; a list of numbers for several buttons that do the same."
    )
    lamps: Mapping[Name, Pin] = Field(default_factory=dict, description="Name of each lamp and its BCM GPIO number.")
    pull_up: bool = Field(default=True, description="True: buttons to ground, with the internal pull-up; false: buttons to 3.3 V.")
    active_high: bool = Field(default=True, description="True: a lamp is lit by a high pin; false: by a low one.")

    def contacts(self) -> Iterator[tuple[str, str, int]]:
        """What each contact is called in a fault, its button, its pin."""
        for name, pins in self.buttons.items():
            for pin in pins if isinstance(pins, tuple) else (pins,):
                yield f"{name} (GPIO {pin})" if isinstance(pins, tuple) else name, name, pin

    @model_validator(mode="after")
    def _each_pin_once(self) -> Self:
        taken: dict[int, str] = {}
        buttons = [(f"button {name}", pin) for _, name, pin in self.contacts()]
        for user, pin in [*buttons, *((f"lamp {name}", pin) for name, pin in self.lamps.items())]:
            if pin in taken:
                raise ValueError(f"GPIO {pin} is used twice: by {taken[pin]} and by {user}")
            taken[pin] = user
        if not self.pull_up and (wrong := sorted(FIXED_PULL_UPS.intersection(pin for _, pin in buttons))):
            raise ValueError(f"GPIO {wrong[0]} has a fixed pull-up resistor: with pull_up = false no button works on it")
        return self


class Panel:
    """The ``ButtonPanel`` of one device in the configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._contacts = Contacts(config, self._levels)
        self.presses = self._contacts.presses
        self._buttons: dict[str, Button] = {}
        self._lamps: dict[str, Lamp] = {}
        self._claimed = ExitStack()
        self._thread: Any = None

    def claim(self) -> None:
        """Take all pins; after an error ``close`` frees those already taken."""
        factory = pin_factory()
        self._thread = callback_thread(factory)
        for contact, button, pin in self._config.contacts():
            with border(f"button {button} on GPIO {pin}"):
                factory.pin(pin)  # before the device: when a line is busy, gpiozero would leave its reservation behind
                self._button(contact, button, pin)
        for name, pin in self._config.lamps.items():
            with border(f"lamp {name} on GPIO {pin}"):
                factory.pin(pin)
                self._lamp(name, pin)

    def _button(self, contact: str, button: str, pin: int) -> None:
        from gpiozero import InputDevice

        config = self._config
        device = InputDevice(pin, pull_up=config.pull_up)
        self._claimed.callback(device.close)
        self._contacts.add(contact, button, bool(device.is_active))
        self._buttons[contact] = Button(device, not config.pull_up, config.debounce_s, partial(self._contacts.changed, contact))

    def _lamp(self, name: str, pin: int) -> None:
        from gpiozero import OutputDevice

        lamp = Lamp(OutputDevice(pin, active_high=self._config.active_high), border, self._contacts.failed)
        self._claimed.callback(lamp.close)
        self._lamps[name] = lamp

    def close(self) -> None:
        """Free this panel's pins, and only these: other panels share the pin library."""
        with border("closing"):
            self._claimed.close()

    def _levels(self) -> dict[str, bool]:
        """Which contacts are closed now; ``DeviceError`` when no button can work any more."""
        if self._thread is not None and not self._thread.is_alive():
            raise DeviceError("the GPIO library's callback thread has died", code="gpio_thread")
        with border("reading the buttons"):
            return {contact: button.is_down() for contact, button in self._buttons.items()}

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
