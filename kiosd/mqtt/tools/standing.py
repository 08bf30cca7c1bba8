"""What the running daemon says of its brokers, over its control socket."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kiosd.errors import Refused, Unavailable
from kiosd.links.unix import CONTROL_SOCKET, connect_unix
from kiosd.mqtt.outbox import AskReplay, BrokerView, OutboxView
from kiosd.queue.remote import RemoteQueue


async def outbox(state: Path) -> OutboxView:
    """What is owed; ``Unavailable`` when no daemon answers, ``Refused`` when it has no outbox (a satellite)."""
    async with connect_unix(state / CONTROL_SOCKET) as link:
        try:
            return OutboxView.model_validate(await RemoteQueue(link).ask("outbox"))
        except ValidationError:
            raise Unavailable("kiosd's answer is not understood: its version differs from this one") from None


async def replay(state: Path, asked: AskReplay) -> dict[str, Any]:
    """Have events told again; what will come."""
    async with connect_unix(state / CONTROL_SOCKET) as link:
        return await RemoteQueue(link).ask("replay", asked.model_dump_json())


async def running(state: Path) -> bool:
    """Whether a daemon serves ``state``, as far as this user may know: one that may not be asked counts as running."""
    if not (state / CONTROL_SOCKET).exists():
        return False
    try:
        async with connect_unix(state / CONTROL_SOCKET):
            return True
    except Unavailable as exc:
        return "not running" not in str(exc)


async def broker(state: Path, name: str) -> BrokerView | None:
    """How the running daemon stands with one broker; None when nobody can or may say."""
    try:
        view = await outbox(state)
    except (Refused, Unavailable):
        return None
    return next((one for one in view.brokers if one.broker == name), None)
