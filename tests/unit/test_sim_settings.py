"""A simulation's configuration is the preset's: what differs is little, told, and still a good configuration."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kiosd.config import load
from kiosd.errors import Refused, Unavailable
from kiosd_sim.floor import floor, named, pin, read_floor
from kiosd_sim.settings import DAYS, PORTS, drivers, simulated

CONFIG = Path(__file__).parents[2] / "config"
KINDS = (1, 2, 3, 4)


def preset(kind: int) -> dict[str, Any]:
    return tomllib.loads((CONFIG / f"tipe-{kind}.toml").read_text())


def ports(document: dict[str, Any]) -> dict[str, str]:
    return {name: f"/sim/{name}" for name, driver in drivers(document).items() if driver in PORTS}


def leaves(value: Any, *keys: str) -> dict[tuple[str, ...], Any]:
    """Every value of a document by the keys to it."""
    if not isinstance(value, dict):
        return {keys: value}
    return {where: leaf for key, inner in value.items() for where, leaf in leaves(inner, *keys, key).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_differs_only_in_ports_hours_clock_and_broker(kind: int) -> None:
    before = preset(kind)
    after = simulated(before, ports(before), 4711).document
    old, new = leaves(before), leaves(after)
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    allowed = {("devices", name, "port") for name in ports(before)} | {("hours", key) for key in (*DAYS, "calendars")}
    assert changed <= allowed | {("clock", "trust_rtc"), ("mqtt", "central", "host"), ("mqtt", "central", "port")}
    assert changed >= {("devices", name, "port") for name in ports(before)}
    assert before == preset(kind)  # the preset itself is left alone


@pytest.mark.parametrize("mqtt_port", [4711, None])
@pytest.mark.parametrize("kind", KINDS)
def test_the_outcome_is_a_good_configuration(tmp_path: Path, kind: int, mqtt_port: int | None) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(tomli_w.dumps(simulated(preset(kind), ports(preset(kind)), mqtt_port).document))
    settings = load(path)
    assert settings.clock.trust_rtc
    assert [str(session) for day in range(7) for session in settings.hours.sessions(day)] == ["00:00-24:00"] * 7
    assert {name: mqtt.port for name, mqtt in settings.mqtt.items()} == ({"central": mqtt_port} if mqtt_port else {})


@pytest.mark.parametrize("mqtt_port", [4711, None])
def test_every_difference_is_told(mqtt_port: int | None) -> None:
    sim = simulated(preset(1), ports(preset(1)), mqtt_port)
    assert [word for word, _ in sim.differences] == [
        "pins", "printer", "scanner_1", "scanner_2", "scanner_3", "board", "hours", "clock", "mqtt",
    ]  # fmt: skip
    told = dict(sim.differences)
    assert told["printer"] == "port /sim/printer instead of /dev/usb/lp0"
    assert told["mqtt"] == ("a private broker at 127.0.0.1:4711" if mqtt_port else "left out: there is no broker")


def test_what_cannot_be_simulated_is_left_out_everywhere_and_told(tmp_path: Path) -> None:
    before = preset(2)
    before["devices"]["scanner_1"] = {"driver": "camera_scanner", "match": {"by_id": "usb-*-event-kbd"}}
    before["devices"]["board"] = {"driver": "wall_of_lamps"}
    sim = simulated(before, ports(before), None)
    assert ("scanner_1", "left out: there is no simulation of camera_scanner") in sim.differences
    assert ("board", "left out: there is no simulation of wall_of_lamps") in sim.differences
    assert "scanner" not in sim.document["counters"]["1"] and "call_board" not in sim.document
    path = tmp_path / "kiosd.toml"
    path.write_text(tomli_w.dumps(sim.document))
    assert load(path).counters[1].scanner is None


def on_keyboards() -> dict[str, Any]:
    """A preset whose first counter has a keypad and a scanner that types."""
    before = preset(1)
    keys = {"KPENTER": "advance", "ENTER": "advance", "KPPLUS": "repeat"}
    before["devices"]["keys_1"] = {"driver": "evdev_keypad", "match": {"by_id": "usb-*_Keypad-event-kbd", "phys": "usb-*"}, "keys": keys}
    before["devices"]["scanner_1"] = {"driver": "evdev_scanner", "match": {"name": "WIT*"}, "layout": "de", "ends": ["tab"]}
    return before


def test_a_keypad_and_a_scanner_that_types_differ_in_where_they_are_and_type_as_americans(tmp_path: Path) -> None:
    before = on_keyboards()
    sim = simulated(before, {**ports(before), "keys_1": "/sim/keys_1", "scanner_1": "/sim/scanner_1"}, None)
    assert sim.document["devices"]["keys_1"] == {**before["devices"]["keys_1"], "match": {"path": "/sim/keys_1"}}
    assert sim.document["devices"]["scanner_1"] == {"driver": "evdev_scanner", "match": {"path": "/sim/scanner_1"}, "ends": ["tab"]}
    assert ("keys_1", "match.path /sim/keys_1 instead of by_id usb-*_Keypad-event-kbd, phys usb-*") in sim.differences
    assert ("scanner_1", "types as an American keyboard: layout left out") in sim.differences
    path = tmp_path / "kiosd.toml"
    path.write_text(tomli_w.dumps(sim.document))
    assert load(path).counters[1].keys == "keys_1"


def test_the_floor_plan_knows_a_keypads_keys_by_what_they_do_and_by_what_is_printed_on_them() -> None:
    keys = floor(on_keyboards()).desk("1").keys
    assert keys.buttons == {"advance": 96, "repeat": 78}
    assert [keys.contact(pin(keys, name, "counter 1")) for name in ("advance", "KP5")] == ["key KPENTER", "key KP5"]
    with pytest.raises(Refused) as no:
        pin(keys, "next", "counter 1")
    assert "there are: advance, repeat, KP0" in str(no.value.facts["message"])


def test_a_ticket_machine_of_which_nothing_is_left_goes_too() -> None:
    before = preset(1)
    before["devices"]["ticket_buttons"]["driver"] = before["devices"]["printer"]["driver"] = "something_new"
    assert "ticket_machine" not in simulated(before, ports(before), None).document


def test_another_brokers_secrets_and_the_sites_scan_key_stay_behind() -> None:
    before = preset(1)
    before["scan"] = {"key_file": "/etc/kiosd/scan.key"}
    before["mqtt"]["central"] = {
        "host": "mqtt.example", "port": 8883, "prefix": "a/b", "username": "u", "password_file": "/p", "ca_file": "/c", "window": 5,
    }  # fmt: skip
    after = simulated(before, ports(before), 4711)
    assert after.document["mqtt"]["central"] == {"host": "127.0.0.1", "port": 4711, "prefix": "a/b", "window": 5}
    assert "scan" not in after.document and "scan" in dict(after.differences)
    assert floor(after.document).topics == "a/b/1/#"


def test_a_preset_without_mqtt_gets_the_private_broker() -> None:
    before = preset(1)
    del before["mqtt"]
    assert simulated(before, ports(before), 4711).document["mqtt"] == {"central": {"host": "127.0.0.1", "port": 4711}}
    assert "mqtt" not in dict(simulated(before, ports(before), None).differences)


def test_the_floor_plan_knows_every_button() -> None:
    plan = floor(preset(1))
    assert plan.tickets.buttons == {"A": 4, "B": 17, "C": 27, "D": 22, "E": 10, "F": 9, "G": 11}
    desk = plan.desk("2")
    assert (desk.number, desk.services, desk.scanner, desk.keys.device) == (2, ("D", "E"), "scanner_2", "keys_2")
    assert pin(desk.keys, "advance", "counter 2") == 7
    assert pin(desk.rating, "4", "counter 2") == 23
    assert (plan.max_calls, plan.recall_gap_s, plan.topics) == (3, 10.0, "kiosd/1/#")


def test_a_floor_plan_without_devices() -> None:
    before = deepcopy(preset(4))
    for place in ("keys", "scanner", "rating"):
        del before["counters"]["1"][place]
    del before["ticket_machine"]
    plan = floor(before)
    assert plan.tickets.buttons == {} == plan.desk("1").keys.buttons and plan.desk("1").scanner == ""
    with pytest.raises(Refused) as no:
        pin(plan.tickets, "F", "the ticket machine")
    assert no.value.facts["message"] == "there is no button 'F' at the ticket machine; there are: none"


def test_a_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(Refused) as no:
        named({"a": 1}, "x" * 5000, "thing")
    assert len(str(no.value.facts["message"])) < 100


@pytest.mark.parametrize("text", ["", "site = 3\n", "not toml", "[counters.1]\nservices = 5\n"])
def test_a_configuration_that_is_no_simulations(tmp_path: Path, text: str) -> None:
    (tmp_path / "kiosd.toml").write_text(text)
    with pytest.raises(Unavailable, match="is not the configuration of a simulation"):
        read_floor(tmp_path)


def test_no_simulation(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no simulation runs in"):
        read_floor(tmp_path)
