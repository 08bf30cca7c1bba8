"""Each driver has a page for whoever installs its hardware, and an example that works."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from docs.drivers import MARK, page, renewed
from kiosd.registry import find, names

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "config" / "devices"


@pytest.mark.parametrize("name", names())
def test_a_driver_has_a_page_whose_table_is_its_configuration(name: str) -> None:
    text = page(name).read_text()
    assert text.startswith("# ") and len(MARK.findall(text)) == 1
    assert renewed(name, text) == text, "run: python tests/docs/drivers.py"


@pytest.mark.parametrize("name", names())
def test_every_setting_says_what_it_is(name: str) -> None:
    bare = [key for key, field in find(name).config.model_fields.items() if not field.description]
    assert bare == []


def documents(name: str) -> list[str]:
    """What shows how the driver is configured: the example, what stands in its docstring, and what its page shows."""
    doc = __import__(f"kiosd_drivers.{name}", fromlist=["DRIVER"]).__doc__ or ""
    written = re.search(r"^\[devices\..*?(?=\n\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    shown = [block for block in re.findall(r"```toml\n(.*?)```", page(name).read_text(), re.DOTALL) if f'"{name}"' in block]
    return [(EXAMPLES / f"{name}.toml").read_text(), *([written[0]] if written else []), *shown]


def devices(text: str) -> list[dict[str, Any]]:
    """The ``[devices.NAME]`` tables of a document."""
    return list(tomllib.loads(text).get("devices", {}).values())


@pytest.mark.parametrize("name", names())
def test_what_is_shown_of_its_configuration_is_taken(name: str) -> None:
    shown = [device for text in documents(name) for device in devices(text) if device["driver"] == name]
    assert shown
    for device in shown:
        find(name).config.model_validate({key: value for key, value in device.items() if key != "driver"})


def test_there_is_no_page_and_no_example_of_a_driver_that_is_gone() -> None:
    known = set(names())
    assert {path.stem for path in page("x").parent.glob("*.md")} <= known
    assert {path.stem for path in EXAMPLES.glob("*.toml")} <= known
