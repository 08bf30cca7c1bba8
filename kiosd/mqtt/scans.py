"""What was scanned, as it is, to the central system: only where ``forward_scans`` says so, over TLS, and kept nowhere (domain section 9).

Rule 1  It goes past the queue: no event, no journal, no file, no log ever holds it. What cannot be sent now is gone.
Rule 2  It is sent only for a visitor who is called or served: a card that belongs to nobody's visit is nobody's business.
Rule 3  Its message is never retained and expires; its ``token`` leads to the event ``scan.read``, which everybody may know.
"""

import asyncio
import logging

from kiosd.errors import Refused, Unavailable
from kiosd.mqtt.envelope import compact
from kiosd.mqtt.interface import BrokerLink
from kiosd.mqtt.topics import Topics
from kiosd.queue.interface import Reply

log = logging.getLogger(__name__)


class ScanForwarder:
    """``over`` is what a session does also, with every new link; ``forward`` is given to the stations that scan."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._link: BrokerLink | None = None

    async def over(self, link: BrokerLink) -> None:
        """Send over ``link`` until cancelled."""
        self._link = link
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._link = None

    def forward(self, token: str, payload: str, reply: Reply) -> None:
        """Send ``payload``, for which the queue gave ``reply``; returns at once and never fails."""
        ticket = reply.result.get("ticket")
        if not reply.done or ticket is None:
            return
        if self._link is None:
            _told("not connected")
            return
        body = {"counter": reply.result["counter"], "ticket": ticket, "token": token, "payload": payload}
        self._link.send(self._topics.message("scan", compact(body))).add_done_callback(_sent)


def _sent(future: asyncio.Future[None]) -> None:
    if future.cancelled():
        return
    error = future.exception()
    if isinstance(error, Refused):
        _told(error.code)
    elif isinstance(error, Unavailable):
        _told(str(error))
    elif error is not None:
        _told(type(error).__name__)  # its text is not ours: it may hold what was sent


def _told(why: str) -> None:
    log.warning("mqtt central: a scan did not reach the central system and is not kept: %s", why)
