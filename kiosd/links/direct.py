"""One connection to a broker, driven by the event loop itself: for tools that ask once, and for many connections in one process.

``MqttLink`` is the daemon's: it connects by itself for ever, in paho's thread. That thread waits with select(2), which sees no file
descriptor above 1023: in one process 339 such links came up, the 340th never did. Here epoll waits, and nothing is tried twice: what the
broker says is told as it is.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosd.errors import ConfigError, Refused, Unavailable
from kiosd.links import packets
from kiosd.links.base import Message
from kiosd.links.credentials import client_context, password
from kiosd.links.packets import word
from kiosd.links.window import Window
from kiosd.mqtt.settings import MqttSettings
from kiosd.threads import lane

CONNECT_S = 5.0  # for name, TCP and TLS together, and as long again for the broker's answer
GOODBYE_S = 1.0
T = TypeVar("T")
Take = Callable[[Message], None]


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """What ``settings`` trust and show, None without TLS; ``ConfigError`` for a wrong file."""
    return client_context(settings.ca_file, settings.cert_file, settings.key_file) if settings.ca_file is not None else None


class DirectLink:
    """One connection. ``open`` it once; ``lost`` is done, with the reason in words, when it is over.

    What arrives for ``subscribe`` goes to ``take``, in the loop.
    """

    def __init__(self, settings: MqttSettings, client_id: str, take: Take | None = None, context: ssl.SSLContext | None = None) -> None:
        """``context``: the TLS context of ``settings`` if there is one already; else it is made of the files that they name."""
        self._settings, self._context, self._v5 = settings, context, settings.protocol == "5"
        self._loop = asyncio.get_running_loop()
        self._window = Window(self._transmit)
        self._answers: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._welcome: asyncio.Future[tuple[ReasonCode, Properties | None]] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._misc: asyncio.TimerHandle | None = None
        self._take, self._taken = take, 0
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5 if self._v5 else MQTTv311)
        client.max_inflight_messages_set(0)  # no queue in paho: the window is ours
        client.connect_timeout = CONNECT_S
        client.on_socket_open = packets.no_delay
        client.on_connect = self._on_connect
        client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self._over(str(reason))
        client.on_publish = lambda _client, _data, mid, reason, _properties: self._settled(mid, reason)
        client.on_subscribe = lambda _client, _data, mid, reasons, _properties: self._answered(mid, reasons)
        client.on_message = lambda _client, _data, message: self._came(message)
        return client

    # The life of the connection.

    async def open(self) -> None:
        """Connect. ``Refused`` with the broker's reason code as a word, or ``Unavailable`` when there is no broker to say anything."""
        settings = self._settings
        if settings.username is not None:
            self._client.username_pw_set(settings.username, password(settings.password_file))
        if (context := self._context or tls_context(settings)) is not None:
            self._client.tls_set_context(context)
        session = packets.session(0) if self._v5 else {}
        connect = partial(self._client.connect, settings.host, settings.port, settings.keepalive_s, **session)
        try:
            async with lane("mqtt-connect") as blocking:  # names and TLS
                await blocking.run(connect, 2 * CONNECT_S)
        except ConfigError:
            raise
        except (OSError, ValueError) as exc:  # ssl's errors are OSErrors, a name that cannot be one is a ValueError
            raise Unavailable(str(exc)) from None
        self._drive()
        await self._greeted()

    async def _greeted(self) -> None:
        try:
            reason, properties = await _in_time(self._welcome)
        except Unavailable:
            await self.close()
            raise
        if reason.is_failure:
            raise Refused(word(reason))
        self._window.size = min(self._settings.window, getattr(properties, "ReceiveMaximum", 65_535))

    def _drive(self) -> None:
        """From here on the loop calls paho, and paho's callbacks run in the loop."""
        sock: Any = self._client.socket()  # a socket, plain or TLS
        if sock is None:
            return
        self._client.on_socket_close = lambda _client, _data, closing: self._let_go(closing)
        self._client.on_socket_register_write = lambda _client, _data, full: self._loop.add_writer(full, self._client.loop_write)
        self._client.on_socket_unregister_write = self._nothing_to_write
        self._loop.add_reader(sock, self._read, sock)
        self._keep_alive()

    def _read(self, sock: Any) -> None:
        """paho reads one packet at a time. Epoll knows nothing of what is decrypted already, and where a message came there may be more."""
        more = True
        while more:
            before = self._taken
            self._client.loop_read()
            open_still = self._client.socket() is sock
            more = open_still and (self._taken > before or (self._settings.tls and sock.pending() > 0))

    def _keep_alive(self) -> None:
        self._client.loop_misc()
        self._misc = self._loop.call_later(max(0.5, self._settings.keepalive_s / 4), self._keep_alive)

    def _nothing_to_write(self, _client: Client, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

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
        sock: Any = self._client.socket()
        if sock is not None:  # the broker does not even take our bytes
            self._let_go(sock)
            sock.close()
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
        return packets.transmit(self._client, message, self._v5)

    def _settled(self, mid: int, reason: ReasonCode) -> None:
        self._window.settle(mid, packets.refusal(reason))

    async def subscribe(self, pattern: str, *, retained: bool = False) -> None:
        """Have what fits ``pattern`` taken from now on, with what was retained before if asked for. ``Refused`` with the reason's word."""
        retain = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=retain)
        _, mid = self._client.subscribe(pattern, options=options) if self._v5 else self._client.subscribe(pattern, qos=1)
        if mid is None or self.lost.done():
            raise Unavailable("the connection has just gone")
        self._answers[mid] = self._loop.create_future()
        try:
            reasons = await _in_time(self._answers[mid])
        finally:
            del self._answers[mid]
        for reason in reasons:
            if reason.is_failure:
                raise Refused(word(reason))

    def _came(self, message: MQTTMessage) -> None:
        self._taken += 1
        if self._take is not None:
            self._take(packets.incoming(message))

    def _answered(self, mid: int, reasons: list[ReasonCode]) -> None:
        if (future := self._answers.get(mid)) is not None and not future.done():
            future.set_result(reasons)


async def _in_time(answer: asyncio.Future[T]) -> T:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await answer
    except Unavailable:
        raise
    except TimeoutError:
        raise Unavailable(f"the broker did not answer in {CONNECT_S:g} s") from None
