"""The queue from afar: the CLI's and a satellite's ``Queue``. Each question has a reply topic of its own and needs no task."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import TypeAdapter

from kiosd.errors import JournalError, Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.queue.commands import Command
from kiosd.queue.events import Record
from kiosd.queue.interface import Reply, Snapshot
from kiosd.queue.wire import DEAF_AFTER_S, AskEvents, Streamed

T = TypeVar("T")
_STREAMED: TypeAdapter[Streamed | Reply] = TypeAdapter(Streamed | Reply)
VERIFY_S = 900.0  # the whole chain of a few million events on a slow card


class RemoteQueue:
    """``Queue`` behind ``link``, whose other end runs ``serve_queue``. ``timeout``: seconds for an answer, else ``Unavailable``."""

    def __init__(self, link: Link, timeout: float = 5.0, deaf_after: float = DEAF_AFTER_S) -> None:
        self._link = link
        self._timeout = timeout
        self._deaf_after = deaf_after

    async def execute(self, command: Command) -> Reply:
        """See ``Queue``; the same command object may be asked again after ``Unavailable``."""
        reply = await _within(self._timeout, self._ask(f"cmd/{command.name}", command.model_dump_json()))
        if reply.code == "unavailable":
            raise Unavailable(reply.message)
        return reply

    async def snapshot(self) -> Snapshot:
        """See ``Queue``."""
        reply = _granted(await _within(self._timeout, self._ask("ask/snapshot", "{}")))
        return _parsed(Snapshot.model_validate, reply.result)

    async def verify(self) -> dict[str, Any]:
        """What the daemon's check of its whole journal found; ``JournalError`` when that is bad."""
        return dict(_granted(await _within(VERIFY_S, self._ask("ask/verify", "{}"))).result)

    async def events(self, since: int, *, follow: bool = True) -> AsyncGenerator[Record, None]:
        """See ``Queue``; without ``follow`` it ends after the newest event of now. Close it (``aclosing``) when you leave it early."""
        asked = AskEvents(since=since, follow=follow).model_dump_json()
        async with self._conversation() as conversation:
            await _within(self._timeout, conversation.say("ask/events", asked))
            patience = self._timeout
            while True:
                streamed = _streamed(await _within(patience, conversation.hear()))
                if streamed.what == "end":
                    return
                if streamed.record is not None:
                    yield _parsed(_record, streamed)
                patience = self._deaf_after

    async def _ask(self, topic: str, payload: str) -> Reply:
        async with self._conversation() as conversation:
            await conversation.say(topic, payload)
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
        message = Message(topic, payload.encode(), reply_to=self._reply_to, correlation=self._correlation, content_type="application/json")
        try:
            await self._link.publish(message)
        except Refused as exc:
            if exc.code == "nobody_listens":
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
    if reply.code in {"unavailable", "busy"}:
        raise Unavailable(reply.message)
    raise Refused(reply.code, {"message": reply.message})


def _streamed(payload: bytes) -> Streamed:
    answer = _parsed(_STREAMED.validate_json, payload)
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
