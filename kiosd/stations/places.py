"""Devices at their places: each under its own supervision, used by the station of that place. The same on a hub and on a satellite."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from kiosd.clock import Clock
from kiosd.config import CallBoardSettings, DeviceSettings
from kiosd.config.model import DeskSettings, VoiceSettings
from kiosd.hotplug import Plugs, watch
from kiosd.queue.commands import ReportDevice
from kiosd.queue.interface import Queue
from kiosd.queue.settings import Language, Timezone
from kiosd.registry import find
from kiosd.stations.call_board import CallBoard
from kiosd.stations.counter import CounterStation, Forward
from kiosd.stations.rating_panel import RatingPanel
from kiosd.stations.voice import QuietHours, Voice
from kiosd.supervisor import Health, State, supervise

Work = Coroutine[Any, Any, None]
Use = Callable[[Any, Health], Awaitable[None]]


def as_it_is(use: Use) -> Use:
    """For a queue that is always there."""
    return use


class Places:
    """Makes the work of each place. ``shown`` is put around the use of devices that show the queue's state from its beginning on.

    ``forward`` gets what is scanned, where the site tells that to the central system. ``plugs`` tells when something was plugged in.
    """

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        devices: Mapping[str, DeviceSettings],
        language: Language,
        shown: Callable[[Use], Use] = as_it_is,
        forward: Forward | None = None,
        plugs: Plugs | None = None,
    ) -> None:
        self._queue, self._clock, self._devices, self._shown, self._forward = queue, clock, devices, shown, forward
        self._language: Language = language
        self._plugs = plugs or Plugs()

    def device(self, name: str | None, use: Use, role: str = "") -> list[Work]:
        """The device ``name`` under supervision; nothing without a name. ``role``: what its place makes of its settings."""
        if name is None:
            return []
        driver, config = find(self._devices[name].driver), self._devices[name].config
        config = config.at_place(role) if role else config
        return [supervise(partial(driver.open, config), use, Health(name, self._report), self._clock, self._plugs)]

    def hotplug(self) -> list[Work]:
        """The watch on what is plugged in; nothing for a board without devices."""
        return [watch(self._plugs, self._clock)] if self._devices else []

    async def _report(self, device: str, health: State, code: str, detail: str) -> None:
        await self._queue.execute(ReportDevice(device=device, state=health, code=code[:32], detail=detail))

    def counter(self, number: int, desk: DeskSettings, site_key: bytes) -> list[Work]:
        """What is on the desk of a counter."""
        station = CounterStation(self._queue, self._clock, number, site_key, self._forward)
        return [
            *self.device(desk.keys, station.use_keys, "keys"),
            *self.device(desk.scanner, station.use_scanner),
            *self.device(desk.rating, self._shown(RatingPanel(self._queue, self._clock, number).use), "rating"),
            *self.device(desk.display, self._shown(CallBoard(self._queue, self._clock, self._language, number).use)),
        ]

    def call_board(self, board: CallBoardSettings | None, machine: frozenset[str] = frozenset()) -> list[Work]:
        """The displays that show every call; ``machine`` names the ticket machine's devices."""
        names = board.displays if board is not None else ()
        boards = {name: CallBoard(self._queue, self._clock, self._language, machine=machine) for name in names}
        return [work for name, board in boards.items() for work in self.device(name, self._shown(board.use))]

    def voice(self, voice: VoiceSettings | None, timezone: Timezone) -> list[Work]:
        """What says every call. ``timezone``: the site's."""
        if voice is None:
            return []
        quiet = QuietHours(voice.quiet, ZoneInfo(timezone))
        station = Voice(self._queue, self._clock, self._language, voice.repeat, voice.max_age_s, voice.numbers, quiet)
        return self.device(voice.announcer, self._shown(station.use))
