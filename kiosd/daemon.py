"""The composition root: Settings to one TaskGroup. The only file that knows everybody.

Order at start: configuration, lock, journal, READY; devices and brokers come and go afterwards and are never waited for.
Order at stop: devices and brokers first, then the last event, then the journal.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from kiosd import __version__
from kiosd.clock import Clock, SystemClock
from kiosd.config import Settings, load
from kiosd.errors import ConfigError, JournalError, KiosdError
from kiosd.journal.audit import audit_beside
from kiosd.journal.journal import FILE
from kiosd.journal.place import lock, refuse_fleeting
from kiosd.links.unix import serve_unix
from kiosd.logs import setup
from kiosd.notify import notify, watchdog_interval
from kiosd.queue.commands import ReportDevice, ReportStart, ReportStop, Tick
from kiosd.queue.hours import missing_years
from kiosd.queue.interface import Queue
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.server import serve_queue
from kiosd.queue.settings import QueueSettings
from kiosd.registry import find
from kiosd.reports.retention import Retention
from kiosd.reports.sealing import sheet_maker
from kiosd.reports.service import ReportService
from kiosd.stations.call_board import CallBoard
from kiosd.stations.counter import CounterStation
from kiosd.stations.rating_panel import RatingPanel
from kiosd.stations.scan_key import load_scan_key
from kiosd.stations.ticket_machine import TicketMachine
from kiosd.supervisor import Health, State, supervise

log = logging.getLogger(__name__)

CONTROL_SOCKET = "control.sock"
TICK_S = 1.0  # how late a day may open or close
FLUSH_S = 5.0  # how far a cursor on disk may be behind: what a crash sends twice
STOP_WITHIN_S = 1.5  # for devices and brokers; Ctrl-C ends everything within 2 s


def run_daemon(config: Path, state: Path, allow_volatile: bool = False) -> int:
    """Run until SIGTERM or SIGINT; the exit status: 0, 78 for a wrong configuration, 74 for a journal that failed."""
    setup("info")
    try:
        settings = load(config)
        setup(settings.log.level)
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not allow_volatile:
            refuse_fleeting(state)
        with lock(state):
            asyncio.run(_serve(settings, config, state))
    except BaseException as exc:  # noqa: BLE001 - what is not ours is raised again
        return _exit_status(exc)
    return 0


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


async def _serve(settings: Settings, config: Path, state: Path) -> None:
    clock = SystemClock(trust_rtc=settings.clock.trust_rtc)
    site_key = load_scan_key(settings.scan.key_file, state)  # what is wrong with it is said before READY
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        queue = await stack.enter_async_context(open_local(state, settings.queue, clock))
        control = await stack.enter_async_context(serve_unix(state / CONTROL_SOCKET))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        asked, reports = asyncio.Event(), ReportService(config, state / FILE)
        make_sheet, keep_days = sheet_maker(settings.queue), settings.journal.keep_days
        retention = Retention(queue, state / FILE, make_sheet, keep_days, tuple(settings.mqtt), clock)
        core = [
            group.create_task(queue.run()),
            group.create_task(serve_queue(queue, control, partial(audit_beside, state), asked, report=reports, erase=retention.erase)),
            group.create_task(_tick(queue, clock, settings.queue)),
            group.create_task(_flush(queue, clock)),
            group.create_task(_watchdog(queue, clock)),
            group.create_task(_audit(queue, state)),
            group.create_task(retention.run()),
        ]
        await queue.execute(ReportStart(version=__version__, config_hash=settings.hash))
        await asked.wait()
        edge = group.create_task(_edge(settings, site_key, queue, clock))
        notify("READY=1", f"STATUS=site {settings.site.id}, {len(settings.devices)} devices")
        log.info("kiosd %s serves site %s from %s", __version__, settings.site.id, state)
        await stop.wait()
        notify("STOPPING=1")
        edge.cancel()
        await asyncio.wait({edge}, timeout=STOP_WITHIN_S)
        await queue.execute(ReportStop())
        for task in core:
            task.cancel()
    log.info("stopped in good order")


async def _tick(queue: Queue, clock: Clock, settings: QueueSettings) -> None:
    warned: tuple[int, ...] = ()
    while True:
        await queue.execute(Tick())
        missing = missing_years(settings, clock.now().time.astimezone(settings.site.zone))
        if missing != warned:
            warned = missing
            for year in missing:
                log.warning("no calendar for %d: its holidays are taken for ordinary weekdays; name a file in [hours] calendars", year)
        await clock.sleep(TICK_S)


async def _flush(queue: LocalQueue, clock: Clock) -> None:
    while True:
        await clock.sleep(FLUSH_S)
        await queue.flush()


async def _watchdog(queue: LocalQueue, clock: Clock) -> None:
    """Feed systemd's watchdog only after a round trip through the loop, the rules and the journal's lane."""
    interval = watchdog_interval()
    while interval is not None:
        await queue.execute(Tick())
        await queue.round_trip()
        notify("WATCHDOG=1")
        await clock.sleep(interval)


async def _audit(queue: Queue, state: Path) -> None:
    """Check the whole journal beside the service; the outcome is the health of the device ``journal``."""
    try:
        found = await audit_beside(state)
    except JournalError as exc:
        log.critical("%s", exc)
        await queue.execute(ReportDevice(device="journal", state="down", code="damaged", detail=str(exc)[:200]))
    else:
        log.info("journal checked: %d events, chain whole", found["events"])
        await queue.execute(ReportDevice(device="journal", state="ok"))


async def _edge(settings: Settings, site_key: bytes, queue: LocalQueue, clock: Clock) -> None:
    """Everything that touches the outside: stations with their devices, and uplinks."""
    async with asyncio.TaskGroup() as tasks:
        for work in (*_stations(settings, site_key, queue, clock), *_uplinks(settings, queue, clock)):
            tasks.create_task(work)


def _stations(settings: Settings, site_key: bytes, queue: Queue, clock: Clock) -> list[Coroutine[Any, Any, None]]:
    async def report(device: str, health: State, code: str, detail: str) -> None:
        await queue.execute(ReportDevice(device=device, state=health, code=code[:32], detail=detail))

    def device(name: str | None, use: Any) -> list[Coroutine[Any, Any, None]]:
        if name is None:
            return []
        driver, config = find(settings.devices[name].driver), settings.devices[name].config
        return [supervise(partial(driver.open, config), use, Health(name, report), clock)]

    work: list[Coroutine[Any, Any, None]] = []
    language = settings.site.language
    machine = settings.ticket_machine
    if machine is not None:
        tickets = TicketMachine(queue, clock, settings.queue, machine.printer or "none")
        work += [tickets.run(), *device(machine.buttons, tickets.use_buttons), *device(machine.printer, tickets.use_printer)]
    of_machine = frozenset(filter(None, (machine.buttons, machine.printer))) if machine is not None else frozenset()
    for name in settings.call_board.displays if settings.call_board else ():
        work += device(name, CallBoard(queue, clock, language, machine=of_machine).use)
    for number, desk in settings.counters.items():
        counter = CounterStation(queue, clock, number, settings.rules.max_calls, site_key)
        work += device(desk.keys, counter.use_keys)
        work += device(desk.scanner, counter.use_scanner)
        work += device(desk.rating, RatingPanel(queue, clock, number).use)
        work += device(desk.display, CallBoard(queue, clock, language, number).use)
    return work


def _uplinks(settings: Settings, queue: LocalQueue, clock: Clock) -> list[Coroutine[Any, Any, None]]:
    if not settings.mqtt:
        return []
    from kiosd.mqtt.session import run_session

    return [
        run_session(
            name,
            mqtt,
            site=settings.site.id,
            node=settings.node.id,
            config_hash=settings.hash,
            queue=queue,
            cursors=queue.cursors,
            clock=clock,
        )
        for name, mqtt in settings.mqtt.items()
    ]
