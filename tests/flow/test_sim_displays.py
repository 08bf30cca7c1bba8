"""The far side of a kiosk's displays as ``kiosd_sim`` builds it from a configuration, in front of the real drivers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kiosd.ports import Face
from kiosd.registry import find
from kiosd_sim.farside import WHOLE_FACE_S, far_side
from kiosd_sim.paper import PrintedSlip

CALL = Face(number="A012", counter=3)
TWO_LINES = ("NOMOR A012", "LOKET 3")
DISPLAYS: dict[str, tuple[dict[str, Any], tuple[str, ...] | None]] = {
    **{name: ({"driver": "serial_display", "protocol": name}, TWO_LINES) for name in ("cd5220", "epson", "dsp800")},
    "frame": (
        {"driver": "serial_display", "protocol": "frame", "frame": "02 {digits:4} {counter:1} {neg8} 03", "letters": {"A": 1}},
        ("1012", "3"),
    ),
    "modbus": (
        {"driver": "modbus_display", "address": 9, "number_register": 4, "number_format": "bcd16", "letters": {"A": 1},
         "counter_register": 5, "answer_s": 2.0},
        ("3", "1012"),
    ),
    "matrix": ({"driver": "max7219_display", "upside_down": True}, None),
}  # fmt: skip
"""Name -> its section, and what the person at the terminal is told; dots are not told."""


class Told:
    """What the far side saw."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, tuple[str, ...]]] = []

    def board(self, device: str, lines: tuple[str, ...]) -> None:
        self.lines.append((device, lines))

    def slip(self, device: str, slip: PrintedSlip) -> None:
        raise AssertionError(f"{device} is no printer")

    def voice(self, device: str, text: str) -> None:
        raise AssertionError(f"{device} is no voice")


@pytest.mark.parametrize("name", DISPLAYS)
async def test_a_configured_display_is_simulated_and_told_once_for_each_call(tmp_path: Path, name: str) -> None:
    section, lines = DISPLAYS[name]
    driver, told = find(section["driver"]), Told()
    async with asyncio.timeout(15), far_side({name: {**section, "port": "/dev/real"}}, tmp_path, told) as far:
        settings = {key: value for key, value in section.items() if key != "driver"} | {"port": far.ports[name]}
        for _ in range(2):
            async with driver.open(driver.config.model_validate(settings)) as display:
                for face in (CALL, Face(), CALL, Face(), CALL):  # it blinks
                    await display.show(face)
                    await far.boards[name].shows(lambda shown, face=face: lit(shown) == bool(face.number))  # type: ignore[misc]
                while lines and not told.lines:  # noqa: ASYNC110 - the terminal tells nobody
                    await asyncio.sleep(0.01)
                await asyncio.sleep(2 * WHOLE_FACE_S)  # what would be told too often is told now
            await far.unplug(name)
            await far.plug(name)
        assert not far.boards[name].screen.garbage
        far.boards[name].save_png(tmp_path / "board.png")
        assert (tmp_path / "board.png").stat().st_size > 100
    assert told.lines == ([(name, lines)] if lines else [])


def lit(lines: tuple[str, ...]) -> bool:
    """Whether anything but zeros can be read."""
    return any(line.strip("0 ") for line in lines)
