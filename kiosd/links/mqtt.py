"""A link over MQTT 5: the only file that imports paho.

Rule 1  paho's callbacks run in paho's thread, some under its locks: they only hand over to the loop, and cannot raise. An exception there
        would end that thread without a word, and ``is_connected()`` would stay true (paho#704).
Rule 2  paho never queues. At most ``window`` messages (or the broker's Receive Maximum) are inside it, the rest wait here; when the
        connection ends, everything that was not acknowledged fails with ``Unavailable`` and paho forgets it before it connects again.
        Its own queue is RAM, ignores its limit after a reconnect (paho#492) and would send everything a second time.
Rule 3  Only the reason code of MQTT 5 tells whether a message was taken: ``is_published()`` is true for a refused one.
"""

import asyncio
import logging
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosd.clock import Clock
from kiosd.errors import DeviceError, Refused, Unavailable
from kiosd.links.base import MAX_PAYLOAD, Message
from kiosd.links.credentials import client_context, password
from kiosd.links.subscriptions import Subscriptions
from kiosd.links.window import Window, packet_size
from kiosd.mqtt.settings import MqttSettings
from kiosd.threads import lane

log = logging.getLogger(__name__)

NO_MATCHING_SUBSCRIBERS = 0x10
SESSION_TAKEN_OVER = 0x8E
WILL_DELAY_S = 10  # a drop shorter than this is nobody's business
SESSION_EXPIRY_S = 60  # must be longer than the will's delay: a session that ends sends its will at once
MAX_PACKET = 65_536  # what a broker may send us; a command is far smaller
RETRY_S = (1.0, 15.0)  # first and longest pause between attempts; paho's own 120 s is too long for a counter
QUICK_DROP_S, QUICK_DROPS = 5.0, 3  # more than 3 drops, each within 5 s of its connect: another client uses this id
GOODBYE_S, STOP_S = 1.0, 0.5

Presence = Callable[[str, int], Message]
"""The status message for ``online``, ``offline`` or ``lost`` of connection ``conn``."""


def _properties(message: Message, packet: int = PacketTypes.PUBLISH) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    if message.content_type is not None:
        properties.ContentType = message.content_type
        properties.PayloadFormatIndicator = 1  # all our payloads are UTF-8
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.reply_to is not None:
        properties.ResponseTopic = message.reply_to
    if message.correlation is not None:
        properties.CorrelationData = message.correlation
    if message.properties:
        properties.UserProperty = list(message.properties)
    if packet == PacketTypes.WILLMESSAGE:
        properties.WillDelayInterval = WILL_DELAY_S
    return properties


def _incoming(message: MQTTMessage) -> Message:
    properties = message.properties
    return Message(
        topic=message.topic,
        payload=bytes(message.payload),
        retain=message.retain,
        qos=message.qos,
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
        reply_to=getattr(properties, "ResponseTopic", None),
        correlation=getattr(properties, "CorrelationData", None),
        content_type=getattr(properties, "ContentType", None),
        properties=tuple(getattr(properties, "UserProperty", ())),
    )


