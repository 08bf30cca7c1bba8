"""The hub's queue as one satellite may use it: for its own counters, under its own name.

Rule 1  A satellite acts at the counters that the hub's configuration gives it, and reports on its own devices; all else is refused.
Rule 2  What it tells is recorded under its name: a device as ``<node>.<device>``, a place as ``<node>/<place>``.
Rule 3  It sees every event, for boards show the whole site, but no token of a scan; and of the state only what stations show.
"""

from collections.abc import AsyncGenerator, Collection
from dataclasses import replace

from kiosd.queue.commands import AttachScan, Command, RejectScan, ReportDevice, ReportRefusal
from kiosd.queue.events import Record, ScanRead
from kiosd.queue.interface import Queue, Reply, Snapshot, closing
from kiosd.queue.settings import Language
from kiosd.queue.texts import say

OWN: dict[str, type[Command]] = {kind.name: kind for kind in (AttachScan, RejectScan, ReportDevice)}
"""Commands that are not public and that a satellite may give."""
PLACE_LENGTH = 64


class Guest:
    """``Queue`` for the satellite ``node``, which has ``counters``."""

    def __init__(self, queue: Queue, node: str, counters: Collection[int], language: Language) -> None:
        self._queue, self._node, self._counters = queue, node, frozenset(counters)
        self._language: Language = language

    async def execute(self, command: Command) -> Reply:
        """See ``Queue``; what is not the satellite's to do is refused, and the refusal recorded."""
        place = f"{self._node}/{command.place}"[:PLACE_LENGTH] if command.place else self._node
        counter = getattr(command, "counter", None)
        if isinstance(command, ReportDevice):
            if "." in command.device:
                return await self._refuse(command, "not_yours", {"what": command.device})
            device = f"{self._node}.{command.device}"
            return await self._queue.execute(command.model_copy(update={"place": place, "device": device}))
        if isinstance(counter, int) and counter in self._counters:
            return await self._queue.execute(command.model_copy(update={"place": place}))
        return await self._refuse(command, "not_yours", {"what": command.name if counter is None else f"{command.name} {counter}"})

    async def _refuse(self, command: Command, code: str, facts: dict[str, object]) -> Reply:
        message = say(code, self._language, facts)
        refusal = ReportRefusal(source=f"sat/{self._node}", command=command.name, code=code, message=message)
        reply = await self._queue.execute(refusal)
        return Reply(id=command.id, status="rejected", code=code, message=message, sequence=reply.sequence)

    async def events(self, since: int) -> AsyncGenerator[Record, None]:
        """See ``Queue``."""
        async with closing(self._queue.events(since)) as records:
            async for record in records:
                yield _without_token(record)

    async def snapshot(self) -> Snapshot:
        """See ``Queue``: without tickets, and of devices only those that the public is told about."""
        snapshot = await self._queue.snapshot()
        told = tuple(device for device in snapshot.devices if device.repair_until is not None)
        return snapshot.model_copy(update={"tickets": (), "devices": told})


def _without_token(record: Record) -> Record:
    if isinstance(record.event, ScanRead):
        return replace(record, event=record.event.model_copy(update={"token": ""}))
    return record
