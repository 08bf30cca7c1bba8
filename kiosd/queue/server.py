"""Serve a queue over a link: the control socket's other half, and the hub's for its satellites.

Rule 1  Only public commands, and those that a link is trusted with, strictly parsed. What is no command changes nothing: an error
        reply and a line in the log.
Rule 2  Every question is answered by a task of its own, so a follower that reads slowly keeps nobody from a command.
Rule 3  Bounded: so many commands at once (the next waits in the link), so many long questions (the next is told ``busy``).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

from pydantic import ValidationError
from pydantic_core import from_json

from kiosd.clock import Clock
from kiosd.errors import JournalError, Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.queue.commands import COMMANDS, Command, parse
from kiosd.queue.following import Follower, send
from kiosd.queue.interface import Forecast, Queue, Reply
from kiosd.queue.reporting import MakeReport, relay
from kiosd.queue.wire import ALIVE_S, ERRORS, LASTING, AskErase, AskEvents, AskQueue, came_late, time_view
from kiosd.redact import redact

log = logging.getLogger(__name__)
AT_ONCE = 256  # commands and snapshots being answered
LONG_AT_ONCE = 64  # followers, checks and reports
Verify = Callable[[], Awaitable[dict[str, Any]]]
Erase = Callable[[str, bool], Awaitable[dict[str, Any]]]
More = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""The answer to a question's fields; pydantic's ``ValidationError`` where those are wrong, or any of our errors."""
NO_MORE: Mapping[str, More] = {}


@runtime_checkable
class Forecasting(Protocol):
    """A queue that tells who is next and why; ``Refused``, with a ``message``, when there is no such counter or service."""

    async def forecasts(self, counter: int | None = None, service: str = "") -> tuple[Forecast, ...]: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What the other end of a link may beyond everybody, and what it owes.

    ``commands``: by name, those that are not public. ``clock``: ``ask/time`` tells it, and a command must come in the time that its
    message gives by it. ``followers``: streams of events at once; with one more the oldest ends.
    """

    commands: Mapping[str, type[Command]] = field(default_factory=dict)
    clock: Clock | None = None
    followers: int = LONG_AT_ONCE


class _Malformed(ValueError):
    """Not what the topic promises; the message says where, and repeats nothing of the content."""


async def serve_queue(
    queue: Queue,
    link: Link,
    verify: Verify | None = None,
    started: asyncio.Event | None = None,
    alive_s: float = ALIVE_S,
    report: MakeReport | None = None,
    erase: Erase | None = None,
    trust: Trust = Trust(),
    more: Mapping[str, More] = NO_MORE,
) -> None:
    """Answer on ``cmd/<name>`` and ``ask/<question>`` until the link ends (``Unavailable``, in an exception group).

    ``verify`` checks the journal and tells what it found, or raises ``JournalError``. ``started`` is set when questions are heard.
    ``report`` makes reports; without it there are none. ``erase`` erases the tokens before a date, or counts them.
    ``trust``: what this link's other end may and owes. ``more``: answers to other questions, by what stands behind ``ask/``.
    """
    async with AsyncExitStack() as stack:
        commands = await stack.enter_async_context(link.subscribe("cmd/+"))
        questions = await stack.enter_async_context(link.subscribe("ask/+"))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        server = _Server(queue, link, verify, group, alive_s, report, erase, trust, more)
        if started is not None:
            started.set()
        group.create_task(server.commands(commands))
        group.create_task(server.questions(questions))


class _Server:
    def __init__(
        self,
        queue: Queue,
        link: Link,
        verify: Verify | None,
        group: asyncio.TaskGroup,
        alive_s: float,
        report: MakeReport | None,
        erase: Erase | None,
        trust: Trust,
        more: Mapping[str, More],
    ) -> None:
        self._queue, self._link, self._group, self._alive_s = queue, link, group, alive_s
        self._make_report, self._trust = report, trust
        self._more = dict(more)
        if isinstance(queue, Forecasting):
            self._more["queue"] = partial(_who_is_next, queue)
        if verify is not None:
            self._more["verify"] = lambda _: verify()
        if erase is not None:
            self._more["erase"] = partial(_erased, erase)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._long = 0
        self._followers: list[asyncio.Task[Any]] = []

    async def commands(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            await self._soon(message, self._execute)

    async def questions(self, messages: AsyncIterator[Message]) -> None:
        short = {"ask/snapshot": self._snapshot, "ask/time": self._time}
        long = {"ask/events": self._events, "ask/report": self._report}
        async for message in messages:
            if message.topic in short:
                await self._soon(message, short[message.topic])
            elif message.topic in long:
                self._group.create_task(self._at_length(message, long[message.topic]))
            elif message.topic.removeprefix("ask/") in self._more:
                self._group.create_task(self._at_length(message, self._tell_more))
            else:
                self._group.create_task(self._refuse(message, "unknown_ask"))

    async def _soon(self, message: Message, answer: Callable[[Message], Awaitable[Reply]]) -> None:
        """Answer in a task; wait here while too many others are being answered."""
        await self._slots.acquire()

        async def task() -> None:
            try:
                reply = await answer(message)
            except Unavailable as exc:
                reply = _error("unavailable", str(exc))
            finally:
                self._slots.release()
            await self._reply(message, reply)

        self._group.create_task(task())

    async def _execute(self, message: Message) -> Reply:
        name = message.topic.partition("/")[2]
        if name not in COMMANDS and name not in self._trust.commands:
            return _logged(message, _error("unknown_command", f"{ERRORS['unknown_command']}: {redact(name[:32])}"))
        if message.retain:
            return _logged(message, _error("retained", ERRORS["retained"]))
        try:
            command = _command(name, message.payload, self._trust.commands)
        except _Malformed as exc:
            return _logged(message, _error("malformed", str(exc)))
        clock = self._trust.clock
        if clock is not None and name not in LASTING and came_late(message.properties, clock.now()):
            command = command.model_copy(update={"late": True})
        return await self._queue.execute(command)

    async def _time(self, message: Message) -> Reply:
        if self._trust.clock is None:
            return _logged(message, _error("unknown_ask", ERRORS["unknown_ask"]))
        return Reply(id="", status="done", result=time_view(self._trust.clock.now()).model_dump(mode="json"))

    async def _snapshot(self, _: Message) -> Reply:
        snapshot = await self._queue.snapshot()
        return Reply(id="", status="done", sequence=snapshot.sequence, result=snapshot.model_dump(mode="json"))

    async def _at_length(self, message: Message, answer: Callable[[Message], Awaitable[None]]) -> None:
        if self._long >= LONG_AT_ONCE:
            await self._refuse(message, "busy")
            return
        self._long += 1
        try:
            await answer(message)
        finally:
            self._long -= 1

    async def _tell_more(self, message: Message) -> None:
        answer = self._more[message.topic.removeprefix("ask/")]
        try:
            reply = Reply(id="", status="done", result=await answer(_fields(message.payload)))
        except (ValidationError, _Malformed) as exc:
            reply = _logged(message, _error("malformed", _where(exc)))
        except Refused as no:
            reply = _error(no.code, str(no.facts.get("message", no.code)))
        except Unavailable as exc:
            reply = _error("unavailable", str(exc))
        except JournalError as exc:
            reply = _error("journal", str(exc))
        await self._reply(message, reply)

    async def _events(self, message: Message) -> None:
        try:
            asked = AskEvents.model_validate(_fields(message.payload))
        except (ValidationError, _Malformed) as exc:
            await self._reply(message, _logged(message, _error("malformed", _where(exc))))
            return
        if message.reply_to is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                self._admit(group.create_task(Follower(self._queue, self._link, message, self._alive_s).run(asked)))
        except* (Refused, Unavailable) as left:
            log.debug("a follower left: %s", left.exceptions[0])

    def _admit(self, follower: asyncio.Task[Any]) -> None:
        """Room for one more: a broker may go on taking what nobody reads any more, so the oldest goes."""
        self._followers = [one for one in self._followers if not one.done()]
        if len(self._followers) >= self._trust.followers:
            self._followers.pop(0).cancel()
        self._followers.append(follower)

    async def _report(self, message: Message) -> None:
        if self._make_report is None or message.reply_to is None:
            await self._refuse(message, "unknown_ask")
            return
        try:
            await relay(self._make_report, _fields(message.payload), partial(send, self._link, message))
        except* (ValidationError, _Malformed) as wrong:
            await self._reply(message, _logged(message, _error("malformed", _where(cast("ValueError", wrong.exceptions[0])))))
        except* (Refused, Unavailable):
            log.info("who asked for a report has left")

    async def _refuse(self, message: Message, code: str) -> None:
        await self._reply(message, _logged(message, _error(code, ERRORS[code])))

    async def _reply(self, message: Message, reply: Reply) -> None:
        """Send ``reply`` if it is wanted; who asked may be gone, and then the command's id is how to ask again."""
        try:
            await send(self._link, message, reply)
        except Refused as exc:
            if exc.code == "too_large":
                await self._reply(message, _error("too_large", ERRORS["too_large"]))
        except Unavailable as exc:
            log.info("an answer to %s was not taken: %s", message.topic, exc)


