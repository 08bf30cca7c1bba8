"""A link over MQTT 5, or 3.1.1 where a broker has no better: the daemon's way to paho.

Rule 1  paho's callbacks run in paho's thread, some under its locks: they count, hand over to the loop, and cannot raise. An exception
        there would end that thread without a word, and ``is_connected()`` would stay true (paho#704).
Rule 2  paho never queues. At most ``window`` messages (or the broker's Receive Maximum) are inside it, the rest wait here; when the
        connection ends, everything that was not acknowledged fails with ``Unavailable`` and paho forgets it before it connects again.
        Its own queue is RAM, ignores its limit after a reconnect (paho#492) and would send everything a second time. What a busy loop
        sends before it learns that a connection ended is refused: paho would send it over the next, ahead of what is owed.
Rule 3  Only the reason code of MQTT 5 tells whether a message was taken: ``is_published()`` is true for a refused one. MQTT 3.1.1 has
        none: there a message that was acknowledged counts as taken.
Rule 4  A broker that is silent is given up after 1.5 times ``keepalive_s``, or 20 s after the first message that it did not acknowledge.
"""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosd.clock import Clock
from kiosd.errors import DeviceError, Refused, Unavailable
from kiosd.links import packets
from kiosd.links.backoff import Backoff
from kiosd.links.base import Message
from kiosd.links.credentials import client_context, password
from kiosd.links.packets import KEEP_ALIVE_TIMEOUT, SESSION_TAKEN_OVER
from kiosd.links.subscriptions import Subscriptions
from kiosd.links.window import Answers, Window, packet_size
from kiosd.mqtt.settings import MqttSettings
from kiosd.threads import lane

log = logging.getLogger(__name__)

RETRY_S = (1.0, 15.0)  # first and longest pause between attempts; paho's own 120 s is too long for a counter
PING_SHARE = 0.7  # paho notices after up to twice what it is told, the contract wants 1.5 times
ACK_S = 20.0
TOO_EARLY = "certificate is not yet valid"  # OpenSSL's words
ALIVE_CHECK_S = 5.0
GOODBYE_S, STOP_S = 1.0, 0.5

Presence = Callable[[str, int], Message]
"""The status message for ``online``, ``offline`` or ``lost`` of connection ``conn``."""


