"""What a device must be able to do. Drivers import this; this imports no driver.

A port has one to three methods and no state; its docstring is the contract that ``tests/contract`` checks for every driver.
A driver module has a ``Config``, a class with the port's methods and ``DRIVER``, an object of the shape ``Driver``.
"""

import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict


class DriverConfig(BaseModel):
    """Base of every driver's own configuration: an unknown key is a typo, so it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def boottime() -> float:
    """Seconds since boot, those of the sleep included: what ``at`` of an input counts in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def safe_text(text: str) -> str:
    """``text`` in printable ASCII, so that its width is known and no control byte of it reaches a device.

    Accents are dropped, control and direction characters are removed, the rest becomes ``?``.
    """
    return "".join(_safe(char) for char in unicodedata.normalize("NFKD", text))


def _safe(char: str) -> str:
    if " " <= char <= "~":
        return char
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    return "" if category[0] in "CMZ" else "?"  # controls, format and direction characters; combining marks; line separators


@dataclass(frozen=True, slots=True)
class Press:
    """A button went down. ``at`` is ``boottime()``, taken in the driver's thread."""

    button: str
    at: float


@dataclass(frozen=True, slots=True)
class Scan:
    """One whole code: 1 to 512 printable characters, opaque and personal. ``at`` as in ``Press``."""

    payload: str = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class BadScan:
    """A scan that was thrown away by the driver (``reason``: ``control``, ``length``, ``incomplete``, ``dropped``); its content is gone."""

    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """The device still works but a person should know: a stuck button, paper near its end. ``code`` ``""`` clears what ``subject`` had."""

    code: str
    detail: str
    subject: str = ""


class LampState(StrEnum):
    """What a lamp says."""

    OFF = "off"
    ON = "on"
    BLINK = "blink"


class ButtonPanel(Protocol):
    """Buttons and lamps by name.

    ``presses`` yields each accepted press once, bounces removed (50 ms), oldest first, and a ``Fault`` for a button held longer
    than 10 s; a button that is down when the panel opens gives no press. It raises ``DeviceError`` when the panel is gone.
    ``lamp`` sets a lamp; an unknown name does nothing, for not every panel has every lamp.
    """

    def presses(self) -> AsyncIterator[Press | Fault]: ...
    async def lamp(self, name: str, state: LampState) -> None: ...


class Scanner(Protocol):
    """Yields each complete scan once, in order; raises ``DeviceError`` when the scanner is gone."""

    def scans(self) -> AsyncIterator[Scan | BadScan]: ...


class Align(StrEnum):
    LEFT = "left"
    CENTER = "center"


@dataclass(frozen=True, slots=True)
class Text:
    """One printed line, already cut to the paper's columns: ``len(text) * size <= columns``. ASCII, no control characters."""

    text: str
    size: int = 1
    bold: bool = False
    align: Align = Align.CENTER


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code of ``data`` (ASCII, <= 64 characters)."""

    data: str


@dataclass(frozen=True, slots=True)
class Slip:
    """A ticket on paper, laid out. ``copy`` means that an original may have come out before: it is marked as a copy by the layout."""

    ticket: str
    lines: tuple[Text | Qr, ...]
    copy: bool = False


class Outcome(StrEnum):
    """What became of a slip. ``UNCERTAIN``: bytes left us, but the printer did not say that it printed them."""

    PRINTED = "printed"
    UNCERTAIN = "uncertain"


class TicketPrinter(Protocol):
    """Prints slips one at a time.

    ``columns`` is the width of the paper in size-1 characters. ``print_slip`` returns the outcome after the last byte was
    accepted, and raises ``DeviceError`` (code ``paper_out``, ``cover_open``, ``offline``, ``timeout``, ``absent``, ``io``) when nothing was
    printed for sure: then the same slip may be printed again. ``watch`` yields a ``Fault`` whenever the paper's or the cover's
    state changes and raises ``DeviceError`` when the printer is gone.
    """

    @property
    def columns(self) -> int: ...
    async def print_slip(self, slip: Slip) -> Outcome: ...
    def watch(self) -> AsyncIterator[Fault]: ...


@dataclass(frozen=True, slots=True)
class Face:
    """What a call display shows: a ticket number and a counter, or a message when ``number`` is empty. ASCII."""

    number: str = ""
    counter: int | None = None
    message: str = ""
    attention: bool = False
    """A fresh call: displays that can, blink or beep."""


class CallDisplay(Protocol):
    """Shows the newest face it is given, whole, every time; raises ``DeviceError`` when the display is gone."""

    async def show(self, face: Face) -> None: ...


C = TypeVar("C", bound=DriverConfig, contravariant=True)
D = TypeVar("D", covariant=True)


class Driver(Protocol[C, D]):
    """What the registry asks of a driver module's ``DRIVER``.

    ``port`` is the Protocol of this file it fulfils. ``open`` finds and opens the hardware, raising ``DeviceError`` when it is not
    there, and releases it on exit; the hardware's library is imported inside it.
    """

    config: ClassVar[type[DriverConfig]]
    port: ClassVar[type]

    def open(self, config: C, /) -> AbstractAsyncContextManager[D]: ...
