"""drivers/README.md is true: its driver passes the suites that every driver has to pass, against the far side that it shows."""

import importlib.util
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kiosd_drivers
from contract import test_driver_contract, test_port_contract
from docs.tables import DRIVERS_README, renewed
from kiosd import registry
from kiosd.ports import CallDisplay
from support.driverbench import every_driver, of_port
from support.fardevices import Build

TEXT = DRIVERS_README.read_text()
NAME = "line_board"
DRIVER, FAR_SIDE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CONFIG, PACKAGE = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def suite(module: ModuleType, driven_by: pytest.MarkDecorator) -> list[Callable[..., Any]]:
    """The tests of a module that are run for the drivers of ``driven_by``."""
    return [test for key, test in vars(module).items() if key.startswith("test_") and driven_by.mark in getattr(test, "pytestmark", [])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of drivers beside our own that holds the page's driver."""
    directory = tmp_path_factory.mktemp("drivers")
    (directory / f"{NAME}.py").write_text(DRIVER)
    (directory / "far_side.py").write_text(FAR_SIDE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kiosd_drivers, "__path__", [*kiosd_drivers.__path__, str(directory)])
        registry.names.cache_clear()
        yield directory
    registry.names.cache_clear()


@pytest.fixture(scope="module")
def far_side(folder: Path) -> Build:
    spec = importlib.util.spec_from_file_location("far_side", folder / "far_side.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build: Build = module.line_board
    return build


@pytest.mark.parametrize("test", suite(test_driver_contract, every_driver), ids=lambda test: test.__name__)
async def test_the_pages_driver_is_a_driver(test: Callable[..., Any], far_side: Build, tmp_path: Path) -> None:
    await test(NAME, far_side, tmp_path)


@pytest.mark.parametrize("test", suite(test_port_contract, of_port(CallDisplay)), ids=lambda test: test.__name__)
async def test_the_pages_driver_is_a_call_display(test: Callable[..., Any], far_side: Build, tmp_path: Path) -> None:
    await test(NAME, far_side, tmp_path)


def test_the_suites_were_found() -> None:
    assert len(suite(test_driver_contract, every_driver)) >= 7 and len(suite(test_port_contract, of_port(CallDisplay))) >= 2


@pytest.mark.usefixtures("folder")
def test_the_registry_finds_it_and_takes_the_pages_configuration() -> None:
    assert NAME in registry.names()
    device = tomllib.loads(CONFIG)["devices"]["board"]
    driver = registry.find(device.pop("driver"))
    assert driver.port is CallDisplay
    driver.config.model_validate(device)
    with pytest.raises(ValueError, match="does not appear to be"):
        driver.config.model_validate({**device, "address": "board.local"})


def test_the_entry_point_is_the_one_that_is_looked_for() -> None:
    assert list(tomllib.loads(PACKAGE)["project"]["entry-points"]) == [registry.GROUP]


def test_the_table_of_ports_is_the_codes() -> None:
    assert renewed(TEXT) == TEXT, "run: python tests/docs/tables.py"


def test_the_page_names_files_that_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (DRIVERS_README.parent / target).exists(), target
