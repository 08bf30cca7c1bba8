"""What ``kiosd devices`` shows: each device with its names in the configuration, or with the lines to paste."""

from typing import Any

from kiosd.commissioning.account import Account, account, groups
from kiosd.commissioning.machine import Machine
from kiosd.commissioning.paste import Devices, configured, lines
from kiosd.commissioning.plugged import Plugged, plugged
from kiosd.config.problems import printable

KINDS = {
    "printer": "USB printer",
    "serial": "Serial port",
    "scanner": "Scanner or keyboard",
    "keypad": "Number pad",
    "gpio": "Pins",
    "sound": "Sound card",
}


def shown(machine: Machine, in_file: Devices) -> list[dict[str, Any]]:
    """What is plugged in, for programs: with the names it has in the configuration, or the lines to paste."""
    user, taken, listed = account(machine), set(in_file), []
    for one in plugged(machine):
        names = configured(one, in_file)
        paste = [] if names else lines(one, taken, in_file)
        if paste:
            taken.add(paste[0].removeprefix("[devices.").removesuffix("]"))
        listed.append(
            {
                "kind": one.kind, "what": one.what, "node": one.node, "port": one.port, "links": one.links, "vid_pid": one.identity,
                "serial": one.serial, "socket": one.socket, "driver": one.driver, "facts": one.facts, "notes": one.notes,
                "group": _group(machine, one), "may_open": _may_open(machine, user, one), "configured": names, "paste": paste,
            }
        )  # fmt: skip
    return listed


def _group(machine: Machine, one: Plugged) -> str:
    """The group that owns it."""
    try:
        gid = machine.path(one.node).stat().st_gid
    except OSError:
        return ""
    return next((name for name, (number, _) in groups(machine).items() if number == gid), str(gid))


def _may_open(machine: Machine, user: Account | None, one: Plugged) -> bool | None:
    """Whether kiosd's user may open it; None when there is no such user here, or no such node."""
    try:
        return None if user is None else user.may_open(machine.path(one.node))
    except OSError:
        return None


MAY_OPEN = {True: "open it", False: "NOT open it (kiosd doctor says why)", None: "(there is no user kiosd here, or no such file)"}


def device_text(one: dict[str, Any]) -> str:
    """One device for people."""
    names = ", ".join(f"[devices.{name}]" for name in one["configured"])
    usb = " ".join(
        filter(None, (one["vid_pid"], one["serial"] and f"serial number {one['serial']}", one["socket"] and f"in socket {one['socket']}"))
    )
    rows = [
        ("name to use", one["port"]),
        ("today", one["node"] if one["node"] != one["port"] else ""),
        ("USB", usb),
        ("lines in use", one["facts"].get("used", "")),
        ("kiosd may", MAY_OPEN[one["may_open"]] + (f"; it belongs to group {one['group']}" if one["group"] else "")),
        *(("note", text) for text in one["notes"]),
        ("configured", names),
    ]
    head = f"{KINDS[one['kind']]}: {one['what']}"
    text = [printable(head), *(printable(f"  {name:<13}{value}") for name, value in rows if value)]
    return "\n".join([*text, *(["  to paste:"] if one["paste"] else []), *(f"    {line}" for line in one["paste"])])
