"""What travels on the control socket: one JSON object per line, ``do`` says which of four.

Whoever gets a ``publish`` answers it with an ``ack`` of the same ``n`` once a listener took the message; ``code`` says why nobody did.
"""

import binascii
from base64 import b64decode, b64encode
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, TypeAdapter, ValidationError

from kiosd.links.base import Message
from kiosd.redact import redact

Number = Annotated[int, Field(ge=1, le=2**53)]
Topic = Annotated[str, StringConstraints(pattern=r"^[^+#\x00-\x1f]{1,256}$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,256}$")]


def _octets(value: Any) -> Any:
    """Bytes from a JSON string, or from ``{"base64": "..."}`` where they are no text."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return b64decode(value["base64"], validate=True)
        except binascii.Error as exc:
            raise ValueError(f"no base64: {exc}") from None
    return value


def _readable(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


Octets = Annotated[bytes, BeforeValidator(_octets), PlainSerializer(_readable, when_used="json")]


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Publish(_Frame):
    """A message. What a broker would need (retain, quality of service, expiry) means nothing on a socket and is not carried."""

    do: Literal["publish"] = "publish"
    n: Number
    topic: Topic
    payload: Octets = b""
    reply_to: Topic | None = None
    correlation: Annotated[Octets, Field(max_length=256)] | None = None
    content_type: Annotated[str, Field(max_length=64)] | None = None

    def message(self, sender: str) -> Message:
        """The message for listeners here; ``sender`` goes before ``reply_to``, so that the answer finds this connection and no other."""
        reply_to = None if self.reply_to is None else sender + self.reply_to
        return Message(self.topic, self.payload, reply_to=reply_to, correlation=self.correlation, content_type=self.content_type)


class Ack(_Frame):
    """Publish ``n`` was taken (``code`` empty) or not (``nobody_listens``)."""

    do: Literal["ack"] = "ack"
    n: Number
    code: Annotated[str, Field(max_length=32)] = ""


class Subscribe(_Frame):
    """Send me what fits ``pattern``."""

    do: Literal["subscribe"] = "subscribe"
    pattern: Pattern


class Unsubscribe(_Frame):
    """No more of ``pattern``."""

    do: Literal["unsubscribe"] = "unsubscribe"
    pattern: Pattern


Frame = Publish | Ack | Subscribe | Unsubscribe
_FRAMES: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="do")])


def encode(frame: Frame) -> bytes:
    """The line of ``frame``, with its newline."""
    return frame.model_dump_json(exclude_none=True).encode() + b"\n"


def decode(line: bytes) -> Frame:
    """The frame of ``line``; ``ValueError`` with one sentence that repeats nothing of the content, for it may be a card's."""
    try:
        return _FRAMES.validate_json(line)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(redact(f"{where or 'frame'}: {first['type']}")) from None
