"""The queue from afar: the CLI's and a satellite's ``Queue``. Each question has a reply topic of its own and needs no task."""

import asyncio
import hashlib
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, TypeAdapter

from kiosd.clock import Moment
from kiosd.errors import ConfigError, JournalError, Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Link, Message
from kiosd.queue.commands import Command
from kiosd.queue.events import Record
from kiosd.queue.interface import Forecast, Reply, Snapshot
from kiosd.queue.wire import DEAF_AFTER_S, AskErase, AskEvents, AskQueue, ReportStreamed, Streamed, TimeView

T = TypeVar("T")
_STREAMED: TypeAdapter[Streamed | Reply] = TypeAdapter(Streamed | Reply)
_REPORTED: TypeAdapter[ReportStreamed | Reply] = TypeAdapter(ReportStreamed | Reply)
_FORECASTS: TypeAdapter[tuple[Forecast, ...]] = TypeAdapter(tuple[Forecast, ...])
ERASE_S = 3600.0  # a hundred thousand scans on a slow card, while visitors go first
ASK_S = 150.0  # longer than the longest count of owed events
VERIFY_S = 900.0  # the whole chain of a few million events on a slow card
Stamp = Callable[[Command], tuple[int | None, tuple[tuple[str, str], ...]]]
"""What a command's message carries to be not done late: its expiry and properties; ``Unavailable`` when it cannot be sent now."""


def no_stamp(_: Command) -> tuple[None, tuple[()]]:
    """For a link on which nothing waits."""
    return None, ()


class RemoteQueue:
    """``Queue`` behind ``link``, whose other end runs ``serve_queue``. ``timeout``: seconds for an answer, else ``Unavailable``."""

    def __init__(self, link: Link, timeout: float = 5.0, deaf_after: float = DEAF_AFTER_S, stamp: Stamp = no_stamp) -> None:
        self._link, self._stamp = link, stamp
        self._timeout = timeout
        self._deaf_after = deaf_after

    async def execute(self, command: Command) -> Reply:
        """See ``Queue``; the same command object may be asked again after ``Unavailable``."""
        expiry_s, properties = self._stamp(command)
        message = Message(f"cmd/{command.name}", command.model_dump_json().encode(), expiry_s=expiry_s, properties=properties)
        reply = await _within(self._timeout, self._answer(message))
        if reply.code == "unavailable":
            raise Unavailable(reply.message)
        return reply

    async def snapshot(self) -> Snapshot:
        """See ``Queue``."""
        reply = _granted(await _within(self._timeout, self._ask("ask/snapshot", "{}")))
        return _parsed(Snapshot.model_validate, reply.result)

    async def forecasts(self, counter: int | None = None, service: str = "") -> tuple[Forecast, ...]:
        """Who is next and why; see ``LocalQueue``."""
        asked = AskQueue(counter=counter, service=service).model_dump_json()
        reply = _granted(await _within(self._timeout, self._ask("ask/queue", asked)))
        return _parsed(_FORECASTS.validate_python, reply.result.get("forecasts"))

    async def moment(self) -> Moment:
        """What time it is at the other end."""
        reply = _granted(await _within(self._timeout, self._ask("ask/time", "{}")))
        return _parsed(TimeView.model_validate, reply.result).moment()

    async def verify(self) -> dict[str, Any]:
        """What the daemon's check of its whole journal found; ``JournalError`` when that is bad."""
        return dict(_granted(await _within(VERIFY_S, self._ask("ask/verify", "{}"))).result)

    async def erase(self, before: str, *, count_only: bool) -> dict[str, Any]:
        """What became of the tokens of days before ``before``, or how many there are; ``Refused`` when that day has not come."""
        asked = AskErase(before=before, count_only=count_only).model_dump_json()
        return dict(_granted(await _within(ERASE_S, self._ask("ask/erase", asked))).result)

    async def ask(self, question: str, asked: str = "{}", seconds: float = ASK_S) -> dict[str, Any]:
        """The answer to a question that not every server knows; ``Refused`` when it says no."""
        return dict(_granted(await _within(seconds, self._ask(f"ask/{question}", asked))).result)

    async def events(self, since: int, *, follow: bool = True) -> AsyncGenerator[Record, None]:
        """See ``Queue``; without ``follow`` it ends after the newest event of now. Close it (``aclosing``) when you leave it early."""
        asked = AskEvents(since=since, follow=follow).model_dump_json()
        last = since
        async with self._conversation() as conversation:
            await _within(self._timeout, conversation.say("ask/events", asked))
            patience = self._timeout
            while True:
                streamed = _told(_STREAMED, await _within(patience, conversation.hear()))
                if streamed.what in {"alive", "end"} and streamed.sequence > last:
                    raise Unavailable(f"events up to {streamed.sequence} were lost on the way")
                if streamed.what == "end":
                    return
                if streamed.record is not None:
                    yield _parsed(_record, streamed)
                    last = streamed.sequence
                patience = self._deaf_after

    async def report(self, asked: BaseModel, progress: Callable[[int, int], None]) -> bytes:
        """The document that ``asked``, an ``AskReport``, is for. ``progress`` hears how much of how much is done (of 0: not known yet)."""
        document = bytearray()
        async with self._conversation() as conversation:
            await _within(self._timeout, conversation.say("ask/report", asked.model_dump_json()))
            while True:
                told = _told(_REPORTED, await _within(self._deaf_after, conversation.hear()))
                if told.what == "progress":
                    progress(told.done, told.total)
                elif told.what == "part":
                    document += _parsed(b64decode, told.data)
                elif (len(document), hashlib.sha256(document).hexdigest()) != (told.size, told.sha256):
                    raise Unavailable("the report did not come whole; ask again")
                else:
                    return bytes(document)

    async def _ask(self, topic: str, payload: str) -> Reply:
        return await self._answer(Message(topic, payload.encode()))

    async def _answer(self, question: Message) -> Reply:
        async with self._conversation() as conversation:
            await conversation.send(question)
            return _parsed(Reply.model_validate_json, await conversation.hear())

    @asynccontextmanager
    async def _conversation(self) -> AsyncIterator["_Conversation"]:
        reply_to = f"reply/{uuid4()}"
        async with self._link.subscribe(reply_to) as answers:
            yield _Conversation(self._link, reply_to, answers)


