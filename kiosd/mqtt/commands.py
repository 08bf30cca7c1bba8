"""Commands over MQTT: ``cmd/<name>`` in, a correlated reply out.

Rule 1  Nothing from outside is trusted: size before parsing, a strict parse, known names, known fields. What does not become a command
        is answered (when there is somewhere to answer to) and recorded, at most 10 times in 10 seconds.
Rule 2  A retained command is refused and its topic cleared: it would be executed at every start.
Rule 3  A command that is too old is not executed. Asking twice with one id is doing once: the queue keeps the reply.
Rule 4  An answer never repeats what was sent, beyond the id: it might be personal.
"""

import asyncio
import logging
import re
from collections import deque
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from kiosd.clock import Clock
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import MAX_PAYLOAD, Link, Message
from kiosd.mqtt.envelope import compact
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import COMMANDS, Command, CommandId, ReportRefusal, parse
from kiosd.queue.interface import Queue

log = logging.getLogger(__name__)

AT_ONCE = 16  # commands under way; the rest waits in the link's inbox
RECORDS, RECORDS_IN_S = 10, 10.0
RESPONSE_TOPIC = re.compile(r"[^$+#\x00-\x1f\x7f][^+#\x00-\x1f\x7f]{0,255}")
OWN_FIELDS = frozenset({"id", "counter", "actor", "place", "age_s"})
"""Fields of a command that ``args`` may not set: they have their own place or are ours to say, and the last would date a command back."""
PLACE = "mqtt"
"""Where events say that a command came from: ``mqtt/<client>`` when the client tells its name."""
Status = Literal["done", "rejected", "expired", "failed"]
Client = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
_ID: TypeAdapter[str] = TypeAdapter(CommandId)
_CLIENT: TypeAdapter[str] = TypeAdapter(Client)


