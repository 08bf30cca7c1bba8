"""A thread that waits for one device's input until its block ends, and closes the device itself.

The block ends when the device is closed, because a replugged device gets another name while the old one is still open (hardware section
3b).
"""

import select
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from kiosd.threads import Inbox, reader


def waiting(
    name: str, fd: int, take: Callable[[], None], close: Callable[[], None], inbox: Inbox[Any]
) -> AbstractAsyncContextManager[None]:
    """Call ``take`` in the thread whenever ``fd`` has something; what it raises goes to ``inbox``."""

    def work(wake: int) -> None:
        try:
            poll = select.poll()
            for each in (wake, fd):
                poll.register(each, select.POLLIN)
            while wake not in {ready for ready, _ in poll.poll()}:
                take()
        finally:
            close()

    return reader(f"read {name}", work, inbox)
