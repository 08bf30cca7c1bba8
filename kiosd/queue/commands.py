"""What somebody may ask of the queue. ``COMMANDS`` is the one list of them: for the CLI, the control socket and MQTT."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from kiosd.queue.model import Place, Role
from kiosd.queue.survey import ELEMENTS
from kiosd.redact import IDENTITY, PLAIN, redact


def _no_identity(value: str) -> str:
    if PLAIN.search(value):
        raise ValueError("an id may not hold 16 digits: that is an identity number")
    return value


def not_an_identity(value: str) -> str:
    """``value``; ``ValueError`` when there is an identity number in it."""
    if IDENTITY.search(value):
        raise ValueError("16 digits, grouped or not, are an identity number")
    return value


CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), AfterValidator(_no_identity)]
ServiceId = Annotated[str, StringConstraints(pattern=r"^[A-HJ-NP-Z]$")]
"""One letter A-Z without I and O (domain section 4)."""
CounterNumber = Annotated[int, Field(ge=1, le=99)]
TicketNumber = Annotated[str, StringConstraints(pattern=r"^[A-HJ-NP-Z][0-9]{3,6}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$"), AfterValidator(not_an_identity)]
AnyDevice = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}(\.[a-z0-9][a-z0-9_-]{0,31})?$"), AfterValidator(not_an_identity)
]
"""A device of the hub's own, or ``<node>.<device>``, one of a satellite's."""
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$"), AfterValidator(not_an_identity)]
"""A machine word: a reason or a code."""
CallReason = Literal["salah_panggil", "lanjutan", "kondisi_khusus", "lainnya"]
CALL_REASONS: dict[CallReason, tuple[str, str]] = {
    "salah_panggil": ("salah panggil", "wrong call before"),
    "lanjutan": ("lanjutan pelayanan", "continued service"),
    "kondisi_khusus": ("kondisi khusus", "special condition"),
    "lainnya": ("lainnya", "other"),
}
"""Why a ticket may be called out of its order (domain section 3), in Indonesian and English."""
DESTINATIONS = ("back_office", "dinas_kabkota", "dinas_provinsi", "kementerian")
"""Where a visit may be referred to, besides the id of another site (domain section 1 [decree])."""
Remark = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(redact)]
"""A person's own words; an identity number in them is replaced before anything sees it."""
Detail = Annotated[str, StringConstraints(max_length=200), AfterValidator(redact)]
"""What a device or a library says went wrong: it may repeat what it was given."""
Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{8}){3}$")]
"""First 16 bytes of HMAC-SHA256(site key, scan payload), in four groups so that it never holds 16 digits in a row (domain section 9)."""
When = Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d{2}-\d{2}T)?([01]\d|2[0-3])[:.][0-5]\d$")]
"""A time of today at the site, ``14:00``, or of another day, ``2026-07-03T08:00``; site time."""
Origin = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./-]{0,64}$"), AfterValidator(not_an_identity)]
"""Where a command came from: ``button/D``, ``counter/1``, ``cli``."""
IsoDate = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{8}){7}$")]
"""SHA-256 in groups, so that it never holds 16 digits in a row."""
BUTTON = "button/"
"""Places that begin so are buttons of a ticket machine: one press there gives one number."""
Category = Literal["pemberi_kerja", "pencari_kerja", "pekerja_buruh", "masyarakat", "tidak_dicatat"]


def new_id() -> str:
    """A command id, made once, at the press: the same id asked twice is done once."""
    return str(uuid4())