class MqttLink:
    """A ``Link`` that connects by itself for as long as it is open.

    ``connected`` and ``lost`` follow its connections, each with its own number ``conn``, rising within a boot. ``presence`` makes
    the will (``lost``) and the farewell (``offline``); the birth is the uplink's to send. ``send`` is ``publish`` without waiting: messages
    go out in the order of the calls.
    """

    def __init__(
        self, settings: MqttSettings, client_id: str, clock: Clock, presence: Presence | None = None, retry_s: tuple[float, float] = RETRY_S
    ) -> None:
        self._settings, self._clock, self._presence = settings, clock, presence
        self._v5, self._backoff = settings.protocol == "5", Backoff(*retry_s)
        self._loop = asyncio.get_running_loop()
        self._client = self._make_client(settings.client_id or client_id)
        self._window, self._answers = Window(self._transmit), Answers(self._settled)
        self._subscriptions = Subscriptions()
        self._with_retained: set[str] = set()
        self._max_packet = sys.maxsize
        self._conn, self._online, self._open, self._why = 0, False, True, ""
        self._ended = self._before = 0  # connections that have ended, as paho's thread knows it, and before the present one
        self._connected_at = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self.reason, self.cut_off = "not connected yet", False

    # What paho calls, in its thread: nothing here changes our state except by handing over.

    def _hand_over(self, call: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(call, *args)

    def _make_client(self, client_id: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5 if self._v5 else MQTTv311)
        client.suppress_exceptions = True
        client.max_inflight_messages_set(0)  # no queue in paho: the window is ours
        client.on_pre_connect = packets.forget
        client.on_socket_open = packets.no_delay
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda _client, _data: self._hand_over(self._failed, str(sys.exc_info()[1]))  # paho calls it in an except
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _client, _data, mid, reason, _properties: self._answers.put_from_thread(mid, reason)
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self._hand_over(self._subscribed, reasons)
        client.on_message = lambda _client, _data, message: self._came(packets.incoming(message))
        return client

    def _came(self, message: Message) -> None:
        if self._v5 or message.payload:  # 3.1.1 has no noLocal: what we clear comes back to us, empty
            self._subscriptions.put_from_thread(message)

    def _on_connect(self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._why = f"the broker refused the connection: {reason}"  # told by on_disconnect, which comes next
        else:
            self._hand_over(self._connected, properties, self._ended)

    def _on_disconnect(self, client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any) -> None:
        self._ended += 1  # only this thread writes it
        taken_over = reason.value == SESSION_TAKEN_OVER
        self._draw_delays(client, taken_over)  # here, for paho reads them as soon as this returns
        words = "the broker ended the connection" if flags.is_disconnect_packet_from_server else "connection lost"
        why, self._why = self._why, ""
        cut_off = not (why or taken_over or reason.value == KEEP_ALIVE_TIMEOUT)
        self._hand_over(self._disconnected, why or f"{words}: {reason}", taken_over, cut_off)

    def _draw_delays(self, client: Client, crowded: bool = False) -> None:
        low, high = self._backoff.draw(crowded)
        client.reconnect_delay_set(low, high)  # type: ignore[arg-type]  # paho only adds and compares

    # The life of the connection, in the loop.

    async def __aenter__(self) -> "MqttLink":
        settings = self._settings
        if settings.username is not None:
            self._client.username_pw_set(settings.username, password(settings.password_file))
        if settings.ca_file is not None:
            self._client.tls_set_context(client_context(settings.ca_file, settings.cert_file, settings.key_file))
        self._prepare_will()
        self._draw_delays(self._client)
        keepalive_s = max(1, int(settings.keepalive_s * PING_SHARE))
        self._client.connect_async(settings.host, settings.port, keepalive_s, **(packets.session() if self._v5 else {}))
        self._client.loop_start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with suppress(TimeoutError, Refused, Unavailable):
            async with asyncio.timeout(GOODBYE_S):
                if self._presence is not None and self._online:
                    await self.publish(self._presence("offline", self._conn))
        self._open = False
        if self._patience is not None:
            self._patience.cancel()
        self._set_online(False, "the link is closed")
        self._client.disconnect()
        async with lane("mqtt-stop") as stopper:  # loop_stop joins paho's thread, which may be in the middle of a connect
            with suppress(DeviceError):
                await stopper.run(self._client.loop_stop, STOP_S)
        closed = Unavailable(self.reason)
        self._window.fail(closed)
        self._subscriptions.fail(closed)

    def _prepare_will(self) -> None:
        """The next connection's number and will. Made while there is no connection: paho reads the will when it connects."""
        self._conn = max(self._conn + 1, int(self._clock.now().monotonic * 1000))
        if self._presence is not None:
            will = self._presence("lost", self._conn)
            properties = packets.properties(will, packets.WILL_DELAY_S) if self._v5 else None
            self._client.will_set(will.topic, will.payload, will.qos, will.retain, properties)

    def _connected(self, properties: Properties | None, before: int) -> None:
        self._before = before
        self._window.size = min(self._settings.window, getattr(properties, "ReceiveMaximum", 65_535))
        self._max_packet = getattr(properties, "MaximumPacketSize", sys.maxsize)
        self._connected_at = self._clock.now().monotonic
        log.info("mqtt: connected to %s:%d", self._settings.host, self._settings.port)
        for pattern in self._subscriptions.patterns:
            self._subscribe(pattern)
        self._set_online(True, "connected")

    def _failed(self, reason: str) -> None:
        if TOO_EARLY in reason and not self._clock.now().synced:
            reason = f"{reason}; this board's clock is not synchronised: it may be the clock that is wrong"
        if reason != self.reason and self._open:
            log.warning("mqtt: no connection to %s:%d: %s", self._settings.host, self._settings.port, reason)
            self.reason = reason

    def _disconnected(self, reason: str, taken_over: bool, cut_off: bool) -> None:
        if not self._online:
            self._failed(reason)
            return
        self._backoff.dropped(self._clock.now().monotonic - self._connected_at, taken_over)
        self.cut_off = cut_off
        log.warning("mqtt: %s%s", reason, "; another client seems to use this client id" if self._backoff.crowded else "")
        self._window.fail(Unavailable(reason))
        self._prepare_will()
        self._set_online(False, reason)

    def _set_online(self, online: bool, reason: str) -> None:
        self._online, self.reason = online, reason
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether paho's thread runs; a link whose thread has died never connects again, so the watchdog must not be fed."""
        thread = self._client._thread  # paho tells nobody that its thread died
        return thread is not None and thread.is_alive()

    async def watch(self) -> None:
        """``Unavailable`` when paho's thread has died: it says nothing and looks connected (mqtt notes section 4, trap 2)."""
        while self.alive:
            await self._clock.sleep(ALIVE_CHECK_S)
        raise Unavailable("the network thread has died")

    @property
    def connection(self) -> int | None:
        """The present connection's number, or None."""
        return self._conn if self._online else None

    async def connected(self) -> int:
        """Wait until there is a connection; its number."""
        while not self._online:
            await self._changed.wait()
        return self._conn

    async def lost(self, conn: int) -> str:
        """Wait until connection ``conn`` is over; why, in words."""
        while self._online and self._conn == conn:
            await self._changed.wait()
        return self.reason

    # Messages out.

    async def publish(self, message: Message) -> None:
        """See ``Link``."""
        await self.send(message)

    def send(self, message: Message) -> asyncio.Future[None]:
        """Give ``message`` to the broker as soon as the window has room; the future ends as ``publish`` would."""
        future: asyncio.Future[None] = self._loop.create_future()
        if len(message.payload) > message.limit or (self._max_packet < sys.maxsize and packet_size(message) > self._max_packet):
            future.set_exception(Refused("too_large", {"topic": message.topic, "bytes": len(message.payload)}))
        elif not self._online:
            future.set_exception(Unavailable(self.reason))
        else:
            self._window.add(message, future)
            if self._patience is None:
                self._patience = self._loop.call_later(ACK_S, self._look_for_silence)
        return future

    def _look_for_silence(self) -> None:
        """A wire that has died is noticed by what is not acknowledged, sooner than by keepalive."""
        self._patience, waited = None, self._window.oldest_s
        if waited is None or not self._open:
            return
        if waited >= ACK_S:
            self._break_off(f"the broker acknowledged nothing for {waited:.0f} s")
        else:
            self._patience = self._loop.call_later(ACK_S - waited, self._look_for_silence)

    def _break_off(self, why: str) -> None:
        """End the connection without a word to the broker, as if the wire had been cut; paho notices and connects again."""
        self._why, wire = why, self._client.socket()
        if wire is not None:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # paho's type knows less than a socket has

    def _transmit(self, message: Message) -> int:
        if self._ended != self._before:
            raise Unavailable("the connection has just ended")
        return packets.transmit(self._client, message, self._v5)

    def _settled(self, mid: int, reason: ReasonCode) -> None:
        self._window.settle(mid, packets.refusal(reason))

    # Messages in.

    @asynccontextmanager
    async def subscribe(self, pattern: str, retained: bool = False) -> AsyncIterator[AsyncIterator[Message]]:
        """See ``Link``. Subscribed anew at every connect, before ``connected`` returns.

        Retained messages from before come when ``retained`` is set; over MQTT 3.1.1 they always do.
        """
        try:
            with self._subscriptions.open(pattern) as arrivals:
                if retained:
                    self._with_retained.add(pattern)
                if self._online:
                    self._subscribe(pattern)
                yield arrivals
        finally:
            if self._online and pattern not in self._subscriptions.patterns:
                self._client.unsubscribe(pattern)

    def _subscribe(self, pattern: str) -> None:
        if not self._v5:
            self._client.subscribe(pattern, qos=1)
            return
        wanted = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if pattern in self._with_retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        # retainAsPublished: without it a retained command looks like an ordinary one; noLocal: what we clear must not come back to us
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=wanted)
        self._client.subscribe(pattern, options=options)

    def _subscribed(self, reasons: list[ReasonCode]) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.error("mqtt: the broker refused a subscription: %s", reason)
