"""The contract as AsyncAPI 3: ``kiosd asyncapi``. Made from the tables and models that the node works by, so it cannot differ from them.

The application it describes is a node: it *sends* states, events and replies, and *receives* commands and watermarks.
"""

import json
from collections.abc import Iterator
from typing import Any

from kiosd.links.base import MAX_PAYLOAD
from kiosd.links.packets import MAX_PACKET, SESSION_EXPIRY_S, WILL_DELAY_S
from kiosd.mqtt.envelope import event_type
from kiosd.mqtt.payloads import PAYLOADS, SEQUENCE
from kiosd.mqtt.request import ROLE, ROLES
from kiosd.mqtt.schemas import ASKED, Schema, definitions, event_schema, sentence
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.topics import TOPICS, VERSION, Topic
from kiosd.queue.events import EVENTS, FAMILIES, family

ASYNCAPI = "3.0.0"
BINDING = "0.2.0"
ROOT = f"{{prefix}}/{VERSION}/{{site}}/{{node}}"
PARAMETERS = {
    "prefix": {"description": "one to four topic levels, as configured", "default": "kiosd"},
    "site": {"description": "the site's id in lower case", "examples": ["cth01"]},
    "node": {"description": "the node's id; the hub is the one that keeps the journal", "examples": ["hub"]},
    "n": {"description": "number of the counter, 1 to 99", "examples": ["4"]},
    "id": {"description": "name of the device", "examples": ["printer"]},
    "client": {"description": "what the command gave as client", "examples": ["central"]},
    "consumer": {"description": "name of the consumer", "examples": ["central"]},
}
"""What stands in the braces of an address."""
ABOUT = (
    "Contract version 1 of kiosd, a queue daemon for public-service kiosks. Every event is numbered in the transaction that made it: "
    "drop what is not above the last sequence of its stream, apply the next one, and ask for what is missing with cmd/replay. "
    "Within version 1 there only come new topics, new types of events and new optional fields. "
    f"No payload is longer than {MAX_PAYLOAD} bytes, and none holds personal data, but for scan/raw at sites that send it."
)
WILL = {"state": "lost", "boot": "8c7d2f0e-3c0e-4c5a-9f67-3f8f6f4b2a11", "conn": 1, "since": "2026-07-01T01:05:00.123Z", "version": "1.0.0"}


def document() -> dict[str, Any]:
    """The whole contract as one AsyncAPI document."""
    return {
        "asyncapi": ASYNCAPI,
        "id": f"urn:kiosd:contract:{VERSION}",
        "info": {"title": "kiosd", "version": str(VERSION), "description": ABOUT, "license": {"name": "MIT"}},
        "defaultContentType": "application/json",
        "servers": {
            "central": _server("central.example:8883", "the central system's"),
            "site": _server("site.example:8883", "the site's own, for satellites and local subscribers"),
        },
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "schemas": _moved(definitions()),
            "parameters": PARAMETERS,
            "securitySchemes": {"user": {"type": "userPassword"}, "certificate": {"type": "X509"}},
        },
    }


def text() -> str:
    """``document`` as it is printed and stored."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def show(_args: object) -> int:
    """``kiosd asyncapi``."""
    print(text(), end="")
    return 0


def _moved(schema: Any) -> Any:
    """``schema`` with its references as they are in an AsyncAPI document."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: value.replace("#/definitions/", "#/components/schemas/") if key == "$ref" else _moved(value)
            for key, value in schema.items()}  # fmt: skip


def _ref(place: str, *names: str) -> Schema:
    return {"$ref": "/".join((f"#/{place}", *names))}


def _server(host: str, whose: str) -> Schema:
    mqtt = {
        "clientId": "kiosd-{site}-{node}",
        "cleanSession": True,
        "lastWill": {"topic": f"{ROOT}/status", "qos": 1, "retain": True, "message": json.dumps(WILL)},
        "keepAlive": MqttSettings.model_fields["keepalive_s"].default,
        "sessionExpiryInterval": SESSION_EXPIRY_S,
        "maximumPacketSize": MAX_PACKET,
        "bindingVersion": BINDING,
    }
    return {
        "host": host,
        "protocol": "mqtts",
        "protocolVersion": "5.0",
        "description": f"A broker: {whose}. The will is delayed by {WILL_DELAY_S} s, so that a short drop is nobody's business.",
        "security": [_ref("components/securitySchemes", "user"), _ref("components/securitySchemes", "certificate")],
        "bindings": {"mqtt": mqtt},
    }


