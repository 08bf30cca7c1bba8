"""``kiosd mqtt purge``: empties what the broker retains under this node's root, for a node that is taken away or got another name."""

from kiosd.errors import Refused
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.mqtt.tools.echo import Listener

ROUNDS = 5
"""Somebody else may publish there at the same time; after so many times that is told instead."""


async def retained(own: Listener, root: str) -> list[str]:
    """The topics under ``root`` on which the broker retains something; ``Refused`` when this user may not read them."""
    await own.link.subscribe(f"{root}/#", retained=True)
    echo = await own.echo()  # comes behind all that was retained
    if echo.back_s is None:
        message = f"this user may not read {root}/#, so what is retained there cannot be listed" + (
            f" ({echo.refused})" if echo.refused else ""
        )
        raise Refused("not_authorized", {"message": message})
    arrived = [own.arrivals.get_nowait() for _ in range(own.arrivals.qsize())]
    return sorted({message.topic for message in arrived if message.retain and message.payload})


async def empty(own: Listener, root: str, topics: list[str]) -> list[str]:
    """Empty ``topics`` and whatever is found retained under ``root`` afterwards; all that were emptied. ``Refused`` as ``publish``."""
    done: list[str] = []
    for _ in range(ROUNDS):
        for topic in topics:
            await _empty(own, topic)
        done += topics
        topics = await retained(own, root)
        if not topics:
            return done
    message = f"somebody publishes there all the time: {', '.join(topics[:5])}"
    raise Refused("not_empty", {"message": message})


async def _empty(own: Listener, topic: str) -> None:
    try:
        await own.link.publish(Message(topic, b"", retain=True))
    except Refused as no:
        if no.code != NOBODY_LISTENS:
            raise Refused(no.code, {"message": f"{topic} could not be emptied: {no.code}"}) from None
