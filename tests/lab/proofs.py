"""Buttons, lamps, boards. Each proof is a function of the kiosk; it fails with a ``LabError`` or an assertion, else it says what it saw."""

import time

from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.numeralboard import FrameScreen
from lab.kiosk import SETTLE_S, Kiosk, press
from lab.pins import ADVANCE, LAMP_READY, RATE_4, F


def pins(kiosk: Kiosk) -> str:
    """A press on a line of a real GPIO chip, through gpiozero and lgpio, is a ticket; a bounce is one; a lamp is lit."""
    lab = kiosk.machine
    kiosk.device("tickets", "up")
    kiosk.look()
    press(kiosk, F)
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
    press(kiosk, ADVANCE)
    number = kiosk.event("ticket.called")["subject"]
    lab.until(f"{number} on the desk's display", lambda: any(number in line for line in display.lines))
    lab.until(f"{number} on the board", lambda: board.lines[:2] == ("01", number))
    for kind in ("ticket.started", "ticket.finished"):
        press(kiosk, ADVANCE)
        kiosk.event(kind)
    press(kiosk, RATE_4)
    rating = kiosk.event("rating.given")
    return f"{number} called, shown on ttyS1 and ttyS2, started, finished, rated {rating['data']['score']}"
