"""What happens to the wire, the clock or the client id while a kiosk tells its events; the consumer's log is judged offline.

Outage, half-open wire and cuts in a burst are also in flow/test_uplink.py, without a journal.
"""

import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kiosd.clock import Moment, SystemClock
from kiosd.mqtt.delivery import Parcel
from kiosd.mqtt.uplink import Uplink
from support.broker import Broker, broker, proxy
from support.certificates import DAY, NOW, Authority, tls_listener
from support.faults import arrivals, verdict, wired
from support.mqtt_peer import Peer, peer, until
from support.uplinks import EVENTS, ROOT, Site, day


async def test_answers_that_are_lost_in_mid_window_make_duplicates_and_no_hole(tmp_path: Path, mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire, wired(tmp_path, mosquitto.port) as it, it.uplink(wire.port, window=20) as link:
        await it.tickets(5)
        await it.whole()
        conn, before = await link.connected(), it.queue.book.seq
        wire.mode = "no_answers"
        last = await it.tickets(40)
        await it.arrived(range(before + 1, before + 11))  # at least: retained states take places in the window too
        wire.cut()
        await link.lost(conn)
        wire.mode = "pass"
        await it.whole()
        came = arrivals(it.central)
    times = [came.count(number) for number in range(before + 1, last + 1)]
    assert 10 <= times.count(2) <= 20, "the window came twice"
    assert times == sorted(times, reverse=True) and set(times) == {1, 2}, "what was behind it, once"


async def test_the_checker_finds_an_uplink_that_counts_as_told_what_it_has_only_sent(
    tmp_path: Path, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault of most peers, put in: the cut above is then a hole."""
    send = Uplink._send

    def too_early(uplink: Uplink, parcel: Parcel) -> None:
        send(uplink, parcel)
        uplink._accepted(parcel)

    monkeypatch.setattr(Uplink, "_send", too_early)
    async with proxy(mosquitto.port) as wire, wired(tmp_path, mosquitto.port) as it, it.uplink(wire.port) as link:
        await it.tickets(5)
        await it.whole()
        conn, before = await link.connected(), it.queue.book.seq
        wire.mode = "black_hole"
        lost = await it.tickets(10)
        await until(lambda: it.queue.cursors.get("central/ticket") == lost)
        wire.mode = "deny"
        wire.cut()
        await link.lost(conn)
        wire.mode = "pass"
        last = await it.tickets(5)
        await it.arrived({last})
        assert verdict(it.state, it.central)[0] == f"events {before + 1} to {lost}: lost, the consumer never got what the journal has"


async def test_a_slow_wire_is_only_slow(tmp_path: Path, mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire, wired(tmp_path, mosquitto.port) as it:
        wire.delay_s = 0.05
        async with it.uplink(wire.port) as link:
            conn = await link.connected()
            await it.tickets(60)
            await it.whole()
            assert link.connection == conn
        assert len(arrivals(it.central)) == it.queue.book.seq, "nothing was sent twice"


async def test_a_wire_that_is_cut_again_and_again_loses_nothing(tmp_path: Path, mosquitto: Broker) -> None:
    async with proxy(mosquitto.port) as wire, wired(tmp_path, mosquitto.port) as it, it.uplink(wire.port) as link:
        for turn in range(6):
            conn = await link.connected()
            last = await it.tickets(25)
            await it.arrived({last - 20 * (turn % 2)})
            wire.cut()
            await link.lost(conn)
        await it.whole()


async def test_who_takes_the_client_id_gets_no_event_and_keeps_none_back(tmp_path: Path, mosquitto: Broker) -> None:
    async with wired(tmp_path, mosquitto.port) as it, it.uplink(mosquitto.port) as link:
        await it.tickets(20)
        await it.whole()
        for _ in range(2):
            conn = await link.connected()
            with peer(mosquitto.port, "kiosd-cth01-hub") as other:
                await it.tickets(30)
                await link.lost(conn)
                await until(lambda before=conn: link.connection not in {None, before})  # type: ignore[misc]  # a default is not known
                assert not other.messages
        await it.whole()


def states(central: Peer) -> list[tuple[str, int]]:
    """``online`` and so on, with the connection that it is about."""
    return [(message.json["state"], message.json["conn"]) for message in central.on(f"{ROOT}/status")]


async def test_a_kiosk_that_comes_back_soon_was_never_lost(mosquitto: Broker) -> None:
    site = Site()
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", f"{ROOT}/status") as central:
            async with site.uplink(wire.port) as link:
                for turn in range(1, 6):
                    conn = await link.connected()
                    await central.until(lambda turn=turn: len(states(central)) == turn)  # type: ignore[misc]  # a default is not known
                    wire.cut()
                    await link.lost(conn)
                await central.until(lambda: len(states(central)) == 6)
            await central.until(lambda: len(states(central)) == 7)
    assert [state for state, _ in states(central)] == ["online"] * 6 + ["offline"]
    conns = [conn for _, conn in states(central)][:6]
    assert conns == sorted(set(conns)), "every birth has a later number"


async def test_a_will_that_comes_late_is_known_by_its_connection(mosquitto: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away for longer than the will's delay: lost, then online with a later number; what stays is the truth."""
    monkeypatch.setattr("kiosd.links.packets.WILL_DELAY_S", 1)
    site = Site()
    async with proxy(mosquitto.port) as wire:
        with peer(mosquitto.port, "peer", f"{ROOT}/status") as central:
            async with site.uplink(wire.port) as link:
                conn = await link.connected()
                await central.until(lambda: states(central) == [("online", conn)])
                wire.mode = "deny"
                wire.cut()
                await central.until(lambda: states(central)[1:] == [("lost", conn)])
                wire.mode = "pass"
                await central.until(lambda: len(states(central)) == 3)
                assert states(central)[2] == ("online", await link.connected())
                assert states(central)[2][1] > conn
                with peer(mosquitto.port, "late", f"{ROOT}/status") as late:
                    await late.until(partial(states, late))
                    assert states(late) == states(central)[2:]


class Stepped(SystemClock):
    """The machine's clock, until somebody or something sets it."""

    step = timedelta()
    trusted = True

    def now(self) -> Moment:
        moment = super().now()
        return replace(moment, time=moment.time + self.step, synced=self.trusted)


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_clock_that_jumps_back_changes_neither_order_nor_identity(tmp_path: Path, mosquitto: Broker, trusted: bool) -> None:
    clock = Stepped(trust_rtc=True)
    with peer(mosquitto.port, "peer", EVENTS) as central:
        async with wired(tmp_path, mosquitto.port, clock) as it:
            async with it.uplink(mosquitto.port):
                await it.tickets(5)
                await it.whole()
                clock.step, clock.trusted = timedelta(minutes=-20), trusted
                await it.tickets(5)
                await it.whole()
            clock.step -= timedelta(minutes=10)
            async with it.uplink(mosquitto.port):
                await it.tickets(5)
                await it.whole()
            told = [message.json for message in central.messages]
    assert [int(event["sequence"]) for event in told] == list(range(1, len(told) + 1))
    assert not any(event["replay"] for event in told), "nothing was told late"


@pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")  # paho leaves a socket whose handshake failed to the garbage collector
async def test_a_certificate_that_is_not_valid_yet_is_named_as_the_reason_and_keeps_nothing_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A board without a battery believes that it is years ago. OpenSSL goes by the machine's clock, so here the certificate is early."""
    authority = Authority.make(tmp_path / "authority")
    early, good = authority.issue("early", begin=NOW + 2 * DAY, end=NOW + 9 * DAY), authority.issue("good")
    site = Site(SystemClock(synced=lambda: False))
    site.queue.add(*day(10))
    with broker(tmp_path, tls_listener(authority, early)) as it:
        async with site.uplink(it.port, ca_file=str(authority.certificate)) as link:
            await until(lambda: "certificate is not yet valid" in link.reason)
            assert "no connection" in caplog.text and "clock is not synchronised" in link.reason
            it.stop()
            for suffix in (".crt", ".key"):
                shutil.copy(good.with_suffix(suffix), early.with_suffix(suffix))
            it.start()
            await link.connected()
            await until(lambda: site.told()["system"] == 10)
