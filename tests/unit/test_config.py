"""A configuration file gives ``Settings`` or one ``ConfigError`` with a line for everything that is wrong with it."""

import copy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosd.config import Settings, load
from kiosd.config.checks import KEY_FUNCTIONS, LAMPS, RATING_BUTTONS
from kiosd.config.document import MAX_BYTES
from kiosd.errors import ConfigError
from kiosd.registry import names
from kiosd.stations import counter, rating_panel, ticket_machine
from kiosd.stations.counter import KEYS
from support.small_config import SMALL, changed, errors

PRESETS = Path(__file__).parents[2] / "config"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "kiosd.toml"


def test_small_configuration(toml: Path) -> None:
    toml.write_text(SMALL)
    result = load(toml)
    assert result.site.timezone == "Asia/Jakarta" and result.node.id == "hub" and result.log.level == "info"
    assert result.counters[1].services == ("F",) and result.counters[1].keys == "keys"
    assert result.queue.counters[1].order == "oldest" and result.queue.services["F"].short == "Jamsos Naker"
    assert result.devices["printer"].driver == "escpos_printer"
    assert result.mqtt["central"].host == "127.0.0.1"
    assert len(result.hash) == 12 and int(result.hash, 16)


def test_hash_is_of_the_bytes(toml: Path) -> None:
    toml.write_text(SMALL)
    first = load(str(toml)).hash
    toml.write_text(SMALL + "\n# changed\n")
    assert load(toml).hash != first


def test_a_kiosk_needs_no_devices_and_no_broker(toml: Path) -> None:
    toml.write_text(SMALL.split("keys =", maxsplit=1)[0])
    result = load(toml)
    assert (result.ticket_machine, result.call_board, result.devices, result.mqtt) == (None, None, {}, {})


def test_byte_order_mark_and_dos_lines_are_accepted(toml: Path) -> None:
    toml.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(toml).site.id == "CTH04"


def test_every_mistake_at_once(toml: Path) -> None:
    lines = errors(
        toml,
        changed(
            ('"CTH04"', '"x"'),
            ('short = "Jamsos Naker"', ""),
            ('scanner = "scanner"', 'scanner = "board"'),
            ("F = 4", "F = 4, Q = 12"),
            ('protocol = "cd5220"', 'protocol = "morse"'),
            ('host = "127.0.0.1"', "host = 1"),
        ),
    )
    beginnings = [
        "[site] id: found 'x'",
        "[services.F] short: missing",
        "[counters.1] scanner: found 'board'; ",
        "[devices.tickets] buttons.Q: unknown name",
        "[devices.board] protocol: found 'morse'",
        "[mqtt.central] host: found 1",
    ]
    for beginning in beginnings:
        assert any(line.startswith(beginning.rstrip("; ")) for line in lines), (beginning, lines)


def test_an_unknown_key_is_told_without_its_value(toml: Path) -> None:
    lines = errors(toml, changed(('host = "127.0.0.1"', 'host = "127.0.0.1"\npassword = "rahasia"')))
    assert lines[0].startswith("[mqtt.central] password: unknown key; did you mean 'password_file'?")
    assert "rahasia" not in lines[0]


