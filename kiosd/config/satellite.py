"""Settings of a satellite: devices, and where its hub is. What the hub knows stands in the hub's configuration alone."""

from typing import Literal

from kiosd.config.model import (
    CallBoardSettings,
    ClockSettings,
    DeskSettings,
    DeviceSettings,
    LogSettings,
    NodeId,
    SatelliteId,
    ScanSettings,
    VoiceSettings,
)
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.fields import Section
from kiosd.queue.settings import Language, SiteId, Timezone


class SatelliteSiteSettings(Section):
    """The site of the hub: ``id`` is in topics, ``timezone`` and ``language`` are for what this board shows by itself."""

    id: SiteId
    timezone: Timezone = "Asia/Jakarta"
    language: Language = "id"


class SatelliteNodeSettings(Section):
    """This board, and the hub that it belongs to."""

    id: SatelliteId
    role: Literal["satellite"]
    hub: NodeId = "hub"


class SatelliteSettings(Section):
    """A whole, checked configuration of a satellite. ``hash`` as in ``Settings``."""

    hash: str
    site: SatelliteSiteSettings
    node: SatelliteNodeSettings
    clock: ClockSettings
    counters: dict[int, DeskSettings]
    call_board: CallBoardSettings | None
    voice: VoiceSettings | None = None
    scan: ScanSettings
    mqtt: dict[str, MqttSettings]
    devices: dict[str, DeviceSettings]
    log: LogSettings

    @property
    def broker(self) -> MqttSettings:
        """The site's broker."""
        return self.mqtt["site"]
