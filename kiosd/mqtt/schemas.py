"""Every payload of the contract as JSON Schema, made from the models that read and write them.

Rule 1  The dialect is draft-07: AsyncAPI's, and what every validator reads.
Rule 2  An event and a state require what the model requires: a field with a default may be absent at a site that runs an older version.
Rule 3  A command forbids what it does not know; whatever the node sends may gain fields, so a consumer ignores those it does not know.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from kiosd.mqtt.envelope import event_type
from kiosd.mqtt.payloads import PAYLOADS, Envelope
from kiosd.mqtt.replay import MOST
from kiosd.mqtt.request import OWN_FIELDS, ROLES, Range, Request
from kiosd.mqtt.states import REPLAY
from kiosd.queue.commands import COMMANDS, Command
from kiosd.queue.events import EVENTS, Event

DIALECT = "http://json-schema.org/draft-07/schema#"
ASKED = (*COMMANDS, REPLAY)
"""Everything that ``cmd/<name>`` takes: the queue's commands, and the one that is answered from the journal."""
TOLD = {
    "id": "made once, when the person acts: the same id again gets the same answer and does nothing",
    "issued_at": "when the person acted, with a time zone; with `ttl` says until when it is meant",
    "ttl": "seconds after `issued_at`; after that the command is refused as expired",
    "actor": "the role that asks",
    "client": "who asks; the answer goes to reply/<client> where there is no response topic",
    "expect_rev": "as_of_sequence of the counter's state that the person acted on: refused as stale when the counter has changed since",
}
"""What the fields of a command's envelope are."""
Schema = dict[str, Any]


class _Plain(GenerateJsonSchema):
    """Without the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


_SECTION = re.compile(r"\s*\((?:domain|mqtt|architecture)[^)]*\)")


def sentence(text: str | None) -> str:
    """A docstring for readers who have only the contract: one line, without references to the house's own notes."""
    told = _SECTION.sub("", " ".join((text or "").split())).replace("``", "`")
    return re.sub(r"domain section \d+", "the rules", told).replace("None", "null")


