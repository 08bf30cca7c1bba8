"""The broker of ``config/mosquitto``, attacked: each attack is refused by the broker or by kiosd, and the kiosk goes on serving."""

import asyncio
import gc
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import SystemClock
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt.session import run_session
from kiosd.mqtt.settings import MqttSettings
from kiosd.queue.fields import DAYS
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.settings import HoursSettings
from kiosd_sim.door import door, tcp
from support.broker import proxy
from support.mqtt_peer import until
from support.site import settings
from support.sitebroker import AUTHORITY, CONFIG, ROOT, SiteBroker, Somebody, block, run, site_broker

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
"""paho leaves the socket of a TLS handshake that failed, and its own pair of sockets, to the garbage collector."""
CLOCK = SystemClock()
NUMBERS = count(1)
USERS = ("display-1", "central", "meja-1", "meja-2", "hub", "cth02-hub")
REFUSED = "Not authorized"
FAMILIES = ("ticket", "counter", "rating", "scan", "device", "system")
STATES = ("status", "info", "queue", "counter/1", "device/printer/status")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteBroker]:
    with site_broker(tmp_path_factory.mktemp("site"), *USERS[2:]) as it:
        yield it


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho left is collected here, not in somebody else's test."""
    yield
    gc.collect()


def hub_settings(site: SiteBroker, **more: Any) -> MqttSettings:
    """A hub whose broker is another board: over TLS, trusting the site's authority alone."""
    given = {
        "host": "127.0.0.1",
        "port": site.port,
        "username": "hub",
        "password_file": site.secret("hub"),
        "ca_file": site.folder / "ca.crt",
    }
    return MqttSettings.model_validate(given | more)


@asynccontextmanager
async def somebody(site: SiteBroker, user: str | None, **more: Any) -> AsyncIterator[Somebody]:
    it = Somebody(site, user, **more)
    try:
        yield await it.connect()
    finally:
        it.close()


@dataclass
class Served:
    """A kiosk that serves, seen by a central system with a password of its own."""

    queue: LocalQueue
    central: Somebody

    async def ask(self, name: str, retain: bool = False, **fields: Any) -> Any:
        """The answer to one command."""
        body = {"id": f"c-{next(NUMBERS)}", "client": "central"} | fields
        await self.central.publish(f"{ROOT}/cmd/{name}", json.dumps(body).encode(), retain)
        await until(lambda: self._answer(body["id"]))
        return self._answer(body["id"])

    def _answer(self, id_: str) -> Any:
        return next((answer for answer in self.answers() if answer["id"] == id_), None)

    def answers(self) -> list[Any]:
        return [json.loads(message.payload) for message in self.central.messages if message.topic == f"{ROOT}/reply/central"]

    async def serves(self) -> None:
        """A ticket is given, on command, and everybody hears of it."""
        answer = await self.ask("issue", args={"service": "A", "slip": False}, actor="receptionist")
        assert answer["status"] == "done"
        await until(lambda: any(f'"subject":"{answer["result"]["number"]}"'.encode() in one.payload for one in self.central.messages))

    def births(self) -> int:
        """How often the kiosk connected since."""
        states = [json.loads(one.payload)["state"] for one in self.central.messages if one.topic == f"{ROOT}/status"]
        return states.count("online")


@asynccontextmanager
async def kiosk(site: SiteBroker, state: Path, **mqtt: Any) -> AsyncIterator[Served]:
    """A kiosk that is always open."""
    hours = HoursSettings.model_validate({day: ["00:00-24:00"] for day in DAYS})
    async with asyncio.timeout(30), open_local(state, replace(settings(), hours=hours), CLOCK) as queue, asyncio.TaskGroup() as group:
        session = run_session(
            "site", hub_settings(site, **mqtt), site="CTH01", node="hub", config_hash="x", queue=queue, cursors=queue.cursors, clock=CLOCK
        )
        async with somebody(site, "central") as central:
            await central.subscribe(f"{ROOT}/ev/+", f"{ROOT}/status", f"{ROOT}/reply/central")
            running = [group.create_task(queue.run()), group.create_task(session)]
            it = Served(queue, central)
            await until(it.births)
            yield it
            running[1].cancel()
            await asyncio.wait(running[1:])
            running[0].cancel()


# -- what it is for