class MqttLink:
    """A ``Link`` that connects by itself for as long as it is open.

    ``connected`` and ``lost`` follow its connections, each with its own number ``conn``, rising within a boot. ``presence`` makes
    the will (``lost``) and the farewell (``offline``); the birth is the uplink's to send. ``send`` is ``publish`` without waiting: messages
    go out in the order of the calls.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        clock: Clock,
        presence: Presence | None = None,
        retry_s: tuple[float, float] = RETRY_S,
    ) -> None:
        self._settings, self._clock, self._presence, self._retry_s = settings, clock, presence, retry_s
        self._loop = asyncio.get_running_loop()
        self._client = self._make_client(settings.client_id or client_id)
        self._window = Window(self._transmit)
        self._subscriptions = Subscriptions()
        self._max_packet = sys.maxsize
        self._conn, self._online, self._open, self._refusal = 0, False, True, ""
        self._connected_at, self._quick_drops, self._crowded = 0.0, 0, False
        self._changed = asyncio.Event()
        self.reason = "not connected yet"

    # What paho calls, in its thread: nothing here changes our state except by handing over.

    def _hand_over(self, call: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(call, *args)

    def _make_client(self, client_id: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5)
        client.suppress_exceptions = True
        client.max_inflight_messages_set(0)  # no queue in paho: the window is ours
        client.on_pre_connect = _forget
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda _client, _data: self._hand_over(self._failed, str(sys.exc_info()[1]))  # paho calls it in an except
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _client, _data, mid, reason, _properties: self._hand_over(self._settled, mid, reason)
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self._hand_over(self._subscribed, reasons)
        client.on_message = lambda _client, _data, message: self._subscriptions.put_from_thread(_incoming(message))
        return client

    def _on_connect(self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refused the connection: {reason}"  # told by on_disconnect, which comes next
        else:
            self._hand_over(self._connected, properties)

    def _on_disconnect(self, client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any) -> None:
        taken_over = reason.value == SESSION_TAKEN_OVER
        self._draw_delays(client, self._crowded or taken_over)  # here, for paho reads them as soon as this returns
        words = "the broker ended the connection" if flags.is_disconnect_packet_from_server else "connection lost"
        refusal, self._refusal = self._refusal, ""
        self._hand_over(self._disconnected, refusal or f"{words}: {reason}", taken_over)

    def _draw_delays(self, client: Client, crowded: bool) -> None:
        """Without jitter every kiosk of the country comes back in the same second after a broker restart."""
        first, longest = (4 * self._retry_s[1],) * 2 if crowded else self._retry_s
        low, high = random.uniform(first, 2 * first), random.uniform(longest * 2 / 3, longest)  # noqa: S311 - spreads load, guards nothing
        client.reconnect_delay_set(low, max(low, high))  # type: ignore[arg-type]  # paho only adds and compares

    # The life of the connection, in the loop.

    async def __aenter__(self) -> "MqttLink":
        settings = self._settings
        if settings.username is not None:
            self._client.username_pw_set(settings.username, password(settings.password_file))
        if settings.ca_file is not None:
            self._client.tls_set_context(client_context(settings.ca_file, settings.cert_file, settings.key_file))
        self._prepare_will()
        self._draw_delays(self._client, crowded=False)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.MaximumPacketSize = MAX_PACKET
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s, clean_start=True, properties=properties)
        self._client.loop_start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with suppress(TimeoutError, Refused, Unavailable):
            async with asyncio.timeout(GOODBYE_S):
                if self._presence is not None and self._online:
                    await self.publish(self._presence("offline", self._conn))
        self._open = False
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
            self._client.will_set(will.topic, will.payload, will.qos, will.retain, _properties(will, PacketTypes.WILLMESSAGE))

    def _connected(self, properties: Properties | None) -> None:
        self._window.size = min(self._settings.window, getattr(properties, "ReceiveMaximum", 65_535))
        self._max_packet = getattr(properties, "MaximumPacketSize", sys.maxsize)
        self._connected_at = self._clock.now().monotonic
        log.info("mqtt: connected to %s:%d", self._settings.host, self._settings.port)
        for pattern in self._subscriptions.patterns:
            self._subscribe(pattern)
        self._set_online(True, "connected")

    def _failed(self, reason: str) -> None:
        if reason != self.reason and self._open:
            log.warning("mqtt: no connection to %s:%d: %s", self._settings.host, self._settings.port, reason)
            self.reason = reason

    def _disconnected(self, reason: str, taken_over: bool) -> None:
        if not self._online:
            self._failed(reason)
            return
        quick = self._clock.now().monotonic - self._connected_at < QUICK_DROP_S
        self._quick_drops = self._quick_drops + 1 if quick else 0
        self._crowded = taken_over or self._quick_drops >= QUICK_DROPS
        log.warning("mqtt: %s%s", reason, "; another client seems to use this client id" if self._crowded else "")
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
        if len(message.payload) > MAX_PAYLOAD or packet_size(message) > self._max_packet:
            future.set_exception(Refused("too_large", {"topic": message.topic, "bytes": len(message.payload)}))
        elif not self._online:
            future.set_exception(Unavailable(self.reason))
        else:
            self._window.add(message, future)
        return future

    def _transmit(self, message: Message) -> int:
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, _properties(message))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable("the connection has just gone")
        return info.mid

    def _settled(self, mid: int, reason: ReasonCode) -> None:
        word = "nobody_listens" if reason.value == NO_MATCHING_SUBSCRIBERS else str(reason).lower().replace(" ", "_")
        taken = not reason.is_failure and reason.value != NO_MATCHING_SUBSCRIBERS
        self._window.settle(mid, None if taken else Refused(word))

    # Messages in.

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[AsyncIterator[Message]]:
        """See ``Link``. Subscribed anew at every connect, before ``connected`` returns; retained messages from before are not asked for."""
        try:
            with self._subscriptions.open(pattern) as arrivals:
                if self._online:
                    self._subscribe(pattern)
                yield arrivals
        finally:
            if self._online and pattern not in self._subscriptions.patterns:
                self._client.unsubscribe(pattern)

    def _subscribe(self, pattern: str) -> None:
        # retainAsPublished: without it a retained command looks like an ordinary one; noLocal: what we clear must not come back to us
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        self._client.subscribe(pattern, options=options)

    def _subscribed(self, reasons: list[ReasonCode]) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.error("mqtt: the broker refused a subscription: %s", reason)


def _forget(client: Client, _data: Any) -> None:
    """Rule 2: what the last connection did not deliver has failed; it must not be sent behind our back."""
    client.drop_out_messages()


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    """Without it a reply waits for the broker's delayed acknowledgement: 44 ms instead of 2."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
