"""Commands over MQTT: ``cmd/<name>`` in, a correlated reply out.

Rule 1  Nothing from outside is trusted: size before parsing, a strict parse, known names, known fields, a role that this broker may name,
        no more than a client's share. What does not become a command is answered (when there is somewhere to answer to) and recorded.
Rule 2  A retained command is refused and its topic cleared: it would be executed at every start.
Rule 3  A command that is too old is not executed. Asking twice with one id is doing once: the queue keeps the reply, and gives it
        also to who asks again too late.
Rule 4  A flood delays nobody but its sender: what is too much never waits among the commands.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from kiosd.clock import Clock
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Link, Message
from kiosd.mqtt.envelope import compact
from kiosd.mqtt.limits import Pace, Refusals
from kiosd.mqtt.request import PLACE, ROLES, Address, Asked, Range, Reject, address_of, read
from kiosd.mqtt.settings import OutsideRole
from kiosd.mqtt.states import counter_body
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import Command
from kiosd.queue.interface import Queue, Reply

log = logging.getLogger(__name__)

AT_ONCE = 16  # commands under way, and as many refusals of what is too much; of more than that only the number is told
WAITING = 256  # commands that wait for one of those to end
RESPONSE_TOPIC = re.compile(r"[^$+#\x00-\x1f\x7f][^+#\x00-\x1f\x7f]{0,255}")
Status = Literal["done", "accepted", "rejected", "expired", "failed"]
Repeat = Callable[[str, int, int], Awaitable[dict[str, object]]]
"""``Replay.ask``: for a command's id, the first and the last event."""


async def serve_commands(
    queue: Queue,
    link: Link,
    topics: Topics,
    clock: Clock,
    roles: Iterable[OutsideRole] = ROLES,
    per_s: int = 20,
    source: str = PLACE,
    repeat: Repeat | None = None,
) -> None:
    """Answer commands for ever. Several may be under way; they are handed to the queue in the order they came.

    ``roles``: those that a command may name here. ``per_s``: how many commands a second one client may send. ``source``: how the record
    of a refusal names this way in. ``repeat`` answers ``cmd/replay``.
    """
    async with link.subscribe(topics.commands) as messages, asyncio.TaskGroup() as group:
        refusals = Refusals(queue, clock, source)
        pace = Pace(per_s, clock.now().monotonic)
        service = _Service(queue, link, topics, clock, frozenset(roles), refusals, pace, group, repeat)
        group.create_task(refusals.run())
        group.create_task(service.work())
        async for message in messages:
            service.take(message)


