"""Find a driver by the name in the configuration: the one place that knows where drivers live."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from kiosd.errors import ConfigError
from kiosd.ports import Driver

PACKAGE = "kiosd_drivers"
GROUP = "kiosd.drivers"  # entry-point group for drivers in packages of their own


@cache
def names() -> tuple[str, ...]:
    """Every driver name that a configuration may use, sorted."""
    package = import_module(PACKAGE)
    own = {module.name for module in iter_modules(package.__path__) if not module.name.startswith("_")}
    return tuple(sorted(own | {entry.name for entry in entry_points(group=GROUP)}))


def find(name: str) -> Driver[Any, Any]:
    """The driver called ``name``; ``ConfigError`` when there is none."""
    if name.isidentifier() and not name.startswith("_"):
        if find_spec(f"{PACKAGE}.{name}") is not None:
            driver: Driver[Any, Any] = import_module(f"{PACKAGE}.{name}").DRIVER
            return driver
        for entry in entry_points(group=GROUP, name=name):
            outside: Driver[Any, Any] = entry.load()
            return outside
    raise ConfigError(f"no driver called {name!r}; there are: {', '.join(names())}")
