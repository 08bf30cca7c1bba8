"""A broker on another machine that is spoken to in clear. It takes ``insecure = true``, and is said again and again while it is so."""

import logging
from collections.abc import Callable

from kiosd.clock import Clock, Moment
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.troubles import Trouble

log = logging.getLogger(__name__)

AGAIN_S = 6 * 3600.0  # four times a day: whoever looks into a day's log meets it
IN_CLEAR = Trouble("insecure", "everything, the password too, crosses the network in clear: give ca_file for TLS")


async def warn_in_clear(name: str, mqtt: MqttSettings, clock: Clock) -> None:
    """Say in the log that ``[mqtt.<name>]`` is spoken to in clear, now and for ever; returns at once when it is not."""
    while mqtt.in_clear:
        log.warning("mqtt %s: insecure = true: %s", name, IN_CLEAR.detail)
        await clock.sleep(AGAIN_S)


def or_in_clear(mqtt: MqttSettings, trouble: Callable[[Moment], Trouble | None]) -> Callable[[Moment], Trouble | None]:
    """``trouble``, and when there is none, that the broker is spoken to in clear, if it is."""
    return lambda now: trouble(now) or (IN_CLEAR if mqtt.in_clear else None)
