"""``forward_scans``: what was scanned reaches the central system, over TLS, and is nowhere else."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Message
from kiosd.mqtt.scans import ScanForwarder
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.topics import ROWS, Topics
from kiosd.queue import commands as cmd
from kiosd.queue.interface import Reply
from kiosd.stations.counter import CounterStation, token
from support.fardevices import FarScanner
from support.farinputs import line_scanner
from support.kiosk import Kiosk as Process
from support.mqtt_peer import until
from support.sitebroker import ROOT, SiteBroker, Somebody, site_broker
from support.small_config import changed, errors
from support.stationkiosk import Kiosk, kiosk

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
"""paho leaves its pair of sockets to the garbage collector."""
TOPICS = Topics("kiosd", "CTH01", "hub")
SITE_KEY = b"k" * 32
CARD = "3201150101900001/DEWI LESTARI"
PIECES = (CARD.encode(), b"DEWI", b"3201150101900001", b"150101900001")
RAW = f"{ROOT}/scan/raw"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho left is collected here, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteBroker]:
    """The central broker, where the kiosk's user may write scans and the reader may read them."""
    folder = tmp_path_factory.mktemp("central")
    changes = {"autosave_interval 30": "autosave_interval 1"}
    with site_broker(folder, "hub", "reader", changes=changes) as it:
        acl = (folder / "kiosd.acl").read_text().replace(f"topic deny {ROOT}/scan/#\n", "")
        (folder / "kiosd.acl").write_text(f"{acl}\nuser reader\ntopic read {RAW}\n")
        it.stop()
        it.start()
        yield it


@dataclass
class Desk:
    """Counter 1 with a scanner, somebody at it, and the central system that reads scans."""

    kiosk: Kiosk
    scanner: FarScanner
    reader: Somebody
    forwarder: ScanForwarder

    async def call(self) -> None:
        await self.kiosk.do(cmd.IssueTicket(service="A", slip=False), cmd.CallNext(counter=1))

    def read(self) -> list[Any]:
        return [json.loads(message.payload) for message in self.reader.messages]


@asynccontextmanager
async def desk(central: SiteBroker, folder: Path, state: Path, uplink: bool = True) -> AsyncIterator[Desk]:
    state.mkdir()
    reader = Somebody(central, "reader")
    given = {"host": "127.0.0.1", "port": central.port, "ca_file": central.folder / "ca.crt", "forward_scans": True}
    mqtt = MqttSettings.model_validate(given | {"username": "hub", "password_file": central.secret("hub")})
    forwarder = ScanForwarder(TOPICS)
    async with line_scanner(folder) as far, kiosk(state) as it:
        station = CounterStation(it.queue, it.clock, 1, SITE_KEY, forwarder.forward)
        it.device("scanner", "serial_scanner", far.config, station.use_scanner)
        await it.up("scanner")
        await (await reader.connect()).subscribe(RAW, qos=0)
        if uplink:
            it.run(
                run_session(
                    "central", mqtt, site="CTH01", node="hub", config_hash="x", queue=it.queue, cursors=it.queue.cursors,
                    clock=SystemClock(), also=(forwarder.over,),
                )
            )  # fmt: skip
            await until(lambda: forwarder._link is not None and forwarder._link.connection is not None)
        try:
            yield Desk(it, far, reader, forwarder)
        finally:
            reader.close()


def found(place: bytes) -> list[bytes]:
    return [piece for piece in PIECES if piece in place]


def on_disk(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())


