"""The directory that a scenario leaves: what is in it, and that nothing is ever deleted that no scenario made."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kiosd import __version__
from kiosd.config import Settings, document, load
from kiosd.errors import ConfigError
from kiosd.journal.journal import FILE
from kiosd.journal.place import LOCK

MARKER = "scenario.json"
CONFIG = "kiosd.toml"
ABOUT = "Made up by `kiosd scenario`: nothing in this directory happened. `kiosd scenario --again` may replace it."
DAEMON = (FILE, f"{FILE}-wal", f"{FILE}-shm", "scan.key", "control.sock")
"""What a scenario or a daemon that was started on it makes here."""
SECTION = re.compile(r"\s*\[")
UPLINK = re.compile(r"\s*\[\[?\s*[\"']?mqtt[\"']?\s*[.\]]")
OFF = "# Switched off by kiosd scenario: an uplink would publish made-up events as this site's own. Never with the site's real broker."


@dataclass(frozen=True, slots=True)
class Copies:
    """The configuration and its calendars, by their names in the directory."""

    files: dict[str, bytes]

    def write(self, state: Path) -> None:
        """Write them into ``state``, over nothing that is there."""
        for name, content in self.files.items():
            path = state / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                raise ConfigError(f"{path} is there already and was not made by a scenario") from None


def copies(config: Path) -> Copies:
    """What to copy of a configuration; ``ConfigError`` for whatever is wrong with it."""
    settings = load(config)
    text = without_uplinks(document.read(config).decode("utf-8-sig"), config)
    files = {CONFIG: with_files_in_place(text, config, settings).encode()}
    for name in settings.hours.calendars:
        path = PurePosixPath(name)
        if path.is_absolute():
            continue  # the copy finds it where it is
        if ".." in path.parts or str(path) in {CONFIG, MARKER, LOCK, *DAEMON}:
            raise ConfigError(f"{config}: [hours] calendars: {name} cannot be copied; put it into a folder beside the configuration")
        files[str(path)] = document.read(config.parent / name)
    return Copies(files)


def without_uplinks(text: str, config: Path) -> str:
    """A configuration with its ``[mqtt...]`` sections as remarks; ``ConfigError`` when they are written in a way that hides them."""
    lines, inside = [], False
    for line in text.split("\n"):
        if SECTION.match(line):
            begins = bool(UPLINK.match(line))
            lines += [OFF] if begins and not inside else []
            inside = begins
        lines.append(f"# {line}" if inside and line.strip() and not line.lstrip().startswith("#") else line)
    wanted = {name: table for name, table in tomllib.loads(text).items() if name != "mqtt"}
    changed = "\n".join(lines)
    if _says(changed, wanted):
        return changed
    raise ConfigError(f"{config}: write uplinks as sections of their own, [mqtt.central], so that the copy can be without them")


def with_files_in_place(text: str, config: Path, settings: Settings) -> str:
    """A configuration whose devices' own files (a logo, clips) are named by whole paths, for the copy stands in another folder;
    ``ConfigError`` when they are written in a way that hides them. ``settings`` is what ``config`` says."""
    wanted = tomllib.loads(text)
    for name, section in wanted.get("devices", {}).items():
        for key, path in _files_beside(section, settings.devices[name].config, config.parent.absolute()).items():
            given = re.compile(rf"(?<![\w-]){re.escape(key)}\s*=\s*([\"']){re.escape(section[key])}\1")
            whole = f"{key} = {json.dumps(path, ensure_ascii=False)}"
            text = given.sub(whole.replace("\\", r"\\"), text)
            section[key] = path
    if _says(text, wanted):
        return text
    raise ConfigError(f'{config}: write the names of devices\' files plainly, logo = "logo.png", so that the copy can have whole paths')


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _files_beside(section: dict[str, Any], config: object, folder: Path) -> dict[str, str]:
    """Settings of a device that are files beside the configuration, with their whole paths: its driver has been given them as these."""
    relative = {key: str(folder / value) for key, value in section.items() if isinstance(value, str)}
    return {key: path for key, path in relative.items() if path != section[key] and getattr(config, key, None) == path}


def check_free(state: Path, again: bool) -> None:
    """``ConfigError`` unless ``state`` is new or empty, or ``again`` and it was made by a scenario."""
    if not state.exists():
        return
    if not state.is_dir():
        raise ConfigError(f"{state} is not a directory")
    inside = {path.name for path in state.iterdir()} - {LOCK}
    if inside and MARKER not in inside:
        raise ConfigError(f"{state} is not empty and was not made by a scenario; nothing in it is touched. Name another one with --state")
    if inside and not again:
        raise ConfigError(f"{state} is from an earlier scenario; --again replaces it")


def clear(state: Path) -> None:
    """Delete what an earlier scenario made. Whatever else is there stays. The caller holds the directory's lock."""
    for name in (*_marked(state), *DAEMON, MARKER):
        (state / name).unlink(missing_ok=True)


def _marked(state: Path) -> list[str]:
    """The files that the marker names, if they are inside."""
    try:
        names = json.loads((state / MARKER).read_bytes())["files"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{state / MARKER} cannot be read; delete the directory yourself") from None
    root = state.resolve()
    inside = [name for name in names if isinstance(name, str) and (state / name).parent.resolve().is_relative_to(root)]
    return [name for name in inside if not (state / name).is_dir()]


def mark(state: Path, scenario: str, made: Copies) -> None:
    """Say in the directory what it is: the first file of all, so that a scenario that was interrupted can be replaced too."""
    facts = {"scenario": scenario, "about": ABOUT, "kiosd": __version__, "files": sorted(made.files)}
    (state / MARKER).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
