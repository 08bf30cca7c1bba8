"""A small right configuration, and what ``load`` says of it once it is spoilt."""

from pathlib import Path

import pytest

from kiosd.config import load
from kiosd.errors import ConfigError

SMALL = """
[site]
id = "CTH04"
name = "KIOS"
type = 4

[services.F]
name = "Jaminan Sosial Tenaga Kerja"
short = "Jamsos Naker"

[counters.1]
services = ["F"]
keys = "keys"
rating = "rating"
scanner = "scanner"
display = "desk"

[ticket_machine]
buttons = "tickets"
printer = "printer"

[call_board]
displays = ["board"]

[devices.tickets]
driver = "gpio_buttons"
buttons = { F = 4 }

[devices.keys]
driver = "gpio_buttons"
buttons = { advance = 5, repeat = 6 }

[devices.rating]
driver = "gpio_buttons"
buttons = { 4 = 7, 3 = 8, 2 = 9, 1 = 10 }

[devices.scanner]
driver = "serial_scanner"
port = "/dev/scanner"

[devices.printer]
driver = "escpos_printer"
port = "tcp:127.0.0.1:9100"

[devices.board]
driver = "serial_display"
port = "/dev/board"
protocol = "cd5220"

[devices.desk]
driver = "serial_display"
port = "/dev/desk"
protocol = "cd5220"

[mqtt.central]
host = "127.0.0.1"
"""


def errors(path: Path, content: str | bytes) -> list[str]:
    """The lines of the ``ConfigError`` for ``content``, without the file's name, which each must begin with."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_status == 78
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}: ") and line.isprintable() for line in lines)
    assert not any(word in str(caught.value) for word in ("pydantic", "http", "Settings", "Input should"))
    return [line.removeprefix(f"{path}: ") for line in lines]


def changed(*replacements: tuple[str, str]) -> str:
    """The small configuration with pieces of its text replaced; each must be there."""
    text = SMALL
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    return text
