"""An event that a broker does not take or dies of is left out there, loudly; the rest flows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kiosd.clock import ManualClock
from kiosd.journal.journal import FILE, Journal
from kiosd.queue import commands as cmd
from kiosd.queue import events as ev
from kiosd.queue.events import TicketRefused
from kiosd.queue.local import LocalQueue, open_local
from kiosd_sim.door import door, tcp
from support.broker import Broker, broker, proxy
from support.fakequeue import issued
from support.mqtt_peer import peer, until
from support.site import WEDNESDAY, settings
from support.uplinks import EVENTS, Site, day, has_got, once, sequences, told

LARGE = TicketRefused(service="A", code="closed", message="x" * 9000)


@asynccontextmanager
async def killer(target: int, needle: bytes = b"A013") -> AsyncIterator[int]:
    """A wire to ``target`` that ends the connection at the sight of ``needle``, as a faulty broker or a filter does; its port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(65_536)) and needle not in data:
            writer.write(data)
        for end in (writer, *ends):
            end.transport.abort()

    ends: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        ends[:] = writer, far_writer
        try:
            with suppress(OSError):
                async with asyncio.TaskGroup() as group:
                    group.create_task(carry(reader, far_writer))
                    group.create_task(carry(far_reader, writer))
        finally:
            far_writer.transport.abort()

    listener = tcp()
    async with door(serve, listener):
        yield listener.getsockname()[1]


async def test_an_event_that_is_too_large_is_left_out_recorded_and_an_alarm(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.queue.add(issued(1), LARGE, issued(2))
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with site.uplink(mosquitto.port):
            await told(site, central, 3)
            await until(lambda: site.alarms)
        assert sequences(central.messages) == [1, 3]
    assert site.alarms == [("central", 2, "ticket.refused", "too_large")]
    assert site.memory.quarantined("central")[2][0] == "too_large"
    worst = site.running.troubles.worst(site.clock.now())
    assert worst is not None
    assert worst.code == "quarantined"
    assert "event 2 (ticket.refused) is left out: too_large" in caplog.text


async def test_what_the_broker_says_is_too_large_is_left_out_too(tmp_path: Path) -> None:
    site = Site()
    site.queue.add(issued(1), TicketRefused(service="A", code="closed", message="x" * 2000), issued(2))
    with broker(tmp_path, "max_packet_size 1500") as small, peer(small.port, "peer", EVENTS) as central:
        async with site.uplink(small.port):
            await told(site, central, 3)
        assert sequences(central.messages) == [1, 3]
    assert site.alarms == [("central", 2, "ticket.refused", "too_large")]


async def test_an_event_that_kills_the_connection_three_times_is_left_out_and_the_rest_flows(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(40))
    async with killer(mosquitto.port) as wire_port:
        with peer(mosquitto.port, "peer", EVENTS) as central:
            async with asyncio.timeout(20), site.uplink(wire_port):
                await until(lambda: site.done, 15)
                await until(lambda: site.alarms)
                site.queue.add(*day(2))
                await told(site, central, 42)
            assert once(sequences(central.messages)) == [number for number in range(1, 43) if number != 13]
    assert site.alarms == [("central", 13, "ticket.issued", "kills_connection")]


async def test_cuts_that_are_nobodys_fault_leave_nothing_out(mosquitto: Broker) -> None:
    """The wire dies again and again while the same event is under way, but never at once: nothing answers, then it is over."""
    site = Site()
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", EVENTS) as central:
            async with site.uplink(wire.port) as link:
                for _ in range(4):
                    conn = await link.connected()
                    wire.mode = "black_hole"
                    if not site.queue.records:
                        site.queue.add(issued(1))
                    await asyncio.sleep(0.02)
                    wire.mode = "pass"
                    wire.cut()
                    await link.lost(conn)
                await told(site, central, 1)
    assert not site.alarms


async def test_what_was_left_out_stays_left_out_after_a_restart_and_goes_to_other_brokers(mosquitto: Broker) -> None:
    site = Site()
    site.queue.add(*day(3))
    site.memory.quarantine("central", 2, "counter.opened", "kills_connection", "2026-07-01T05:00:00.000Z")
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with site.uplink(mosquitto.port):
            await told(site, central, 3)
        assert sequences(central.messages) == [1, 3]
        async with site.uplink(mosquitto.port, name="site"):
            await central.until(lambda: has_got(central, 2))
    assert not site.alarms


@asynccontextmanager
async def kiosk(state: Path) -> AsyncIterator[LocalQueue]:
    async with open_local(state, settings(), ManualClock(WEDNESDAY)) as queue, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(queue.run())
        yield queue
        writer.cancel()


async def test_the_journal_keeps_it_with_the_event_that_tells_of_it(tmp_path: Path) -> None:
    report = cmd.ReportQuarantine(id="quarantine-central-7", broker="central", sequence=7, kind="ticket.issued", code="too_large")
    async with kiosk(tmp_path) as queue:
        queue.cursors.quarantine("central", 7, "ticket.issued", "too_large", "2026-07-01T05:00:00.000Z")
        queue.cursors.keep("central", "kiosd/1/a")
        queue.cursors.keep("central", "kiosd/1/b")
        queue.cursors.keep("central", "kiosd/1/a", False)
        for _ in range(2):
            await queue.execute(report)
    journal = Journal(tmp_path / FILE)
    assert journal.retained == {("central", "kiosd/1/b")}
    told = [record.event for record in journal.read(0, 100) if isinstance(record.event, ev.Quarantined)]
    journal.close()
    assert told == [ev.Quarantined(broker="central", sequence=7, kind="ticket.issued", code="too_large")]
    async with kiosk(tmp_path) as queue:
        assert queue.cursors.quarantined("central") == {7: ("too_large", "2026-07-01T05:00:00.000Z")}
        assert queue.cursors.kept("central") == {"kiosd/1/b"}
        assert queue.cursors.quarantined("site") == {}
