"""A satellite's configuration, and what a hub's says of its satellites: right ones, and each kind of mistake."""

from pathlib import Path

import pytest

from kiosd.config import SatelliteSettings, Settings, load, load_any
from kiosd.errors import ConfigError
from kiosd.reports.job import device_roles
from support.small_config import SMALL, changed

CONFIG = Path(__file__).parents[2] / "config"
LOKET = (CONFIG / "satellite-loket.toml").read_text()
PAPAN = (CONFIG / "satellite-papan.toml").read_text()
HUB = SMALL + '[mqtt.site]\nhost = "127.0.0.1"\nport = 8884\n[satellites.loket-1]\ncounters = [1]\n[satellites.papan]\n'


def spoilt(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def lines(path: Path, content: str) -> list[str]:
    """The lines of the ``ConfigError`` for ``content``, without the file's name."""
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_any(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).split("\n")]


def test_the_ready_ones() -> None:
    desk, board = load_any(CONFIG / "satellite-loket.toml"), load_any(CONFIG / "satellite-papan.toml")
    assert isinstance(desk, SatelliteSettings) and isinstance(board, SatelliteSettings)
    assert (desk.node.id, desk.node.hub, desk.site.id, desk.site.language) == ("loket-1", "hub", "CTH01", "id")
    assert desk.counters[1].model_dump() == {"keys": "keys", "scanner": "scanner", "rating": "rating", "display": "display"}
    assert (board.counters, board.call_board and board.call_board.displays) == ({}, ("board",))
    assert desk.broker.tls and desk.broker.username == desk.node.id and desk.hash != board.hash
    assert max(map(len, (LOKET + PAPAN).splitlines())) <= 140


def test_a_hub_knows_its_satellites(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(HUB)
    settings = load_any(path)
    assert isinstance(settings, Settings) and load(path) == settings
    assert {node: one.counters for node, one in settings.satellites.items()} == {"loket-1": (1,), "papan": ()}
    roles = device_roles(settings)
    assert (roles["loket-1"], roles["papan"], roles["mqtt-site"]) == ("satellite", "satellite", "broker")


def test_where_a_hub_is_needed_a_satellite_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"satellite-papan\.toml: \[node\] role: found 'satellite'; the configuration of a hub is needed"):
        load(CONFIG / "satellite-papan.toml")


OF_THE_HUB = "this belongs to the hub's configuration, and a satellite takes it from there: remove this section"
SATELLITE: dict[str, tuple[tuple[str, str], str]] = {
    "services": (("[log]", '[services.F]\nname = "x"\nshort = "x"\n[log]'), f"[services]: {OF_THE_HUB}"),
    "hours": (("[log]", "[hours]\n[log]"), f"[hours]: {OF_THE_HUB}"),
    "rules": (("[log]", "[rules]\nmax_calls = 3\n[log]"), f"[rules]: {OF_THE_HUB}"),
    "journal": (("[log]", "[journal]\n[log]"), f"[journal]: {OF_THE_HUB}"),
    "ticket machine": (("[log]", '[ticket_machine]\nbuttons = "keys"\n[log]'), f"[ticket_machine]: {OF_THE_HUB}"),
    "satellites": (("[log]", "[satellites.x]\n[log]"), f"[satellites]: {OF_THE_HUB}"),
    "unknown section": (("[log]", "[colour]\n[log]"), "[colour]: unknown section"),
    "services of a counter": (('keys = "keys"', 'services = ["F"]\nkeys = "keys"'), "[counters.1] services: unknown key"),
    "name of the site": (('id = "CTH01"', 'id = "CTH01"\nname = "x"'), "[site] name: unknown key"),
    "no site": (('id = "CTH01"', ""), "[site] id: missing; this key must be given"),
    "no node id": (('id = "loket-1"', ""), "[node] id: missing; this key must be given"),
    "node id": (('id = "loket-1"', 'id = "-loket"'), "[node] id: found '-loket'; allowed: 1 to 32 small letters, digits or hyphens, the"),
    "central broker": (
        ("\n[mqtt.site]\n", '\n[mqtt.central]\nhost = "127.0.0.1"\n[mqtt.site]\n'),
        "[mqtt.central]: the hub speaks to this broker",
    ),
    "no broker": (("\n[mqtt.site]\n", "\n[mqtt.central]\n"), "[mqtt.site]: missing; a satellite reaches its hub over the site's broker"),
    "another user": (
        ('username = "loket-1"', 'username = "hub"'),
        "[mqtt.site] username: found 'hub'; allowed: the id of",
    ),
    "old protocol": (("port = 8883", 'port = 8883\nprotocol = "3.1.1"'), "[mqtt.site] protocol: found '3.1.1'; allowed: 5"),
    "in clear": (('ca_file = "/etc/kiosd/ca.crt"', ""), "[mqtt.site]: 192.168.1.10 is another machine: give ca_file for TLS"),
    "unknown device": (('display = "display"', 'display = "dsplay"'), "[counters.1] display: found 'dsplay'; there is no [devices.dsplay]"),
    "device of nobody": (('display = "display"', ""), "[devices.display]: nothing uses it"),
    "pin twice": (
        ("advance = 5", "advance = 17"),
        "[devices.rating] buttons.4: GPIO pin 17 is used by [devices.keys]",
    ),
}


