"""Settings: what a kiosd.toml says, section by section. The queue's sections are in ``kiosd.queue.settings``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.mqtt.settings import MqttSettings
from kiosd.ports import DriverConfig
from kiosd.queue.calendar import Calendar
from kiosd.queue.commands import CounterNumber, DeviceId, not_an_identity
from kiosd.queue.fields import Section, Sessions
from kiosd.queue.settings import CounterQueueSettings, HoursSettings, QueueSettings, RuleSettings, ServiceSettings, SiteSettings

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
SatelliteId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$"), AfterValidator(not_an_identity)]
"""A satellite's name: the hub's device, its user name at the broker, and the part of its devices' names before the dot."""


class NodeSettings(Section):
    """This board among those of its site. ``id`` is its part of MQTT topics. A satellite has a configuration of its own kind."""

    id: NodeId = "hub"
    role: Literal["hub", "satellite"] = "hub"


class ClockSettings(Section):
    """``trust_rtc``: the board has a battery-backed clock, so its time is right without a network."""

    trust_rtc: bool = False


class DeskSettings(Section):
    """The devices on a counter's desk; each may be missing (domain section 2)."""

    keys: DeviceId | None = None
    scanner: DeviceId | None = None
    rating: DeviceId | None = None
    display: DeviceId | None = None


class CounterSettings(CounterQueueSettings, DeskSettings):
    """A counter: what it serves, and the devices on its desk that are at this board."""


class EnrolledSettings(Section):
    """A satellite as its hub knows it: the counters that it acts for; one behind a call board has none."""

    counters: Annotated[tuple[CounterNumber, ...], Field(strict=False, max_length=99)] = ()


class TicketMachineSettings(Section):
    """Where visitors take a number. Without buttons the receptionist gives numbers, without a printer they are shown and spoken.

    ``spare``: a second printer, which prints while the first one cannot. ``without_paper``: a press while no printer can print gives a
    number that is shown and spoken (``show``), is refused (``refuse``), or is refused and ``block_size`` numbers of its service are booked
    for tickets written by hand (``block``).
    """

    buttons: DeviceId | None = None
    printer: DeviceId | None = None
    spare: DeviceId | None = None
    without_paper: Literal["show", "refuse", "block"] = "show"
    block_size: int = Field(default=20, ge=1, le=200)

    @model_validator(mode="after")
    def _has_something(self) -> "TicketMachineSettings":
        if self.buttons is None and self.printer is None:
            raise ValueError("give the machine buttons, a printer or both, or remove this section")
        if self.printer is None and self.spare is not None:
            raise ValueError("a spare needs a printer: name the first one too")
        if self.printer is None and self.without_paper != "show":
            raise ValueError(f"without_paper = '{self.without_paper}' needs a printer: without one no press would give a number")
        return self


class CallBoardSettings(Section):
    """The displays that show every call."""

    displays: Annotated[tuple[DeviceId, ...], Field(min_length=1, strict=False)]


class VoiceSettings(Section):
    """Where calls are heard.

    ``repeat``: how many times a call is said. ``max_age_s``: a call that had to wait longer for its turn is not said.
    ``numbers``: whose numbers are said when they are drawn: nobody's (``never``), theirs who get no paper (``without_paper``), everybody's.
    ``quiet``: times of every day at which nothing is said, written as opening hours are.
    """

    announcer: DeviceId
    repeat: Annotated[int, Field(ge=1, le=3)] = 2
    max_age_s: Annotated[float, Field(ge=10, le=600)] = 60.0
    numbers: Literal["never", "without_paper", "always"] = "without_paper"
    quiet: Sessions = ()


def _absolute(value: str) -> str:
    if value and not Path(value).is_absolute():
        raise ValueError("the path must begin with /")
    return value


class ScanSettings(Section):
    """``key_file``: the key of the tokens that stand for scanned codes (domain section 9); empty: one in the state directory."""

    key_file: Annotated[str, AfterValidator(_absolute)] = ""


class JournalSettings(Section):
    """``keep_days``: how long events are kept as they are; older days become sheets of figures (domain section 9)."""

    keep_days: Annotated[int, Field(ge=30, le=3700)] = 400


class LogSettings(Section):
    """What kiosd says of itself on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class DeviceSettings(Section):
    """A device: the name of its driver, and what that driver wants to know."""

    driver: str
    config: DriverConfig


class Settings(Section):
    """A whole, checked configuration. ``hash``: 12 hexadecimal digits of the SHA-256 of the file and of its calendar files.

    ``calendar``: what the files that ``hours.calendars`` names hold.
    """

    hash: str
    site: SiteSettings
    node: NodeSettings
    clock: ClockSettings
    hours: HoursSettings
    calendar: Calendar
    rules: RuleSettings
    services: dict[str, ServiceSettings]
    counters: dict[int, CounterSettings]
    ticket_machine: TicketMachineSettings | None
    call_board: CallBoardSettings | None
    voice: VoiceSettings | None = None
    scan: ScanSettings
    mqtt: dict[str, MqttSettings]
    satellites: dict[str, EnrolledSettings]
    devices: dict[str, DeviceSettings]
    journal: JournalSettings
    log: LogSettings

    @property
    def queue(self) -> QueueSettings:
        """The queue's part."""
        return QueueSettings(self.site, dict(self.services), dict(self.counters), self.hours, self.rules, self.calendar)
