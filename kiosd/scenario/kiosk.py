"""What a kiosk does of itself in a scenario, as daemon and ticket machine do: start, devices, paper, opening and closing of days."""

from kiosd import __version__
from kiosd.clock import ManualClock
from kiosd.config import Settings
from kiosd.ports import CANNOT_PRINT
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.queue.day import due
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue
from kiosd.queue.settings import Language
from kiosd.scenario.timeline import Act, Timeline
from kiosd.stations.ticket_paper import BACK_SOON_S, NOT_READY_S, PRINT_WITHIN_S

PRINTING_S = 2.0
TICK_S = 60.0  # everything that is due of itself is due at a full minute
VERSION = f"{__version__}+scenario"
"""What ``system.started`` of a made-up journal tells instead of a version."""
NOTE: dict[Language, str] = {
    "id": "SKENARIO {name}: data buatan untuk latihan dan uji, bukan kejadian nyata.",
    "en": "SCENARIO {name}: made-up data for training and tests, nothing of it happened.",
}
"""Stands among the manager's notes of each month, so that every report says it."""


class Kiosk:
    """Board, devices and clock of the site, without any of them."""

    def __init__(self, queue: LocalQueue, clock: ManualClock, settings: Settings, timeline: Timeline) -> None:
        self._queue, self._clock, self._settings, self._timeline = queue, clock, settings, timeline
        machine = settings.ticket_machine
        self._prints, self._printer = machine is not None, (machine.printer if machine else None)

    def start(self) -> Act:
        """The daemon starts and finds its journal whole and all devices there."""
        yield cmd.ReportStart(version=VERSION, config_hash=self._settings.hash)
        for device in ("journal", *self._settings.devices):
            yield cmd.ReportDevice(device=device, state="ok")

    def stop(self) -> Act:
        """The daemon ends in good order."""
        yield cmd.ReportStop()

    def ticks(self) -> Act:
        """Open and close days. The daemon asks each second; here only when something is due, which makes the same events."""
        while True:
            if due(self._queue.book, self._clock.now(), self._settings.queue):
                yield cmd.Tick()
            yield TICK_S

    def after(self, command: Command, reply: Reply) -> None:
        """Paper follows a ticket."""
        if not (self._prints and reply.done):
            return
        if isinstance(command, cmd.ReprintTicket) or (isinstance(command, cmd.IssueTicket) and command.slip):
            uid: str = reply.result["ticket"]
            self._timeline.add(0, f"paper/{uid}/{reply.sequence}", self._paper(uid, isinstance(command, cmd.ReprintTicket)))

    def _paper(self, ticket: str, copy: bool) -> Act:
        """A slip waits half a minute for a printer that went just now, and not at all for one that cannot print as it is owed."""
        left = 0.0 if self._hopeless() else PRINT_WITHIN_S
        device = self._printer or "none"
        while left > 0 and not self._ready():
            yield NOT_READY_S
            left -= NOT_READY_S
        if left <= 0:
            yield cmd.ReportPaper(
                ticket=ticket, outcome="failed", device=device, detail="no printer could print it in time", reprint=copy
            )  # fmt: skip
            return
        yield PRINTING_S
        yield cmd.ReportPaper(ticket=ticket, outcome="printed", device=device, reprint=copy)

    def _ready(self) -> bool:
        health = self._queue.book.devices.get(self._printer or "")
        return health is not None and health.state != "down" and health.code not in CANNOT_PRINT

    def _hopeless(self) -> bool:
        health = self._queue.book.devices.get(self._printer or "")
        if health is None or health.code in CANNOT_PRINT:
            return True
        return health.state == "down" and (self._clock.now().time - health.since).total_seconds() > BACK_SOON_S
