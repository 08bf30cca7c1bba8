"""A simulation whose devices are found by rules, a spare printer, scanners that are set in their own ways, and lamps."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kiosd.config.load import load
from kiosd_sim.farside import far_side
from kiosd_sim.settings import simulated
from support.simulation import ROOT, Simulation, hurried_preset, kiosd, simulation, status

QUIET = ("--no-auto", "--no-broker")


async def sim(state: Path, *words: str) -> str:
    """``kiosd sim``, which succeeds; what it says."""
    code, out, err = await kiosd(state, "sim", *words)
    assert code == 0, err
    return out


def preset(directory: Path) -> str:
    """A kiosk with two printers, three scanners that are set in three ways, and lamps on pins and on a keypad."""
    path = hurried_preset(directory, 1)
    document = tomllib.loads(path.read_text())
    devices = document["devices"]
    devices["printer"] = {"driver": "escpos_printer", "match": {"serial": "X5B1", "name": "EPSON*"}}
    devices["printer_2"] = {"driver": "escpos_printer", "match": {"phys": "1-1.3:1.0"}}
    document["ticket_machine"]["spare"] = "printer_2"
    devices["ticket_buttons"] |= {"lamps": {"ready": 18, "paper": 0}, "active_high": False}
    devices["keys_1"] = {"driver": "evdev_keypad", "match": {"name": "*Keypad"}, "keys": {"KPENTER": "advance"}}
    devices["keys_1"]["lamps"] = {"ready": "numlock"}
    devices["scanner_1"] = {"driver": "evdev_scanner", "match": {"name": "WIT*"}, "ends": ["tab"], "aim": True}
    devices["scanner_2"] |= {"ends": ["etx"], "aim": True}
    devices["scanner_3"] = {"driver": "serial_scanner", "match": {"vid_pid": "05f9:4204"}, "silence_ends": True}
    path.write_text(tomli_w.dumps(document))
    return str(path)


async def printers(kiosk: Simulation) -> dict[str, str]:
    """How the daemon finds them: its word for what is wrong, or nothing."""
    return {one["device"]: one["code"] for one in (await status(kiosk.state))["devices"] if one["device"].startswith("printer")}


async def test_troubles_of_one_printer_leave_the_other_one_in_peace(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        await kiosk.shows(r"printer +port .*/dev/printer instead of serial X5B1, name EPSON\*$")
        assert await sim(kiosk.state, "paper", "out", "printer_2") == "paper out at printer_2\n"
        await kiosk.shows("device +printer_2: the paper is out")
        assert await printers(kiosk) == {"printer": "", "printer_2": "paper_out"}
        await sim(kiosk.state, "press", "A")
        await kiosk.shows(r"NOMOR ANTREAN *│\n│ *A001 *│")
        assert await sim(kiosk.state, "cover", "open") == "cover open\n"
        await kiosk.shows("device +printer: the cover is open")
        await sim(kiosk.state, "paper", "ok", "printer_2")
        await kiosk.shows("device +printer_2: the cover is open")
        code, _, err = await kiosd(kiosk.state, "sim", "cover", "closed", "scanner_1")
        assert (code, err) == (1, "kiosd: there is no printer 'scanner_1'; there are: printer, printer_2\n")


NOBODY, SPOILED = "refused +scan at counter {}: nobody is called", r"refused +scan at counter {} \({}\)"
SCANS: dict[str, dict[tuple[str, ...], list[str]]] = {
    "1": {  # typed, Tab, AIM identifier
        ("KARTU-1", "KARTU-2"): [NOBODY, NOBODY],
        ("KARTU-1", "--half"): [SPOILED.format("{}", "incomplete")],
        ("KARTU-1", "--aim", "none"): [SPOILED.format("{}", "aim")],
        ("KARTU-1", "--end", "none"): [SPOILED.format("{}", "incomplete")],
    },
    "2": {  # STX, AIM identifier, ETX
        ("KARTU-1", "KARTU-2"): [NOBODY, NOBODY],
        ("KARTU-1", "--aim", "]Q1"): [NOBODY],
        ("KARTU-1", "--aim", "none"): [SPOILED.format("{}", "aim")],
        ("KARTU-1", "--pause", "0"): [NOBODY],
        ("KARTU-1", "--end", "tab"): [SPOILED.format("{}", "control")],
    },
    "3": {  # silence alone
        ("KARTU-1",): [NOBODY],
        ("KARTU-1", "--framed"): [NOBODY],
        ("KARTU-1", "--end", "garbled"): [SPOILED.format("{}", "control")],
    },
}


async def test_a_scanner_sends_what_its_configuration_wants_unless_told_otherwise(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        expected = "(?s)"
        for counter, scans in SCANS.items():
            for words, seen in scans.items():
                await sim(kiosk.state, "scan", counter, *words)
                expected += "".join(f".*?{one.format(counter)}" for one in seen)
                await kiosk.shows(expected)
        done = sum(len(seen) for scans in SCANS.values() for seen in scans.values())
        assert len(re.findall(r"scan at counter", kiosk.seen)) == done, "nothing more came of it"


async def test_lamps_are_seen_on_pins_and_on_a_keypad(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        told = await sim(kiosk.state, "lamps")
        assert re.search(r"^ticket_buttons +ready +lit +#{30}$", told, re.MULTILINE)
        assert re.search(r"^ticket_buttons +paper +dark +\.{30}$", told, re.MULTILINE)
        assert re.search(r"^keys_1 +ready +lit +#{30}$", told, re.MULTILINE)
        await sim(kiosk.state, "paper", "out")
        await kiosk.shows(
            "(?s)device +printer: the paper is out.*device +printer_2: the paper is out|printer_2: .*printer: the paper is out"
        )
        told = await sim(kiosk.state, "lamps", "ticket_buttons")
        assert (flashes := re.search(r"^ticket_buttons +paper +blinks +([#.]{30})$", told, re.MULTILINE)) is not None, told
        assert 0 < flashes[1].count("#") < flashes[1].count(".")
        await sim(kiosk.state, "unplug", "keys_1")
        assert re.fullmatch(r"keys_1 +ready +dark +\.{30}\n", await sim(kiosk.state, "lamps", "keys_1"))
        code, _, err = await kiosd(kiosk.state, "sim", "lamps", "printer")
        assert code == 1 and err.startswith("kiosd: there is no device with lamps 'printer'; there are: ticket_buttons, keys_1")
    code, _, err = await kiosd(tmp_path / "sim", "sim", "lamps")
    assert code == 69 and "no simulation runs in" in err


MATCH: dict[str, dict[str, Any]] = {
    "escpos_printer": {},
    "serial_scanner": {},
    "evdev_scanner": {},
    "evdev_keypad": {"keys": {"KPENTER": "advance"}},
}


class Nobody:
    """Watches nothing."""

    def slip(self, device: str, slip: object) -> None: ...
    def board(self, device: str, lines: object) -> None: ...
    def voice(self, device: str, text: str) -> None: ...


@pytest.mark.parametrize("driver", MATCH)
async def test_a_device_that_is_found_by_rules_has_a_far_side(tmp_path: Path, driver: str) -> None:
    document = {"devices": {"it": {"driver": driver, "match": {"serial": "A1"}, **MATCH[driver]}}}
    async with far_side(document["devices"], tmp_path, Nobody()) as far:
        changed = simulated(document, far.ports, None)
    device, where = changed.document["devices"]["it"], str(tmp_path / "it")
    assert {"match": {"path": where}}.items() <= device.items() or (device["port"] == where and "match" not in device)
    assert any(word == "it" and what.endswith("instead of serial A1") for word, what in changed.differences)


async def test_the_kiosk_of_the_lab_whose_devices_are_all_found_by_rules(tmp_path: Path) -> None:
    lab = ROOT / "tests/lab/kiosd.toml"
    assert load(lab).devices["printer"].config.match  # type: ignore[attr-defined]
    async with simulation(tmp_path, "--config", str(lab), *QUIET) as kiosk:
        await kiosk.ready()
        await sim(tmp_path, "press", "F")
        await kiosk.shows(r"NOMOR ANTREAN *│\n│ *F001 *│")
        await sim(tmp_path, "key", "1", "advance")
        await kiosk.shows("call +F001 to counter 1")
        await sim(tmp_path, "scan", "1", "KARTU-1")
        await kiosk.shows(r"start +F001 at counter 1 \(card\)")
