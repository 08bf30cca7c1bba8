"""The consumer at the other side of a broker, where only it can say what has arrived (``watermark`` has the rules)."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from kiosd.clock import Clock
from kiosd.mqtt.interface import BrokerLink
from kiosd.mqtt.troubles import Troubles
from kiosd.mqtt.watermark import Watermark

log = logging.getLogger(__name__)

LOOKS = 4  # how often within its patience it is looked whether the watermark has risen


class Consumer:
    """Listens to the watermark on ``topic``. ``rose`` and ``owed`` are told the sequence up to which everything was told."""

    def __init__(
        self, link: BrokerLink, topic: str, clock: Clock, troubles: Troubles, rose: Callable[[int], None], owed: Callable[[int], None]
    ) -> None:
        self._link, self._topic, self._clock, self._troubles, self._rose, self._owed = link, topic, clock, troubles, rose, owed
        self._begun = asyncio.Event()
        self.mark = Watermark("", 0)
        self.newest = 0
        """The newest event of the stream."""

    def connected(self, stream: str, seq: int, newest: int) -> None:
        """A connection began; ``seq`` is up to where ``stream`` was told before."""
        if not self._begun.is_set():
            self.mark = Watermark(stream, seq)
            self._begun.set()
        self.mark.again(self._clock.now().monotonic)
        self.newest = max(self.newest, newest)

    async def run(self) -> None:
        """Listen, for ever, and have sent again what is not acknowledged in time."""
        async with self._link.subscribe(self._topic, retained=True) as messages, asyncio.TaskGroup() as group:
            await self._begun.wait()
            group.create_task(self._repeat())
            async for message in messages:
                self._take(message.payload)

    def _take(self, payload: bytes) -> None:
        before = self.mark.refused
        if self.mark.take(payload, self.newest, self._clock.now().monotonic):
            self._troubles.unconfirmed(None)
            self._rose(self.mark.seq)
        elif self.mark.refused and not before:
            log.warning("mqtt: a watermark on %s counts for nothing: %s", self._topic, self.mark.refused)

    async def _repeat(self) -> None:
        while True:
            await self._clock.sleep(self.mark.patience_s / LOOKS)
            now = self._clock.now()
            waited = self.mark.waited_s(now.monotonic)
            if waited is None or waited < self.mark.patience_s or self._link.connection is None:
                continue
            log.warning("mqtt: nothing after %d was acknowledged on %s: it is sent again", self.mark.seq, self._topic)
            self._troubles.unconfirmed(now.time - timedelta(seconds=waited))
            self.mark.rewind()
            self._owed(self.mark.seq)
