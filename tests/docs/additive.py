"""Whether a contract only grew: what an old consumer reads and an old commander sends must stay good. Two AsyncAPI documents in, words out.

What the node *sends* may gain fields, but whoever wrote a consumer for the old contract must be able to read it: nothing removed, nothing
of another kind, no new value of a closed list, nothing optional that was always there. What it *receives* may gain optional fields and
values, but whatever was right before must be right still.
"""

from collections.abc import Iterable, Iterator
from typing import Any

Schema = dict[str, Any]
BOUNDS = {"minimum": 1, "exclusiveMinimum": 1, "minLength": 1, "minItems": 1, "minProperties": 1}
BOUNDS |= {"maximum": -1, "exclusiveMaximum": -1, "maxLength": -1, "maxItems": -1, "maxProperties": -1}
"""1: a higher one is narrower; -1: a lower one."""


def broken(old: Schema, new: Schema) -> list[str]:
    """Everything in ``new`` that breaks who relies on ``old``; empty when it only grew."""
    return [*_channels(old, new), *_operations(old, new)]


def _channels(old: Schema, new: Schema) -> Iterator[str]:
    for name, before in old["channels"].items():
        now = new["channels"].get(name)
        if now is None:
            yield f"{name}: the topic is gone"
        elif now["address"] != before["address"]:
            yield f"{name}: the topic is another: {before['address']} -> {now['address']}"


def _operations(old: Schema, new: Schema) -> Iterator[str]:
    for name, before in old["operations"].items():
        now = new["operations"].get(name)
        if now is None:
            yield f"{name}: nobody says it any more"
            continue
        if before["action"] != now["action"]:
            yield f"{name}: {before['action']} -> {now['action']}"
        bindings, bound = before["bindings"]["mqtt"], now["bindings"]["mqtt"]
        for key in sorted(bindings.keys() | bound.keys()):
            if bindings.get(key) != bound.get(key):
                yield f"{name}: {key} {bindings.get(key)} -> {bound.get(key)}"
        yield from _messages(name, before["action"] == "send", old, new)


def _messages(name: str, sent: bool, old: Schema, new: Schema) -> Iterator[str]:
    messages = new["channels"].get(name, {}).get("messages", {})
    for kind, before in old["channels"][name]["messages"].items():
        now = messages.get(kind)
        if now is None:
            yield f"{kind}: the message is gone"
            continue
        if before["contentType"] != now["contentType"]:
            yield f"{kind}: contentType {before['contentType']} -> {now['contentType']}"
        for part in ("payload", "headers"):
            ours, theirs = before.get(part, {}), now.get(part, {})
            compare = _Comparison(new, old, old_is_inner=False) if sent else _Comparison(old, new, old_is_inner=True)
            yield from compare.narrower(theirs if sent else ours, ours if sent else theirs, kind)


class _Comparison:
    """Says why a value that is right by ``inner`` might not be right by ``outer``."""

    def __init__(self, inner: Schema, outer: Schema, old_is_inner: bool) -> None:
        self._inner, self._outer, self._old_is_inner = inner, outer, old_is_inner

    def narrower(self, inner: Schema, outer: Schema, where: str) -> Iterator[str]:
        inner, outer = _flat(inner, self._inner), _flat(outer, self._outer)
        if "anyOf" in inner:
            for branch in inner["anyOf"]:
                yield from self.narrower(branch, outer, where)
        elif "anyOf" in outer:
            if all(list(self.narrower(inner, branch, where)) for branch in outer["anyOf"]):
                yield f"{where}: another kind of value"
        else:
            yield from self._value(inner, outer, where)
            yield from self._object(inner, outer, where)
            yield from self._parts(inner, outer, where)

    def _value(self, inner: Schema, outer: Schema, where: str) -> Iterator[str]:
        if (listed := _listed(outer)) is not None and not (_listed(inner) or {"anything else"}) <= listed:
            yield f"{where}: another list of values"
        kind, wanted = inner.get("type"), outer.get("type")
        if wanted is not None and _listed(inner) is None and kind not in {wanted, "integer" if wanted == "number" else wanted}:
            yield f"{where}: {kind} against {wanted}"
        for key in ("pattern", "format"):
            if key in outer and inner.get(key) != outer[key] and _listed(inner) is None:
                yield f"{where}: {key} {inner.get(key)} against {outer[key]}"
        for key, sign in BOUNDS.items():
            if key in outer and (key not in inner or sign * inner[key] < sign * outer[key]):
                yield f"{where}: {key} {inner.get(key)} against {outer[key]}"

    def _object(self, inner: Schema, outer: Schema, where: str) -> Iterator[str]:
        mine, theirs = inner.get("properties", {}), outer.get("properties", {})
        old, new = (mine, theirs) if self._old_is_inner else (theirs, mine)
        for key in old.keys() - new.keys():
            yield f"{where}.{key}: the field is gone"
        for key in set(outer.get("required", ())) - set(inner.get("required", ())):
            yield f"{where}.{key}: {'required now' if self._old_is_inner else 'may be absent now'}"
        for key in sorted(mine.keys() & theirs.keys()):
            yield from self.narrower(mine[key], theirs[key], f"{where}.{key}")

    def _parts(self, inner: Schema, outer: Schema, where: str) -> Iterator[str]:
        for key in ("items", "additionalProperties"):
            mine, theirs = inner.get(key), outer.get(key)
            if isinstance(mine, dict) and isinstance(theirs, dict):
                yield from self.narrower(mine, theirs, f"{where}[]")
            elif isinstance(mine, list) and isinstance(theirs, list):
                for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
                    yield from self.narrower(one, other, f"{where}[{place}]")
            elif isinstance(mine, dict | list) or isinstance(theirs, dict | list):
                yield f"{where}[]: {'another' if mine is not None and theirs is not None else 'now also another'} kind of value"
            elif theirs is False and mine is not False:
                yield f"{where}: unknown fields against none"


def _listed(schema: Schema) -> set[str] | None:
    """The values that it lists, as text; None when it lists none."""
    values: Iterable[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {repr(value) for value in values}


def _flat(schema: Schema, document: Schema) -> Schema:
    """``schema`` without references and ``allOf``; what comes later adds to what came before."""
    if "$ref" in schema:
        _, *path = schema["$ref"].split("/")
        found: Any = document
        for name in path:
            found = found[name]
        return _flat(found, document)
    if "allOf" not in schema:
        return schema
    out: Schema = {}
    for part in (*schema["allOf"], {key: value for key, value in schema.items() if key != "allOf"}):
        part = _flat(part, document)  # noqa: PLW2901 - the part itself, wherever it stands
        properties, required = out.get("properties", {}) | part.get("properties", {}), [*out.get("required", []), *part.get("required", [])]
        out = out | part | {"properties": properties, "required": required}
    return out
