"""What an uplink needs: a link whose connection comes and goes, and a memory that outlasts the process."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Set
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from kiosd.links.base import Message
from kiosd.queue.events import FAMILIES


class BrokerLink(Protocol):
    """A ``Link`` whose connection comes and goes; see ``links.mqtt.MqttLink``.

    ``cut_off``: the last connection was ended by the other side while it worked. ``retained``: also what was published before.
    """

    cut_off: bool
    reason: str

    @property
    def connection(self) -> int | None: ...
    def send(self, message: Message) -> asyncio.Future[None]: ...
    async def publish(self, message: Message) -> None: ...
    def subscribe(self, pattern: str, retained: bool = False) -> AbstractAsyncContextManager[AsyncIterator[Message]]: ...
    async def connected(self) -> int: ...
    async def lost(self, conn: int) -> str: ...


class Cursors(Protocol):
    """Named positions in the journal. ``get`` is 0 for a new name; ``set`` may lose the last seconds."""

    def get(self, name: str) -> int: ...
    def set(self, name: str, seq: int) -> None: ...


def cursor(broker: str, family: str) -> str:
    """The name of the position up to which ``broker`` was told the events of ``family``."""
    return f"{broker}/{family}"


def told(cursors: Cursors, broker: str) -> dict[str, int]:
    """Up to where ``broker`` was told, by family."""
    return {family: cursors.get(cursor(broker, family)) for family in FAMILIES}


class Memory(Cursors, Protocol):
    """``queue.local.Cursors``: also the topics on which a broker keeps messages of ours, and the events that it is not told.

    ``quarantined``: code and time by sequence.
    """

    def kept(self, broker: str) -> Set[str]: ...
    def keep(self, broker: str, topic: str, kept: bool = True) -> None: ...
    def quarantined(self, broker: str) -> Mapping[int, tuple[str, str]]: ...
    def quarantine(self, broker: str, seq: int, kind: str, code: str, time: str) -> None: ...
