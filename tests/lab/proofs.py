"""What is proven in the guest, device by device. Each proof is a function of the kiosk; it fails with a ``LabError`` or an assertion."""

import time
from collections.abc import Callable
from functools import partial

from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.numeralboard import FrameScreen
from lab.kiosk import Kiosk
from lab.machine import LabError

F, G, ADVANCE, RATE_4, LAMP_READY = 4, 17, 26, 5, 18
"""Pins of tests/lab/kiosd.toml."""
SETTLED_S = 10.0  # longer than a printer that is there again waits with a slip that is owed
SETTLE_S = 1.5  # longer than any hold-off of a button


def _press(kiosk: Kiosk, pin: int) -> None:
    time.sleep(SETTLE_S)
    kiosk.machine.devices("press", pin)


def _printer(kiosk: Kiosk, line: str) -> str:
    """Say ``line`` to the simulated printer."""
    return kiosk.machine.devices("printer", line)


def _slips(kiosk: Kiosk) -> list[str]:
    return kiosk.machine.run("for f in /run/lab/slips/*.txt; do [ -e $f ] && cat $f && printf '\\f'; done; true").split("\f")[:-1]


def pins(kiosk: Kiosk) -> str:
    """A press on a line of a real GPIO chip, through gpiozero and lgpio, is a ticket; a bounce is one; a lamp is lit."""
    lab = kiosk.machine
    kiosk.device("tickets", "up")
    kiosk.look()
    _press(kiosk, F)
    first = kiosk.event("ticket.issued")
    time.sleep(SETTLE_S)
    lab.devices("bounce", F)
    second = kiosk.event("ticket.issued")
    time.sleep(SETTLE_S)
    more = [one for one in kiosk.events() if int(one["sequence"]) > kiosk.seen and one["type"] == "kiosd.ticket.issued.v1"]
    assert not more, "a bounce gave two tickets"
    assert lab.devices("get", LAMP_READY) == "1", "the lamp is dark"
    return f"{first['subject']} by a press, {second['subject']} by one that bounced; the lamp is lit"


def desk(kiosk: Kiosk) -> str:
    """Call key and rating panel are lines of the chip too; the boards hang on the guest's serial ports."""
    display, board = CustomerDisplay("cd5220"), FrameScreen('02 "A" {counter:2} {number:5} {sum8} 03')
    lab = kiosk.machine
    lab.screens.update(tty1=display.feed, tty2=board.feed)
    kiosk.look()
    _press(kiosk, ADVANCE)
    number = kiosk.event("ticket.called")["subject"]
    lab.until(f"{number} on the desk's display", lambda: any(number in line for line in display.lines))
    lab.until(f"{number} on the board", lambda: board.lines[:2] == ("01", number))
    for kind in ("ticket.started", "ticket.finished"):
        _press(kiosk, ADVANCE)
        kiosk.event(kind)
    _press(kiosk, RATE_4)
    rating = kiosk.event("rating.given")
    return f"{number} called, shown on ttyS1 and ttyS2, started, finished, rated {rating['data']['score']}"


def printer(kiosk: Kiosk) -> str:
    """Through usblp: a confirmed print; paper out and a roll change; a plug pulled in mid-ticket. Never a second original."""
    lab = kiosk.machine
    lab.run("systemctl start lab-printer")
    lab.until("the printer's far end", lambda: _tried(partial(_printer, kiosk, "state")))
    kiosk.device("printer", "up")
    kiosk.look()
    _press(kiosk, F)
    number = kiosk.event("ticket.printed")["subject"]
    assert sum(number in slip for slip in _slips(kiosk)) == 1
    _printer(kiosk, "paper out")
    told = kiosk.device("printer", "degraded")["data"]["code"]
    assert told == "paper_out", told
    _printer(kiosk, "paper ok")
    kiosk.device("printer", "up")
    return f"{number} confirmed by the printer; paper out and back noticed. {_pulled(kiosk)}"


def _tried(call: Callable[[], str]) -> str:
    try:
        return call()
    except LabError:
        return ""


def _pulled(kiosk: Kiosk) -> str:
    """The plug is pulled while a ticket comes out slowly."""
    lab = kiosk.machine
    _printer(kiosk, "slow 60")
    before = len(_slips(kiosk))
    kiosk.look()
    _press(kiosk, G)
    number = kiosk.event("ticket.issued")["subject"]
    time.sleep(1.0)
    _printer(kiosk, "unplug")
    lab.devices("unplug", "printer")
    kiosk.device("printer", "down")
    lab.devices("plug", "printer")
    lab.until("the gadget's file", lambda: _printer(kiosk, "plug") == "ok")
    _printer(kiosk, "slow off")
    kiosk.device("printer", "up")
    kiosk.event("ticket.printed", number)
    time.sleep(SETTLED_S)  # a second original would come now
    slips = [slip for slip in _slips(kiosk)[before:] if number in slip]
    marked = [slip for slip in slips if "SALINAN" in slip]
    assert slips and len(slips) - len(marked) <= 1 and len(slips) <= 2, slips
    return f"Plug pulled in the middle of {number}: {len(slips)} whole slip(s) afterwards, {len(marked)} of them marked as a copy"