class _Conversation:
    """One question and what comes back."""

    def __init__(self, link: Link, reply_to: str, answers: AsyncIterator[Message]) -> None:
        self._link, self._reply_to, self._answers = link, reply_to, answers
        self._correlation = uuid4().bytes.hex().encode()

    async def say(self, topic: str, payload: str) -> None:
        await self.send(Message(topic, payload.encode()))

    async def send(self, message: Message) -> None:
        addressed = replace(message, reply_to=self._reply_to, correlation=self._correlation, content_type="application/json")
        try:
            await self._link.publish(addressed)
        except Refused as exc:
            if exc.code == NOBODY_LISTENS:
                raise Unavailable("kiosd does not answer: it is starting or stopping") from None
            raise

    async def hear(self) -> bytes:
        while True:
            answer = await anext(self._answers)
            if answer.correlation == self._correlation:
                return answer.payload


async def _within(seconds: float, asked: Coroutine[Any, Any, T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except Unavailable:
        raise
    except TimeoutError:
        raise Unavailable(f"kiosd did not answer in {seconds:g} s") from None


def _granted(reply: Reply) -> Reply:
    """``reply`` to a question, or the error that it stands for."""
    if reply.done:
        return reply
    if reply.code == "journal":
        raise JournalError(reply.message)
    if reply.code == "config":
        raise ConfigError(reply.message)
    if reply.code in {"unavailable", "busy", "report"}:
        raise Unavailable(reply.message)
    raise Refused(reply.code, {"message": reply.message})


def _told(kinds: TypeAdapter[T | Reply], payload: bytes) -> T:
    """One message of a stream, or the error that it stands for."""
    answer = _parsed(kinds.validate_json, payload)
    if isinstance(answer, Reply):
        _granted(answer)
        raise Unavailable("kiosd answered something else than was asked: its version differs from this one")
    return answer


def _record(streamed: Streamed) -> Record:
    if streamed.record is None:
        raise ValueError("a record without its record")
    return streamed.record.record()


def _parsed(parse: Callable[[Any], T], answer: Any) -> T:
    """The answer as this version understands it; ``Unavailable`` when the daemon is of another one."""
    try:
        return parse(answer)
    except (ValueError, KeyError) as exc:
        problem = type(exc).__name__
        raise Unavailable(f"kiosd's answer is not understood ({problem}): its version differs from this one") from None