class Request(BaseModel):
    """The payload of a command. ``issued_at`` and ``ttl`` (seconds) say until when it is meant, ``actor`` the role of who asks."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    id: CommandId
    counter: int | None = None
    actor: Literal["public", "officer", "receptionist", "manager"] | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    issued_at: AwareDatetime | None = None
    ttl: float = Field(default=10.0, gt=0, le=3600, allow_inf_nan=False)
    client: Client | None = None


class _Address(BaseModel):
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


async def serve_commands(queue: Queue, link: Link, topics: Topics, clock: Clock) -> None:
    """Answer commands for ever. Several may be under way; they are handed to the queue in the order they came."""
    service = _Service(queue, link, topics, clock)
    room = asyncio.Semaphore(AT_ONCE)

    async def answer(message: Message) -> None:
        try:
            await service.handle(message)
        finally:
            room.release()

    async with link.subscribe(topics.commands) as messages, asyncio.TaskGroup() as group:
        async for message in messages:
            await room.acquire()
            group.create_task(answer(message))


class _Reject(Exception):
    """Why a message is no command; ``code`` for programs."""

    def __init__(self, code: str, message: str, status: Status = "rejected") -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class _Service:
    def __init__(self, queue: Queue, link: Link, topics: Topics, clock: Clock) -> None:
        self._queue, self._link, self._topics, self._clock = queue, link, topics, clock
        self._recorded: deque[float] = deque(maxlen=RECORDS)
        self._unrecorded = 0

    async def handle(self, message: Message) -> None:
        """One message, to its answer."""
        if message.retain:
            if not message.payload:
                return  # somebody cleared a retained command
            await self._clear(message.topic)
        name = message.topic.removeprefix(f"{self._topics.root}/cmd/")
        address, reply_to = _address(message), None
        body: dict[str, object]
        try:
            reply_to = self._reply_to(message, address)
            command = self._command(name, message)
        except _Reject as no:
            sequence = await self._record(name, no)
            body = {"id": address.known_id, "status": no.status, "reason": no.code, "message": no.message, "sequence": sequence}
        else:
            body = {"id": command.id} | await self._execute(command)
        if reply_to is not None:
            await self._reply(message, reply_to, body)

    def _reply_to(self, message: Message, address: _Address) -> str | None:
        """Where the answer goes: never to a topic that is somebody else's to write, least of all a command's."""
        if message.reply_to is not None:
            topic, root = message.reply_to, f"{self._topics.root}/"
            if not RESPONSE_TOPIC.fullmatch(topic) or (f"{topic}/".startswith(root) and not topic.startswith(f"{root}reply/")):
                raise _Reject("bad_reply_topic", "the response topic is not one that an answer may go to")
            return topic
        client = address.known_client
        return self._topics.path("reply", client) if client else None

    def _command(self, name: str, message: Message) -> Command:
        if message.retain:
            raise _Reject("retained", "a command must not be retained")
        if len(message.payload) > MAX_PAYLOAD:
            raise _Reject("too_large", f"a command has at most {MAX_PAYLOAD} bytes")
        if name not in COMMANDS:
            raise _Reject("unknown_command", f"there is no such command; there are: {', '.join(sorted(COMMANDS))}")
        request = _request(message.payload)
        self._check_age(request)
        return _merge(name, request)

    def _check_age(self, request: Request) -> None:
        now = self._clock.now()
        if request.issued_at is None or not now.synced:
            return
        if now.time - request.issued_at > timedelta(seconds=request.ttl):
            raise _Reject("expired", "the command came after its time", "expired")

    async def _clear(self, topic: str) -> None:
        try:
            await self._link.publish(Message(topic, b"", retain=True))
        except (Refused, Unavailable) as no:
            if str(no) != "nobody_listens":
                log.warning("mqtt: a retained command could not be cleared from the broker: %s", no)

    async def _execute(self, command: Command) -> dict[str, object]:
        try:
            reply = await self._queue.execute(command)
        except Unavailable as gone:
            return {"status": "failed", "reason": "unavailable", "message": str(gone), "sequence": 0}
        if not reply.done:
            return {"status": "rejected", "reason": reply.code, "message": reply.message, "sequence": reply.sequence}
        return {"status": "done", "result": reply.model_dump(mode="json")["result"], "sequence": reply.sequence}

    async def _reply(self, message: Message, reply_to: str, body: dict[str, object]) -> None:
        row = self._topics.message("reply", compact(body))
        reply = Message(reply_to, row.payload, expiry_s=row.expiry_s, correlation=message.correlation, content_type=row.content_type)
        try:
            await self._link.publish(reply)
        except (Refused, Unavailable) as no:
            log.warning("mqtt: an answer did not reach who asked: %s", no)

    async def _record(self, name: str, no: _Reject) -> int:
        """The sequence of the event that records the refusal, 0 when there is none: a flood of them must not fill the journal."""
        now = self._clock.now().monotonic
        if len(self._recorded) == RECORDS and now - self._recorded[0] < RECORDS_IN_S:
            self._unrecorded += 1
            if self._unrecorded == 1:
                log.warning("mqtt: so many commands are refused that they are not all recorded")
            return 0
        if self._unrecorded:
            log.warning("mqtt: %d refused commands were not recorded", self._unrecorded)
            self._unrecorded = 0
        self._recorded.append(now)
        shown = name if re.fullmatch(r"[a-z_]{1,32}", name) else "?"
        try:
            reply = await self._queue.execute(ReportRefusal(source="mqtt", command=shown, code=no.code, message=no.message[:300]))
        except Unavailable as gone:
            log.warning("mqtt: a refused command (%s) could not be recorded: %s", no.code, gone)
            return 0
        return reply.sequence


def _address(message: Message) -> _Address:
    if len(message.payload) > MAX_PAYLOAD:
        return _Address()
    try:
        return _Address.model_validate_json(message.payload)
    except ValidationError:
        return _Address()


def _request(payload: bytes) -> Request:
    try:
        return Request.model_validate_json(payload)
    except ValidationError as wrong:
        raise _reject(wrong, frozenset(Request.model_fields)) from None


def _merge(name: str, request: Request) -> Command:
    """The command's fields are ``id``, ``counter``, ``actor`` and all of ``args``; the place is where it came from."""
    if OWN_FIELDS & request.args.keys():
        raise _Reject("bad_args", f"args may not hold {', '.join(sorted(OWN_FIELDS & request.args.keys()))}")
    fields = request.args | {"id": request.id, "place": f"{PLACE}/{request.client}" if request.client else PLACE}
    fields |= {name: value for name, value in (("counter", request.counter), ("actor", request.actor)) if value is not None}
    try:
        return parse(name, fields)
    except ValidationError as wrong:
        raise _reject(wrong, frozenset(COMMANDS[name].model_fields)) from None


def _reject(wrong: ValidationError, known: frozenset[str]) -> _Reject:
    """What was wrong, without a word of what was sent: pydantic's messages say what was expected; a field's name is shown if it is ours."""
    first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return _Reject("not_json", first["msg"])
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        fields = ", ".join(sorted(known - {"place", "age_s"}))
        return _Reject("unknown_field", f"there is a field that this command does not have; it has: {fields}")
    return _Reject("bad_field" if field else "bad_payload", f"{field}: {first['msg']}" if field in known else first["msg"])
