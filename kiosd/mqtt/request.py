"""From a message on ``cmd/<name>`` to what it asks for, or the reason why that is nothing. Pure.

An answer never repeats what was sent, beyond the id: it might be personal.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from kiosd.links.base import MAX_PAYLOAD, Message
from kiosd.mqtt.envelope import SEQUENCE_DIGITS
from kiosd.mqtt.settings import OutsideRole
from kiosd.mqtt.states import REPLAY
from kiosd.queue.commands import COMMANDS, Command, CommandId, not_an_identity, parse

PLACE = "mqtt"
"""Where events say that a command came from: ``mqtt/<client>`` when the client tells its name."""
ROLE = "role"
"""The user property that names the role of who asks, for senders that keep it out of the payload."""
ROLES: tuple[OutsideRole, ...] = get_args(OutsideRole)
Client = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$"), AfterValidator(not_an_identity)]
_ID: TypeAdapter[str] = TypeAdapter(CommandId)
_CLIENT: TypeAdapter[str] = TypeAdapter(Client)


class Request(BaseModel):
    """The payload of a command. ``issued_at`` and ``ttl`` (seconds) say until when it is meant, ``actor`` the role of who asks.

    ``expect_rev`` is the ``as_of_sequence`` of the counter's state that the sender acts on: if the counter has changed since, it is stale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    id: CommandId
    counter: int | None = None
    actor: OutsideRole | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    issued_at: AwareDatetime | None = None
    ttl: float = Field(default=10.0, gt=0, le=3600, allow_inf_nan=False)
    client: Client | None = None
    expect_rev: int | None = Field(default=None, ge=0)


OWN_FIELDS = frozenset({"counter", *Command.model_fields})
"""Fields of a command that ``args`` may not set: they have their own place or are ours to say, and one would date a command back."""
_OURS = OWN_FIELDS - set(Request.model_fields)


class Address(BaseModel):
    """As much of a payload as an answer needs, whatever else is wrong with it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: Any = None
    client: Any = None

    @property
    def known_id(self) -> str | None:
        return _valid(_ID, self.id)

    @property
    def known_client(self) -> str | None:
        return _valid(_CLIENT, self.client)


def _valid(kind: TypeAdapter[str], value: object) -> str | None:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError:
        return None


def address_of(message: Message) -> Address:
    """Who sent ``message``, as far as it can be told."""
    if len(message.payload) > MAX_PAYLOAD:
        return Address()
    try:
        return Address.model_validate_json(message.payload)
    except ValidationError:
        return Address()


class Reject(Exception):
    """Why a message is no command; ``code`` for programs."""

    def __init__(self, code: str, message: str, status: Literal["rejected", "expired"] = "rejected") -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Range(BaseModel):
    """What ``cmd/replay`` takes: events ``from`` to ``to``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    first: int = Field(alias="from", ge=1, lt=10**SEQUENCE_DIGITS)
    last: int = Field(alias="to", ge=1, lt=10**SEQUENCE_DIGITS)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks for: a command of the queue, or events once more. ``role`` is the one it is asked in, ``""`` for any."""

    request: Request
    role: str
    what: Command | Range


def read(name: str, message: Message) -> Asked:
    """What ``message`` to ``cmd/<name>`` asks for; raises ``Reject``."""
    if message.retain:
        raise Reject("retained", "a command must not be retained")
    if len(message.payload) > MAX_PAYLOAD:
        raise Reject("too_large", f"a command has at most {MAX_PAYLOAD} bytes")
    if name not in COMMANDS and name != REPLAY:
        raise Reject("unknown_command", f"there is no such command; there are: {', '.join(sorted([*COMMANDS, REPLAY]))}")
    try:
        request = Request.model_validate_json(message.payload)
    except ValidationError as wrong:
        raise _reject(wrong, frozenset(Request.model_fields)) from None
    role = _role(message, request)
    if name == REPLAY:
        return Asked(request, role or "", _range(request))
    command = _command(name, request, role)
    return Asked(request, command.by, command)


def _range(request: Request) -> Range:
    if request.counter is not None or request.expect_rev is not None:
        raise Reject("bad_field", f"{REPLAY} is not about a counter")
    try:
        return Range.model_validate(request.args)
    except ValidationError as wrong:
        raise _reject(wrong, frozenset({"from", "to"})) from None


def _role(message: Message, request: Request) -> str | None:
    """The role that the sender names, in the payload or beside it; None when it names none."""
    named = {value for key, value in message.properties if key == ROLE} | ({request.actor} if request.actor else set())
    if len(named) > 1 or not named <= set(ROLES):
        raise Reject("bad_role", f"the role, named once, is one of {', '.join(ROLES)}")
    return next(iter(named), None)


def _command(name: str, request: Request, role: str | None) -> Command:
    """The command's fields are ``id``, ``counter``, the role and all of ``args``; the place is where it came from."""
    if OWN_FIELDS & request.args.keys():
        raise Reject("bad_args", f"args may not hold {', '.join(sorted(OWN_FIELDS & request.args.keys()))}")
    if request.expect_rev is not None and "counter" not in COMMANDS[name].model_fields:
        raise Reject("bad_field", "expect_rev: this command is not about a counter")
    fields = request.args | {"id": request.id, "place": f"{PLACE}/{request.client}" if request.client else PLACE}
    own = {"counter": request.counter, "actor": role, "seen": request.expect_rev}
    fields |= {field: value for field, value in own.items() if value is not None}
    try:
        return parse(name, fields)
    except ValidationError as wrong:
        raise _reject(wrong, frozenset(COMMANDS[name].model_fields)) from None


def _reject(wrong: ValidationError, known: frozenset[str]) -> Reject:
    """What was wrong, without a word of what was sent: pydantic's messages say what was expected; a field's name is shown if it is ours."""
    first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return Reject("not_json", first["msg"])
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return Reject("unknown_field", f"there is a field that this command does not have; it has: {', '.join(sorted(known - _OURS))}")
    return Reject("bad_field" if field else "bad_payload", f"{field}: {first['msg']}" if field in known else first["msg"])
