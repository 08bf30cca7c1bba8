"""``kiosd test``: the walks, with every driver there is at its far side, and with an installer who does right and wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from kiosd.commissioning import walk as walking
from kiosd.commissioning.walk import REMEDIES
from kiosd.commissioning.walk_buttons import button_names
from kiosd.commissioning.walk_printer import PRINTS, trial_slip
from kiosd.commissioning.walk_scanner import classes
from kiosd.commissioning.ways import WAYS
from kiosd.errors import DeviceError
from kiosd.findings import good
from kiosd.ports import (
    BadScan,
    ButtonPanel,
    CallDisplay,
    DriverConfig,
    Face,
    Fault,
    LampState,
    Outcome,
    Press,
    Qr,
    Scan,
    Scanner,
    Slip,
    Text,
    TicketPrinter,
)
from support.driverbench import PORTS, bench, every_driver, of_port
from support.fardevices import Build, FarPanel, FarPrinter, FarScanner
from support.installer import Installer


def word_for(port: type) -> str:
    return next(word for word, way in WAYS.items() if way.port is port)


@every_driver
async def test_alone_with_any_device_it_ends_well(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        found = await Installer(alone=True).test(word_for(it.driver.port), it.driver, it.config)
    assert good(found.values()), found
    assert found["open"].verdict == "ok"


@every_driver
async def test_a_device_that_is_not_there_is_told_with_a_remedy(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        await it.far.unplug()
        found = await Installer(alone=True).test(word_for(it.driver.port), it.driver, it.config)
    assert list(found) == ["device"]
    assert found["device"].verdict == "failed" and found["device"].cause and found["device"].remedy


def test_every_port_has_a_way() -> None:
    assert {way.port for way in WAYS.values()} >= PORTS


# A printer.


def test_the_slip_fits_every_paper() -> None:
    for columns in range(24, 65):
        slip = trial_slip(columns)
        assert all(len(line.text) * line.size <= columns for line in slip.lines if isinstance(line, Text))
        assert any(isinstance(line, Qr) for line in slip.lines)
        assert "TEST" in str(slip) and "UJI" in slip.ticket


@of_port(TicketPrinter)
async def test_a_printer_step_by_step(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        far: FarPrinter = it.far
        installer = Installer(
            {
                "Open the printer's cover": lambda: far.paper.set(cover=True),
                "Close the cover": lambda: far.paper.set(cover=False),
                "Take the paper out": lambda: far.paper.set(paper="out"),
                "Put the paper back": lambda: far.paper.set(paper="ok"),
            }
        )
        found = await installer.test("printer", it.driver, it.config)
        text = (await far.paper.next_slip()).text
    assert {check: one.verdict for check, one in found.items()} == dict.fromkeys(
        ("open", "print", "slip", "paper", "cover", "paper out"), "ok"
    )
    assert "not a ticket" in text and "[QR" in text
    assert "cover_open" in found["cover"].result and "paper_out" in found["paper out"].result
    assert any("answers = true" in line for line in installer.lines)


@of_port(TicketPrinter)
async def test_a_printer_without_paper_prints_nothing_and_says_so(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        it.far.paper.set(paper="out")
        found = await Installer(settle_s=1.0).test("printer", it.driver, it.config)
    assert (found["print"].verdict, found["print"].cause) == ("failed", REMEDIES["paper_out"][0])
    assert found["paper"].verdict == "note"


@pytest.mark.parametrize(("outcome", "verdict"), list(zip(Outcome, ("ok", "note", "failed"), strict=True)))
async def test_every_outcome_has_its_words(outcome: Outcome, verdict: str) -> None:
    found = await Installer(alone=True).test("printer", Driver(Paper(outcome)), DriverConfig())
    assert found["print"].verdict == verdict and outcome.value in found["print"].result.replace("confirmed: the", "printed the")


async def test_a_slip_that_looks_wrong_fails() -> None:
    found = await Installer({"slip whole": "n"}).test("printer", Driver(Paper()), DriverConfig())
    assert found["slip"].verdict == "failed" and "columns" in found["slip"].remedy


async def test_a_printer_without_sensors_is_no_fault_and_one_that_stays_open_is() -> None:
    nothing = await Installer({"cover": lambda: None, "paper out": lambda: None}, act_s=0.05).test(
        "printer", Driver(Paper()), DriverConfig()
    )
    assert nothing["cover"].verdict == "note"
    paper = Paper()
    stays = Installer({"Open": lambda: paper.tell(Fault("cover_open", "the cover is open")), "Close": lambda: None}, act_s=0.5)
    found = await stays.test("printer", Driver(paper), DriverConfig())
    assert found["cover"].verdict == "failed" and "again" in found["cover"].result


async def test_what_does_not_stop_a_printer_is_not_its_cover() -> None:
    paper = Paper()
    near = Installer({"Open": lambda: paper.tell(Fault("paper_near_end", "the paper is near its end"))}, act_s=0.5)
    found = await near.test("printer", Driver(paper), DriverConfig())
    assert found["cover"].verdict == "note" and "does not say it" in found["cover"].result


# Buttons.


@of_port(ButtonPanel)
async def test_buttons_one_after_the_other(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        far: FarPanel = it.far
        names = button_names(it.config)
        assert {"A", "B"} <= set(names)
        deeds = {f"Press {button} ": (lambda button=button: far.press(button)) for button in ("A", "B")}
        found = await Installer(deeds).test("buttons", it.driver, it.config)
    assert {found[f"button {button}"].verdict for button in ("A", "B")} == {"ok"}
    assert good(found.values())


@of_port(ButtonPanel)
async def test_swapped_wires_are_seen(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        found = await Installer({"Press A ": lambda: it.far.press("B")}).test("buttons", it.driver, it.config)
    assert found["button A"].verdict == "failed" and "B answered" in found["button A"].result


async def test_a_press_that_counts_twice_and_one_that_does_not_come() -> None:
    panel = Panel()

    def bounce() -> None:
        panel.tell(Press("A", 0.0))
        panel.tell(Press("A", 0.1))

    installer = Installer({"Press A ": bounce, "Press B ": lambda: None}, act_s=0.5)
    found = await installer.test("buttons", Driver(panel), PanelConfig())
    assert (found["button A"].verdict, found["button B"].verdict) == ("note", "failed")
    assert "2 times" in found["button A"].result


async def test_a_stuck_button_is_told() -> None:
    panel = Panel()
    panel.tell(Fault("stuck", "button B is held", "B"))
    found = await Installer().test("buttons", Driver(panel), PanelConfig())
    assert found["button B"].verdict == "failed" and "held" in found["button B"].result


async def test_each_lamp_is_shown_in_each_pattern_and_left_dark() -> None:
    panel = Panel()
    installer = Installer({"steadily lit": "n"})
    await installer.test("buttons", Driver(panel), PanelConfig())
    assert [state for _, state in panel.lamps] == [*LampState, LampState.OFF]
    verdicts = [finding.verdict for finding in installer.walk.findings if finding.check == "lamp ready"]
    assert verdicts.count("failed") == 1 and verdicts.count("ok") == len(LampState) - 1


def test_names_of_buttons_from_a_table_of_keys() -> None:
    class Keys(DriverConfig):
        keys: dict[str, str]

    assert button_names(Keys(keys={"KP0": "next", "KP1": "recall", "KPENTER": "next"})) == ["next", "recall"]
    assert button_names(DriverConfig()) == []


# A scanner.

CARD = "Id-3201991234567890"


@of_port(Scanner)
async def test_a_scanner_is_told_by_counts_alone(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        far: FarScanner = it.far
        installer = Installer({"Scan": lambda: far.scan(CARD)})
        found = await installer.test("scanner", it.driver, it.config)
    assert {one.verdict for one in found.values()} == {"ok"}
    assert "19 characters: 16 digits, 1 capital letters, 1 small letters, 1 other characters" in found["first scan"].result
    shown = "\n".join(installer.lines)
    assert not any(part in shown for part in (CARD, "3201", "7890", "Id-"))


async def test_two_codes_that_differ_fail_and_show_neither() -> None:
    scanner = Codes(Scan("secret-1", 1.0), Scan("secret-2", 2.0))
    installer = Installer({"Scan": scanner.next})
    found = await installer.test("scanner", Driver(scanner), DriverConfig())
    assert found["same code"].verdict == "failed"
    assert "secret" not in "\n".join(installer.lines)


@pytest.mark.parametrize("reason", ["control", "length", "incomplete", "dropped", "pattern", "aim", "a new one"])
async def test_a_bad_scan_has_its_remedy(reason: str) -> None:
    scanner = Codes(BadScan(reason, 1.0))
    found = await Installer({"Scan": scanner.next}).test("scanner", Driver(scanner), DriverConfig())
    assert found["first scan"].verdict == "failed" and reason in found["first scan"].result


async def test_a_scanner_that_says_nothing_fails() -> None:
    found = await Installer({"Scan": lambda: None}, act_s=0.05).test("scanner", Driver(Codes()), DriverConfig())
    assert found["first scan"].verdict == "failed" and "no code came" in found["first scan"].result


async def test_a_kind_of_code_is_told() -> None:
    scanner = Codes(Scan("12", 1.0, "]C0"))
    found = await Installer({"Scan a code": scanner.next}).test("scanner", Driver(scanner), DriverConfig())
    assert found["first scan"].result == "2 characters: 2 digits; ended properly; symbology ]C0"


def test_classes_of_characters() -> None:
    assert classes("12 ab-Z") == "2 digits, 1 capital letters, 2 small letters, 1 spaces, 1 other characters"
    assert classes("") == ""


# A display and a voice.


@of_port(CallDisplay)
async def test_a_display_shows_every_cell(name: str, build: Build, tmp_path: Path) -> None:
    async with bench(name, build, tmp_path) as it:
        found = await Installer({"A012": "tidak"}).test("display", it.driver, it.config)
    assert {check: one.verdict for check, one in found.items()} == {
        "open": "ok", "all cells": "ok", "a call": "failed", "a message": "ok", "empty": "ok",
    }  # fmt: skip


async def test_a_voice_is_heard_or_not() -> None:
    voice = Voice()
    found = await Installer({"hear": "no"}).test("voice", Driver(voice), DriverConfig())
    assert (found["voice"].verdict, found["heard"].verdict) == ("ok", "failed")
    assert voice.said.startswith("chime; Nomor antrean") and not any(char.isdigit() for char in voice.said)


# What goes wrong on the way.


@pytest.mark.parametrize("code", [*REMEDIES, "never seen"])
async def test_an_error_of_any_code_is_a_finding(code: str) -> None:
    found = await Installer().test("display", Driver(Broken(DeviceError("gone wrong", code))), DriverConfig())
    assert found["device"].verdict == "failed" and found["device"].result == "gone wrong" and found["device"].remedy


async def test_a_device_that_goes_away_ends_the_walk() -> None:
    panel = Panel()
    installer = Installer({"Press A ": lambda: panel.tell(DeviceError("unplugged", "absent"))})
    found = await installer.test("buttons", Driver(panel), PanelConfig())
    assert found["device"].result == "unplugged"
    assert "button B" not in found


async def test_a_device_that_never_comes_back_ends_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "OPEN_S", 0.05)
    found = await Installer().test("display", Driver(Broken(None), opens=False), DriverConfig())
    assert "does not come back" in found["device"].result


async def test_a_terminal_that_is_hung_up_confirms_nothing() -> None:
    installer = Installer({"A012": None})
    found = await installer.test("display", Driver(Broken(None)), DriverConfig())
    assert [found[check].verdict for check in ("all cells", "a call", "a message", "empty")] == ["ok", "note", "note", "note"]


async def test_nobody_who_answers_is_a_note() -> None:
    installer = Installer({"": lambda: None})
    installer.walk._answer_s = 0.05
    found = await installer.test("display", Driver(Broken(None)), DriverConfig())
    assert {one.verdict for check, one in found.items() if check != "open"} == {"note"}


def test_the_codes_with_which_a_printer_prints_are_those_of_the_port() -> None:
    assert all(f"``{code or chr(34) * 2}``" in (TicketPrinter.__doc__ or "") for code in PRINTS)


# Devices of one wish.


class Told:
    """What it is told to tell, it tells."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue()

    def tell(self, item: object) -> None:
        self._items.put_nowait(item)

    async def _stream(self) -> AsyncIterator[Any]:
        while True:
            item = await self._items.get()
            if isinstance(item, DeviceError):
                raise item
            yield item


