"""``WAYS``: for each word of ``kiosd test`` the port, the steps, and how the device is listened to."""

from dataclasses import dataclass

from kiosd.commissioning.walk import Steps, Stream
from kiosd.commissioning.walk_buttons import buttons
from kiosd.commissioning.walk_out import display, voice
from kiosd.commissioning.walk_printer import printer
from kiosd.commissioning.walk_scanner import scanner
from kiosd.ports import Announcer, ButtonPanel, CallDisplay, Scanner, TicketPrinter


@dataclass(frozen=True, slots=True)
class Way:
    """How the devices of a port are walked through."""

    port: type
    steps: Steps
    stream: Stream | None = None


WAYS = {
    "printer": Way(TicketPrinter, printer, lambda device: device.watch()),
    "buttons": Way(ButtonPanel, buttons, lambda device: device.presses()),
    "scanner": Way(Scanner, scanner, lambda device: device.scans()),
    "display": Way(CallDisplay, display),
    "voice": Way(Announcer, voice),
}