# One channel per topic; events and commands have one for each family and name, for they differ in what they carry.


def _rows() -> Iterator[tuple[str, Topic, str]]:
    """Name of the channel, its row, and what stands for the row's ``<...>``: a word or, still open, a parameter."""
    for row in TOPICS:
        if row.name == "event":
            yield from ((f"ev.{one}", row, one) for one in FAMILIES)
        elif row.name == "command":
            yield from ((f"cmd.{one}", row, one) for one in ASKED)
        else:
            opened = row.path.partition("<")[2].partition(">")[0]
            yield row.name, row, f"{{{opened}}}" if opened else ""


def _channels() -> Iterator[tuple[str, Schema]]:
    for name, row, key in _rows():
        head, opened, tail = row.path.partition("<")
        address = f"{ROOT}/{head}{key}{tail.partition('>')[2]}" if opened else f"{ROOT}/{row.path}"
        used = [one for one in PARAMETERS if f"{{{one}}}" in address]
        yield (
            name,
            {
                "address": address,
                "description": row.payload,
                "parameters": {one: _ref("components/parameters", one) for one in used},
                "messages": dict(_messages(name, row, key)),
            },
        )


def _messages(name: str, row: Topic, key: str) -> Iterator[tuple[str, Schema]]:
    if row.name == "event":
        for kind, model in EVENTS.items():
            if family(kind) == key:
                payload = {"allOf": [_ref("components/schemas", "Envelope"), _moved(event_schema(model))]}
                headers = {"type": {"const": event_type(kind)}, "sequence": _sequence(), "replay_of": _replay_of()}
                yield kind, _message(row, event_type(kind), sentence(model.__doc__), payload) | _headers(headers)
    elif row.name == "command":
        asked = _message(row, name, definitions()[name]["description"], _ref("components/schemas", name))
        asked["bindings"]["mqtt"] |= {"responseTopic": f"{ROOT}/reply/{{client}}", "correlationData": _correlation()}
        role = {"enum": list(ROLES), "description": "the role that asks, for senders that keep it out of the payload"}
        yield name, asked | _headers({ROLE: role}) | {"correlationId": {"location": "$message.payload#/id"}}
    elif row.name == "reply":
        answer = _message(row, name, sentence(PAYLOADS[name].__doc__), _ref("components/schemas", name))
        answer["bindings"]["mqtt"]["correlationData"] = _correlation()
        yield name, answer | {"correlationId": {"location": "$message.payload#/id"}}
    else:
        yield name, _message(row, name, sentence(PAYLOADS[name].__doc__), _ref("components/schemas", name))


def _headers(properties: Schema) -> Schema:
    """What AsyncAPI calls headers are the user properties of MQTT 5."""
    return {"headers": {"type": "object", "properties": properties}}


def _replay_of() -> Schema:
    return {"type": "string", "description": "id of the cmd/replay that it is told for; absent otherwise"}


def _sequence() -> Schema:
    return {"type": "string", "pattern": SEQUENCE}


def _correlation() -> Schema:
    return {"type": "string", "description": "whatever the asker sent; it comes back unchanged"}


def _message(row: Topic, name: str, summary: str, payload: Schema) -> Schema:
    mqtt = {"payloadFormatIndicator": 1, "contentType": row.content_type, "bindingVersion": BINDING}
    shown = {"name": name, "contentType": row.content_type, "payload": payload, "bindings": {"mqtt": mqtt}}
    return shown | ({"summary": summary} if summary else {})


def _operations() -> Iterator[tuple[str, Schema]]:
    for name, row, key in _rows():
        mqtt = {"qos": row.qos, "retain": row.retain, "bindingVersion": BINDING}
        if row.expiry_s is not None:
            mqtt["messageExpiryInterval"] = row.expiry_s
        one: Schema = {"action": "send" if row.to == "out" else "receive", "channel": _ref("channels", name)}
        one["messages"] = [_ref("channels", name, "messages", message) for message, _ in _messages(name, row, key)]
        one["bindings"] = {"mqtt": mqtt}
        if row.name == "command":
            one["reply"] = {"channel": _ref("channels", "reply"), "messages": [_ref("channels", "reply", "messages", "reply")]}
        yield name, one
