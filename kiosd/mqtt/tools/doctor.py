"""``kiosd mqtt doctor``: one check after the other, from the files to a message that comes back.

Rule 1  It disturbs nobody: its client id is its own, its messages go to topics that no consumer has a use for, and it sends no event.
        Whether events are taken the running daemon tells, which has tried.
Rule 2  What follows from a failure is not tried; everything else is.
Rule 3  No password and no key is ever shown.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from pathlib import Path

from kiosd.clock import Clock, Moment
from kiosd.errors import ConfigError, DeviceError, Refused, Unavailable
from kiosd.findings import Finding, failed, note, ok, skipped
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.mqtt.outbox import BrokerView, FamilyView
from kiosd.mqtt.tools import standing
from kiosd.mqtt.tools.echo import TOPIC, Listener, listener
from kiosd.mqtt.tools.files import check_files
from kiosd.mqtt.tools.network import check_network, speaks_tls
from kiosd.mqtt.tools.target import Target
from kiosd.threads import lane

STEP_S = 30.0  # a name, or some handshakes, each with a deadline of its own
USER = "see username and password_file here, and the broker's list of users"
LOGIN = {
    "bad_user_name_or_password": ("the broker does not know this user with this password", USER),
    "not_authorized": ("the broker does not let this user in: unknown, another password, or it wants a user", USER),
    "bad_authentication_method": ("the broker wants another way to log in", "allow passwords or client certificates there"),
    "client_identifier_not_valid": ("the broker does not allow this client id", "allow it there, or set client_id"),
    "unsupported_protocol_version": ("the broker does not know this version of MQTT", 'set protocol = "3.1.1", or update the broker'),
    "banned": ("the broker has shut this client out", "ask who runs the broker"),
    "server_unavailable": ("the broker takes nobody now", "see the broker's log"),
    "server_busy": ("the broker has too much to do", "see the broker's log"),
    "quota_exceeded": ("too many connections, or too many of this user", "raise the broker's limits (max_connections)"),
    "connection_rate_exceeded": ("too many connections in a short time", "wait; then raise the broker's limit"),
}
"""Cause and remedy by the reason code of CONNACK."""
UNKNOWN = ("the broker gives no other reason", "see the broker's log")
PUBLISH = {TOPIC: "states and events", "device/doctor/status": "device health", "reply/doctor": "replies"}
"""Topics under the node's root that mean nothing to anybody, and what a node publishes beside them."""
PUSHED_OFF = (
    "the broker allows one connection for each user, or names clients after users (mosquitto: use_username_as_clientid)",
    "the daemon is back by itself within two minutes; stop it before the next check",
)
TELL = "kiosd outbox status"


class Doctor:
    """Checks one broker, beside the daemon of ``state`` if one runs. ``force``: log in even where that may push the daemon off."""

    def __init__(self, target: Target, state: Path, clock: Clock, force: bool = False) -> None:
        self._target, self._state, self._clock, self._force = target, state, clock, force

    async def examine(self) -> AsyncIterator[Finding]:
        """Every check in turn, as soon as it is done."""
        target = self._target
        for finding in check_files(target.name, target.settings):
            yield finding
        yield clock_finding(self._clock.now())
        daemon, runs = await standing.broker(self._state, target.name), await standing.running(self._state)
        for finding in daemon_findings(target, daemon, runs):
            yield finding
        open_way = True
        async for finding in self._network():
            open_way = finding.verdict != "failed"
            yield finding
        if not open_way:
            yield skipped("login", "there is no way to the broker")
        elif runs and target.one_per_user and not self._force:
            yield skipped("login", f"the daemon runs, and a second login as {target.settings.username} may push it off; --force does it")
        else:
            async for finding in self._inside(daemon):
                yield finding

    async def _network(self) -> AsyncIterator[Finding]:
        steps = check_network(self._target.settings, self._clock.now())
        try:
            async with lane("mqtt-doctor") as blocking:
                while (finding := await blocking.run(partial(next, steps, None), STEP_S)) is not None:
                    yield finding
        except DeviceError:
            yield failed("name", f"no answer in {STEP_S:g} s", "the name server does not answer", "see /etc/resolv.conf and the network")

    async def _inside(self, daemon: BrokerView | None) -> AsyncIterator[Finding]:
        settings = self._target.settings
        client_id = f"{self._target.client_id}-{TOPIC}"
        try:
            async with listener(settings, client_id, self._target.root) as own:
                who = f"as {settings.username}" if settings.username else "without a user"
                yield ok("login", f"logged in {who}, client id {client_id}")
                async for finding in self._rights(own):
                    yield finding
                if daemon is not None and daemon.connection is not None:
                    yield await self._client_id(daemon.connection)
        except Refused as no:
            yield failed("login", f"the broker refuses: {no.code}", *LOGIN.get(no.code, UNKNOWN))
        except Unavailable as gone:
            yield await self._no_welcome(str(gone))
        except ConfigError:
            yield skipped("login", "a file of the configuration cannot be used")

    async def _no_welcome(self, words: str) -> Finding:
        settings = self._target.settings
        if not settings.tls:
            async with lane("mqtt-doctor") as blocking:
                if await blocking.run(partial(speaks_tls, settings), STEP_S):
                    return failed(
                        "login", words, "the broker speaks TLS on this port, and we do not", "give ca_file, or correct port (1883)"
                    )
        return failed("login", words, "what listens there speaks no MQTT, or ended the connection", "correct port; see the broker's log")

    async def _client_id(self, before: int) -> Finding:
        """Whether our login cost the daemon its connection."""
        after = await standing.broker(self._state, self._target.name)
        if after is not None and after.connection != before:
            return failed("client id", "this check has pushed the daemon off", *PUSHED_OFF)
        return ok("client id", f"the daemon stays connected beside us (its own is {self._target.client_id})")

    # What this user may do.

    async def _rights(self, own: Listener) -> AsyncIterator[Finding]:
        root, settings = self._target.root, self._target.settings
        for topic, what in (PUBLISH if not self._target.satellite else {TOPIC: "questions to its hub"}).items():
            yield await _may_publish(own, f"{root}/{topic}", what, f"{root}/#")
        if settings.protocol != "5":
            yield note(
                "permissions", "MQTT 3.1.1 does not say what is refused", "it has no reason codes", 'use protocol = "5" if the broker can'
            )
        if not self._target.satellite:
            yield await _may_subscribe(own, f"{root}/cmd/+", "commands")
        if settings.confirm == "consumer":
            yield await _watermark(own, f"{root}/ack/{settings.consumer}", settings.consumer)
        yield await _round_trip(own)


