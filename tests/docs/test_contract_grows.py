"""Inside version 1 the contract only grows: what breaks who relies on the stored one is found, and is not written."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.additive import broken
from docs.contract import STORED, generated, write
from kiosd.mqtt import asyncapi

Schema = dict[str, Any]
DOCUMENT = asyncapi.document()


def field(name: str, key: str = "properties") -> Callable[[Schema], Schema]:
    return lambda document: document["components"]["schemas"][name][key]


def mqtt(name: str) -> Callable[[Schema], Schema]:
    return lambda document: document["operations"][name]["bindings"]["mqtt"]


def whole(document: Schema) -> Schema:
    return document


def rename(where: Schema) -> None:
    where["desk"] = where.pop("counter")


def need_more(where: Schema) -> None:
    where["cmd.next"]["required"].append("client")


def need_less(where: Schema) -> None:
    where["ticket.called"]["required"].remove("counter")


BREAKS: dict[str, tuple[Callable[[Schema], Schema], Callable[[Schema], object], str]] = {
    "a field of an event is gone": (field("ticket.called"), lambda one: one.pop("counter"), "counter: the field is gone"),
    "a field of an event is renamed": (field("ticket.called"), rename, "counter: the field is gone"),
    "a field of the envelope is gone": (field("Envelope"), lambda one: one.pop("boot"), "boot: the field is gone"),
    "a field of a state is gone": (field("counter"), lambda one: one.pop("calls"), "calls: the field is gone"),
    "a field of a line is gone": (field("Line"), lambda one: one.pop("waiting"), "services[].waiting: the field is gone"),
    "a number becomes a text": (field("ticket.called"), lambda one: one["counter"].update(type="string"), "string against integer"),
    "a field may be null now": (
        field("ticket.recalled"),
        lambda one: one.update(call={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        "null against integer",
    ),
    "a time becomes any text": (field("rating.given"), lambda one: one["pressed_at"].pop("format"), "format None against date-time"),
    "a state has a new word": (field("status"), lambda one: one["state"]["enum"].append("asleep"), "another list of values"),
    "a field that was always there may be absent": (
        lambda document: document["components"]["schemas"],
        need_less,
        "counter: may be absent now",
    ),
    "a part of a tuple is another": (
        field("Carried"),
        lambda one: one["repairs"]["additionalProperties"]["items"][1].update(type="integer"),
        "carried: another kind of value",
    ),
    "a command needs a field more": (lambda document: document["components"]["schemas"], need_more, "client: required now"),
    "a command lost a field": (field("cmd.call"), lambda one: one["args"]["properties"].pop("reason"), "reason: the field is gone"),
    "a command takes less": (field("cmd.rate"), lambda one: one["args"]["properties"]["score"].update(maximum=3), "maximum 4 against 3"),
    "a command takes other text": (field("cmd.cancel"), lambda one: one["args"]["properties"]["ticket"].update(pattern="x"), "pattern"),
    "a role may no more": (field("cmd.issue"), lambda one: one["actor"]["enum"].remove("receptionist"), "another list of values"),
    "a topic is gone": (lambda document: document["channels"], lambda one: one.pop("queue"), "queue: the topic is gone"),
    "a topic is renamed": (
        lambda document: document["channels"]["queue"],
        lambda one: one.update(address="{prefix}/1/{site}/{node}/line"),
        "queue: the topic is another",
    ),
    "a type of event is gone": (
        lambda document: document["channels"]["ev.ticket"]["messages"],
        lambda one: one.pop("ticket.voided"),
        "ticket.voided: the message is gone",
    ),
    "QoS": (mqtt("ev.ticket"), lambda one: one.update(qos=0), "ev.ticket: qos 1 -> 0"),
    "retained": (mqtt("queue"), lambda one: one.update(retain=False), "queue: retain True -> False"),
    "expiry": (mqtt("reply"), lambda one: one.pop("messageExpiryInterval"), "reply: messageExpiryInterval 60 -> None"),
    "the other way round": (lambda document: document["operations"]["ack"], lambda one: one.update(action="send"), "receive -> send"),
    "another content type": (
        lambda document: document["channels"]["ev.scan"]["messages"]["scan.read"],
        lambda one: one.update(contentType="application/json"),
        "contentType",
    ),
}
GROWS: dict[str, tuple[Callable[[Schema], Schema], Callable[[Schema], object]]] = {
    "a field of an event": (field("ticket.called"), lambda one: one.update(floor={"type": "string", "default": ""})),
    "a field of a state that is always there": (
        lambda document: document["components"]["schemas"]["queue"],
        lambda one: (one["properties"].update(floor={"type": "string"}), one["required"].append("floor")),
    ),
    "an optional field of a command": (
        field("cmd.issue"),
        lambda one: one["args"]["properties"].update(note={"type": "string", "default": ""}),
    ),
    "a word that a command may say": (field("cmd.transfer"), lambda one: one["args"]["properties"]["position"]["enum"].append("middle")),
    "a role that may": (field("cmd.refer"), lambda one: one["actor"]["enum"].append("manager")),
    "wider bounds": (field("cmd.rate"), lambda one: one["args"]["properties"]["score"].update(maximum=5)),
    "a field that was optional is always there": (
        lambda document: document["components"]["schemas"]["ticket.called"],
        lambda one: one["required"].append("call"),
    ),
    "other words about it": (lambda document: document["components"]["schemas"]["ticket.called"], lambda one: one.update(description="x")),
    "a new type of event": (
        lambda document: document["channels"]["ev.ticket"]["messages"],
        lambda one: one.update({"ticket.lost": one["ticket.voided"]}),
    ),
    "a new topic": (
        whole,
        lambda one: (
            one["channels"].update(metrics=one["channels"]["queue"] | {"address": "metrics"}),
            one["operations"].update(metrics=one["operations"]["queue"]),
        ),
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_is_found(name: str) -> None:
    where, spoil, words = BREAKS[name]
    changed = copy.deepcopy(DOCUMENT)
    spoil(where(changed))
    found = broken(DOCUMENT, changed)
    assert any(words in one for one in found), found


@pytest.mark.parametrize("name", GROWS)
def test_what_only_grows_is_let_through(name: str) -> None:
    where, grow = GROWS[name]
    changed = copy.deepcopy(DOCUMENT)
    grow(where(changed))
    assert changed != DOCUMENT
    assert broken(DOCUMENT, changed) == []


def test_the_code_breaks_nothing_that_is_stored() -> None:
    assert broken(json.loads(STORED.read_text()), DOCUMENT) == []


def test_what_breaks_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    older = copy.deepcopy(DOCUMENT)
    older["components"]["schemas"]["ticket.called"]["properties"]["desk"] = {"type": "integer"}
    stored = tmp_path / "asyncapi.json"
    stored.write_text(json.dumps(older))
    before = {path: path.read_text() for path in generated()}
    monkeypatch.setattr("docs.contract.STORED", stored)
    assert write() == 1
    assert "ticket.called.data.desk: the field is gone" in capsys.readouterr().err
    assert {path: path.read_text() for path in before} == before
