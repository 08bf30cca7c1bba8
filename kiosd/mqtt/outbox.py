"""What is owed to the brokers: the journal after each one's cursors. ``kiosd outbox`` and ``kiosd mqtt doctor`` ask for it.

The journal is the outbox, so there is nothing to keep here: cursors tell how far each broker has come, sessions how they stand now, and the
owed events are counted in the journal itself, beside the service.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from kiosd.clock import Moment
from kiosd.errors import JournalError, Refused
from kiosd.journal.reader import Reader
from kiosd.mqtt.interface import told
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.events import family
from kiosd.queue.interface import Queue
from kiosd.threads import lane

if TYPE_CHECKING:  # a daemon without a broker needs none of it
    from kiosd.mqtt.interface import BrokerLink, Memory
    from kiosd.mqtt.replay import Replay
    from kiosd.mqtt.troubles import Troubles

COUNT_S = 120.0  # a broker that was away for years, on a slow card
SHOWN = 20  # events left out, the newest; the journal has all


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class FamilyView(_View):
    """One family of events at one broker. ``cursor``: everything up to it was told; ``owed`` events after it were not.

    ``oldest`` and ``since``: number and time of the first one owed. ``held``: the code with which it is refused at present.
    """

    family: str
    told: bool = True
    cursor: int
    owed: int = 0
    oldest: int | None = None
    since: datetime | None = None
    held: str = ""
    held_since: datetime | None = None


class LeftOutView(_View):
    """An event that a broker is not told, because it does not take it or dies of it."""

    sequence: int
    code: str
    time: datetime


class BrokerView(_View):
    """One broker. ``connection``: the number of the present one; ``reason``: why there is none. ``left_out`` counts all of them."""

    broker: str
    connection: int | None = None
    reason: str = ""
    confirm: Literal["broker", "consumer"] = "broker"
    families: tuple[FamilyView, ...]
    left_out: int = 0
    quarantined: tuple[LeftOutView, ...] = ()


class OutboxView(_View):
    """Everything. ``newest``: the last event there is; ``time``: now, by the queue's clock."""

    stream: str
    newest: int
    time: datetime
    zone: str
    brokers: tuple[BrokerView, ...]


class AskReplay(BaseModel):
    """Tell ``broker`` events ``first`` to ``last`` again."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    broker: str
    first: int = Field(ge=1)
    last: int = Field(ge=1)


Owed = tuple[int, int | None, str]
"""How many, number and time of the first one."""


class Outbox:
    """Sessions ``attach`` themselves whenever they begin anew; ``tell`` and ``repeat`` answer over the control socket."""

    def __init__(self, brokers: Mapping[str, MqttSettings], queue: Queue, memory: "Memory", journal: Path) -> None:
        self._brokers, self._queue, self._memory, self._journal = brokers, queue, memory, journal
        self._sessions: dict[str, tuple[BrokerLink, Troubles, Replay]] = {}
        self._counting = asyncio.Lock()

    def attach(self, broker: str, link: "BrokerLink", troubles: "Troubles", replay: "Replay") -> None:
        """``broker`` is served by these from now on."""
        self._sessions[broker] = link, troubles, replay

    async def tell(self, _: dict[str, Any]) -> dict[str, Any]:
        """``ask/outbox``."""
        return (await self.status()).model_dump(mode="json")

    async def repeat(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``ask/replay``."""
        return await self.replay(AskReplay.model_validate(asked))

    async def status(self) -> OutboxView:
        """How every broker stands; ``JournalError`` when the journal cannot be read."""
        snapshot = await self._queue.snapshot()
        newest = snapshot.sequence
        cursors = {name: told(self._memory, name) for name in self._brokers}
        async with self._counting, lane("outbox", JournalError) as beside:
            counts = await beside.run(partial(_count, self._journal, cursors, newest), COUNT_S)
        brokers = tuple(self._broker(name, cursors[name], counts) for name in self._brokers)
        return OutboxView(stream=snapshot.stream, newest=newest, time=snapshot.time, zone=snapshot.zone, brokers=brokers)

    def _broker(self, name: str, cursors: Mapping[str, int], counts: Mapping[tuple[str, int], Owed]) -> BrokerView:
        mqtt, left_out = self._brokers[name], self._memory.quarantined(name)
        link, troubles, _ = self._sessions.get(name, (None, None, None))
        held = troubles.held if troubles is not None else {}
        families = [_family(one, one in mqtt.events, cursor, counts[one, cursor], held.get(one)) for one, cursor in cursors.items()]
        shown = [(seq, *left_out[seq]) for seq in sorted(left_out)[-SHOWN:]]
        return BrokerView(
            broker=name,
            connection=link.connection if link is not None else None,
            reason=link.reason if link is not None else "not begun yet",
            confirm=mqtt.confirm,
            families=tuple(families),
            left_out=len(left_out),
            quarantined=tuple(LeftOutView(sequence=seq, code=code, time=datetime.fromisoformat(time)) for seq, code, time in shown),
        )

    async def replay(self, asked: AskReplay) -> dict[str, object]:
        """Have events told again to one broker; what will come, or ``Refused`` (``Replay.ask`` has the codes)."""
        if asked.broker not in self._brokers:
            raise Refused(
                "no_such_broker", {"message": f"there is no [mqtt.{asked.broker}]; there is {', '.join(self._brokers) or 'none'}"}
            )
        if asked.broker not in self._sessions:
            raise Refused("not_connected", {"message": "the session with this broker has not begun yet; ask again"})
        link, _, replay = self._sessions[asked.broker]
        if link.connection is None:
            raise Refused("not_connected", {"message": f"there is no connection to [mqtt.{asked.broker}]: {link.reason}"})
        return await replay.ask(f"outbox-{uuid4()}", asked.first, asked.last)


def _family(name: str, told: bool, cursor: int, owed: Owed, hold: tuple[str, Moment] | None) -> FamilyView:
    if not told:
        return FamilyView(family=name, told=False, cursor=cursor)
    count, oldest, since = owed
    code, held_since = (hold[0], hold[1].time) if hold is not None else ("", None)
    first = datetime.fromisoformat(since) if since else None
    return FamilyView(family=name, cursor=cursor, owed=count, oldest=oldest, since=first, held=code, held_since=held_since)


def _count(journal: Path, cursors: Mapping[str, Mapping[str, int]], newest: int) -> dict[tuple[str, int], Owed]:
    """What is owed by family and cursor. Every event is looked at once, however many brokers lack it."""
    wanted = {(one, cursor) for mine in cursors.values() for one, cursor in mine.items()}
    edges = sorted({cursor for _, cursor in wanted if cursor < newest} | {newest})
    owed: dict[tuple[str, int], Owed] = dict.fromkeys(wanted, (0, None, ""))
    reader = Reader(journal)
    try:
        for after, until in pairwise(edges):
            tally = reader.tally(after + 1, until)
            for one, cursor in (each for each in wanted if each[1] <= after):
                for count, first, time in (found for kind, found in tally.items() if family(kind) == one):
                    owed[one, cursor] = _and(owed[one, cursor], (count, first, time))
    finally:
        reader.close()
    return owed


def _and(before: Owed, more: Owed) -> Owed:
    first = min((one for one in (before, more) if one[1] is not None), key=lambda one: one[1] or 0, default=more)
    return before[0] + more[0], first[1], first[2]