class Command(BaseModel):
    """Base of all commands.

    ``actor`` is the role of who asks and ``place`` where; ``may`` lists the roles that are granted it, the first one is meant when the
    command names none. ``age_s``: seconds since the person acted, for commands that come late (a satellite's spool).

    ``seen``: the newest event in the state of the counter that the person acted on; when the counter has changed since, the command is
    refused. ``late``: it came after its time: only an answer that was given before is given, nothing is done any more.
    """

    # defer_build: a process uses a few of these 43; validators made at their first use (0.3 ms each) save 1.1 MB and 15 ms of a start.
    # Two threads must not be first together (``journal.spool``): so events, which the journal's lane reads as well, are made at once.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    name: ClassVar[str]
    may: ClassVar[tuple[Role, ...]] = ("system",)

    id: CommandId = Field(default_factory=new_id)
    actor: Role | None = None
    place: Origin = ""
    age_s: float = Field(default=0.0, ge=0.0, le=86_400.0)
    seen: int | None = Field(default=None, ge=0)
    late: bool = False

    @property
    def by(self) -> Role:
        """The role that asks."""
        return self.actor or self.may[0]


class IssueTicket(Command):
    """Give the next number of a service.

    ``place`` is the button it was pressed at, for the hold-off; ``slip`` asks for paper. ``no_paper``: the machine that asks cannot
    print and gives no number then: it is refused, with ``block`` because numbers are written by hand meanwhile.
    """

    name = "issue"
    may = ("public", "receptionist")
    service: ServiceId
    priority: bool = False
    category: Category = "tidak_dicatat"
    slip: bool = True
    no_paper: Literal["", "refuse", "block"] = ""


class ReserveNumbers(Command):
    """Book the next ``count`` numbers of a service for hand-written tickets: the machine skips them.

    The system itself books numbers once until a slip comes out again: asked twice, it has them already and nothing happens.
    """

    name = "reserve"
    may = ("receptionist", "manager", "system")
    service: ServiceId
    count: int = Field(ge=1, le=200)


class EnterTicket(Command):
    """Type in a hand-written ticket of a booked block. ``at`` is when it was written, if that was not now."""

    name = "enter"
    may = ("receptionist",)
    ticket: TicketNumber
    priority: bool = False
    category: Category = "tidak_dicatat"
    at: When | None = None


class ReprintTicket(Command):
    """Print a ticket of today again, marked as a reprint, with the time of its issue."""

    name = "reprint"
    may = ("receptionist", "officer")
    ticket: TicketNumber


class SetPriority(Command):
    """Give a waiting ticket priority, or withdraw it. The reason is never stored (domain section 1: health data)."""

    name = "priority"
    may = ("receptionist", "officer")
    ticket: TicketNumber
    priority: bool = True


class SetCategory(Command):
    """Note which group of users the visitor of a ticket belongs to (domain section 1)."""

    name = "category"
    may = ("receptionist", "officer")
    ticket: TicketNumber
    category: Category


class CallNext(Command):
    """Call the next ticket to a counter (domain section 5)."""

    name = "next"
    may = ("officer",)
    counter: CounterNumber


class CallTicket(Command):
    """Call a waiting ticket out of its order; ``reason`` is one of ``CALL_REASONS`` and the call is listed in the report."""

    name = "call"
    may = ("officer",)
    counter: CounterNumber
    ticket: TicketNumber
    reason: CallReason


class Recall(Command):
    """Call the same ticket once more."""

    name = "recall"
    may = ("officer",)
    counter: CounterNumber


class Start(Command):
    """The visitor is at the counter: by the officer's key, so without a card."""

    name = "start"
    may = ("officer",)
    counter: CounterNumber


class MarkAbsent(Command):
    """The called visitor did not come. ``force`` gives the reason for not waiting for all calls."""

    name = "absent"
    may = ("officer",)
    counter: CounterNumber
    force: Remark | None = None


class Readmit(Command):
    """A visitor who was marked absent came after all: behind three further calls of the service, at most twice a day."""

    name = "readmit"
    may = ("receptionist", "officer")
    ticket: TicketNumber


class UndoCall(Command):
    """The call was a mistake: the ticket goes back to its place."""

    name = "undo_call"
    may = ("officer",)
    counter: CounterNumber