async def test_a_scan_reaches_the_central_system_and_nothing_else(
    central: SiteBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with desk(central, tmp_path, tmp_path / "state") as it:
        await it.call()
        await it.scanner.scan(CARD)
        await until(it.read)
        read = await it.kiosk.event("scan.read")
        body: dict[str, Any] = {"counter": 1, "ticket": "CTH01-20260701-A001", "token": token(SITE_KEY, CARD), "payload": CARD}
        assert it.read() == [body]
        assert read.token == body["token"]
        (message,) = it.reader.messages
        assert (message.topic, message.retain) == (RAW, False)
        assert message.properties is not None
        assert 58 <= vars(message.properties)["MessageExpiryInterval"] <= 60
        await it.kiosk.queue.flush()
        assert body["token"].encode() in on_disk(tmp_path / "state")
        assert found(on_disk(tmp_path / "state")) == []
    central.stop()
    assert found(on_disk(tmp_path / "state")) == []
    assert found(on_disk(central.folder / "data")) == [], "nor at the broker, whose reader was there"
    assert found(caplog.text.encode()) == []
    central.start()


async def test_a_card_of_nobodys_visit_is_not_told(central: SiteBroker, tmp_path: Path) -> None:
    async with desk(central, tmp_path, tmp_path / "state") as it:
        await it.scanner.scan(CARD)
        await it.kiosk.event("scan.unattached")
        await it.call()
        await it.scanner.scan("OTHER CARD")
        await until(it.read)
        assert [body["payload"] for body in it.read()] == ["OTHER CARD"]


async def test_without_a_connection_a_scan_counts_here_and_is_not_kept(
    central: SiteBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(central, tmp_path, tmp_path / "state", uplink=False) as it:
        await it.call()
        await it.scanner.scan(CARD)
        await it.kiosk.event("ticket.started")
        await until(lambda: "a scan did not reach the central system and is not kept: not connected" in caplog.text)
        assert it.read() == []
    assert found(on_disk(tmp_path / "state")) == [] and found(caplog.text.encode()) == []


async def test_the_daemon_forwards_when_its_configuration_says_so(central: SiteBroker, tmp_path: Path) -> None:
    more = f"""
[mqtt.central]
host = "127.0.0.1"
port = {central.port}
username = "hub"
password_file = "{central.secret("hub")}"
ca_file = "{central.folder}/ca.crt"
forward_scans = true
[log]
level = "debug"
"""
    async with line_scanner(tmp_path) as far:
        with Process(tmp_path, more=more) as it:
            served, port = '[counters.1]\nservices = ["F", "G"]\n', far.config["port"]
            text = it.config.read_text().replace(served, served + 'scanner = "scanner_1"\n')
            it.config.write_text(f'{text}[devices.scanner_1]\ndriver = "serial_scanner"\nport = "{port}"\n')
            reader = Somebody(central, "reader")
            await (await reader.connect()).subscribe(RAW, f"{ROOT}/status", qos=0)
            await it.start()
            async with it.queue() as queue:
                await queue.execute(cmd.IssueTicket(service="F", slip=False))
                await queue.execute(cmd.CallNext(counter=1))
                await until(lambda: any(b'"online"' in message.payload for message in reader.messages), 10)
                async for record in queue.events(0):
                    if record.event.type == "device.up" and record.event.subject == "scanner_1":
                        break
                await far.scan(CARD)
                await until(lambda: RAW in reader.topics(), 10)
            reader.close()
            assert it.stop() == 0
            assert found(on_disk(it.state)) == [] and found(it.log.read_bytes()) == []


class Link:
    """A connection that treats every message in one way."""

    cut_off, reason, connection = False, "", 1

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send(self, message: Message) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(self._error)
        return future


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("nobody_listens"), "nobody_listens"),
        (Unavailable("connection lost"), "connection lost"),
        (ValueError(f"cannot send {CARD}"), "ValueError"),
    ],
)
async def test_a_scan_that_is_not_taken_is_told_without_a_word_of_it(error: Exception, told: str, caplog: pytest.LogCaptureFixture) -> None:
    forwarder = ScanForwarder(TOPICS)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(forwarder.over(Link(error)))  # type: ignore[arg-type]  # as much of a link as it uses
        await asyncio.sleep(0)
        forwarder.forward("t", CARD, Reply(id="c", status="done", result={"counter": 1, "ticket": "CTH01-20260701-A001"}))
        await until(lambda: f"is not kept: {told}" in caplog.text)
        task.cancel()
    assert found(caplog.text.encode()) == []


def test_a_message_does_not_show_what_it_carries() -> None:
    assert "DEWI" not in repr(TOPICS.message("scan", CARD.encode()))


def test_its_message_is_never_retained() -> None:
    row = ROWS["scan"]
    assert (row.retain, row.qos, row.expiry_s) == (False, 1, 60)


CENTRAL = '[mqtt.central]\nhost = "127.0.0.1"\n'


def test_it_is_refused_without_tls(tmp_path: Path) -> None:
    (line,) = errors(tmp_path / "kiosd.toml", changed((CENTRAL, CENTRAL + "forward_scans = true\n")))
    assert line == "[mqtt.central]: forward_scans sends identity numbers: it needs TLS, give ca_file"


def test_it_is_refused_anywhere_but_at_the_central_broker(tmp_path: Path) -> None:
    site = '[mqtt.site]\nhost = "127.0.0.1"\nca_file = "/etc/kiosd/ca.crt"\nforward_scans = true\n'
    for config in (changed((CENTRAL, site)), changed((CENTRAL, CENTRAL + site.replace('"127.0.0.1"', '"127.0.0.2"')))):
        (line,) = errors(tmp_path / "kiosd.toml", config)
        assert line == "[mqtt.site] forward_scans: found true; allowed: false, only [mqtt.central] of a hub may be told scans"


def test_it_is_off_unless_the_site_turns_it_on(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    path.write_text(changed((CENTRAL, CENTRAL + 'ca_file = "/etc/kiosd/ca.crt"\n')))
    assert load(path).mqtt["central"].forward_scans is False
    path.write_text(changed((CENTRAL, CENTRAL + 'ca_file = "/etc/kiosd/ca.crt"\nforward_scans = true\n')))
    assert load(path).mqtt["central"].forward_scans is True
