"""``kiosd devices``, ``kiosd test`` and ``kiosd doctor`` as a person has them: the program itself, at a terminal or without one."""

import asyncio
import json
import os
import pty
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosd.journal.place import lock
from kiosd.ports import LampState
from kiosd_sim.pins import SOCKET_ENV, Pins
from kiosd_sim.printer import sim_printer_pty
from kiosd_sim.scanner import SimScanner
from support.kiosk import Kiosk, write_config

WITHIN_S = 60.0
PRINTER = '[ticket_machine]\nprinter = "printer"\n[devices.printer]\ndriver = "escpos_printer"\nport = "{port}"\n'
BUTTONS = '[ticket_machine]\nbuttons = "tickets"\n[devices.tickets]\ndriver = "gpio_buttons"\nbuttons = { F = 4 }\nlamps = { ready = 5 }\n'
SCANNER = '[devices.{name}]\ndriver = "serial_scanner"\nport = "{port}"\n'


async def kiosd(*words: str | Path, **environ: str) -> tuple[int, str, str]:
    """The program without a terminal: status, output, errors."""
    command = (sys.executable, "-m", "kiosd", *map(str, words))
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=os.environ | environ)
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def config(folder: Path, more: str = "", counter_1: str = "") -> Path:
    path = write_config(folder, more=more)
    path.write_text(path.read_text().replace("[counters.1]\n", f"[counters.1]\n{counter_1}"))
    (folder / "state").mkdir(exist_ok=True)
    return path


