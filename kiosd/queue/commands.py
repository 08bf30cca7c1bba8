"""What somebody may ask of the queue. ``COMMANDS`` is the one list of them: for the CLI, the control socket and MQTT."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from kiosd.redact import PLAIN, redact


def _no_identity(value: str) -> str:
    if PLAIN.search(value):
        raise ValueError("an id may not hold 16 digits: that is an identity number")
    return value


CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), AfterValidator(_no_identity)]
ServiceId = Annotated[str, StringConstraints(pattern=r"^[A-HJ-NP-Z]$")]
"""One letter A-Z without I and O (domain section 4)."""
CounterNumber = Annotated[int, Field(ge=1, le=99)]
TicketNumber = Annotated[str, StringConstraints(pattern=r"^[A-HJ-NP-Z][0-9]{3,6}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")]
"""A machine word: a reason or a code."""
Remark = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(redact)]
"""A person's own words; an identity number in them is replaced before anything sees it."""
Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{8}){3}$")]
"""First 16 bytes of HMAC-SHA256(site key, scan payload), in four groups so that it never holds 16 digits in a row (domain section 9)."""
Category = Literal["pemberi_kerja", "pencari_kerja", "pekerja_buruh", "masyarakat", "tidak_dicatat"]


def new_id() -> str:
    """A command id, made once, at the press: the same id asked twice is done once."""
    return str(uuid4())


class Command(BaseModel):
    """Base of all commands. ``age_s``: seconds since the person acted, for commands that come late (a satellite's spool)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: ClassVar[str]
    public: ClassVar[bool] = True
    """Whether somebody outside the daemon may send it."""

    id: CommandId = Field(default_factory=new_id)
    age_s: float = Field(default=0.0, ge=0.0, le=86_400.0)


class IssueTicket(Command):
    """Give the next number of a service. ``place`` is the button it was pressed at, for the hold-off; ``slip`` asks for paper."""

    name = "issue"
    service: ServiceId
    priority: bool = False
    category: Category = "tidak_dicatat"
    place: str = Field(default="", max_length=64)
    slip: bool = True


class CallNext(Command):
    """Call the next ticket to a counter (domain section 5)."""

    name = "next"
    counter: CounterNumber


class Recall(Command):
    """Call the same ticket once more."""

    name = "recall"
    counter: CounterNumber


class Start(Command):
    """The visitor is at the counter: by the officer's key, so without a card."""

    name = "start"
    counter: CounterNumber


class MarkAbsent(Command):
    """The called visitor did not come. ``force`` gives the reason for not waiting for all calls."""

    name = "absent"
    counter: CounterNumber
    force: Remark | None = None


class Finish(Command):
    """The visit is over."""

    name = "finish"
    counter: CounterNumber


class CancelTicket(Command):
    """The visitor left, or the number is not needed."""

    name = "cancel"
    ticket: TicketNumber
    reason: Remark = ""


class Rate(Command):
    """A satisfaction button was pressed: 4 Sangat Puas, 3 Puas, 2 Kurang Puas, 1 Tidak Puas."""

    name = "rate"
    counter: CounterNumber
    score: int = Field(ge=1, le=4)


class OpenCounter(Command):
    """An officer sits down."""

    name = "open"
    counter: CounterNumber


class PauseCounter(Command):
    """The officer is away for a moment."""

    name = "pause"
    counter: CounterNumber
    reason: Remark = ""


class CloseCounter(Command):
    """The counter closes for today."""

    name = "close"
    counter: CounterNumber


class CloseDay(Command):
    """End the business date: what still waits expires, what is being served is finished by the system."""

    name = "close_day"


class AttachScan(Command):
    """A card was scanned at a counter; only its token is here (domain section 9)."""

    name = "scan"
    public = False
    counter: CounterNumber
    token: Token


class RejectScan(Command):
    """A scan was thrown away at the border; its content is gone."""

    name = "reject_scan"
    public = False
    counter: CounterNumber
    reason: Word


class ReportPaper(Command):
    """What became of a ticket's paper."""

    name = "report_paper"
    public = False
    ticket: str = Field(max_length=64)
    outcome: Literal["printed", "failed", "uncertain"]
    device: DeviceId
    detail: str = Field(default="", max_length=200)
    reprint: bool = False


class ReportDevice(Command):
    """A device's health changed."""

    name = "report_device"
    public = False
    device: DeviceId
    state: Literal["ok", "degraded", "down"]
    code: str = Field(default="", max_length=32)
    detail: str = Field(default="", max_length=200)


class ReportRefusal(Command):
    """Somebody outside asked for something that never became a command (malformed, too big, expired, retained)."""

    name = "report_refusal"
    public = False
    source: str = Field(max_length=64)
    command: str = Field(max_length=32)
    code: Word
    message: str = Field(max_length=300)


class Tick(Command):
    """Time has passed: close the day when it is due. Records nothing when nothing is due."""

    name = "tick"
    public = False


class ReportStart(Command):
    """The daemon started."""

    name = "report_start"
    public = False
    version: str = Field(max_length=32)
    config_hash: str = Field(max_length=64)


class ReportStop(Command):
    """The daemon stops in good order."""

    name = "report_stop"
    public = False


ALL: tuple[type[Command], ...] = (
    IssueTicket, CallNext, Recall, Start, MarkAbsent, Finish, CancelTicket, Rate, OpenCounter, PauseCounter, CloseCounter, CloseDay,
    AttachScan, RejectScan, ReportPaper, ReportDevice, ReportRefusal, Tick, ReportStart, ReportStop,
)  # fmt: skip
COMMANDS: dict[str, type[Command]] = {command.name: command for command in ALL if command.public}
"""Commands that may come from outside, by name."""


def parse(name: str, fields: dict[str, Any]) -> Command:
    """The public command ``name`` with ``fields``; raises ``KeyError`` for an unknown name, ``ValueError`` for wrong fields."""
    return COMMANDS[name].model_validate(fields)
