"""Messages as paho has them, and back: the properties of MQTT 5, and what its CONNECT says of the session."""

import socket
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kiosd.errors import Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Message

NO_MATCHING_SUBSCRIBERS, KEEP_ALIVE_TIMEOUT, SESSION_TAKEN_OVER = 0x10, 0x8D, 0x8E
WILL_DELAY_S = 10  # a drop shorter than this is nobody's business
SESSION_EXPIRY_S = 60  # must be longer than the will's delay: a session that ends sends its will at once
MAX_PACKET = 65_536  # what a broker may send us; a command is far smaller


class Packed(Properties):
    """Properties as the bytes they are on the wire: paho's way of making them costs three times as much as sending the message."""

    def __init__(self, packed: bytes) -> None:
        self.__dict__["packed"] = packed

    def __str__(self) -> str:
        return self.__dict__["packed"].hex()  # type: ignore[no-any-return]

    def pack(self) -> bytes:
        """Their length and themselves (MQTT 5 section 2.2.2)."""
        return self.__dict__["packed"]  # type: ignore[no-any-return]


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2) + data


def _length(size: int) -> bytes:
    """A variable byte integer (MQTT 5 section 1.5.5)."""
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def properties(message: Message, will_delay_s: int | None = None) -> Packed:
    """What ``message`` has besides topic and payload, for a PUBLISH, or with ``will_delay_s`` for a will."""
    out = b""
    if will_delay_s is not None:
        out += b"\x18" + will_delay_s.to_bytes(4)
    if message.content_type is not None:
        out += b"\x01\x01\x03" + _text(message.content_type)  # payload format 1: all our payloads are UTF-8
    if message.expiry_s is not None:
        out += b"\x02" + message.expiry_s.to_bytes(4)
    if message.reply_to is not None:
        out += b"\x08" + _text(message.reply_to)
    if message.correlation is not None:
        out += b"\x09" + _text(message.correlation)
    for key, value in message.properties:
        out += b"\x26" + _text(key) + _text(value)
    return Packed(_length(len(out)) + out)


def incoming(message: MQTTMessage) -> Message:
    """What paho received."""
    properties = message.properties
    return Message(
        topic=message.topic,
        payload=bytes(message.payload),
        retain=message.retain,
        qos=message.qos,
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
        reply_to=getattr(properties, "ResponseTopic", None),
        correlation=getattr(properties, "CorrelationData", None),
        content_type=getattr(properties, "ContentType", None),
        properties=tuple(getattr(properties, "UserProperty", ())),
    )


def session(expiry_s: int = SESSION_EXPIRY_S) -> dict[str, Any]:
    """What MQTT 5 says more about a session when it connects."""
    made = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    made.SessionExpiryInterval = expiry_s
    made.MaximumPacketSize = MAX_PACKET
    return {"clean_start": True, "properties": made}


def transmit(client: Client, message: Message, v5: bool) -> int:
    """Hand ``message`` to paho, which sends it at once; the number that its acknowledgement will have."""
    info = client.publish(message.topic, message.payload, message.qos, message.retain, properties(message) if v5 else None)
    if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise Unavailable("the connection has just gone")
    return info.mid


def word(reason: ReasonCode) -> str:
    """A reason code of MQTT 5 as a word for programs: ``not_authorized``."""
    return str(reason).lower().replace(" ", "_")


def refusal(reason: ReasonCode) -> Refused | None:
    """What an acknowledgement with ``reason`` means for what was published; None when somebody gets it."""
    if reason.value == NO_MATCHING_SUBSCRIBERS:
        return Refused(NOBODY_LISTENS)
    return Refused(word(reason)) if reason.is_failure else None


def no_delay(_client: Client, _data: Any, sock: Any) -> None:
    """Without it a reply waits for the broker's delayed acknowledgement: 44 ms instead of 2."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def forget(client: Client, _data: Any) -> None:
    """What the last connection did not deliver has failed; it must not be sent behind our back."""
    client.drop_out_messages()
