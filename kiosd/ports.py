"""What a device must be able to do. Drivers import this; this imports no driver.

A port has one to three methods and no state; its docstring is the contract that ``tests/contract`` checks for every driver.
A driver module has a ``Config``, a class with the port's methods and ``DRIVER``, an object of the shape ``Driver``.
"""

import time
import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationInfo

FOLDER = "folder"
"""Key of the validation context under which a configuration is read: the folder of its file, an absolute ``Path``."""


@dataclass(frozen=True, slots=True)
class SharedLine:
    """How a device can share its ``port`` with others of its driver: ``same`` keys and values for all, another ``address`` for each.

    ``key`` is the key of the address in the configuration.
    """

    same: Mapping[str, object]
    key: str
    address: object


class DriverConfig(BaseModel):
    """Base of every driver's own configuration: an unknown key is a typo, so it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def shared_line(self) -> SharedLine | None:
        """Whether other devices may be at the same ``port``; None: it is for this one alone."""
        return None

    def at_place(self, role: str) -> Self:
        """With what the place of the device (``ticket``, ``keys``, ``rating``) makes of settings that were left open."""
        del role
        return self

    def site_files(self) -> dict[str, str]:
        """The files and directories of the site (``SiteFile``) that it names, by the name of the setting. They need not be there."""
        optional = (name for name, field in type(self).model_fields.items() if SiteFile in get_args(field.annotation))
        return {name: path for name in optional if (path := getattr(self, name)) is not None}


def from_folder(path: Path, info: ValidationInfo) -> Path:
    """``path``, a relative one from the folder of the configuration's file on; as it is where there is no file."""
    folder: Path | None = (info.context or {}).get(FOLDER)
    return path if folder is None else folder / path


def _site_file(text: str, info: ValidationInfo) -> str:
    path = from_folder(Path(text), info)
    if not text.isprintable():
        raise ValueError("text may not contain control characters")
    if not path.is_absolute():
        raise ValueError("the path must begin with /")
    return str(path)


SiteFile = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_site_file)]
"""A file or directory of the site that a driver reads, such as a logo, relative to the folder of the configuration's file or absolute. The
driver gets an absolute path."""


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
    """One whole code: 1 to 512 printable characters, opaque and personal. ``at`` as in ``Press``.

    ``symbology`` is what kind of code the scanner says that it read, as an AIM identifier (``]C0``); empty where it does not tell.
    """

    payload: str = field(repr=False)
    at: float
    symbology: str = ""


@dataclass(frozen=True, slots=True)
class BadScan:
    """A scan that was thrown away by the driver; its content is gone.

    ``reason``: ``control`` (a character or key that no code has), ``length``, ``incomplete`` (no end came), ``dropped`` (parts were lost),
    ``pattern`` (not what the configuration allows), ``aim`` (without the AIM identifier that the scanner is said to send).
    """

    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """The device still works but a person should know: a stuck button, paper near its end. ``code`` ``""`` clears what ``subject`` had."""

    code: str
    detail: str
    subject: str = ""


class LampState(StrEnum):
    """What a lamp says; how it looks is the driver's affair.

    ``OFF``: closed, or nothing to say. ``ON``: ready. ``WAIT``: a press was heard, its answer is not there yet. ``FAULT``: something does
    not work without which no press does. ``RATE_NOW``: please rate. ``REFUSED``: a press was refused.
    """

    OFF = "off"
    ON = "on"
    WAIT = "wait"
    FAULT = "fault"
    RATE_NOW = "rate_now"
    REFUSED = "refused"


class ButtonPanel(Protocol):
    """Buttons and lamps by name.

    ``presses`` yields each accepted press once, bounces removed (50 ms), oldest first, and a ``Fault`` for a button held longer
    than 10 s (``stuck``), one that shakes (``jabber``), two whose wires touch (``together``), and signals that were lost (``overflow``);
    the others go on. A button that is down when the panel opens gives no press. It raises ``DeviceError`` when the panel is gone.
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
    """What became of a slip whose bytes left us.

    ``PRINTED``: the printer said that it printed it, or is trusted to. ``UNCONFIRMED``: it took all bytes and nothing speaks against it,
    but it is a printer that cannot say more. ``UNCERTAIN``: something failed on the way: all, a part or nothing of it may have come out.
    """

    PRINTED = "printed"
    UNCONFIRMED = "unconfirmed"
    UNCERTAIN = "uncertain"


CANNOT_PRINT = frozenset({"paper_out", "cover_open", "cutter", "overheated", "error", "busy", "offline"})
"""Why a printer that is there prints nothing. ``error``: switch it off and on; ``busy``: it takes nothing now; ``offline``: it does not say
why."""


class TicketPrinter(Protocol):
    """Prints slips one at a time.

    ``columns`` is the width of the paper in size-1 characters. ``print_slip`` returns the outcome, and raises ``DeviceError`` when nothing
    was printed for sure: then the same slip may be printed again. Codes: those of ``CANNOT_PRINT`` when the printer says why it cannot, and
    when it is not there or nobody can talk to it ``timeout``, ``absent``, ``permission``, ``jabber``, ``io``. ``watch`` yields a ``Fault``
    whenever the state changes, with a code of ``CANNOT_PRINT`` or with one with which it prints all the same (``paper_near_end``,
    ``unconfirmed``, ``logo``; ``""``: all is well), and raises ``DeviceError`` when the printer is gone.
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


class Announcer(Protocol):
    """Speaks one sentence at a time.

    ``say`` returns when ``text`` was heard to its end: 1 to 300 printable ASCII characters without digits, which no synthesiser reads as
    people do (``ValueError`` for others). ``chime``: attention first, for those that have a chime. Two calls at once are spoken one after
    the other; a cancelled one falls silent. ``DeviceError`` codes: ``absent`` (the card), ``busy`` (somebody else has it), ``timeout``,
    ``permission``, ``program`` (one is not installed), ``config`` (a file of the site is wrong), ``io``.
    """

    async def say(self, text: str, chime: bool = False) -> None: ...


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
