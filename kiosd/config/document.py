"""The TOML file as a document: bytes to tables, with everything refused that no configuration needs and that could harm."""

import re
import tomllib
from pathlib import Path
from typing import Any

from kiosd.config.problems import Loc, Problems, printable
from kiosd.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_LINE = 1000  # characters; the time tomllib takes grows with the square of a dotted key's length
MAX_DEPTH = 8  # tables and lists in each other; a configuration needs four
PLACE = re.compile(r"^(?P<what>.*) \(at (?P<place>.*)\)$", re.DOTALL)
"""How tomllib ends its messages: ``(at line 3, column 5)`` or ``(at end of document)``."""


def read(path: Path) -> bytes:
    """The bytes of ``path``; ``ConfigError`` when it is no readable file of at most ``MAX_BYTES``."""
    name = printable(str(path))
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ConfigError(f"{name}: is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{name}: cannot be read: {exc.strerror}") from exc
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: is longer than {MAX_BYTES // 1024} KiB")
    return content


def parse(path: Path, content: bytes) -> dict[str, Any]:
    """The tables in ``content``; ``ConfigError`` with the line when it is not UTF-8 or not TOML."""
    name = printable(str(path))
    try:
        text = content.decode("utf-8-sig")  # some editors put a byte-order mark in front
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{name}: line {line}: byte 0x{content[exc.start]:02x} is not UTF-8; save the file as UTF-8") from exc
    for number, line_text in enumerate(text.split("\n"), 1):
        if len(line_text) > MAX_LINE:
            raise ConfigError(f"{name}: line {number}: is longer than {MAX_LINE} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        match = PLACE.match(str(exc))
        where = f"{match['place']}: {match['what']}" if match else str(exc)
        raise ConfigError(f"{name}: {printable(where)}") from exc
    except RecursionError as exc:
        raise ConfigError(f"{name}: lists or tables are nested too deep") from exc


def check_text(document: dict[str, Any], problems: Problems) -> None:
    """Refuse control characters anywhere, in keys too, for text goes on to printers and boards; and tables nested too deep."""
    todo: list[tuple[Loc, object]] = [((key,), value) for key, value in document.items()]
    while todo:
        loc, value = todo.pop()
        if any(isinstance(part, str) and not part.isprintable() for part in loc[-1:]):
            problems.add(loc, "the key holds control characters")
        elif isinstance(value, str) and not value.isprintable():
            problems.add(loc, f"found '{printable(value)[:60]}'; text may not contain control characters")
        elif isinstance(value, dict | list) and len(loc) >= MAX_DEPTH:
            problems.add(loc, "lists or tables are nested too deep")
        elif isinstance(value, dict):
            todo += [((*loc, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [((*loc, index), inner) for index, inner in enumerate(value)]
