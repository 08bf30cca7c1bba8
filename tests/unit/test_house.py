"""The house keeps its shape: imports point one way (architecture; CONTRIBUTING tells why)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS: tuple[tuple[str, ...], ...] = (
    ("kiosd.errors", "kiosd.redact", "kiosd"),
    ("kiosd.clock", "kiosd.ports", "kiosd.threads", "kiosd.notify", "kiosd.logs", "kiosd.findings"),
    (
        "kiosd.queue.model", "kiosd.queue.commands", "kiosd.queue.events", "kiosd.queue.settings", "kiosd.queue.fields",
        "kiosd.queue.texts", "kiosd.queue.words", "kiosd.queue.calendar", "kiosd.queue.hours", "kiosd.queue.survey", "kiosd.queue.book",
        "kiosd.queue.fold", "kiosd.queue.asked", "kiosd.queue.lines", "kiosd.queue.day", "kiosd.queue.ratings", "kiosd.queue.estimate",
        "kiosd.queue.rules", "kiosd.queue.issuing", "kiosd.queue.serving", "kiosd.queue.feedback", "kiosd.queue.site",
        "kiosd.queue.explain", "kiosd.queue.interface", "kiosd.queue.views", "kiosd.queue.wire", "kiosd.queue",
    ),
    (
        "kiosd.journal", "kiosd.links", "kiosd.supervisor", "kiosd.hotplug", "kiosd.mqtt.settings", "kiosd.mqtt", "kiosd.registry",
        "kiosd.config", "kiosd.enrolment",
    ),
    ("kiosd.queue.local", "kiosd.queue.remote", "kiosd.queue.server", "kiosd.queue.following", "kiosd.queue.steady", "kiosd.queue.spooled"),
    ("kiosd.stations", "kiosd.mqtt.*", "kiosd.mqtt.tools.*", "kiosd.reports", "kiosd.reports.*"),
    (
        "kiosd.daemon", "kiosd.satellite", "kiosd.running", "kiosd.scenario", "kiosd.fleet", "kiosd.fleet.*", "kiosd.commissioning",
        "kiosd.commissioning.*",
    ),
    (
        "kiosd.cli", "kiosd.verbs", "kiosd.console", "kiosd.reports.console", "kiosd.reports.erase_console", "kiosd.mqtt.tools.console",
        "kiosd.fleet.console", "kiosd.commissioning.console", "kiosd.enroll", "kiosd.tables", "kiosd.__main__",
    ),
)  # fmt: skip
"""Lowest first: a file may import its own level and those above it in this list."""

ONLY = {
    "sqlite3": {"kiosd/journal/journal.py", "kiosd/journal/past.py", "kiosd/journal/reader.py", "kiosd/journal/spool.py"},
    "paho": {"kiosd/links/mqtt.py", "kiosd/links/direct.py", "kiosd/links/packets.py"},
    "threading": {"kiosd/threads.py"},
    "argparse": {
        "kiosd/cli.py",
        "kiosd/console.py",
        "kiosd/reports/console.py",
        "kiosd/reports/erase_console.py",
        "kiosd/mqtt/tools/console.py",
        "kiosd/enroll.py",
        "kiosd/fleet/console.py",
        "kiosd/commissioning/console.py",
    },
}
"""Libraries that one file owns."""
LATE = {
    "gpiozero", "lgpio", "evdev", "escpos", "serial", "minimalmodbus", "luma",
    "pyudev", "PIL", "tabulate", "tqdm", "reportlab", "jinja2", "markupsafe",
}  # fmt: skip
"""Hardware and heavy libraries: imported where they are used, never when a module is imported."""
DRIVERS_MAY = {"kiosd.ports", "kiosd.errors", "kiosd.threads"}


def level(module: str) -> int:
    """How high ``module`` lives; the most exact name of the table wins."""
    for name in (module, module.rpartition(".")[0] + ".*", module.rpartition(".")[0], module.split(".", maxsplit=1)[0]):
        for height, names in enumerate(LEVELS):
            if name in names:
                return height
    raise AssertionError(f"{module} has no place in the house: give it one in LEVELS")


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "drivers":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, top_only: bool = False) -> set[str]:
    """Full names of what ``path`` imports; submodules of ``kiosd`` are resolved."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = ROOT / Path(*node.module.split("."))
            subs = {alias.name for alias in node.names if (inside / f"{alias.name}.py").exists()}
            found |= {f"{node.module}.{name}" for name in subs} or {node.module}
    return found


@pytest.mark.parametrize("path", files("kiosd"), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    mine = level(module_of(path))
    for name in imports(path):
        if name.split(".")[0] == "kiosd" and name != "kiosd":
            assert level(name) <= mine, f"{module_of(path)} may not import {name}"
        assert name.split(".")[0] not in {"kiosd_drivers", "kiosd_sim"}, "drivers are found by name, through the registry"


@pytest.mark.parametrize("path", files("drivers/kiosd_drivers", "drivers/kiosd_sim"), ids=lambda path: str(path.relative_to(ROOT)))
def test_drivers_see_only_ports_errors_and_threads(path: Path) -> None:
    for name in imports(path):
        if name.split(".")[0] == "kiosd":
            assert name in DRIVERS_MAY, f"{module_of(path)} may not import {name}"
        assert not (name.startswith("kiosd_sim") and "kiosd_drivers" in path.parts), "a driver does not know the simulation"


@pytest.mark.parametrize("path", files("kiosd", "drivers"), ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_in_their_files_and_hardware_is_imported_late(path: Path) -> None:
    here = str(path.relative_to(ROOT))
    tops = {name.split(".")[0] for name in imports(path, top_only=True)}
    if "kiosd_sim" not in path.parts:
        assert not tops & LATE, f"{here} imports {tops & LATE} when it is imported"
    for library in {name.split(".")[0] for name in imports(path)} & ONLY.keys():
        assert here in ONLY[library] or "kiosd_sim" in path.parts, f"{library} belongs to {ONLY[library]}"


def test_the_table_can_fail() -> None:
    """The check has teeth: an import that points up is higher than its importer."""
    assert level("kiosd.daemon") > level("kiosd.stations.counter") > level("kiosd.queue.local") > level("kiosd.queue.rules")
    with pytest.raises(AssertionError, match="no place"):
        level("elsewhere.thing")
