"""The contract as files: ``python tests/docs/contract.py`` writes docs/asyncapi.json, docs/schemas/*.json and the tables of docs/mqtt.md.

It writes nothing when the contract would break who relies on the stored one: inside version 1 it only grows.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for whoever runs this file; pytest has it already

from jsonschema import Draft7Validator

from docs.additive import broken
from docs.tables import MARK, table
from kiosd.mqtt.asyncapi import document, text
from kiosd.mqtt.schemas import ASKED, definitions, files, sentence
from kiosd.mqtt.topics import TOPICS
from kiosd.queue.events import EVENTS, Event, TicketEvent, family
from kiosd.queue.texts import TEXTS

DOCS = Path(__file__).parents[2] / "docs"
STORED = DOCS / "asyncapi.json"
PAGE = DOCS / "mqtt.md"
SHARED = {"actor", "place"}
PARTS = {"opens", "opens_again", "opens_early", "until_told", "never"}
"""Texts that only stand inside others."""
CODES = {
    "retained": "it was retained; the topic is cleared",
    "too_large": "more than 8 KiB",
    "unknown_command": "there is no command of that name; the message lists them",
    "not_json": "the payload is no JSON",
    "bad_payload": "the payload is no JSON object, or breaks a rule that is about more than one field",
    "unknown_field": "a field that the command does not have; the message lists those that it has",
    "bad_field": "a field is missing or has a wrong value; the message says which and what is expected, never what was sent",
    "bad_args": "`args` holds what belongs beside it, such as `counter`",
    "bad_role": "a role that does not exist, or two different ones",
    "not_allowed": "a role that nobody may name through this broker",
    "bad_reply_topic": "the response topic is a pattern, or a topic of the node that is not a reply's; nobody is answered",
    "rate_limit": "more commands a second than one client may send",
    "busy": "too many commands wait already, or a replay is under way: ask again",
    "bad_range": "a replay whose `from` is above its `to`",
    "too_many": "a replay of more events than one answer may bring",
    "not_there": "a replay of what has not happened yet",
}
"""Why a message never becomes a command: ``Reject`` in kiosd/mqtt says so, and ``Replay``."""
Schema = dict[str, Any]


# The tables of docs/mqtt.md.


def kind(schema: Schema) -> str:
    """What a value is, in a word or two."""
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " / ".join(f'"{one}"' for one in schema["enum"])
    if "$ref" in schema:
        found = definitions()[schema["$ref"].rpartition("/")[2]]
        return kind(found) if "enum" in found else "object"
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"list of {kind(schema['items'])}"
    plain = {"integer": "int", "string": "text", "boolean": "true/false"}
    named: str = schema.get("type", "anything")
    return plain.get(named, named)


def fields(schema: Schema, hidden: Iterable[str] = ()) -> str:
    """The fields of an object, those that may be absent in brackets."""
    needed = set(schema.get("required", ()))
    shown = {name: f"`{name}`: {kind(one)}" for name, one in schema.get("properties", {}).items() if name not in hidden}
    return ", ".join(one if name in needed else f"[{one}]" for name, one in shown.items())


def topics() -> str:
    rows = [
        (f"`{row.path}`", {"out": "node", "in": "others"}[row.to], row.payload, row.qos, "yes" if row.retain else "no",
         f"{row.expiry_s} s" if row.expiry_s else "-")
        for row in TOPICS
    ]  # fmt: skip
    return table(("topic under `kiosd/1/<site>/<node>/`", "from", "payload", "QoS", "retained", "expiry"), rows)


def states() -> str:
    known = definitions()
    names = ("status", "info", "queue", "counter", "device", "Line", "ack")
    rows = [(f"`{name}`", sentence(known[name].get("description")), fields(known[name])) for name in names]
    return table(("state", "what", "fields"), rows)


def envelope() -> str:
    schema = definitions()["Envelope"]
    needed = schema["required"]
    rows = [
        (f"`{name}`" if name in needed else f"[`{name}`]", kind(one), one.get("description", ""))
        for name, one in schema["properties"].items()
    ]
    return table(("attribute", "kind", "what"), rows)


def _own(model: type[Event]) -> str:
    hidden = SHARED | (TicketEvent.model_fields.keys() if issubclass(model, TicketEvent) else set())
    own = fields(definitions()[model.type], hidden)
    return ", ".join(filter(None, ("*ticket*" if issubclass(model, TicketEvent) else "", own))) or "-"


def events() -> str:
    kinds = sorted(EVENTS.items(), key=lambda item: family(item[0]))
    rows = [(f"`ev/{family(name)}`", f"`{name}`", _own(model), sentence(model.__doc__)) for name, model in kinds]
    return table(("topic", "type, between `kiosd.` and `.v1`", "data", "what"), rows)


def request() -> str:
    schema = definitions()["cmd.next"]
    rows = [
        (f"`{name}`", kind(one), one.get("description", "")) for name, one in schema["properties"].items() if name not in {"actor", "args"}
    ]
    args = ("`args`", "object", "what else the command needs, as in the next table")
    actor = ("`actor`", "text", "the role that asks; without it the first one of those that may")
    return table(("field", "kind", "what"), [*rows, args, actor])


def commands() -> str:
    def row(name: str) -> Iterator[str]:
        schema = definitions()[f"cmd.{name}"]
        yield f"`{name}`"
        yield "yes" if "counter" in schema["properties"] else "-"
        yield fields(schema["properties"]["args"]) or "-"
        yield ", ".join(schema["properties"]["actor"]["enum"])
        yield sentence(schema["description"])

    return table(("`cmd/...`", "`counter`", "`args`", "roles", "what"), [tuple(row(name)) for name in ASKED])


def codes() -> str:
    return table(("reason", "why"), [(f"`{code}`", why) for code, why in CODES.items()])


def refusals() -> str:
    rows = [(f"`{code}`", words["id"], words["en"]) for code, words in TEXTS.items() if code not in PARTS]
    return table(("reason", "message, `id`", "message, `en`"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "topics": topics,
    "states": states,
    "envelope": envelope,
    "events": events,
    "request": request,
    "commands": commands,
    "codes": codes,
    "refusals": refusals,
}


def renewed(page: str) -> str:
    """``page`` with every marked table made anew."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], page)


# As files.


def wrong(value: object, file: str, name: str = "") -> list[str]:
    """What an independent validator says against ``value``, by a file of docs/schemas or one definition in it."""
    schema = json.loads((DOCS / "schemas" / file).read_text())
    if name:
        schema |= {"$ref": f"#/definitions/{name}"}
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in Draft7Validator(schema).iter_errors(value)]


def generated() -> dict[Path, str]:
    """Every file of the contract, as it should be."""
    made = {DOCS / "schemas" / name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in files().items()}
    return {STORED: text(), PAGE: renewed(PAGE.read_text()), **made}


def write() -> int:
    """Write what changed, unless it breaks; the exit status."""
    wrong = broken(json.loads(STORED.read_text()), document()) if STORED.exists() else []
    for words in wrong:
        print(words, file=sys.stderr)
    if wrong:
        print("The contract of version 1 only grows: nothing was written.", file=sys.stderr)
        return 1
    for path, content in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(write())
