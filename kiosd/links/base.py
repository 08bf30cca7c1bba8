"""What a link carries and promises. ``mqtt`` and ``direct`` speak MQTT by paho; ``unix`` is the control socket; ``memory`` is for tests."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

NOBODY_LISTENS = "nobody_listens"
"""The code of a ``Refused`` publish that was taken by nobody: no subscriber, and no answer to wait for."""
MAX_PAYLOAD = 8192  # bytes; mqtt contract section 5: "limit 8 KiB"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``reply_to`` and ``correlation`` are MQTT 5's response topic and correlation data; ``expiry_s`` its message expiry.

    ``limit``: the most bytes its payload may have over MQTT.
    """

    topic: str
    payload: bytes = field(repr=False)  # it may be personal, and whoever logs a message does not think of that
    retain: bool = False
    qos: int = 1
    expiry_s: int | None = None
    reply_to: str | None = None
    correlation: bytes | None = None
    content_type: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    limit: int = MAX_PAYLOAD


class Link(Protocol):
    """Carries messages.

    ``publish`` returns when the other side has the message, raises ``Refused`` when it was not accepted (code ``nobody_listens``,
    ``not_authorized``, ``too_large`` ...) and ``Unavailable`` when that is not known. ``subscribe`` opens a subscription
    (``+`` and ``#`` as in MQTT) and yields an iterator of what arrives; a link that ends ends the iterator with ``Unavailable``.
    """

    async def publish(self, message: Message) -> None: ...
    def subscribe(self, pattern: str) -> AbstractAsyncContextManager[AsyncIterator[Message]]: ...


def matches(pattern: str, topic: str) -> bool:
    """Whether ``topic`` fits the MQTT ``pattern`` (``+`` one level, ``#`` the rest)."""
    wanted, given = pattern.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given) or level not in {"+", given[index]}:
            return False
    return len(wanted) == len(given)
