"""A part of a link: the topics below one root, as if there were no others. What satellites and their hub talk over.

Rule 1  Nothing goes out of the root. An answer is sent only below it, whatever the question's ``reply_to`` says.
Rule 2  A message of a satellite's link may be longer than those of the contract: the state of a site with many counters is.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from kiosd.links.base import Link, Message

log = logging.getLogger(__name__)

LONGEST = 60 * 1024
"""Bytes of a payload: with everything around it less than the 64 KiB that ``links.mqtt`` lets a broker send us."""


class Rooted:
    """The topics of ``link`` below ``root`` (without a slash at its end); a ``Link``."""

    def __init__(self, link: Link, root: str) -> None:
        self._link, self._root = link, f"{root}/"

    async def publish(self, message: Message) -> None:
        """See ``Link``."""
        reply_to = None if message.reply_to is None else self._root + message.reply_to
        await self._link.publish(replace(message, topic=self._root + message.topic, reply_to=reply_to, limit=LONGEST))

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[AsyncIterator[Message]]:
        """See ``Link``."""
        async with self._link.subscribe(self._root + pattern) as messages:
            yield _Inside(messages, self._root)


class _Inside(AsyncIterator[Message]):
    """What arrives, with the root taken off."""

    def __init__(self, messages: AsyncIterator[Message], root: str) -> None:
        self._messages, self._root = messages, root

    async def __anext__(self) -> Message:
        message = await anext(self._messages)
        return replace(message, topic=message.topic.removeprefix(self._root), reply_to=self._reply_to(message))

    def _reply_to(self, message: Message) -> str | None:
        if message.reply_to is None:
            return None
        if message.reply_to.startswith(f"{self._root}reply/"):
            return message.reply_to.removeprefix(self._root)
        log.warning("%s wants its answer outside of %s: it gets none", message.topic, self._root)
        return None
