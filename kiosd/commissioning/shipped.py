"""The files that belong on a board (unit, rules, user), as this version has them."""

import sys
from pathlib import Path

FOLDERS = (Path(__file__).parents[2] / "systemd", Path(sys.prefix, "share/kiosd/systemd"))
"""Where they are: in a checkout, or where pip puts them."""


def shipped(name: str) -> Path:
    """Where ``name`` is; its place in a checkout where kiosd came without it."""
    return next((path for folder in FOLDERS if (path := folder / name).is_file()), FOLDERS[0] / name)
