"""An event as CloudEvents 1.0 in structured JSON: the same bytes on every version of MQTT.

Rule 1  ``stream`` and ``sequence`` identify an event; a consumer drops what is not above its last sequence and asks for what is missing.
Rule 2  Order by ``sequence``, never by ``time``: the board has no clock battery. ``clock`` says whether ``time`` was trusted.
Rule 3  ``replay`` marks what is told late, so that a display does not announce an old call again.
"""

import json

from kiosd.clock import Moment, utc_text
from kiosd.errors import Refused
from kiosd.links.base import MAX_PAYLOAD, Message
from kiosd.mqtt.topics import Topics
from kiosd.queue.events import Record, family

SPEC_VERSION = "1.0"
SEQUENCE_DIGITS = 15
"""CloudEvents compares ``sequence`` as text, so it is padded with zeros; but never to 16 digits in a row (domain section 9)."""
REPLAY_AFTER_S = 60.0


def sequence_text(seq: int) -> str:
    """``000000000001234``."""
    return f"{seq:0{SEQUENCE_DIGITS}d}"


def event_type(kind: str) -> str:
    """``kiosd.ticket.called.v1`` of ``ticket.called``."""
    return f"kiosd.{kind}.v1"


def compact(payload: object) -> bytes:
    """``payload`` as JSON without blanks, UTF-8."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def is_late(moment: Moment, now: Moment) -> bool:
    """Whether an event of ``moment`` is told more than 60 s late; one of another boot is, unless both clocks can be compared."""
    if moment.boot == now.boot:
        return now.monotonic - moment.monotonic > REPLAY_AFTER_S
    if not (moment.synced and now.synced):
        return True
    return (now.time - moment.time).total_seconds() > REPLAY_AFTER_S


def event_message(record: Record, topics: Topics, stream: str, now: Moment, replay_of: str = "") -> Message:
    """``record`` as it goes out at ``now``; raises ``Refused`` (``too_large``) when it does not fit the 8 KiB of the contract.

    ``replay_of``: the command that asked for it once more.
    """
    event, sequence = record.event, sequence_text(record.seq)
    envelope: dict[str, object] = {
        "specversion": SPEC_VERSION,
        "id": f"{stream}-{sequence}",
        "source": topics.source,
        "type": event_type(event.type),
        "subject": event.subject,
        "time": utc_text(record.moment.time),
        "sequence": sequence,
        "stream": stream,
        "boot": record.moment.boot,
        "clock": "synced" if record.moment.synced else "unsynced",
        "replay": bool(replay_of) or is_late(record.moment, now),
    }
    if not event.subject:
        del envelope["subject"]  # CloudEvents: an attribute is absent or not empty
    payload = compact(envelope)[:-1] + b',"data":' + event.model_dump_json().encode() + b"}"  # each as text at once: half the time
    if len(payload) > MAX_PAYLOAD:
        raise Refused("too_large", {"sequence": record.seq, "type": event.type, "bytes": len(payload), "limit": MAX_PAYLOAD})
    properties = [("type", event_type(event.type)), ("sequence", sequence)]
    if replay_of:
        properties.append(("replay_of", replay_of))
    return topics.message("event", payload, family(event.type), tuple(properties))
