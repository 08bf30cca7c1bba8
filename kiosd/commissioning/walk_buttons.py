"""The walk through a panel: each button by its name, each lamp in each pattern."""

from collections.abc import Mapping

from kiosd.commissioning.walk import Walk
from kiosd.findings import failed, note, ok, skipped
from kiosd.ports import ButtonPanel, DriverConfig, LampState, Press

LOOKS: dict[LampState, str] = {
    LampState.OFF: "dark",
    LampState.ON: "steadily lit",
    LampState.WAIT: "blinking slowly, as while a press waits for its answer",
    LampState.FAULT: "flashing in pairs, as when something does not work",
    LampState.RATE_NOW: "blinking slowly, as when a rating is asked for",
    LampState.REFUSED: "flickering, as after a press that was refused",
}
"""How a lamp looks on pins; other drivers come as near as they can."""


def button_names(config: DriverConfig) -> list[str]:
    """What a panel's buttons are called: the names of ``buttons``, or what the keys of ``keys`` stand for."""
    buttons, keys = getattr(config, "buttons", None), getattr(config, "keys", None)
    names = list(buttons) if isinstance(buttons, Mapping) else list(keys.values()) if isinstance(keys, Mapping) else []
    return list(dict.fromkeys(str(name) for name in names))


async def buttons(walk: Walk, device: ButtonPanel, config: DriverConfig) -> None:
    """Each button by name, each lamp in each pattern; what is stuck."""
    await walk.settle()
    for name in button_names(config):
        await _button(walk, name)
    lamps = getattr(config, "lamps", None)
    for lamp in lamps if isinstance(lamps, Mapping) else ():
        await _lamp(walk, device, str(lamp))
    for subject, fault in walk.faults.items():
        walk.found(failed(f"button {subject}", fault.detail, "it is held, jammed, or its wire is shorted", "see the button and its wire"))


async def _button(walk: Walk, name: str) -> None:
    check = f"button {name}"
    told = await walk.wait_for(f"Press {name}", lambda item: isinstance(item, Press))
    if not isinstance(told, Press):
        cause = "no wire, another pin, or a button that closes to the other side (pull_up)"
        missing = failed(check, "no press came", cause, "see its pin in the configuration, and its wire")
        walk.found(skipped(check, "not tried") if told == "skipped" else missing)
        return
    more = [item for item in await walk.settle() if isinstance(item, Press)]
    if told.button != name:
        cause = "another button was pressed, or two wires are swapped"
        walk.found(failed(check, f"{told.button} answered", cause, "swap their pins in the configuration"))
    elif more:
        cause = "its contact bounces for long, or it was pressed again"
        walk.found(note(check, f"one press counted {1 + len(more)} times", cause, "debounce_s, or another button"))
    else:
        walk.found(ok(check, "pressed, counted once"))


async def _lamp(walk: Walk, device: ButtonPanel, lamp: str) -> None:
    for state in LampState:
        await device.lamp(lamp, state)
        good, cause = f"{state.value}: as it should be", "no wire, another pin, or a lamp to 3.3 V"
        await walk.asked(f"lamp {lamp}", f"Is lamp {lamp} {LOOKS[state]}?", good, cause, "see its pin, and active_high")
    await device.lamp(lamp, LampState.OFF)