FILES: dict[str, tuple[bytes, str]] = {
    "syntax": (b'[site]\nid = "x\n', "line 2, column 8: "),
    "end": (b"[site", "end of document: "),
    "section twice": (b"[site]\n[site]\n", "line 2, column 6: "),
    "not UTF-8": (b"[site]\nid = '\xff'\n", "line 2: byte 0xff is not UTF-8; save the file as UTF-8"),
    "too large": (b"# \n" * (MAX_BYTES // 3 + 1), "is longer than 256 KiB"),
    "long line": (b"a" * 1001 + b" = 1\n", "line 1: is longer than 1000 characters"),
    "nested lists": (b"a = [\n" + b"[\n" * 100_000, "lists or tables are nested too deep"),
    "huge number": (b"a = " + b"9" * 5000, "line 1: is longer than 1000 characters"),
    "raw control character": (b"[site]\nid = '\x1b'\n", "line 2, column 7: "),
    "empty": (b"", "[site] id: missing; this key must be given"),
}


@pytest.mark.parametrize("case", FILES)
def test_file_that_is_no_configuration(toml: Path, case: str) -> None:
    content, expected = FILES[case]
    assert errors(toml, content)[0].startswith(expected)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not a regular file"):
        load(tmp_path)


def test_loading_imports_no_hardware_library() -> None:
    program = (
        "import sys; from kiosd.config import load; load(sys.argv[1]);"
        "sys.exit(' '.join({'gpiozero', 'lgpio', 'serial', 'escpos', 'evdev', 'paho', 'sqlite3'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(PRESETS / "tipe-1.toml")], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_names_of_buttons_and_lamps_are_those_that_the_stations_know() -> None:
    assert set(KEY_FUNCTIONS) == set(KEYS)
    assert set(RATING_BUTTONS) == set(rating_panel.SCORES)
    assert LAMPS == {"ticket": (ticket_machine.LAMP, ticket_machine.PAPER_LAMP), "rating": (rating_panel.LAMP,), "keys": (counter.LAMP,)}


def test_driver_that_cannot_be_loaded(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Any:
        raise ImportError(f"no module for {name}")

    monkeypatch.setattr("kiosd.registry.find", find)
    assert errors(toml, SMALL)[0] == (
        "[devices.tickets] driver: found 'gpio_buttons'; this driver cannot be loaded: no module for gpio_buttons"
    )


# ---- random mutations of the presets --------------------------------------------------------------------------------------------------

Table = dict[str, Any]
DOCUMENTS = [tomllib.loads(path.read_text()) for path in sorted(PRESETS.glob("tipe-*.toml"))]


def _places(table: Table) -> list[tuple[Table, str]]:
    """Every key of the document with the table it is in."""
    return [(table, key) for key in table] + [place for inner in table.values() if isinstance(inner, dict) for place in _places(inner)]


NUMBERS = [0, -1, 7, 2**80, 1.5, float("nan"), float("inf"), True]
TEXTS = ["", "A", "x" * 300, "\x1b@", "keys_1", "board", "tcp:1.2.3.4:9100", *names()]
TABLES: list[Any] = [[], {}, ["A"], [[]], {"a": 1}, [{"a": 1}], {"": ""}]
VALUES = [*NUMBERS, *TEXTS, *TABLES, *(table[key] for table, key in _places(DOCUMENTS[0]))]
NEW_KEYS = ["", "x", "A", "1", "port", "driver", "buttons", "F_priority", "\x07", "a.b", "[key]", "0"]


def _delete(table: Table, key: str, data: st.DataObject) -> None:
    del table[key]


def _rename(table: Table, key: str, data: st.DataObject) -> None:
    table[data.draw(st.sampled_from(NEW_KEYS) | st.text(max_size=5))] = table.pop(key)


def _replace(table: Table, key: str, data: st.DataObject) -> None:
    table[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))


CHANGES: list[Callable[[Table, str, st.DataObject], None]] = [_delete, _rename, _replace]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_spoilt_preset_gives_settings_or_one_config_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        if places := _places(document):
            table, key = places[data.draw(st.integers(0, len(places) - 1))]
            data.draw(st.sampled_from(CHANGES))(table, key, data)
    path = tmp_path_factory.mktemp("mutant") / "kiosd.toml"
    (path.parent / "calendar").symlink_to(PRESETS / "calendar")
    path.write_text(tomli_w.dumps(document))
    assert all(line.isprintable() and line.startswith(str(path)) for line in _lines(path))


def _lines(path: Path) -> list[str]:
    """The error's lines, none for a file that loads."""
    try:
        return [] if isinstance(load(path), Settings) else ["no settings"]
    except ConfigError as exc:
        return str(exc).split("\n")
