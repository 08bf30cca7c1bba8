"""A small MQTT 5 client of our own, so that what kiosd sends is judged by something that is not paho.

It needs no event loop: a thread reads. Use ``until`` where the tested code runs in this thread's loop, else ``wait``.
"""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

DEADLINE_S = 20.0  # against a hang; machines are shared, and a busy one is no fault
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
FORMAT, EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, USER = 0x01, 0x02, 0x03, 0x08, 0x09, 0x26


@dataclass(frozen=True)
class Received:
    """One PUBLISH. ``properties`` by identifier; user properties as a list of pairs under ``USER``."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    properties: dict[int, Any]

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _string(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def _take_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _take_string(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2])
    return data[at + 2 : end], end


def _take_properties(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    length, at = _take_varint(data, at)
    end, found = at + length, dict[int, Any]()
    while at < end:
        key, at = data[at], at + 1
        if key == FORMAT:
            found[key], at = data[at], at + 1
        elif key == EXPIRY:
            found[key], at = int.from_bytes(data[at : at + 4]), at + 4
        elif key == USER:
            name, at = _take_string(data, at)
            value, at = _take_string(data, at)
            found.setdefault(key, []).append((name.decode(), value.decode()))
        elif key in {CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION}:
            raw, at = _take_string(data, at)
            found[key] = raw if key == CORRELATION else raw.decode()
        else:
            raise AssertionError(f"property {key:#x} in a PUBLISH")
    return found, end


def _properties(given: dict[int, Any]) -> bytes:
    out = b""
    for key, value in given.items():
        if key == EXPIRY:
            out += bytes([key]) + struct.pack("!I", value)
        elif key == USER:
            out += b"".join(bytes([key]) + _string(name) + _string(text) for name, text in value)
        else:
            out += bytes([key]) + _string(value)
    return _varint(len(out)) + out


async def until(condition: Callable[[], Any], deadline: float = DEADLINE_S, found: Callable[[], object] = str) -> None:
    """Return when ``condition()`` holds, while the event loop runs on; after ``deadline`` seconds fail and show ``found()``."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"not within {deadline:g} s; {found()}"
        await asyncio.sleep(0.002)  # another thread changes what is asked about


@dataclass
class Peer:
    """One connection. ``messages`` holds what came, in order; QoS 1 is acknowledged at once. Reason codes of our PUBLISHes in ``acks``."""

    port: int
    client_id: str
    username: str | None = None
    messages: list[Received] = field(default_factory=list)
    acks: dict[int, int] = field(default_factory=dict)
    packets: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._mid = 0
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        flags, user = (0x82, _string(self.username)) if self.username else (0x02, b"")
        body = _string("MQTT") + bytes([5, flags]) + struct.pack("!H", 0) + _varint(0) + _string(self.client_id) + user
        self._send(CONNECT, 0, body)
        kind, answer = self._read()
        assert kind >> 4 == CONNACK
        assert answer[1] == 0, f"CONNACK {answer[1]:#x}"
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.sendall(bytes([kind << 4 | flags]) + _varint(len(body)) + body)

    def _read(self) -> tuple[int, bytes]:
        head, length, shift = self._file.read(1), 0, 0
        if not head:
            raise EOFError
        while True:
            digit = self._file.read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return head[0], self._file.read(length)

    def _work(self) -> None:
        with suppress(OSError, EOFError, ValueError):
            while True:
                head, body = self._read()
                with self._news:
                    self._take(head, body)
                    self._news.notify_all()

    def _take(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == PUBLISH:
            qos, (topic, at) = head >> 1 & 3, _take_string(body, 0)
            mid = body[at : at + 2] if qos else b""
            properties, at = _take_properties(body, at + len(mid))
            self.messages.append(Received(topic.decode(), body[at:], bool(head & 1), qos, properties))
            if qos:
                self._send(PUBACK, 0, mid)
        elif kind == PUBACK:
            self.acks[int.from_bytes(body[:2])] = body[2] if len(body) > 2 else 0
        else:
            self.packets.append((kind, body))

    def wait(self, condition: Callable[[], Any], deadline: float = DEADLINE_S) -> None:
        """Block until ``condition()`` holds; it is asked whenever a packet came."""
        with self._news:
            assert self._news.wait_for(condition, deadline), f"not within {deadline:g} s; messages: {self.messages[-5:]}"

    async def until(self, condition: Callable[[], Any], deadline: float = DEADLINE_S) -> None:
        """As ``wait``, while the event loop runs on."""
        await until(condition, deadline, lambda: f"messages: {self.messages[-5:]}")

    def subscribe(self, *patterns: str) -> None:
        """Subscribe with QoS 1; returns when the broker has said yes, so after the retained messages were queued."""
        self._mid += 1
        filters = b"".join(_string(pattern) + b"\x01" for pattern in patterns)
        self._send(SUBSCRIBE, 2, struct.pack("!H", self._mid) + _varint(0) + filters)
        before = self._mid
        self.wait(lambda: any(kind == SUBACK and int.from_bytes(body[:2]) == before for kind, body in self.packets))

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, qos: int = 1, properties: dict[int, Any] | None = None, dup: bool = False
    ) -> int:
        """Publish; returns the message id whose reason code will stand in ``acks`` (0 for QoS 0). ``dup``: marked as sent before."""
        self._mid += 1
        mid = struct.pack("!H", self._mid) if qos else b""
        self._send(PUBLISH, dup << 3 | qos << 1 | retain, _string(topic) + mid + _properties(properties or {}) + payload)
        return self._mid if qos else 0

    def on(self, topic: str) -> list[Received]:
        """What came on ``topic``."""
        return [message for message in self.messages if message.topic == topic]

    def close(self) -> None:
        with suppress(OSError):
            self._send(DISCONNECT, 0, b"")
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        self._file.close()
        self._socket.close()


@contextmanager
def peer(port: int, client_id: str = "peer", *patterns: str, username: str | None = None) -> Iterator[Peer]:
    """A connected peer, subscribed to ``patterns``."""
    it = Peer(port, client_id, username)
    try:
        if patterns:
            it.subscribe(*patterns)
        yield it
    finally:
        it.close()
