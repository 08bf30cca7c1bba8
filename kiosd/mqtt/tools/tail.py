"""``kiosd mqtt tail``: what arrives at the broker for this site, marked as a consumer would see it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from kiosd.clock import Moment
from kiosd.errors import Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.order import Order
from kiosd.mqtt.tools.echo import Listener
from kiosd.queue.events import Record, decode

TYPE_BEGIN, TYPE_END = "kiosd.", ".v1"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message on ``ev/<family>``. ``record`` is the event, None when it is none that this version knows.

    ``marks``: ``gap 12-14`` (those came not, or not yet), ``late`` (it fills a gap), ``duplicate``, ``replay`` (told again, or late).
    """

    topic: str
    family: str
    event: Any
    record: Record | None
    marks: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {"topic": self.topic, "marks": self.marks, "event": self.event}


class Watcher:
    """Tells each arrival from those before it, stream by stream, beginning with the first that comes."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}

    def look(self, message: Message) -> Arrival:
        """What ``message`` is."""
        family = message.topic.rpartition("/")[2]
        try:
            event = from_json(message.payload, allow_inf_nan=False)
            stream, sequence = str(event["stream"]), int(event["sequence"])
        except (ValueError, KeyError, TypeError):
            return Arrival(message.topic, family, message.payload.decode(errors="replace")[:500], None, ("no event",))
        order = self._orders.setdefault(stream, Order(sequence - 1))
        before = order.highest
        mark = order.take(sequence)
        found = {"next": [], "gap": [f"gap {before + 1}-{sequence - 1}"]}.get(mark, [mark])
        if event.get("replay") is True:
            found.append("replay")
        return Arrival(message.topic, family, event, _record(event, sequence), tuple(found))


def _record(event: dict[str, Any], sequence: int) -> Record | None:
    """The event as the journal had it; None when this version cannot read it."""
    try:
        kind = str(event["type"]).removeprefix(TYPE_BEGIN).removesuffix(TYPE_END)
        moment = Moment(datetime.fromisoformat(event["time"]), 0.0, event["clock"] == "synced", str(event["boot"]))
        return Record(sequence, moment, decode(kind, event["data"]), "")
    except (KeyError, ValueError, TypeError, ValidationError):
        return None


async def arrivals(own: Listener, site: str, family: str = "") -> AsyncIterator[Arrival]:
    """What arrives for all nodes of ``site``, only ``family`` if one is given; ``Unavailable`` when the connection ends.

    Marks need every family: numbers are of the whole stream.
    """
    watcher = Watcher()
    await own.link.subscribe(f"{site}/+/ev/+")
    own.link.lost.add_done_callback(lambda _: own.arrivals.put_nowait(Message("", b"")))  # whoever waits for more
    while True:
        message = await own.arrivals.get()
        if not message.topic:
            raise Unavailable(own.link.lost.result())
        arrival = watcher.look(message)
        if family in {"", arrival.family}:
            yield arrival