class Terminal:
    """The program at a terminal; ``seen`` is all that it has shown."""

    def __init__(self, process: Process, keyboard: int) -> None:
        self.process, self._keyboard = process, keyboard
        self.seen = ""

    async def until(self, pattern: str) -> None:
        """Read until ``pattern`` was shown."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while not re.search(pattern, self.seen):
                line = await self.process.stdout.readline()
                assert line, f"{pattern!r} did not come:\n{self.seen}"
                self.seen += line.decode()

    def type(self, text: str = "") -> None:
        os.write(self._keyboard, f"{text}\n".encode())

    def hang_up(self) -> None:
        """Ctrl-D: the program reads the end."""
        os.write(self._keyboard, b"\4")

    async def end(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            self.seen += (await self.process.stdout.read()).decode()
            return await self.process.wait()


@asynccontextmanager
async def terminal(*words: str | Path, **environ: str) -> AsyncIterator[Terminal]:
    keyboard, theirs = pty.openpty()
    command = (sys.executable, "-m", "kiosd", *map(str, words))
    process = await asyncio.create_subprocess_exec(*command, stdin=theirs, stdout=PIPE, env=os.environ | environ)
    os.close(theirs)
    try:
        yield Terminal(process, keyboard)
    finally:
        os.close(keyboard)
        if process.returncode is None:
            process.kill()
        await process.wait()


# test


async def test_a_printer_is_tested_without_anybody(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as paper:
        path = config(tmp_path, PRINTER.format(port=paper.port))
        code, out, err = await kiosd("test", "printer", "--yes", "--config", path, "--state", tmp_path / "state")
        slip = (await paper.next_slip()).text
    assert (code, err) == (0, "")
    assert re.search(r"^print +ok +confirmed", out, re.MULTILINE)
    assert "UJI" in slip and "not a ticket" in slip
    assert not list((tmp_path / "state").iterdir())


async def test_an_installer_at_a_terminal_finds_a_slip_that_is_wrong(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as paper:
        path = config(tmp_path, PRINTER.format(port=paper.port))
        async with terminal("test", "printer", "--config", path, "--state", tmp_path / "state") as it:
            await it.until(r"\? Is the slip whole")
            it.type("n")
            await it.until("> Open the printer's cover")
            paper.set(cover=True)
            await it.until("> Close the cover")
            paper.set(cover=False)
            await it.until("> Take the paper out")
            it.type()
            code = await it.end()
    assert code == 1
    assert re.search(r"^slip +FAILED", it.seen, re.MULTILINE)
    assert re.search(r"^cover +ok +it says: .*\(cover_open\)$", it.seen, re.MULTILINE)
    assert re.search(r"^paper out +- +not tried$", it.seen, re.MULTILINE)


async def test_a_terminal_that_goes_away_leaves_nobody_waiting(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as paper:
        path = config(tmp_path, PRINTER.format(port=paper.port))
        async with terminal("test", "printer", "--config", path, "--state", tmp_path / "state") as it:
            await it.until(r"\? Is the slip whole")
            it.hang_up()
            assert await it.end() == 0
    assert re.search(r"^slip +NOTE +nobody looked$", it.seen, re.MULTILINE)


async def test_a_printer_that_is_not_there(tmp_path: Path) -> None:
    path = config(tmp_path, PRINTER.format(port=tmp_path / "nothing"))
    code, out, _ = await kiosd("test", "printer", "--yes", "--config", path, "--state", tmp_path / "state")
    assert code == 1
    assert re.search(r"^device +FAILED .*nothing.*\n +cause: .*\n +remedy: kiosd devices", out, re.MULTILINE)


async def test_buttons_and_lamps_on_pins(tmp_path: Path) -> None:
    path = config(tmp_path, BUTTONS)
    pins = Pins(tmp_path / "pins")
    environ = {"GPIOZERO_PIN_FACTORY": "kiosd_sim", SOCKET_ENV: str(tmp_path / "pins")}
    async with terminal("test", "buttons", "--config", path, "--state", tmp_path / "state", **environ) as it:
        await it.until("> Press F")
        pins.press(4, 0.2)
        await it.until("Is lamp ready dark")
        assert not pins.state()[5].level
        for state in LampState:
            it.type()
            await it.until(rf"lamp ready +ok +{state.value}: ")
        code = await it.end()
    assert code == 0, it.seen
    assert re.search(r"^button F +ok +pressed, counted once$", it.seen, re.MULTILINE)


async def test_what_a_scanner_reads_is_never_shown(tmp_path: Path) -> None:
    secret = "3201991234567890"  # noqa: S105 - an identity number that is none
    scanner = SimScanner(tmp_path / "scanner")
    with scanner.port.plugged():
        path = config(tmp_path, SCANNER.format(name="card", port=scanner.port.link), 'scanner = "card"\n')
        async with terminal("test", "scanner", "--config", path, "--state", tmp_path / "state") as it:
            await it.until("> Scan a code")
            await scanner.send(secret)
            await it.until("> Scan the same code again")
            await scanner.send(secret)
            code = await it.end()
    assert code == 0, it.seen
    assert "16 characters: 16 digits" in it.seen and re.search(r"^same code +ok", it.seen, re.MULTILINE)
    assert secret not in it.seen and secret[-4:] not in it.seen


async def test_beside_a_daemon_it_refuses(tmp_path: Path) -> None:
    with Kiosk(tmp_path, more=PRINTER.format(port="tcp:127.0.0.1:9")) as kiosk:
        await kiosk.start()
        code, out, err = await kiosd("test", "printer", "--yes", "--config", kiosk.config, "--state", kiosk.state)
        assert (code, out) == (1, "")
        assert "systemctl stop kiosd" in err and str(kiosk.process.pid if kiosk.process else "") in err
        kiosk.stop()
    code, out, _ = await kiosd("test", "printer", "--yes", "--config", kiosk.config, "--state", kiosk.state)
    assert "device" in out  # now it tries: the printer is not there


WRONG: list[tuple[tuple[str, ...], int, str]] = [
    (("printer",), 2, "say --yes"),
    (("printer", "--yes"), 1, "no device for `kiosd test printer` is configured"),
    (("scanner", "--yes"), 1, "there are several; say which: left, right"),
    (("scanner", "middle", "--yes"), 1, "there is no such device 'middle'; say which: left, right"),
    (("voice", "--yes"), 1, "no device for `kiosd test voice`"),
]


@pytest.mark.parametrize(("words", "status", "why"), WRONG)
async def test_what_cannot_be_tested_is_said(tmp_path: Path, words: tuple[str, ...], status: int, why: str) -> None:
    more = SCANNER.format(name="left", port="/dev/left") + SCANNER.format(name="right", port="/dev/right")
    path = config(tmp_path, more, 'scanner = "left"\n')
    path.write_text(path.read_text().replace("[counters.2]\n", '[counters.2]\nscanner = "right"\n'))
    code, out, err = await kiosd("test", *words, "--config", path, "--state", tmp_path / "state")
    assert (code, out) == (status, "")
    assert why in err


# devices and doctor, on whatever machine this is


async def test_devices_of_this_machine(tmp_path: Path) -> None:
    path = config(tmp_path)
    code, out, err = await kiosd("devices", "--json", "--config", path, "--state", tmp_path)
    assert (code, err) == (0, "")
    found = json.loads(out)["devices"]
    assert all({"kind", "port", "paste", "may_open", "configured"} <= one.keys() for one in found)
    code, out, _ = await kiosd("devices", "--state", tmp_path / "nowhere")
    assert code == 0 and out.strip()


async def test_devices_with_a_file_that_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "kiosd.toml").write_text("[devices\n")
    code, _, err = await kiosd("devices", "--config", tmp_path / "kiosd.toml", "--state", tmp_path)
    assert code == 78 and "kiosd.toml" in err


async def test_the_doctor_examines_this_machine(tmp_path: Path) -> None:
    path = config(tmp_path)
    with lock(tmp_path / "state"):
        code, out, err = await kiosd("doctor", "--json", "--config", path, "--state", tmp_path / "state")
    told = json.loads(out)
    assert (code, err) == (0 if told["good"] else 1, "")
    by_check: dict[str, str] = {}
    for finding in told["findings"]:
        assert "crashed" not in finding["result"]
        assert finding["verdict"] != "failed" or (finding["cause"] and finding["remedy"])
        by_check.setdefault(finding["check"], finding["result"])
    assert str(os.getpid()) in by_check["daemon"]
    assert "CTH01" in by_check["configuration"]


async def test_the_doctor_for_people(tmp_path: Path) -> None:
    code, out, _ = await kiosd("doctor", "--state", tmp_path, "--config", tmp_path / "none.toml")
    assert code == 1
    assert re.search(r"^configuration +FAILED .*none\.toml: cannot be read.*\n +cause: .*\n +remedy: kiosd check-config", out, re.MULTILINE)


async def test_a_control_character_in_a_name_reaches_no_terminal(tmp_path: Path) -> None:
    for words in ((), ("--json",)):
        _, out, _ = await kiosd("doctor", *words, "--state", tmp_path, "--config", tmp_path / "no\x1b[31mne.toml")
        assert "31mne.toml" in out and "\x1b" not in out
