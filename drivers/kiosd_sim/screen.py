"""What the person at the terminal sees: tickets as they came out of the printer, and a line for everything else that happens."""

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from kiosd_sim.paper import PrintedSlip

KEEP = 50  # pictures of tickets
NAME_COLUMNS = 10
UID = re.compile(r"\[QR ([A-Z0-9-]{1,40})\]")
BOX, PLAIN_BOX = ("┌", "─", "┐", "│", "└", "┘"), ("+", "-", "+", "|", "+", "+")

LINES = {
    "ticket.issued": ("ticket", "{number} drawn, {ahead} waiting before it"),
    "ticket.refused": ("refused", "{service}: {message}"),
    "ticket.called": ("call", "{number} to counter {counter}"),
    "ticket.recalled": ("call", "{number} to counter {counter}, call {call}"),
    "ticket.started": ("start", "{number} at counter {counter} ({identity})"),
    "ticket.no_show": ("absent", "{number} did not come to counter {counter}"),
    "ticket.finished": ("finish", "{number} at counter {counter}"),
    "ticket.cancelled": ("cancel", "{number} {reason}"),
    "ticket.expired": ("expired", "{number}"),
    "ticket.print_failed": ("no paper", "{number} did not come out: {detail}"),
    "ticket.print_uncertain": ("no paper", "{number} may not have come out: {detail}"),
    "counter.opened": ("counter", "{counter} is open"),
    "counter.paused": ("counter", "{counter} is paused"),
    "counter.closed": ("counter", "{counter} is closed"),
    "counter.refused": ("refused", "counter {counter}, {command}: {message}"),
    "rating.given": ("rating", "{number} at counter {counter}: {score}"),
    "rating.corrected": ("rating", "{number} at counter {counter}: {score} instead of {previous}"),
    "rating.ambiguous": ("rating", "{number} at counter {counter}: two buttons at once count for nothing"),
    "rating.ignored": ("refused", "rating {score} at counter {counter} ({reason})"),
    "rating.unattributed": ("refused", "rating {score} at counter {counter}: nobody to rate for"),
    "scan.unattached": ("refused", "scan at counter {counter}: nobody is called or served"),
    "scan.rejected": ("refused", "scan at counter {counter} ({reason})"),
    "device.up": ("device", "{device} works"),
    "device.degraded": ("device", "{device}: {detail}"),
    "device.down": ("device", "{device} is down: {detail}"),
    "system.day_opened": ("day", "{date} begins"),
    "system.day_closed": ("day", "{date} is over: {expired} expired"),
    "system.refused": ("refused", "{source} {command}: {message}"),
}
"""Event -> what its line begins with, and the line. The rest needs none: paper is seen as it comes out."""
SCORES = {4: "4 Sangat Puas", 3: "3 Puas", 2: "2 Kurang Puas", 1: "1 Tidak Puas"}


class Screen:
    """Writes to ``out``, and pictures of tickets to ``pictures``. Text from outside is shown without control characters."""

    def __init__(self, pictures: Path, out: TextIO = sys.stdout) -> None:
        self._pictures, self._out = pictures, out
        self._early: list[str] | None = []
        self._box = BOX if _can_show(out, "".join(BOX)) else PLAIN_BOX

    def say(self, text: str) -> None:
        """Lines of ours."""
        print(text, file=self._out, flush=True)

    def welcome(self, text: str) -> None:
        """All is ready: say so, and then what happened meanwhile (a board lit up, a ticket that was owed came out)."""
        early, self._early = self._early or [], None
        for part in (text, *early):
            self.say(part)

    def _tell(self, text: str) -> None:
        if self._early is None:
            self.say(text)
        else:
            self._early.append(text)

    def line(self, name: str, text: str, time: datetime | None = None) -> None:
        """One line with its time (now)."""
        at = (time or datetime.now().astimezone()).astimezone()
        self._tell(_clean(f"{at:%H:%M:%S}  {name:<{NAME_COLUMNS}}{text}"))

    def record(self, record: dict[str, Any]) -> None:
        """An event, as ``kiosd events --json`` prints it."""
        if (row := LINES.get(record["type"])) is None:
            return
        facts = defaultdict(str, record["data"])
        facts["score"] = SCORES.get(facts["score"], facts["score"])
        self.line(row[0], row[1].format_map(facts), datetime.fromisoformat(record["time"]))

    def board(self, device: str, lines: Sequence[str]) -> None:
        """What a display shows now."""
        if any(lines):  # one that was just switched on is dark
            self.line("board", f"{device}: [{' | '.join(line.strip() for line in lines)}]")

    def voice(self, device: str, text: str) -> None:
        """What is heard now."""
        self.line("voice", f"{device} says: {text}")

    def slip(self, device: str, slip: PrintedSlip) -> None:
        """A ticket came out of the printer ``device``: show it and keep its picture."""
        left_top, across, right_top, down, left_bottom, right_bottom = self._box
        wide = slip.columns + 2
        rows = [f"{down} {_clean(row)[: slip.columns]:<{slip.columns}} {down}" for row in slip.text.splitlines()]
        self.line("paper", f"from {device}:")
        self._tell("\n".join([left_top + across * wide + right_top, *rows, left_bottom + across * wide + right_bottom]))
        self._keep(slip)

    def _keep(self, slip: PrintedSlip) -> None:
        self._pictures.mkdir(parents=True, exist_ok=True)
        uid = UID.search(slip.text)
        slip.save(self._pictures / f"{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}-{uid[1] if uid else 'slip'}.png")
        for old in sorted(self._pictures.glob("*.png"))[:-KEEP]:
            old.unlink(missing_ok=True)


def _can_show(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