class _Service:
    def __init__(
        self,
        queue: Queue,
        link: Link,
        topics: Topics,
        clock: Clock,
        roles: frozenset[str],
        refusals: Refusals,
        pace: Pace,
        group: asyncio.TaskGroup,
        repeat: Repeat | None,
    ) -> None:
        self._queue, self._link, self._topics, self._clock, self._roles = queue, link, topics, clock, roles
        self._refusals, self._pace, self._group, self._repeat = refusals, pace, group, repeat
        self._waiting: asyncio.Queue[tuple[Message, Address, float]] = asyncio.Queue(WAITING)
        self._room, self._excess = asyncio.Semaphore(AT_ONCE), 0

    # In.

    def take(self, message: Message) -> None:
        """A message came: it waits for its turn, unless its sender, or all of them together, send too much."""
        if message.retain and not message.payload:
            return  # somebody cleared a retained command
        address, now = address_of(message), self._clock.now().monotonic
        if not self._pace.allows(address.known_client, now):
            self._turn_away(message, address, Reject("rate_limit", "so many commands at once are not taken; ask again in a second"))
        elif self._waiting.full():
            self._turn_away(message, address, Reject("busy", "too many commands wait already; ask again in a second"))
        else:
            self._waiting.put_nowait((message, address, now))

    def _turn_away(self, message: Message, address: Address, no: Reject) -> None:
        if self._excess >= AT_ONCE:
            self._refusals.count(no.code)
        else:
            self._excess += 1
            self._group.create_task(self._refuse_excess(message, address, no))

    async def _refuse_excess(self, message: Message, address: Address, no: Reject) -> None:
        try:
            await self._clear_if_retained(message)
            body = await self._refused(message, address, no)
            with suppress(Reject):  # an address that is wrong too
                await self._reply(message, self._reply_to(message, address), body)
        finally:
            self._excess -= 1

    async def work(self) -> None:
        """Handle what waits, for ever."""
        while True:
            await self._room.acquire()
            self._group.create_task(self._handle(*await self._waiting.get()))

    async def _handle(self, message: Message, address: Address, arrived: float) -> None:
        """One message, to its answer."""
        try:
            await self._clear_if_retained(message)
            reply_to: str | None = None
            try:
                reply_to = self._reply_to(message, address)
                asked = self._asked(message)
                late = self._late(message, asked, arrived)
                body = {"id": asked.request.id} | await self._done(asked, late)
            except Reject as no:
                body = await self._refused(message, address, no)
            await self._reply(message, reply_to, body)
        finally:
            self._room.release()

    def _name(self, message: Message) -> str:
        return message.topic.removeprefix(f"{self._topics.root}/cmd/")

    def _asked(self, message: Message) -> Asked:
        asked = read(self._name(message), message)
        if asked.role and asked.role not in self._roles:
            raise Reject("not_allowed", f"through this broker nobody may ask as {asked.role}")
        return asked

    def _late(self, message: Message, asked: Asked, arrived: float) -> bool:
        """Whether the time it was meant for is over.

        Without a right clock nobody can say how old it was when it came. Then the broker's countdown, which came with the message, and
        the time it has waited here still hold.
        """
        now, request = self._clock.now(), asked.request
        waited = now.monotonic - arrived
        if message.expiry_s is not None and waited >= message.expiry_s:
            return True
        if request.issued_at is None or not now.synced:
            return waited > request.ttl
        return now.time - request.issued_at > timedelta(seconds=request.ttl)

    async def _clear_if_retained(self, message: Message) -> None:
        if not message.retain:
            return
        try:
            await self._link.publish(Message(message.topic, b"", retain=True))
        except (Refused, Unavailable) as no:
            if str(no) != NOBODY_LISTENS:
                log.warning("mqtt: a retained command could not be cleared from the broker: %s", no)

    async def _done(self, asked: Asked, late: bool) -> dict[str, object]:
        if isinstance(asked.what, Range):
            return await self._repeated(asked.request.id, asked.what, late)
        return await self._execute(asked.what.model_copy(update={"late": late}))

    async def _repeated(self, id_: str, wanted: Range, late: bool) -> dict[str, object]:
        if late:
            raise Reject("expired", "the command came too late", "expired")
        if self._repeat is None:
            raise Reject("unknown_command", "nothing is told again here")
        try:
            return {"status": "accepted", "result": await self._repeat(id_, wanted.first, wanted.last), "sequence": 0}
        except Refused as no:
            raise Reject(no.code, str(no.facts.get("message", no.code))) from None
        except Unavailable as gone:
            return _failed(gone)

    async def _execute(self, command: Command) -> dict[str, object]:
        try:
            reply = await self._queue.execute(command)
            if reply.done:
                return {"status": "done", "result": reply.model_dump(mode="json")["result"], "sequence": reply.sequence}
            return _no(reply) | (await self._present(command) if reply.code == "stale" else {})
        except Unavailable as gone:
            return _failed(gone)

    async def _present(self, command: Command) -> dict[str, object]:
        """The state of the command's counter as it is now, for whoever acted on an older one."""
        snapshot = await self._queue.snapshot()
        view = snapshot.counter(getattr(command, "counter", 0))
        return {"result": {"as_of_sequence": snapshot.sequence} | counter_body(view)} if view is not None else {}

    # Out.

    async def _refused(self, message: Message, address: Address, no: Reject) -> dict[str, object]:
        sequence = await self._refusals.record(self._name(message), no.code, no.message)
        return {"id": address.known_id, "status": no.status, "reason": no.code, "message": no.message, "sequence": sequence}

    def _reply_to(self, message: Message, address: Address) -> str | None:
        """Where the answer goes: never to a topic that is somebody else's to write, least of all a command's."""
        if message.reply_to is not None:
            topic, root = message.reply_to, f"{self._topics.root}/"
            if not RESPONSE_TOPIC.fullmatch(topic) or (f"{topic}/".startswith(root) and not topic.startswith(f"{root}reply/")):
                raise Reject("bad_reply_topic", "the response topic is not one that an answer may go to")
            return topic
        client = address.known_client
        return self._topics.path("reply", client) if client else None

    async def _reply(self, message: Message, reply_to: str | None, body: dict[str, object]) -> None:
        if reply_to is None:
            return
        row = self._topics.message("reply", compact(body))
        reply = Message(reply_to, row.payload, expiry_s=row.expiry_s, correlation=message.correlation, content_type=row.content_type)
        try:
            await self._link.publish(reply)
        except (Refused, Unavailable) as no:
            log.warning("mqtt: an answer did not reach who asked: %s", no)


def _failed(gone: Unavailable) -> dict[str, object]:
    return {"status": "failed", "reason": "unavailable", "message": str(gone), "sequence": 0}


def _no(reply: Reply) -> dict[str, object]:
    status = "expired" if reply.code == "expired" else "rejected"
    return {"status": status, "reason": reply.code, "message": reply.message, "sequence": reply.sequence}
