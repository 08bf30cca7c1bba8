"""A USB keypad as a panel of buttons: call keys at a counter, mostly.

[devices.keys]
driver = "evdev_keypad"
match = { by_id = "usb-*-event-kbd" }
keys = { KPENTER = "advance", KPPLUS = "repeat", KPDOT = "undo" }

It is grabbed, so that nothing typed on it reaches a console; a keyboard that ``match`` does not name is never touched.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from kiosd.errors import DeviceError
from kiosd.ports import ButtonPanel, DriverConfig, LampState
from kiosd.threads import lane
from kiosd_drivers._keyboards import close, grab, translated
from kiosd_drivers._keypad import EV_SYN, KEYS, SYN_DROPPED, KeyEdges
from kiosd_drivers._lamps import Lamp
from kiosd_drivers._match import Match
from kiosd_drivers._panel import Contacts
from kiosd_drivers._press import PressRules
from kiosd_drivers._reader import waiting

if TYPE_CHECKING:
    import evdev

OPEN_S = 6.0  # as long as the kernel gives a USB device to answer
EV_LED = 0x11
LEDS = {"numlock": 0, "capslock": 1, "scrolllock": 2}


def _known(key: str) -> str:
    if key not in KEYS:
        raise ValueError(f"no key of a keypad; there are: {', '.join(KEYS)}")
    return key


Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,16}$")]


class Config(PressRules):
    """A keypad and what its keys do."""

    match: Match = Field(description="Which keyboard: by_id, by_path, vid_pid, serial, name, phys or path; all that is given must fit.")
    keys: Annotated[Mapping[Annotated[str, AfterValidator(_known)], Name], Field(min_length=1)] = Field(
        description="Key, as Linux calls it without KEY_ (KP0 to KP9, KPENTER, KPPLUS ...), and the name of the button that it is."
    )
    lamps: Mapping[Name, Literal["numlock", "capslock", "scrolllock"]] = Field(
        default_factory=dict, description="Name of each lamp and the keypad's own lamp that it is: numlock, capslock or scrolllock."
    )


class Led:
    """A keypad's own lamp, with what ``Lamp`` needs of a device."""

    def __init__(self, device: "evdev.InputDevice[str]", code: int) -> None:
        self._device, self._code = device, code

    @property
    def value(self) -> bool:
        return self._code in self._device.leds()

    @value.setter
    def value(self, lit: bool) -> None:
        self._device.set_led(self._code, int(lit))

    def close(self) -> None:
        """The keypad closes itself."""


class Keypad:
    """The ``ButtonPanel`` of a grabbed keypad."""

    def __init__(self, device: "evdev.InputDevice[str]", config: Config, down: list[int]) -> None:
        self.device, self.name = device, os.fsdecode(device.path)
        self._edges = KeyEdges([KEYS[key] for key in config.keys], down, device.active_keys)
        self.contacts = Contacts(config, self._levels)
        self.presses = self.contacts.presses
        several = {button for button, count in Counter(config.keys.values()).items() if count > 1}
        self._contact = {KEYS[key]: f"{button} (key {key})" if button in several else button for key, button in config.keys.items()}
        for key, button in config.keys.items():
            self.contacts.add(self._contact[KEYS[key]], button, KEYS[key] in down)
        self.lamps = {name: Lamp(Led(device, LEDS[led]), translated, self.contacts.failed) for name, led in config.lamps.items()}

    def _levels(self) -> Mapping[str, bool]:
        return {contact: code in self._edges.down for code, contact in self._contact.items()}

    def take(self) -> None:
        """Hand over what waits. Runs in the reader's thread."""
        with translated(self.name), suppress(BlockingIOError):
            for event in self.device.read():
                self.contacts.lost += event.type == EV_SYN and event.code == SYN_DROPPED
                for code, down in self._edges.feed(event.type, event.code, event.value):
                    self.contacts.changed(self._contact[code], down)

    async def lamp(self, name: str, state: LampState) -> None:
        if name in self.lamps:
            with translated(self.name):
                self.lamps[name].show(state)


def _grabbed(config: Config) -> "tuple[evdev.InputDevice[str], list[int]]":
    """The keypad, and the keys that are down now. Blocks."""
    device = grab(config.match, frozenset(KEYS[key] for key in config.keys))
    name = os.fsdecode(device.path)
    try:
        with translated(name):
            has: Any = device.capabilities().get(EV_LED, ())
            down = device.active_keys()
        _all_lit(name, config, has)
    except DeviceError:
        close(device)
        raise
    return device, down


def _all_lit(name: str, config: Config, has: Collection[int]) -> None:
    if missing := [led for led in config.lamps.values() if LEDS[led] not in has]:
        raise DeviceError(f"{name} has no lamp {missing[0]}: take it out of lamps", "no_lamp")


class EvdevKeypadDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = ButtonPanel

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[Keypad]:
        """Find, grab and read the keypad until the block ends."""
        async with lane("find keypad") as it:
            device, down = await it.run(partial(_grabbed, config), OPEN_S, lambda late: close(late[0]))
        keypad = Keypad(device, config, down)
        async with waiting(keypad.name, device.fd, keypad.take, partial(close, device), keypad.contacts.inbox):
            try:
                yield keypad
            finally:
                for lamp in keypad.lamps.values():
                    with suppress(OSError):  # unplugged
                        lamp.close()


DRIVER = EvdevKeypadDriver()
