"""A hub and its satellites: in this process over a real broker, with real drivers on simulated hardware; and as processes."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import tomli_w

from kiosd.clock import Clock, SystemClock
from kiosd.config import load_any
from kiosd.config.model import EnrolledSettings
from kiosd.config.satellite import SatelliteSettings
from kiosd.mqtt.satellites import serve_satellites
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import IssueTicket, OpenCounter
from kiosd.queue.events import Record
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.settings import CounterQueueSettings, HoursSettings, QueueSettings, RuleSettings, ServiceSettings, SiteSettings
from kiosd.queue.steady import Steady
from kiosd.satellite import at_work
from kiosd_sim.board import SimBoard
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.pins import SOCKET_ENV, Pins
from kiosd_sim.scanner import SimScanner
from support.kiosk import DAYS, Kiosk
from support.mqtt_peer import CORRELATION, RESPONSE_TOPIC, USER, Peer
from support.sim_pins import simulated_pins, until

NODE = "loket-1"
ROOT = f"kiosd/1/cth01/hub/sat/{NODE}"
KEY = b"k" * 32
PINS = {"next": 5, "start": 6, "finish": 13, "recall": 19}
SCORES = {"4": 17, "3": 27, "2": 22, "1": 23}
READY, RATE = 12, 24
LIMIT_S = 30.0
NOBODY = 0x10


def always_open(counters: int = 2) -> QueueSettings:
    """A site with services F and G, open round the clock."""
    numbers = range(1, counters + 1)
    return QueueSettings(
        site=SiteSettings(id="CTH01", name="KIOS CONTOH", type=3),
        services={letter: ServiceSettings(name=f"Layanan {letter}", short=letter) for letter in "FG"},
        counters={number: CounterQueueSettings.model_validate({"services": ["F", "G"]}) for number in numbers},
        hours=HoursSettings.model_validate({day: ["00:00-24:00"] for day in DAYS}),
        rules=RuleSettings(recall_gap_s=0.0),
    )


class Hub:
    """A running hub; ``log`` are its events."""

    def __init__(self, queue: LocalQueue) -> None:
        self.queue = queue
        self.log: list[Record] = []
        self._came = asyncio.Event()

    async def follow(self) -> None:
        async for record in self.queue.events(0):
            self.log.append(record)
            self._came.set()

    async def until(self, kind: str, **fields: object) -> Record:
        """The first event of this kind with these fields, once there is one."""
        while True:
            for record in self.log:
                if record.event.type == kind and all(getattr(record.event, name) == value for name, value in fields.items()):
                    return record
            self._came.clear()
            await self._came.wait()

    async def kinds(self) -> list[str]:
        """The types of all events about tickets and counters: of everything that is decided by now."""
        while len(self.log) < self.queue.book.seq:
            self._came.clear()
            await self._came.wait()
        return [record.event.type for record in self.log if record.event.type.startswith(("ticket.", "counter."))]

    async def issue(self, count: int = 1) -> None:
        """People come."""
        await self.queue.execute(OpenCounter(counter=1))
        for _ in range(count):
            assert (await self.queue.execute(IssueTicket(service="F", slip=False, actor="receptionist"))).done


@asynccontextmanager
async def hub(
    state: Path, port: int, clock: Clock | None = None, counters: int = 2, satellites: dict[str, tuple[int, ...]] | None = None
) -> AsyncIterator[Hub]:
    """The hub's queue on the journal in ``state``, served to ``satellites`` (``NODE`` with counter 1) through the broker at ``port``."""
    clock, settings = clock or SystemClock(trust_rtc=True), always_open(counters)
    enrolled = {node: EnrolledSettings(counters=mine) for node, mine in (satellites or {NODE: (1,)}).items()}
    mqtt = MqttSettings(host="127.0.0.1", port=port)
    serve = partial(serve_satellites, topics=Topics(mqtt.prefix, "CTH01", "hub"), satellites=enrolled, clock=clock, language="id")
    state.mkdir(exist_ok=True)
    async with open_local(state, settings, clock) as queue, asyncio.TaskGroup() as core:
        it = Hub(queue)
        session = run_session(
            "site", mqtt, site="CTH01", node="hub", config_hash="x", queue=queue, cursors=queue.cursors, clock=clock,
            also=[lambda link: serve(queue, link=link)],
        )  # fmt: skip
        tasks = [core.create_task(work) for work in (queue.run(), it.follow(), session)]
        yield it
        tasks[2].cancel()
        await asyncio.wait({tasks[2]})
        for task in tasks:
            task.cancel()


