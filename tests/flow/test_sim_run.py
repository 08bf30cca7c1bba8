"""``make run``'s program as a newcomer has it: tickets come by, anybody can take part, Ctrl-C ends it, the next run goes on."""

import asyncio
import json
import os
import re
import signal
import tomllib
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from support.simulation import hurried_preset, kiosd, simulation, status, there

QUIET = ("--no-auto", "--no-broker")
SLIP_OF = r"NOMOR ANTREAN *│\n│ *{} *│"
SOON_S = 10.0


async def stream(port: int, last: int) -> dict[int, tuple[str, dict[str, Any]]]:
    """Events 1 to ``last`` as a subscriber has them, by sequence: topic and event. Returns when none is missing."""
    command = ("mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "kiosd/1/+/+/ev/#", "-q", "1", "-F", "%t %p")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=1024 * 1024)
    assert process.stdout is not None
    events: dict[int, tuple[str, dict[str, Any]]] = {}
    try:
        while not all(sequence in events for sequence in range(1, last + 1)):
            topic, _, payload = (await process.stdout.readline()).partition(b" ")
            event = json.loads(payload)
            events[int(event["sequence"])] = topic.decode(), event
    finally:
        process.terminate()
        await process.communicate()
    return events


async def gone(pids: list[int]) -> None:
    """Return when none of the processes is left."""
    async with asyncio.timeout(SOON_S):
        while any(map(there, pids)):  # noqa: ASYNC110 - somebody else's children: nothing to wait on
            await asyncio.sleep(0.02)


async def test_a_lively_kiosk_shows_up_whole_at_a_subscriber(tmp_path: Path) -> None:
    state = tmp_path / "sim"
    async with simulation(state, "--config", str(hurried_preset(tmp_path, 1)), "--pace", "15", "--seed", "a day") as sim:
        async with asyncio.timeout(60):
            events = await stream(await sim.port(), 150)
        for line in ("ticket +[A-G]001 drawn", "call +[A-G]001 to counter", "start .*card", "finish +[A-G]001", "rating +[A-G]0.* Puas"):
            await sim.shows(line)
        await sim.shows(SLIP_OF.format("A001"))
        await sim.shows(r"board +board: \[NOMOR \w\d{3} \| LOKET \d\]")
    assert {topic.rpartition("/")[2] for topic, _ in events.values()} >= {"system", "device", "ticket", "counter", "scan", "rating"}
    assert not re.search(r"\d{16}|KARTU", json.dumps([event["data"] for _, event in events.values()]))
    assert "KARTU" not in sim.seen.partition("Ctrl-C ends it.")[2]
    assert not re.search("people|Traceback", sim.seen)
    assert list((state / "tickets").glob("*-A001.png"))


async def test_ctrl_c_ends_everything_and_the_next_run_goes_on(tmp_path: Path) -> None:
    state, options = tmp_path / "sim", ("--config", str(hurried_preset(tmp_path, 1)), "--no-auto")
    async with simulation(state, *options) as first:
        port = await first.port()
        await kiosd(state, "sim", "press", "D")
        await first.shows(SLIP_OF.format("D001"))
        before, children = await status(state), first.children()
        assert len(children) == 3  # the kiosk, the broker, and who follows the events
        assert await first.stop() < 5
        assert first.process.returncode == 0
        assert "Traceback" not in first.seen and first.seen.rstrip().endswith(f"journal in {state}.")
        await gone(children)
    async with simulation(state, *options) as second:
        assert await second.port() == port
        await second.shows("goes on: 1 tickets issued, 1 waiting")
        await kiosd(state, "sim", "press", "D")
        await second.shows(SLIP_OF.format("D002"))
        after = await status(state)
        assert after["stream"] == before["stream"] and after["sequence"] > before["sequence"]


async def test_everybody_dies_with_a_simulation_that_is_killed(tmp_path: Path) -> None:
    async with simulation(tmp_path, "--no-auto") as sim:
        await sim.ready()
        children = sim.children()
        await sim.stop(signal.SIGKILL)
        await gone(children)


async def test_only_one_at_a_time(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as first:
        await first.ready()
        async with simulation(tmp_path, *QUIET) as second:
            assert await second.process.wait() == 69
        assert f"is in use by the simulation with process number {first.process.pid}" in second.seen
        await kiosd(tmp_path, "sim", "press", "A")
        await first.shows(SLIP_OF.format("A001"))


async def test_a_visit_by_hand_goes_the_whole_way_through_the_hardware(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as sim:
        await sim.ready()
        deeds = {
            ("press", "d"): SLIP_OF.format("D001"),
            ("key", "2", "advance"): "call +D001 to counter 2",
            ("scan", "2", "KARTU-1"): r"start +D001 at counter 2 \(card\)",
            ("scan", "1", "two\x1blines"): r"refused +scan at counter 1 \(control\)",
            ("scan", "1", "A" * 4096): r"refused +scan at counter 1 \(length\)",
            ("scan", "1", "early"): "refused +scan at counter 1: nobody is called",
            ("key", "2", "advance", "--bounce"): "finish +D001 at counter 2",
            ("rate", "2", "4"): "rating +D001 at counter 2: 4 Sangat Puas",
            ("rate", "1", "1"): "refused +rating 1 Tidak Puas at counter 1: nobody",
            ("unplug", "scanner_3"): "device +scanner_3 is down",
            ("plug", "scanner_3"): "device +scanner_3 works",
        }
        for words, seen in deeds.items():
            code, _, err = await kiosd(tmp_path, "sim", *words)
            assert code == 0, err
            await sim.shows(seen)


WRONG = {
    ("press", "Z"): "no button 'Z' at the ticket machine; there are: A, B, C, D, E, F, G",
    ("press", "A", "--priority"): "no button 'A_priority'",
    ("key", "1", "finish"): "no button 'finish' at counter 1; there are: advance, repeat",
    ("rate", "1", "5"): "no button '5' at the rating panel of counter 1; there are: 4, 3, 2, 1",
    ("jabber", "Z"): "no button 'Z' at the ticket machine",
    ("rate", "4", "1"): "no counter '4'; there are: 1, 2, 3",
    ("scan", "0", "x"): "no counter '0'; there are: 1, 2, 3",
    ("scan", "1", "x" * 65_536): "at most 65536 bytes",
    ("paper", "gone"): "no state of paper 'gone'; there are: ok, near, out",
    ("unplug", "keys_1"): "no device on a cable 'keys_1'; there are: printer, scanner_1",
}


async def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as sim:
        await sim.ready()
        for words, why in WRONG.items():
            code, out, err = await kiosd(tmp_path, "sim", *words)
            assert (code, out) == (1, "")
            assert why in err


async def test_without_paper_the_number_is_on_the_board_and_with_paper_it_goes_on(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as sim:
        await sim.ready()
        await kiosd(tmp_path, "sim", "paper", "out")
        await sim.shows("device +printer: the paper is out")
        await kiosd(tmp_path, "sim", "press", "D")
        await sim.shows("ticket +D001 drawn")
        await sim.shows(r"board: \[Nomor Anda D001", within_s=45)
        assert "NOMOR ANTREAN" not in sim.seen
        await kiosd(tmp_path, "sim", "paper", "ok")
        await sim.shows("device +printer works")
        await kiosd(tmp_path, "sim", "press", "F")
        await sim.shows(SLIP_OF.format("F001"))


def impatient_preset(directory: Path) -> Path:
    """A kiosk whose ticket buttons are taken for stuck after half a second."""
    preset = hurried_preset(directory, 1)
    document = tomllib.loads(preset.read_text())
    document["devices"]["ticket_buttons"]["stuck_s"] = 0.5
    preset.write_text(tomli_w.dumps(document))
    return preset


async def buttons(state: Path) -> tuple[str, str]:
    """How the daemon finds the ticket buttons: state and code."""
    (device,) = (device for device in (await status(state))["devices"] if device["device"] == "ticket_buttons")
    return device["state"], device["code"]


async def test_a_button_that_hangs_is_a_fault_until_it_is_freed_and_the_others_work(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", str(impatient_preset(tmp_path)), *QUIET) as sim:
        await sim.ready()
        assert await kiosd(sim.state, "sim", "press", "A", "--stick") == (0, "stuck A at the ticket machine (pin 4)\n", "")
        await sim.shows("device +ticket_buttons: button A has been down for more than 0.5 s")
        assert await buttons(sim.state) == ("degraded", "stuck")
        await kiosd(sim.state, "sim", "press", "D")
        await sim.shows(SLIP_OF.format("D001"))
        assert (await kiosd(sim.state, "sim", "press", "A", "--free"))[0] == 0
        await sim.shows(r"(?s)button A has been down .*device +ticket_buttons works")
        assert await buttons(sim.state) == ("ok", "")
        await kiosd(sim.state, "sim", "press", "A")
        await sim.shows(SLIP_OF.format("A002"))


async def test_a_loose_wire_is_a_fault_until_it_is_quiet_and_the_others_work(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as sim:
        await sim.ready()
        assert await kiosd(tmp_path, "sim", "jabber", "a") == (0, "shook the wire of A at the ticket machine (pin 4)\n", "")
        await sim.shows("device +ticket_buttons: button A opens and closes more than 30 times a second")
        await kiosd(tmp_path, "sim", "press", "D")
        await sim.shows(SLIP_OF.format("D001"))
        await sim.shows(r"(?s)button A opens and closes .*device +ticket_buttons works")
        assert "A002" not in sim.seen


async def test_a_broker_that_does_not_start_is_told_and_not_needed(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "mosquitto"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho '1700000000: Error: no such option' >&2\nexit 3\n")
    broken.chmod(0o755)
    async with simulation(tmp_path, "--no-auto", path=f"{broken.parent}:{os.environ['PATH']}") as sim:
        await sim.shows(r"^No MQTT broker: mosquitto does not run: Error: no such option\. The queue does not need one\.$")
        await kiosd(tmp_path, "sim", "press", "A")
        await sim.shows(SLIP_OF.format("A001"))
    assert "MQTT: " not in sim.seen
    assert "mqtt" not in (tmp_path / "kiosd.toml").read_text()


async def test_a_broker_that_ends_is_told_and_the_queue_goes_on(tmp_path: Path) -> None:
    async with simulation(tmp_path, "--no-auto") as sim:
        await sim.ready()
        broker = next(pid for pid in sim.children() if b"mosquitto\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(broker, signal.SIGKILL)
        await sim.shows("broker +mosquitto ended")
        await kiosd(tmp_path, "sim", "press", "A")
        await sim.shows(SLIP_OF.format("A001"))


async def test_a_kiosk_that_ends_is_told_with_its_own_words(tmp_path: Path) -> None:
    async with simulation(tmp_path, *QUIET) as sim:
        await sim.ready()
        daemon = next(pid for pid in sim.children() if b"\0run\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(daemon, signal.SIGKILL)
        assert await sim.process.wait() != 0
    assert "kiosd ended by itself (status -9)" in sim.seen and "serves site CTH01" in sim.seen
    assert "Traceback" not in sim.seen


@pytest.mark.parametrize("kind", [2, 3, 4])
async def test_other_presets(tmp_path: Path, kind: int) -> None:
    service = "A" if kind == 2 else "F"
    async with simulation(tmp_path, "--config", f"config/tipe-{kind}.toml", *QUIET) as sim:
        await sim.shows(f"A type-{kind} kiosk runs on simulated hardware")
        await sim.ready()
        await kiosd(tmp_path, "sim", "press", service, *(["--priority"] if kind > 2 else []))
        await sim.shows(SLIP_OF.format(f"{service}001"))
        await kiosd(tmp_path, "sim", "key", "1", "next")
        await sim.shows(f"call +{service}001 to counter 1")
        await sim.shows(r"board +board: \[01 \| F001\]" if kind == 3 else rf"board +board: \[NOMOR {service}001 \| LOKET 1\]")


async def test_a_wrong_preset_is_refused_with_its_own_errors(tmp_path: Path) -> None:
    preset = tmp_path / "wrong.toml"
    preset.write_text("[site]\nid = 'ctH01'\ntype = 1\n")
    async with simulation(tmp_path / "sim", "--config", str(preset)) as sim:
        assert await sim.process.wait() == 78
    assert f"{preset}: [site] id: found 'ctH01'; allowed: 2 to 8 capital letters or digits" in sim.seen


async def test_nobody_answers_when_nothing_runs(tmp_path: Path) -> None:
    for words in (("press", "A"), ("scan", "1", "x"), ("paper", "ok")):
        code, _, err = await kiosd(tmp_path, "sim", *words)
        assert code == 69
        assert f"no simulation runs in {tmp_path}; start one with: make run" in err