async def test_a_kiosk_serves_over_it_with_nothing_but_the_sites_authority(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        await it.serves()


async def test_the_hub_alone_may_use_the_listener_in_clear_which_is_on_this_board(site: SiteBroker) -> None:
    async with somebody(site, "hub", plain=True) as hub, somebody(site, "hub", plain=True, client_id="doctor") as doctor:
        assert (hub.reason, doctor.reason) == ("Success", "Success")
        assert await hub.publish(f"{ROOT}/queue", b"{}") != REFUSED
        assert not hub.gone, "a second connection of the hub's user does not end the first"
    for user in ("display-1", "central", "meja-1", None):
        async with somebody(site, user, plain=True) as other:
            assert other.reason == REFUSED
    for line in (CONFIG / "kiosd-site.conf").read_text().splitlines():
        if line.startswith("listener 1883"):
            assert line == "listener 1883 127.0.0.1"


async def test_the_hubs_will_is_told(site: SiteBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosd.links.packets.WILL_DELAY_S", 1)
    async with proxy(site.port) as wire, kiosk(site, tmp_path, port=wire.port) as it:
        wire.mode = "deny"
        wire.cut()
        await until(lambda: any(b'"state":"lost"' in one.payload for one in it.central.messages))
        wire.mode = "pass"


async def test_debians_main_file_and_ours_go_together_without_a_complaint(site: SiteBroker) -> None:
    meant = ("does not contain '%c' or '%u'", "run as root", "Client ", "OpenSSL Error")
    said = [line for line in site.log.splitlines() if "rror" in line or "arning" in line]
    assert [line for line in said if not any(words in line for words in meant)] == []


# -- who may write what


WRITES = {
    "hub": ["kiosd/1/cth02/hub/queue", "kiosd/1/cth01/other/queue", "kiosd/1/cth02/hub/cmd/next", f"{ROOT}/scan/raw", "foreign"],
    "central": [
        f"{ROOT}/ev/ticket", f"{ROOT}/queue", f"{ROOT}/status", f"{ROOT}/reply/central", f"{ROOT}/ack/other", f"{ROOT}/scan/raw",
        f"{ROOT}/sat/meja-1/cmd/next", f"{ROOT}/cmd/next/more", "kiosd/1/cth02/hub/cmd/next",
    ],
    "meja-1": [
        f"{ROOT}/cmd/next", f"{ROOT}/ev/ticket", f"{ROOT}/queue", f"{ROOT}/status", f"{ROOT}/reply/meja-1", f"{ROOT}/ack/central",
        f"{ROOT}/sat/meja-2/cmd/next", f"{ROOT}/sat/meja-2/reply/x", f"{ROOT}/sat/cmd/next", f"{ROOT}/device/meja-2/status",
        "kiosd/1/cth02/hub/cmd/next", "sat/meja-1/cmd/next",
    ],
    "display-1": [
        f"{ROOT}/cmd/next", f"{ROOT}/cmd/issue", f"{ROOT}/ev/ticket", f"{ROOT}/queue", f"{ROOT}/status", f"{ROOT}/counter/1",
        f"{ROOT}/sat/meja-1/cmd/next", f"{ROOT}/reply/central", f"{ROOT}/ack/central", f"{ROOT}/scan/raw",
    ],
    "cth02-hub": [f"{ROOT}/queue", f"{ROOT}/cmd/next", f"{ROOT}/ev/ticket", f"{ROOT}/sat/meja-1/cmd/next"],
}  # fmt: skip
SYSTEM = ("$CONTROL/dynamic-security/v1", "$CONTROL/broker/v1", "$SYS/broker/version", "$SYS/x")


@pytest.mark.parametrize("user", WRITES)
async def test_nobody_writes_what_is_not_theirs(site: SiteBroker, tmp_path: Path, user: str) -> None:
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(kiosk(site, tmp_path))
        attacker = it.central if user == "central" else await stack.enter_async_context(somebody(site, user, plain=user == "hub"))
        assert attacker.reason == "Success"
        for topic in (*WRITES[user], *SYSTEM):
            for retain in (False, True):
                assert await attacker.publish(topic, b'{"id": "evil", "counter": 1}', retain) == REFUSED, topic
        assert not attacker.gone
        assert not [record for record in it.queue._recent if record.event.type.startswith("ticket.") or "refused" in record.event.type]
        await it.serves()


async def test_what_is_ones_own_may_be_written(site: SiteBroker) -> None:
    own = {
        "hub": [f"{ROOT}/queue", f"{ROOT}/ev/ticket", f"{ROOT}/sat/meja-1/reply/x", f"{ROOT}/reply/central", f"{ROOT}/cmd/next"],
        "central": [f"{ROOT}/cmd/next", f"{ROOT}/ack/central"],
        "meja-1": [f"{ROOT}/sat/meja-1/cmd/next", f"{ROOT}/sat/meja-1/ask/events", f"{ROOT}/sat/meja-1/status"],
    }
    for user, topics in own.items():
        async with somebody(site, user) as it:
            for topic in topics:
                assert await it.publish(topic) in {"Success", "No matching subscribers"}, topic


# -- who may read what


EVERYTHING = (
    *(f"{ROOT}/{state}" for state in STATES), *(f"{ROOT}/ev/{family}" for family in FAMILIES),
    f"{ROOT}/cmd/next", f"{ROOT}/reply/central", f"{ROOT}/reply/other", f"{ROOT}/ack/central",
    f"{ROOT}/sat/meja-1/cmd/next", f"{ROOT}/sat/meja-1/reply/x", f"{ROOT}/sat/meja-2/reply/x",
)  # fmt: skip
FOR_ALL = {*(f"{ROOT}/{state}" for state in STATES), f"{ROOT}/ev/ticket"}
READS = {
    "display-1": FOR_ALL,
    "meja-1": FOR_ALL | {f"{ROOT}/sat/meja-1/cmd/next", f"{ROOT}/sat/meja-1/reply/x"},
    "central": FOR_ALL | {f"{ROOT}/ev/{family}" for family in FAMILIES} | {f"{ROOT}/reply/central", f"{ROOT}/ack/central"},
    "cth02-hub": FOR_ALL,
    "hub": set(EVERYTHING),
}


@pytest.mark.parametrize("user", READS)
async def test_nobody_reads_what_is_not_for_them(site: SiteBroker, user: str) -> None:
    """Neither live nor retained, by name nor by wildcard."""
    async with somebody(site, "hub", plain=True, client_id="writer") as hub, somebody(site, user, plain=user == "hub") as reader:
        for topic in EVERYTHING:
            await hub.publish(topic, b"retained", retain=True)
        await reader.subscribe("#", "$SYS/#", "$CONTROL/#", f"{ROOT}/#", "kiosd/#", "+/+/+/+/+/+", *EVERYTHING)
        for topic in EVERYTHING:
            await hub.publish(topic, b"live")
            await hub.publish(topic, b"", retain=True)
        await hub.publish(f"{ROOT}/queue", b"end")
        await until(lambda: any(one.payload == b"end" for one in reader.messages))
        for kind in (b"live", b"retained"):
            assert {one.topic for one in reader.messages if one.payload == kind} == READS[user]
        assert not [topic for topic in reader.topics() if topic.startswith("$")]


# -- who may come in


@pytest.mark.parametrize(
    ("user", "secret"), [("hub", "wrong"), ("hub", ""), ("display-1", "wrong"), ("nobody", "x"), ("", ""), (None, None), ("hub/#", "x")]
)
async def test_no_password_no_entry(site: SiteBroker, tmp_path: Path, user: str | None, secret: str | None) -> None:
    async with kiosk(site, tmp_path) as it, somebody(site, user, secret=secret) as attacker:
        assert attacker.reason in {REFUSED, ""}
        assert attacker.reason or attacker.gone
        await it.serves()


async def test_without_tls_there_is_no_way_in_off_the_board(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it, somebody(site, "display-1", tls=False) as attacker:
        assert attacker.reason == "" and attacker.gone
        await it.serves()


async def test_nobody_takes_over_the_hub_by_its_client_id(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        for client_id in ("hub", "kiosd-cth01-hub", "central", "meja-1"):
            async with somebody(site, "display-1", client_id=client_id) as attacker:
                assert attacker.reason == "Success"
                await it.serves()
        assert it.births() == 1
        assert not it.central.gone


async def test_a_packet_too_large_ends_its_sender_only(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        async with somebody(site, "meja-1") as attacker:
            await attacker.publish(f"{ROOT}/sat/meja-1/cmd/next", b"x" * 70_000)
            assert attacker.gone
        await it.serves()


async def test_a_client_certificate_of_nobody_does_not_open_the_stricter_listener(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with site_broker(tmp_path, "meja-1", changes={"#require_certificate true": "require_certificate true"}) as site:
        run(block("Client certificates"), tmp_path, NAME="meja-1")
        run(block(AUTHORITY), tmp_path / "other")
        run(block("Client certificates"), tmp_path / "other", NAME="meja-1")
        async with somebody(site, "meja-1", cert=tmp_path / "meja-1.crt") as good:
            assert good.reason == "Success"
        async with somebody(site, "meja-1", cert=tmp_path / "meja-1.crt", secret="wrong") as thief:
            assert thief.reason == REFUSED
        for cert in (tmp_path / "other" / "meja-1.crt", None):
            with pytest.raises((ssl.SSLError, OSError, AssertionError)):
                async with somebody(site, "meja-1", cert=cert) as nobody:
                    assert nobody.reason == "Success"


# -- whom the kiosk believes


async def refused_by_kiosd(given: MqttSettings) -> str:
    """Why the kiosk does not speak to this broker."""
    async with MqttLink(given, "kiosd-cth01-hub", CLOCK) as link:
        await until(lambda: link.reason != "not connected yet")
        assert link.connection is None
        return link.reason


async def test_a_broker_of_another_authority_is_not_believed(site: SiteBroker, tmp_path: Path) -> None:
    run(block(AUTHORITY), tmp_path)
    assert "certificate verify failed" in await refused_by_kiosd(hub_settings(site, ca_file=tmp_path / "ca.crt"))


async def test_a_broker_of_another_name_is_not_believed(site: SiteBroker) -> None:
    assert "not valid for 'localhost'" in await refused_by_kiosd(hub_settings(site, host="localhost"))


async def test_somebody_in_clear_in_the_brokers_place_gets_no_password(site: SiteBroker) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(4096))
        writer.write(b"\x20\x03\x00\x00\x00")  # a CONNACK: welcome

    listener = tcp()
    async with door(listen, listener):
        await refused_by_kiosd(hub_settings(site, port=listener.getsockname()[1]))
    assert heard and b"MQTT" not in heard and site.secret("hub").read_text().strip().encode() not in heard


# -- what the kiosk itself refuses, from somebody who may command


async def test_a_retained_command_is_refused_and_gone(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        assert (await it.ask("next", retain=True, counter=1))["reason"] == "retained"
        async with somebody(site, "hub", plain=True, client_id="looker") as looker:
            await looker.subscribe(f"{ROOT}/cmd/#", f"{ROOT}/queue")
            await until(lambda: looker.topics())
            await looker.subscribe(f"{ROOT}/status")
            await until(lambda: f"{ROOT}/status" in looker.topics())
            assert not [topic for topic in looker.topics() if "/cmd/" in topic]
        await it.serves()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"actor": "manager"}, "not_allowed"),
        ({"actor": "public"}, "not_allowed"),
        ({"actor": "system"}, "bad_field"),
        ({"issued_at": "2020-01-01T00:00:00Z"}, "expired"),
        ({"expect_rev": 0}, "stale"),
        ({"counter": 99}, "unknown_counter"),
        ({"args": {"place": "counter/1"}}, "bad_args"),
    ],
)
async def test_a_command_that_should_not_be_is_refused(
    site: SiteBroker, tmp_path: Path, fields: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosd.clock.SystemClock.SYNC_CACHE_S", 0.0)
    monkeypatch.setattr(CLOCK, "_ask", lambda: True)
    async with kiosk(site, tmp_path, roles=["officer", "receptionist"]) as it:
        await it.serves()
        answer = await it.ask("next", **{"counter": 1} | fields)
        assert answer["status"] in {"rejected", "expired"}
        assert answer["reason"] == reason
        assert answer["sequence"] > 0, "and it is an event"
        await until(lambda: any(b".refused.v1" in one.payload for one in it.central.messages))
        await it.serves()


async def test_an_answer_is_not_sent_to_where_it_would_be_a_command(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        for topic in (f"{ROOT}/cmd/issue", f"{ROOT}/sat/meja-1/cmd/next", "$CONTROL/dynamic-security/v1"):
            await it.central.publish(f"{ROOT}/cmd/next", b'{"id": "x", "counter": 1}', ResponseTopic=topic)
        await it.serves()
        refused = [one for one in it.central.messages if one.topic == f"{ROOT}/ev/system" and b"bad_reply_topic" in one.payload]
        assert len(refused) == 3


async def test_a_flood_of_commands_does_not_hold_up_the_kiosk(site: SiteBroker, tmp_path: Path) -> None:
    async with kiosk(site, tmp_path) as it:
        it.central.shout(f"{ROOT}/cmd/next", *(b'{"id": "f-%d", "counter": 1, "client": "noisy"}' % n for n in range(300)))
        await it.serves()
        events = [record.event.type for record in it.queue._recent]
        assert events.count("counter.refused") <= 25
        assert events.count("system.refused") <= 11


# -- a central broker behind it


async def test_the_bridge_carries_events_out_and_commands_in(tmp_path: Path) -> None:
    """The central broker is another one of the same kind; the bridge is its user ``hub``."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with site_broker(there, "hub") as central, site_broker(here, "hub", central=central) as site:
        async with kiosk(site, tmp_path) as it, somebody(central, "central") as consumer:
            await consumer.subscribe(f"{ROOT}/ev/+", f"{ROOT}/status", f"{ROOT}/reply/central")
            await until(lambda: f"{ROOT}/status" in consumer.topics(), 15)
            body = {"id": "far", "client": "central", "args": {"service": "A", "slip": False}}
            await consumer.publish(f"{ROOT}/cmd/issue", json.dumps(body).encode())
            await until(lambda: {f"{ROOT}/reply/central", f"{ROOT}/ev/ticket"} <= consumer.topics(), 15)
            await it.serves()