class Desk:
    """The far side of a satellite's devices."""

    def __init__(self, folder: Path) -> None:
        self.display = SimBoard(folder / "display", CustomerDisplay("cd5220"))
        self.scanner = SimScanner(folder / "scanner")
        self.pins = Pins(folder / "pins")

    async def shows(self, *words: str, timeout_s: float = 5.0) -> None:
        """Wait until the display shows all these."""
        await self.display.shows(lambda lines: all(word in " ".join(lines) for word in words), timeout_s)

    def press(self, name: str) -> None:
        """Press a key or a rating button; nobody is so quick that it bounces."""
        self.pins.press(PINS.get(name) or SCORES[name], 0.0)

    async def lamp(self, pin: int, lit: bool) -> None:
        """Wait until a lamp is lit, or is not."""

        def is_so() -> bool:
            state = self.pins.state().get(pin)
            return state is not None and state.level is lit

        await until(is_so)


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk whose devices are plugged in."""
    it = Desk(folder)
    with it.display.port.plugged(), it.scanner.port.plugged():
        yield it


def write_config(folder: Path, port: int, far: Desk, node: str = NODE, counter: int = 1, more: str = "") -> Path:
    """A satellite's configuration with everything a desk can have."""
    devices = {
        "keys": {"driver": "gpio_buttons", "buttons": PINS, "lamps": {"ready": READY}, "hold_off_s": 0.0},
        "rating": {"driver": "gpio_buttons", "buttons": SCORES, "lamps": {"rate": RATE}, "hold_off_s": 0.0},
        "scanner": {"driver": "serial_scanner", "port": str(far.scanner.port.link)},
        "display": {"driver": "serial_display", "port": str(far.display.port.link), "protocol": "cd5220"},
    }
    document = {
        "site": {"id": "CTH01"},
        "node": {"id": node, "role": "satellite"},
        "clock": {"trust_rtc": True},
        "mqtt": {"site": {"host": "127.0.0.1", "port": port}},
        "counters": {str(counter): {name: name for name in devices}},
        "devices": devices,
    }
    path = folder / f"{node}.toml"
    path.write_text(tomli_w.dumps(document) + more)
    return path


@asynccontextmanager
async def satellite(config: Path, clock: Clock | None = None) -> AsyncIterator[Steady]:
    """The satellite of ``config``, at work in this process."""
    settings = load_any(config)
    assert isinstance(settings, SatelliteSettings)
    state = config.parent / "satellite"
    state.mkdir(exist_ok=True)
    async with at_work(settings, KEY, state, clock or SystemClock(trust_rtc=True)) as queue:
        yield queue


async def reached(queue: Steady) -> None:
    """Wait until the satellite is in touch with its hub."""
    await until(lambda: not queue.away, 10.0)


@asynccontextmanager
async def working(
    folder: Path, port: int, far: Desk, clock: Clock | None = None, wire: int | None = None
) -> AsyncIterator[tuple[Hub, Steady]]:  # fmt: skip
    """A hub and its satellite, in touch, and two people waiting. ``wire``: the satellite's own way to the broker at ``port``."""
    async with asyncio.timeout(LIMIT_S), hub(folder / "hub", port) as it:
        await it.issue(2)
        async with satellite(write_config(folder, wire or port, far), clock) as queue:
            await reached(queue)
            await far.shows("Silakan ambil nomor")
            await far.lamp(READY, True)
            yield it, queue


@contextmanager
def pins(folder: Path) -> Iterator[None]:
    """gpiozero's pins of this process are simulated ones."""
    with simulated_pins(folder):
        yield


class SatelliteProcess(Kiosk):
    """The real program as a satellite."""

    def __init__(self, folder: Path, config: Path, environ: Callable[[], dict[str, str]] = dict) -> None:
        folder.mkdir(exist_ok=True)
        self.state, self.config, self.log = folder / "state", config, folder / "kiosd.log"
        self.state.mkdir(exist_ok=True)
        (self.state / "scan.key").write_bytes(KEY)
        (self.state / "scan.key").chmod(0o600)
        self._prefix, self.process, self._environ = [], None, environ

    def spawn(self, environ: dict[str, str], volatile: bool = True) -> None:
        super().spawn(environ | self._environ(), volatile)


def on_pins(folder: Path) -> Callable[[], dict[str, str]]:
    """The environment of a process whose pins are worked at ``folder / "pins"``."""
    return lambda: {"GPIOZERO_PIN_FACTORY": "kiosd_sim", SOCKET_ENV: os.fspath(folder / "pins")}


def hub_process(folder: Path, port: int) -> Kiosk:
    """The real program as a hub of ``NODE`` with counter 1."""
    folder.mkdir(exist_ok=True)
    more = f'[mqtt.site]\nhost = "127.0.0.1"\nport = {port}\n[satellites.{NODE}]\ncounters = [1]\n'
    return Kiosk(folder, more=more)


async def ask(it: Peer, topic: str, body: dict[str, Any], meant: str | None, retain: bool = False, root: str = ROOT) -> Any:
    """The hub's answer to a message as a satellite could send it; ``meant`` is its property ``until``."""
    reply, correlation = f"{root}/reply/{uuid4()}", uuid4().bytes
    it.subscribe(reply)
    properties: dict[int, Any] = {RESPONSE_TOPIC: reply, CORRELATION: correlation}
    if meant is not None:
        properties[USER] = [("until", meant)]
    heard = NOBODY
    while heard == NOBODY:  # the hub may not be listening yet
        sent = it.publish(f"{root}/{topic}", json.dumps(body).encode(), retain, properties=properties)
        await it.until(partial(it.acks.__contains__, sent))
        heard = it.acks[sent]
    await it.until(lambda: it.on(reply))
    return it.on(reply)[0].json


async def in_a_second(it: Peer, seconds: float = 1.0) -> str:
    """The hub's time, ``seconds`` from now, as ``until`` tells it."""
    now = (await ask(it, "ask/time", {}, None))["result"]
    return f"{now['boot']}/{now['monotonic'] + seconds:.3f}"
