"""One connection to a broker, driven by the event loop itself: for tools that ask once, and for many connections in one process.

``MqttLink`` is the daemon's: it connects by itself for ever, in paho's thread. That thread waits with select(2), which sees no file
descriptor above 1023: in one process 339 such links came up, the 340th never did. Here epoll waits, and nothing is tried twice: what the
broker says is told as it is.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosd.errors import ConfigError, Refused, Unavailable
from kiosd.links.base import Message
from kiosd.links.credentials import client_context, password
from kiosd.links.mqtt import MAX_PACKET, NO_MATCHING_SUBSCRIBERS, _incoming, _no_delay, _properties
from kiosd.links.window import Window
from kiosd.mqtt.settings import MqttSettings
from kiosd.threads import Lane

CONNECT_S = 5.0  # for name, TCP and TLS together, and as long again for the broker's answer
GOODBYE_S = 1.0
Take = Callable[[Message], None]


def word(reason: ReasonCode) -> str:
    """A reason code of MQTT 5 as a word for programs: ``not_authorized``."""
    return str(reason).lower().replace(" ", "_")


class DirectLink:
    """One connection. ``open`` it once; ``lost`` is done, with the reason in words, when it is over.

    What arrives for ``subscribe`` goes to ``take``, in the loop. ``lane`` is where names are looked up and TLS is agreed on: both block.
    """

    def __init__(self, settings: MqttSettings, client_id: str, lane: Lane, take: Take | None = None) -> None:
        self._settings, self._lane = settings, lane
        self._loop = asyncio.get_running_loop()
        self._window = Window(self._transmit)
        self._answers: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._welcome: asyncio.Future[tuple[ReasonCode, Properties | None]] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._misc: asyncio.TimerHandle | None = None
        self._client = self._make_client(client_id, take)

    def _make_client(self, client_id: str, take: Take | None) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5)
        client.max_inflight_messages_set(0)  # no queue in paho: the window is ours
        client.connect_timeout = CONNECT_S
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self._over(str(reason))
        client.on_publish = lambda _client, _data, mid, reason, _properties: self._settled(mid, reason)
        client.on_subscribe = lambda _client, _data, mid, reasons, _properties: self._answered(mid, reasons)
        if take is not None:
            client.on_message = partial(_hand_on, take)
        return client

    # The life of the connection.

    async def open(self) -> None:
        """Connect. ``Refused`` with the broker's reason code as a word, or ``Unavailable`` when there is no broker to say anything."""
        settings = self._settings
        if settings.username is not None:
            self._client.username_pw_set(settings.username, password(settings.password_file))
        if settings.ca_file is not None:
            self._client.tls_set_context(client_context(settings.ca_file, settings.cert_file, settings.key_file))
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho types it so
        properties.MaximumPacketSize = MAX_PACKET
        connect = partial(self._client.connect, settings.host, settings.port, settings.keepalive_s, clean_start=True, properties=properties)
        try:
            await self._lane.run(connect, 2 * CONNECT_S)
        except ConfigError:
            raise
        except (OSError, ValueError) as exc:  # ssl's errors are OSErrors, a name that cannot be one is a ValueError
            raise Unavailable(str(exc)) from None
        self._drive()
        await self._greeted()

    async def _greeted(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                reason, properties = await self._welcome
        except TimeoutError:
            await self.close()
            raise Unavailable(f"the broker did not answer in {CONNECT_S:g} s") from None
        if reason.is_failure:
            raise Refused(word(reason))
        self._window.size = min(self._settings.window, getattr(properties, "ReceiveMaximum", 65_535))

    def _drive(self) -> None:
        """From here on the loop calls paho, and paho's callbacks run in the loop."""
        sock = self._client.socket()
        if sock is None:
            return
        self._client.on_socket_close = lambda _client, _data, closing: self._let_go(closing)
        self._client.on_socket_register_write = lambda _client, _data, full: self._loop.add_writer(full, self._client.loop_write)
        self._client.on_socket_unregister_write = lambda _client, _data, empty: self._loop.remove_writer(empty)
        self._loop.add_reader(sock, self._read, sock)
        self._keep_alive()

    def _read(self, sock: Any) -> None:
        self._client.loop_read()
        while self._client.socket() is sock and self._settings.tls and sock.pending():
            self._client.loop_read()  # decrypted already: epoll knows nothing of it

    def _keep_alive(self) -> None:
        self._client.loop_misc()
        self._misc = self._loop.call_later(max(0.5, self._settings.keepalive_s / 4), self._keep_alive)

    def _let_go(self, sock: Any) -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        if not self._welcome.done():
            self._welcome.set_result((reason, properties))

    def _over(self, reason: str) -> None:
        if self._misc is not None:
            self._misc.cancel()
        if not self.lost.done():
            self.lost.set_result(reason)
        gone = Unavailable(reason)
        self._window.fail(gone)
        waiting: list[asyncio.Future[Any]] = [self._welcome, *self._answers.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(gone)
                future.exception()  # who waits gets it; where nobody does, nobody needs it

    async def close(self) -> None:
        """Say good-bye, as far as the broker listens, and close."""
        self._client.disconnect()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await asyncio.shield(self.lost)
        if (sock := self._client.socket()) is not None:  # it does not even take our bytes
            self._let_go(sock)
            sock.shutdown(socket.SHUT_RDWR)
            self._client.loop_read()
        self._over("closed")

    # Messages.

    async def publish(self, message: Message) -> None:
        """See ``Link``."""
        await self.send(message)

    def send(self, message: Message) -> asyncio.Future[None]:
        """See ``MqttLink``: out as soon as the window has room; the future ends as ``publish`` would."""
        future: asyncio.Future[None] = self._loop.create_future()
        if self.lost.done():
            future.set_exception(Unavailable(self.lost.result()))
        else:
            self._window.add(message, future)
        return future

    def _transmit(self, message: Message) -> int:
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, _properties(message))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable("the connection has just gone")
        return info.mid

    def _settled(self, mid: int, reason: ReasonCode) -> None:
        if reason.value == NO_MATCHING_SUBSCRIBERS:
            self._window.settle(mid, Refused("nobody_listens"))
        else:
            self._window.settle(mid, Refused(word(reason)) if reason.is_failure else None)

    async def subscribe(self, pattern: str, *, retained: bool = False) -> None:
        """Have what fits ``pattern`` taken from now on, with what was retained before if asked for. ``Refused`` with the reason's word."""
        retain = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=retain)
        _, mid = self._client.subscribe(pattern, options=options)
        if mid is None or self.lost.done():
            raise Unavailable("the connection has just gone")
        self._answers[mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(CONNECT_S):
                reasons = await self._answers[mid]
        except TimeoutError:
            raise Unavailable("the broker did not answer in time") from None
        finally:
            del self._answers[mid]
        for reason in reasons:
            if reason.is_failure:
                raise Refused(word(reason))

    def _answered(self, mid: int, reasons: list[ReasonCode]) -> None:
        if (future := self._answers.get(mid)) is not None and not future.done():
            future.set_result(reasons)


def _hand_on(take: Take, _client: Client, _data: Any, message: MQTTMessage) -> None:
    take(_incoming(message))
