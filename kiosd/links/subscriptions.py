"""Who wants which messages: from the transport's thread to the iterators in the loop."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kiosd.links.base import Message, matches
from kiosd.threads import Inbox

log = logging.getLogger(__name__)

INBOX_SIZE = 256  # messages of at most 64 KiB; commands come one by one, so this is a flood


@dataclass(eq=False, slots=True)
class _Subscription:
    pattern: str
    inbox: Inbox[Message]


class Subscriptions:
    """The open subscriptions of one link."""

    def __init__(self) -> None:
        self._open: tuple[_Subscription, ...] = ()  # replaced, never changed: another thread reads it

    @property
    def patterns(self) -> tuple[str, ...]:
        """Every pattern once, in the order they were opened."""
        return tuple(dict.fromkeys(one.pattern for one in self._open))

    def put_from_thread(self, message: Message) -> None:
        """Give ``message`` to everyone whose pattern fits. Safe from any thread."""
        for one in self._open:
            if matches(one.pattern, message.topic):
                one.inbox.put_from_thread(message)

    def fail(self, error: Exception) -> None:
        """End every iterator with ``error``."""
        for one in self._open:
            one.inbox.fail_from_thread(error)

    @contextmanager
    def open(self, pattern: str) -> Iterator[AsyncIterator[Message]]:
        """An iterator over what arrives for ``pattern`` while the block runs."""
        mine = _Subscription(pattern, Inbox(INBOX_SIZE))
        self._open = (*self._open, mine)
        try:
            yield _arrivals(mine)
        finally:
            self._open = tuple(one for one in self._open if one is not mine)


async def _arrivals(subscription: _Subscription) -> AsyncIterator[Message]:
    told = 0
    while True:
        message = await subscription.inbox.get()
        if subscription.inbox.dropped > told:
            told = subscription.inbox.dropped
            log.error("%d messages to %s were dropped: they came faster than they can be handled", told, subscription.pattern)
        yield message
