"""The fleet's own consumer: subscribes to every made-up site and judges by ``stream`` and ``sequence``, as a central system does."""

import asyncio
from collections.abc import Sequence

from pydantic_core import from_json

from kiosd.fleet.plan import Verified
from kiosd.fleet.site import Site
from kiosd.links.base import Message
from kiosd.links.direct import DirectLink
from kiosd.mqtt.order import Order
from kiosd.mqtt.settings import MqttSettings

QUIET_S = 3.0  # the last events are on their way; with none for so long, no more will come
LOOK_S = 0.1
AT_ONCE = 100  # subscriptions under way


class Consumer:
    """Open it before the first event, close it after the last acknowledgement."""

    def __init__(self, broker: MqttSettings, sites: Sequence[Site]) -> None:
        self._sites = {site.stream: site for site in sites}
        self._patterns = [f"{site.topics.root}/ev/+" for site in sites]
        self._orders = {stream: Order() for stream in self._sites}
        self._link = DirectLink(broker, "kiosd-fleet-consumer", self._take)
        self._received = self._duplicates = self._late = 0

    async def open(self) -> None:
        """Subscribe, to these sites alone: a real one on the same broker must not take us for its consumer."""
        await self._link.open()
        for begin in range(0, len(self._patterns), AT_ONCE):
            await asyncio.gather(*map(self._link.subscribe, self._patterns[begin : begin + AT_ONCE]))

    def _take(self, message: Message) -> None:
        event = from_json(message.payload)
        order = self._orders.get(event["stream"])
        if order is None:
            return  # of another fleet: these names are everybody's
        mark = order.take(int(event["sequence"]))
        self._received += 1
        self._duplicates += mark == "duplicate"
        self._late += mark == "late"

    def _missing(self) -> int:
        return sum(_missing(order, self._sites[stream]) for stream, order in self._orders.items())

    def found(self) -> Verified:
        """What was found so far."""
        return Verified(self._received, self._missing(), self._duplicates, self._late)

    async def close(self) -> Verified:
        """Wait for what is still on its way; what was found."""
        quiet_s = 0.0
        while quiet_s < QUIET_S and self._missing():
            before = self._received
            await asyncio.sleep(LOOK_S)
            quiet_s = 0.0 if self._received > before else quiet_s + LOOK_S
        await self._link.close()
        return self.found()


def _missing(order: Order, site: Site) -> int:
    """How many events of ``site`` were acknowledged and did not come."""
    return order.missed(site.sequence) - sum(order.lacks(sequence) for sequence in (*site.owed, *site.refused))