async def _may_publish(own: Listener, topic: str, what: str, pattern: str) -> Finding:
    try:
        await own.link.publish(Message(topic, b"", retain=True))  # empty and retained: nothing stays at the broker
    except Refused as no:
        if no.code != NOBODY_LISTENS:
            cause = f"the broker's access list does not let this user publish its {what}"
            return failed("permissions", f"publishing to {topic} is refused: {no.code}", cause, f"allow it to write {pattern}")
    return ok("permissions", f"may publish {what} ({topic})")


async def _may_subscribe(own: Listener, pattern: str, what: str) -> Finding:
    try:
        await own.link.subscribe(pattern)
    except Refused as no:
        cause = f"the broker's access list does not let this user hear its {what}"
        return failed("permissions", f"subscribing to {pattern} is refused: {no.code}", cause, f"allow it to read {pattern}")
    return ok("permissions", f"may hear {what} ({pattern})")


async def _watermark(own: Listener, topic: str, consumer: str) -> Finding:
    try:
        await own.link.subscribe(topic, retained=True)
    except Refused as no:
        cause = "the broker's access list does not let this user hear the watermark"
        return failed("watermark", f"subscribing to {topic} is refused: {no.code}", cause, f"allow it to read {topic}")
    await own.echo()  # what was retained came before it
    arrived = [own.arrivals.get_nowait() for _ in range(own.arrivals.qsize())]
    if any(message.topic == topic for message in arrived):
        return ok("watermark", f"{consumer} has acknowledged events ({topic})")
    cause = f"{consumer} never acknowledged anything, or this user may not read it"
    return note("watermark", f"there is none in {topic}", cause, f"see that {consumer} runs, and that this user may read {topic}")


async def _round_trip(own: Listener) -> Finding:
    echo = await own.echo()
    if echo.acknowledged_s is None:
        return skipped("round trip", f"our own message is refused: {echo.refused}")
    acknowledged = f"a message is acknowledged after {echo.acknowledged_s * 1000:.1f} ms"
    if echo.back_s is None:
        return ok("round trip", f"{acknowledged}; this user may not read its own topics, and need not")
    return ok("round trip", f"{acknowledged} and back here after {echo.back_s * 1000:.1f} ms")


def clock_finding(now: Moment) -> Finding:
    """This board's clock. MQTT does not tell the broker's."""
    result = f"it is {now.time:%Y-%m-%d %H:%M:%S} UTC on this board"
    if now.synced:
        return ok("clock", result)
    return note(
        "clock", f"{result}, not synchronised", "no time server was reached since the start", "see timedatectl; TLS needs the right date"
    )


def daemon_findings(target: Target, daemon: BrokerView | None, runs: bool) -> Iterator[Finding]:
    """What the running daemon knows of this broker: whether it is connected, and what it cannot get rid of."""
    if daemon is None:
        yield skipped("daemon", "it runs, but does not tell us more" if runs else "none runs here")
        return
    if daemon.connection is None:
        yield note("daemon", f"it runs and is not connected: {daemon.reason}", "see the checks below", "it connects by itself")
    else:
        yield ok("daemon", "it runs and is connected")
    yield from _held(target, daemon)
    if daemon.left_out:
        last = daemon.quarantined[-1]
        yield note(
            "events",
            f"{daemon.left_out} events are left out, the last is {last.sequence}: {last.code}",
            "the broker cannot take them",
            TELL,
        )


def _held(target: Target, daemon: BrokerView) -> Iterator[Finding]:
    refused = [one for one in daemon.families if one.held and one.held != NOBODY_LISTENS]
    unheard = [one for one in daemon.families if one.held == NOBODY_LISTENS]
    if refused:
        what = ", ".join(f"ev/{one.family} ({one.held})" for one in refused)
        cause = "the broker's access list does not let this user publish these events; they wait"
        yield failed("events", f"refused: {what}; {_owed(refused)} events are owed", cause, f"allow it to write {target.root}/ev/#")
    if unheard:
        what = ", ".join(f"ev/{one.family}" for one in unheard)
        cause = "no subscriber is there, nor has one a session at the broker; the events wait"
        remedy = "see that the consumer subscribes, with a session that lasts"
        yield note("events", f"nobody takes {what}; {_owed(unheard)} events are owed", cause, remedy)
    if not refused and not unheard:
        yield ok("events", f"the broker takes them; {_owed(daemon.families)} are owed")


def _owed(families: Iterable[FamilyView]) -> int:
    return sum(one.owed for one in families)
