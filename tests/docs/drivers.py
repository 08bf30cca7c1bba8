"""The tables of settings in docs/drivers, made from the drivers' own ``Config``. ``python tests/docs/drivers.py`` writes them."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for whoever runs this file; pytest has it already

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.tables import table
from kiosd.registry import find, names

DOCS = Path(__file__).parents[2] / "docs" / "drivers"
MARK = re.compile(r"(<!-- settings -->\n)(.*?)(<!-- /settings -->)", re.DOTALL)
LIMITS = {
    "exclusiveMinimum": "> {}",
    "minimum": ">= {}",
    "exclusiveMaximum": "< {}",
    "maximum": "<= {}",
    "maxLength": "at most {} characters",
}
Schema = dict[str, Any]


def page(name: str) -> Path:
    return DOCS / f"{name}.md"


def settings(name: str) -> str:
    """The table of what ``[devices.NAME]`` with this driver may say."""
    config = find(name).config
    return table(("setting", "value", "default", "what"), _rows(config))


def _rows(config: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    schema = config.model_json_schema()
    for key, field in config.model_fields.items():
        yield f"`{field.alias or key}`", _value(schema["properties"][field.alias or key], schema), _default(field), field.description or ""


def _value(schema: Schema, whole: Schema) -> str:
    """What may be written, in a few words."""
    if "$ref" in schema:
        return _value(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return " or ".join(_value(one, whole) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{one!r}`".replace("'", '"') for one in schema["enum"])
    if "const" in schema:
        return f'`"{schema["const"]}"`'
    words = {"integer": "whole number", "number": "number", "boolean": "true, false", "string": "text", "array": "list", "object": "table"}
    limits = [limit.format(f"{schema[key]:g}") for key, limit in LIMITS.items() if key in schema]
    return ", ".join([words[schema["type"]], *limits])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "-"
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True)
    return f"`{value!r}`".replace("'", '"').replace("True", "true").replace("False", "false")


def renewed(name: str, text: str) -> str:
    """``text``, the page of a driver, with its table made anew."""
    return MARK.sub(lambda found: f"{found[1]}{settings(name)}\n{found[3]}", text)


if __name__ == "__main__":
    for name in names():
        page(name).write_text(renewed(name, page(name).read_text()))