class UndoStart(Command):
    """The visitor is not here yet after all: the ticket is called again."""

    name = "undo_start"
    may = ("officer",)
    counter: CounterNumber


class UndoFinish(Command):
    """The visit is not over after all."""

    name = "undo_finish"
    may = ("officer",)
    counter: CounterNumber


class Finish(Command):
    """The visit is over."""

    name = "finish"
    may = ("officer",)
    counter: CounterNumber


class Transfer(Command):
    """The visitor goes on to another service with the same number. ``position``: by original issue time, or the line's head or tail."""

    name = "transfer"
    may = ("officer",)
    counter: CounterNumber
    service: ServiceId
    position: Place = "time"


class Refer(Command):
    """The visit needs the back office on another day (domain section 1). ``destination``: one of ``DESTINATIONS`` or a site's id."""

    name = "refer"
    may = ("officer",)
    counter: CounterNumber
    destination: Annotated[str, StringConstraints(pattern=r"^([a-z_]{3,32}|[A-Z0-9]{2,8})$")]
    reason: Word


class CancelTicket(Command):
    """The visitor left, or the number is not needed."""

    name = "cancel"
    may = ("receptionist", "officer")
    ticket: TicketNumber
    reason: Remark = ""


class VoidTicket(Command):
    """A number whose paper failed is declared void; it is never given again."""

    name = "void"
    may = ("receptionist",)
    ticket: TicketNumber


class Rate(Command):
    """A satisfaction button was pressed: 4 Sangat Puas, 3 Puas, 2 Kurang Puas, 1 Tidak Puas."""

    name = "rate"
    may = ("public",)
    counter: CounterNumber
    score: int = Field(ge=1, le=4)


class Invite(Command):
    """Ask the visitor who is being served to rate now: presses count for this visit already."""

    name = "invite"
    may = ("officer",)
    counter: CounterNumber


class Survey(Command):
    """Answers to the nine-element survey (domain section 8), 1 to 4 by element; elements may be left out."""

    name = "survey"
    may = ("public", "receptionist")
    counter: CounterNumber
    answers: dict[str, Annotated[int, Field(ge=1, le=4)]] = Field(min_length=1)

    @field_validator("answers")
    @classmethod
    def _known(cls, value: dict[str, int]) -> dict[str, int]:
        if not value.keys() <= set(ELEMENTS):
            raise ValueError(f"elements are {', '.join(ELEMENTS)}")
        return value


class OpenCounter(Command):
    """An officer sits down."""

    name = "open"
    may = ("officer", "manager")
    counter: CounterNumber


class PauseCounter(Command):
    """The officer is away for a moment."""

    name = "pause"
    may = ("officer", "manager")
    counter: CounterNumber
    reason: Remark = ""


class CloseCounter(Command):
    """The counter closes for today."""

    name = "close"
    may = ("officer", "manager")
    counter: CounterNumber


class Suspend(Command):
    """Close the site out of turn: no tickets until ``until`` (without it: until ``resume``). Those who wait are served."""

    name = "suspend"
    may = ("manager",)
    until: When | None = None
    reason: Remark


class Resume(Command):
    """End a special closure early."""

    name = "resume"
    may = ("manager",)


class Training(Command):
    """Begin or end training: tickets are marked, numbered apart and in no report. Only while no tickets are given to visitors."""

    name = "training"
    may = ("manager",)
    on: bool


class PromiseRepair(Command):
    """A device is out of use: why, and until when at the latest. Both are shown to the public (domain section 1)."""

    name = "repair"
    may = ("manager", "receptionist", "officer")
    device: AnyDevice
    until: When
    reason: Remark


class Note(Command):
    """The manager's own words on an obstacle, for the report of the month."""

    name = "note"
    may = ("manager",)
    text: Remark


class CloseDay(Command):
    """End the business date: what still waits expires, what is being served is finished by the system."""

    name = "close_day"
    may = ("manager", "system")


