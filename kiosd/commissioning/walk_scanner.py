"""The walk through a scanner. A code is personal: it is counted and compared, never shown (domain section 9)."""

from kiosd.commissioning.walk import UNKNOWN, Walk
from kiosd.findings import failed, ok, skipped
from kiosd.ports import BadScan, DriverConfig, Scan, Scanner

CLASSES = (("digits", str.isdecimal), ("capital letters", str.isupper), ("small letters", str.islower), ("spaces", str.isspace))


def classes(payload: str) -> str:
    """What a code is made of, by counts alone: its content is personal (domain section 9)."""
    counts = {name: sum(map(is_one, payload)) for name, is_one in CLASSES}
    counts["other characters"] = len(payload) - sum(counts.values())
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


BAD_SCANS = {
    "control": (
        "it sends control characters, Ctrl, Alt or function keys",
        "scanner: no prefix or function code; keyboard type USB, US layout",
    ),
    "length": ("the code is longer than 512 characters", "scan the code that visitors have"),
    "incomplete": ("it does not end its codes", "scanner: suffix Enter (CR) after each code"),
    "pattern": ("it is not what allow says", "scan the code that visitors have, or correct allow in [devices.NAME]"),
    "aim": ("it sends no AIM identifier", "scanner: send the AIM identifier, or aim = false in [devices.NAME]"),
    "dropped": ("codes came faster than they were taken", "scan one code at a time"),
}
"""Cause and remedy by ``BadScan.reason``."""


async def scanner(walk: Walk, _: Scanner, __: DriverConfig) -> None:
    """The same code twice: how it reads, without showing it."""
    first = await _scan(walk, "first scan", "Scan a code")
    if first is None:
        return
    second = await _scan(walk, "second scan", "Scan the same code again")
    if second is None:
        return
    if first.payload == second.payload:
        walk.found(ok("same code", f"it reads the same twice, {second.at - first.at:.1f} s apart"))
    else:
        cause = "another code, or characters get lost (cable, layout, speed of typing)"
        walk.found(failed("same code", "it does not read the same twice", cause, "scan again; scanner: slower keys, US layout"))


async def _scan(walk: Walk, check: str, prompt: str) -> Scan | None:
    told = await walk.wait_for(prompt, lambda item: isinstance(item, Scan | BadScan))
    if isinstance(told, Scan):
        kind = f"; symbology {told.symbology}" if told.symbology else ""
        shown = f"{len(told.payload)} characters: {classes(told.payload)}; ended properly{kind}"
        walk.found(ok(check, shown))
        return told
    if isinstance(told, BadScan):
        cause, remedy = BAD_SCANS.get(told.reason, UNKNOWN)
        walk.found(failed(check, f"a code came and was thrown away ({told.reason})", cause, remedy))
    elif told == "skipped":
        walk.found(skipped(check, "not tried"))
    else:
        cause = "another device, keyboard mode for serial mode or the reverse, or no suffix Enter (CR)"
        walk.found(failed(check, "no code came", cause, "kiosd devices; the scanner's own manual"))
    return None
