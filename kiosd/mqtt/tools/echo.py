"""A message to ourselves on ``<root>/doctor``: how long a way it has, and whether this user may read what it writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from kiosd.errors import Refused
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.links.direct import DirectLink
from kiosd.mqtt.envelope import compact
from kiosd.mqtt.settings import MqttSettings

TOPIC = "doctor"
ECHO_S = 3.0


@dataclass(frozen=True, slots=True)
class Echo:
    """Seconds until the broker acknowledged, and until the message came back: None when it did not. ``refused``: why it was not taken."""

    acknowledged_s: float | None
    back_s: float | None
    refused: str = ""


class Listener:
    """A connection that hears itself. Whatever else arrives is in ``arrivals``."""

    def __init__(self, settings: MqttSettings, client_id: str, root: str) -> None:
        self.arrivals: asyncio.Queue[Message] = asyncio.Queue()
        self.link = DirectLink(settings, client_id, self._take)
        self._topic = f"{root}/{TOPIC}"
        self._came: dict[bytes, asyncio.Future[float]] = {}

    def _take(self, message: Message) -> None:
        future = self._came.get(message.payload) if message.topic == self._topic else None
        if future is None:
            self.arrivals.put_nowait(message)
        elif not future.done():
            future.set_result(future.get_loop().time())

    async def _hears(self) -> bool:
        try:
            await self.link.subscribe(self._topic)
        except Refused:
            return False
        return True

    async def echo(self) -> Echo:
        """Send a message to ourselves. Messages that were on their way before it are in ``arrivals`` when it has come back."""
        hears = await self._hears()
        loop, payload = asyncio.get_running_loop(), compact({"from": "kiosd", "id": str(uuid4())})
        back = self._came[payload] = loop.create_future()
        begin = loop.time()
        try:
            await self.link.publish(Message(self._topic, payload, expiry_s=60, content_type="application/json"))
        except Refused as no:
            if no.code != NOBODY_LISTENS:
                return Echo(None, None, no.code)
        acknowledged_s = loop.time() - begin
        if not hears:
            return Echo(acknowledged_s, None)
        try:
            async with asyncio.timeout(ECHO_S):
                return Echo(acknowledged_s, await back - begin)
        except TimeoutError:
            return Echo(acknowledged_s, None)


@asynccontextmanager
async def listener(settings: MqttSettings, client_id: str, root: str) -> AsyncIterator[Listener]:
    """An open ``Listener`` for the length of a ``with`` block."""
    it = Listener(settings, client_id, root)
    await it.link.open()
    try:
        yield it
    finally:
        await it.link.close()
