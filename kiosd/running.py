"""``kiosd run``: the configuration tells whether this board is a hub or a satellite; each imports only what it needs."""

import asyncio
import gc
import logging
import signal
from pathlib import Path

from kiosd.config import SatelliteSettings, Settings, load_any
from kiosd.errors import ConfigError, JournalError, KiosdError
from kiosd.journal.place import lock, refuse_fleeting
from kiosd.logs import setup
from kiosd.notify import notify

log = logging.getLogger(__name__)


def run_daemon(config: Path, state: Path, allow_volatile: bool = False) -> int:
    """Run until SIGTERM or SIGINT; the exit status: 0, 78 for a wrong configuration, 74 for a journal that failed."""
    setup("info")
    try:
        settings = load_any(config)
        setup(settings.log.level)
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not allow_volatile:
            refuse_fleeting(state)
        with lock(state):
            asyncio.run(_served(settings, config, state))
    except BaseException as exc:  # noqa: BLE001 - what is not ours is raised again
        return _exit_status(exc)
    return 0


async def _served(settings: Settings | SatelliteSettings, config: Path, state: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if isinstance(settings, SatelliteSettings):
        from kiosd import satellite

        serving = satellite.serve(settings, state, stop)
    else:
        from kiosd import daemon

        serving = daemon.serve(settings, config, state, stop)
    gc.freeze()  # what was loaded stays: a full collection, rare as it is, then holds up a press for 14 ms and not for 44 or more
    await serving


def _exit_status(exc: BaseException) -> int:
    """Say why we leave and with which status; raise what is nobody's on purpose."""
    while isinstance(exc, BaseExceptionGroup):
        wanted = [one for one in exc.exceptions if isinstance(one, KiosdError | BaseExceptionGroup)]
        exc = (wanted or list(exc.exceptions))[0]
    if isinstance(exc, ConfigError | JournalError):
        lines = str(exc).splitlines()
        for line in lines:
            log.critical("%s", line)
        notify(f"STATUS={lines[0]}")
        return exc.exit_status
    raise exc
