"""The pages about the contract tell the truth: their tables, examples, links, and every name in the mappings to other models."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.contract import CODES, DOCS, PAGE, PARTS, TABLES, wrong
from docs.tables import MARK
from kiosd.mqtt import schemas
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.events import EVENTS
from kiosd.queue.settings import RuleSettings
from kiosd.queue.texts import TEXTS

ROOT = DOCS.parent
Schema = dict[str, Any]


def test_every_table_is_shown() -> None:
    assert sorted(found[2] for found in MARK.finditer(PAGE.read_text())) == sorted(TABLES)


def json_blocks(page: Path) -> Iterator[Any]:
    for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
        yield json.loads(block)


def test_the_examples_of_the_page_are_right() -> None:
    event, replayed, request, answer = json_blocks(PAGE)
    assert wrong(event, "events.json") == []
    assert wrong(replayed, "reply.json") == []
    assert wrong(request, "commands.json", "cmd.call") == []
    assert wrong(answer, "reply.json") == []
    assert answer["reason"] in TEXTS


def test_every_reason_for_a_refusal_is_told() -> None:
    """Those that ``Reject`` is raised with anywhere in kiosd/mqtt, and a replay with; the queue's own stand in ``TEXTS``."""
    said = set()
    for path in (ROOT / "kiosd" / "mqtt").rglob("*.py"):
        names = {"Reject", "Refused"} if path.name == "replay.py" else {"Reject"}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                said |= {part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    assert said - TEXTS.keys() == CODES.keys() - TEXTS.keys()
    assert TEXTS.keys() >= PARTS


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_example_consumer_is_short_and_needs_nothing_but_paho() -> None:
    text = (DOCS / "examples" / "consumer.py").read_text()
    assert len(text.splitlines()) < 80
    used = {alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names}
    used |= {node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in used} - set(sys.stdlib_module_names) == {"paho"}


def test_the_file_that_writes_the_contract_can_be_run() -> None:
    script = str(ROOT / "tests" / "docs" / "contract.py")
    words = [sys.executable, "-c", f"import runpy; print(runpy.run_path({script!r})['write'].__name__)"]
    assert subprocess.run(words, cwd="/", capture_output=True, text=True, check=True).stdout == "write\n"


def ours(page: Path) -> Iterator[str]:
    """The names of kiosd's side in the tables of a page of mappings."""
    for line in page.read_text().splitlines():
        cells = line.split(" | ")
        if line.startswith("| ") and len(cells) == 3:
            yield from re.findall(r"`([a-z_.\[\]]+)`", cells[1])


def reach(schema: Schema, path: list[str], definitions: Schema) -> Schema:
    """The schema of a field, by its path; ``KeyError`` when there is none."""
    if "$ref" in schema:
        return reach(definitions[schema["$ref"].rpartition("/")[2]], path, definitions)
    if not path:
        return schema
    name, listed = path[0].removesuffix("[]"), path[0].endswith("[]")
    found = schema["properties"][name]
    return reach(found["items"] if listed else found, path[1:], definitions)


def test_every_name_of_ours_in_the_mappings_exists() -> None:
    definitions = schemas.definitions()
    names = list(ours(DOCS / "integration.md"))
    assert len(names) > 30
    for name in names:
        head = ".".join(name.split(".")[:2]) if ".".join(name.split(".")[:2]) in EVENTS else name.partition(".")[0]
        known = {"envelope": "Envelope"}.get(head, head)
        assert reach(definitions[known], name.removeprefix(head).strip(".").split("."), definitions)


def test_a_name_in_the_mappings_that_does_not_exist_is_found() -> None:
    with pytest.raises(KeyError):
        reach(schemas.definitions()["queue"], ["services[]", "length"], schemas.definitions())


def test_events_and_settings_that_the_pages_name_exist() -> None:
    named = set(re.findall(r"`((?:ticket|counter|rating|scan|device|system)\.[a-z_]+)`", (DOCS / "integration.md").read_text()))
    assert named <= EVENTS.keys()
    rules = set(RuleSettings.model_fields)
    assert set(re.findall(r"`(undo_\w+_s)`", (DOCS / "integration.md").read_text())) <= rules
    options = set(re.findall(r"`([a-z_]+) = ", PAGE.read_text()))
    assert options
    assert options <= MqttSettings.model_fields.keys()
