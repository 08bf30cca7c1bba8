"""The ticket printer through usblp: confirmed prints, no paper, the plug. Never a second original."""

import time
from collections.abc import Callable
from functools import partial

from lab.kiosk import Kiosk, press
from lab.machine import LabError
from lab.pins import F, G

SETTLED_S = 10.0  # longer than a printer that is there again waits with a slip that is owed


def _printer(kiosk: Kiosk, line: str) -> str:
    """Say ``line`` to the simulated printer."""
    return kiosk.machine.devices("printer", line)


def _slips(kiosk: Kiosk) -> list[str]:
    return kiosk.machine.run("for f in /run/lab/slips/*.txt; do [ -e $f ] && cat $f && printf '\\f'; done; true").split("\f")[:-1]


def _tried(call: Callable[[], str]) -> str:
    try:
        return call()
    except LabError:
        return ""


def printer(kiosk: Kiosk) -> str:
    """All of it, in the order in which a day brings it."""
    lab = kiosk.machine
    lab.run("systemctl start lab-printer")
    lab.until("the printer's far end", lambda: _tried(partial(_printer, kiosk, "state")))
    kiosk.device("printer", "up")
    number = _confirmed(kiosk)
    return f"{number} confirmed by the printer. {_without_paper(kiosk)}. {_comes_and_goes(kiosk)}. {_pulled(kiosk)}"


def _confirmed(kiosk: Kiosk) -> str:
    """A press gives one slip, and the printer says so."""
    kiosk.look()
    press(kiosk, F)
    number = str(kiosk.event("ticket.printed")["subject"])
    assert sum(number in slip for slip in _slips(kiosk)) == 1
    return number


def _without_paper(kiosk: Kiosk) -> str:
    """A press while the paper is out is a number all the same, told on the board; the new roll does not print what nobody waits for."""
    _printer(kiosk, "paper out")
    told = kiosk.device("printer", "degraded")["data"]["code"]
    assert told == "paper_out", told
    kiosk.look()
    press(kiosk, G)
    number = kiosk.event("ticket.print_failed")["subject"]
    _printer(kiosk, "paper ok")
    kiosk.device("printer", "up")
    after = _confirmed(kiosk)
    assert not [slip for slip in _slips(kiosk) if number in slip], "a number that was shown long ago came out"
    return f"Paper out: {number} given without a slip; new roll: {after} printed"


def _comes_and_goes(kiosk: Kiosk) -> str:
    """The plug pulled while nothing is printed."""
    _unplug(kiosk)
    _plug(kiosk)
    return f"Unplugged at rest, noticed, plugged in: {_confirmed(kiosk)} printed"


def _unplug(kiosk: Kiosk) -> None:
    _printer(kiosk, "unplug")
    kiosk.machine.devices("unplug", "printer")
    kiosk.device("printer", "down")


def _plug(kiosk: Kiosk) -> None:
    kiosk.machine.devices("plug", "printer")
    kiosk.machine.until("the gadget's file", lambda: _printer(kiosk, "plug") == "ok")
    kiosk.device("printer", "up")


def _pulled(kiosk: Kiosk) -> str:
    """The plug is pulled while a ticket comes out slowly."""
    _printer(kiosk, "slow 60")
    before = len(_slips(kiosk))
    kiosk.look()
    press(kiosk, G)
    number = kiosk.event("ticket.issued")["subject"]
    time.sleep(1.0)  # the paper's own pace: it is in the middle now
    _unplug(kiosk)
    _printer(kiosk, "slow off")
    _plug(kiosk)
    kiosk.event("ticket.printed", number)
    time.sleep(SETTLED_S)  # a second original would come now
    slips = [slip for slip in _slips(kiosk)[before:] if number in slip]
    marked = [slip for slip in slips if "SALINAN" in slip]
    assert slips and len(slips) - len(marked) <= 1 and len(slips) <= 2, slips
    return f"Plug pulled in the middle of {number}: {len(slips)} whole slip(s) afterwards, {len(marked)} of them marked as a copy"