class AttachScan(Command):
    """A card was scanned at a counter; only its token is here (domain section 9)."""

    name = "scan"
    counter: CounterNumber
    token: Token


class RejectScan(Command):
    """A scan was thrown away at the border; its content is gone."""

    name = "reject_scan"
    counter: CounterNumber
    reason: Word


class ReportPaper(Command):
    """What became of a ticket's paper."""

    name = "report_paper"
    ticket: str = Field(max_length=64)
    outcome: Literal["printed", "failed", "uncertain", "unconfirmed"]
    device: DeviceId
    detail: Detail = ""
    reprint: bool = False


class ReportDevice(Command):
    """A device's health changed."""

    name = "report_device"
    device: AnyDevice
    state: Literal["ok", "degraded", "down"]
    code: str = Field(default="", max_length=32)
    detail: Detail = ""


class ReportRefusal(Command):
    """Somebody outside asked for something that never became a command (malformed, too big, retained, too often).

    ``count``: how many refusals this one stands for.
    """

    name = "report_refusal"
    source: str = Field(max_length=64)
    command: str = Field(max_length=32)
    code: Word
    message: Annotated[str, StringConstraints(max_length=300), AfterValidator(redact)]
    count: int = Field(default=1, ge=1)


class ReportQuarantine(Command):
    """A broker cannot be told an event: it is left out there, the others go on. ``kind`` is the event's type."""

    name = "report_quarantine"
    broker: Word
    sequence: int = Field(ge=1)
    kind: str = Field(max_length=64)
    code: Word


class Tick(Command):
    """Time has passed: close the day when it is due. Records nothing when nothing is due."""

    name = "tick"


class ReportStart(Command):
    """The daemon started."""

    name = "report_start"
    version: str = Field(max_length=32)
    config_hash: str = Field(max_length=64)


class ReportStop(Command):
    """The daemon stops in good order."""

    name = "report_stop"


class SealDay(Command):
    """Replace a day's events, which are older than raw events are kept, by its sheet (domain section 9).

    ``first`` to ``last`` are the day's events, ``head`` the hash of the last one in hexadecimal groups, ``sheet_sha256`` of the sheet.
    """

    name = "seal_day"
    date: IsoDate
    first: int = Field(ge=1)
    last: int = Field(ge=1)
    head: Digest
    sheet_sha256: Digest


class EraseTokens(Command):
    """Delete the tokens of all scans before a date for ever. ``rows`` and ``digest`` say which rows lost theirs."""

    name = "erase_tokens"
    before: IsoDate
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    rows: int = Field(ge=0)
    digest: Digest


ALL: tuple[type[Command], ...] = (
    IssueTicket, ReserveNumbers, EnterTicket, ReprintTicket, SetPriority, SetCategory, CallNext, CallTicket, Recall, Start, MarkAbsent,
    Readmit, UndoCall, UndoStart, UndoFinish, Finish, Transfer, Refer, CancelTicket, VoidTicket, Rate, Invite, Survey, OpenCounter,
    PauseCounter, CloseCounter, Suspend, Resume, Training, PromiseRepair, Note, CloseDay, AttachScan, RejectScan, ReportPaper,
    ReportDevice, ReportRefusal, ReportQuarantine, Tick, ReportStart, ReportStop, SealDay, EraseTokens,
)  # fmt: skip
COMMANDS: dict[str, type[Command]] = {command.name: command for command in ALL if command.may != ("system",)}
"""Commands that may come from outside, by name."""


def parse(name: str, fields: dict[str, Any]) -> Command:
    """The command ``name`` from outside; raises ``KeyError`` for an unknown name, ``ValueError`` for wrong fields.

    Nobody outside is the system itself.
    """
    kind = COMMANDS[name]
    if fields.get("actor") == "system":
        raise ValueError("actor: system is the daemon itself")
    return kind.model_validate(fields)
