"""The composition root of a hub: Settings to one TaskGroup. The only file that knows everybody.

Order at start: journal, READY; devices and brokers come and go afterwards and are never waited for.
Order at stop: devices and brokers first, then the last event, then the journal.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiosd import __version__
from kiosd.clock import Clock, SystemClock
from kiosd.config import Settings
from kiosd.config.board_checks import BROKER, CENTRAL
from kiosd.errors import JournalError
from kiosd.journal.audit import audit_beside
from kiosd.journal.journal import FILE
from kiosd.links.unix import CONTROL_SOCKET, serve_unix
from kiosd.mqtt.outbox import Outbox
from kiosd.notify import feed, notify, watchdog_interval
from kiosd.queue.commands import ReportDevice, ReportStart, ReportStop, Tick
from kiosd.queue.hours import missing_years
from kiosd.queue.interface import Queue
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.server import serve_queue
from kiosd.queue.settings import QueueSettings
from kiosd.reports import retention
from kiosd.reports.sealing import sheet_maker
from kiosd.reports.service import ReportService
from kiosd.stations.places import Places, Work
from kiosd.stations.scan_key import load_scan_key
from kiosd.stations.ticket_machine import TicketMachine

if TYPE_CHECKING:
    from kiosd.mqtt.scans import ScanForwarder
    from kiosd.mqtt.session import Also

log = logging.getLogger(__name__)

TICK_S = 1.0  # how late a day may open or close
FLUSH_S = 5.0  # how far a cursor on disk may be behind: what a crash sends twice
OF_ITSELF = ("journal", retention.DEVICE)
"""What the daemon reports of itself, as devices."""
STOP_WITHIN_S = 1.5  # for devices and brokers; Ctrl-C ends everything within 2 s


async def serve(settings: Settings, config: Path, state: Path, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set; ``ConfigError`` and ``JournalError`` as ``running`` says."""
    clock = SystemClock(trust_rtc=settings.clock.trust_rtc)
    site_key = load_scan_key(settings.scan.key_file, state)  # what is wrong with it is said before READY
    async with AsyncExitStack() as stack:
        queue = await stack.enter_async_context(open_local(state, settings.queue, clock))
        control = await stack.enter_async_context(serve_unix(state / CONTROL_SOCKET))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        asked, reports = asyncio.Event(), ReportService(config, state / FILE)
        make_sheet, keep_days = sheet_maker(settings.queue), settings.journal.keep_days
        keeping = retention.Retention(queue, state / FILE, make_sheet, keep_days, tuple(settings.mqtt), clock)
        outbox = Outbox(settings.mqtt, queue, queue.cursors, state / FILE)
        more, audit = {"outbox": outbox.tell, "replay": outbox.repeat}, partial(audit_beside, state)
        core = [
            group.create_task(queue.run()),
            group.create_task(serve_queue(queue, control, audit, asked, report=reports, erase=keeping.erase, more=more)),
            group.create_task(_tick(queue, clock, settings.queue)),
            group.create_task(_flush(queue, clock)),
            group.create_task(_watchdog(queue, clock)),
            group.create_task(_audit(queue, state)),
            group.create_task(keeping.run()),
        ]
        await queue.execute(ReportStart(version=__version__, config_hash=settings.hash))
        await asked.wait()
        edge = group.create_task(_edge(settings, site_key, queue, clock, outbox))
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


async def _tick(queue: LocalQueue, clock: Clock, settings: QueueSettings) -> None:
    warned: tuple[int, ...] = ()
    while True:
        await queue.tick()
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
    """Feed systemd's watchdog only after a round trip through loop, rules and the journal's lane, and while the vital threads live."""
    interval = watchdog_interval()
    while interval is not None:
        await queue.execute(Tick())
        await queue.round_trip()
        feed(clock.now().monotonic)
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


async def _edge(settings: Settings, site_key: bytes, queue: LocalQueue, clock: Clock, outbox: Outbox) -> None:
    """Everything that touches the outside: stations with their devices, and uplinks."""
    scans = _scan_forwarder(settings)
    async with asyncio.TaskGroup() as tasks:
        for work in (*_stations(settings, site_key, queue, clock, scans), *_uplinks(settings, queue, clock, outbox, scans)):
            tasks.create_task(work)


def _scan_forwarder(settings: Settings) -> "ScanForwarder | None":
    """The way of what is scanned to the central system, past the queue, if the site has turned that on."""
    central = settings.mqtt.get(CENTRAL)
    if central is None or not central.forward_scans:
        return None
    from kiosd.mqtt.scans import ScanForwarder
    from kiosd.mqtt.topics import Topics

    return ScanForwarder(Topics(central.prefix, settings.site.id, settings.node.id))


def _stations(settings: Settings, site_key: bytes, queue: Queue, clock: Clock, scans: "ScanForwarder | None") -> list[Work]:
    places = Places(queue, clock, settings.devices, settings.site.language, forward=scans.forward if scans is not None else None)
    work: list[Work] = places.hotplug()
    machine = settings.ticket_machine
    if machine is not None:
        tickets = TicketMachine(
            queue, clock, settings.queue, machine.printer or "none", machine.spare, machine.without_paper, machine.block_size
        )  # fmt: skip
        work += [tickets.run(), *places.device(machine.buttons, tickets.use_buttons, "ticket")]
        for printer in (machine.printer, machine.spare):
            work += places.device(printer, tickets.use_printer)
    of_machine = frozenset(filter(None, (machine.buttons, machine.printer, machine.spare))) if machine is not None else frozenset()
    work += places.call_board(settings.call_board, of_machine) + places.voice(settings.voice, settings.site.timezone)
    for number, desk in settings.counters.items():
        work += places.counter(number, desk, site_key)
    return work


def _uplinks(
    settings: Settings, queue: LocalQueue, clock: Clock, outbox: Outbox, scans: "ScanForwarder | None"
) -> list[Coroutine[Any, Any, None]]:
    if not settings.mqtt:
        return []
    from kiosd.mqtt.session import run_session

    devices = frozenset({*settings.devices, *settings.satellites, *(f"mqtt-{name}" for name in settings.mqtt), *OF_ITSELF})
    also: dict[str, Sequence[Also]] = {BROKER: _satellites(settings, queue, clock), CENTRAL: (scans.over,) if scans is not None else ()}
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
            devices=devices,
            attach=outbox.attach,
            also=also[name],
        )
        for name, mqtt in settings.mqtt.items()
    ]


def _satellites(settings: Settings, queue: LocalQueue, clock: Clock) -> Sequence["Also"]:
    """What serves the satellites, over the site broker's link."""
    if not settings.satellites:
        return ()
    from kiosd.mqtt.satellites import serve_satellites
    from kiosd.mqtt.topics import Topics

    topics = Topics(settings.mqtt[BROKER].prefix, settings.site.id, settings.node.id)
    return (partial(serve_satellites, queue, topics, settings.satellites, clock, settings.site.language),)
