"""How a satellite tells its hub that it is there: the retained message ``status`` below its root, with a will."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from kiosd.clock import Moment, utc_text
from kiosd.links.base import Message
from kiosd.queue.commands import Detail

STATUS = "status"
MAX_BYTES = 1024
Short = Annotated[str, StringConstraints(max_length=64)]


class BoardStatus(BaseModel):
    """``boot`` and ``conn`` tell one connection's will from the next one's birth. ``code`` and ``detail``: what is wrong with the board."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    state: Literal["online", "offline", "lost"]
    boot: Short
    conn: int
    since: Short
    version: Short
    code: Short = ""
    detail: Detail = ""

    @property
    def connection(self) -> tuple[str, int]:
        """Which connection this is about."""
        return self.boot, self.conn


def status_message(root: str, now: Moment, version: str, state: str, conn: int, fault: str = "") -> Message:
    """The message ``status`` of the satellite whose topics begin with ``root``; ``fault``: what is wrong with its clock, if anything is."""
    status = BoardStatus.model_validate(
        {
            "state": state,
            "boot": now.boot,
            "conn": conn,
            "since": utc_text(now.time),
            "version": version,
            "code": "clock" if fault else "",
            "detail": fault,
        }
    )
    return Message(f"{root}/{STATUS}", status.model_dump_json().encode(), retain=True, content_type="application/json")


def parse_status(payload: bytes) -> BoardStatus | None:
    """What a satellite says of itself; None when it cannot be read."""
    if len(payload) > MAX_BYTES:
        return None
    try:
        return BoardStatus.model_validate_json(payload)
    except ValidationError:
        return None