async def _who_is_next(queue: Forecasting, fields: dict[str, Any]) -> dict[str, Any]:
    asked = AskQueue.model_validate(fields)
    return {"forecasts": [one.model_dump(mode="json") for one in await queue.forecasts(asked.counter, asked.service)]}


async def _erased(erase: Erase, fields: dict[str, Any]) -> dict[str, Any]:
    asked = AskErase.model_validate(fields)
    return await erase(asked.before, asked.count_only)


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = from_json(payload or b"{}", allow_inf_nan=False)
    except ValueError as exc:
        raise _Malformed(f"no JSON: {exc}") from None
    if not isinstance(fields, dict):
        raise _Malformed("a JSON object is expected")
    return fields


def _command(name: str, payload: bytes, trusted: Mapping[str, type[Command]]) -> Command:
    try:
        fields = _fields(payload)
        return trusted[name].model_validate(fields) if name in trusted else parse(name, fields)
    except ValueError as exc:  # of pydantic, or that nobody outside is the system
        raise _Malformed(_where(exc)) from None


def _where(exc: ValueError) -> str:
    """What is wrong in one sentence, without the content."""
    if not isinstance(exc, ValidationError):
        return str(exc)
    first = exc.errors(include_input=False, include_url=False)[0]
    return redact(f"{'.'.join(str(part) for part in first['loc'])[:64]}: {first['msg'][:200]}")  # an unknown key is content too


def _error(code: str, message: str) -> Reply:
    return Reply(id="", status="rejected", code=code, message=message)


def _logged(message: Message, reply: Reply) -> Reply:
    log.warning("%s is refused: %s (%s)", redact(message.topic[:64]), reply.message, reply.code)
    return reply