class Paper(Told):
    columns = 32

    def __init__(self, outcome: Outcome = Outcome.PRINTED) -> None:
        super().__init__()
        self._outcome = outcome

    async def print_slip(self, _: Slip) -> Outcome:
        return self._outcome

    def watch(self) -> AsyncIterator[Fault]:
        return self._stream()


class PanelConfig(DriverConfig):
    buttons: dict[str, int] = Field(default={"A": 1, "B": 2})
    lamps: dict[str, int] = Field(default={"ready": 3})


class Panel(Told):
    def __init__(self) -> None:
        super().__init__()
        self.lamps: list[tuple[str, object]] = []

    def presses(self) -> AsyncIterator[Press | Fault]:
        return self._stream()

    async def lamp(self, name: str, state: object) -> None:
        self.lamps.append((name, state))


class Codes(Told):
    def __init__(self, *codes: Scan | BadScan) -> None:
        super().__init__()
        self._codes = iter(codes)

    def next(self) -> None:
        self.tell(next(self._codes))

    def scans(self) -> AsyncIterator[Scan | BadScan]:
        return self._stream()


class Voice:
    said = ""

    async def say(self, text: str, chime: bool = False) -> None:
        self.said = f"chime; {text}" if chime else text


class Broken:
    """A display that raises, or does nothing."""

    def __init__(self, error: DeviceError | None) -> None:
        self._error = error

    async def show(self, _: Face) -> None:
        if self._error is not None:
            raise self._error


class Driver:
    """A driver of the device that it is given; with ``opens=False`` opening never ends."""

    config: ClassVar[type[DriverConfig]] = DriverConfig
    port: ClassVar[type] = object

    def __init__(self, device: object, opens: bool = True) -> None:
        self._device, self._opens = device, opens

    @asynccontextmanager
    async def open(self, _: DriverConfig, /) -> AsyncIterator[Any]:
        if not self._opens:
            await asyncio.Event().wait()
        yield self._device