@pytest.mark.parametrize("case", SATELLITE)
def test_a_mistake_in_a_satellites_configuration(tmp_path: Path, case: str) -> None:
    change, beginning = SATELLITE[case]
    found = lines(tmp_path / "kiosd.toml", spoilt(LOKET, change))
    assert any(line.startswith(beginning) for line in found), found


def test_a_satellite_without_any_place(tmp_path: Path) -> None:
    content = PAPAN[: PAPAN.index("[call_board]")]
    missing = "[counters]: missing; a satellite has devices: add [counters.1], [call_board] or [voice]"
    assert lines(tmp_path / "kiosd.toml", content) == [missing]


HUBS: dict[str, tuple[tuple[str, str], str]] = {
    "unknown counter": (
        ("counters = [1]", "counters = [1, 7]"),
        "[satellites.loket-1] counters, item 2: found 7; there is no [counters.7]",
    ),
    "no broker": (
        ('[mqtt.site]\nhost = "127.0.0.1"\nport = 8884', ""),
        "[mqtt.site]: missing; satellites are reached over",
    ),
    "old protocol": (("port = 8884", 'port = 8884\nprotocol = "3.1.1"'), "[mqtt.site] protocol: found '3.1.1'; allowed: 5"),
    "a device's name": (("[satellites.papan]", "[satellites.printer]"), "[satellites.printer]: this name is taken: it is a device here"),
    "its own name": (("[satellites.papan]", "[satellites.hub]"), "[satellites.hub]: this name is taken: it is this node"),
    "name": (("[satellites.papan]", "[satellites.Papan]"), "[satellites.Papan]: this name is not allowed; allowed: 1 to 32 small letters"),
    "unknown key": (("counters = [1]", "counter = [1]"), "[satellites.loket-1] counter: unknown key; did you mean 'counters'?"),
    "role": (("[site]", '[node]\nrole = "board"\n[site]'), "[node] role: found 'board'; allowed: 'hub' or 'satellite'"),
}


@pytest.mark.parametrize("case", HUBS)
def test_a_mistake_in_what_a_hub_says_of_its_satellites(tmp_path: Path, case: str) -> None:
    change, beginning = HUBS[case]
    found = lines(tmp_path / "kiosd.toml", spoilt(HUB, change))
    assert any(line.startswith(beginning) for line in found), found


def test_a_counter_whose_devices_are_at_a_satellite_needs_none_at_the_hub(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    bare = changed(('keys = "keys"\nrating = "rating"\nscanner = "scanner"\ndisplay = "desk"', "")).split("[devices.keys]", maxsplit=1)[0]
    machine = '[devices.printer]\ndriver = "escpos_printer"\nport = "tcp:127.0.0.1:9100"\n'
    board = '[devices.board]\ndriver = "serial_display"\nport = "/dev/board"\nprotocol = "cd5220"\n'
    path.write_text(bare + machine + board + HUB[len(SMALL) :])
    assert load(path).counters[1].keys is None
