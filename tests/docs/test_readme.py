"""README tells the truth: its tables are the code's, its links exist, its commands are real."""

import re
from pathlib import Path

import pytest

from docs.tables import DRIVERS_README, MARK, README, TABLES, renewed
from kiosd.cli import VERBS
from kiosd.config import load

ROOT = README.parent
TEXT = README.read_text()


def test_tables_are_the_codes_tables() -> None:
    assert renewed(TEXT) == TEXT, "run: python tests/docs/tables.py"


def test_every_table_is_shown() -> None:
    assert sorted(found[2] for found in MARK.finditer(TEXT + DRIVERS_README.read_text())) == sorted(TABLES)


def test_links_lead_somewhere() -> None:
    for page in (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (README, ROOT / "CONTRIBUTING.md"):
        assert set(re.findall(r"`?\bmake ([a-z-]+)", page.read_text())) <= targets


def test_kiosd_commands_that_are_named_exist() -> None:
    known = {verb.name for verb in VERBS} | {"sim"}
    named = set(re.findall(r"bin/kiosd ([a-z-]+)", TEXT))
    assert named and named <= known


@pytest.mark.parametrize("name", ["tipe-1", "tipe-2", "tipe-3", "tipe-4"])
def test_the_example_topics_fit_the_presets(name: str) -> None:
    settings = load(ROOT / "config" / f"{name}.toml")
    assert settings.site.type == int(name[-1])
    assert "kiosd/1/cth01/hub/cmd/next" in TEXT


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert "/home/" not in page.read_text()
    assert Path(ROOT / "LICENSE").read_text().startswith("MIT")