def draft7(schema: Any) -> Any:
    """pydantic's 2020-12 as draft-07: tuples are ``items``, and a ``$ref`` stands alone."""
    if isinstance(schema, list):
        return [draft7(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: draft7(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    if "prefixItems" in out:
        out |= {"items": out.pop("prefixItems"), "additionalItems": False}
    if isinstance(out.get("description"), str):
        out["description"] = sentence(out["description"])
    if "$ref" in out and len(out) > 1:
        out = {"allOf": [{"$ref": out.pop("$ref")}], **out}
    return out


def _modes() -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    """Every model, and whether the node writes or reads it."""
    written: list[type[BaseModel]] = [Envelope, *PAYLOADS.values(), *EVENTS.values()]
    read: list[type[BaseModel]] = [Request, Range, *COMMANDS.values()]
    return [*((model, "serialization") for model in written), *((model, "validation") for model in read)]


@cache
def definitions() -> dict[str, Schema]:
    """Every payload by its name in the contract (``Envelope``, ``ticket.called``, ``cmd.next``, ``status`` ...), and what they share.

    Made once: whoever changes something takes a copy.
    """
    _, made = models_json_schema(_modes(), ref_template="{model}", schema_generator=_Plain)
    shared: dict[str, Schema] = draft7(made["$defs"])
    known = {model.__name__: name for name, model in (EVENTS | PAYLOADS).items()}
    out: dict[str, Schema] = {}
    asked = {model.__name__ for model, mode in _modes() if mode == "validation"}
    for name, schema in shared.items():
        if name not in asked:
            out[known.get(name, name)] = schema
    for name, command in COMMANDS.items():
        out[f"cmd.{name}"] = _request(command, shared[command.__name__], shared["Request"])
    out[f"cmd.{REPLAY}"] = _replay(shared["Range"], shared["Request"])
    return {name: _reach(out[name], known) for name in _order(out)}


def _order(names: Iterable[str]) -> list[str]:
    """The envelope, then the rows of the contract, events, commands, and what they share: as a reader looks for them."""
    first = ["Envelope", *PAYLOADS, *EVENTS, *(f"cmd.{name}" for name in ASKED)]
    return [*first, *sorted(set(names) - set(first))]


def _reach(schema: Any, known: Mapping[str, str]) -> Any:
    """``schema`` with references that find their target."""
    if isinstance(schema, list):
        return [_reach(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: f"#/definitions/{known.get(value, value)}" if key == "$ref" else _reach(value, known) for key, value in schema.items()}


def _request(command: type[Command], fields: Schema, request: Schema) -> Schema:
    """The payload of one ``cmd/<name>``: the request, with what this command takes in ``args``."""
    own, needed = fields["properties"], fields.get("required", [])
    args = {key: one for key, one in own.items() if key not in OWN_FIELDS}
    roles = [role for role in command.may if role != "system"]
    return _asked(sentence(command.__doc__), request, args, [key for key in needed if key in args], roles, own.get("counter"))


def _replay(fields: Schema, request: Schema) -> Schema:
    """The payload of ``cmd/replay``, which is answered from the journal."""
    about = f"Tell events `from` to `to` once more, at most {MOST} at once; the answer lists those that will not come (`gone`)."
    return _asked(about, request, fields["properties"], fields["required"], ROLES)


def _asked(about: str, request: Schema, args: Schema, needed: list[str], roles: Sequence[str], counter: Schema | None = None) -> Schema:
    told: Schema = {"id": request["properties"]["id"]} | ({"counter": counter} if counter else {})
    told["args"] = {"type": "object", "properties": args, "additionalProperties": False, "required": needed}
    told["actor"] = {"enum": list(roles), "default": roles[0]}
    hidden = {*told, "counter", *(() if counter else ("expect_rev",))}
    told |= {key: one for key, one in request["properties"].items() if key not in hidden}
    told = {key: one | ({"description": TOLD[key]} if key in TOLD else {}) for key, one in told.items()}
    required = ["id", *(["counter"] if counter else []), *(["args"] if needed else [])]
    return {"type": "object", "description": about, "properties": told, "required": required, "additionalProperties": False}


# As files.


def _file(title: str, body: Schema, names: Iterable[str], all_: dict[str, Schema]) -> Schema:
    """One schema file with everything that ``body`` and ``names`` lead to."""
    wanted, todo = dict.fromkeys(names), [body, *(all_[name] for name in names)]
    while todo:
        for found in re.findall(r"#/definitions/([^'\"]+)", repr(todo.pop())):
            if found not in wanted:
                wanted[found] = None
                todo.append(all_[found])
    return {"$schema": DIALECT, "title": title, **body, "definitions": {name: all_[name] for name in all_ if name in wanted}}


def event_schema(model: type[Event]) -> Schema:
    """A whole message of one type, beside the envelope."""
    return {"properties": {"type": {"const": event_type(model.type)}, "data": {"$ref": f"#/definitions/{model.type}"}}}


def files() -> dict[str, Schema]:
    """The files of ``docs/schemas``. ``events`` validates any message of ``ev/#``; of the others a definition is taken by its name."""
    all_ = definitions()
    by_type = [{"if": {"properties": {"type": {"const": event_type(kind)}}}, "then": event_schema(model)} for kind, model in EVENTS.items()]
    events = {"allOf": [{"$ref": "#/definitions/Envelope"}, *by_type]}
    rest = [row for row in PAYLOADS if row != "reply"]
    return {
        "events.json": _file("kiosd: any event, contract version 1", events, EVENTS, all_),
        "states.json": _file("kiosd: states and all else that is no event, contract version 1", {}, rest, all_),
        "commands.json": _file("kiosd: cmd/<name>, contract version 1", {}, [f"cmd.{name}" for name in ASKED], all_),
        "reply.json": _file("kiosd: the answer to a command, contract version 1", {"$ref": "#/definitions/reply"}, ["reply"], all_),
    }
