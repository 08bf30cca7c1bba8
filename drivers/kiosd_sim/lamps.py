"""What the lamps of a simulation do: they are watched as a person watches them, for their rhythm says what they mean."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from kiosd.errors import Unavailable
from kiosd_sim.control import ask
from kiosd_sim.finger import Pins, PinsAbsent
from kiosd_sim.floor import FAR_SOCKET, PINS_SOCKET, Light, not_running

STEP_S = 0.05  # half of the shortest flash of a panel
LOOKS = 30  # 1.5 s: once around the longest rhythm, that of a fault
LIT, DARK = "#", "."


def watched(state: Path, lights: Sequence[Light]) -> str:
    """Each of ``lights`` in a line: a word, and how it was every 50 ms; ``Unavailable`` when no simulation runs in ``state``."""
    begin, looks = time.monotonic(), list[list[bool]]()
    for count in range(LOOKS if lights else 0):
        time.sleep(max(0.0, begin + count * STEP_S - time.monotonic()))  # as eyes look: lamps flash in real time
        looks.append(_look(state, lights))
    wide, long = (max(map(len, words), default=0) for words in ([one.device for one in lights], [one.name for one in lights]))
    rows = [
        f"{light.device:<{wide}}  {light.name:<{long}}  {_word(times):<6}  {''.join(LIT if lit else DARK for lit in times)}"
        for light, times in zip(lights, zip(*looks, strict=True), strict=True)
    ]
    return "\n".join(rows) or "no panel has lamps"


def _look(state: Path, lights: Sequence[Light]) -> list[bool]:
    """How they are now. A pin that the daemon does not use lights nothing."""
    try:
        pins = {} if all(light.keypad for light in lights) else Pins(state / PINS_SOCKET).state()
    except PinsAbsent:
        raise Unavailable(not_running(state)) from None
    keypads = json.loads(ask(state, state / FAR_SOCKET, "lamps")) if any(light.keypad for light in lights) else {}
    return [
        light.number in keypads[light.device] if light.keypad else light.number in pins and pins[light.number].level == light.high
        for light in lights
    ]


def _word(times: Sequence[bool]) -> str:
    return "lit" if all(times) else "blinks" if any(times) else "dark"
