"""From the bits of an ESC/POS printer to what a person should know: tables, one for each way in which a printer tells its state.

The first row of a table that fits is what is said: from what a person must do at once to what can wait. Clones set only one bit of a pair,
so any bit of a mask counts. Bits: hardware section 1; automatic status as in Epson's description of ``GS a``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kiosd.ports import Fault

WELL = Fault("", "")
PAPER_OUT = Fault("paper_out", "the paper is out")
COVER = Fault("cover_open", "the cover is open")
CUTTER = Fault("cutter", "the cutter is stuck")
SWITCH_OFF = Fault("error", "an error stopped it: switch the printer off and on")
HOT = Fault("overheated", "the print head is too hot; it goes on by itself")
STOPPED = Fault("error", "an error stopped the printer")
FEED = Fault("offline", "somebody holds the feed button")
OFFLINE = Fault("offline", "the printer is offline")
BUSY = Fault("busy", "the printer is busy and takes no bytes")
SILENT = Fault("busy", "the printer does not answer, as it does otherwise: it is off, or busy")
NEAR_END = Fault("paper_near_end", "the paper is near its end")

PRINTS = frozenset({"", "paper_near_end"})
"""Codes of a printer that prints."""

Bits = tuple[int, int, Fault]
"""A byte's place, a mask in it, and what any bit of that mask means."""

REAL_TIME: tuple[Bits, ...] = (
    (4, 0x60, PAPER_OUT),
    (2, 0x20, PAPER_OUT),
    (2, 0x04, COVER),
    (3, 0x08, CUTTER),
    (3, 0x20, SWITCH_OFF),
    (3, 0x40, HOT),
    (2, 0x40, STOPPED),
    (2, 0x08, FEED),
    (1, 0x08, OFFLINE),
    (4, 0x0C, NEAR_END),
)
"""Answers to ``DLE EOT n``, by n."""

REPORTED: tuple[Bits, ...] = (
    (2, 0x0C, PAPER_OUT),
    (0, 0x20, COVER),
    (1, 0x08, CUTTER),
    (1, 0x20, SWITCH_OFF),
    (1, 0x40, HOT),
    (0, 0x40, FEED),
    (0, 0x08, OFFLINE),
    (2, 0x03, NEAR_END),
)
"""Automatic status, by place in its four bytes."""

PORT_PAPER, PORT_SELECTED, PORT_NO_ERROR = 0x20, 0x10, 0x08
PORT_WELL = PORT_SELECTED | PORT_NO_ERROR
"""The IEEE 1284 status byte of the USB printer class (LPGETSTATUS)."""


@dataclass(frozen=True, slots=True)
class Port:
    """What the USB port says. ``trusted``: it once said that all is well, so that it is not one of those that say nothing but zero."""

    byte: int
    trusted: bool

    @property
    def fault(self) -> Fault:
        """The paper bit counts always, the others if they are ``trusted``."""
        if self.byte & PORT_PAPER:
            return PAPER_OUT
        if not self.trusted or self.byte & PORT_WELL == PORT_WELL:
            return WELL
        return OFFLINE if not self.byte & PORT_SELECTED else STOPPED


def told(table: tuple[Bits, ...], values: Mapping[int, int]) -> Fault:
    """What ``values``, by place, say; a place that is missing says nothing."""
    return next((fault for place, mask, fault in table if values.get(place, 0) & mask), WELL)


def of_report(data: bytes) -> Fault:
    """What four bytes of automatic status say."""
    return told(REPORTED, dict(enumerate(data)))
